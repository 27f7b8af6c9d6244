"""One file that tells the whole run, and the finished LoRA files."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as ipw

from widgets.panel import Panel, Work, part, table
from widgets.training.monitor import RunPicker


class ReportPanel(Panel):
    """Writes report.html and lists what is finished."""

    name = "report"
    title = "Report"
    purpose = "Write one file with settings, dataset, loss, samples and comparison. It needs no network to be read."
    button = "Write the report"

    def controls(self) -> list[ipw.Widget]:
        """Which run."""
        self.picker = RunPicker()
        self.picker.list.observe(lambda _: self.refresh(), "value")
        return [self.picker.view]

    def results(self) -> list[ipw.Widget]:
        """Where the report and the LoRA files are."""
        self._place, self._files = ipw.HTML(), ipw.HTML()
        return [self._place, part("Finished LoRA files"), self._files]

    def update(self) -> None:
        """Look for runs, the report and the files."""
        known = self.session.folder is not None
        self.picker.look([run.id for run in self.session.training.runs()] if known else [])
        report = self.session.training.run(self.picker.chosen).folder / "report.html" if self.picker.chosen else None
        self._place.value = table([("Report", report)]) if report is not None and report.is_file() else ""
        files = sorted(self.session.training.project.output.glob("*.safetensors")) if known else []
        self._files.value = table([(path.name, f"{path.stat().st_size / 2**20:.1f} MiB, in {path.parent}") for path in files]) if files \
            else '<p class="lb-help">There are none yet.</p>'

    def blocked(self) -> str:
        """There must be a run."""
        return super().blocked() or ("" if self.picker.chosen else "There is no run yet. Train first.")

    def run(self) -> Work:
        """Write it."""
        manager, run = self.session.training, self.picker.chosen
        return Work("writing the report", lambda: manager.report(run), self._written)

    def _written(self, path: Path) -> str:
        return f"the report is {path}. Open it from the file browser, or download it."
