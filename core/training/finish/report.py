"""What a finish leaves behind: the report of its stage."""

from __future__ import annotations

from dataclasses import dataclass

from core.training.finish.settings import Act
from core.training.finish.status import FileReport


@dataclass(frozen=True)
class FinishReport:
    """How the finish of a run ended."""

    run: str
    act: Act
    """What was done with the machine."""
    why: str
    """Why it stays on; empty: it does not."""
    repo_id: str = ""
    files: tuple[FileReport, ...] = ()

    def sentence(self) -> str:
        """ "3 files were uploaded to me/cats and verified. The machine was stopped." """
        parts = [f"{len(self.files)} file{'s' if len(self.files) != 1 else ''} uploaded to {self.repo_id} and verified there."] \
            if self.files else []
        if self.act == "nothing":
            return " ".join([*parts, f"The machine stays on. {self.why}".strip()])
        return " ".join([*parts, f"The machine was asked to {'be destroyed' if self.act == 'destroy' else 'stop'}."])
