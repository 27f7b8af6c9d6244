"""Every error that Lorabook raises on purpose: one tree, each message a sentence that a person can act on."""

from __future__ import annotations

import importlib
from types import ModuleType


class StudioError(Exception):
    """What is wrong (with its value and where), and what to do about it.

    Args:
        message: one sentence: what, its value, where.
        hint: what the person can do now; shown after the message.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigError(StudioError):
    """A setting, a combination of settings or a configuration file is wrong."""


class DatasetError(StudioError):
    """A project, a folder, an image or a caption is missing or unusable."""


class ModelError(StudioError):
    """A model file is missing, broken, or not what it is said to be."""


class TrainingError(StudioError):
    """A training run could not be prepared, started or finished."""


class DiskError(StudioError):
    """A file could not be written: no space, no permission."""


class MissingDependency(StudioError):
    """A Python package is not installed in this environment."""


class Cancelled(StudioError):
    """The person stopped the work; what was finished before is kept."""

    def __init__(self, message: str = "Cancelled.", hint: str = "What was finished before is kept.") -> None:
        super().__init__(message, hint)


def require(module: str, needed_for: str, extra: str = "") -> ModuleType:
    """Import a heavy package at the point of use.

    Args:
        module: import name, e.g. "onnxruntime".
        needed_for: the feature, as the start of a sentence: "The WD tagger".
        extra: name of the optional group in pyproject.toml that brings it; empty for requirements.txt.

    Raises:
        MissingDependency: with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        command = f"python3 installer.py --with {extra}" if extra else "python3 installer.py"
        reason = "" if isinstance(error, ModuleNotFoundError) and error.name == module else f" (it is there, but: {error})"
        raise MissingDependency(f"{needed_for} needs {module!r}{reason}.", f"Run: {command}") from error
