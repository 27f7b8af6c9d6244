"""Compare runs: two or more of the project, their losses in one chart, the settings that differ, samples of one moment side by side."""

from __future__ import annotations

import html
import time

import ipywidgets as ipw

from core.training.comparing import MOST_RUNS, Comparison
from core.training.run import ACTIVE
from widgets.components.chart import Chart
from widgets.components.samples import Picture, Samples
from widgets.panel import Panel
from widgets.pieces import Fold, part
from widgets.training.curves import compared_curves
from widgets.training.pictures import picture_key, read_drawn

AGAIN = 10.0
"""Seconds between two looks at runs that are at work."""
HELP = f"Choose two to {MOST_RUNS} runs (Ctrl or Shift and a press, or Shift and the arrow keys)."


class RunComparison:
    """A folded part of the monitor. Args: panel: whose session and loop are used."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._options: list[str] = []
        self._comparison: Comparison | None = None
        self._looked = 0.0
        self._following = False
        self.runs = ipw.SelectMultiple(description="Runs to compare", rows=5)
        self.axis = ipw.Dropdown(description="Over", options=[("steps", "steps"), ("time", "time")])
        self.moment = ipw.Dropdown(description="Samples of", options=[("no samples", "")])
        self.chart = Chart(panes=["Smoothed loss"])
        self.samples = Samples(read_drawn, nothing="None of these runs drew samples.", below=True)
        self._words, self._table = ipw.HTML(), ipw.HTML()
        chosen = ipw.VBox([self.runs, ipw.HTML(f'<p class="lb-help">{HELP}</p>')]).add_class("lb-field").add_class("lb-list")
        fields = ipw.HBox([ipw.VBox([one]).add_class("lb-field") for one in (self.axis, self.moment)]).add_class("lb-row")
        self._found = ipw.VBox([self.chart, fields, self.samples, part("Settings that differ"), self._table])
        self.fold = Fold("Compare runs", [chosen, self._words, self._found], panel.heard(self._turn))
        self.fold.button.add_class("lb-fold-compare")
        self.fold.body.add_class("lb-compare")
        self.view = self.fold.view
        self.runs.observe(panel.heard(self._compare), "value")
        self.axis.observe(panel.heard(self._draw), "value")
        self.moment.observe(panel.heard(self._show_samples), "value")

    def look(self, runs: list[str]) -> None:
        """Offer these runs, newest first; what is chosen stays chosen. Hidden where there are not two."""
        self.view.layout.display = "" if len(runs) > 1 else "none"
        if runs != self._options:
            chosen = [run for run in self.runs.value if run in runs]
            self._options = runs
            self.runs.options, self.runs.value = runs, chosen

    def follow(self) -> bool:
        """Look again at chosen runs of which one is at work or waits for its turn. Returns: whether to go on."""
        self._following = self._comparison is not None and any(run.state in ACTIVE for run in self._comparison.runs)
        if self._following and time.monotonic() - self._looked > AGAIN / 2:
            self._compare()
        return self._following

    def chosen(self) -> list[str]:
        """Ids of the chosen runs, when the part is open."""
        return list(self.runs.value) if self.fold.is_open else []

    def _turn(self) -> None:
        if self.fold.is_open and not self.runs.value:
            self.runs.value = self._options[:2]
        self._compare()

    def _compare(self) -> None:
        """Read the chosen runs beside the kernel: a long one takes a moment."""
        chosen = self.chosen()
        if not 2 <= len(chosen) <= MOST_RUNS:
            self._comparison = None
            self._found.layout.display = "none"
            told = f"{len(chosen)} {'is' if len(chosen) == 1 else 'are'} chosen: two to {MOST_RUNS} can be compared."
            self._words.value = f'<p class="lb-purpose">{told}</p>' if self.fold.is_open else ""
            return
        manager, self._looked = self.panel.session.training, time.monotonic()
        self.panel.loop.beside(lambda: manager.compare(chosen), lambda found, error: self._take(chosen, found, error))

    def _take(self, chosen: list[str], found: Comparison | None, error: BaseException | None) -> None:
        if chosen != self.chosen():
            return
        if error is not None or found is None:
            self.panel.fail(error or RuntimeError("nothing was compared"))
            return
        self._comparison = found
        self._words.value, self._found.layout.display = "", ""
        self._draw()
        moments = [(moment[0].upper() + moment[1:], moment) for moment in found.moments] or [("no samples", "")]
        if list(self.moment.options) != moments:
            kept = self.moment.value if self.moment.value in found.moments else _shared_moment(found) or moments[-1][1]
            self.moment.options, self.moment.value = moments, kept
        self._show_samples()
        self._table.value = difference_table(found)
        if not self._following and self.follow():
            self.panel.loop.repeat(self.panel.patient(self.follow), AGAIN)

    def _draw(self) -> None:
        found = self._comparison
        if found is None:
            return
        by_time = self.axis.value == "time"
        curves = compared_curves(found, [run.id for run in found.runs], by_time)
        self.chart.panes = ["Smoothed loss", "Validation loss"] if any(curve.pane for curve in curves) else ["Smoothed loss"]
        self.chart.x_title = "minutes" if by_time else "step"
        self.chart.show(curves)
        untold = [run.id for run in found.runs if by_time and run.points and not run.minutes]
        self._words.value = f'<p class="lb-purpose">No times are known of {html.escape(", ".join(untold))}.</p>' if untold else ""

    def _show_samples(self) -> None:
        found = self._comparison
        if found is None:
            return
        rows = found.samples_at(self.moment.value or "")
        pictures = [Picture(row, column, picture_key(path), f"{words}, {found.runs[column].id}, {self.moment.value}")
                    for row, (words, paths) in enumerate(rows) for column, path in enumerate(paths) if path is not None]
        shown = [words for words, _ in rows], [run.id for run in found.runs]
        if (list(self.samples.rows), list(self.samples.columns), [one["key"] for one in self.samples.pictures]) != \
                (*shown, [one.key for one in pictures]):
            self.samples.show(*shown, pictures)


def _shared_moment(found: Comparison) -> str:
    """The last moment of which every run has samples; empty: there is none."""
    def of_all(moment: str) -> bool:
        rows = [paths for _, paths in found.samples_at(moment)]
        return bool(rows) and all(any(paths[column] is not None for paths in rows) for column in range(len(found.runs)))

    return next(filter(of_all, reversed(found.moments)), "")


def difference_table(found: Comparison) -> str:
    """A row for each setting that differs, a column for each run."""
    if not found.differences:
        return '<p class="lb-help">They have the same settings.</p>'
    head = "".join(f'<th scope="col">{html.escape(run.id)}</th>' for run in found.runs)
    lines = []
    for difference in found.differences:
        cells = "".join(f"<td>{html.escape(value)}</td>" for value in difference.values)
        lines.append(f'<tr><th scope="row">{html.escape(difference.title)}</th>{cells}</tr>')
    return f'<div class="lb-scroll lb-differences"><table><tr><th scope="col">Setting</th>{head}</tr>{"".join(lines)}</table></div>'
