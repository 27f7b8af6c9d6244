"""The command line: every stage as a sub-command, with flags derived from its settings class."""

from __future__ import annotations

import argparse
import difflib
import json
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from core.base.errors import Cancelled
from core.base.failures import explain
from core.base.progress import Progress
from core.base.settings import Settings
from core.base.words import aligned
from core.flags import add_flags, read_flags, remedy_in_flags, what_in_flags
from core.lazy_parser import LazyParser
from core.stages import STAGES, Stage, plain, told_findings
from core.terminal import TerminalProgress, printable
from core.training_commands import add_training_commands


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns: 0 done, 1 something is wrong (its sentence is on the error stream), 2 cancelled."""
    parser, words = build_parser(), sys.argv[1:] if argv is None else argv
    if wrong := _unknown_command(parser, words):
        sys.stderr.write(f"{wrong}\n")
        return 1
    given, unknown = parser.parse_known_args(words)
    if unknown:  # said without argparse's usage, whose three hundred flags would hide it
        sys.stderr.write(f"{_unknown_words(given.parser, unknown)}\n")
        return 1
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
        known = what_in_flags(known[0], *given.settings), remedy_in_flags(known[1], *given.settings)
        sys.stdout.write(json.dumps({"error": known[0], "hint": known[1]}) + "\n" if given.json else "")
        sys.stderr.write(" ".join(filter(None, known)) + "\n")
        return 1
    values = plain(result)
    code = int(values.pop("exit_code", 0))
    text = json.dumps(values, ensure_ascii=False) if given.json else _readable(_with_flags(values, given.settings))
    sys.stdout.write(printable(text) + "\n")
    return code


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(prog="./jupyter.sh core", description="Lorabook: from a pile of pictures to a trained LoRA.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=LazyParser)
    _create(_command(commands, "create", "Make a new project", create))
    for stage in STAGES.values():
        _stage_command(commands, stage)
    _command(commands, "check-dataset", "Check images and captions", check_dataset, project=True)
    _command(commands, "undo", "Take back the last bulk change of captions", undo, project=True)
    _command(commands, "presets", "List the training presets", presets)
    add_training_commands(commands, _command)
    _command(commands, "doctor", "Check this machine", doctor)
    demo_parser = _command(commands, "demo", "Run the whole way on the embedded model", demo)
    demo_parser.add_argument("--folder", default="demo", help="where the demo's report is written; its project lies among the others")
    return parser


def _command(commands: Any, name: str, title: str, act: Callable[..., Any], project: bool = False) -> LazyParser:
    parser: LazyParser = commands.add_parser(name, help=title, description=title)
    if project:
        parser.add_argument("project", type=Path, help="the project's folder")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.set_defaults(act=act, parser=parser, settings=())
    return parser


def _unknown_command(parser: argparse.ArgumentParser, words: Sequence[str]) -> str:
    """What is said of a command that there is not; empty: it is one, or none was given."""
    known: Collection[str] = next(action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    command = next((word for word in words if not word.startswith("-")), "")
    if not command or command in known:
        return ""
    like = difflib.get_close_matches(command, known, 1, 0.6)
    return f"{command} is no command.{f' Did you mean {like[0]}?' if like else ''} Every command: {parser.prog} --help"


def _unknown_words(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> str:
    """What is said of words that the command does not know, with the flag that was probably meant."""
    known = [name for action in parser._actions for name in action.option_strings]
    first = next((word for word in unknown if word.startswith("--")), unknown[0])
    flag = first.partition("=")[0]
    if not first.startswith("-") and "--file" in known:
        return f"{first} stands there without a flag. Did you mean --file {first}? Every flag: {parser.prog} --help"
    like = difflib.get_close_matches(flag.replace("-", "_").replace("__", "--", 1), known, 1, 0.7) or \
        sorted((name for name in known if flag.strip("-") and flag.lstrip("-").replace("-", "_") in name), key=len)[:1]
    meant = f" Did you mean {like[0]}?" if like else ""
    return f"{flag} is unknown here.{meant} Every flag: {parser.prog} --help"


def _stage_command(commands: Any, stage: Stage) -> None:
    def act(given: argparse.Namespace, progress: Progress) -> Any:
        cls, = given.settings
        return stage.run(stage.folder() or given.project, cls.make(**read_flags(vars(given), cls)), progress)

    def make() -> None:
        parser.set_defaults(settings=(stage.settings_class(),))
        add_flags(parser, stage.settings_class())

    parser = _command(commands, stage.name, stage.title, act, project=stage.folder() is None)
    parser.later(make)


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

    return told_findings(DatasetManager.open(given.project).check())


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

    return told_findings(SetupManager().doctor())


def demo(given: argparse.Namespace, progress: Progress) -> Any:
    """The whole way on the embedded model; exit code 1 when the LoRA did not learn."""
    from core.demo.run import run_demo

    summary = run_demo(Path(given.folder), progress)
    return {**plain(summary), "exit_code": 0 if summary.learned else 1}


def _with_flags(values: dict[str, Any], classes: Sequence[type[Settings]]) -> dict[str, Any]:
    """A report whose findings name flags in what is to be done; all else in it stays, for it holds a person's own words."""
    found = [{**one, "remedy": remedy_in_flags(one["remedy"], *classes)} for one in values.get("findings") or ()]
    return {**values, "findings": found} if found else values


def _readable(values: dict[str, Any]) -> str:
    """A report for people: its own words, its table, then what was found and does not stand in them."""
    rows, found = values.get("table") or [], values.get("findings")
    told = [str(values["summary"])] if values.get("summary") else []
    made = str(values.get("file") or "")
    told += [f"It lies in {Path(made).parent}."] if told and made and Path(made).name in told[0] and made not in told[0] else []
    told += aligned([list(rows[0]), *(list(map(str, row.values())) for row in rows)]) if rows else []
    told += [f"{one['level']:8} {one['what']} {one['remedy']}".rstrip() for one in found or () if one["what"] not in "".join(told[:1])]
    if told or found is not None:
        return "\n".join(told) or "Nothing to mend."
    return "\n".join(f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
                     for key, value in values.items() if value not in (None, "", [], {}))
