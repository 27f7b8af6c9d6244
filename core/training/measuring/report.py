"""A measurement as it is shown: what was measured beside what was estimated, and what of it is worth a word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import StudioError
from core.base.findings import Finding
from core.base.words import counted, told_size
from core.dataset.project import Project
from core.training.duration import expected_time, is_small, rough_time
from core.training.guards import GuardSettings, read_guards
from core.training.measuring.findings import OTHERS, failure_of, findings_of, nearly_full
from core.training.measuring.marks import differing, marks_of
from core.training.measuring.measured import Measured, read_measured
from core.training.measuring.outlook import Outlook, outlook, time_words
from core.training.measuring.shortened import drawing_work, heaviest_prompt

if TYPE_CHECKING:
    from core.training.config import TrainingSettings


GPU = "GPU memory at most"


@dataclass(frozen=True)
class Row:
    """One thing that was measured."""

    name: str
    measured: str
    estimated: str = ""
    """What was worked out before, to compare; empty: nothing was."""

    def sentence(self) -> str:
        """ "A step: 1.2 s. Estimated before: 1.5 s." """
        return f"{self.name}: {self.measured}." + (f" Estimated before: {self.estimated}." if self.estimated else "")


@dataclass(frozen=True)
class MeasureReport:
    """A measurement, and what it says of the settings as they are now."""

    measured: Measured
    rows: tuple[Row, ...] = ()
    findings: tuple[Finding, ...] = ()
    other_settings: tuple[str, ...] = ()
    """What was otherwise when it was measured; empty: it holds."""
    seconds: float = 0.0
    """Of the planned training, 0: not known."""
    price: float = 0.0
    """Of the planned training, 0: not known."""

    def sentence(self) -> str:
        """The result in one line."""
        if self.other_settings:
            return f"The measurement of {time_words(self.measured)} is of other settings: {', '.join(self.other_settings)}."
        if not self.seconds:
            return self.measured.ended_for or "The short run did not come to its steps."
        price = f" and costs about {self.price:.2f}" if self.price else ""
        took = rough_time(self.measured.seconds)
        return f"Measured: the training takes about {rough_time(self.seconds)}{price}; the short run took {took}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON and the terminal: what was measured as findings too."""
        told = [Finding("info", row.sentence()) for row in self.rows]
        return {"measured": self.measured.as_dict(), "seconds": self.seconds, "price": self.price,
                "other_settings": list(self.other_settings), "findings": [one.as_dict() for one in (*self.findings, *told)],
                "exit_code": int(self.measured.cause is not None or any(one.level == "error" for one in self.findings))}


def report_of(measured: Measured, settings: TrainingSettings, project: Project, on_gpu: bool) -> MeasureReport:
    """What a measurement says of settings, which may have changed since. Args: on_gpu: whether this machine has one."""
    from core.training.config.sources import image_counts

    others = tuple(differing(measured.marks, marks_of(settings, measured.backend)))
    if others:
        return MeasureReport(measured, other_settings=others)
    counts = image_counts(settings)
    found = outlook(measured, settings, counts)
    limits = limits_of(measured, project.folder)
    rows = tuple(_rows(measured, settings, project, found, limits["price"], on_gpu))
    seconds = found.whole if found is not None else 0.0
    return MeasureReport(measured, rows, tuple(findings_of(measured, settings, counts, found, limits, retries_of(project.folder))), (),
                         seconds, seconds * limits["price"] / 3600)


def read_report(settings: TrainingSettings, backend: str, project: Project, on_gpu: bool) -> MeasureReport | None:
    """The project's last measurement, seen with the settings as they are now; None: there is none."""
    measured = read_measured(project)
    if measured is None:
        return None
    if measured.backend != backend:
        return MeasureReport(measured, other_settings=tuple(differing(measured.marks, marks_of(settings, backend))))
    return report_of(measured, settings, project, on_gpu)


def memory_findings(settings: TrainingSettings, backend: str, project: Project) -> list[Finding]:
    """What was measured of the GPU's memory, which outranks any estimate; empty where no measurement holds or no GPU was used."""
    measured = read_measured(project)
    out_of_memory = measured is not None and measured.cause is not None and measured.cause.kind == "out_of_memory"
    if measured is None or not (measured.memory.gpu or out_of_memory) or differing(measured.marks, marks_of(settings, backend)):
        return []
    if out_of_memory:
        return [failure_of(measured, settings, retries_of(project.folder))]
    told = [row for row in _memory_rows(measured, settings) if row.name == GPU]
    return [*nearly_full(measured), *(Finding("info", f"Measured {time_words(measured)}. {row.sentence()}") for row in told)]


def retries_of(project_folder: Path) -> int:
    """How often the project's runs try with less memory by itself; of a wrong file, which ends a launch in its own words, the usual."""
    try:
        return read_guards(project_folder).memory_retries
    except StudioError:
        return GuardSettings().memory_retries


def seconds_words(seconds: float) -> str:
    """ "2.31 s", "0.092 s", "12 min": as exact as it was measured, where that is told in seconds at all."""
    return rough_time(seconds) if seconds >= 100 else f"{seconds:.3g} s" if seconds >= 1 else f"{seconds:.2g} s"


def limits_of(measured: Measured, project_folder: Path) -> dict[str, float]:
    """Price and limits of the planned run: as they are kept now; a spend cap that was asked for of the measurement itself holds on."""
    from core.training.finish.kept import price_of_hour, told_finish

    kept = told_finish(project_folder)
    return {"price": price_of_hour(project_folder, measured.price), "most_money": measured.most_money or kept.most_money,
            "most_hours": kept.most_hours}


def _rows(measured: Measured, settings: TrainingSettings, project: Project, found: Outlook | None, price: float, on_gpu: bool
          ) -> Iterator[Row]:
    units, (width, height), (batch, accumulated) = measured.units, measured.bucket, measured.batch
    times = f", {accumulated} batches a step" if accumulated > 1 else ""
    yield Row("Trained", f"{counted(measured.steps, 'step')} on the largest pictures, {width} x {height} px, {batch} at once{times}")
    yield from _memory_rows(measured, settings)
    if units.load is not None:
        yield Row("Loading", seconds_words(units.load))
    if units.encode:
        yield Row("Encoding a picture", seconds_words(units.encode))
    if units.captions:
        yield Row("Reading a caption", seconds_words(units.captions))
    expected = expected_time(settings, measured.backend, project.folder, on_gpu or bool(measured.memory.gpu))
    if units.step is not None:
        first = f" (the first one {seconds_words(units.step + units.warm_up)})" if units.warm_up else ""
        yield Row("A step", f"{seconds_words(units.step)}{first}", f"{rough_time(expected.step)}, {expected.basis}" if expected else "")
    prompt = heaviest_prompt(settings)
    if units.sample is not None and prompt is not None:
        took = seconds_words(units.sample * drawing_work(prompt, settings))
        yield Row("A sample picture", f"{took}, {prompt.sample_steps} steps of drawing")
    if units.save is not None:
        state = f" and {told_size(units.state_bytes)} of state" if units.state_bytes else ""
        yield Row("A save", f"{seconds_words(units.save)}: {told_size(units.file_bytes)}{state}",
                  _expected_save(settings, units.state_bytes))
    if found is not None:
        yield Row("The whole training", _whole(found), rough_time(expected.whole) if expected and expected.whole else "")
        if price:
            yield Row("Price", f"{found.price(price):.2f}, at {price:g} an hour")


def _memory_rows(measured: Measured, settings: TrainingSettings) -> Iterator[Row]:
    memory = measured.memory
    if memory.gpu:
        others = f", {memory.gpu_before / 1024:.1f} GiB of it by other programs" if memory.gpu_before >= OTHERS else ""
        torch = f"; the trainer's torch held {memory.torch / 1024:.1f} GiB" if memory.torch else ""
        yield Row(GPU, f"{memory.gpu / 1024:.1f} of {memory.gpu_total / 1024:.1f} GiB ({memory.gpu_name}){others}{torch}",
                  "" if is_small(settings) else _expected_memory(settings, measured.bucket))
    if memory.machine:
        lack = "" if memory.gpu else "; no GPU was used"
        yield Row("Main memory at most", f"{memory.machine / 1024:.1f} GiB{lack}")


def _expected_memory(settings: TrainingSettings, bucket: tuple[int, int]) -> str:
    from core.training.preflight.from_settings import memory_plan
    from core.training.preflight.memory import estimate_memory

    try:
        estimate = estimate_memory(memory_plan(settings, bucket))
    except StudioError:
        return ""  # of a family whose parts were not counted nothing was estimated
    return f"{estimate.least:.1f} to {estimate.most:.1f} GiB"


def _expected_save(settings: TrainingSettings, state_bytes: int) -> str:
    from core.training.room import size_of_save

    try:
        file, state = size_of_save(settings)
    except StudioError:
        return ""  # of a family whose layers were not counted nothing was estimated
    return "" if is_small(settings) else told_size(file) + (f" and {told_size(state)}" if state_bytes else "")


def _whole(found: Outlook) -> str:
    parts = [("loading", found.load), ("encoding", found.encode), (counted(found.totals.steps, "step"), found.steps),
             (counted(found.pictures, "sample picture"), found.samples), (counted(found.totals.saves, "save"), found.saves)]
    return f"{rough_time(found.whole)}: " + ", ".join(f"{name} {rough_time(seconds)}" for name, seconds in parts if seconds >= 0.005)
