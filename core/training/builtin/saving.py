"""LoRA files and states of a run: when, under sd-scripts' names, and which old ones go."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import DiskError
from core.training.builtin.metadata import MINIMUM, write_lora
from core.training.builtin.options import TrainOptions

if TYPE_CHECKING:
    from core.training.builtin.events import Reporter
    from core.training.builtin.network import LoraNetwork


class Saver:
    """Writes checkpoints and states into output_dir.

    Args:
        metadata: from `run_metadata`; spec: makes the modelspec keys at the time of saving.
        write_state: writes a state folder.
        make_room: waits until so many bytes can be written into a folder.
    """

    def __init__(self, options: TrainOptions, network: LoraNetwork, metadata: dict[str, str], spec: Callable[[], dict[str, str]],
                 write_state: Callable[[Path], None], reporter: Reporter,
                 make_room: Callable[[Path, int], None] = lambda folder, needed: None) -> None:
        self.options, self.network, self.metadata, self.spec = options, network, metadata, spec
        self.write_state, self.reporter, self.make_room = write_state, reporter, make_room
        self._whole_at = 0
        """The last step of which both file and state were saved."""
        self.folder = Path(options.output_dir)
        self.stopped_state = self._state_of_a_stop()

    def after_step(self, step: int, epoch: int) -> None:
        """save_every_n_steps, and what save_last_n_steps no longer wants."""
        options, every = self.options, self.options.save_every_n_steps
        if not every or step % every:
            return
        self._save(f"{options.output_name}-step{step:08d}", step, epoch)
        self._forget("step{:08d}", _old_step(step, every, options.save_last_n_steps),
                     _old_step(step, every, options.save_last_n_steps_state or options.save_last_n_steps))

    def after_epoch(self, step: int, epoch: int, epochs: int) -> None:
        """save_every_n_epochs (the last epoch is the final file), and what save_last_n_epochs no longer wants."""
        options, every = self.options, self.options.save_every_n_epochs
        if not every or epoch % every or epoch >= epochs:
            return
        self._save(f"{options.output_name}-{epoch:06d}", step, epoch)
        last, last_state = options.save_last_n_epochs, options.save_last_n_epochs_state or options.save_last_n_epochs
        self._forget("{:06d}", epoch - every * last if last else None, epoch - every * last_state if last_state else None)

    def at_end(self, step: int, epoch: int) -> Path:
        """The finished file, and its state if one is wanted."""
        path = self.write(self.options.output_name, step, epoch, final=True)
        if self.options.save_state or self.options.save_state_on_train_end:
            self.state(f"{self.options.output_name}-state", step)
        self._forget_stopped_state()
        return path

    def at_stop(self, step: int, epoch: int) -> None:
        """A whole last checkpoint of a run that is stopped before its end, and always its state, so that the run can go on.

        Nothing is written where this very step was saved a moment ago, at the end of its epoch.
        """
        if not step or step == self._whole_at:
            return
        name = f"{self.options.output_name}-step{step:08d}"
        self.write(name, step, epoch)
        try:
            self.state(f"{name}-state", step)
        except DiskError as error:
            self.reporter.warn(f"The state to go on from could not be saved: {error}")

    def write(self, name: str, step: int, epoch: int, final: bool = False) -> Path:
        """One LoRA file. Raises: DiskError."""
        import torch

        dtypes = {"fp16": torch.float16, "bf16": torch.bfloat16, "float": torch.float32}
        path = self.folder / f"{name}.safetensors"
        metadata = {**self.metadata, "ss_training_finished_at": str(time.time()), "ss_steps": str(step), "ss_epoch": str(epoch)}
        if self.options.no_metadata:
            metadata = {key: value for key, value in metadata.items() if key in MINIMUM}
        values = self.network.state(dtypes.get(self.options.save_precision or ""))
        self.make_room(self.folder, sum(value.numel() * value.element_size() for value in values.values()))
        self.reporter.say(f"saving checkpoint: {path}")
        write_lora(path, values, {**metadata, **self.spec()})
        self.reporter.event("saved", path=str(path), step=step, epoch=epoch, final=final)
        return path

    def state(self, name: str, step: int) -> None:
        """One state folder. Raises: DiskError."""
        folder = self.folder / name
        self.reporter.say(f"saving state: {folder}")
        self.write_state(folder)
        self.reporter.event("state", path=str(folder), step=step)
        if folder != self.stopped_state:
            self._forget_stopped_state()

    def _save(self, name: str, step: int, epoch: int) -> None:
        self.write(name, step, epoch)
        if self.options.save_state:
            self.state(f"{name}-state", step)
            self._whole_at = step

    def _state_of_a_stop(self) -> Path | None:
        """The state that an earlier stop of this very run left; no rule of saving counts it, so it goes when a newer one is whole."""
        folder = Path(self.options.resume) if self.options.resume else None
        if folder is None or folder.resolve().parent != self.folder.resolve():
            return None
        found = re.fullmatch(re.escape(self.options.output_name) + r"-step(\d{8})-state", folder.name)
        every = self.options.save_every_n_steps
        return self.folder / folder.name if found and not (every and int(found[1]) % every == 0) else None

    def _forget_stopped_state(self) -> None:
        if self.stopped_state is not None:
            self.reporter.say(f"removing old state: {self.stopped_state}")
            shutil.rmtree(self.stopped_state, ignore_errors=True)
            self.stopped_state = None

    def _forget(self, pattern: str, number: int | None, state_number: int | None) -> None:
        if number and number > 0:
            old = self.folder / f"{self.options.output_name}-{pattern.format(number)}.safetensors"
            if old.exists():
                self.reporter.say(f"removing old checkpoint: {old}")
                old.unlink()
        if state_number and state_number > 0:
            shutil.rmtree(self.folder / f"{self.options.output_name}-{pattern.format(state_number)}-state", ignore_errors=True)


def _old_step(step: int, every: int, last: int | None) -> int | None:
    """The step whose file goes now: save_last_n_steps counts steps, not files, as in sd-scripts."""
    if not last:
        return None
    old = step - last - 1
    return old - old % every if old >= 0 else None
