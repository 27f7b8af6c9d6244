"""What each kind of work took, read off the timeline of a short run and the files that it left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from core.training.config.sources import image_counts
from core.training.measuring.measured import Units
from core.training.measuring.shortened import WARM_UP, drawing_work, heaviest_prompt
from core.training.measuring.timeline import Kind, Timeline
from core.training.outputs import folder_size, list_outputs
from core.training.run import Run

PICTURES = ("*.png", "*.jpg", "*.webp")


def units_of(timeline: Timeline, run: Run) -> Units:
    """What was measured; what the run did not come to stays None."""
    settings = run.settings()
    pictures = sum(image_counts(settings)) if timeline.moments else 0
    step, warm_up = _step(timeline)
    encode = _each(timeline, "encode", pictures * (2 if settings.data.flip_aug else 1))
    captions = _each(timeline, "captions", pictures)
    load = None
    if 0 in timeline.steps:
        load = max(0.0, timeline.steps[0] - timeline.began - timeline.spent("encode") - timeline.spent("captions"))
    prompt, saved = heaviest_prompt(settings), list_outputs(run.checkpoints)
    drawn = _until(timeline, "sample", _files(run.folder / "samples", PICTURES) + _files(run.checkpoints / "sample", PICTURES))
    state = next((place for place in run.checkpoints.glob("*-state") if place.is_dir()), None)
    written = [saved[-1], *(_files(state, ("*",)) if state else [])] if saved else []
    return Units(load, encode, captions, warm_up, step, drawn / drawing_work(prompt, settings) if drawn is not None and prompt else None,
                 _until(timeline, "save", written), saved[-1].stat().st_size if saved else 0, folder_size(state) if state else 0)


def _step(timeline: Timeline) -> tuple[float | None, float | None]:
    """Seconds of a step after the warm-up, and how much longer the first one took; None where too few were seen."""
    times, last = timeline.steps, timeline.step
    if last <= WARM_UP or WARM_UP not in times:
        return None, None
    step = (times[last] - times[WARM_UP]) / (last - WARM_UP)
    if step <= 0:
        return None, None
    return step, max(0.0, times[WARM_UP] - times[0] - step) if 0 in times else None


def _each(timeline: Timeline, kind: Kind, count: int) -> float | None:
    """Seconds for each of so many, without the first pass where the trainer counts them; None: there was no such phase."""
    began, bar = timeline.began_at(kind), timeline.bars.get(kind)
    if began is None or not count:
        return None
    if bar is not None and bar.total and bar.last[1] > bar.first[1] > 0 and bar.last[0] > bar.first[0]:
        return (bar.last[0] - bar.first[0]) / (bar.last[1] - bar.first[1]) * bar.total / count
    return timeline.spent(kind) / count


def _until(timeline: Timeline, kind: Kind, files: Iterable[Path]) -> float | None:
    """Seconds from the beginning of a phase until the last of its files was written; None: there was none, or it wrote nothing."""
    began, ends = timeline.began_at(kind), []
    for path in files:
        with contextlib.suppress(OSError):
            ends.append(path.stat().st_mtime)
    return max(0.0, max(ends) - began) if began is not None and ends else None


def _files(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    return [path for pattern in patterns for path in folder.rglob(pattern) if path.is_file()]
