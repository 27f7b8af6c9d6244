"""One look at a run: where it stands, how the loss goes, what it made, and why it failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.training.monitor.causes import Cause, find_cause
from core.training.monitor.curve import Curve, CurvePoint, thin
from core.training.monitor.events import EventsReader
from core.training.monitor.gpu import Gpu
from core.training.monitor.lines import LineSplitter, LogParser
from core.training.monitor.norms import Norms, NormsReader
from core.training.monitor.samples import Checkpoint, Sample, list_checkpoints, list_samples
from core.training.monitor.spending import Spending, spending_of
from core.training.monitor.tensorboard import TensorBoardReader
from core.training.monitor.usage import Moment, UsageReader
from core.training.run import ACTIVE, ENDED, HELD, Run, RunState, tail_lines

CURVE_POINTS = 1500
"""Most points of the curve that a status carries."""
LOG_LINES = 200
WAITING, HELD_PHASE = "Waiting for its turn", "Held in the queue"
_WORDS = {"prepared": "Ready", "running": "Working", "stopping": "Stopping", "done": "Done", "failed": "Needs attention",
          "cancelled": "Stopped", "lost": "Lost"}


@dataclass(frozen=True)
class RunStatus:
    """What a panel, the command line and the report show of a run."""

    run: str
    state: RunState
    backend: str
    phase: str = ""
    """What it does now: "Loading the model", "Training" …"""
    step: int = 0
    total: int = 0
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    """Of the last step alone, where the trainer tells it."""
    average_loss: float | None = None
    """The trainer's own average."""
    smoothed_loss: float | None = None
    validation_loss: float | None = None
    lr: dict[str, float] | None = None
    """Learning rate by part: unet, text encoder …"""
    seconds_per_step: float | None = None
    seconds_left: float | None = None
    curve: tuple[CurvePoint, ...] = ()
    samples: tuple[Sample, ...] = ()
    """In the order of steps, then prompts."""
    checkpoints: tuple[Checkpoint, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    log: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    message: str = ""
    """Why it waits, or the last word."""
    retries: tuple[str, ...] = ()
    """What was changed on the way, and why: one sentence for each try after the first."""
    paused: str = ""
    """Why it makes a pause, in words; empty: it makes none."""
    stop: str = ""
    """What somebody asked for: "gentle", "force", "epoch", or ""."""
    cause: Cause | None = None
    """Only when it failed or is lost."""
    output: Path | None = None
    """The finished LoRA in the project's output folder."""
    attempt: int = 0
    norms: Norms = field(default_factory=Norms)
    usage: tuple[Moment, ...] = ()
    """GPU and disk over time."""
    spending: Spending = field(default_factory=Spending)
    memory_reserved: int | None = None
    """The most of the GPU's memory that the trainer's torch has held, in bytes; told at its end."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ENDED

    def sentence(self) -> str:
        """One sentence, e.g. "Working: step 40 of 800, epoch 1 of 10, loss 0.123, 12 min left." """
        head = _WORDS[self.state]
        if self.cause is not None:
            return f"{head}: {self.cause}"
        if self.state == "done":
            if self.output is None:
                return f"{head}: {self.step} steps. {self.message}".strip()
            return f"{head}: {self.step} steps, {self.output.name}."
        if self.paused:
            return f"{head}: {self.paused}"
        if self.message and not self.step:
            return f"{head}: {self.message}"
        parts = [self.phase] if self.phase and self.phase != "Training" else []
        if self.total:
            parts.append(f"step {self.step} of {self.total}")
        if self.epochs:
            parts.append(f"epoch {self.epoch} of {self.epochs}")
        if self.smoothed_loss is not None:
            parts.append(f"loss {self.smoothed_loss:.4g}")
        if self.seconds_left is not None and self.state == "running":
            parts.append(f"{duration(self.seconds_left)} left")
        return f"{head}: {', '.join(parts)}." if parts else f"{head}."


def duration(seconds: float) -> str:
    """ "40 s", "12 min", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


class Monitor:
    """Keeps the places up to which a run's files were read, so that each look reads only what is new."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._log_offset = 0
        self._splitter = LineSplitter()
        self._parser = LogParser()
        self._events = EventsReader(run.folder)
        self._boards = TensorBoardReader(run.folder / "logs")
        self._norms, self._usage = NormsReader(run.folder), UsageReader(run.folder)

    def read(self) -> RunStatus:
        """Where the run stands now."""
        state = self.run.state()
        self._events.read()
        self._read_log()
        events, facts = self._events, self._parser.facts
        is_builtin = bool(events.last_step or events.start)
        if not events.curve:
            self._boards.read([(float(event.get("time", 0.0)), int(event.get("resumed_from", 0))) for event in events.launches])
        points = self._curve().points()
        last = points[-1] if points else None
        step = int(events.last_step.get("step", 0)) or max(events.resumed_from, 0 if is_builtin else facts.step)
        total = int(events.start.get("total_steps", 0)) or facts.total
        speed = events.seconds_per_step or facts.seconds_per_step
        end = self.run.end()
        return RunStatus(
            run=self.run.id, state=state, backend=self.run.backend, phase=self._phase(state), step=step, total=total,
            epoch=int(events.last_step.get("epoch") or 0) or facts.epoch, epochs=int(events.start.get("epochs", 0)) or facts.epochs,
            loss=last.loss if last else None, average_loss=last.average if last else facts.average_loss,
            smoothed_loss=last.smoothed if last else None, validation_loss=_validation(points, facts.validation_loss),
            lr=next((point.lr for point in reversed(points) if point.lr), None), seconds_per_step=speed,
            seconds_left=speed * max(0, total - step) if speed and total and state == "running" else None,
            curve=tuple(thin(points, CURVE_POINTS)), samples=tuple(list_samples(self.run, events.samples)),
            checkpoints=tuple(list_checkpoints(self.run, events.saved, self._parser.saved)),
            gpus=tuple(Gpu.from_dict(gpu) for gpu in self.run.heartbeat().get("gpus", [])) if state not in ENDED else (),
            log=self.run.log_tail(LOG_LINES), warnings=tuple(events.warnings), message=str(end.get("message", "")) or events.message,
            retries=tuple(events.retries), paused=events.paused if state in ACTIVE else "",
            stop=self.run.stop_asked() if state in ACTIVE else "",
            cause=self._cause(state, end), output=Path(end["output"]) if end.get("output") else None, attempt=self.run.attempt(),
            norms=self._norms.read(step - points[0].step if points else 0), usage=self._usage.read(),
            spending=spending_of(self.run, events, state in ACTIVE),
            memory_reserved=events.memory.get("reserved"))

    def _phase(self, state: RunState) -> str:
        if state not in ACTIVE:
            return ""
        if self._events.message:
            return HELD_PHASE if self._events.message == HELD else WAITING
        if self._events.paused:
            return "Paused before a save"
        phase = self._parser.facts.phase or "Starting"
        return f"{phase}, ends after this epoch" if self.run.stop_asked() == "epoch" else phase

    def _curve(self) -> Curve:
        """The most exact source that has something to tell: events, TensorBoard files, printed averages."""
        return self._events.curve or self._boards.curve or self._parser.curve

    def _read_log(self) -> None:
        try:
            with open(self.run.log, "rb") as file:
                if file.seek(0, 2) < self._log_offset:  # somebody replaced the file
                    self._log_offset, self._splitter, self._parser = 0, LineSplitter(), LogParser()
                file.seek(self._log_offset)
                data = file.read()
        except FileNotFoundError:
            return
        self._log_offset += len(data)
        self._parser.feed(self._splitter.feed(data))

    def _cause(self, state: RunState, end: dict[str, Any]) -> Cause | None:
        if state == "failed":
            return Cause.from_dict(end["cause"]) if end.get("cause") else find_cause(self.run.log_tail())
        if state == "lost":
            lines = self.run.log_tail(1) or tuple(tail_lines(self.run.folder / "supervisor.txt", 1))
            last = lines[-1].strip()[:200] if lines else ""
            return Cause("lost", "The training vanished without a word: it was killed, or the machine stopped."
                         + (f" Its last line was: {last}" if last else ""), "Resume it from its last saved state, or start it again.")
        return None


def _validation(points: list[CurvePoint], printed: float | None) -> float | None:
    """The last one of the curve, which is exact; else as printed."""
    return next((point.validation for point in reversed(points) if point.validation is not None), printed)


def read_status(run: Run) -> RunStatus:
    """Where a run stands, read from its files once. For repeated looks keep a `Monitor`."""
    return Monitor(run).read()
