"""Pictures that show the same, in groups; one press keeps the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus
from core.base.words import counted
from core.dataset.curation.duplicates import DuplicateReport, DuplicateSettings, Group, Member
from core.dataset.curation.embedders import EMBEDDERS
from core.dataset.curation.putting_aside import DUPLICATE
from widgets.components.cards import Card, Section
from widgets.dataset.putting_aside import PutAsidePanel
from widgets.form import Form
from widgets.panel import Work


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
        self._left_alone: set[tuple[str, ...]] = set()
        names = [("None: only hashes", "none"), *((entry.title, entry.name) for entry in EMBEDDERS)]
        self.form = Form(DuplicateSettings, choices={"embedder": names})
        self.form.on_change(lambda: self.guard(self._regroup))
        return [self.form.view]

    def extras(self) -> list[ipw.Widget]:
        """All groups at once, and all back."""
        self.keep_all = self.action("Keep the best of every group", self._keep_every_best, self._no_groups)
        return [self.keep_all, *super().extras()]

    def results(self) -> list[ipw.Widget]:
        """The groups."""
        return [self.cards_of("group", "Keep this one of the group."), self._skipped]

    def opened(self) -> None:
        """What a person decided belongs to the project that was open then."""
        self._kept, self._left_alone, self._again = {}, set(), False
        super().opened()

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
        """The groups that are shown, all pages."""
        found = self._found.groups if self._found is not None else []
        return [group for group in found if _contents(group) not in self._left_alone]

    def show(self) -> None:
        """Show the groups of this page."""
        groups = self.groups()
        self._place = max(0, min(self._place, (max(1, len(groups)) - 1) // self.page * self.page))
        page = groups[self._place:self._place + self.page]
        nothing = "No two pictures are alike." if self._found is not None and self._found.looked and not groups else ""
        self.cards.show([self._section(group) for group in page], self._place, len(groups), nothing)
        self._enable()

    def _section(self, group: Group) -> Section:
        kept = self._kept_of(group).name
        rest = len(group.members) - 1
        actions = (("keep", f"Keep {kept}, reject the other {'one' if rest == 1 else rest}"), ("leave", "They are different"))
        cards = tuple(_card(member, member.name == kept) for member in group.members)
        return Section(group.best.name, f"{len(group.members)} pictures", cards, actions)

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
        if kind == "press":
            self._kept[group.best.sha256] = next((one for one in group.members if one.name == given["key"]), self._kept_of(group))
        elif given["name"] == "leave":
            self._left_alone.add(_contents(group))
        else:
            return self._reject([group], f"{DUPLICATE} of {self._kept_of(group).name}")
        self.show()
        return None

    def _group(self, section: str) -> Group | None:
        return next((group for group in self.groups() if group.best.name == section), None)

    def _keep_every_best(self) -> Work | None:
        return self._reject(self.groups(), DUPLICATE)

    def _reject(self, groups: list[Group], reason: str) -> Work | None:
        names = [member.name for group in groups for member in group.members if member != self._kept_of(group)]
        return self.put_aside(names, {member.name: member.sha256 for group in groups for member in group.members}, reason)

    def _no_groups(self) -> str:
        return self.blocked() or ("" if self.groups() else "No groups are shown. Look for duplicates first.")


def _contents(group: Group) -> tuple[str, ...]:
    """What a group shows, whatever its pictures are called."""
    return tuple(sorted(member.sha256 for member in group.members))


def _card(member: Member, kept: bool) -> Card:
    captioned = counted(member.tags, "tag") if member.tags else "no caption"
    lines = (f"{member.width} × {member.height}, {_bytes(member.size)}", f"sharpness {member.sharpness:.0f}, {captioned}",
             *((member.words(),) if member.tier != "best" else ()))
    badge = " · ".join(filter(None, ("Best" if member.tier == "best" else "", "Kept" if kept else "")))
    return Card(member.name, member.name, lines, badge, kept, member.sha256)


def _bytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"
