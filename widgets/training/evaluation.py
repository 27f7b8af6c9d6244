"""Before and after: the same prompts and seeds without the LoRA and with each saved one."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus
from core.training.evaluation import WITHOUT, EvaluationSettings
from widgets.components.samples import Picture, Samples
from widgets.form import Form
from widgets.panel import Panel
from widgets.training.pictures import picture_key, read_drawn
from widgets.training.run_choice import RunPicker


class EvaluationPanel(Panel):
    """Draws the comparison in a process of its own and shows the grid."""

    name = "evaluation"
    title = "Before and after"
    purpose = "Draw the same prompts and seeds without your LoRA and with each saved one, and choose the best."
    button = "Draw before and after"
    stage = "evaluate"

    def controls(self) -> list[ipw.Widget]:
        """Which run, and what to draw."""
        self.picker = RunPicker(self.session)
        self.form = Form(EvaluationSettings, hide=("run", "output_dir"))
        return [self.picker.view, self.form.view]

    def results(self) -> list[ipw.Widget]:
        """The grid."""
        self.grid = Samples(read_drawn, nothing="Nothing was drawn for this run yet.")
        return [self.grid]

    def update(self) -> None:
        """Offer the runs, and show what was drawn for the chosen one."""
        self.picker.look()
        self._show()

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

    def show_report(self, status: JobStatus) -> None:
        """Show the new grid, and count it where the job itself was silent."""
        self._show()
        if status.state == "done" and not status.message:
            self.done(f"{len(self.grid.pictures)} pictures, in {len(self.grid.columns)} columns.")

    def _show(self) -> None:
        report = self.session.training.evaluation(self.picker.chosen) if self.picker.chosen else None
        if report is None:
            self.grid.show([], [], [])
            return
        rows = list(dict.fromkeys((picture.prompt, picture.seed) for picture in report.pictures))
        labels = ["Without the LoRA" if column.label == WITHOUT else column.label for column in report.columns]
        pictures = [Picture(rows.index((picture.prompt, picture.seed)), picture.column, picture_key(Path(report.folder) / picture.path),
                            f"{picture.prompt}, seed {picture.seed}, {labels[picture.column]}") for picture in report.pictures]
        self.grid.show([f"{prompt} (seed {seed})" for prompt, seed in rows], labels, pictures)
