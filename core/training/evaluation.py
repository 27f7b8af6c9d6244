"""Before and after: the same prompts and seeds, drawn without the LoRA and with each saved one."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import field_validator

from core.base.errors import ConfigError, ModelError, TrainingError
from core.base.files import explain_disk_errors, write_json, write_with
from core.base.progress import SILENT, Progress
from core.base.settings import setting
from core.base.tensor_headers import read_header
from core.training.drawing import AS_READ, DrawingSettings, load_to_draw
from core.training.evaluated import REPORT, WITHOUT, Column, EvaluationReport, Picture
from core.training.outputs import is_whole, list_outputs
from core.training.run import Run

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.diffusion.lora import LoraCoverage
    from core.diffusion.model import DiffusionModel

UNFINISHED = "unfinished_comparison"
"""Where a comparison is drawn until it is whole."""
SHEET = "grid.png"
"""All pictures of a comparison, side by side."""
UNSEEN = 0.002
"""Mean difference of two pictures (0–1) below which nobody sees that the LoRA did anything."""


class EvaluationSettings(DrawingSettings):
    """What to draw, and with which LoRA files."""

    title: ClassVar[str] = "Before and after"

    run: str = setting("", "Run", "Whose LoRA is compared. Empty: the newest finished run.")
    prompts: list[str] = setting([], "Prompts", "What to draw. Empty: the run's sample prompts.")
    negative: str = setting("", "Negative prompt", "What to avoid.")
    seeds: list[int] = setting([1, 2], "Seeds", "Each prompt is drawn once for each seed.", min_length=1)
    every_epoch: bool = setting(True, "Each saved epoch", "Also draw with each LoRA that was saved on the way.")
    weight: float = setting(1.0, "Strength", "How strongly the LoRA counts; 1 is as trained. Strengths to compare replace it.", ge=-2, le=2)
    weights: list[float] = setting([], "Strengths to compare", "Such as 0.6, 0.8, 1, 1.2: each LoRA is drawn at each of them, and the "
                                   "best can be written into a file. Empty: Strength alone.", max_length=12)
    width: int | None = setting(None, "Width", "Empty: as in training.", level="advanced", unit="px", ge=32, le=4096)
    height: int | None = setting(None, "Height", "Empty: as in training.", level="advanced", unit="px", ge=32, le=4096)
    steps: int = setting(28, "Steps", "Steps of drawing.", level="advanced", ge=1, le=1000)
    guidance: float = setting(7.0, "Guidance", "How closely it follows the prompt; 1 is off.", level="advanced", ge=0, le=30)
    sampler: str = setting("", "Sampler", "sd-scripts' name, e.g. euler_a. Empty: the model's own.", level="advanced")
    batch_size: int = setting(4, "Pictures at once", "Lower it when memory runs out.", level="advanced", ge=1, le=64)
    model: str | None = setting(None, "Model", "Another base model than the run's: a checkpoint or a diffusers folder.", level="advanced")
    lora: list[str] = setting([], "LoRA files", "Other files than the run's own.", level="advanced")
    output_dir: str | None = setting(None, "Folder", "Where the pictures go. Empty: the run's folder evaluation.", level="expert")

    @field_validator("weights")
    @classmethod
    def _strengths(cls, value: list[float]) -> list[float]:
        """Each once. 0 is drawn anyway."""
        if wrong := [one for one in value if not -2 <= one <= 2 or one == 0]:
            raise ValueError(f"{cls.fields()['weights'].title} must lie between -2 and 2 and not be 0, but one is {wrong[0]:g}.")
        return list(dict.fromkeys(value))

    @property
    def strengths(self) -> list[float]:
        """At which each LoRA is drawn."""
        return self.weights or [self.weight]


def settings_for(run: Run, settings: EvaluationSettings) -> EvaluationSettings:
    """The settings with what is empty filled in from a run.

    Raises: TrainingError: the run has no whole LoRA file yet, or no prompts are known. ConfigError: its files are missing.
    """
    trained = run.settings()
    files = [path for path in list_outputs(run.checkpoints) if is_whole(path)]
    if not settings.lora and not files:
        raise TrainingError(f"The run {run.id} has no LoRA file yet.", "Wait until it has saved one.")
    if not settings.every_epoch and files:
        files = [next((path for path in files if path.stem == run.output_name), files[-1])]
    width, height = trained.data.size
    prompts = settings.prompts or list(dict.fromkeys(prompt.prompt for prompt in trained.sampling.sample_prompts))
    if not prompts:
        raise TrainingError(f"The run {run.id} has no sample prompts.", "Write a prompt, with the trigger word first.")
    return settings.changed(
        run=run.id, lora=settings.lora or [str(path) for path in _in_order(files, run.output_name)], prompts=prompts,
        model=settings.model or trained.model.pretrained_model_name_or_path, family=settings.family or trained.model.family,
        width=settings.width or width, height=settings.height or height, output_dir=settings.output_dir or str(run.folder / "evaluation"),
        **_as_trained(run, settings))


def _as_trained(run: Run, settings: EvaluationSettings) -> dict[str, Any]:
    """How the run's config.toml says that its base model draws; only how prompts are read when another base model is drawn with."""
    from core.training.config.pair import flatten, pair_in, read_tables

    return settings.filled(flatten(read_tables(pair_in(run.folder).config)), AS_READ if settings.model else ())


def _in_order(files: list[Path], output_name: str) -> list[Path]:
    """As they were saved, the finished one last; without it, nothing is moved."""
    return sorted(files, key=lambda path: path.stem == output_name)


def draw_before_after(settings: EvaluationSettings, progress: Progress = SILENT) -> EvaluationReport:
    """Draw every prompt and seed without a LoRA and with each file; write pictures, `grid.png` and `evaluation.json`.

    A LoRA file that cannot be read or does not fit is left out with a warning; the rest goes on.

    Args: settings: with model, prompts, lora, width, height and output_dir filled in (see `settings_for`).
    Raises:
        ConfigError: one of those is empty. ModelError: the model cannot be loaded or draws nothing, or no LoRA file fits it.
        Cancelled: the last comparison is as it was; what was drawn so far stays in its folder `unfinished_comparison`.
    """
    for name in ("model", "prompts", "lora", "width", "height", "output_dir"):
        if not getattr(settings, name):
            raise ConfigError(f"{type(settings).fields()[name].title} must be given.", "Choose a run, or fill it in.")
    started, folder = time.monotonic(), Path(str(settings.output_dir))
    progress.note(f"Loading {settings.model}")
    model, drawn = load_to_draw(str(settings.model), settings), _Comparison(_fresh_folder(folder), settings, progress)
    progress.start("Drawing", (1 + len(settings.lora) * len(settings.strengths)) * len(settings.prompts) * len(settings.seeds))
    drawn.add(Column(WITHOUT, ""), _draw_column(model, settings, progress))
    for path in settings.lora:
        _draw_file(path, model, drawn)
    if len(drawn.columns) == 1:
        raise ModelError("None of the LoRA files fits the model.", " ".join(drawn.warnings))
    drawn.write_sheet()
    report = EvaluationReport(str(folder), SHEET, str(settings.model), tuple(drawn.columns), tuple(drawn.pictures), tuple(drawn.warnings),
                              round(time.monotonic() - started, 3))
    write_json(drawn.folder / REPORT, {**asdict(report), "settings": settings.model_dump(mode="json")})
    _put_in_place(drawn.folder, folder)
    return report


@dataclass
class _Comparison:
    """What is drawn so far."""

    folder: Path
    settings: EvaluationSettings
    progress: Progress
    columns: list[Column] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    sheet: list[list[Image]] = field(default_factory=list)
    """The pictures of each column."""
    warnings: list[str] = field(default_factory=list)

    def add(self, column: Column, drawn: list[Image]) -> None:
        """One column more; its pictures are written. Raises: DiskError."""
        self.pictures += _save_column(self.folder, len(self.columns), self.settings, drawn)
        self.columns.append(column)
        self.sheet.append(drawn)

    def warn(self, words: str) -> None:
        """Say it once: of each strength it is the same."""
        if words not in self.warnings:
            self.warnings.append(words)
            self.progress.warn(words)

    def write_sheet(self) -> None:
        """All pictures on one sheet. Raises: DiskError."""
        from core.training.sheet import draw_sheet

        rows = [f"{prompt}\nseed {seed}" for prompt in self.settings.prompts for seed in self.settings.seeds]
        grid = draw_sheet(self.sheet, [column.label for column in self.columns], rows)
        write_with(self.folder / SHEET, lambda temporary: grid.save(temporary))


def _draw_file(path: str, model: DiffusionModel, comparison: _Comparison) -> None:
    """A column for each strength; a file that cannot be read or does not fit is left out. Raises: Cancelled, DiskError."""
    settings, progress = comparison.settings, comparison.progress
    for weight in settings.strengths:
        try:
            coverage, drawn = _draw_with(path, weight, model, settings, progress)
        except (ModelError, FileNotFoundError) as error:
            comparison.warn(f"{Path(path).name} was left out: {error}")
            return
        label = _label(path, settings.lora) + (f", strength {weight:g}" if settings.weights else "")
        column = Column(label, path, coverage.applied, coverage.in_file, _difference(comparison.sheet[0], drawn), weight, _told_hash(path))
        for remark in _remarks(column):
            comparison.warn(remark)
        comparison.add(column, drawn)


def _told_hash(path: str) -> str:
    """The hash that a LoRA file tells of its tensors; empty: none, or it is no safetensors file."""
    try:
        return read_header(Path(path)).metadata.get("sshs_model_hash", "").lower()
    except ModelError:
        return ""


def _fresh_folder(folder: Path) -> Path:
    """An empty folder for a new comparison, inside that of the last one; what a cancelled one left there goes. Raises: DiskError."""
    fresh = folder / UNFINISHED
    with explain_disk_errors(fresh):
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(parents=True)
    return fresh


def _put_in_place(fresh: Path, folder: Path) -> None:
    """Let a finished comparison take the place of the last one. Without its report there is none: a kill in between leaves none.

    Raises: DiskError.
    """
    with explain_disk_errors(folder):
        (folder / REPORT).unlink(missing_ok=True)
        for path in sorted(fresh.iterdir(), key=lambda path: path.name == REPORT):
            os.replace(path, folder / path.name)
        fresh.rmdir()


def _draw_with(lora: str, weight: float, model: DiffusionModel, settings: EvaluationSettings, progress: Progress
               ) -> tuple[LoraCoverage, list[Image]]:
    """One column with a LoRA. Raises: ModelError: it does not fit, or the pictures are no numbers. FileNotFoundError. Cancelled."""
    from core.diffusion.lora import apply_lora, remove_lora

    coverage = apply_lora(model, Path(lora), weight)
    try:
        return coverage, _draw_column(model, settings, progress)
    finally:
        remove_lora(model)


def _draw_column(model: Any, settings: EvaluationSettings, progress: Progress) -> list[Image]:
    """Prompts, then seeds; `batch_size` at once, looking for a request to stop in between."""
    wanted = [(prompt, seed) for prompt in settings.prompts for seed in settings.seeds]
    drawn: list[Image] = []
    for start in range(0, len(wanted), settings.batch_size):
        part = wanted[start: start + settings.batch_size]
        drawn += model.sample(prompts=[prompt for prompt, _ in part], negative=settings.negative, seeds=[seed for _, seed in part],
                              width=settings.width, height=settings.height, steps=settings.steps, guidance=settings.guidance,
                              sampler=settings.sampler, clip_skip=settings.clip_skip, max_token_length=settings.max_token_length,
                              batch_size=settings.batch_size)
        progress.advance(part[0][0], by=len(part))
    return drawn


def _save_column(folder: Path, column: int, settings: EvaluationSettings, drawn: list[Image]) -> list[Picture]:
    wanted = [(row, prompt, seed) for row, prompt in enumerate(settings.prompts) for seed in settings.seeds]
    pictures = []
    for (row, prompt, seed), image in zip(wanted, drawn, strict=True):
        name = f"{column:02d}_{row:02d}_{seed}.png"
        write_with(folder / name, lambda temporary, image=image: image.save(temporary))  # type: ignore[misc]
        pictures.append(Picture(name, column, prompt, seed))
    return pictures


def _label(path: str, files: list[str]) -> str:
    """ "epoch 3", "step 200", "finished"; the name itself where two would be called the same."""
    from core.training.monitor.samples import label_of

    stem = min((Path(file).stem for file in files), key=len)
    label = label_of(Path(path), stem)
    return label if [label_of(Path(file), stem) for file in files].count(label) == 1 else Path(path).stem


def _remarks(column: Column) -> list[str]:
    """What a person should know of a LoRA that hardly fits or hardly does anything."""
    found = []
    if column.applied < column.in_file:
        unused = column.in_file - column.applied
        found.append(f"{Path(column.lora).name}: {unused} of its {column.in_file} modules have no place in this model.")
    if column.changed < UNSEEN:
        found.append(f"{Path(column.lora).name} changes nothing that can be seen.")
    return found


def _difference(before: list[Image], after: list[Image]) -> float:
    """Mean absolute difference of all pixels, 0–1."""
    import numpy

    pairs = zip(before, after, strict=True)
    return round(float(numpy.mean([numpy.abs(numpy.asarray(one, dtype="float32") - numpy.asarray(two, dtype="float32")).mean() / 255
                                   for one, two in pairs])), 5)
