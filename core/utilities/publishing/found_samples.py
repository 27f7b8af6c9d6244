"""The pictures that show a LoRA: chosen ones, those of Before and after, or those that were drawn while it was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError, DatasetError, StudioError
from core.base.files import read_json, read_text
from core.base.paths import typed_path
from core.base.saved_as import saved_file
from core.dataset.images.files import IMAGE_SUFFIXES, image_files
from core.diffusion.prompts import split_prompt_line
from core.training.evaluated import REPORT, EvaluationReport
from core.training.finish.files import final_lora
from core.training.monitor.events import EventsReader
from core.training.monitor.samples import Sample as DrawnSample
from core.training.monitor.samples import list_samples, named_samples, newest_of_each
from core.training.outputs import is_whole, list_outputs
from core.training.run import Run
from core.utilities.publishing.origins import Origin, origin_of, tensors_of
from core.utilities.publishing.sample import Sample, read_text_of
from core.utilities.publishing.settings import PublishSettings

PROMPT_FILES = ("sample_prompts.txt", "prompts.txt", "sample/prompts.txt", "sample/sample_prompts.txt")
"""Where a trainer's prompts lie beside its LoRA files."""
BETWEEN = " | "
"""Between a picture and its prompt."""


def lora_of(path: Path) -> Path:
    """The file itself, or the finished LoRA of a run's folder. Raises: ConfigError: there is none."""
    if not path.is_dir():
        return path
    if not (path / "run.json").is_file():
        raise ConfigError(f"{path} is a folder without a run.", "Choose a .safetensors file, or the folder of a run.")
    run = Run(path)
    if not run.is_readable():
        raise ConfigError(f"{path / 'run.json'} cannot be read.", "Choose the .safetensors file itself, in the run's folder checkpoints.")
    whole = [file for file in list_outputs(run.checkpoints) if file.suffix == ".safetensors" and is_whole(file)]
    found = final_lora(run) or (whole[-1] if whole else None)
    if found is None:
        raise ConfigError(f"The run {run.id} has no whole LoRA file.", "Wait until it has saved one, or choose another run.")
    return found


def find_samples(settings: PublishSettings, file: Path, tensors: str) -> tuple[Sample, ...]:
    """The pictures of a LoRA file. Args: tensors: SHA-256 of its tensors. Raises: ConfigError: a chosen one is missing or cannot be opened.
    """
    if settings.samples:
        return tuple(sample for line in settings.samples if line.strip() for sample in _chosen(line))
    origin, wanted = origin_of(file, tensors), settings.samples_from
    found: Sequence[Sample] = ()
    if wanted in ("auto", "evaluation") and origin is not None:
        found = _of_evaluation(origin, settings.strength)
    if not found and wanted in ("auto", "training"):
        found = _of_training(origin) if origin is not None else _beside(file)
    return tuple(found[:settings.most_samples])


def _chosen(line: str) -> list[Sample]:
    text, _, prompt = line.partition(BETWEEN)
    path = typed_path(text)
    if not path.exists():
        raise ConfigError(f"The sample {path} does not exist.", "Mend its path under Samples, or take the line out.")
    if path.is_file() and path.suffix.lower() not in IMAGE_SUFFIXES:
        raise ConfigError(f"The sample {path.name} is no picture.", f"Pictures end in {', '.join(IMAGE_SUFFIXES)}.")
    return [_read(one, prompt.strip()) for one in (image_files(path) if path.is_dir() else [path])]


def _read(path: Path, prompt: str) -> Sample:
    """A picture with the prompt that was given, that stands beside it or in it."""
    text = read_text_of(path)
    beside = path.with_suffix(".txt")
    if not prompt:
        first = text.partition("\nNegative prompt:")[0].partition("\nSteps: ")[0]
        prompt = " ".join(read_text(beside).split()) if beside.is_file() else first
    return Sample(path, prompt.strip(), own_text=text)


def _of_evaluation(origin: Origin, strength: float) -> list[Sample]:
    """What the last comparison drew with this file, else with what it was made of; at several strengths, at that which is nearest to the
    usual one. Of a file with its weight in it that are those that were drawn at this weight.
    """
    folder = origin.run.folder / "evaluation"
    try:
        report = EvaluationReport.read(folder)
        drawn: dict[str, Any] = dict(read_json(folder / REPORT).get("settings", {})) if report is not None else {}
    except (DatasetError, KeyError, TypeError, AttributeError):
        return []
    if report is None:
        return []
    drawn_with = [column.tensors or _tensors_of(column.lora, origin.run) if column.lora else "" for column in report.columns]
    fitting = [(rank, abs(column.weight - strength * ancestor.strength), number)
               for number, (column, tensors) in enumerate(zip(report.columns, drawn_with, strict=True))
               for rank, ancestor in enumerate(origin.ancestors) if tensors == ancestor.tensors]
    if not fitting:
        return []
    rank, _, number = min(fitting)
    column, ancestor = report.columns[number], origin.ancestors[rank]
    name = Path(column.lora).name
    size = (drawn["width"], drawn["height"]) if drawn.get("width") and drawn.get("height") else None
    paths = [(picture, folder / picture.path) for picture in report.pictures if picture.column == number]
    return [Sample(path, picture.prompt, str(drawn.get("negative") or ""), picture.seed, drawn.get("steps"), drawn.get("guidance"),
                   str(drawn.get("sampler") or ""), size, column.weight / ancestor.strength,
                   f"{name} at {column.weight:g}" if ancestor.strength != 1 else name, not ancestor.made)
            for picture, path in paths if path.is_file()]


def _tensors_of(path: str, run: Run) -> str:
    """The hash of the tensors of a file that was drawn with, where it lies now; empty: it is gone, or cannot be read."""
    name = Path(path).name
    place = next((one for one in (Path(path), run.checkpoints / name, run.project_folder / "output" / name) if one.is_file()), None)
    try:
        return tensors_of(place) if place is not None else ""
    except (StudioError, OSError):
        return ""


def _of_training(origin: Origin) -> list[Sample]:
    """What the run drew when it saved this file, or what it was made of; else what it drew last. A training draws at 1."""
    run, found = origin.run, origin.found
    reader = EventsReader(run.folder)
    reader.read()
    drawn = [sample for sample in list_samples(run, reader.samples) if sample.moment != "before"]
    samples = _with_lines(drawn, run.folder / "sample_prompts.txt", origin.file, run.output_name)
    strength, exact = (1 / found.strength, not found.made) if found is not None else (1.0, False)
    return [replace(sample, strength=strength, exact=sample.exact and exact) for sample in samples]


def _beside(file: Path) -> list[Sample]:
    """What sd-scripts drew beside a file that no run of ours wrote: those that bear its name."""
    prompts = next((path for name in PROMPT_FILES if (path := file.parent / name).is_file()), file.parent / PROMPT_FILES[0])
    drawn = [sample for folder in ("sample", "samples") for sample in named_samples(file.parent / folder, _prompts(prompts))]
    name = saved_file(file).name
    own = [sample for sample in drawn if sample.path.stem.startswith(f"{name}_")]
    return _with_lines([sample for sample in newest_of_each(own) if sample.moment != "before"], prompts, file, name)


def _with_lines(drawn: Sequence[DrawnSample], prompts: Path, file: Path | None, name: str) -> list[Sample]:
    """Those of one moment, with what the lines of the prompt file asked for. Args: file: the saved one; None: it is not known which."""
    from core.training.monitor.samples import label_of

    lines = _lines(prompts)
    label = label_of(file, name) if file is not None else ""
    at = [sample for sample in drawn if sample.moment == label] or [sample for sample in drawn if sample.moment == drawn[-1].moment]
    exact = label == "finished" or any(sample.moment == label for sample in drawn)
    return [_drawn(sample, lines[sample.number] if sample.number < len(lines) else "", exact) for sample in at]


def _drawn(sample: DrawnSample, line: str, exact: bool) -> Sample:
    prompt, flags = split_prompt_line(line)
    steps, guidance, width, height = (_number(flags.get(name, "")) for name in ("s", "l", "w", "h"))
    seed = sample.seed if sample.seed is not None else _number(flags.get("d", ""))
    return Sample(sample.path, sample.prompt or prompt, flags.get("n", ""), int(seed) if seed is not None else None,
                  int(steps) if steps else None, guidance, flags.get("ss", ""), (int(width), int(height)) if width and height else None,
                  by=sample.moment, exact=exact)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _prompts(path: Path) -> list[str]:
    return [split_prompt_line(line)[0] for line in _lines(path)]


def _lines(path: Path) -> list[str]:
    """Lines of a prompt file; none where it is missing or no text."""
    try:
        return [line.strip() for line in read_text(path).splitlines() if line.strip() and not line.startswith("#")]
    except (OSError, DatasetError):
        return []
