"""Every picture to a good size in one go: the plan first, then the job, then what came of each picture."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus
from core.dataset.images.by_size import MOST_ENLARGED, BySizePlan, BySizeRow, BySizeSettings
from widgets.controls import Suggestions
from widgets.dataset.bench.undoing import TakeBackRun
from widgets.dataset.importing import skipped_list
from widgets.dataset.which import WhichChoice
from widgets.form import Form
from widgets.panel import Panel, Work
from widgets.pieces import table

SHOWN = 200
"""Rows of a table."""
ACTIONS = {"upscale": "upscaled", "pass": "stays as it is", "resize": "shrunk"}


class BySizePanel(Panel):
    """Plan, job and report of `by-size`."""

    name = "by-size"
    title = "Bulk by size"
    purpose = ("Bring every picture to a good size in one go: small ones are drawn larger, large ones shrunk, those between stay. Look at "
               "the plan first; nothing is done before you say so, and the pictures themselves are never touched.")
    button = "Show the plan"
    stage = "by-size"
    needs_pictures = True

    def controls(self) -> Sequence[ipw.Widget]:
        """Limits, what follows, and which pictures."""
        self._plan: BySizePlan | None = None
        self._planned: BySizeSettings | None = None
        desk = self.session.dataset.images if self.session.folder is not None else None
        offered = {"upscaler": Suggestions(desk.models_for("upscale")["model"] if desk is not None else []),
                   "segmenter": Suggestions(desk.models_for("mask")["segmenter"] if desk is not None else [])}
        self.form = Form(BySizeSettings, offered, hide=("images", "plan_only"))
        self.form.follow()
        self.form.on_change(self.heard(self._forget))
        self.which = WhichChoice(self.session, self.heard(self._forget), missing=False)
        return [self.form.view, self.which.view]

    def extras(self) -> Sequence[ipw.Widget]:
        """What does what was planned."""
        self.do = self.action("Do what is planned", self._start, self._not_planned).add_class("lb-main")
        return [self.do]

    def results(self) -> Sequence[ipw.Widget]:
        """The plan, then what came of it."""
        self._words = ipw.HTML()
        self.take_back = TakeBackRun(self, self._taken_back)
        return [self._words, self.take_back.view]

    def opened(self) -> None:
        """A plan belongs to the project that was open then."""
        self.which.begin()
        self._words.value = ""
        self.take_back.forget()
        self._forget()

    def close(self) -> None:
        """Let go."""
        super().close()
        self.which.close()

    def blocked(self) -> str:
        """There must be pictures, and some of them chosen."""
        return super().blocked() or self.which.blocked()

    def run(self) -> Work:
        """Work out what would be done to which picture."""
        settings, manager = self._settings(), self.session.dataset.images
        return Work("looking at the sizes", lambda: manager.plan_by_size(settings), lambda plan: self._tell(plan, settings))

    def begun(self) -> None:
        """A job is followed: the plan is being done."""
        self.take_back.forget()
        self._forget()

    def show_report(self, status: JobStatus) -> None:
        """One row for each picture."""
        rows = status.report.get("table", []) if status.report else []
        self._words.value = f"{skipped_list(status)}{_report_table(rows)}"
        self.take_back.look(status, self.stage)

    def _taken_back(self, words: str) -> str:
        self._words.value = ""
        return words

    def _settings(self) -> BySizeSettings:
        return self.form.value().changed(images=self.which.ids())

    def _tell(self, plan: BySizePlan, settings: BySizeSettings) -> str | None:
        if self._settings() != settings:
            return "the fields were changed meanwhile. Look at the plan again."
        self._plan, self._planned = plan, settings
        rows = [(row.name, f"{row.size[0]} × {row.size[1]}", ACTIONS.get(row.told(), row.told()),
                 _becomes(row)) for row in plan.rows]
        self._words.value = _cut_table(rows, ("Picture", "Size", "What is done", "Becomes about"))
        if plan.refused:
            self.say("attention", f"Needs attention: {plan.sentence()}")
        else:
            self.say("done", f"Preview: {plan.sentence()} Nothing is done yet.")
        return None

    def _forget(self) -> None:
        if self._planned is not None:
            self._plan, self._planned, self._told = None, None, None
            self._words.value = ""
            self._settle()
        self._enable()

    def _not_planned(self) -> str:
        if reason := self.blocked():
            return reason
        if self._plan is None:
            return "Look at the plan first."
        if self._plan.refused:
            return self._plan.refused[0]
        return "" if self._plan.then or len(self._plan.of("pass")) < len(self._plan.rows) else "Every picture stays as it is."

    def _start(self) -> Job | None:
        return self.start(self._planned) if self._planned is not None else None


def _becomes(row: BySizeRow) -> str:
    if row.action == "pass":
        return ""
    many = f" ({row.factor:.1f} times as large)" if row.factor > MOST_ENLARGED else ""
    return f"{row.goal[0]} × {row.goal[1]}{many}"


def _report_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """What was planned for each picture, and what came of each step."""
    if not rows:
        return ""
    steps = [name for name in rows[0] if name not in ("picture", "size", "plan")]
    lines = [(row["picture"], row["size"].replace(" x ", " × "), ACTIONS.get(row["plan"], row["plan"]),
              *(row.get(step, "") for step in steps)) for row in rows]
    return _cut_table(lines, ("Picture", "Size", "Plan", *steps))


def _cut_table(rows: Sequence[Sequence[object]], head: Sequence[str]) -> str:
    more = f'<p class="lb-help">and {html.escape(f"{len(rows) - SHOWN:,}")} more</p>' if len(rows) > SHOWN else ""
    return table(rows[:SHOWN], head) + more
