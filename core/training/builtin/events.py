"""What a run tells: events.jsonl, lines as sd-scripts prints them, TensorBoard scalars."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.jobs import append_event

if TYPE_CHECKING:
    from core.training.backends.inside.lorabook_norms import Layer, Norms

LINES_PER_SECOND = 2.0


class LossRecorder:
    """The average over the last pass through the data, as sd-scripts' avr_loss."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.total = 0.0

    def add(self, epoch: int, place: int, loss: float) -> None:
        """Args: epoch: counted from 1. place: batch in the epoch, from 0."""
        if epoch <= 1 or place >= len(self.losses):
            self.losses.append(loss)
        else:
            self.total -= self.losses[place]
            self.losses[place] = loss
        self.total += loss

    @property
    def average(self) -> float:
        return self.total / max(1, len(self.losses))


class Reporter:
    """Tells one run's progress to its folder, its log and TensorBoard.

    Args:
        run_dir: gets events.jsonl; None writes no events.
        say: receives each line for the log.
        logging_dir: gets TensorBoard files; None writes none.
    """

    def __init__(self, run_dir: Path | None, say: Callable[[str], None], logging_dir: Path | None = None) -> None:
        self.run_dir, self.say = run_dir, say
        self._board: Any = None
        self._norms: Norms | None = None
        self._logging_dir = logging_dir
        self._began = self._last_line = 0.0
        self._first_step = 0

    def event(self, name: str, **values: Any) -> None:
        """One line of events.jsonl."""
        if self.run_dir is not None:
            append_event(self.run_dir, name, **values)

    def warn(self, message: str) -> None:
        """Something the person should know; training goes on."""
        self.event("warning", message=message)
        self.say(f"warning: {message}")

    def begin(self, first_step: int) -> None:
        """Training starts after `first_step` steps that were made before."""
        self._began, self._first_step = time.monotonic(), first_step
        if self._logging_dir is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.warn("TensorBoard is not installed, so logging_dir gets no files. Run: python3 installer.py")
            return
        folder = self._logging_dir / time.strftime("%Y%m%d%H%M%S") / "network_train"
        self._board = SummaryWriter(str(folder), purge_step=first_step + 1 if first_step else None)

    def watch(self, layers: Sequence[Layer], first_step: int) -> None:
        """Also tell the gradient of each step, and how much each layer changes, in norms.jsonl of the run."""
        if self.run_dir is None:
            return
        from core.training.backends.inside.lorabook_norms import Norms
        from core.training.backends.inside.lorabook_start import NORMS

        self._norms = Norms(self.run_dir / NORMS, first_step, layers)
        self._norms.outside = True
        self._norms.watch()

    def step(self, step: int, total: int, epoch: int, loss: float, average: float, rates: dict[str, float], seconds: float) -> None:
        """One optimizer step is made."""
        if self._norms is not None:
            self._norms.end_of_step()
        self.event("step", step=step, epoch=epoch, loss=loss, average_loss=average, lr=rates, seconds=round(seconds, 4))
        if self._board is not None:
            self._board.add_scalar("loss/current", loss, step)
            self._board.add_scalar("loss/average", average, step)
            for name, rate in rates.items():
                self._board.add_scalar(f"lr/{name}", rate, step)
        now = time.monotonic()
        if now - self._last_line >= 1 / LINES_PER_SECOND or step == total:
            self._last_line = now
            self.say(progress_line(step, total, now - self._began, step - self._first_step, average))

    def preparing(self, done: int, total: int) -> None:
        """So much of what comes before training is done: a bar in the log, at most two lines a second."""
        now = time.monotonic()
        if not done:
            self._began = now
        elif now - self._last_line >= 1 / LINES_PER_SECOND or done == total:
            self._last_line = now
            self.say(f"{_bar(done, total, now - self._began, done)}]")

    def epoch_average(self, epoch: int, average: float) -> None:
        """An epoch is over."""
        if self._board is not None:
            self._board.add_scalar("loss/epoch_average", average, epoch)

    def close(self) -> None:
        """Write what TensorBoard and the norms still hold."""
        if self._norms is not None:
            self._norms.close()
        if self._board is not None:
            self._board.close()


def progress_line(step: int, total: int, elapsed: float, made: int, average: float) -> str:
    """`steps:  50%|█████     | 1/2 [00:03<00:03,  3.21s/it, avr_loss=1.09]`, as tqdm writes for sd-scripts."""
    return f"steps: {_bar(step, total, elapsed, made)}, avr_loss={average:.3g}]"


def _bar(done: int, total: int, elapsed: float, made: int) -> str:
    """tqdm's bar, its bracket left open. Args: made: of `done`, what was done in `elapsed` seconds."""
    pace = elapsed / max(1, made)
    filled = int(10 * done / total)
    speed = f"{pace:5.2f}s/it" if pace >= 1 or pace <= 0 else f"{1 / pace:5.2f}it/s"
    return (f"{100 * done // total:3d}%|{'█' * filled}{' ' * (10 - filled)}| {done}/{total} "
            f"[{_clock(elapsed)}<{_clock(pace * (total - done))}, {speed}")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
