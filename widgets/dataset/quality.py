"""Pictures that are bad in some way: a cut in a histogram picks them out, a press puts them aside."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as ipw

from core.base.jobs import JobStatus
from core.base.words import counted
from core.dataset.curation.putting_aside import QUALITY
from core.dataset.curation.quality import MEASURES, Measure, Quality, QualitySettings, measure_named
from core.dataset.curation.quality import Histogram as Spread
from core.dataset.curation.scorers import SCORERS
from widgets.components.cards import Card, Section
from widgets.components.histogram import Histogram
from widgets.dataset.putting_aside import PutAsidePanel
from widgets.form import Form
from widgets.panel import Work
from widgets.pieces import part, row

BROKEN = "broken"
"""Stands beside the measures: pictures that cannot be opened."""


@dataclass(frozen=True)
class Picked:
    """Pictures on the bad side of the cut, the worst first."""

    names: tuple[str, ...]
    values: tuple[float, ...]
    reason: str
    hashes: tuple[str, ...] = ()
    """SHA-256 of each."""


class QualityPanel(PutAsidePanel):
    """Measures once; after that cuts move at once."""

    name = "quality"
    title = "Quality"
    purpose = ("Measure the pictures, move a cut, look at what lies beyond it, and put that aside. Press a picture to spare it. What was "
               "put aside can be put back.")
    button = "Measure the pictures"
    stage = "quality"
    reason, page = QUALITY, 24
    back, none_aside = "Put back what was rejected here", "Nothing was rejected here."
    _found: Quality | None

    def controls(self) -> list[ipw.Widget]:
        """What is worked out beside the measures."""
        self._broken: dict[str, str] = {}
        self._cuts: dict[str, float] = {}
        self._spared: set[str] = set()
        self.form = Form(QualitySettings, choices={"scorer": [("None", "none"), *((entry.title, entry.name) for entry in SCORERS)]})
        return [self.form.view]

    def results(self) -> list[ipw.Widget]:
        """The histogram, and the pictures beyond its cut."""
        self.which = ipw.Dropdown(description="Show", options=_options(MEASURES)).add_class("lb-quality-which")
        self.which.observe(self.heard(self._chosen), "value")
        self.exact = ipw.FloatText(description="Cut", step=None).add_class("lb-quality-cut")
        self.exact.observe(lambda change: self._typed(float(change["new"])), "value")
        self.histogram = Histogram(lambda share: self.guard(lambda: self._moved_to(share)), self.loop.soon)
        self.reject = self.action("Reject them", self._reject, self._nothing_picked, alone=True, about=lambda: self._going().items())
        self._help = ipw.HTML()
        cards = self.cards_of("picture", "Press to spare it, or to pick it out again.")
        fields = ipw.VBox([ipw.VBox([widget]).add_class("lb-field") for widget in (self.which, self.exact)]).add_class("lb-fields")
        parts = [part("Cut"), fields, self._help, self.histogram, row(self.reject), cards]
        self._box = ipw.VBox(parts)
        self._box.layout.display = "none"
        return [self._box, self._skipped]

    def opened(self) -> None:
        """Cuts and what is spared belong to the project that was open then."""
        self._broken, self._cuts, self._spared = {}, {}, set()
        super().opened()

    def look(self) -> Callable[[], Quality]:
        """Read the numbers."""
        return self.session.dataset.quality

    def take_over(self, found: Quality) -> None:
        """Show newer numbers; what is spared stays so, whatever it is called now, and so does the page."""
        before, quality = self._found or found, found
        there = {name for name, sha256 in before.hashes.items() if quality.hashes.get(name) == sha256}
        renamed, place = {before.hashes.get(name) for name in self._spared - there}, self._place
        spared = self._spared & there | {name for name, sha256 in quality.hashes.items() if sha256 and sha256 in renamed}
        self._broken = {name: why for name, why in self._broken.items() if name in there}
        self._found = quality
        with self.cards.hold_sync():  # one message: no card flickers
            self.show()
            self._spared, self._place = spared, min(place, (max(1, len(self.shown().names)) - 1) // self.page * self.page)
            self.show_page()

    def show_report(self, status: JobStatus) -> None:
        """Show what is stored."""
        super().show_report(status)
        self._broken = {str(item["name"]): str(item["reason"]) for item in status.report.get("skipped", [])}
        if status.state == "done":
            self.look_again()

    # The cut

    @property
    def measure(self) -> Measure | None:
        """The measure that is shown; None for broken pictures, or when there is nothing to show."""
        name = self.which.value
        if name in (None, BROKEN) or (self._found is not None and name not in self._found.values):
            return None
        return measure_named(name)

    def picked(self) -> Picked:
        """What lies beyond the cut."""
        quality, measure = self._found, self.measure
        if quality is None:
            return Picked((), (), "")
        if measure is None:
            names = [name for name in quality.unknown if name in self._broken] if self.which.value == BROKEN else []
            return Picked(tuple(names), (0.0,) * len(names), "broken", tuple(quality.hashes[name] for name in names))
        return self._beyond(quality, measure, self._cuts.get(measure.name, measure.cut))

    def shown(self) -> Picked:
        """What lies beyond the cut; of a measure that only sorts, all pictures in order, as long as its cut picks none out."""
        picked, measure = self.picked(), self.measure
        if picked.names or self._found is None or measure is None or not measure.ranks:
            return picked
        return self._beyond(self._found, measure, math.inf if measure.bad == "low" else -math.inf)

    @staticmethod
    def _beyond(quality: Quality, measure: Measure, cut: float) -> Picked:
        found = quality.beyond(measure.name, cut)
        return Picked(tuple(name for name, _ in found), tuple(value for _, value in found), measure.reason(cut),
                      tuple(quality.hashes[name] for name, _ in found))

    def show(self) -> None:
        """Show the measures that there are, and the cut of one of them."""
        quality = self._found
        self._box.layout.display = "none" if quality is None else ""
        options = _options(quality.measures() if quality is not None else ()) or _options(MEASURES)  # never empty: browsers lose the choice
        if self._broken:
            options.append(("Broken", BROKEN))
        if options != list(self.which.options):
            before = self.which.value
            self.which.options = options
            self.which.value = before if before in [value for _, value in options] else options[0][1]
        self._chosen()

    def _chosen(self) -> None:
        self._place, self._spared = 0, set()
        measure, spread = self.measure, self._spread()
        self._help.value = f'<p class="lb-help">{measure.help}</p>' if measure else ""
        self.exact.layout.display = "" if measure else "none"
        if measure is not None and spread is not None:
            cut = self._cuts.get(measure.name, measure.cut)
            self.histogram.show(spread.counts, spread.share_of(cut), measure.bad, measure.title,
                                (measure.words(spread.low), measure.words(spread.high)), "")
        else:
            self.histogram.show((), 0, "low", "", ("", ""), "")
        self.show_page()

    def _spread(self) -> Spread | None:
        return self._found.histogram(self.measure.name) if self._found is not None and self.measure is not None else None

    def _moved_to(self, share: float) -> None:
        spread = self._spread()
        if spread is not None:
            measure = self.measure
            self._cut_to(round(spread.value_at(share), measure.digits if measure is not None else 2))

    def _typed(self, cut: float) -> None:
        """Places of the slider that were sent before are taken in first, or they would win over what was typed after them."""
        which, measure = self.which.value, self.measure
        if measure is not None and cut != self._cuts.get(measure.name, measure.cut):  # else it was the panel that wrote it
            self.loop.settled(lambda: self.guard(lambda: self._cut_to(cut) if self.which.value == which else None))

    def _cut_to(self, cut: float) -> None:
        measure = self.measure
        if measure is None or self._cuts.get(measure.name, measure.cut) == cut:
            return
        self._cuts[measure.name], self._place = cut, 0
        self.show_page()

    def show_page(self) -> None:
        """Show what lies beyond the cut."""
        measure, picked, shown, spread = self.measure, self.picked(), self.shown(), self._spread()
        first = f"the {'lowest' if measure is None or measure.bad == 'low' else 'highest'} first"
        going = len([name for name in picked.names if name not in self._spared])
        if measure is not None and spread is not None and self._found is not None:
            cut = self._cuts.get(measure.name, measure.cut)
            side = "below" if measure.bad == "low" else "above"
            of = f"{len(picked.names)} of {counted(len(self._found.items), 'picture')} {side} {measure.words(cut)}"
            ranked = f"{counted(len(shown.names), 'picture')}, {first}"
            self.histogram.say(spread.share_of(cut), of if picked.names or not measure.ranks else ranked)
            if self.exact.value != cut:
                self.exact.value = cut
        page = range(self._place, min(len(shown.names), self._place + self.page))
        cards = [self._card(shown.names[place], shown.values[place], shown.hashes[place], bool(picked.names)) for place in page]
        spared = f", {len(self._spared)} spared" if self._spared else ""
        title = f"{picked.reason[:1].upper()}{picked.reason[1:]}: {going} picked out{spared}; press a picture to spare it"
        if measure is not None and not picked.names:
            title = f"{measure.title}, {first}: none is picked out before you move the cut"
        self.cards.show([Section("picked", title, tuple(cards))] if cards else [], self._place, len(shown.names),
                        "No picture lies beyond the cut." if self._found is not None else "")
        self.reject.description = f"Reject {'it' if going == 1 else f'these {going}'}" if going else "Reject them"
        self._enable()

    def _card(self, name: str, value: float, sha256: str, picked: bool) -> Card:
        measure = self.measure
        words = self._broken.get(name, "") if measure is None else f"{measure.title.lower()} {measure.words(value)}"
        spared = name in self._spared
        return Card(name, name, (words,), "Spared" if spared else "", picked and not spared, sha256)

    # What a person asks for

    def pressed(self, kind: str, given: Mapping[str, Any]) -> None:
        """A picture is spared, or picked out again."""
        self._spared ^= {str(given["key"])}
        self.show_page()

    def _going(self) -> dict[str, str]:
        """Name → SHA-256 of the pictures that are picked out and not spared."""
        picked = self.picked()
        return {name: sha256 for name, sha256 in zip(picked.names, picked.hashes, strict=True) if name not in self._spared}

    def _reject(self) -> Work | None:
        seen = self._going()
        return self.put_aside(tuple(seen), seen, f"{QUALITY}: {self.picked().reason}")

    def _nothing_picked(self) -> str:
        return self.blocked() or ("" if self._going() else "No picture is picked out.")


def _options(measures: Sequence[Measure]) -> list[tuple[str, str]]:
    return [(measure.title, measure.name) for measure in measures]
