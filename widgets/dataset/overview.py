"""What the dataset is, and what training will make of it."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from pathlib import Path

import ipywidgets as ipw

from core.base.words import counted
from core.dataset.curation.coverage import NOT_SAID, THIN_COUNT, THIN_SHARE
from core.dataset.curation.overview import Fate, Overview, OverviewSettings
from widgets.components.matrix import Matrix
from widgets.dataset.gallery import shown_gallery
from widgets.form import Form
from widgets.panel import Panel, Work
from widgets.pieces import findings_list, part, row, table

SHOWN = 12
"""Lines of a list."""
FATES: dict[str, tuple[Callable[[Overview], list[Fate]], Callable[[Fate], str]]] = {
    "Cut off": (Overview.cropped, lambda fate: f"loses {fate.fit.cropped:.0%}, trained at {_size(fate.fit.bucket)}"),
    "Enlarged": (Overview.enlarged, lambda fate: f"{fate.fit.scale:.1f} times, from {_size(fate.size)}"),
}
"""Lists of pictures: title → which, and what is said of each."""


class OverviewPanel(Panel):
    """Numbers, training sizes, and what the captions say is shown how often."""

    name = "overview"
    title = "Overview"
    purpose = "See how many pictures there are, at which sizes they will be trained, what is cut off, and what is hardly ever shown."
    button = "Look over the dataset"
    needs_pictures = True

    def controls(self) -> list[ipw.Widget]:
        """At which resolution."""
        self._overview: Overview | None = None
        self.form = Form(OverviewSettings)
        self.form.on_change(self.heard(self._again))
        return [self.form.view]

    def results(self) -> list[ipw.Widget]:
        """Findings, numbers, coverage."""
        self._findings, self._numbers = ipw.HTML(), ipw.HTML()
        self._fates = {title: self._fate_list(title) for title in FATES}
        self.outfit = ipw.Dropdown(description="Outfit", options=[("All outfits", "")])
        self.outfit.observe(self.heard(self._show_matrix), "value")
        self.matrix = Matrix(lambda row, column: self.loop.settled(lambda: self.guard(lambda: self._show_in_gallery(row, column))))
        choice = ipw.VBox([self.outfit]).add_class("lb-field")
        self._covered = ipw.VBox([part("What is shown how often"), ipw.VBox([choice]).add_class("lb-fields"), self.matrix])
        self._show()
        return [self._findings, self._numbers, *(box for box, _ in self._fates.values()), self._covered]

    def opened(self) -> None:
        """Numbers of another project are of no use."""
        self._overview = None
        self._show()

    def run(self) -> Work:
        """Look."""
        settings, manager = self.form.value(), self.session.dataset
        return Work("looking over the dataset", lambda: manager.overview(settings), lambda overview: self._done(overview, settings))

    def _again(self) -> Work | None:
        return self.run() if self._overview is not None and not self._busy else None

    def _done(self, overview: Overview, settings: OverviewSettings) -> str:
        self._overview = overview
        if self.form.value() != settings:  # it was changed meanwhile
            self.loop.soon(lambda: self.guard(self._again))
        self._show()
        return overview.sentence()

    def _show(self) -> None:
        overview = self._overview
        self._covered.layout.display = "none" if overview is None else ""
        self._findings.value = findings_list(overview.findings()) if overview is not None else ""
        self._numbers.value = _numbers(overview) if overview is not None else ""
        outfits = [("All outfits", "")]
        if overview is not None:
            totals = overview.coverage.totals["outfit"]
            outfits += [(f"{name} ({totals[name]})", name) for name in (*overview.coverage.outfits, NOT_SAID) if totals[name]]
        if tuple(outfits) != tuple(self.outfit.options):
            self.outfit.options = outfits
            self.outfit.value = ""
        self._show_matrix()

        for title, (box, words) in self._fates.items():
            of, say = FATES[title]
            fates = of(overview) if overview is not None else []
            words.value = _fates(title, fates, say)
            box.layout.display = "" if fates else "none"

    def _fate_list(self, title: str) -> tuple[ipw.VBox, ipw.HTML]:
        """A list of pictures, with the button that leads to them, and its words alone."""
        words, show = ipw.HTML(), self.action("Show them in the gallery", lambda: self._select(title))
        return ipw.VBox([words, row(show)]), words

    def _select(self, title: str) -> str:
        """Select the pictures of a list, all of them. Raises: StudioError: the gallery is not on screen."""
        panel = shown_gallery(self.session)
        assert self._overview is not None
        fates = FATES[title][0](self._overview)
        panel.select([Path(fate.name).stem for fate in fates])
        panel.status.come()
        return f"{counted(len(fates), 'picture')} selected in panel {panel.number}, {panel.title}."

    def _show_matrix(self) -> None:
        overview, outfit = self._overview, self.outfit.value or ""
        if overview is None:
            self.matrix.show((), (), (), -1, "")
            return
        found = overview.coverage
        thin = max(THIN_COUNT, int(THIN_SHARE * found.captioned)) if not outfit else -1
        self.matrix.show([*found.angles, NOT_SAID], [*found.framings, NOT_SAID], found.matrix(outfit), thin,
                         "Pictures by angle (down) and framing (across). Press a number to see them; dashed: few or none.")

    def _show_in_gallery(self, row: str, column: str) -> str:
        """Only those pictures. Raises: StudioError: the gallery is not on screen."""
        panel = shown_gallery(self.session)
        assert self._overview is not None
        panel.show_filter(self._overview.coverage.filter_for(row, column, self.outfit.value or ""))
        panel.status.come()
        return f"panel {panel.number}, {panel.title}, shows them."


def _numbers(overview: Overview) -> str:
    least, middle, most = overview.sides()
    width, height = overview.rule.resolution
    rows = [("Pictures", f"{overview.images}, {overview.captioned} with a caption"), ("Put aside", overview.rejected),
            ("Shortest side", f"{least} to {most} px, half of them below {middle}"), ("Training resolution", f"{width} x {height}"),
            ("Repeats", f"{overview.repeats}: an epoch then shows {counted(overview.repeats * len(overview.fates), 'picture')}")]
    buckets = [(f"{wide} x {high}", count) for (wide, high), count in overview.buckets()]
    return "".join((table(rows), _bars("Training sizes (buckets)", buckets), _bars("Proportions", overview.proportions()),
                    _bars("Shortest side", overview.ranges())))


def _bars(title: str, counts: Sequence[tuple[str, int]]) -> str:
    most = max((count for _, count in counts), default=0)
    bar = '<div style="height:12px;border-radius:3px;min-width:1px;background:var(--lb-accent);width:{:.1f}%"></div>'
    lines = "".join(f'<tr><th style="white-space:nowrap">{html.escape(name)}</th><td>{count}</td><td style="width:100%">'
                    f"{bar.format(100 * count / most) if count else ''}</td></tr>" for name, count in counts[:SHOWN])
    more = f'<p class="lb-help">and {len(counts) - SHOWN} more</p>' if len(counts) > SHOWN else ""
    return (f'<div class="lb-part" role="heading" aria-level="4">{html.escape(title)}</div>'
            f'<div class="lb-scroll" style="max-width:520px"><table style="width:100%">{lines}</table></div>{more}')


def _fates(title: str, fates: Sequence[Fate], words: Callable[[Fate], str]) -> str:
    if not fates:
        return ""
    more = f'<p class="lb-help">and {len(fates) - SHOWN} more</p>' if len(fates) > SHOWN else ""
    return (f'<div class="lb-part" role="heading" aria-level="4">{html.escape(title)}: {len(fates)}</div>'
            f"{table([(fate.name, words(fate)) for fate in fates[:SHOWN]])}{more}")


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
