"""Whether runs can be sent to Weights & Biases from here: its key or login, and its package in the trainer's environment.

The key stays where it is: it reaches the trainer through its environment or its owner's netrc, and stands in no file, argument or log.
"""

from __future__ import annotations

import netrc
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

from core.base.findings import Finding
from core.training.backends.checkouts import interpreter_of
from core.training.config.finding import finding
from core.training.config.log import LoggingSettings

SENT = ("wandb", "all")
"""Values of `log_with` that send."""
NO_KEY = "There is no key of Weights & Biases: the variable WANDB_API_KEY is not set, and nobody has logged in with 'wandb login'."


def wandb_problem(backend: str) -> str:
    """Why runs of a backend cannot be sent there; empty: they can."""
    if backend == "builtin":
        return "The built-in trainer writes TensorBoard files only."
    if not (has_key() or os.environ.get("WANDB_MODE") in ("offline", "disabled")):
        return NO_KEY
    python = interpreter_of(backend)
    if python is None or not has_package(python):
        return f"The trainer's environment has no package wandb. Run: {python or 'its python'} -m pip install wandb"
    return ""


def check_wandb(settings: LoggingSettings) -> Iterator[Finding]:
    """A run that is to be sent and would wait for a key that nobody can type; the package is looked for with the others."""
    if settings.log_with in SENT and not (has_key() or os.environ.get("WANDB_MODE") in ("offline", "disabled")):
        yield finding("error", NO_KEY, "Set WANDB_API_KEY before Lorabook is started, set WANDB_MODE to offline, or empty log_with.",
                      "The run would end after its models are loaded, minutes later.", log_with=None)


def has_key() -> bool:
    """Whether the trainer will find a key: in its environment, or in the netrc that `wandb login` writes."""
    return bool(os.environ.get("WANDB_API_KEY") or login_password())


def login_password() -> str:
    """The key that `wandb login` has kept; empty where there is none. For taking it out of logs only."""
    host = urlparse(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname or ""
    for place in (os.environ.get("NETRC"), "~/.netrc", "~/_netrc"):
        try:
            file = Path(place).expanduser() if place else None
            found = netrc.netrc(str(file)).authenticators(host) if file is not None and file.is_file() else None
        except (OSError, ValueError, RuntimeError, netrc.NetrcParseError):  # no home, no UTF-8, no netrc: then no key is kept there
            continue
        if found and found[2]:
            return found[2]
    return ""


def has_package(python: Path) -> bool:
    """Whether the environment of that Python has wandb; looked for in its folders, so that nothing is started for it."""
    root = python.parent.parent
    places = ("lib*/python*/site-packages/wandb", "lib*/python*/dist-packages/wandb", "Lib/site-packages/wandb")
    return any((folder / "__init__.py").is_file() for place in places for folder in root.glob(place))
