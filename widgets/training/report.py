"""One file that tells the whole run, and the finished LoRA files."""

from __future__ import annotations

import html
from pathlib import Path

import ipywidgets as ipw

from core.training.comparing import MOST_RUNS
from widgets.components.page import PageView
from widgets.panel import Panel, Work
from widgets.pieces import part, table
from widgets.training.run_choice import RunPicker

BESIDE = f"Optional: up to {MOST_RUNS - 1} other runs that the report compares it with (Ctrl or Shift and a press)."


class ReportPanel(Panel):
    """Writes report.html and lists what is finished."""

    name = "report"
    title = "Report"
    purpose = "Write one file with settings, dataset, loss, samples and comparison. It needs no network to be read."
    button = "Write the report"

    def controls(self) -> list[ipw.Widget]:
        """Which run."""
        self.picker = RunPicker(self.session)
        self.others = ipw.SelectMultiple(description="Put beside it", rows=4)
        self._others = ipw.VBox([self.others, ipw.HTML(f'<p class="lb-help">{BESIDE}</p>')]).add_class("lb-field").add_class("lb-list")
        return [self.picker.view, self._others]

    def results(self) -> list[ipw.Widget]:
        """Where the report and the LoRA files are."""
        self.page, self._place, self._files = PageView(self._read, "report"), ipw.HTML(), ipw.HTML()
        return [self.page, self._place, part("Finished LoRA files"), self._files]

    def update(self) -> None:
        """Look for runs, the report and the files."""
        known = self.session.folder is not None
        runs = self.picker.look()
        self._offer([run.id for run in runs if run.id != self.picker.chosen])
        report = self._report()
        there = report is not None and report.is_file()
        self.page.name = f"{self.picker.chosen}.html" if there else ""
        self._place.value = table([("Report", report)]) if there else ""
        files = sorted(self.session.training.project.output.glob("*.safetensors")) if known else []
        self._files.value = table([(path.name, f"{path.stat().st_size / 2**20:.1f} MiB, in {path.parent}") for path in files]) if files \
            else f'<p class="lb-help">There are none yet.{html.escape(self._saved_so_far())}</p>'

    def blocked(self) -> str:
        """There must be a run."""
        return super().blocked() or ("" if self.picker.chosen else "There is no run yet. Train first.")

    def run(self) -> Work:
        """Write it."""
        manager, run, others = self.session.training, self.picker.chosen, tuple(self.others.value)
        return Work("writing the report", lambda: manager.report(run, others), self._written)

    def _offer(self, others: list[str]) -> None:
        self._others.layout.display = "" if others else "none"
        if list(self.others.options) != others:
            chosen = [run for run in self.others.value if run in others]
            self.others.options, self.others.value = others, chosen

    def _written(self, path: Path) -> str:
        return f"the report of {path.parent.name} is written. Open or download it with the buttons below; it can be sent on."

    def _saved_so_far(self) -> str:
        """Where the LoRA files of a run lie that is not finished: of one at work, stopped or failed."""
        saved = self.session.training.status(self.picker.chosen).checkpoints if self.picker.chosen else ()
        return f" What this run has saved so far lies in {saved[-1].path.parent}." if saved else ""

    def _report(self) -> Path | None:
        return self.session.training.run(self.picker.chosen).folder / "report.html" if self.picker.chosen else None

    def _read(self) -> bytes | None:
        path = self._report()
        return path.read_bytes() if path is not None and path.is_file() else None
