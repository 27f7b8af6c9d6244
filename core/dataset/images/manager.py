"""The front desk of the picture tools: one short method per stage; each makes versions and touches no picture."""

from __future__ import annotations

from pathlib import Path

from core.base.progress import SILENT, Progress
from core.base.settings import Settings
from core.dataset.images.bench import BenchPicture, look_at_picture, take_back
from core.dataset.images.cropping.by_hand import HandCropSettings, Ratio, crop_by_hand, ratios_for
from core.dataset.images.cropping.planning import CropSettings
from core.dataset.images.cropping.smart import CropReport, crop_images
from core.dataset.images.previews import preview_image
from core.dataset.images.resizing import ResizeSettings, resize_images
from core.dataset.images.tools import make_tool
from core.dataset.images.working import Tried, VersionReport, keep, try_on
from core.dataset.project import Project


class ImagesManager:
    """One project's pictures, and what the tools make of them.

    Every stage raises ConfigError, DatasetError, ModelError, DiskError and Cancelled; what was made before stays.
    """

    def __init__(self, project: Project) -> None:
        self.project = project

    @classmethod
    def open(cls, folder: Path | str) -> ImagesManager:
        """Open a project by its folder. Raises: DatasetError, ConfigError."""
        return cls(Project.open(Path(folder)))

    def look(self, image_id: str) -> BenchPicture:
        """The versions of one picture, and which one stands for it."""
        return look_at_picture(self.project, image_id)

    def preview(self, path: Path) -> bytes:
        """A version as a picture for the screen, up to 2048 px a side, made once."""
        return preview_image(path, self.project.hidden / "previews", large=True)

    def try_on(self, tool: str, settings: Settings, image_id: str, label: str = "", progress: Progress = SILENT) -> Tried:
        """What a tool (`TOOLS`) makes of one picture; nothing is written."""
        return try_on(self.project, make_tool(self.project, tool, settings), image_id, label, progress)

    def keep(self, tried: Tried, progress: Progress = SILENT) -> list[Path]:
        """Write what was tried. Returns: the versions."""
        return keep(self.project, tried, progress)

    def take_back(self, image_id: str, name: str, progress: Progress = SILENT) -> str:
        """Put a version aside; the one that it had replaced stands again. Args: name: of its file. Returns: what happened."""
        return take_back(self.project, image_id, name, progress)

    def resize(self, settings: ResizeSettings, progress: Progress = SILENT) -> VersionReport:
        """Make a version of each picture at another size or in another format."""
        self.project.settle()
        return resize_images(self.project, settings, progress)

    def crop(self, settings: CropSettings, progress: Progress = SILENT) -> CropReport:
        """Make parts of each picture around its faces and people."""
        self.project.settle()
        return crop_images(self.project, settings, progress)

    def crop_by_hand(self, settings: HandCropSettings, progress: Progress = SILENT) -> VersionReport:
        """Cut a box out of one picture, as a part or in its place."""
        self.project.settle()
        return crop_by_hand(self.project, settings, progress)

    def ratios(self) -> list[Ratio]:
        """Proportions that a box can be held to: free, the usual ones, the training sizes."""
        return ratios_for(self.project)
