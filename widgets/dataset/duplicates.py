"""Pictures that show the same, in groups; one press keeps the best."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus, start_job
from core.dataset.curation.duplicates import DuplicateReport, DuplicateSettings, Group, Member
from core.dataset.curation.embedders import EMBEDDERS
from core.dataset.curation.putting_aside import DUPLICATE
from core.dataset.manager import DatasetManager
from core.dataset.rejecting import MoveReport, RejectSettings, RestoreSettings
from widgets.components.cards import Card, Cards, Section
from widgets.dataset.importing import skipped_list
from widgets.dataset.pictures import PictureFeed
from widgets.dataset.tagging import no_pictures
from widgets.dataset.watching import FolderWatch
from widgets.form import Form
from widgets.panel import Panel, Work

PAGE = 10
"""Groups that are shown at once."""


class DuplicatesPanel(Panel):
    """Starts the look; groups then follow the settings at once, for what was looked at is stored."""

    name = "duplicates"
    title = "Duplicates"
    purpose = "Find pictures that show the same, and keep the best of each. What is put aside lies in rejected/ and can be put back."
    button = "Look for duplicates"
    stage = "duplicates"

    def controls(self) -> list[ipw.Widget]:
        """How alike is the same."""
        self._report: DuplicateReport | None = None
        self._home: Path | None = None
        self._settings = DuplicateSettings()
        self._watch = FolderWatch()
        self._kept: dict[str, Member] = {}
        """SHA-256 of a group's best one → the one that a person wants to keep."""
        self._left_alone: set[tuple[str, ...]] = set()
        self._place, self._looks, self._again = 0, 0, False
        names = [("None: only hashes", "none"), *((entry.title, entry.name) for entry in EMBEDDERS)]
        self.form = Form(DuplicateSettings, choices={"embedder": names})
        self.form.on_change(lambda: self.guard(self._regroup))
        return [self.form.view]

    def extras(self) -> list[ipw.Widget]:
        """All groups at once, and all back."""
        self.keep_all = self.action("Keep the best of every group", self._keep_every_best, self._no_groups)
        self.put_back = self.action("Put all duplicates back", self._put_back, self._none_rejected)
        return [self.keep_all, self.put_back]

    def results(self) -> list[ipw.Widget]:
        """The groups."""
        self.cards = Cards(lambda kind, given: self.loop.soon(lambda: self.guard(lambda: self._asked(kind, given))),
                           "group", "Keep this one of the group.", PAGE)
        self.feed = PictureFeed(self.cards, self.loop, self.fail)
        self._skipped = ipw.HTML()
        return [self.cards, self._skipped]

    def blocked(self) -> str:
        """There must be pictures."""
        return super().blocked() or no_pictures(self.session.folder)

    def update(self) -> None:
        """Groups of another project are of no use; where pictures came, went or have other names, group anew without a word."""
        if self.session.folder != self._home:
            self._home, self._report, self._place = self.session.folder, None, 0
            self._kept, self._left_alone = {}, set()
            self._skipped.value = ""
            self.feed.open(self.session.folder)
            self._show()
        elif self._report is not None and not self._busy and self._watch.changed(self.session.dataset.project.images):
            self._follow_pictures()

    def _follow_pictures(self) -> None:
        manager, settings, before = self.session.dataset, self._settings, self._report
        self._looks += 1
        look = self._looks

        def show(report: DuplicateReport | None, error: BaseException | None) -> None:
            if error is not None:
                self.fail(error)
            elif self._report is before and look == self._looks:  # nothing newer was worked out meanwhile
                self._report = report
                self._show()

        self.loop.beside(lambda: manager.find_duplicates(settings, stored_only=True), show)

    def close(self) -> None:
        """Let go."""
        super().close()
        self.feed.close()

    def run(self) -> Job:
        """Start the job."""
        self._report = None
        self._show()
        return start_job(self.session.dataset.project.folder, self.stage, self.form.value().model_dump(mode="json"))

    def show_report(self, status: JobStatus) -> None:
        """Group what is stored now: since the job ended, pictures may have been put aside."""
        self._skipped.value = skipped_list(status)
        if status.state == "done":
            self._report = DuplicateReport()
            self.guard(self._regroup)

    # Grouping again

    def _regroup(self) -> Work | None:
        """Group anew from what is stored, with the settings as they stand; changes that come meanwhile become one more time."""
        if self._report is None or self.session.folder is None:
            return None
        if self._busy:
            self._again = True
            return None
        manager, settings = self.session.dataset, self.form.value()
        self._settings = settings
        return Work("comparing", lambda: manager.find_duplicates(settings, stored_only=True), self._grouped)

    def _grouped(self, report: DuplicateReport) -> str:
        if self._again:
            self._again = False
            self.loop.soon(lambda: self.guard(self._regroup))
        self._report = report
        self._show()
        return report.sentence()

    def groups(self) -> list[Group]:
        """The groups that are shown, all pages."""
        found = self._report.groups if self._report is not None else []
        return [group for group in found if _contents(group) not in self._left_alone]

    def _show(self) -> None:
        groups = self.groups()
        self._place = max(0, min(self._place, (max(1, len(groups)) - 1) // PAGE * PAGE))
        page = groups[self._place:self._place + PAGE]
        nothing = "No two pictures are alike." if self._report is not None and self._report.looked and not groups else ""
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

    def _asked(self, kind: str, given: Mapping[str, Any]) -> Work | None:
        if kind == "want":
            self.feed.want(given["keys"])
        elif kind == "large":
            self.feed.enlarge(str(given["key"]))
        elif kind == "turn":
            self._place = int(given["place"]) // PAGE * PAGE
            self._show()
        elif kind == "press":
            group = self._group(str(given["section"]))
            if group is not None:
                self._kept[group.best.sha256] = next(one for one in group.members if one.name == given["key"])
                self._show()
        elif kind == "act":
            group = self._group(str(given["section"]))
            if group is not None and given["name"] == "leave":
                self._left_alone.add(_contents(group))
                self._show()
            elif group is not None:
                return self._reject([group], f"{DUPLICATE} of {self._kept_of(group).name}")
        return None

    def _group(self, section: str) -> Group | None:
        return next((group for group in self.groups() if group.best.name == section), None)

    def _keep_every_best(self) -> Work | None:
        return self._reject(self.groups(), DUPLICATE)

    def _reject(self, groups: list[Group], reason: str) -> Work | None:
        names = tuple(member.name for group in groups for member in group.members if member != self._kept_of(group))
        if self._busy or not names:
            return None
        seen = {member.name: member.sha256 for group in groups for member in group.members}
        manager, settings, wanted = self.session.dataset, self.form.value(), RejectSettings.make(images=names, reason=reason)
        return Work("putting duplicates aside", lambda: _moved(manager, manager.reject(wanted, seen=seen), settings), self._after)

    def _put_back(self) -> Work | None:
        if self._busy:
            return None
        manager, settings = self.session.dataset, self.form.value()

        def act() -> tuple[MoveReport, DuplicateReport]:
            names = tuple(manager.rejected_because(DUPLICATE))
            return _moved(manager, manager.restore(RestoreSettings(images=names)) if names else MoveReport(word="put back"), settings)

        return Work("putting duplicates back", act, self._after)

    def _after(self, result: tuple[MoveReport, DuplicateReport]) -> str:
        moved, self._report = result
        self.log.show("\n".join(f"{item.name}: {item.reason}" for item in moved.skipped))
        self._show()
        return moved.sentence()

    def _no_groups(self) -> str:
        return self.blocked() or ("" if self.groups() else "No groups are shown. Look for duplicates first.")

    def _none_rejected(self) -> str:
        if self.session.folder is None:
            return self.blocked()
        return "" if self.session.dataset.rejected_because(DUPLICATE) else "No duplicate is put aside."


def _moved(manager: DatasetManager, moved: MoveReport, settings: DuplicateSettings) -> tuple[MoveReport, DuplicateReport]:
    """What was moved, and the groups that are left."""
    return moved, manager.find_duplicates(settings, stored_only=True)


def _contents(group: Group) -> tuple[str, ...]:
    """What a group shows, whatever its pictures are called."""
    return tuple(sorted(member.sha256 for member in group.members))


def _card(member: Member, kept: bool) -> Card:
    captioned = f"{member.tags} {'tag' if member.tags == 1 else 'tags'}" if member.tags else "no caption"
    lines = (f"{member.width} × {member.height}, {_bytes(member.size)}", f"sharpness {member.sharpness:.0f}, {captioned}",
             *((member.words(),) if member.tier != "best" else ()))
    badge = " · ".join(filter(None, ("Best" if member.tier == "best" else "", "Kept" if kept else "")))
    return Card(member.name, member.name, lines, badge, kept, member.sha256)


def _bytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"
