"""The sample pictures and the saved LoRA files of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.base.errors import StudioError
from core.base.saved_as import saved_as
from core.training.outputs import list_outputs
from core.training.run import Run

_PICTURES = {".png", ".jpg", ".jpeg", ".webp"}
_NAME = re.compile(r"_(?P<when>e?\d{6,})_(?P<number>\d{2,})(?:_(?P<stamp>\d{14}))?(?:_(?P<seed>\d+))?(?:_000)?$")
"""sd-scripts: NAME_e000002_00_20260101120000_1.png (epoch 2, prompt 0, seed 1), NAME_000150_00_….png (step 150); musubi-tuner adds _000;
the built-in trainer's names have no time."""


@dataclass(frozen=True)
class Sample:
    """One picture that the trainer drew."""

    path: Path
    step: int | None
    epoch: int | None
    """The epoch at whose end it was drawn; None when it was drawn at a step."""
    number: int
    """Which prompt, from 0."""
    prompt: str = ""
    seed: int | None = None
    moment: str = ""
    """When, as shown: "before", "epoch 2", "step 150"."""


@dataclass(frozen=True)
class Checkpoint:
    """One LoRA file that the trainer saved."""

    path: Path
    step: int | None
    epoch: int | None
    size: int
    """Bytes."""
    final: bool


def list_samples(run: Run, events: Sequence[Mapping[str, Any]]) -> list[Sample]:
    """The run's sample pictures that exist, in the order of time, then of prompts: as events tell, else as file names tell.

    What a resumed run drew again replaces the earlier picture of the same moment and prompt.
    """
    known = {_place(run, event): event for event in events if event.get("path")}
    order = list(dict.fromkeys((str(event.get("prompt", "")), event.get("seed")) for event in known.values()))
    found = [_from_event(path, event, order) for path, event in known.items() if path.is_file()]
    for folder in (run.checkpoints / "sample", run.folder / "samples"):
        found += [sample for sample in named_samples(folder, prompts_of(run)) if sample.path not in known]
    return newest_of_each(found)


def named_samples(folder: Path, prompts: Sequence[str]) -> list[Sample]:
    """The pictures of a folder that bear a trainer's names. Args: prompts: by their numbers."""
    paths = sorted(folder.glob("*")) if folder.is_dir() else []
    named = [(path, _NAME.search(path.stem)) for path in paths if path.suffix.lower() in _PICTURES]
    return [_from_name(path, name, prompts) for path, name in named if name]


def newest_of_each(found: Sequence[Sample]) -> list[Sample]:
    """In the order of time, then of prompts; of several pictures of one moment and prompt the newest."""
    latest = {(sample.moment, sample.number): sample for sample in sorted(found, key=lambda sample: sample.path.stat().st_mtime_ns)}
    return sorted(latest.values(), key=lambda sample: (sample.moment != "before", sample.step or 0, sample.epoch or 0, sample.number))


def _from_event(path: Path, event: Mapping[str, Any], order: Sequence[tuple[str, Any]]) -> Sample:
    prompt, seed, step, epoch = str(event.get("prompt", "")), event.get("seed"), event.get("step"), event.get("epoch")
    named = _NAME.search(path.stem)
    at_epoch_end = named.group("when").startswith("e") if named else epoch is not None
    epoch = epoch if at_epoch_end else None
    return Sample(path, step, epoch, int(event.get("index", order.index((prompt, seed)))), prompt, seed, _moment(step, epoch))


def _from_name(path: Path, named: re.Match[str], prompts: Sequence[str]) -> Sample:
    when, number = named.group("when"), int(named.group("number"))
    step, epoch = (None, int(when[1:])) if when.startswith("e") else (int(when), None)
    return Sample(path, step, epoch, number, prompts[number] if number < len(prompts) else "",
                  int(named.group("seed")) if named.group("seed") else None, _moment(step, epoch))


def _moment(step: int | None, epoch: int | None) -> str:
    if epoch:
        return f"epoch {epoch}"
    return f"step {step}" if step else "before"


def prompts_of(run: Run) -> list[str]:
    """The run's sample prompts, in order; empty when there are none or they cannot be read."""
    from core.diffusion.prompts import read_prompts

    try:
        return [prompt.prompt for prompt in read_prompts(run.folder / "sample_prompts.txt")]
    except StudioError:
        return []


def label_of(path: Path, output_name: str) -> str:
    """What a saved LoRA is called on screen: "epoch 3", "step 200", "finished", else its name."""
    saved = saved_as(path.stem, output_name)
    if saved.is_final:
        return "finished" if path.stem == output_name else path.stem
    return f"epoch {saved.epoch}" if saved.epoch is not None else f"step {saved.step}"


def list_checkpoints(run: Run, events: Sequence[Mapping[str, Any]], printed: Sequence[tuple[str, int, int]]) -> list[Checkpoint]:
    """The run's LoRA files, oldest first, with step and epoch as events, printed lines or their names tell."""
    told = {Path(str(event["path"])).name: (event.get("step"), event.get("epoch")) for event in events if event.get("path")}
    told = {**{Path(path).name: (step or None, epoch or None) for path, step, epoch in printed}, **told}
    found = []
    for path in list_outputs(run.checkpoints):
        step, epoch = told.get(path.name, (None, None))
        saved = saved_as(path.stem, run.output_name)
        step, epoch = (step if saved.step is None else saved.step), (epoch if saved.epoch is None else saved.epoch)
        found.append(Checkpoint(path, step, epoch, path.stat().st_size, path.stem == run.output_name))
    return found


def _place(run: Run, event: Mapping[str, Any]) -> Path:
    path = Path(str(event["path"]))
    return path if path.is_absolute() else run.folder / path
