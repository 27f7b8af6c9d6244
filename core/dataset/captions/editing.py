"""Changing many captions at once: planned and shown first, then done as one entry of the history."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.base.errors import Cancelled, ConfigError, DatasetError
from core.base.progress import SILENT, Progress
from core.base.words import counted
from core.dataset.captions.conditions import Condition
from core.dataset.captions.edit_settings import EditSettings, TriggerSettings
from core.dataset.captions.files import one_line, read_caption, read_lines
from core.dataset.captions.operations import (
    Context,
    Operation,
    PutTrigger,
)
from core.dataset.captions.statistics import tag_frequencies
from core.dataset.captions.swapping import Swap, swap_captions
from core.dataset.captions.tags import is_prose, join_parts, parse_clauses, parse_tags
from core.dataset.collecting import without_collection
from core.dataset.history import Change, History
from core.dataset.items import ImageItem, Skipped, list_items
from core.dataset.project import Project, one_trigger

EMPTY = "The caption would become empty, so it was left as it was."
PROSE = "It is written in sentences, which this change would tear apart."


@dataclass
class EditReport:
    """What a bulk change did."""

    changed: int = 0
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    def sentence(self) -> str:
        """The result in one line."""
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"{counted(self.changed, 'caption')} changed, {self.unchanged} as before{skipped}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"changed": self.changed, "unchanged": self.unchanged, "skipped": [vars(item) for item in self.skipped]}


@dataclass(frozen=True)
class EditPlan:
    """What a bulk change would do; nothing was touched."""

    what: str
    """For the history."""
    changes: list[Change]
    unchanged: int
    skipped: list[Skipped]
    trigger: tuple[str, str] | None = None

    @property
    def total(self) -> int:
        """Captions that were looked at."""
        return len(self.changes) + self.unchanged + len(self.skipped)

    @property
    def mark(self) -> str:
        """Names exactly these changes."""
        digest = hashlib.sha256()
        for change in self.changes:
            digest.update(f"{change.image}\0{change.before}\0{change.after}\n".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:20]

    def sentence(self) -> str:
        """The plan in one line."""
        left = len(self.skipped)
        skipped = f"; {left} {'is' if left == 1 else 'are'} left out" if left else ""
        new = sum(not one.before for one in self.changes)
        written = f", write {counted(new, 'new one')}" if new else ""
        return f"Would change {len(self.changes) - new} of {counted(self.total, 'caption')}{written}{skipped}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the first hundred changes."""
        return {"what": self.what, "changes": len(self.changes), "unchanged": self.unchanged, "mark": self.mark,
                "skipped": [vars(item) for item in self.skipped[:100]],
                "first": [{"image": one.image, "before": one.before, "after": one.after} for one in self.changes[:100]]}


def plan_edit(project: Project, settings: EditSettings, only: Sequence[str] | None = None) -> EditPlan:
    """Work out a bulk change; nothing is touched.

    Args: only: ids of the images; None: those in the settings, or all.
    Raises: ConfigError: nothing to do was given, or it cannot be done (a wrong pattern); DatasetError: there are no such images.
    """
    steps = settings.steps()
    condition = settings.condition
    if settings.only_if_empty:
        condition = condition.changed(caption="missing")
    items = chosen(list_items(project), settings.ids if only is None else only)
    counts: Mapping[str, int] = {}
    if any(step.counted for step in steps):
        counts = tag_frequencies({item.id: item.caption for item in items if item.caption})
    return _plan(items, settings.sentence(), steps, Context(project.trigger_word, counts), condition)


def edit_captions(project: Project, settings: EditSettings, progress: Progress = SILENT, only: Sequence[str] | None = None) -> EditReport:
    """Change captions, as `plan_edit` shows it.

    Args: only: ids of the images to change; None: those in the settings, or all.
    Raises: ConfigError: nothing to do was given, or it would come out otherwise than the preview that `plan` names; Cancelled; DiskError.
    """
    return apply_plan(project, as_shown(plan_edit(project, settings, only), settings.plan), progress)


def as_shown(plan: EditPlan, mark: str) -> EditPlan:
    """The plan, if it is that of the preview. Args: mark: of the preview; empty: there was none. Raises: ConfigError: it is another."""
    if mark and mark != plan.mark:
        raise ConfigError("The captions are no longer those of the preview, so nothing was changed.", "Look at the preview again.")
    return plan


def apply_plan(project: Project, plan: EditPlan, progress: Progress = SILENT) -> EditReport:
    """Do what was planned, as one entry of the history. A caption that changed since is left as it is, and named.

    Raises: Cancelled: what is done stays, and can be undone; DiskError.
    """
    _made.clear()  # its captions are others now
    report = EditReport(0, plan.unchanged, list(plan.skipped))
    progress.start("Changing captions", len(plan.changes))
    done = _Counted(progress)
    with History.of(project).entry(plan.what, plan.trigger) as record:
        record.changes(plan.changes)
        try:
            swapped = swap_captions(project.images, [Swap(one.file, one.before, one.after) for one in plan.changes], done,
                                    record.lines)
        except Cancelled:
            record.made(done.done)
            raise
        record.left([one.name for one in swapped.skipped])
    report.changed, report.unchanged = swapped.done, report.unchanged + swapped.same
    report.skipped += swapped.skipped
    for skipped in report.skipped:
        progress.note(f"{skipped.name}: {skipped.reason}")
    if report.skipped:
        first = report.skipped[0]
        some = len(report.skipped)
        left = "1 caption was left as it is" if some == 1 else f"{some} captions were left as they are; the first"
        progress.warn(f"{left}: {first.name}: {first.reason}")
    return report


def add_trigger(project: Project, settings: TriggerSettings, progress: Progress = SILENT) -> EditReport:
    """Write the trigger word first into every caption, and into project.toml.

    Returns: counts, and every caption that was skipped with the reason.
    Raises: ConfigError: it holds a comma, or it would come out otherwise than the preview that `plan` names; Cancelled: what is done
    stays; DiskError.
    """
    report = apply_plan(project, as_shown(plan_trigger(project, settings), settings.plan), progress)
    project.change_info(lambda info: info.changed(trigger_word=one_trigger(settings.trigger_word)))
    return report


def plan_trigger(project: Project, settings: TriggerSettings) -> EditPlan:
    """What `add_trigger` would do; nothing is touched. Raises: ConfigError: the word holds a comma; DatasetError: there are no images."""
    trigger, old = one_trigger(settings.trigger_word), project.trigger_word
    what = f"Trigger word {trigger!r} put first" if trigger else f"Trigger word {old!r} taken out"
    condition = Condition(caption="any" if settings.write_missing else "present")
    steps = [PutTrigger(trigger_word=trigger, instead_of=old)] if trigger or old else []
    plan = _plan(chosen(list_items(project), ()), what, steps, Context(trigger), condition)
    return replace(plan, trigger=(old, trigger))


def chosen(items: list[ImageItem], ids: Sequence[str]) -> list[ImageItem]:
    """The items of these ids; all where none is named. Raises: DatasetError: there are none."""
    wanted = set(ids)
    found = [item for item in items if item.id in wanted] if wanted else items
    if not found:
        raise DatasetError("There are no images whose captions could be changed.",
                           "Choose others; they may have been moved or renamed." if wanted else "Import some first.")
    return found


@dataclass(frozen=True)
class _Made:
    """A plan, and what it was made of."""

    wanted: tuple[str, Sequence[Operation], Context, Condition]
    items: Sequence[ImageItem]
    plan: EditPlan


_made: list[_Made] = []
"""The plan that was made last: what a preview showed is not worked out a second time when it is done."""


def _plan(items: Sequence[ImageItem], what: str, steps: Sequence[Operation], context: Context, condition: Condition) -> EditPlan:
    wanted = (what, steps, context, condition)
    for made in _made:
        # an item is the very same only where its files are unchanged
        if made.wanted == wanted and len(made.items) == len(items) and all(map(operator.is_, made.items, items)):
            return made.plan
    _made.clear()  # before the next takes as much room
    plan = _work_out(items, what, steps, context, condition.test())
    _made[:] = [_Made(wanted, items, plan)]
    return plan


@without_collection()
def _work_out(items: Sequence[ImageItem], what: str, steps: Sequence[Operation], context: Context,
              test: Callable[[str], bool]) -> EditPlan:
    change, joins = caption_change(steps, context), any(step.joins_lines for step in steps)
    changes: list[Change] = []
    skipped: list[Skipped] = []
    unchanged = 0
    for item in items:
        before = item.caption
        try:
            if before is None:
                before = read_caption(item.caption_path, item.id).text  # none, or one that cannot be read: then it says why
            text = before or ""
            after, reason = change(text) if test(text) else (text, "")
            in_lines = read_lines(item.caption_path) if joins and text and test(text) else None
        except DatasetError as error:
            skipped.append(Skipped(item.caption_name, error.message))
            continue
        if after != text and not after:
            skipped.append(Skipped(item.caption_name, EMPTY))
        elif after != text or in_lines is not None:
            changes.append(Change(item.id, item.caption_name, before if in_lines is None else in_lines, after))
        elif reason:
            skipped.append(Skipped(item.caption_name, reason))
        else:
            unchanged += 1
    return EditPlan(what, changes, unchanged, skipped)


def caption_change(steps: Sequence[Operation], context: Context) -> Callable[[str], tuple[str, str]]:
    """Operations as one function of a caption. It gives the new text, and why a step was left out (empty when none was).

    Raises: ConfigError: a step cannot be done at all.
    """
    prepared = [(step.on_prose, on_tags, None if on_tags else step.on_text(context)) for step in steps
                for on_tags in (step.on_tags(context),)]

    def change(text: str) -> tuple[str, str]:
        reason, before, prose = "", text, False
        as_parted: list[str] = []
        parts: list[str] | None = None  # of `text` as far as only tags were changed; None: not parted
        for on_prose, on_tags, on_text in prepared:
            if on_text is not None:
                text, parts = on_text(text if parts is None or parts == as_parted else join_parts(parts, prose)), None
                continue
            if parts is None:
                prose = is_prose(text)
                parts = parse_clauses(text) if prose else parse_tags(text)
                as_parted = parts
            assert on_tags is not None
            new = on_tags(parts)
            if prose and not on_prose and new != parts:
                reason = PROSE
            else:
                parts = new
        if parts is not None and parts != as_parted:
            text = join_parts(parts, prose)
        return (text if text == before else one_line(text)), reason
    return change


class _Counted(Progress):
    """Passes steps on, and knows how far it came when it was cancelled."""

    def __init__(self, inner: Progress) -> None:
        super().__init__()
        self._inner = inner

    def advance(self, item: str = "", by: int = 1) -> None:
        """Count, then let the real one decide about going on."""
        self.done += by
        self._inner.advance(item, by)

    def check(self) -> None:
        """Stop when the real one was asked to."""
        self._inner.check()
