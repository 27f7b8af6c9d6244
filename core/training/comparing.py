"""Runs beside each other: losses by step and by time, the settings in which they differ, samples of the same moment and prompt."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

from core.base.errors import StudioError, TrainingError
from core.base.settings import Settings
from core.base.words import value_words
from core.training.config.data import Subset
from core.training.monitor.curve import CurvePoint
from core.training.monitor.samples import Sample
from core.training.monitor.status import RunStatus
from core.training.run import Run

MOST_RUNS = 6
"""Runs that are compared at once; more lines cannot be told apart."""
PAUSE, PAUSE_STEPS = 600.0, 20
"""Seconds, and usual steps, beyond which nothing was trained between two steps: the run was stopped, and went on later."""
PLACES = ("output_dir", "logging_dir", "resume", "output_name")
"""Settings that every run has of its own."""
IN_SHORT = ("image_dir", "num_repeats", "prompt")
"""What is told of a folder or a prompt at any rate."""
MOST_PARTS = 64
NOT_KNOWN = object()
FILES = ("pretrained_model_name_or_path", "vae", "network_weights", "tokenizer_cache_dir")


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs."""

    id: str
    state: str
    points: tuple[CurvePoint, ...]
    minutes: tuple[float, ...]
    """For each point, how long it was trained until then; empty where the trainer does not tell."""
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Difference:
    """A setting that is not the same in all runs."""

    title: str
    name: str
    values: tuple[str, ...]
    """For each run, in words."""


@dataclass(frozen=True)
class Comparison:
    """What was found."""

    runs: tuple[ComparedRun, ...]
    differences: tuple[Difference, ...]
    moments: tuple[str, ...]
    """Of the samples, in the order of time: "epoch 2"."""

    @property
    def has_minutes(self) -> bool:
        """Whether every run can be drawn over time."""
        return all(run.minutes or not run.points for run in self.runs)

    def samples_at(self, moment: str) -> list[tuple[str, list[Path | None]]]:
        """A row for each prompt: its words, and the picture of each run, None where it drew none then."""
        mine = [{_key(sample): sample.path for sample in run.samples if sample.moment == moment} for run in self.runs]
        keys = sorted({key for found in mine for key in found})
        return [(words or f"prompt {number + 1}", [found.get((number, words)) for found in mine]) for number, words in keys]


def compare_runs(runs: Sequence[tuple[Run, RunStatus]]) -> Comparison:
    """Put runs beside each other. Raises: TrainingError: fewer than two, or too many to be told apart."""
    if not 2 <= len(runs) <= MOST_RUNS:
        raise TrainingError(f"Two to {MOST_RUNS} runs can be compared, but {len(runs)} {'is' if len(runs) == 1 else 'are'} chosen.",
                            "Choose two or more of them.")
    compared = tuple(ComparedRun(run.id, status.state, status.curve, tuple(minutes_of(status.curve)), status.samples)
                     for run, status in runs)
    samples = sorted((sample for run in compared for sample in run.samples),
                     key=lambda sample: (sample.moment != "before", sample.epoch or 0, sample.step or 0))
    return Comparison(compared, tuple(differences([run for run, _ in runs])), tuple(dict.fromkeys(sample.moment for sample in samples)))


def minutes_of(points: Sequence[CurvePoint]) -> list[float]:
    """How long it was trained until each point, without the time in which the run was stopped; [] where times are not known."""
    times = [point.time for point in points]
    if len(times) < 2 or any(time is None for time in times):
        return []
    gaps = [max(0.0, float(after or 0.0) - float(before or 0.0)) for before, after in pairwise(times)]
    usual = statistics.median(gaps)
    minutes = [0.0]
    for gap in gaps:
        minutes.append(minutes[-1] + (usual if gap > max(PAUSE, PAUSE_STEPS * usual) else gap) / 60)
    return minutes


def differences(runs: Sequence[Run]) -> Iterable[Difference]:
    """The settings that are not the same in all of them, in the order of the form."""
    settings: list[Any] = []
    for run in runs:
        try:
            settings.append(run.settings())
        except StudioError:
            settings.append(None)
    known = next((one for one in settings if one is not None), None)
    if known is None and settings:
        yield Difference("All settings", "", ("not known",) * len(settings))
    for part, outer in type(known).fields().items() if known is not None else ():
        for name, field in type(getattr(known, part)).fields().items():
            values = [NOT_KNOWN if one is None else _or_none(getattr(getattr(one, part), name)) for one in settings]
            if name not in PLACES and any(value != values[0] for value in values):
                yield Difference(f"{outer.title}: {field.title}", name, _told_apart(name, values))


def _or_none(value: Any) -> Any:
    """None for everything that is empty."""
    return None if value in ("", []) else value


def _told_apart(name: str, values: Sequence[Any]) -> tuple[str, ...]:
    """Values in words: as short as they can be while those that differ do so in words, too."""
    words: tuple[str, ...] = ()
    for parts in range(1, MOST_PARTS):
        words = tuple("not known" if value is NOT_KNOWN else _words(name, value, parts) for value in values)
        if all(one == other or mine != yours for (one, mine), (other, yours) in combinations(zip(values, words, strict=True), 2)):
            break
    return words


def _words(name: str, value: Any, parts: int = 1) -> str:
    """Args: parts: how much of a path is told, from its end; with more than one folders and prompts are told with all that was chosen."""
    if isinstance(value, list):
        return "\n".join(_item(one, parts) for one in value)
    return _end_of(value, parts) if value and name in FILES else value_words(value)


def _item(one: Any, parts: int) -> str:
    """A folder, a prompt, or whatever else stands in a list."""
    if not isinstance(one, Settings):
        return str(one)
    first = f"{_end_of(one.image_dir, parts)} × {one.num_repeats}" if isinstance(one, Subset) else str(getattr(one, "prompt", one))
    if parts == 1:
        return first
    chosen = {name: value for name, value in one.model_dump(exclude_defaults=True).items() if name not in IN_SHORT}
    return ", ".join([first, *(f"{one.fields()[name].title}: {value}" for name, value in chosen.items())])


def _end_of(path: Any, parts: int) -> str:
    return str(Path(*Path(str(path)).parts[-parts:]))


def _key(sample: Sample) -> tuple[int, str]:
    return sample.number, sample.prompt
