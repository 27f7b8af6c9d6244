"""Room on the disk: what lies there by project and kind, what its loss costs, and deleting what is ticked."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from core.base.findings import Finding
from core.base.jobs import Job, JobStatus
from core.base.paths import housekeeping_dir
from core.base.words import counted, told_size
from core.dataset.project import known_projects, shown_name
from core.utilities.disk.heaps import KINDS, Kind
from core.utilities.disk.housekeeping import HousekeepingSettings
from core.utilities.manager import UtilitiesManager
from widgets.confirming import Confirm
from widgets.form import Form
from widgets.jobs_view import settings_of
from widgets.panel import Panel
from widgets.pieces import Fold, findings_list, let_go, part, table

ALL = ("all projects", "")
HEAD = ("Project", "What", "How much", "Newest")
LOOK_FIRST = "Look first: only what was shown is deleted."
FEW = 5
"""As many names stand there unfolded."""
GROUPS = {"none": ("Costs nothing", "It is made anew by itself, or nobody can use it."),
          "some": ("Is lost for good", "Nobody makes it anew for you. Tick only what you can do without.")}
"""By what the loss of a kind costs: the words above its ticks."""
GOES = {"warning": "Is lost for good", "info": "Costs nothing"}
"""What stands before a line of the question, in the colours of findings."""


class HousekeepingPanel(Panel):
    """Runs `housekeeping`: first to look, then, after a question, to delete what was ticked of what it showed."""

    name = "housekeeping"
    title = "Housekeeping"
    purpose = ("See what takes room on the disk, and delete what is not needed any more. Look first; only what is shown, ticked "
               "and confirmed goes. "
               "Captions, the pictures that are learned from, and finished LoRA files are never among it.")
    button = "Look"
    stage = "housekeeping"
    needs_project = False

    def controls(self) -> Sequence[ipw.Widget]:
        """Which projects, how old."""
        self.manager = UtilitiesManager(housekeeping_dir())
        self._heaps: list[Mapping[str, Any]] = []
        self._looked = HousekeepingSettings()
        self.project = ipw.Dropdown(description="Projects", options=[ALL])
        self.project.observe(self.heard(self._forget), "value")
        self.form = Form(HousekeepingSettings, hide=("projects", "kinds", "delete", "shown"))
        self.form.on_change(self.heard(self._forget))
        return [ipw.VBox([self.project]).add_class("lb-field"), self.form.view]

    def results(self) -> Sequence[ipw.Widget]:
        """The ticks with the button below them, the question that it asks, the table, and what went."""
        self._ticks: dict[str, ipw.Checkbox] = {}
        self._tick_box = ipw.VBox().add_class("lb-form").add_class("lb-ticks")
        self.delete = self.action("Delete what is ticked", self._ask, self._not_now, self._what_goes)
        self.delete.layout.align_self = "flex-start"
        self.confirm = Confirm(self)
        self._table, self._gone = ipw.HTML(), ipw.HTML()
        self._found = ipw.VBox([self._tick_box, self.delete, self.confirm.view, part("By project"), self._table]).add_class("lb-form")
        self._found.layout.display = "none"
        return [self._found, self._gone]

    def place(self) -> Path:
        """The jobs lie beside the projects."""
        return self.manager.folder

    def update(self) -> None:
        """Offer the projects."""
        options = [ALL, *((shown_name(folder), folder.name) for folder in known_projects())]
        if list(self.project.options) != options:
            present = self.project.value
            self.project.options = options
            self.project.value = present if present in [name for _, name in options] else ""

    def run(self) -> Job:
        """Look; nothing is deleted by this."""
        settings = self.form.value().changed(projects=(self.project.value,) if self.project.value else ())
        return self.manager.start(self.stage, settings)

    def begun(self) -> None:
        """What was shown before is no answer any more."""
        self._show_heaps([])
        self._gone.value = ""

    def show_report(self, status: JobStatus) -> None:
        """What lies there, or what went."""
        report = status.report
        if status.state != "done" or not report or self.job is None:
            return
        if report["deleted"]:
            self._gone.value = _gone(report)
            if report["kept"]:
                self.say("blocked", f"Done: {report['summary']}")
            return
        self._looked = settings_of(self.job, HousekeepingSettings) or HousekeepingSettings()
        self._show_heaps(report["heaps"])
        if not report["heaps"]:
            self.done("there is nothing that could be deleted.")
        else:
            self._tell_found()

    def _tell_found(self) -> None:
        size = sum(heap["bytes"] for heap in self._heaps)
        self.say("done", f"Preview: {told_size(size)} could be freed. Nothing is deleted yet.")

    def _show_heaps(self, heaps: Sequence[Mapping[str, Any]]) -> None:
        self._heaps = list(heaps)
        self.confirm.hide()
        before, self._ticks = self._tick_box.children, {}
        lines: list[ipw.Widget] = []
        for loss, (title, words) in GROUPS.items():
            inside = [self._kind_line(kind) for kind in KINDS if kind.loss == loss and any(heap["kind"] == kind.name for heap in heaps)]
            lines += [part(title), ipw.HTML(_help(words)), *inside] if inside else []
        self._tick_box.children = lines
        for widget in before:
            let_go(widget)
        rows = [(heap["project"], heap["title"], _amount([heap]), _age(heap["days"]))
                for heap in sorted(heaps, key=lambda heap: -heap["bytes"])]
        self._table.value = table(rows, HEAD) if rows else ""
        self._found.layout.display = "" if rows else "none"
        self._enable()

    def _kind_line(self, kind: Kind) -> ipw.Widget:
        """The tick of a kind, what its loss costs, and what would go by name."""
        inside = [heap for heap in self._heaps if heap["kind"] == kind.name]
        tick = ipw.Checkbox(description=f"{kind.title}: {_amount(inside)}", indent=False, value=kind.loss == "none")
        tick.observe(self.heard(self._ticked), "value")
        self._ticks[kind.name] = tick
        names, count = ipw.HTML(_names(inside)), sum(heap["paths"] for heap in inside)
        shown = names if count <= FEW else Fold(f"what these {counted(sum(heap['files'] for heap in inside), 'file')} are", [names]).view
        return ipw.VBox([tick, ipw.HTML(_help(kind.cost)), shown]).add_class("lb-field")

    def _chosen(self) -> list[Mapping[str, Any]]:
        return [heap for heap in self._heaps if heap["kind"] in self._ticks and self._ticks[heap["kind"]].value]

    def _not_now(self) -> str:
        if self.working():
            return "It is working. Wait for it, or cancel it."
        return LOOK_FIRST if not self._heaps else "" if self._chosen() else "Nothing is ticked."

    def _what_goes(self) -> str:
        return f"{_amount(self._chosen())}; it asks once more"

    def _ticked(self) -> None:
        """Another choice: what was asked was of the one before."""
        if self.confirm.is_asked:
            self.confirm.hide()
            self._tell_found()
        self._enable()

    def _ask(self) -> None:
        """What exactly would go and what is lost by it, before anything goes."""
        chosen = self._chosen()
        if not chosen:
            return
        lines = []
        for kind in KINDS:
            if inside := [heap for heap in chosen if heap["kind"] == kind.name]:
                projects = ", ".join(dict.fromkeys(heap["project"] for heap in inside))
                lines.append(Finding("warning" if kind.loss == "some" else "info", f"{kind.title}: {_amount(inside)} ({projects}).",
                                     kind.cost))
        files, size = sum(heap["files"] for heap in chosen), told_size(sum(heap["bytes"] for heap in chosen))
        deed = f"Delete {counted(files, 'file')}, {size}"
        self.confirm.ask(f"{deed}?", findings_list(lines, GOES), deed, lambda: self._delete(chosen))
        self.say("blocked", f"Preview: {counted(files, 'file')}, {size} would go for good. Confirm it below, or leave everything.")

    def _delete(self, chosen: Sequence[Mapping[str, Any]]) -> Job:
        """Exactly what was asked about: a heap to which something came since stays."""
        kinds = tuple(dict.fromkeys(heap["kind"] for heap in chosen))
        return self.manager.start(self.stage, self._looked.changed(kinds=kinds, delete=True, shown=tuple(heap["mark"] for heap in chosen)))

    def _forget(self) -> None:
        """Another choice: what is shown is of the one before."""
        if self._heaps:
            self._show_heaps([])
            self.forget_told()


def _help(words: str) -> str:
    return f'<p class="lb-help">{html.escape(words)}</p>'


def _amount(heaps: Sequence[Mapping[str, Any]]) -> str:
    return f"{told_size(sum(heap['bytes'] for heap in heaps))} in {counted(sum(heap['files'] for heap in heaps), 'file')}"


def _names(heaps: Sequence[Mapping[str, Any]]) -> str:
    """What lies in the heaps, by name and size, in HTML."""
    several = len({heap["folder"] for heap in heaps}) > 1
    lines = [f"{heap['project'] + ': ' if several else ''}{name} ({told_size(size)})"
             for heap in heaps for name, size in heap.get("named", ())]  # of a look by an older Lorabook there are none
    more = sum(heap["paths"] for heap in heaps) - len(lines)
    rows = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f'<ul class="lb-names">{rows}</ul>' + (_help(f"and {more:,} more") if more else "")


def _gone(report: Mapping[str, Any]) -> str:
    """What went and what stayed, in HTML."""
    rows = [(one["project"], one["title"], _amount([one])) for one in report["gone"]]
    gone = table(rows, ("Project", "Deleted", "How much")) if rows else ""
    kept = "".join(f'<li class="lb-warning"><b>Stayed:</b> {html.escape(words)}</li>' for words in report["kept"])
    return gone + (f'<ul class="lb-findings">{kept}</ul>' if kept else "")


def _age(days: int) -> str:
    return "today" if not days else f"{counted(days, 'day')} ago"
