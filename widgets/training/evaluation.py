"""Before and after: the same prompts and seeds without the LoRA and with each saved one."""

from __future__ import annotations

import html
from pathlib import Path

import ipywidgets as ipw

from core.base.errors import ConfigError, StudioError
from core.base.jobs import Job, JobStatus
from core.training.evaluated import WITHOUT, Column, EvaluationReport
from core.training.evaluation import EvaluationSettings
from core.training.evaluation_plan import EvaluationPlan
from widgets.components.samples import Picture, Samples
from widgets.download_links import download_links
from widgets.form import Form
from widgets.panel import Panel
from widgets.pieces import part, row
from widgets.training.pictures import picture_key, read_drawn
from widgets.training.run_choice import RunPicker

WRITE = "Write the LoRA with this strength"
WRONG = '<p class="lb-wrong">'
CHOOSE = ("choose the best of them", -1)
ABOUT = ("Look which strength is the best. The new file does at 1 what yours does there, for people and programs that set none; it lies "
         "with the finished ones, and yours stays as it is.")


class EvaluationPanel(Panel):
    """Draws the comparison in a process of its own and shows the grid."""

    name = "evaluation"
    title = "Before and after"
    purpose = ("Draw the same prompts and seeds without your LoRA and with each saved one, at one strength or at several, and choose the "
               "best.")
    button = "Draw before and after"
    stage = "evaluate"

    def controls(self) -> list[ipw.Widget]:
        """Which run, and what to draw."""
        self.picker = RunPicker(self.session)
        self.form = Form(EvaluationSettings, hide=("run", "output_dir"))
        self._amount, self._asked = ipw.HTML(), 0
        self.form.on_change(self.heard(self._count))
        return [self.picker.view, self.form.view, self._amount]

    def results(self) -> list[ipw.Widget]:
        """The grid; where several strengths were drawn, which of them is the best."""
        self.grid = Samples(read_drawn, nothing="Nothing was drawn for this run yet.")
        self.best = ipw.Dropdown(description="The best one", options=[CHOOSE])
        self.best.observe(self.heard(self._enable), "value")
        self.write = self.action(WRITE, self._write, self._why_not_write)
        self._written = ipw.HTML()
        about = ipw.HTML(f'<p class="lb-help">{ABOUT}</p>')
        chosen = ipw.VBox([self.best]).add_class("lb-field")
        self._weighing = ipw.VBox([part("The best strength"), about, chosen, row(self.write), self._written]).add_class("lb-form")
        self._weighing.layout.display = "none"
        return [self.grid, self._weighing]

    def update(self) -> None:
        """Offer the runs, and show what was drawn for the chosen one."""
        self.picker.look()
        self._show()
        self._count()

    def blocked(self) -> str:
        """There must be a LoRA."""
        if reason := super().blocked():
            return reason
        if not self.picker.chosen:
            return "There is no run yet. Train first."
        return "" if self.session.training.status(self.picker.chosen).checkpoints else "This run has saved no LoRA yet."

    def run(self) -> Job:
        """Start the job."""
        return self.session.training.start_evaluation(self.form.value().changed(run=self.picker.chosen))

    def begun(self) -> None:
        """A file that was written before is no answer to what is asked now."""
        self._written.value = ""

    def show_report(self, status: JobStatus) -> None:
        """Show the new grid, and count it where the job itself was silent; or the file that was written."""
        if self.job is not None and self.job.stage != self.stage:
            self._written.value = download_links([Path(status.report["file"])]) if status.state == "done" and status.report else \
                _wrong(status.message)
            return
        self._show()
        if status.state == "done" and not status.message:
            self.done(f"{len(self.grid.pictures)} pictures, in {len(self.grid.columns)} columns.")

    def _count(self) -> None:
        """Say how many pictures that makes; it is found beside the kernel, and of several looks only the last is shown."""
        self._asked += 1
        asked, manager = self._asked, self.session.training if self.session.folder is not None else None
        if self.blocked() or manager is None:
            self._tell_amount("")
            return
        try:
            wanted = self.form.value().changed(run=self.picker.chosen)
        except ConfigError:  # told at its field
            self._tell_amount("")
            return

        def show(plan: EvaluationPlan | None, error: BaseException | None) -> None:
            if asked != self._asked:
                return
            if error is not None and not isinstance(error, StudioError):
                self.fail(error)
            self._tell_amount(plan.sentence() if plan is not None else str(error))

        self.loop.beside(lambda: manager.plan_evaluation(wanted), show)

    def _tell_amount(self, words: str) -> None:
        self._amount.value = f'<p class="lb-purpose lb-amount">{html.escape(words)}</p>' if words else ""

    def _show(self) -> None:
        report = self.session.training.evaluation(self.picker.chosen) if self.picker.chosen else None
        self._offer_strengths(report)
        if report is None:
            self.grid.show([], [], [])
            return
        rows = list(dict.fromkeys((picture.prompt, picture.seed) for picture in report.pictures))
        labels = ["Without the LoRA" if column.label == WITHOUT else column.label for column in report.columns]
        pictures = [Picture(rows.index((picture.prompt, picture.seed)), picture.column, picture_key(Path(report.folder) / picture.path),
                            f"{picture.prompt}, seed {picture.seed}, {labels[picture.column]}") for picture in report.pictures]
        self.grid.show([f"{prompt} (seed {seed})" for prompt, seed in rows], labels, pictures)

    def _offer_strengths(self, report: EvaluationReport | None) -> None:
        """The columns with a LoRA, where one of them has another strength than 1; which is the best is for a person to say."""
        drawn = [(number, column) for number, column in enumerate(report.columns if report is not None else ()) if column.lora]
        self._weighing.layout.display = "" if any(column.weight != 1 for _, column in drawn) else "none"
        options = [CHOOSE, *((f"{_with_strength(column)} (the pictures change by {100 * column.changed:.1f} %)", number)
                             for number, column in drawn)]
        if list(self.best.options) != options:
            with self.best.hold_sync():
                self.best.options = options
            self._written.value = ""

    def _write(self) -> Job:
        try:
            return self.session.training.start_weighing(self.picker.chosen, self.best.value)
        except StudioError as error:
            self._written.value = self._written.value.partition(WRONG)[0] + _wrong(str(error))
            raise

    def _why_not_write(self) -> str:
        if self.working():
            return "It is working. Wait for it, or cancel it."
        report = self.session.training.evaluation(self.picker.chosen) if self.session.folder is not None and self.picker.chosen else None
        if report is None or not 0 <= self.best.value < len(report.columns):
            return "Choose the best one first." if report is not None else "Nothing was drawn for this run yet."
        return "It was drawn at strength 1, which the file does already." if report.columns[self.best.value].weight == 1 else ""


def _wrong(words: str) -> str:
    """Below the button too: the status line may stand far above."""
    return f"{WRONG}{html.escape(words)}</p>"


def _with_strength(column: Column) -> str:
    """The column's label, with its strength where the label does not say it."""
    said = column.label.endswith((f" strength {column.weight:g}", f" × {column.weight:g}"))  # the latter in older comparisons
    return column.label if said else f"{column.label}, strength {column.weight:g}"
