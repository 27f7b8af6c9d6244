"""Captions that stand beside the source files: looked at, taken or left, and only then written."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import ipywidgets as ipw

from core.dataset.sources.found_captions import FindSettings, FoundCaption, FoundReport, TakeReport
from widgets.components.cards import Card, Cards, Section
from widgets.dataset.bulk_change import left_out
from widgets.dataset.history import undo_button
from widgets.dataset.pictures import PictureFeed
from widgets.form import Form
from widgets.panel import Panel, Work
from widgets.pieces import row

PAGE = 20
"""Captions that are shown at once."""
SHOW = [("All", ""), ("Pictures without a caption", "missing"), ("Changed or brought anew", "changed")]
UNSAVED = "Nothing is written before it is saved."


class FoundCaptionsPanel(Panel):
    """What was found, page by page; decisions are kept here until they are saved as one change."""

    name = "found"
    title = "Captions beside the sources"
    purpose = ("Captions that stand beside your own files and not in the project: missing here, or changed there or brought "
               "anew after the import. You see each one before it is taken. Your own files stay as they are.")
    button = "Look beside the sources"
    needs_pictures = True

    def controls(self) -> list[ipw.Widget]:
        """Which ones."""
        self._report: FoundReport | None = None
        self._decisions: dict[FoundCaption, str] = {}
        self._place = 0
        self.form = Form(FindSettings)
        return [self.form.view]

    def extras(self) -> list[ipw.Widget]:
        """Saving, and undo."""
        self.save = self.action("Save the decisions", self._save, self._nothing_decided).add_class("lb-main")
        self.undo = undo_button(self)
        return [self.save, self.undo]

    def results(self) -> list[ipw.Widget]:
        """The captions."""
        self.show = ipw.Dropdown(options=SHOW, description="Show")
        self.show.observe(self.heard(lambda: self._turn(0)), "value")
        self.take_all = self.action("Take all shown", lambda: self._decide_all("take"), self._nothing_shown)
        self.leave_all = self.action("Leave all shown", lambda: self._decide_all("leave"), self._nothing_shown)
        self.forget = self.action("Decide anew", lambda: self._decide_all(""), self._nothing_decided)
        self._tools = ipw.VBox([ipw.VBox([self.show]).add_class("lb-field"), row(self.take_all, self.leave_all, self.forget)])
        self._tools.add_class("lb-form")
        self.cards = Cards(lambda kind, given: self.loop.soon(lambda: self.guard(lambda: self._asked(kind, given))),
                           "caption", "Take this caption, or take that back.", PAGE)
        self.feed = PictureFeed(self.cards, self.loop, self.fail)
        self._left = ipw.HTML()
        return [self._tools, self.cards, self._left]

    def opened(self) -> None:
        """What was found for another project is of no use."""
        self._report, self._decisions = None, {}
        self._left.value = ""
        self.feed.open(self.session.folder)
        self._turn(0)

    def close(self) -> None:
        """Let go."""
        super().close()
        self.feed.close()

    def run(self) -> Work:
        """Look; what was decided and not saved stays, where the same is found again."""
        settings, manager = self.form.value(), self.session.dataset
        return Work("looking beside the sources", lambda: manager.find_source_captions(settings), self._found)

    def _found(self, report: FoundReport) -> str:
        self._report = report
        still = set(report.found)
        self._decisions = {one: word for one, word in self._decisions.items() if one in still}
        away = "".join(f"<li>{html.escape(place)} is not there now.</li>" for place in report.gone)
        away += "".join(f"<li>{html.escape(place)} is an archive that is not looked into. Unpack it and import the folder.</li>"
                        for place in report.closed)
        self._left.value = (f'<ul class="lb-findings">{away}</ul>' if away else "") + left_out(report.skipped)
        self._turn(0)
        return f"{report.sentence()} {UNSAVED}" if report.found else report.sentence()

    def shown(self) -> list[FoundCaption]:
        """What is listed, all pages."""
        found = self._report.found if self._report is not None else []
        return [one for one in found if self.show.value in ("", one.kind)]

    def _turn(self, place: int) -> None:
        """Show the page that begins there."""
        shown = self.shown()
        self._place = max(0, min(place, (max(1, len(shown)) - 1) // PAGE * PAGE))
        found = self._report is not None and bool(self._report.found)
        self._tools.layout.display = "" if found else "none"
        nothing = "None of this kind." if found and not shown else ""
        self.cards.show([self._section(one) for one in shown[self._place:self._place + PAGE]], self._place, len(shown), nothing)
        taken, left = (sum(word == which for word in self._decisions.values()) for which in ("take", "leave"))
        self.save.description = "Save the decisions" if not self._decisions else f"Save: take {taken:,}, leave {left:,}"
        those = "the one" if len(shown) == 1 else f"all {len(shown):,}"
        self.take_all.description, self.leave_all.description = f"Take {those} shown", f"Leave {those} shown"
        self._enable()

    def _section(self, one: FoundCaption) -> Section:
        word = self._decisions.get(one, "")
        actions = (("take", "Will be taken" if word == "take" else "Take it"), ("leave", "Will be left" if word == "leave" else "Leave it"))
        badge = {"take": "Take", "leave": "Leave"}.get(word, "")
        card = Card(one.image, one.image, (), badge, word == "take", one.sha256)
        return Section(one.image, f"Beside the source: {one.place}", (card,), actions, word, (one.present or "", one.found))

    def _asked(self, kind: str, given: Mapping[str, Any]) -> None:
        if kind == "want":
            self.feed.want(given["keys"])
        elif kind == "large":
            self.feed.enlarge(str(given["key"]))
        elif kind == "turn":
            self._turn(int(given["place"]) // PAGE * PAGE)
        elif kind in ("press", "act"):
            one = next((one for one in self.shown() if one.image == given["section"]), None)
            if one is not None:
                self._decide(one, "take" if kind == "press" else str(given["name"]))
                self._turn(self._place)

    def _decide(self, one: FoundCaption, word: str) -> None:
        """Take or leave; the same word once more takes it back."""
        if self._decisions.get(one) == word:
            del self._decisions[one]
        else:
            self._decisions[one] = word

    def _decide_all(self, word: str) -> None:
        for one in self.shown():
            self._decisions.pop(one, None)
            if word:
                self._decisions[one] = word
        self._turn(self._place)

    def _save(self) -> Work:
        """Write what was taken as one change; both are not shown again."""
        take, leave = ([one for one, word in self._decisions.items() if word == which] for which in ("take", "leave"))
        manager, settings = self.session.dataset, self.form.value()

        def act() -> tuple[TakeReport, FoundReport]:
            return manager.take_source_captions(take, leave), manager.find_source_captions(settings)

        written = dict(self._decisions)
        return Work("saving captions", act, lambda result: self._saved(result[0], result[1], written))

    def _saved(self, report: TakeReport, found: FoundReport, written: Mapping[FoundCaption, str]) -> str:
        self._decisions = {one: word for one, word in self._decisions.items() if written.get(one) != word}  # decided meanwhile
        self._found(found)
        self._left.value += left_out(report.skipped)
        return report.sentence() + (" Undo takes it back." if report.taken else "")

    def _nothing_shown(self) -> str:
        return self.blocked() or ("" if self.shown() else "Nothing is shown. Look beside the sources first.")

    def _nothing_decided(self) -> str:
        working = "It is working. Wait for it." if self._busy else ""
        return self.blocked() or working or ("" if self._decisions else "Nothing was decided yet: take or leave captions first.")
