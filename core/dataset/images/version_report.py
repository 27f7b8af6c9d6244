"""What a tool made of many pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from core.base.buckets import Size
from core.base.words import counted
from core.dataset.images.one_colour import ONE_COLOUR
from core.dataset.items import Skipped

MOST_REASONS = 3
"""Reasons that the sentence counts."""


@dataclass(frozen=True)
class MadeVersion:
    """One version that was made."""

    name: str
    """File name in `variants/`."""
    before: Size
    after: Size
    note: str = ""


@dataclass
class VersionReport:
    """What came of it."""

    made: list[MadeVersion] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    """Names of pictures whose version was there already."""
    unneeded: list[str] = field(default_factory=list)
    """Names of pictures that need no version, or in which nothing was found."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why one of them needs none, by its name, where the tool says it."""
    skipped: list[Skipped] = field(default_factory=list)

    def sentence(self) -> str:
        """The result in one line."""
        words = [f"{counted(len(self.made), 'version')} made"]
        flat = len(self.doubtful())
        words += [f"{flat} of them all of one colour: look at {'it' if flat == 1 else 'them'}"] if flat else []
        words += [f"{len(self.there)} there already"] if self.there else []
        words += [f"{counted(len(self.unneeded), 'picture')} needed none{self._why_none()}"] if self.unneeded else []
        words += [f"{len(self.skipped)} left out (the list says why)"] if self.skipped else []
        return ", ".join(words) + "."

    def doubtful(self) -> list[Skipped]:
        """Versions that were made and should be looked at, and why."""
        return [Skipped(one.name, ONE_COLOUR) for one in self.made if ONE_COLOUR in one.note]

    def _why_none(self) -> str:
        """" (2: …; 1: …)", the usual reasons first; empty: no tool said one."""
        reasons = Counter(reason.rstrip(".") for reason in self.reasons.values()).most_common(MOST_REASONS)
        if [number for _, number in reasons] == [len(self.unneeded)]:
            return f" ({reasons[0][0]})"
        return f" ({'; '.join(f'{number}: {reason}' for reason, number in reasons)})" if reasons else ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"summary": self.sentence(), "made": [vars(one) for one in self.made], "there": self.there, "unneeded": self.unneeded,
                "reasons": self.reasons, "doubtful": [vars(one) for one in self.doubtful()], "skipped": [vars(one) for one in self.skipped]}
