"""A LoRA file looked at: what it is, how strong it is where, and which programs load it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as ipw

from core.base.findings import Finding
from core.base.jobs import Job, JobStatus
from core.utilities.inspecting.inspecting import InspectSettings
from core.utilities.inspecting.told import energy_words
from widgets.components.chart import Chart
from widgets.components.copy_table import CopyTable
from widgets.pieces import Fold, findings_list, part, table
from widgets.utilities import showing
from widgets.utilities.header_panel import HeaderPanel

MAP_WORDS = ("How much each block changes the base model (norm of its update): the stronger its colour, the more. Point at a block for its "
             "rank and alpha.")


class InspectPanel(HeaderPanel):
    """Runs `inspect-lora` and shows its report."""

    name = "inspect"
    title = "Inspect a LoRA file"
    purpose = ("See what is in a LoRA file: its type, base model, ranks, hashes, trigger and settings, how much it changes which block, "
               "and which programs load it. The file stays as it is.")
    button = "Inspect"
    stage = "inspect-lora"
    stages = {"inspect-lora": InspectSettings}

    def controls(self) -> Sequence[ipw.Widget]:
        """Which file, and how closely."""
        self.read_headers()
        self.form = self.file_form(InspectSettings, hide=("spectra",))
        self.form.follow()
        return [self.form.view]

    def results(self) -> Sequence[ipw.Widget]:
        """Facts, findings, programs, hashes; the map and the curves; long tables folded."""
        self._heading, self._findings, self._programs, self._facts = ipw.HTML(), ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.hashes, self.chart = CopyTable(), Chart(panes=showing.PANES, x_title="rank")
        self._map, self._energy = ipw.HTML(), ipw.HTML()
        self._hash_box = ipw.VBox([part("Hashes"), self.hashes])
        self._map_box = ipw.VBox([part("Change by block"), self._map])
        self._chart_box = ipw.VBox([part("Singular values"), self._energy, self.chart])
        self._tables = {name: ipw.HTML() for name in ("Rank and alpha by block", "Every layer", "Training settings", "Tags",
                                                      "Tensors of no layer")}
        self.folds = {name: Fold(name, [inside]) for name, inside in self._tables.items()}
        self._shown = ipw.VBox([self._heading, self._findings, self._facts, part("Will it load?"), self._programs, self._map_box,
                                self._chart_box, self._hash_box, *(fold.view for fold in self.folds.values())]).add_class("lb-form")
        self._shown.layout.display = "none"
        return [self._shown]

    def run(self) -> Job:
        """Start it. Raises: ConfigError: no file is chosen."""
        return self.begin(self.stage, self.form.value())

    def begun(self) -> None:
        """What another file was is no answer any more."""
        self._shown.layout.display = "none"

    def file_changed(self) -> None:
        """What stands below is of another file."""
        self._shown.layout.display = "none"
        self.forget_told()

    def show_report(self, status: JobStatus) -> None:
        """Everything that is told of the file."""
        report = status.report
        if status.state != "done" or not report or "told" not in report:  # one of an older version tells less
            return
        self._shown.layout.display = ""
        findings = [Finding(**one) for one in report["findings"]]
        sentence = self.conclude(findings, f"{showing.name_of(report['file'])} is a {showing.what_it_is(report)}.")
        if sentence:
            self.done(sentence)
        self._heading.value = f'<div class="lb-part" role="heading" aria-level="4">{html.escape(showing.name_of(report["file"]))}</div>'
        self._findings.value = findings_list(findings)
        self._facts.value, self._programs.value = showing.facts_table(report), showing.programs_table(report)
        self.hashes.show([(name, value) for name, value in report["told"]["hashes"]])
        self._hash_box.layout.display = "" if report["hashes"] else "none"
        self._draw(report)
        self._fill_tables(report)

    def _draw(self, report: Mapping[str, Any]) -> None:
        measured = bool(report["energy"])
        for box in (self._map_box, self._chart_box):
            box.layout.display = "" if measured else "none"
        cells = showing.norm_cells(report)
        self._map.value = (f'<p class="lb-help">{MAP_WORDS}</p>{showing.heat_map(cells, "norm of the update")}'
                           f'{showing.extremes(cells, "Strongest", "Weakest")}') if measured else ""
        self._energy.value = f'<p class="lb-help">{html.escape(energy_words(report["energy"]))}</p>'
        self.chart.show(showing.spectrum_curves(report))

    def _fill_tables(self, report: Mapping[str, Any]) -> None:
        tags, about = report["about"]["tags"], report["about"]
        filled = {"Rank and alpha by block": showing.blocks_table(report), "Every layer": showing.layers_table(report),
                  "Training settings": showing.cut_table(about["training"]),
                  "Tags": showing.cut_table(tags, ("Tag", "Pictures")),
                  "Tensors of no layer": table([(name, "") for name in report["unknown"]]) if report["unknown"] else ""}
        for name, value in filled.items():
            self._tables[name].value = value
            self.folds[name].view.layout.display = "" if value else "none"
