"""Every stage by name: the one table that the command line, the jobs and the docs read."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from core.base.errors import ConfigError
from core.base.findings import Finding
from core.base.paths import housekeeping_dir, loras_dir, models_dir
from core.base.progress import SILENT, Progress
from core.base.settings import Settings

DATASET = "core.dataset.manager:DatasetManager"
IMAGES = "core.dataset.images.manager:ImagesManager"
TRAINING = "core.training.manager:TrainingManager"
MODELS = "core.models.manager:ModelsManager"
UTILITIES = "core.utilities.manager:UtilitiesManager"
FOLDERS = {"models": models_dir, "loras": loras_dir, "projects": housekeeping_dir}
"""Where the jobs of stages lie that need no project."""


@dataclass(frozen=True)
class Stage:
    """One stage, and the manager's method that runs it on a project."""

    name: str
    title: str
    settings: str
    """Its settings class: "package.module:Class"."""
    manager: str
    """The front desk: "package.module:Class", opened with the project's folder."""
    method: str
    """The manager's method, called as `method(settings, progress)`."""
    heavy: bool = field(kw_only=True)
    """Whether it takes the GPU or every core for long. One such job or training works on a machine at a time; others need not wait, and
    so may run beside any other stage in the same project: a light one must hold what it needs alone (`core.base.locks`)."""
    place: Literal["project", "models", "loras", "projects"] = field(default="project", kw_only=True)
    """What it works on: a project; the folder of models, which all projects share; LoRA files, wherever they lie, which its settings
    name; or all projects at once."""

    def settings_class(self) -> type[Settings]:
        """Import and return the settings class."""
        return _load(self.settings)

    def folder(self) -> Path | None:
        """The folder that it works on where it needs no project; its jobs lie there too. None: a project must be named."""
        return FOLDERS[self.place]().absolute() if self.place in FOLDERS else None

    def run(self, project: Path, settings: Settings, progress: Progress = SILENT) -> Any:
        """Open the project and run the stage. Returns: the stage's report."""
        manager = _load(self.manager).open(Path(project))
        return getattr(manager, self.method)(settings, progress)


_ALL = (
    Stage("opening", "What the project holds", "core.dataset.opening_report:OpeningSettings", DATASET, "opening", heavy=False),
    Stage("import", "Import pictures", "core.dataset.sources.import_settings:ImportSettings", DATASET, "import_images", heavy=False),
    Stage("find-captions", "Find captions beside the sources", "core.dataset.sources.found_captions:FindSettings", DATASET,
          "find_source_captions", heavy=False),
    Stage("take-captions", "Take captions from beside the sources", "core.dataset.sources.found_captions:TakeSettings", DATASET,
          "take_found", heavy=False),
    Stage("duplicates", "Find duplicates", "core.dataset.curation.duplicates:DuplicateSettings", DATASET, "find_duplicates", heavy=True),
    Stage("quality", "Measure quality", "core.dataset.curation.quality:QualitySettings", DATASET, "measure_quality", heavy=True),
    Stage("resize", "Resize and convert", "core.dataset.images.resizing:ResizeSettings", IMAGES, "resize", heavy=True),
    Stage("upscale", "Upscale", "core.dataset.images.upscaling.tool:UpscaleSettings", IMAGES, "upscale", heavy=True),
    Stage("enhance", "Enhance", "core.dataset.images.enhancing.tool:EnhanceSettings", IMAGES, "enhance", heavy=True),
    Stage("mask", "Mask", "core.dataset.images.segmenting.settings:MaskSettings", IMAGES, "mask", heavy=True),
    Stage("transparent", "Transparent background", "core.dataset.images.transparent:TransparentSettings", IMAGES, "make_transparent",
          heavy=True),
    Stage("crop", "Smart crop", "core.dataset.images.cropping.planning:CropSettings", IMAGES, "crop", heavy=True),
    Stage("crop-by-hand", "Crop by hand", "core.dataset.images.cropping.by_hand:HandCropSettings", IMAGES, "crop_by_hand", heavy=False),
    Stage("inpaint", "Paint marked places anew", "core.dataset.images.inpainting.settings:InpaintSettings", IMAGES, "inpaint", heavy=True),
    Stage("by-size", "Bulk by size", "core.dataset.images.by_size:BySizeSettings", IMAGES, "by_size", heavy=True),
    Stage("rename", "Rename images", "core.dataset.renaming:RenameSettings", DATASET, "rename", heavy=False),
    Stage("overview", "Overview", "core.dataset.curation.overview:OverviewSettings", DATASET, "overview", heavy=False),
    Stage("tag", "Tag", "core.dataset.captions.tagging:TagSettings", DATASET, "tag", heavy=True),
    Stage("caption", "Caption", "core.dataset.captions.caption_texts:CaptionSettings", DATASET, "caption", heavy=True),
    Stage("trigger", "Put the trigger word first", "core.dataset.captions.editing:TriggerSettings", DATASET, "set_trigger", heavy=False),
    Stage("findings", "What is doubtful in captions", "core.dataset.captions.lint:LintSettings", DATASET, "findings", heavy=False),
    Stage("edit", "Add, take out or replace tags", "core.dataset.captions.editing:EditSettings", DATASET, "edit", heavy=False),
    Stage("pack", "Pack the dataset to take it home", "core.dataset.packing:PackSettings", DATASET, "pack", heavy=False),
    Stage("check-export", "What stands against an export", "core.dataset.export.settings:ExportSettings", DATASET, "check_export",
          heavy=False),
    Stage("export", "Export the dataset for a trainer", "core.dataset.export.settings:ExportSettings", DATASET, "export", heavy=False),
    Stage("push-export", "Send an export to Hugging Face", "core.dataset.export.pushing:PushSettings", DATASET, "push_export",
          heavy=False),
    Stage("reject", "Reject images", "core.dataset.rejecting:RejectSettings", DATASET, "reject", heavy=False),
    Stage("restore", "Put rejected images back", "core.dataset.rejecting:RestoreSettings", DATASET, "restore", heavy=False),
    Stage("load-settings", "Load training settings from a file, a run or a preset", "core.training.loading:LoadSettings", TRAINING,
          "load_settings", heavy=False),
    Stage("fit-memory", "Fit the training settings to a GPU's memory", "core.training.loading:MemorySize", TRAINING, "fit_memory",
          heavy=False),
    Stage("save-preset", "Save the training settings as a preset", "core.training.loading:SavePreset", TRAINING, "save_preset",
          heavy=False),
    Stage("remove-preset", "Put a preset of your own aside", "core.training.loading:PresetName", TRAINING, "remove_preset", heavy=False),
    Stage("settings-back", "Take back the last loading of settings", "core.training.loading:NoSettings", TRAINING, "settings_back",
          heavy=False),
    Stage("calculate", "Calculate steps, time and price, and back from a target", "core.training.calculating.settings:CalculateSettings",
          TRAINING, "calculate", heavy=False),
    Stage("measure", "Measure a short run", "core.training.measuring.settings:MeasureSettings", TRAINING, "measure", heavy=True),
    Stage("regularise", "Draw regularisation pictures", "core.training.regularisation:RegularisationSettings", TRAINING, "regularise",
          heavy=True),
    Stage("preview", "As the trainer sees it", "core.training.preview:PreviewSettings", TRAINING, "preview", heavy=False),
    Stage("download-model", "Get a model", "core.models.settings:DownloadSettings", MODELS, "download", heavy=False, place="models"),
    Stage("finish", "Upload a run's files, verify them, stop the machine", "core.training.finish.settings:FinishSettings", TRAINING,
          "finish", heavy=False),
    Stage("bring-run", "Bring a run back from Hugging Face, to train on", "core.training.finish.bringing:BringSettings", TRAINING,
          "bring_run", heavy=False),
    Stage("evaluate", "Before and after", "core.training.evaluation:EvaluationSettings", TRAINING, "evaluate", heavy=True),
    Stage("inspect-lora", "Inspect a LoRA file", "core.utilities.inspecting.inspecting:InspectSettings", UTILITIES, "inspect",
          heavy=False, place="loras"),
    Stage("lora-sizes", "Sizes and errors of a LoRA file at other ranks", "core.utilities.resizing.resizing:PreviewSettings", UTILITIES,
          "preview_sizes", heavy=False, place="loras"),
    Stage("resize-lora", "Give a LoRA file other ranks", "core.utilities.resizing.resizing:ResizeLoraSettings", UTILITIES, "resize",
          heavy=False, place="loras"),
    Stage("merge-loras", "Make one LoRA file of several", "core.utilities.merging.merging:MergeSettings", UTILITIES, "merge",
          heavy=False, place="loras"),
    Stage("average-loras", "Average the checkpoints of a run", "core.utilities.merging.averaging:AverageSettings", UTILITIES, "average",
          heavy=False, place="loras"),
    Stage("weigh-lora", "Write a LoRA file with its strength in it", "core.utilities.merging.weighing:WeighSettings", UTILITIES, "weigh",
          heavy=False, place="loras"),
    Stage("convert-lora", "Give a LoRA file other names, another precision or another kind",
          "core.utilities.names.converting:ConvertSettings", UTILITIES, "convert", heavy=False, place="loras"),
    Stage("extract-lora", "Make a LoRA of what two models differ in", "core.utilities.checkpoints.extracting:ExtractSettings",
          UTILITIES, "extract", heavy=True, place="loras"),
    Stage("bake-loras", "Put LoRA files into a model for good", "core.utilities.checkpoints.baking:BakeSettings", UTILITIES, "bake",
          heavy=False, place="loras"),
    Stage("lora-metadata", "Change what a LoRA file says of itself", "core.utilities.files.metadata:MetadataSettings", UTILITIES,
          "edit_metadata", heavy=False, place="loras"),
    Stage("convert-pickled", "Make a safetensors file of a pickled checkpoint", "core.utilities.files.pickled:PickledSettings",
          UTILITIES, "convert_pickled", heavy=False, place="loras"),
    Stage("check-publish", "What stands against publishing a LoRA", "core.utilities.publishing.settings:PublishSettings", UTILITIES,
          "check_publish", heavy=False, place="loras"),
    Stage("publish-lora", "Publish a LoRA on Hugging Face, or for Civitai", "core.utilities.publishing.settings:PublishSettings", UTILITIES,
          "publish", heavy=False, place="loras"),
    Stage("housekeeping", "What lies on the disk, and making room", "core.utilities.disk.housekeeping:HousekeepingSettings", UTILITIES,
          "keep_house", heavy=False, place="projects"),
)
STAGES = {stage.name: stage for stage in _ALL}


def stage_named(name: str) -> Stage:
    """Raises: ConfigError: no stage has that name."""
    if name not in STAGES:
        raise ConfigError(f"No stage is called {name!r}.", f"Known: {', '.join(STAGES)}.")
    return STAGES[name]


def run_stage(name: str, project: Path, values: Mapping[str, Any], progress: Progress = SILENT) -> dict[str, Any]:
    """Run a stage from plain values, as a job and the command line do.

    Returns: the report as plain values. Raises: ConfigError and whatever the stage raises.
    """
    stage = stage_named(name)
    return plain(stage.run(project, stage.settings_class().make(**values), progress))


def plain(report: Any) -> dict[str, Any]:
    """A report (dataclass, settings, mapping or None) as values that JSON can hold."""
    value = _plain(report)
    return value if isinstance(value, dict) else {"result": value}


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        own = getattr(value, "as_dict", None)
        shown = _plain(own()) if callable(own) else {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        sentence = getattr(value, "sentence", None)
        return {**shown, "summary": sentence()} if callable(sentence) else shown
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def told_findings(findings: Sequence[Finding]) -> dict[str, Any]:
    """Findings for JSON; the exit code of a command that looks for them is 1 where one is an error."""
    return {"findings": [finding.as_dict() for finding in findings],
            "exit_code": int(any(finding.level == "error" for finding in findings))}
