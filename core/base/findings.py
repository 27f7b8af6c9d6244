"""What a check found, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One result of a check (doctor, dataset check, contract, preflight)."""

    level: Literal["error", "warning", "info"]
    what: str
    """One sentence: what, its value, where."""
    remedy: str = ""
    """What to do; empty when nothing need be done."""

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".strip()

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def errors_of(findings: list[Finding]) -> list[Finding]:
    """Only what stops the work."""
    return [finding for finding in findings if finding.level == "error"]
