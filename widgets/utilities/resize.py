"""A LoRA file made smaller: what each rank would cost first, then the file, and what each block lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus
from core.base.words import told_size
from core.utilities.layers.blocks import block_of
from core.utilities.layers.ranks import read_rule
from core.utilities.resizing.resizing import PreviewSettings, ResizeLoraSettings
from widgets.components.press_table import PressTable
from widgets.form import Form
from widgets.jobs_view import settings_of
from widgets.pieces import Fold
from widgets.utilities import showing
from widgets.utilities.header_panel import HeaderPanel
from widgets.utilities.made import Made, notes_rows
from widgets.utilities.method_words import RANK_BY, offered
from widgets.utilities.save_as import SaveAs

SIZES = "lora-sizes"
HEAD = ("Target", "Size", "Of its size", "Update lost", "Energy kept", "Ranks", "Loses most")
LOST_WORDS = ("Update lost is the norm of what goes, beside that of the whole. Energy is the norm's square, as Inspect counts it. Where 99 "
              "% of the norm is kept (sv_fro=0.99), 98 % of the energy is, and 14 % of the update is lost: 0.99² + 0.14² = 1.")


class ResizePanel(HeaderPanel):
    """Runs `lora-sizes` and `resize-lora`."""

    name = "resize"
    title = "Resize a LoRA file"
    purpose = ("Make a LoRA file smaller by giving its layers lower ranks. Look first what each rank would cost. The result is a new file; "
               "yours stays as it is, and nothing is written over.")
    button = "Resize"
    stage = "resize-lora"
    stages = {"resize-lora": ResizeLoraSettings, SIZES: PreviewSettings}

    def controls(self) -> Sequence[ipw.Widget]:
        """Which file, which rank; and the targets that are compared."""
        self.read_headers()
        self._targets: Sequence[str] = ()
        self._rows: Sequence[Mapping[str, Any]] = ()
        self.form = self.file_form(ResizeLoraSettings, {"dynamic_method": offered(RANK_BY)})
        self.save_as = SaveAs(self.form)
        self.form.follow()
        shared = tuple(name for name in PreviewSettings.fields() if name != "targets")
        self.compared = Form(PreviewSettings.make(file="-"), hide=shared)
        self.targets = Fold("the targets that are compared", [self.compared.view])
        return [self.form.view, self.targets.view]

    def extras(self) -> Sequence[ipw.Widget]:
        """A look before anything is written."""
        self.look = self.action("Show sizes and errors", self._look_at_sizes, self._why_no_look, lambda: "Nothing is written by this")
        return [self.look]

    def results(self) -> Sequence[ipw.Widget]:
        """The table of targets; then what came out."""
        self.sizes = PressTable(self.take, "take it into the form")
        self._made = Made()
        self._lost = ipw.HTML(f'<p class="lb-help">{LOST_WORDS}</p>')
        self._lost.layout.display = "none"
        return [self.sizes, self._lost, self._made.view]

    def run(self) -> Job:
        """Write the file. Raises: ConfigError: a setting is wrong."""
        settings = self.form.value()
        settings.rule()
        return self.begin(self.stage, settings.changed(save_to=self.save_as.place()))

    def look_again(self) -> None:
        """Also where the new file will be."""
        self.save_as.show(self.save_as.usual() if self.file else None)
        super().look_again()

    def blocked(self) -> str:
        """What is wrong with the file, or where the new one is to be."""
        return super().blocked() or self.save_as.problem()

    def _why_no_look(self) -> str:
        """As for the main button, wherever the new file is to be."""
        return super().blocked() or self.advice() or ("It is working. Wait for it, or cancel it." if self.working() else "")

    def file_changed(self) -> None:
        """Sizes and results are of another file."""
        self._show_sizes((), ())
        self._made.hide()
        self.forget_told()

    def begun(self) -> None:
        """A resize leaves the table of sizes: one may want another target."""
        self._made.hide()
        if self.job is not None and self.job.stage == SIZES:
            self._show_sizes((), ())

    def show_report(self, status: JobStatus) -> None:
        """The sizes, or the new file."""
        if status.state != "done" or not status.report or self.job is None:
            return
        if self.job.stage == SIZES:
            before = settings_of(self.job, PreviewSettings)
            name = showing.name_of(status.report["file"])
            self._show_sizes(before.targets if before is not None else (), status.report["plans"], name)
            self.say("done", f"Preview: sizes of {name}, {told_size(status.report['size'])} now. Nothing "
                             "is written. Press a target to take it into the form.")
        else:
            self._show_made(status.report)
            self.done(status.message)
            self.save_as.written(status.report["file"])
            self.look_again()

    def take(self, number: int) -> None:
        """A pressed target comes into the form: with a rule, its highest rank is the ceiling, so that the file is the one that was told."""
        self.guard(lambda: self._take(number))

    def _take(self, number: int) -> None:
        if number >= len(self._targets):
            return
        rule, plan = read_rule(self._targets[number]), self._rows[number]
        ceiling = rule.rank if rule.method == "fixed" else plan["highest_rank"]
        present = self.form.value()
        param = present.dynamic_param if rule.method == "fixed" else rule.param
        self.form.fill(present.changed(dynamic_method=rule.method, new_rank=ceiling, dynamic_param=param))
        self.sizes.chosen = number

    def _look_at_sizes(self) -> Job:
        settings, targets = self.form.value(), self.compared.value().targets
        for target in targets:
            read_rule(target)
        return self.begin(SIZES, PreviewSettings.make(file=settings.file, device=settings.device, computing=settings.computing,
                                                      new_conv_rank=settings.new_conv_rank, targets=targets))

    def _show_sizes(self, targets: Sequence[str], plans: Sequence[Mapping[str, Any]], name: str = "") -> None:
        self._targets, self._rows = targets, plans
        self._lost.layout.display = "" if plans else "none"
        self.sizes.show(HEAD, [_size_row(plan) for plan in plans], f"What each target would make of {name}" if plans else "")

    def _show_made(self, report: Mapping[str, Any]) -> None:
        self._made.show(report["file"], [
            ("Rank", report["rule"]), ("Size", f"{told_size(report['size'])} of {told_size(report['size_before'])}"),
            ("Update lost", showing.lost(report["error"])), ("Lost by rounding", showing.share(report["rounding"])),
            *notes_rows(report["notes"])], report["layers"])


def _size_row(plan: Mapping[str, Any]) -> list[str]:
    low, middle, high = plan["lowest_rank"], plan["median_rank"], plan["highest_rank"]
    ranks = f"{low}" if low == high else f"{low} to {high}, mostly about {middle}"
    if plan["share"] == 1 and showing.share(plan["error"]) == "0 %":
        return [plan["rule"], told_size(plan["size"]), "100 %", "0 %", "100 %", ranks, "nothing changes"]
    lost = showing.share(plan["worst_error"])
    return [plan["rule"], told_size(plan["size"]), f"{100 * plan['share']:.0f} %", showing.share(plan["error"]),
            showing.kept(plan["error"]), ranks, f"{', '.join(block_of(plan['worst']))}: {lost}" if lost != "0 %" else "none"]
