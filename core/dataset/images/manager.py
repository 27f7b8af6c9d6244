"""The front desk of the picture tools: one short method per stage; each makes versions and touches no picture."""

from __future__ import annotations

from pathlib import Path

from core.base.progress import SILENT, Progress
from core.dataset.images.resizing import ResizeSettings, resize_images
from core.dataset.images.upscaling.tool import UpscaleSettings, upscale_images
from core.dataset.images.working import VersionReport
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

    def resize(self, settings: ResizeSettings, progress: Progress = SILENT) -> VersionReport:
        """Make a version of each picture at another size or in another format."""
        self.project.settle()
        return resize_images(self.project, settings, progress)

    def upscale(self, settings: UpscaleSettings, progress: Progress = SILENT) -> VersionReport:
        """Make a larger version of each picture by a network."""
        self.project.settle()
        return upscale_images(self.project, settings, progress)
