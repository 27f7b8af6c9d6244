"""What is doubtful in captions for the model that is to learn them, and for each finding the bulk change that mends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.base.progress import SILENT, Progress
from core.base.words import counted
from core.dataset.captions.doubts import CaptionFinding, Check, LintSettings, Looked
from core.dataset.captions.lint_family import find_long, find_quality, find_ratings, find_style, find_underscores
from core.dataset.captions.lint_tags import (
    find_contradictions,
    find_doubles,
    find_format,
    find_misspelt,
    find_same,
    find_variants,
)
from core.dataset.captions.lint_trigger import find_bare, find_fused, find_missing, find_ordinary_trigger, find_trigger
from core.dataset.captions.statistics import tag_frequencies
from core.dataset.captions.tags import is_prose, keys_in, parse_tags
from core.dataset.captions.target import Target, find_target, plain_target
from core.dataset.captions.texts import clean_text
from core.dataset.items import list_items
from core.dataset.project import Project

__all__ = ["CHECKS", "TRIGGER_CHECKS", "CaptionFinding", "LintReport", "LintSettings", "check_captions", "find_in_captions",
           "report_captions", "target_of"]

TRIGGER_CHECKS: tuple[Check, ...] = (find_trigger, find_bare, find_ordinary_trigger)
"""What is said of the trigger word; `core.dataset.checking` says it too."""
CHECKS: tuple[Check, ...] = (find_missing, *TRIGGER_CHECKS, find_style, find_long, find_quality, find_ratings, find_underscores,
                             find_contradictions, find_doubles, find_format, find_variants, find_misspelt, find_fused, find_same)


@dataclass(frozen=True)
class LintReport:
    """What is doubtful, and for which model."""

    target: Target
    captions: int
    """Images that were looked at."""
    findings: list[CaptionFinding]
    """The heaviest first."""

    def sentence(self) -> str:
        """The result in one line."""
        found = counted(len(self.findings), "finding") if self.findings else "nothing doubtful"
        return f"{counted(self.captions, 'caption')} for {self.target.family.title}: {found}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON; each finding with its change as settings of the stage "edit"."""
        return {"family": self.target.family.name, "reads": self.target.reads, "captions": self.captions,
                "findings": [finding.as_dict() for finding in self.findings]}


def report_captions(project: Project, settings: LintSettings, progress: Progress = SILENT) -> LintReport:
    """Look at every caption of a project; nothing is touched. Raises: DiskError."""
    captions = {item.id: item.caption for item in list_items(project)}
    progress.start("Looking at captions", len(captions))
    target = target_of(project, settings)
    found = find_in_captions(captions, settings, settings.trigger_word or project.trigger_word, target=target)
    progress.advance(by=len(captions))
    return LintReport(target, len(captions), found)


def check_captions(project: Project, settings: LintSettings | None = None) -> list[CaptionFinding]:
    """Only the findings, the heaviest first; empty when all is well."""
    return report_captions(project, settings or LintSettings()).findings


def target_of(project: Project, settings: LintSettings) -> Target:
    """The model that a project's captions are looked at for. Raises: ConfigError: no family is called so."""
    return find_target(project, settings.family, settings.max_token_length)


def find_in_captions(captions: Mapping[str, str | None], settings: LintSettings | None = None, trigger: str = "",
                     checks: Sequence[Check] = (), target: Target | None = None) -> list[CaptionFinding]:
    """The same for captions by image id; None or without a word: there is no caption.

    Args:
        checks: only these, in place of all `CHECKS`.
        target: the model; None: that of the settings, which is SD 1.5 for "auto".
    """
    settings = settings or LintSettings()
    here = {name: text for name, text in captions.items() if text and (text[0].isalnum() or clean_text(text))}
    parts = {name: parse_tags(text) for name, text in here.items()}
    missing = [name for name in captions if name not in here]
    looked = Looked(here, missing, any(captions[name] for name in missing), parts,
                    {name: keys_in(tags) for name, tags in parts.items()}, {name for name, text in here.items() if is_prose(text)},
                    tag_frequencies(here), trigger, settings, target or plain_target(settings.family, settings.max_token_length))
    found = [finding for check in checks or CHECKS for finding in check(looked)]
    return sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.level))
