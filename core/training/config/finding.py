"""What a check of the training settings found: also why it matters, and the change that mends it at one press."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from core.base.errors import ConfigError
from core.base.findings import Finding
from core.base.paths import typed_path


@dataclass(frozen=True)
class SettingFinding(Finding):
    """A finding about settings."""

    why: str = ""
    """What would happen otherwise, and when."""
    fix: tuple[tuple[str, Any], ...] = ()
    """Settings by name and the values that mend it; empty where a person must decide."""
    preset: str = ""
    """Name of the preset that mends it, where single settings do not; empty: none does."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**super().as_dict(), "fix": dict(self.fix), "preset": self.preset}


def finding(level: Literal["error", "warning", "info"], what: str, remedy: str, why: str = "", **fix: Any) -> SettingFinding:
    """A finding with its fix by names: `finding("error", …, adaptive_noise_scale=None)`."""
    return SettingFinding(level, what, remedy, why, tuple((name, tuple(value) if isinstance(value, list) else value)
                                                          for name, value in fix.items()))


def missing_file(title: str, value: str, remedy: str) -> Finding:
    """That a file or folder does not exist; of a path of another computer, what to do instead."""
    try:
        return Finding("error", f"The {title} {typed_path(value)} does not exist.", remedy)
    except ConfigError as error:
        return Finding("error", f"The {title}: {error.message}", error.hint)
