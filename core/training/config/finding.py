"""What a check of the training settings found: also why it matters, and the change that mends it at one press."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from core.base.findings import Finding


@dataclass(frozen=True)
class SettingFinding(Finding):
    """A finding about settings."""

    why: str = ""
    """What would happen otherwise, and when."""
    fix: tuple[tuple[str, Any], ...] = ()
    """Settings by name and the values that mend it; empty where a person must decide."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**super().as_dict(), "fix": dict(self.fix)}


def finding(level: Literal["error", "warning", "info"], what: str, remedy: str, why: str = "", **fix: Any) -> SettingFinding:
    """A finding with its fix by names: `finding("error", …, adaptive_noise_scale=None)`."""
    return SettingFinding(level, what, remedy, why, tuple(fix.items()))
