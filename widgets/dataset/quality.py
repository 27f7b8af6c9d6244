"""Pictures that are bad in some way: a cut in a histogram picks them out, a press puts them aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus, start_job
from core.dataset.curation.putting_aside import QUALITY
from core.dataset.curation.quality import MEASURES, Measure, Quality, QualitySettings, measure_named
from core.dataset.curation.quality import Histogram as Spread
from core.dataset.curation.scorers import SCORERS
from core.dataset.manager import DatasetManager
from core.dataset.rejecting import MoveReport, RejectSettings, RestoreSettings
from widgets.components.cards import Card, Cards, Section
from widgets.components.histogram import Histogram
from widgets.dataset.importing import skipped_list
from widgets.dataset.pictures import PictureFeed
from widgets.dataset.tagging import no_pictures
from widgets.dataset.watching import FolderWatch
from widgets.form import Form
from widgets.panel import Panel, Work, part, row

PAGE = 24
"""Pictures that are shown at once."""
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


class QualityPanel(Panel):
    """Measures once; after that cuts move at once."""

    name = "quality"
    title = "Quality"
    purpose = "Measure the pictures, move a cut, look at what lies beyond it, and put that aside. It can be put back."
    button = "Measure the pictures"
    stage = "quality"

    def controls(self) -> list[ipw.Widget]:
        """What is worked out beside the measures."""
        self._home: Path | None = None
        self._quality: Quality | None = None
        self._broken: dict[str, str] = {}
        self._cuts: dict[str, float] = {}
        self._spared: set[str] = set()
        self._place, self._looks = 0, 0
        self._watch = FolderWatch()
        self.form = Form(QualitySettings, choices={"scorer": [("None", "none"), *((entry.title, entry.name) for entry in SCORERS)]})
        return [self.form.view]

    def extras(self) -> list[ipw.Widget]:
        """All back."""
        self.put_back = self.action("Put back what was rejected here", self._put_back, self._none_rejected)
        return [self.put_back]

    def results(self) -> list[ipw.Widget]:
        """The histogram, and the pictures beyond its cut."""
        self.which = ipw.Dropdown(description="Show", options=_options(MEASURES)).add_class("lb-quality-which")
        self.which.observe(lambda _: self.guard(self._chosen), "value")
        self.exact = ipw.FloatText(description="Cut", step=None).add_class("lb-quality-cut")
        self.exact.observe(lambda change: self.guard(lambda: self._cut_to(float(change["new"]))), "value")
        self.histogram = Histogram(lambda share: self.loop.soon(lambda: self.guard(lambda: self._moved_to(share))))
        self.reject = self.action("Reject them", self._reject, self._nothing_picked)
        self._help = ipw.HTML()
        self.cards = Cards(lambda kind, given: self.loop.soon(lambda: self.guard(lambda: self._asked(kind, given))),
                           "picture", "Spare it, or pick it out again.", PAGE)
        self.feed = PictureFeed(self.cards, self.loop, self.fail)
        self._skipped = ipw.HTML()
        fields = ipw.VBox([ipw.VBox([widget]).add_class("lb-field") for widget in (self.which, self.exact)]).add_class("lb-fields")
        parts = [part("Cut"), fields, self._help, self.histogram, row(self.reject), self.cards]
        self._box = ipw.VBox(parts)
        self._box.layout.display = "none"
        return [self._box, self._skipped]

    def blocked(self) -> str:
        """There must be pictures."""
        return super().blocked() or no_pictures(self.session.folder)

    def update(self) -> None:
        """Numbers of another project are of no use; where pictures came, went or have other names, list them anew without a word."""
        if self.session.folder != self._home:
            self._home, self._quality, self._broken = self.session.folder, None, {}
            self._cuts, self._spared, self._place = {}, set(), 0
            self._skipped.value = ""
            self.feed.open(self.session.folder)
            self._show()
        elif self._quality is not None and not self._busy and self._watch.changed(self.session.dataset.project.images):
            self._follow_pictures(self._quality)

    def _follow_pictures(self, before: Quality) -> None:
        self._looks += 1
        look = self._looks

        def show(quality: Quality | None, error: BaseException | None) -> None:
            if error is not None:
                self.fail(error)
            elif quality is not None and self._quality is before and look == self._looks:  # nothing newer was worked out meanwhile
                self._take_over(quality, before)

        self.loop.beside(self.session.dataset.quality, show)

    def _take_over(self, quality: Quality, before: Quality) -> None:
        """Show newer numbers; what is spared stays so, whatever it is called now, and so does the page."""
        there = {name for name, sha256 in before.hashes.items() if quality.hashes.get(name) == sha256}
        renamed, place = {before.hashes.get(name) for name in self._spared - there}, self._place
        spared = self._spared & there | {name for name, sha256 in quality.hashes.items() if sha256 and sha256 in renamed}
        self._broken = {name: why for name, why in self._broken.items() if name in there}
        self._quality = quality
        with self.cards.hold_sync():  # one message: no card flickers
            self._show()
            self._spared, self._place = spared, min(place, (max(1, len(self.picked().names)) - 1) // PAGE * PAGE)
            self._show_picked()

    def close(self) -> None:
        """Let go."""
        super().close()
        self.feed.close()

    def run(self) -> Job:
        """Start the job."""
        return start_job(self.session.dataset.project.folder, self.stage, self.form.value().model_dump(mode="json"))

    def show_report(self, status: JobStatus) -> None:
        """Show what is stored."""
        self._skipped.value = skipped_list(status)
        self._broken = {str(item["name"]): str(item["reason"]) for item in status.report.get("skipped", [])}
        if status.state == "done":
            self._quality = self.session.dataset.quality()
            self._show()

    # The cut

    @property
    def measure(self) -> Measure | None:
        """The measure that is shown; None for broken pictures, or when there is nothing to show."""
        return measure_named(self.which.value) if self.which.value not in (None, BROKEN) else None

    def picked(self) -> Picked:
        """What lies beyond the cut."""
        quality, measure = self._quality, self.measure
        if quality is None:
            return Picked((), (), "")
        if measure is None:
            names = [name for name in quality.unknown if name in self._broken]
            return Picked(tuple(names), (0.0,) * len(names), "broken", tuple(quality.hashes[name] for name in names))
        cut = self._cuts.get(measure.name, measure.cut)
        found = quality.beyond(measure.name, cut)
        return Picked(tuple(name for name, _ in found), tuple(value for _, value in found), measure.reason(cut),
                      tuple(quality.hashes[name] for name, _ in found))

    def _show(self) -> None:
        quality = self._quality
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
        self._show_picked()

    def _spread(self) -> Spread | None:
        return self._quality.histogram(self.measure.name) if self._quality is not None and self.measure is not None else None

    def _moved_to(self, share: float) -> None:
        spread = self._spread()
        if spread is not None:
            measure = self.measure
            self._cut_to(round(spread.value_at(share), measure.digits if measure is not None else 2))

    def _cut_to(self, cut: float) -> None:
        measure = self.measure
        if measure is None or self._cuts.get(measure.name, measure.cut) == cut:
            return
        self._cuts[measure.name], self._place = cut, 0
        self._show_picked()

    def _show_picked(self) -> None:
        measure, picked, spread = self.measure, self.picked(), self._spread()
        going = len([name for name in picked.names if name not in self._spared])
        if measure is not None and spread is not None and self._quality is not None:
            cut = self._cuts.get(measure.name, measure.cut)
            side = "below" if measure.bad == "low" else "above"
            of = len(self._quality.items)
            self.histogram.say(spread.share_of(cut), f"{len(picked.names)} of {of} pictures {side} {measure.words(cut)}")
            if self.exact.value != cut:
                self.exact.value = cut
        page = range(self._place, min(len(picked.names), self._place + PAGE))
        cards = [self._card(picked.names[place], picked.values[place], picked.hashes[place]) for place in page]
        spared = f", {len(self._spared)} spared" if self._spared else ""
        title = f"{picked.reason[:1].upper()}{picked.reason[1:]}: {going} picked out{spared}"
        self.cards.show([Section("picked", title, tuple(cards))] if cards else [], self._place, len(picked.names),
                        "No picture lies beyond the cut." if self._quality is not None else "")
        self.reject.description = f"Reject {'it' if going == 1 else f'these {going}'}" if going else "Reject them"
        self._enable()

    def _card(self, name: str, value: float, sha256: str) -> Card:
        measure = self.measure
        words = self._broken.get(name, "") if measure is None else f"{measure.title.lower()} {measure.words(value)}"
        spared = name in self._spared
        return Card(name, name, (words,), "Spared" if spared else "", not spared, sha256)

    # What a person asks for

    def _asked(self, kind: str, given: Mapping[str, Any]) -> None:
        if kind == "want":
            self.feed.want(given["keys"])
        elif kind == "large":
            self.feed.enlarge(str(given["key"]))
        elif kind == "turn":
            self._place = int(given["place"]) // PAGE * PAGE
            self._show_picked()
        elif kind == "press":
            self._spared ^= {str(given["key"])}
            self._show_picked()

    def _reject(self) -> Work | None:
        picked = self.picked()
        seen = {name: sha256 for name, sha256 in zip(picked.names, picked.hashes, strict=True) if name not in self._spared}
        if self._busy or not seen:
            return None
        manager, settings = self.session.dataset, RejectSettings.make(images=tuple(seen), reason=f"{QUALITY}: {picked.reason}")
        return Work("putting pictures aside", lambda: _moved(manager, manager.reject(settings, seen=seen)), self._after)

    def _put_back(self) -> Work | None:
        if self._busy:
            return None
        manager = self.session.dataset

        def act() -> tuple[MoveReport, Quality]:
            names = tuple(manager.rejected_because(QUALITY))
            return _moved(manager, manager.restore(RestoreSettings(images=names)) if names else MoveReport(word="put back"))

        return Work("putting pictures back", act, self._after)

    def _after(self, result: tuple[MoveReport, Quality]) -> str:
        moved, self._quality = result
        self.log.show("\n".join(f"{item.name}: {item.reason}" for item in moved.skipped))
        self._show()
        return moved.sentence()

    def _nothing_picked(self) -> str:
        return self.blocked() or ("" if set(self.picked().names) - self._spared else "No picture is picked out.")

    def _none_rejected(self) -> str:
        if self.session.folder is None:
            return self.blocked()
        return "" if self.session.dataset.rejected_because(QUALITY) else "Nothing was rejected here."


def _options(measures: Sequence[Measure]) -> list[tuple[str, str]]:
    return [(measure.title, measure.name) for measure in measures]


def _moved(manager: DatasetManager, moved: MoveReport) -> tuple[MoveReport, Quality]:
    """What was moved, and the numbers of what is left."""
    return moved, manager.quality()
