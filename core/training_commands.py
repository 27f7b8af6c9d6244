"""Commands of the training side that are no stages: they start a run, follow it, stop it and tell of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from core.base.errors import TrainingError
from core.base.progress import Progress
from core.flags import add_flags, read_flags
from core.lazy_parser import LazyParser
from core.queue_command import add_queue_command
from core.stages import plain, told_findings


def add_training_commands(commands: Any, command: Callable[..., LazyParser]) -> None:
    """check, train, runs, status, stop, resume, report and those of the queue. Args: command: makes one, as `core.cli` does."""
    for name, title, act in (("check", "Check the settings before anything is paid for", check), ("train", "Start a training run", train)):
        parser = command(commands, name, title, act, project=True)
        parser.later(partial(_training_flags, parser, name == "train"))
        parser.add_argument("--preset", default="", help="where the settings begin, with the project's own model, folders, prompts and "
                            "name; flags change single ones. Without --sample_prompts some are proposed from trigger word and captions; "
                            "--sample_prompts '[]' draws none. Without a preset: the settings that Trainer keeps for the project, before "
                            "any the first preset for its family")
        parser.add_argument("--backend", default="builtin", help="builtin, sd-scripts or musubi")
        if name == "train":
            parser.add_argument("--wait", action="store_true", help="stay until the run has ended and show its progress")
            parser.add_argument("--hold", action="store_true", help="let it wait in the queue until it is released")
    command(commands, "runs", "List a project's runs", runs, project=True)
    for name, title, act in (("status", "How a run stands", status), ("stop", "Stop a run; its last checkpoint is whole", stop),
                             ("resume", "Go on with a stopped or lost run", resume), ("report", "Write a run's report.html", report)):
        parser = command(commands, name, title, act, project=True)
        parser.add_argument("run", nargs="?", default="", help="its id; empty: the newest run")
        if name == "report":
            parser.add_argument("--compare", nargs="+", default=[], metavar="RUN", help="ids of other runs that it is put beside")
        if name == "stop":
            parser.add_argument("--after-epoch", action="store_true", help="when the present epoch is over and saved")
            parser.add_argument("--force", action="store_true", help="at once, without a last checkpoint")
    add_queue_command(commands, command)


def _training_flags(parser: argparse.ArgumentParser, guards: bool) -> None:
    from core.training.config import TrainingSettings
    from core.training.guards import GuardSettings

    parser.set_defaults(settings=(TrainingSettings, GuardSettings) if guards else (TrainingSettings,))
    if guards:
        add_flags(parser.add_argument_group(GuardSettings.title), GuardSettings)  # type: ignore[arg-type]
    add_flags(parser, TrainingSettings)


def _training_settings(given: argparse.Namespace) -> Any:
    """The kept settings, or a preset with the model, folders, prompts and name of these; with what the flags change.

    Where nobody chose sample prompts yet (a preset, no --sample_prompts), the project's are proposed.
    """
    from core.training.config import TrainingSettings
    from core.training.config.presets import apply_preset

    manager = _manager(given)
    settings = apply_preset(given.preset, manager.settings()) if given.preset else manager.settings()
    for part, values in read_flags(vars(given), TrainingSettings).items():
        settings = settings.changed(**{part: getattr(settings, part).changed(**values)})
    return manager.configure(settings, propose=bool(given.preset) and not hasattr(given, "sample_prompts"))


def _manager(given: argparse.Namespace) -> Any:
    from core.training.manager import TrainingManager

    return TrainingManager.open(given.project)


def _run_of(given: argparse.Namespace) -> str:
    """The run that is meant. Raises: TrainingError: none was named, and there is none."""
    if given.run:
        return str(given.run)
    newest = next(iter(_manager(given).runs()), None)
    if newest is None:
        raise TrainingError(f"The project {given.project} has no run yet.", "Start one: ./jupyter.sh core train PROJECT")
    return newest.id


def check(given: argparse.Namespace, progress: Progress) -> Any:
    """Findings about the settings and the dataset."""
    return told_findings(_manager(given).check(_training_settings(given), given.backend))


def train(given: argparse.Namespace, progress: Progress) -> Any:
    """Launch; with --wait, stay to the end: exit code 1 when no LoRA came out."""
    from core.training.following import follow
    from core.training.guards import GuardSettings

    manager = _manager(given)
    guards = manager.guards().changed(**read_flags(vars(given), GuardSettings))
    run = manager.launch(_training_settings(given), given.backend, guards, given.hold, progress)
    if not given.wait:
        return {"run": run.id, "folder": str(run.folder)}
    status = follow(run, progress)
    return {**plain(status), "run": run.id, "exit_code": 0 if status.state == "done" else 1}


def runs(given: argparse.Namespace, progress: Progress) -> Any:
    """Every run with its state."""
    manager = _manager(given)
    return {run.id: manager.status(run.id).state for run in manager.runs()}


def status(given: argparse.Namespace, progress: Progress) -> Any:
    """One run's state."""
    return _manager(given).status(_run_of(given))


def stop(given: argparse.Namespace, progress: Progress) -> Any:
    """Ask a run to stop."""
    meant = _run_of(given)
    _manager(given).stop(meant, given.force, given.after_epoch)
    return {"stopping": meant}


def resume(given: argparse.Namespace, progress: Progress) -> Any:
    """Go on from the newest saved state."""
    return {"run": _manager(given).resume(_run_of(given)).id}


def report(given: argparse.Namespace, progress: Progress) -> Any:
    """Write the report."""
    return {"report": str(_manager(given).report(_run_of(given), given.compare))}
