"""The command line: every stage as a sub-command, with flags derived from its settings class."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from core.base.errors import Cancelled, TrainingError
from core.base.failures import explain
from core.base.progress import Progress
from core.flags import add_flags, read_flags
from core.queue_command import add_queue_command
from core.stages import STAGES, Stage, plain

RENEW_SECONDS = 0.2
"""Between two looks of a line that renews itself."""
LEAST_SECONDS, MOST_SECONDS = 2.0, 15.0
"""Where lines stay: none sooner after another, and none later while a phase goes on."""


class TerminalProgress(Progress):
    """Progress on the error stream, so that the output stream carries only results.

    On a terminal it is one line for each phase, which renews itself. Elsewhere (a file, a pipe) a long phase is told every tenth of
    it, or every 15 seconds.

    Args: stream: where it is written; the error stream when None.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self.stream = stream or sys.stderr
        self._renews = self.stream.isatty()
        self._open = False
        """Whether the present line is still to be ended."""
        self._shown = 0.0
        self._tenth = 0

    def report_start(self) -> None:
        """A phase began."""
        self.close()
        self._tenth, self._shown = 0, self._started
        self._write(f"{self.what} …", ends=not self._renews)

    def report_step(self, item: str) -> None:
        """Say how far it is, if it is time to."""
        now, is_last = time.monotonic(), self.done == self.total
        waited, tenth = now - self._shown, self.done * 10 // self.total if self.total else 0
        if self._renews:
            if waited < RENEW_SECONDS and not is_last:
                return
        elif waited < LEAST_SECONDS or (waited < MOST_SECONDS and tenth == self._tenth):
            return
        self._shown, self._tenth = now, tenth
        self._write(self._place(item, now), ends=is_last or not self._renews)

    def warn(self, message: str) -> None:
        """On a line of its own."""
        self._write(f"Note: {message}", ends=True, whole=True)

    def note(self, message: str) -> None:
        """On a line of its own."""
        self._write(message, ends=True, whole=True)

    def close(self) -> None:
        """End the line that renews itself."""
        if self._open:
            self._open = False
            self.stream.write("\n")

    def _place(self, item: str, now: float) -> str:
        """ "Training: 120 of 240 (50 %), epoch 3 of 5, 40 s left"."""
        from core.training.monitor.status import duration

        count = f"{self.done} of {self.total} ({self.done * 100 // self.total} %)" if self.total else str(self.done)
        if self.done == self.total:
            took = now - self._started
            return f"{self.what}: {count}" + (f", took {duration(took)}" if took >= 1 else "")
        left, words = self.seconds_left(), item if " " in item else ""  # the name of a file would only flicker
        return ", ".join(filter(None, [f"{self.what}: {count}", words, f"{duration(left)} left" if left is not None else ""]))

    def _write(self, text: str, ends: bool, whole: bool = False) -> None:
        """Args: ends: the line stays. whole: it may be longer than the terminal is wide; a line that wraps cannot renew itself."""
        if self._renews:
            room = shutil.get_terminal_size().columns - 1
            text = "\r\x1b[K" + (text if whole or len(text) <= room else f"{text[: room - 1]}…")
        self.stream.write(_printable(text) + ("\n" if ends else ""))
        self.stream.flush()
        self._open = not ends


def _printable(text: str) -> str:
    r"""The text with what UTF-8 does not have, in names of files of old archives, as \udc83: who reads it as JSON gets the name back."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns: 0 done, 1 something is wrong (its sentence is on the error stream), 2 cancelled."""
    parser = build_parser()
    given = parser.parse_args(argv)
    progress = TerminalProgress()
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked_to_stop, lambda *_: progress.cancel())
    try:
        try:
            result = given.act(given, progress)
        finally:
            progress.close()
    except Cancelled as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Exception as error:
        known = explain(error)
        if known is None:
            raise  # a bug: whoever works in a terminal needs its traceback
        sys.stdout.write(json.dumps({"error": known[0], "hint": known[1]}) + "\n" if given.json else "")
        sys.stderr.write(" ".join(filter(None, known)) + "\n")
        return 1
    values = plain(result)
    code = int(values.pop("exit_code", 0))
    text = (json.dumps(values, ensure_ascii=False) if given.json else _readable(values)) + "\n"
    sys.stdout.write(_printable(text))
    return code


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(prog="./jupyter.sh core", description="Lorabook: from a pile of pictures to a trained LoRA.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _create(_command(commands, "create", "Make a new project", create))
    for stage in STAGES.values():
        _stage_command(commands, stage)
    _command(commands, "check-dataset", "Check images and captions", check_dataset, project=True)
    _command(commands, "undo", "Take back the last bulk change of captions", undo, project=True)
    _command(commands, "presets", "List the training presets", presets)
    _training(commands)
    _command(commands, "doctor", "Check this machine", doctor)
    demo_parser = _command(commands, "demo", "Run the whole way on the embedded model", demo)
    demo_parser.add_argument("--folder", default="demo", help="where the demo's project and report are written")
    return parser


def _command(commands: Any, name: str, title: str, act: Callable[..., Any], project: bool = False) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=title, description=title)
    if project:
        parser.add_argument("project", type=Path, help="the project's folder")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.set_defaults(act=act)
    return parser


def _stage_command(commands: Any, stage: Stage) -> None:
    cls = stage.settings_class()

    def act(given: argparse.Namespace, progress: Progress) -> Any:
        return stage.run(stage.folder() or given.project, cls.make(**read_flags(vars(given), cls)), progress)

    add_flags(_command(commands, stage.name, stage.title, act, project=stage.folder() is None), cls)


def _create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="the project's name")
    parser.add_argument("--parent", type=Path, help="folder that it is made in (default: projects/)")
    parser.add_argument("--trigger", default="", help="the word that will call the LoRA")
    parser.add_argument("--family", default="sd15", help="model family: sd15, sdxl")


def create(given: argparse.Namespace, progress: Progress) -> Any:
    """Make a project."""
    from core.dataset.manager import DatasetManager

    manager = DatasetManager.create(given.name, parent=given.parent, trigger=given.trigger, family=given.family)
    return {"project": str(manager.project.folder)}


def check_dataset(given: argparse.Namespace, progress: Progress) -> Any:
    """Findings about the dataset; exit code 1 when one of them stops the training."""
    from core.dataset.manager import DatasetManager

    return _findings(DatasetManager.open(given.project).check())


def undo(given: argparse.Namespace, progress: Progress) -> Any:
    """Take back the last bulk change."""
    from core.dataset.manager import DatasetManager

    return {"undone": DatasetManager.open(given.project).undo()}


def presets(given: argparse.Namespace, progress: Progress) -> Any:
    """Names by family, the demo's and a person's own last; what cannot be read is told."""
    from core.base.families import TRAINED
    from core.training.config.own_presets import own_presets
    from core.training.config.presets import find_presets

    own, broken = own_presets()
    for finding in broken:
        progress.warn(str(finding))
    every = sorted({**find_presets(), **own}.values(), key=lambda preset: (preset.name in own, not preset.listed))
    return {family: [preset.name for preset in every if preset.family == family] for family in TRAINED}


def doctor(given: argparse.Namespace, progress: Progress) -> Any:
    """Findings about this machine."""
    from core.setup.manager import SetupManager

    return _findings(SetupManager().doctor())


def demo(given: argparse.Namespace, progress: Progress) -> Any:
    """The whole way on the embedded model; exit code 1 when the LoRA did not learn."""
    from core.demo.run import run_demo

    summary = run_demo(Path(given.folder), progress)
    return {**plain(summary), "exit_code": 0 if summary.learned else 1}


def _findings(findings: list[Any]) -> dict[str, Any]:
    return {"findings": [finding.as_dict() for finding in findings],
            "exit_code": int(any(finding.level == "error" for finding in findings))}


def _training(commands: Any) -> None:
    from core.training.config import TrainingSettings
    from core.training.guards import GuardSettings

    for name, title, act in (("check", "Check the settings before anything is paid for", check), ("train", "Start a training run", train)):
        parser = _command(commands, name, title, act, project=True)
        parser.add_argument("--preset", default="", help="where the settings begin, with the project's own model, folders, prompts and "
                            "name; flags change single ones. Without --sample_prompts some are proposed from trigger word and captions; "
                            "--sample_prompts '[]' draws none. Without a preset: the settings that Trainer keeps for the project, before "
                            "any the first preset for its family")
        parser.add_argument("--backend", default="builtin", help="builtin, sd-scripts or musubi")
        if name == "train":
            parser.add_argument("--wait", action="store_true", help="stay until the run has ended and show its progress")
            parser.add_argument("--hold", action="store_true", help="let it wait in the queue until it is released")
            add_flags(parser.add_argument_group(GuardSettings.title), GuardSettings)  # type: ignore[arg-type]
        add_flags(parser, TrainingSettings)
    _command(commands, "runs", "List a project's runs", runs, project=True)
    for name, title, act in (("status", "How a run stands", status), ("stop", "Stop a run; its last checkpoint is whole", stop),
                             ("resume", "Go on with a stopped or lost run", resume), ("report", "Write a run's report.html", report)):
        parser = _command(commands, name, title, act, project=True)
        parser.add_argument("run", nargs="?", default="", help="its id; empty: the newest run")
        if name == "report":
            parser.add_argument("--compare", nargs="+", default=[], metavar="RUN", help="ids of other runs that it is put beside")
        if name == "stop":
            parser.add_argument("--after-epoch", action="store_true", help="when the present epoch is over and saved")
            parser.add_argument("--force", action="store_true", help="at once, without a last checkpoint")
    add_queue_command(commands, _command)


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
    return _findings(_manager(given).check(_training_settings(given), given.backend))


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


def _readable(values: dict[str, Any]) -> str:
    if "findings" in values:
        lines = [f"{finding['level']:8} {finding['what']} {finding['remedy']}".rstrip() for finding in values["findings"]]
        return "\n".join(lines) or "Nothing to mend."
    if values.get("summary"):
        return str(values["summary"])
    return "\n".join(f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
                     for key, value in values.items() if value not in (None, "", [], {}))
