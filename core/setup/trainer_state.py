"""A trainer of another project: what it is, and what of it is on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.base.findings import Finding


@dataclass(frozen=True)
class Trainer:
    """A trainer and the versions that it was tested with."""

    name: str
    title: str
    url: str
    commit: str
    script: str
    """A file of the checkout by which it is recognised."""
    pythons: tuple[str, ...]
    """Best first."""
    torch: tuple[str, ...]
    torch_new_gpu: tuple[str, ...]
    """For GPUs of compute capability 12 (RTX 50), which the older torch does not know."""
    extras: tuple[str, ...] = ()
    """Packages that its own requirements lack and that its options name."""
    requirements: tuple[str, ...] = ()
    """What it needs, where it has no requirements.txt."""
    packages: str = ""
    """The checkout's folder with its packages; empty: the checkout itself."""


@dataclass(frozen=True)
class TrainerState:
    """What of a trainer is on this machine."""

    trainer: Trainer
    folder: Path
    """Its checkout, there or not."""
    commit: str = ""
    """The commit that is checked out; "" for none or for a plain copy."""
    python: Path | None = None
    """The Python of its own environment; None until that is whole."""

    @property
    def present(self) -> bool:
        """The checkout is there."""
        return (self.folder / self.trainer.script).is_file()

    @property
    def ready(self) -> bool:
        """It can train."""
        return self.present and self.python is not None

    def findings(self) -> list[Finding]:
        """What is ready, what is missing, and the command that mends it."""
        name, command = self.trainer.title, f"Run: python3 installer.py --trainer {self.trainer.name}"
        if not self.present:
            return [Finding("info", f"The trainer {name} is not installed; the built-in trainer is always there.",
                            f"To add it, run: python3 installer.py --trainer {self.trainer.name}")]
        found = []
        if self.commit and self.commit != self.trainer.commit:
            found.append(Finding("warning", f"{self.folder} is at commit {self.commit[:10]}; tested is {self.trainer.commit[:10]}.",
                                 command))
        if self.python is None:
            return [*found, Finding("warning", f"{name} is in {self.folder}, but its environment is missing or was not finished.", command)]
        return [*found, Finding("info", f"The trainer {name} is ready in {self.folder}.")]
