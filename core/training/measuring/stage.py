"""The stage: train a very short run of the kept settings in the real trainer, and say what the planned one takes."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import TrainingError
from core.base.files import write_json
from core.base.jobs import read_events
from core.base.locks import locked
from core.base.progress import SILENT, Progress
from core.dataset.project import Project
from core.training.guards import GuardSettings
from core.training.launch import plain_command, prepare
from core.training.measuring.caps import Caps, CapStop, caps_for
from core.training.measuring.findings import failure_of
from core.training.measuring.marks import marks_of
from core.training.measuring.measured import Measured, Memory, keep_measured, place_of_measuring
from core.training.measuring.pictures import copy_pictures, plan_of
from core.training.measuring.report import MeasureReport, report_of, retries_of
from core.training.measuring.settings import MeasureSettings
from core.training.measuring.shortened import STEPS, shortened
from core.training.measuring.timeline import Timeline, Watcher
from core.training.measuring.units import units_of
from core.training.measuring.watching_memory import MIB, MemoryWatch, told_by_torch
from core.training.monitor.causes import Cause
from core.training.run import Run
from core.training.watching.company import end_company
from core.training.watching.process import train

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

ONE_TRY = GuardSettings(memory_retries=0, restarts=0)
WORDS = {"encode": "Encoding the pictures", "captions": "Reading the captions", "sample": "Drawing a sample", "save": "Saving"}
BEFORE = 3
"""What may come before the first step: loading, encoding, reading the captions."""
HEAVY = ("checkpoints", "samples", "logs", "cache", "musubi")
"""Of a short run's folder what goes when it has ended; its log and its settings stay until the next one."""


def measure(project: Project, settings: TrainingSettings, wanted: MeasureSettings, progress: Progress = SILENT) -> MeasureReport:
    """Train a few steps on copies of the largest pictures, draw one sample, save once; what came out is thrown away.

    Neither the project's runs nor its pictures and their caches are touched. What was measured is kept, also when it failed.

    Args: settings: of the planned training. wanted: the trainer, and what it may cost.
    Raises:
        TrainingError: the short run failed, with the cause that a run would name; the trainer is missing; one is measured already.
        ConfigError: the settings cannot be trained, or a cap cannot be kept. Cancelled: nothing is kept.
    """
    with _alone(project):
        caps = caps_for(project.folder, wanted, progress)
        progress.start("Choosing the largest pictures")
        plan = plan_of(settings)
        subset = copy_pictures(settings, plan, place_of_measuring(project) / "pictures", progress)
        run = prepare(place_of_measuring(project), shortened(settings, subset), wanted.backend, ONE_TRY)
        facts: dict[str, Any] = {"backend": wanted.backend, "marks": marks_of(settings, wanted.backend), "bucket": plan.largest(),
                                 "batch": (settings.data.batch_size, settings.schedule.gradient_accumulation_steps),
                                 "buckets": tuple(plan.buckets.values()), "price": caps.price, "most_money": wanted.most_money}
        measured = _measured(run, caps, progress, facts)
        progress.check()
        for event in read_events(run.folder)[0]:
            if event.get("event") == "warning":
                progress.warn(str(event.get("message", "")))
        keep_measured(measured, project)
    if measured.cause is not None:
        finding = failure_of(measured, settings, retries_of(project.folder))
        raise TrainingError(finding.what, finding.remedy)
    return report_of(measured, settings, project, bool(measured.memory.gpu_total))


def _measured(run: Run, caps: Caps, progress: Progress, facts: dict[str, Any]) -> Measured:
    """Train the short run and read off what it took."""
    write_json(run.folder / "command.json", plain_command(run))
    stop, memory = CapStop(run, caps, progress), MemoryWatch(lambda: mark.pid if (mark := run.trainer_mark()) else None)
    watcher = Watcher(run, lambda timeline: tell(timeline, progress))
    memory.start()
    watcher.start()
    try:
        end = train(run, 1, stop)
    finally:
        timeline = watcher.end()
        memory.end()
    cause = Cause.from_dict(end["cause"]) if end.get("state") == "failed" and not stop.reached else None
    return Measured(time=time.time(), steps=timeline.step, units=units_of(timeline, run), memory=_memory(memory, run, cause),
                    seconds=round(stop.seconds(), 3), ended_for=stop.reached, cause=cause, **facts)


def tell(timeline: Timeline, progress: Progress) -> None:
    """Say where it is, in words. A trainer draws before it saves or saves before it draws, and loads more after it has encoded."""
    kind, following = timeline.kind, min(timeline.step + 1, STEPS)
    encoded = [one for one in ("encode", "captions") if timeline.began_at(one) is not None]
    at_end = [one for one in ("save", "sample") if timeline.began_at(one) is not None]
    if kind == "load":
        words, place = ("Getting ready", BEFORE) if encoded else ("Loading the model", 0)
    elif kind == "train":
        words, place = f"Step {following} of {STEPS}", BEFORE + following - 1
    else:
        words, place = WORDS[kind], len(encoded) if kind in ("encode", "captions") else BEFORE + STEPS + len(at_end) - 1
    progress.start(words, total=BEFORE + STEPS + 2, done=place)


def _memory(watch: MemoryWatch, run: Run, cause: Cause | None) -> Memory:
    """What was taken; of a GPU on which there was no room for anything, what others took."""
    machine, torch = watch.machine / MIB, told_by_torch(run.folder) / MIB
    found = watch.gpu() or (watch.fullest_before() if cause is not None and cause.kind == "out_of_memory" else None)
    if found is None:
        return Memory(torch=torch, machine=machine)
    gpu, before = found
    return Memory(gpu.used, before, gpu.total, gpu.name, torch, machine)


@contextmanager
def _alone(project: Project) -> Iterator[None]:
    """Hold the place of the short run; what an earlier one left goes before, what this one made goes after it.

    Raises: TrainingError: another one is at work.
    """
    place = place_of_measuring(project)
    try:
        with locked(project.hidden / "measuring.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
            _clear(place)
            try:
                yield
            finally:
                _lighten(place)
    except BlockingIOError as error:
        raise TrainingError(f"A short run of {project.name!r} is being measured already.", "Wait for its end, or cancel it.") from error


def _clear(place: Path) -> None:
    """Take away what an earlier short run left; a trainer that outlived its job is ended first, with all its processes."""
    for run in Run.list(place):
        end_company(run, run.trainer_mark())
    for name in ("runs", "pictures", "output"):
        shutil.rmtree(place / name, ignore_errors=True)


def _lighten(place: Path) -> None:
    """Keep of a short run what tells of it, and nothing large."""
    for name in ("pictures", "output"):
        shutil.rmtree(place / name, ignore_errors=True)
    for folder in (place / "runs").glob("*"):
        for name in HEAVY:
            shutil.rmtree(folder / name, ignore_errors=True)
