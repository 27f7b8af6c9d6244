"""The front desk of the picture tools: one short method per stage; each makes versions and touches no picture."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.base.buckets import Size
from core.base.progress import SILENT, Progress
from core.base.settings import Settings
from core.base.turns import is_machine_taken
from core.dataset.images.bench import BenchPicture, bring_back, look_at_picture, put_aside, take_back, take_back_made
from core.dataset.images.by_size import OWN, BySizePlan, BySizeReport, BySizeSettings, plan_by_size, work_by_size
from core.dataset.images.cropping.by_hand import HandCropSettings, Ratio, crop_by_hand, ratios_for
from core.dataset.images.cropping.framing import Cut
from core.dataset.images.cropping.planning import CropSettings
from core.dataset.images.cropping.smart import CropReport, crop_images
from core.dataset.images.enhancing.tool import EnhanceSettings, enhance_images
from core.dataset.images.inpainting.painting import inpaint_images, tries
from core.dataset.images.inpainting.settings import InpaintSettings
from core.dataset.images.mask_by_hand import HandDrawing, open_drawing
from core.dataset.images.mask_edits import as_values, read_operations
from core.dataset.images.masks import read_mask, share
from core.dataset.images.offered import offered_choices
from core.dataset.images.previews import preview_image, preview_mask
from core.dataset.images.resizing import ResizeSettings, resize_images
from core.dataset.images.segmenting.clicking import ClickSettings, look_at
from core.dataset.images.segmenting.masking import label_of, mask_images
from core.dataset.images.segmenting.settings import MaskSettings, Use
from core.dataset.images.sourcing import one_unit
from core.dataset.images.tools import TOOLS, make_tool
from core.dataset.images.transparent import TransparentSettings, make_transparent
from core.dataset.images.upscaling.tool import UpscaleSettings, upscale_images
from core.dataset.images.version_report import VersionReport
from core.dataset.images.working import keep, try_on, work_on
from core.dataset.images.writing import Tried
from core.dataset.project import Project
from core.models.catalog import Kind
from core.models.having import offered_models
from core.models.warm import WARM, WarmModel
from core.setup.hardware import read_gpus
from core.stages import stage_named

MODEL_FIELDS: dict[str, dict[str, Kind]] = {
    "upscale": {"model": "upscaler"}, "enhance": {"model": "upscaler", "restorer": "face restorer"}, "inpaint": {"lama_model": "inpainter"}}
"""Tool → its fields that name a model of a kind."""


IN_THE_WAY = 5.0
"""Seconds without a use after which a model leaves the GPU to a job or training."""


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
        return preview_image(path, self.project.hidden / "previews", large=True, checks=True)

    def try_on(self, tool: str, settings: Settings, image_id: str, label: str = "", progress: Progress = SILENT) -> Tried:
        """What a tool (`TOOLS`) makes of one picture; nothing is written."""
        return try_on(self.project, make_tool(self.project, tool, settings), image_id, label, progress)

    def keep(self, tried: Tried, progress: Progress = SILENT) -> list[Path]:
        """Write what was tried. Returns: the versions."""
        return keep(self.project, tried, progress)

    def take_back(self, image_id: str, name: str, progress: Progress = SILENT) -> str:
        """Put a version aside; the one that it had replaced stands again. Args: name: of its file. Returns: what happened."""
        return take_back(self.project, image_id, name, progress)

    def bring_back(self, image_id: str, name: str, progress: Progress = SILENT) -> str:
        """Let a version that was taken back stand again. Args: name: of its file. Returns: what happened."""
        return bring_back(self.project, image_id, name, progress)

    def take_back_made(self, names: Sequence[str], tools: Collection[str], progress: Progress = SILENT) -> str:
        """Take back what a run of some tools made. Args: names: of the files. Returns: what happened."""
        return take_back_made(self.project, names, tools, progress)

    def open_drawing(self, image_id: str, label: str = "", use: Use = "learn") -> HandDrawing:
        """Begin to draw a mask, or go on with the one that is there. Args: use: what it is for."""
        return open_drawing(self.project, image_id, label, use)

    def operations_of(self, drawing: HandDrawing) -> list[dict[str, Any]]:
        """What the mask that is there is made of, as plain data."""
        return as_values(drawing.begun)

    def draft_of(self, drawing: HandDrawing) -> list[dict[str, Any]] | None:
        """What was drawn on it earlier and not saved; None: nothing."""
        draft = drawing.draft()
        return as_values(draft) if draft is not None else None

    def keep_draft(self, drawing: HandDrawing, operations: Sequence[dict[str, Any]]) -> None:
        """Keep what is drawn and not saved; what is as it was saved is no draft."""
        drawing.keep_draft(read_operations(operations))

    def look_for_clicks(self, path: Path, model: str, progress: Progress = SILENT) -> None:
        """Let a model look at a version before it is pressed on, so that the first press is answered at once."""
        look_at(path, ClickSettings.make(model=model), progress)

    def overlay_of(self, drawing: HandDrawing, operations: Sequence[dict[str, Any]],
                   part: tuple[tuple[int, int, int, int], Size] | None = None) -> tuple[bytes, bytes, float]:
        """A mask for the screen. Args: part: a box of it, and the size in which it is wanted. Returns: all of it, that part, its share."""
        mask = drawing.draw(read_operations(operations))
        return preview_mask(mask), preview_mask(mask, *part) if part is not None else b"", share(mask)

    def keep_mask(self, drawing: HandDrawing, file: bytes) -> dict[str, Any]:
        """A mask that a model made, as an operation of a drawing. Args: file: the picture of it."""
        return as_values([drawing.sources.keep(read_mask(file, drawing.size))])[0]

    def save_mask(self, drawing: HandDrawing, operations: Sequence[dict[str, Any]]) -> Path:
        """Write a mask that was drawn. Raises: DatasetError: it is empty, or the picture was changed meanwhile."""
        return drawing.save(read_operations(operations))

    def models_for(self, tool: str) -> dict[str, list[tuple[str, str]]]:
        """What a tool's fields that name a model, or choose of several, are offered: field → words and name."""
        return {field: offered_models(kind) for field, kind in MODEL_FIELDS.get(tool, {}).items()} | offered_choices(tool)

    def open_models(self) -> tuple[list[WarmModel], dict[str, int]]:
        """The models that stay open in this process, and the bytes that are free by device."""
        kept = WARM.list()
        return kept, {device: WARM.free(device) for device in dict.fromkeys(["cpu", *(model.device for model in kept)])}

    def unload_models(self, keys: Sequence[Hashable] = ()) -> int:
        """Let go of models, and of their memory; one that works at this moment stays. Args: keys: none: all. Returns: how many."""
        return sum(WARM.unload(key) for key in keys) if keys else WARM.unload_all()

    def unload_idle_models(self) -> int:
        """Let go of the models that nobody used for ten minutes; of all on the GPU while a job or training wants it. Returns: how many."""
        wanted = WARM.unload_idle(IN_THE_WAY, "cuda") if is_machine_taken() else 0
        return wanted + WARM.unload_idle()

    def ratios(self) -> list[Ratio]:
        """Proportions that a box can be held to: free, the usual ones, the project's training sizes."""
        return ratios_for(self.project)

    def hand_crop(self, image_id: str, box: Cut, becomes: str, label: str = "", of: str = "") -> HandCropSettings:
        """What `crop-by-hand` is told. Args: of: file name of the version that the box was drawn on. Raises: ConfigError."""
        return HandCropSettings.make(image=image_id, box=box, becomes=becomes, label=label, of=of)

    def remove_mask(self, drawing: HandDrawing) -> str:
        """Put a drawn mask aside, of which nothing is left. Returns: what happened."""
        unit = one_unit(self.project, drawing.image_id, drawing.label)
        mask = unit.beside("mask", label_of(unit, drawing.use))
        words = put_aside(self.project, drawing.image_id, mask.name) if mask is not None else "There is no mask any more."
        drawing.begun = ()
        drawing.drop_draft()
        return words

    def paintings(self, settings: Settings, image_id: str, label: str = "", progress: Progress = SILENT) -> list[Tried]:
        """Results of painting anew to choose from; nothing is written. Args: settings: of the tool `inpaint`."""
        assert isinstance(settings, InpaintSettings)
        return list(tries(self.project, settings, image_id, label, progress))

    def resize(self, settings: ResizeSettings, progress: Progress = SILENT) -> VersionReport:
        """Make a version of each picture at another size or in another format."""
        self.project.settle()
        return resize_images(self.project, settings, progress)

    def upscale(self, settings: UpscaleSettings, progress: Progress = SILENT) -> VersionReport:
        """Make a larger version of each picture by a network."""
        self.project.settle()
        return upscale_images(self.project, settings, progress)

    def enhance(self, settings: EnhanceSettings, progress: Progress = SILENT) -> VersionReport:
        """Make a version of each picture that is larger, with faces restored, contrast evened out or noise taken away."""
        self.project.settle()
        return enhance_images(self.project, settings, progress)

    def mask(self, settings: MaskSettings, progress: Progress = SILENT) -> VersionReport:
        """Make a mask of each picture: what counts of it, or what is to be repainted."""
        self.project.settle()
        return mask_images(self.project, settings, progress)

    def make_transparent(self, settings: TransparentSettings, progress: Progress = SILENT) -> VersionReport:
        """Make a version of each picture without its background."""
        self.project.settle()
        return make_transparent(self.project, settings, progress)

    def crop(self, settings: CropSettings, progress: Progress = SILENT) -> CropReport:
        """Make parts of each picture around its faces and people."""
        self.project.settle()
        return crop_images(self.project, settings, progress)

    def crop_by_hand(self, settings: HandCropSettings, progress: Progress = SILENT) -> VersionReport:
        """Cut a box out of one picture, as a part or in its place."""
        self.project.settle()
        return crop_by_hand(self.project, settings, progress)

    def inpaint(self, settings: InpaintSettings, progress: Progress = SILENT) -> VersionReport:
        """Make a version of each picture on which something is marked, with what is marked painted anew."""
        self.project.settle()
        return inpaint_images(self.project, settings, progress)

    def plan_by_size(self, settings: BySizeSettings) -> BySizePlan:
        """Which picture would be upscaled, which shrunk, which stays, and what it costs, roughly."""
        return plan_by_size(self.project, settings, TOOLS.names(), "cuda" if read_gpus().gpus else "cpu")

    def by_size(self, settings: BySizeSettings, progress: Progress = SILENT) -> BySizeReport | BySizePlan:
        """Upscale small pictures, shrink large ones, then mask them or take their background away; or only plan it."""
        self.project.settle()
        plan = self.plan_by_size(settings)
        return plan if settings.plan_only else work_by_size(settings, plan, self._run_tool, progress)

    def _run_tool(self, tool: str, values: Mapping[str, Any], images: Sequence[str], progress: Progress) -> VersionReport:
        """A tool of `TOOLS` over some pictures, for bulk by size."""
        made = make_tool(self.project, tool, stage_named(tool).settings_class().make(**values))
        made.undoes = OWN
        return work_on(self.project, made, images, progress)
