"""What the monitor shows, for the report: the course of a run, runs beside each other, and what its log says of trouble."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.base.paths import ROOT
from core.training.comparing import Comparison
from core.training.monitor.norms import Norms
from core.training.monitor.searching import LogQuery, search_log
from core.training.monitor.status import RunStatus
from core.training.report_parts import escape, picture_table, table
from core.training.report_plots import comparison_plots, loss_plot, norm_plots, rate_plot, usage_plots
from core.training.run import Run

LAYERS = 40
"""Layers that are named one by one."""
LOG_LINES = 60
MOMENTS = 4
"""Moments of the samples of compared runs, the last among them."""


def course(status: RunStatus) -> Iterator[tuple[str, str]]:
    """Title and content of each chart that has something to show."""
    yield "Loss", loss_plot(status.curve)
    yield "Learning rate", rate_plot(status.curve)
    off = f"<p class=state>{escape(status.norms.off_words())}</p>" if status.norms.off else ""
    yield "Gradient and layers", norm_plots(status.norms) + off + _layers(status.norms)
    yield "GPU and disk", usage_plots(status.usage)


def _layers(norms: Norms) -> str:
    """The layers that a step changed most, by their share."""
    layers = sorted(norms.layers, key=lambda change: -change.share)
    if not layers:
        return ""
    rows = [(change.name, f"{100 * change.share:.3g} % ({change.update:.3g} of {change.weight:.3g}), at step {change.step}")
            for change in layers[:LAYERS]]
    left = f"<p class=state>{len(layers) - LAYERS} more changed less.</p>" if len(layers) > LAYERS else ""
    return f"<details><summary>Layers, by how much a step changes them</summary>{table(rows)}{left}</details>"


def compared(comparison: Comparison) -> str:
    """Losses over each other, settings that differ, samples of the same moments side by side."""
    names = [run.id for run in comparison.runs]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    lines = [f'<tr><th scope="row">{escape(difference.title)}</th>'
             + "".join(f'<td class="value">{escape(value)}</td>' for value in difference.values) + "</tr>"
             for difference in comparison.differences]
    settings = f'<div class="scroll"><table><tr><th>Setting</th>{head}</tr>{"".join(lines)}</table></div>' if lines else \
        "<p>They have the same settings.</p>"
    stride = max(1, -(-len(comparison.moments) // MOMENTS))
    moments = comparison.moments[::-1][::stride][::-1]
    pictures = "".join(f"<h3>{escape(moment[0].upper() + moment[1:])}</h3>{picture_table(names, comparison.samples_at(moment), below=True)}"
                       for moment in moments)
    return comparison_plots(comparison) + settings + pictures


def log_lines(run: Run, status: RunStatus) -> str:
    """The newest errors and warnings of the whole log, and after a failure its last lines."""
    found = search_log(run.log, LogQuery(levels=frozenset(("error", "warning")), most=LOG_LINES)).lines
    lines = "\n".join(f'<span class="{level}">{escape(_without_places(text, run))}</span>' for level, text in found)
    trouble = f"<details><summary>Errors and warnings ({len(found)})</summary><pre>{lines}</pre></details>" if found else ""
    last = escape(_without_places("\n".join(status.log[-LOG_LINES:]), run)) if status.cause is not None and status.log else ""
    return (f"<h3>Last lines of the log</h3><pre>{last}</pre>" if last else "") + trouble


def _without_places(text: str, run: Run) -> str:
    """Without where the project and its owner's files lie: a report is shown to others."""
    for place, word in ((run.project_folder, "PROJECT"), (ROOT, "LORABOOK"), (_home(), "~")):
        if place is not None and place != Path(place.anchor):  # the home of some machines is /, which stands in every path
            text = text.replace(str(place), word)
    return text


def _home() -> Path | None:
    """None: this user has none."""
    try:
        return Path.home()
    except RuntimeError:
        return None
