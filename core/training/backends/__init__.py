"""Backends: each turns a run's pair of files into the command that trains it.

To add one: a module with a class that has the methods of `Backend`, an `Entry` here, a test, a line in docs/backends.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.base.findings import Finding
from core.base.registry import Entry, Registry

if TYPE_CHECKING:
    from core.training.config import TrainingSettings


class RunFolder(Protocol):
    """What a backend needs of a run: the folder with its pair."""

    @property
    def folder(self) -> Path:
        """`runs/<id>`, with config.toml, dataset.toml and settings.toml inside."""
        ...


@dataclass(frozen=True)
class Command:
    """A program to start; no shell is involved."""

    argv: list[str]
    """Program and arguments, each a word of its own."""
    cwd: Path
    """Working folder."""
    env: dict[str, str] = field(default_factory=dict)
    """Variables added to this process's own."""


class Backend(Protocol):
    """A trainer, seen from outside. The methods need no instance: `BACKENDS.load(name).command(run)`."""

    @classmethod
    def command(cls, run: RunFolder) -> Command:
        """The command that trains a run. Raises: TrainingError: the trainer is not installed. ConfigError: no pair in the folder."""
        ...

    @classmethod
    def remakes_command(cls, settings: TrainingSettings) -> bool:
        """Whether another try of a run with these settings needs its command anew, for it says more than where the pair lies."""
        ...

    @classmethod
    def missing(cls) -> Finding | None:
        """What keeps it from running on this machine, with the remedy; None when it is ready."""
        ...

    @classmethod
    def check(cls, run: RunFolder) -> list[Finding]:
        """What it would misread or refuse in the run's pair."""
        ...


BACKENDS = Registry[type[Backend]](
    "backend",
    Entry("builtin", "core.training.backends.builtin:BuiltinBackend", "Built-in trainer",
          note="Needs nothing beside Lorabook; runs on a GPU or a CPU."),
    Entry("sd-scripts", "core.training.backends.sd_scripts:SdScriptsBackend", "kohya-ss sd-scripts",
          source="https://github.com/kohya-ss/sd-scripts", licence="Apache-2.0",
          note="A checkout of its own with an environment of its own: python3 installer.py --trainer sd-scripts"),
    Entry("musubi", "core.training.backends.musubi:MusubiBackend", "kohya-ss musubi-tuner",
          source="https://github.com/kohya-ss/musubi-tuner", licence="Apache-2.0",
          note="FLUX.2, Qwen-Image, Z-Image, FLUX.1 Kontext. A checkout of its own with an environment of its own: python3 installer.py "
               "--trainer musubi"),
)
