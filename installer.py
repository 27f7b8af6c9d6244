#!/usr/bin/env python3
"""Sets Lorabook up: python3 installer.py. Standard library only; run again at any time, it does only what is missing.

    python3 installer.py                          the environment and its packages
    python3 installer.py --doctor                 look at this machine, change nothing
    python3 installer.py --trainer sd-scripts     add a trainer of another project (musubi: FLUX.2, Qwen-Image, Z-Image, Kontext)
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - this file is run with whatever Python a machine has
    sys.exit(f"Lorabook needs Python 3.10 or newer; this is {sys.version.split()[0]} ({sys.executable}).\n"
             "What to do: install Python 3.11 and run: python3.11 installer.py")

import argparse
import json
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from core.base.errors import StudioError  # noqa: E402
from core.base.findings import Finding, errors_of  # noqa: E402
from core.base.progress import Progress  # noqa: E402
from core.setup.manager import SetupManager  # noqa: E402

LARGE_DOWNLOAD_MB = 100


class Console(Progress):
    """Phases on lines of their own; on a terminal, what pip and git say runs through one line below."""

    def __init__(self) -> None:
        super().__init__()
        self.live = sys.stderr.isatty()

    def report_start(self) -> None:
        """Show the phase."""
        self.clear()
        sys.stderr.write(f"{self.what} ...\n")
        sys.stderr.flush()

    def note(self, message: str) -> None:
        """Show a line of pip or git; without a terminal only large downloads, which take long."""
        if self.live:
            width = shutil.get_terminal_size().columns - 4
            sys.stderr.write(f"\r\x1b[K  {message.strip()[:width]}")
            sys.stderr.flush()
        elif (size := re.search(r"Downloading (\S+).*\((\d+)(?:\.\d+)? MB\)", message)) and int(size.group(2)) >= LARGE_DOWNLOAD_MB:
            sys.stderr.write(f"  {message.strip()}\n")
            sys.stderr.flush()

    def clear(self) -> None:
        """Empty the running line."""
        if self.live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 installer.py",
                                     description="Set Lorabook up, or look at what is wrong with this machine.",
                                     epilog="LORABOOK_VENV names another environment; LORABOOK_TRAINERS another folder for trainers.")
    parser.add_argument("--doctor", action="store_true", help="look at this machine and change nothing")
    parser.add_argument("--json", action="store_true", help="with --doctor: print the findings as JSON")
    parser.add_argument("--with", dest="groups", action="append", default=[], metavar="GROUP",
                        help="also a group of packages: dev (tests and checks)")
    parser.add_argument("--trainer", action="append", default=[], metavar="NAME",
                        help="also a trainer of another project: sd-scripts, musubi")
    parser.add_argument("--from", dest="source", default="", metavar="DIR_OR_URL", help="take the trainer from a local folder or a mirror")
    parser.add_argument("--no-env", action="store_true", help="fetch the trainer without its environment (6 GB)")
    parser.add_argument("--torch-index", default="", metavar="URL", help="take torch from this package index, e.g. https://download.pytorch.org/whl/cpu")
    parser.add_argument("--repair", action="store_true", help="make the environment anew")
    parser.add_argument("--which", action="store_true", help="print the Python that Lorabook uses, and nothing else")
    parser.add_argument("--running-jupyter", action="store_true",
                        help="print how to use the Jupyter that a rented machine runs already; status 1 where there is none")
    parser.add_argument("--own-jupyter", nargs=argparse.REMAINDER, metavar="OPTION",
                        help="print how your browser reaches a JupyterLab that is opened with these options (jupyter.sh asks; last)")
    options = parser.parse_args(argv)
    if options.json and not options.doctor:
        parser.error("--json goes with --doctor")
    if (options.source or options.no_env) and not options.trainer:
        parser.error("--from and --no-env go with --trainer NAME")
    return options


def install(manager: SetupManager, options: argparse.Namespace, console: Console) -> list[Finding]:
    """Install what is asked for; a part that fails becomes a finding, and the next part goes on."""
    groups = tuple(group for text in options.groups for group in text.split(","))
    started, found, changed = time.monotonic(), [], True
    try:
        report = manager.install(groups, options.torch_index, options.repair, console)
        found, changed = list(report.findings), report.changed
    except StudioError as error:
        found = [Finding("error", error.message, error.hint)]
    for name in options.trainer:
        try:
            found += manager.install_trainer(name, options.source, not options.no_env, console)
        except StudioError as error:
            found.append(Finding("error", error.message, error.hint))
    console.clear()
    if not changed and not options.trainer:
        say(f"Nothing had to be changed ({time.monotonic() - started:.1f} s).")
    return found + manager.doctor(deep=changed and not errors_of(found), progress=Progress())


def say(text: str) -> None:
    """One line for the person."""
    sys.stdout.write(text + "\n")


def show(findings: Sequence[Finding]) -> None:
    """One line for each finding, its remedy below it, what needs something last."""
    words = {"error": "not ready", "warning": "attention", "info": "ok"}
    once = {finding.what: finding for finding in reversed(findings)}
    for level in ("info", "warning", "error"):
        for finding in findings:
            if finding.level != level or once.get(finding.what) is not finding:
                continue
            word = "optional" if level == "info" and finding.remedy else words[level]
            say(f"  {word:<11}{finding.what}")
            if finding.remedy:
                say(f"  {'':<11}  {finding.remedy}")


def close(findings: Sequence[Finding], manager: SetupManager) -> int:
    """The last words: ready or not, why, and the one command. Returns: exit status."""
    show(findings)
    if wrong := errors_of(list(findings)):
        say(f"\nLorabook is not ready: {wrong[0].what}")
        say(f"What to do: {wrong[0].remedy or 'python3 installer.py --doctor tells more.'}")
        return 1
    provider, running = manager.provider(), bool(manager.running_jupyter())
    verb = "says how to open it here" if running else "opens it and says how your browser reaches it" if provider.tunnel else "opens it"
    opening = f"./jupyter.sh {verb}, ./jupyter.sh demo shows what it does"
    if provider.name == "colab":
        opening = "open Dataset_Maker.ipynb and run its cells"
    say(f"\nLorabook is ready: {opening}.")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the installer. Returns: 0 when Lorabook is ready, 1 when it is not, 130 when it was stopped."""
    options = parse(argv)
    manager, console = SetupManager(ROOT), Console()
    try:
        if options.which:
            say(str(manager.environment().python))
            return 0
        if options.running_jupyter:
            if words := manager.running_jupyter():
                say(words)
            return 0 if words else 1
        if options.own_jupyter is not None:
            option, words = manager.own_jupyter(options.own_jupyter)
            sys.stderr.write(f"\n{words}\n\n" if words else "")
            say(option)
            return 0
        if options.doctor:
            findings = manager.doctor(progress=Progress())
            if options.json:
                say(json.dumps({"ready": not errors_of(findings), "findings": [finding.as_dict() for finding in findings]}, indent=2))
                return 1 if errors_of(findings) else 0
            return close(findings, manager)
        return close(install(manager, options, console), manager)
    except StudioError as error:
        console.clear()
        # jupyter.sh reads the output of these two.
        read = options.which or options.own_jupyter is not None
        start = "" if options.own_jupyter is not None else "Lorabook is not ready: "
        (sys.stderr.write if read else sys.stdout.write)(f"{start}{error.message}\nWhat to do: {error.hint}\n")
        return 1
    except KeyboardInterrupt:
        console.clear()
        say("Stopped. What was finished is kept; run it again to go on.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
