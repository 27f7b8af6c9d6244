"""Pictures that show the same, in groups; one press keeps the best."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import ipywidgets as ipw

from core.base.errors import DatasetError
from core.base.jobs import Job, JobStatus
from core.base.words import counted, told_size
from core.dataset.curation.different import Alike, Pair, pairs_of
from core.dataset.curation.duplicates import DuplicateReport, DuplicateSettings, Group, Member
from core.dataset.curation.embedders import EMBEDDERS
from core.dataset.curation.putting_aside import DUPLICATE
from widgets.components.cards import Card, Section
from widgets.dataset.putting_aside import PutAsidePanel
from widgets.form import Form
from widgets.panel import Work

KEEP = "Keep this one of the group."
SHOW_DIFFERENT = "Show what you called different"
BACK_TO_ALIKE = "Back to the groups that are alike"


class DuplicatesPanel(PutAsidePanel):
    """Starts the look; groups then follow the settings at once, for what was looked at is stored."""

    name = "duplicates"
    title = "Duplicates"
    purpose = "Find pictures that show the same, and keep the best of each. What is put aside lies in rejected/ and can be put back."
    button = "Look for duplicates"
    stage = "duplicates"
    reason, things, page = DUPLICATE, "duplicates", 10
    back, none_aside = "Put all duplicates back", "No duplicate is put aside."
    _found: DuplicateReport | None

    def controls(self) -> list[ipw.Widget]:
        """How alike is the same."""
        self._settings = DuplicateSettings()
        self._kept: dict[str, Member] = {}
        """SHA-256 of a group's best one → the one that a person wants to keep."""
        self._apart: list[Alike] | None = None
        """What was called different when the groups were made; None before."""
        self._shows_different = False
        names = [("None: only hashes", "none"), *((entry.title, entry.name) for entry in EMBEDDERS)]
        self.form = Form(DuplicateSettings, choices={"embedder": names})
        self.form.on_change(self.heard(self._regroup))
        return [self.form.view]

    def extras(self) -> list[ipw.Widget]:
        """All groups at once, and all back."""
        self.keep_all = self.action("Keep the best of every group", self._keep_every_best, self._no_groups, alone=True,
                                    about=lambda: [_content(group) for group in self.groups()])
        self.told_different = self.action(SHOW_DIFFERENT, self._turn_over, self._none_different)
        return [self.keep_all, self.told_different, *super().extras()]

    def results(self) -> list[ipw.Widget]:
        """The groups."""
        return [self.cards_of("group", KEEP), self._skipped]

    def opened(self) -> None:
        """What a person decided belongs to the project that was open then."""
        self._kept, self._apart, self._shows_different, self._again = {}, None, False, False
        super().opened()

    def update(self) -> None:
        """What was changed while it worked is grouped now, also where that work was another project's or went wrong."""
        super().update()
        if self._again and not self._busy:
            self._again = False
            self.guard(self._regroup)
        elif self._found is not None and not self._busy and self.session.dataset.called_different() != self._apart:
            self.look_again()  # another notebook, or another panel, told so

    def run(self) -> Job:
        """Start the job."""
        self._found = None
        self.show()
        return super().run()

    def show_report(self, status: JobStatus) -> None:
        """Group what is stored now: since the job ended, pictures may have been put aside."""
        super().show_report(status)
        if status.state == "done":
            self._found = DuplicateReport()
            self.guard(self._regroup)

    def look(self) -> Callable[[], DuplicateReport]:
        """Group what is stored."""
        manager, settings = self.session.dataset, self._settings if self._found is not None else self.form.value()
        return lambda: manager.find_duplicates(settings, stored_only=True)

    def take_over(self, found: DuplicateReport) -> None:
        """Show what is found now."""
        self._apart = self.session.dataset.called_different()
        super().take_over(found)

    # Grouping again

    def _regroup(self) -> Work | None:
        """Group anew from what is stored, with the settings as they stand; changes that come meanwhile become one more time."""
        if self._found is None:
            return None
        if self._busy:
            self._again = True
            return None
        self._settings = self.form.value()
        return Work("comparing", self.look(), self._grouped)

    def _grouped(self, report: DuplicateReport) -> str:
        if self._again:
            self._again = False
            self.loop.soon(lambda: self.guard(self._regroup))
        self.take_over(report)
        return report.sentence()

    def groups(self) -> list[Group]:
        """The groups that are shown, all pages: those that are alike, or those that were called different."""
        if self._found is None:
            return []
        self._shows_different = self._shows_different and bool(self._found.different)
        return self._found.different if self._shows_different else self._found.groups

    def show(self) -> None:
        """Show the groups of this page."""
        groups = self.groups()
        self._place = max(0, min(self._place, (max(1, len(groups)) - 1) // self.page * self.page))
        page = groups[self._place:self._place + self.page]
        other = "other " if self._found is not None and self._found.different else ""
        nothing = f"No {other}two pictures are alike." if self._found is not None and self._found.looked and not groups else ""
        self.cards.press = "" if self._shows_different else KEEP
        self.cards.show([self._section(group) for group in page], self._place, len(groups), nothing)
        several = len(self._found.different) if self._found is not None else 0
        words = f"Show the {'group' if several == 1 else f'{several} groups'} that you called different" if several else SHOW_DIFFERENT
        self.told_different.description = BACK_TO_ALIKE if self._shows_different else words
        self._enable()

    def _section(self, group: Group) -> Section:
        kept = self._kept_of(group).name
        if self._shows_different:
            cards = tuple(_card(member, False, "") for member in group.members)
            return Section(_key(group), f"{len(group.members)} pictures that you called different", cards,
                           (("alike", "They are alike after all"),))
        rest = len(group.members) - 1
        actions = (("keep", f"Keep {kept}, reject the other {'one' if rest == 1 else rest}"), ("leave", "They are different"))
        cards = tuple(_card(member, member.name == kept, "Best" if member.tier == "best" else "") for member in group.members)
        return Section(_key(group), f"{len(group.members)} pictures", cards, actions)

    def _kept_of(self, group: Group) -> Member:
        """The chosen one, also under another name; else the best one."""
        chosen = self._kept.get(group.best.sha256, group.best)
        same = [member for member in group.members if member.sha256 == chosen.sha256]
        return next((member for member in same if member.name == chosen.name), same[0] if same else group.best)

    # What a person asks for

    def pressed(self, kind: str, given: Mapping[str, Any]) -> Work | None:
        """Another one is kept; or a group is done with."""
        group = self._group(str(given["section"]))
        if group is None:
            return None
        if self._shows_different or given.get("name") == "leave":
            return self._decide(group, kind, given.get("name"))
        if kind == "press":
            self._kept[group.best.sha256] = next((one for one in group.members if one.name == given["key"]), self._kept_of(group))
        else:
            return self._reject([group], f"{DUPLICATE} of {self._kept_of(group).name}")
        self.show()
        return None

    def about(self, given: Mapping[str, Any]) -> Collection[Any]:
        """The pictures of the group."""
        group = self._group(str(given["section"]))
        return () if group is None else (_content(group),)

    def _decide(self, group: Group, kind: str, name: object) -> Work | None:
        """Keep it in the project that a group is no group, or forget that."""
        if kind != "act" or name not in ("leave", "alike"):
            return None
        manager, look, pictures = self.session.dataset, self.look(), [member.sha256 for member in group.members]
        note = manager.call_different if name == "leave" else manager.call_alike
        return Work("keeping your decision", lambda: (note(pictures), look())[1], self._grouped)

    def _turn_over(self) -> None:
        """Show those that were called different, or those that are alike again."""
        self._shows_different, self._place = not self._shows_different, 0
        self.show()

    def _none_different(self) -> str:
        return self.blocked() or ("" if self._found is not None and self._found.different else "No group was called different.")

    def _group(self, section: str) -> Group | None:
        return next((group for group in self.groups() if _key(group) == section), None)

    def _keep_every_best(self) -> Work | None:
        return self._reject(self.groups(), DUPLICATE)

    def _reject(self, groups: list[Group], reason: str) -> Work | None:
        apart = pairs_of(self.session.dataset.called_different())
        if any(Pair.of(self._kept_of(group).sha256, member.sha256) in apart for group in groups for member in group.members
               if member != self._kept_of(group)):
            self.look_again()
            raise DatasetError("Some of these pictures were called different meanwhile, so nothing was moved.", "The groups are new now.")
        names = [member.name for group in groups for member in group.members if member != self._kept_of(group)]
        return self.put_aside(names, {member.name: member.sha256 for group in groups for member in group.members}, reason)

    def _no_groups(self) -> str:
        if self._shows_different:
            return "Go back to the groups that are alike first."
        return self.blocked() or ("" if self.groups() else "No groups are shown. Look for duplicates first.")


def _key(group: Group) -> str:
    """Names a group: one picture may stand in several that were called different."""
    return "/".join(member.name for member in group.members) if group.members[-1].tier == "different" else group.best.name


def _content(group: Group) -> frozenset[tuple[str, str]]:
    """Which pictures a group holds."""
    return frozenset((member.name, member.sha256) for member in group.members)


def _card(member: Member, kept: bool, best: str) -> Card:
    captioned = counted(member.tags, "tag") if member.tags else "no caption"
    lines = (f"{member.width} × {member.height}, {told_size(member.size)}", f"sharpness {member.sharpness:.0f}, {captioned}",
             *((member.words(),) if member.tier != "best" else ()))
    badge = " · ".join(filter(None, (best, "Kept" if kept else "")))
    return Card(member.name, member.name, lines, badge, kept, member.sha256)


