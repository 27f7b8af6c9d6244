"""The front desk of the LoRA tools: one short method for each, and starting it as a job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.base.jobs import Job, start_job
from core.base.paths import loras_dir
from core.base.progress import SILENT, Progress
from core.base.settings import Settings

if TYPE_CHECKING:
    from core.utilities.checkpoints.baking import BakeReport, BakeSettings
    from core.utilities.checkpoints.extracting import ExtractReport, ExtractSettings
    from core.utilities.disk.housekeeping import HousekeepingReport, HousekeepingSettings
    from core.utilities.files.metadata import MetadataReport, MetadataSettings
    from core.utilities.files.pickled import PickledReport, PickledSettings
    from core.utilities.inspecting.inspecting import InspectSettings, LoraReport
    from core.utilities.merging.averaging import AverageSettings
    from core.utilities.merging.merging import MergeReport, MergeSettings
    from core.utilities.merging.weighing import WeighReport, WeighSettings
    from core.utilities.names.converting import ConvertReport, ConvertSettings
    from core.utilities.publishing.checking import PublishCheck
    from core.utilities.publishing.report import PublishReport
    from core.utilities.publishing.settings import PublishSettings
    from core.utilities.resizing.resizing import PreviewReport, PreviewSettings, ResizeLoraSettings, ResizeReport


class UtilitiesManager:
    """LoRA files, wherever they lie; no project is needed.

    Args: folder: where jobs are kept; None: `loras_dir()`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or loras_dir()).absolute()

    @classmethod
    def open(cls, folder: Path) -> UtilitiesManager:
        """As every manager; there is nothing that could be missing."""
        return cls(folder)

    def start(self, stage: str, settings: Settings) -> Job:
        """Run a stage in a process of its own; returns at once.

        Args: stage: one of `core.stages` with the place "loras", or with "projects" where `folder` is `housekeeping_dir()`.
        """
        return start_job(self.folder, stage, settings.model_dump(mode="json"))

    def inspect(self, settings: InspectSettings, progress: Progress = SILENT) -> LoraReport:
        """Describe a file. Raises: ModelError, ConfigError, Cancelled."""
        from core.utilities.inspecting.inspecting import inspect_lora

        return inspect_lora(settings, progress)

    def preview_sizes(self, settings: PreviewSettings, progress: Progress = SILENT) -> PreviewReport:
        """Sizes and errors of a file at several ranks; nothing is written. Raises: ModelError, ConfigError, Cancelled."""
        from core.utilities.resizing.resizing import preview_sizes

        return preview_sizes(settings, progress)

    def resize(self, settings: ResizeLoraSettings, progress: Progress = SILENT) -> ResizeReport:
        """Write a file with other ranks. Raises: ModelError, ConfigError, DiskError, Cancelled."""
        from core.utilities.resizing.resizing import resize_lora

        return resize_lora(settings, progress)

    def merge(self, settings: MergeSettings, progress: Progress = SILENT) -> MergeReport:
        """Make one file of several. Raises: ModelError, ConfigError, DiskError, Cancelled."""
        from core.utilities.merging.merging import merge_loras

        return merge_loras(settings, progress)

    def average(self, settings: AverageSettings, progress: Progress = SILENT) -> MergeReport:
        """Make one file of a run's checkpoints. Raises: ModelError, ConfigError, DiskError, Cancelled."""
        from core.utilities.merging.averaging import average_loras

        return average_loras(settings, progress)

    def weigh(self, settings: WeighSettings, progress: Progress = SILENT) -> WeighReport:
        """Write a file with its weight in it. Raises: ModelError, ConfigError, DiskError, Cancelled."""
        from core.utilities.merging.weighing import weigh_lora

        return weigh_lora(settings, progress)

    def convert(self, settings: ConvertSettings, progress: Progress = SILENT) -> ConvertReport:
        """Write a file under other names or in another type. Raises: ModelError, ConfigError, DiskError, Cancelled."""
        from core.utilities.names.converting import convert_lora

        return convert_lora(settings, progress)

    def extract(self, settings: ExtractSettings, progress: Progress = SILENT) -> ExtractReport:
        """Make a LoRA of what two models differ in. Raises: ModelError, ConfigError, DiskError, Cancelled."""
        from core.utilities.checkpoints.extracting import extract_lora

        return extract_lora(settings, progress)

    def bake(self, settings: BakeSettings, progress: Progress = SILENT) -> BakeReport:
        """Put LoRA files into a model, or take them out. Raises: ModelError, ConfigError, DiskError, Cancelled."""
        from core.utilities.checkpoints.baking import bake_loras

        return bake_loras(settings, progress)

    def edit_metadata(self, settings: MetadataSettings, progress: Progress = SILENT) -> MetadataReport:
        """Change what a file says of itself. Raises: ModelError, ConfigError, DiskError, Cancelled."""
        from core.utilities.files.metadata import edit_metadata

        return edit_metadata(settings, progress)

    def convert_pickled(self, settings: PickledSettings, progress: Progress = SILENT) -> PickledReport:
        """Make a safetensors file of a pickled checkpoint. Raises: ModelError, ConfigError, DiskError, Cancelled."""
        from core.utilities.files.pickled import convert_pickled

        return convert_pickled(settings, progress)

    def check_publish(self, settings: PublishSettings, progress: Progress = SILENT) -> PublishCheck:
        """Say what stands against a publication; nothing leaves the machine. Raises: ModelError, ConfigError, DiskError, Cancelled."""
        from core.utilities.publishing.checking import check_publish

        return check_publish(settings, progress)

    def publish(self, settings: PublishSettings, progress: Progress = SILENT) -> PublishReport:
        """Bring LoRA files to Hugging Face, or into a folder or zip. Raises: ModelError, ConfigError, HubError, DiskError, Cancelled."""
        from core.utilities.publishing.publishing import publish_lora

        return publish_lora(settings, progress)

    def start_publish(self, stage: str, settings: PublishSettings, token: str = "") -> Job:
        """Check or publish in a process of its own; returns at once.

        Args: stage: "check-publish" or "publish-lora". token: reaches that process through its environment alone.
        """
        return start_job(self.folder, stage, settings.model_dump(mode="json"), {"HF_TOKEN": token} if token else None)

    def keep_house(self, settings: HousekeepingSettings, progress: Progress = SILENT) -> HousekeepingReport:
        """Say what takes room in all projects, and delete it where that is asked for. Raises: ConfigError, Cancelled."""
        from core.utilities.disk.housekeeping import keep_house

        return keep_house(settings, progress)
