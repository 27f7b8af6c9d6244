"""Runs one of musubi-tuner's training scripts so that a run can go on from a state, and its files say what calls them.

    python custom/train_by_musubi.py SCRIPT STATE ARGUMENTS…      SCRIPT: flux_2_train_network; STATE: a folder, or ""

musubi-tuner loads weights, optimizer and schedule of a state, but counts from zero again: it would train the whole length once more,
draw its learning rate for another length, and save over the files of the first part ("TODO skip until initial step" in
training/trainer_base.py at 30c658c4). So what it counts is moved by what the state contains, and each state says how far it is, in a
`train_state.json` as sd-scripts writes it. And it has no argument for the words that call a LoRA ($LORABOOK_TRIGGER): they are put
among what its files say of themselves. Nothing else of it is changed. It runs in musubi-tuner's own Python; standard library only.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EPOCH = re.compile(r"^(\s*epoch )(\d+)/(\d+)")
TOTAL = re.compile(r"^(\s*(?:total optimization steps|num epochs)[^:]*: )(\d+)")


@dataclass
class Place:
    """How far a training was when its state was saved, and how far it is."""

    steps: int = 0
    epochs: int = 0
    whole: int = 0
    """Steps of the whole training."""
    now: int = 0
    """Steps that this process has done."""
    finished: int = 0
    """Epochs that this process has finished."""


def read_place(state: str) -> Place:
    """How far a state is; zero where none is given."""
    if not state:
        return Place()
    told = json.loads((Path(state) / "train_state.json").read_text(encoding="utf-8"))
    return Place(int(told["current_step"]), int(told["current_epoch"]), int(told.get("max_train_steps", 0)))


def move_counts(place: Place) -> None:
    """Let musubi-tuner count from a place on. Raises: ImportError, AttributeError: it is another version."""
    from accelerate import Accelerator
    from musubi_tuner.training.trainer_base import NetworkTrainer
    from musubi_tuner.utils import train_utils

    _length(NetworkTrainer, place)
    _names(train_utils, place)
    _states(train_utils, place)
    _told(Accelerator, NetworkTrainer, place)


def _length(trainer: Any, place: Place) -> None:
    """The schedule is of the whole length, the loop of what is left."""
    make, count = trainer.get_lr_scheduler, trainer.on_post_optimizer_step

    def get_lr_scheduler(self: Any, args: Any, *rest: Any) -> Any:
        place.whole = args.max_train_steps = place.whole or args.max_train_steps
        scheduler = make(self, args, *rest)
        args.max_train_steps = max(place.whole - place.steps, 1)
        return scheduler

    def on_post_optimizer_step(self: Any, args: Any, accelerator: Any, network: Any, transformer: Any, sync: bool, step: int) -> Any:
        place.now = step + 1 if sync else place.now
        return count(self, args, accelerator, network, transformer, sync, step)

    trainer.get_lr_scheduler, trainer.on_post_optimizer_step = get_lr_scheduler, on_post_optimizer_step


def _names(utils: Any, place: Place) -> None:
    """Files are called by the epochs and steps of the whole training, also those that are removed again."""
    for name, offset in (("epoch", place.epochs), ("step", place.steps)):
        call, remove = f"get_{name}_ckpt_name", f"get_remove_{name}_no"
        setattr(utils, call, _moved(getattr(utils, call), offset))
        setattr(utils, remove, _moved_back(getattr(utils, remove), offset))


def _moved(function: Callable[[Any, int], Any], offset: int) -> Callable[[Any, int], Any]:
    return lambda first, number: function(first, number + offset)


def _moved_back(function: Callable[[Any, int], Any], offset: int) -> Callable[[Any, int], Any]:
    def wrapper(args: Any, number: int) -> Any:
        found = function(args, number + offset)
        return None if found is None else found - offset
    return wrapper


def _states(utils: Any, place: Place) -> None:
    """States are called so too, and say how far they are."""
    by_epoch, by_step = utils.save_and_remove_state_on_epoch_end, utils.save_and_remove_state_stepwise
    at_end = utils.save_state_on_train_end

    def save_and_remove_state_on_epoch_end(args: Any, accelerator: Any, epoch: int) -> None:
        place.finished = epoch
        by_epoch(args, accelerator, epoch + place.epochs)
        _note(args, place, utils.EPOCH_STATE_NAME.format(args.output_name, epoch + place.epochs))

    def save_and_remove_state_stepwise(args: Any, accelerator: Any, step: int) -> None:
        by_step(args, accelerator, step + place.steps)
        _note(args, place, utils.STEP_STATE_NAME.format(args.output_name, step + place.steps))

    def save_state_on_train_end(args: Any, accelerator: Any) -> None:
        at_end(args, accelerator)
        _note(args, place, utils.LAST_STATE_NAME.format(args.output_name))

    utils.save_and_remove_state_on_epoch_end = save_and_remove_state_on_epoch_end
    utils.save_and_remove_state_stepwise = save_and_remove_state_stepwise
    utils.save_state_on_train_end = save_state_on_train_end


def _note(args: Any, place: Place, name: str) -> None:
    """Last into the folder of a state, which counts as whole only with it."""
    told = {"current_epoch": place.epochs + place.finished, "current_step": place.steps + place.now, "max_train_steps": place.whole}
    file = Path(args.output_dir) / name / "train_state.json"
    file.with_suffix(".tmp").write_text(json.dumps(told), encoding="utf-8")
    file.with_suffix(".tmp").replace(file)


def _told(accelerator: Any, trainer: Any, place: Place) -> None:
    """What is printed, logged and drawn is called by the whole training too."""
    say, log, draw = accelerator.print, accelerator.log, trainer.sample_image_inference

    def moved_print(self: Any, *words: Any, **options: Any) -> None:
        say(self, *(_line(word, place) if isinstance(word, str) else word for word in words), **options)

    def moved_log(self: Any, values: dict[str, Any], step: int | None = None, **options: Any) -> None:
        offset = place.epochs if "loss/epoch" in values else place.steps
        log(self, values, step=None if step is None else step + offset, **options)

    def sample_image_inference(self: Any, *given: Any) -> Any:
        *first, epoch, steps = given
        return draw(self, *first, None if epoch is None else epoch + place.epochs, steps + place.steps)

    accelerator.print, accelerator.log, trainer.sample_image_inference = moved_print, moved_log, sample_image_inference


def _line(line: str, place: Place) -> str:
    if found := EPOCH.match(line):
        place.finished = int(found.group(2)) - 1
        return EPOCH.sub(lambda one: f"{one.group(1)}{int(one.group(2)) + place.epochs}/{int(one.group(3)) + place.epochs}", line)
    if found := TOTAL.match(line):
        offset = place.epochs if "epochs" in line else place.steps
        return TOTAL.sub(lambda one: f"{one.group(1)}{int(one.group(2)) + offset}", line)
    return line


def say_trigger(words: str) -> None:
    """Let every file that it saves say which words call it, as sd-scripts does. Raises: ImportError, AttributeError: another version."""
    from musubi_tuner.utils import sai_model_spec

    make = sai_model_spec.build_metadata
    sai_model_spec.build_metadata = lambda *given, **named: {**make(*given, **named), "modelspec.trigger_phrase": words}


def main() -> None:
    """Take the place of the script, with its own arguments."""
    script, state, *words = sys.argv[1:]
    place = read_place(state)
    if place.whole and place.steps >= place.whole:
        sys.exit(f"The state {state} is at step {place.steps} of {place.whole}: there is nothing left to train.")
    move_counts(place)
    if trigger := os.environ.get("LORABOOK_TRIGGER", ""):
        say_trigger(trigger)
    sys.argv = [script, *words]
    runpy.run_module(f"musubi_tuner.{script}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
