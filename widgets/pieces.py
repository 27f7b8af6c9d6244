"""What panels are put together from: rows, headings, lists of findings, tables."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence

import ipywidgets as ipw

from core.base.findings import Finding


def row(*widgets: ipw.Widget) -> ipw.HBox:
    """Widgets side by side, wrapped where the window is narrow."""
    return ipw.HBox(list(widgets)).add_class("lb-row")


def part(title: str) -> ipw.HTML:
    """A heading inside a panel."""
    return ipw.HTML(f'<div class="lb-part" role="heading" aria-level="4">{html.escape(title)}</div>')


def show(widget: ipw.Widget, shown: bool) -> None:
    """Show it, or leave no room for it."""
    widget.layout.display = "" if shown else "none"


class Fold:
    """A part that is shown when its button is pressed: "Show TITLE", "Hide TITLE".

    Args: turned: called with whether it is open now, after it was opened or closed.
    """

    def __init__(self, title: str, inside: Sequence[ipw.Widget], turned: Callable[[bool], None] = lambda is_open: None) -> None:
        self.title, self._turned = title, turned
        self.button = ipw.ToggleButton(description=f"Show {title}").add_class("lb-fold")
        self.body = ipw.VBox(list(inside), layout=ipw.Layout(display="none"))
        self.view = ipw.VBox([self.button, self.body]).add_class("lb-form")
        self.button.observe(lambda change: self._turn(bool(change["new"])), "value")

    @property
    def is_open(self) -> bool:
        """Whether it is shown."""
        return bool(self.button.value)

    def rename(self, title: str) -> None:
        """Give it another title."""
        self.title = title
        self.button.description = f"{'Hide' if self.is_open else 'Show'} {title}"

    def _turn(self, is_open: bool) -> None:
        show(self.body, is_open)
        self.rename(self.title)
        self._turned(is_open)


LEVELS = {"error": "Must be mended", "warning": "Worth a look", "info": "Good to know"}


def findings_list(findings: Sequence[Finding], words: Mapping[str, str] = LEVELS) -> str:
    """Findings as a list in HTML, the worst first; each begins with its level in words. Args: words: for the levels, the worst first."""
    order = sorted(findings, key=lambda finding: list(words).index(finding.level))
    lines = [f'<li class="lb-{finding.level}"><b>{words[finding.level]}:</b> {html.escape(finding.what)}'
             + (f'<span class="lb-remedy">{html.escape(finding.remedy)}</span>' if finding.remedy else "") + "</li>" for finding in order]
    return f'<ul class="lb-findings">{"".join(lines)}</ul>' if lines else ""


def table(rows: Sequence[Sequence[object]], head: Sequence[str] = ()) -> str:
    """Names and values as a small table in HTML. Args: head: what stands above the columns."""
    above, scope = "".join(f'<th scope="col">{html.escape(words)}</th>' for words in head), ' scope="row"' if head else ""
    lines = [f"<tr>{above}</tr>"] if head else []
    for name, *values in rows:
        cells = "".join(f"<td>{html.escape(str(value))}</td>" for value in values)
        lines.append(f'<tr><th{scope}>{html.escape(str(name))}</th>{cells}</tr>')
    return f'<div class="lb-scroll"><table>{"".join(lines)}</table></div>'


def let_go(widget: ipw.Widget) -> None:
    """Close a widget and what stands in it; ipywidgets keeps all that are not closed as long as the kernel lives."""
    for inside in getattr(widget, "children", ()):
        let_go(inside)
    for own in (getattr(widget, "layout", None), getattr(widget, "style", None)):  # widgets of their own
        if isinstance(own, ipw.Widget):
            own.close()
    widget.close()
