"""What a look at captions takes and gives: the settings, a finding with its change, and the captions parted once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from core.base.families import FamilyName
from core.base.findings import Finding
from core.base.settings import Settings, setting
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.operation import Operation
from core.dataset.captions.operations import ReplaceTags
from core.dataset.captions.statistics import TagCounts, tag_frequencies
from core.dataset.captions.target import Target

SHOWN = 5
"""Tags or names in one sentence."""
FEW = 10
"""Captions below which shares say nothing."""


class LintSettings(Settings):
    """For what the captions are looked at."""

    title = "Look at captions"

    family: Literal["auto", FamilyName] = setting("auto", "Model family", "For which model the captions are written. auto: what was chosen "
                                                  "for this project, else what is set in Trainer, else the project's.")
    trigger_word: str = setting("", "Trigger word", "Empty takes the project's.")
    style: Literal["auto", "tags", "prose"] = setting("auto", "Written in", "auto: what the family wants; where it takes either, whatever "
                                                      "most of them are.")
    max_token_length: int = setting(0, "Tokens that are read", "What comes behind is not seen. 0: as set in Trainer, else as its presets "
                                    "and the family do.", ge=0, level="advanced", unit="tokens")
    fused_share: float = setting(0.85, "Nearly always", "From this part of the captions on, a tag cannot be told from the trigger word.",
                                 ge=0.5, le=1, level="advanced")


@dataclass(frozen=True)
class CaptionFinding(Finding):
    """One finding about captions."""

    kind: str = ""
    ids: tuple[str, ...] = ()
    """The images concerned."""
    fix: EditSettings | None = field(default=None, compare=False)
    """The bulk change that mends it; None where only a person can."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        fix = None if self.fix is None else self.fix.model_dump(mode="json", exclude_defaults=True)
        return {"level": self.level, "what": self.what, "remedy": self.remedy, "kind": self.kind, "ids": list(self.ids), "fix": fix}


@dataclass
class Looked:
    """All captions, parted once."""

    captions: dict[str, str]
    """Those that say something, by image id."""
    missing: list[str]
    """Images without a caption, or with one that says nothing."""
    signs: bool
    """One of these has a caption of commas or invisible characters alone."""
    parts: dict[str, list[str]]
    keys: dict[str, set[str]]
    prose: set[str]
    """Ids of captions that hold a sentence."""
    counts: TagCounts
    trigger: str
    settings: LintSettings
    target: Target

    @cached_property
    def style(self) -> str:
        """ "tags" or "prose": how they should be written; empty where both may stand side by side."""
        wanted = self.settings.style if self.settings.style != "auto" else self.target.family.style
        if wanted != "either" and (self.settings.style != "auto" or not self.target.family.mixes):
            return wanted
        if self.target.family.mixes:
            return ""
        return "prose" if 2 * len(self.prose) > len(self.captions) else "tags"

    @cached_property
    def tag_counts(self) -> TagCounts:
        """Counts of the captions that are written in tags: clauses of sentences are no spellings."""
        if not self.prose:
            return self.counts
        return tag_frequencies({name: text for name, text in self.captions.items() if name not in self.prose})

    def holding(self, keys: AbstractSet[str]) -> list[str]:
        """Ids of the captions that hold one of these tags and something else beside them."""
        return [name for name, here in self.keys.items() if not keys.isdisjoint(here) and not here <= keys]


Check = Callable[[Looked], Iterator[CaptionFinding]]


def one_edit(operation: Operation, ids: Sequence[str] = ()) -> EditSettings:
    """A bulk change of one step. Args: ids: only these images; none: all."""
    return EditSettings(operations=(operation,), ids=tuple(ids))


def rename(old: Sequence[str], new: Sequence[str]) -> ReplaceTags:
    """Each of the old tags by the new one in its place; by itself: as it is written here."""
    search, replacement = ("; ".join(tag.replace(";", "\\;") for tag in tags) for tags in (old, new))
    return ReplaceTags(search=search, replacement=replacement)


def some(names: Sequence[str]) -> str:
    """How many, and the first of them."""
    return f"{len(names)} ({', '.join(names[:SHOWN])}{more(names)})"


def more(of: Sequence[object]) -> str:
    """How many are not named."""
    return f" and {len(of) - SHOWN} more" if len(of) > SHOWN else ""
