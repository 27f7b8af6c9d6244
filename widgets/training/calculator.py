"""The calculator: what numbers come to as one types, each with its sum, and ways to a target."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import ipywidgets as ipw

from core.base.errors import StudioError
from core.training.calculating.counted import Basis
from core.training.calculating.settings import CalculateSettings, Target
from core.training.calculating.stage import CalculateReport, calculate, no_basis
from core.training.loading import can_take_back_calculated
from widgets.components.press_table import PressTable
from widgets.controls import typed_words
from widgets.form import Form
from widgets.panel import Panel
from widgets.training.choice import keep_settings, read_settings, settings_file
from widgets.training.launch import backend_of

TARGETS: dict[Target, str] = {"none": "nothing: only forward", "steps": "a number of steps", "seen": "how often each picture is seen",
                              "hours": "hours", "price": "a price"}
assert set(TARGETS) == set(get_args(Target))
NO_PICTURES = "Ready as soon as it is typed how many pictures there are, or a project with pictures is open."
TRIED = ("num_repeats", "max_train_epochs", "max_train_steps", "batch_size", "gradient_accumulation_steps", "num_processes",
         "validation_split")
"""What can be taken into the settings."""


class CalculatorPanel(Panel):
    """Counts as one types; nothing is written but by its button."""

    name = "calculator"
    title = "Calculator"
    purpose = ("Not needed for a first try. Try other numbers and see at once how many steps they make, how long they take and what they "
               "cost, or work back from a number of steps, hours or a price. What is empty is as in your settings.")
    button = "Take into the settings"
    needs_project = False

    def controls(self) -> Sequence[ipw.Widget]:
        """The numbers."""
        self.form = Form(CalculateSettings, {"target": [(words, name) for name, words in TARGETS.items()]}, hide=("take", "backend"),
                         at_once=True)
        self.form.on_change(self.heard(self._calculate))
        self.form.follow()
        self._basis: Basis | None = None
        self._basis_of: Path | None = None
        self._asked = 0
        self.report: CalculateReport | None = None
        self._taken: tuple[CalculateSettings, str] | None = None
        """What was said when numbers were taken, until others are typed."""
        return [self.form.view]

    def extras(self) -> Sequence[ipw.Widget]:
        """Back to the settings' own numbers, and to those that were there before some were taken."""
        return [self.action("Empty all", lambda: self.form.fill(CalculateSettings())),
                self.action("Take back", self._take_back, self._why_not_back, lambda: "Brings back the numbers that were in the settings")]

    def results(self) -> Sequence[ipw.Widget]:
        """The sums, then the ways to a target."""
        self._notes, self._lines = ipw.HTML(), ipw.HTML()
        self.ways = PressTable(self._take_way, "put these numbers into the form")
        return [self.ways, self._notes, self._lines]

    def update(self) -> None:
        """The project's settings and pictures as they are now, read beside the kernel."""
        folder = self.session.folder
        if folder is None:
            self._basis, self._basis_of = no_basis(), None
            self._calculate()
            return
        if folder != self._basis_of:
            self._basis = None
        manager, settings, before = self.session.training, read_settings(self.session), self._basis
        self._beside(lambda: manager.basis(settings, before), self._take_basis)

    def blocked(self) -> str:
        """The settings must be right."""
        return self.session.trouble

    def advice(self) -> str:
        """What is missing for the button; calmly, for the panel counts without it."""
        if self.report is None:
            return NO_PICTURES
        if self.session.folder is None:
            return "No project is open yet, whose settings these could be."
        return "" if any(self._typed(name) for name in TRIED) else "Type a number first that differs from the settings."

    def hint(self) -> str:
        """Where other pictures were typed than the project has, what is trained is another number of steps."""
        return self.report.own_words() if self.report is not None else ""

    def run(self) -> str:
        """Make the numbers the project's settings."""
        if not settings_file(self.session.training.project.folder).is_file():
            keep_settings(self.session, read_settings(self.session))
        said = " ".join(filter(None, [self.session.training.take_calculated(self.form.value()).what, self.hint()]))
        left = self.form.value().changed(**{name: CalculateSettings.fields()[name].default for name in TRIED})
        self._taken = left, said
        self.form.fill(left)
        return said

    def _take_back(self) -> str:
        said = self.session.training.calculated_back().what
        self._taken = self.form.value(), said
        return said

    def _why_not_back(self) -> str:
        if reason := super().blocked() or ("" if self.session.folder is not None else "No project is open yet."):
            return reason
        return "" if can_take_back_calculated(self.session.training.project) else ("No numbers were taken from here, or the settings were "
                                                                                   "changed since.")

    def _typed(self, name: str) -> bool:
        return self.form.present(name) not in (None, "", [], ())

    def _beside(self, act: Callable[[], object], then: Callable[[object], None]) -> None:
        """Work beside the kernel; of several that are asked for only the last is shown."""
        self._asked += 1
        asked, folder = self._asked, self.session.folder

        def show(found: object, error: BaseException | None) -> None:
            if asked != self._asked or folder != self.session.folder:
                return
            self.guard(lambda: self._show_error(error) if error is not None else then(found))
            self._enable()

        self.loop.beside(act, show)

    def _take_basis(self, basis: object) -> None:
        assert isinstance(basis, Basis)
        self._basis, self._basis_of = basis, basis.folder
        self._calculate()

    def _calculate(self) -> None:
        if self._basis is None:
            return
        basis = self._basis
        if not self._typed("images") and not sum(basis.counts):
            self._clear()
            self.forget_told()
            self._enable()
            return
        self._show_placeholders(basis)
        given = self.form.value()
        if self._taken is not None and self._taken[0] != given:
            self._taken = None
        wanted = given.changed(backend=backend_of(self.session)) if basis.folder else given
        self._beside(lambda: calculate(basis, wanted), self._show)

    def _show(self, report: object) -> None:
        assert isinstance(report, CalculateReport)
        self.report = report
        self._lines.value = lines_html(report)
        self._notes.value = "".join(f'<p class="lb-purpose">{html.escape(note)}</p>' for note in report.notes)
        self._show_ways(report)
        if not self._typed("num_repeats"):  # of other pictures they may be others than those that stand in the settings
            self.form.set_placeholders({"num_repeats": ", ".join(str(repeats) for _, _, repeats in report.plan.learned)})
        told = " ".join(filter(None, [report.headline(), report.own_words()]))
        self.say("done", f"Done: {self._taken[1]}" if self._taken is not None else f"Preview: {told}")

    def _show_error(self, error: BaseException) -> None:
        self._clear()
        if not isinstance(error, StudioError):
            raise error
        self.say("blocked", f"Needs attention: {error}")

    def _clear(self) -> None:
        self.report, self._lines.value, self._notes.value = None, "", ""
        self.ways.show((), ())

    def _show_ways(self, report: CalculateReport) -> None:
        told = [offer.told() for offer in report.offers]
        head = [name for name in (told[0] if told else ()) if any(row[name] for row in told)]
        rows = [[row[name] for name in head] for row in told]
        if [list(row) for row in self.ways.rows] != rows or list(self.ways.head) != head:
            self.ways.show(head, rows, f"Ways to {report.target}" if rows else "")
        self.ways.chosen = next((number for number, offer in enumerate(report.offers) if offer.is_present), -1)

    def _take_way(self, number: int) -> None:
        self.guard(lambda: self._fill_way(number))

    def _fill_way(self, number: int) -> None:
        """A pressed way comes into the form; the target stays, so that the others can be tried too."""
        if self.report is None or number >= len(self.report.offers):
            return
        self.form.fill(self.form.value().changed(**self.report.offers[number].values))

    def _show_placeholders(self, basis: Basis) -> None:
        """In empty fields stands what counts there."""
        settings = basis.settings
        learned = [(count, subset.num_repeats) for count, subset in zip(basis.counts, settings.data.subsets, strict=False)
                   if not subset.is_reg]
        shown = {"images": ", ".join(str(count) for count, _ in learned), "num_repeats": ", ".join(str(times) for _, times in learned),
                 "max_train_epochs": settings.schedule.max_train_epochs, "batch_size": settings.data.batch_size,
                 "gradient_accumulation_steps": settings.schedule.gradient_accumulation_steps,
                 "max_train_steps": None if settings.schedule.max_train_epochs else settings.schedule.max_train_steps,
                 "num_processes": settings.machines.num_processes, "validation_split": settings.data.validation_split,
                 "price_per_hour": basis.price or None}
        self.form.set_placeholders({name: "" if value in (None, "") else typed_words(value) for name, value in shown.items()})


def lines_html(report: CalculateReport) -> str:
    """Each number with the sum that it comes from, in HTML."""
    rows = "".join(f'<div><dt>{html.escape(line.what)}</dt><dd class="lb-sum">{html.escape(line.value)}</dd>'
                   f'<dd class="lb-how">{html.escape(line.how)}</dd></div>' for line in report.lines)
    return f'<dl class="lb-sums">{rows}</dl>'
