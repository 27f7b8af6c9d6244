"""The log of a run in the monitor: searched beside the kernel, so that one of any size holds nobody up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.base.words import counted
from core.training.monitor.searching import LEVELS, LogFound, LogQuery
from widgets.components.run_log import RunLog
from widgets.panel import Panel

MOST = 400


class RunLogView:
    """Brings the lines for what is chosen. Args: panel: whose loop and session are used; it says what goes wrong."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.view = RunLog(title="Log of the run")
        self.view.observe(panel.heard(self._asked), ["levels", "words", "opened"])
        self._run = ""
        self._notes: tuple[str, ...] = ()
        self._found = LogFound()
        self._query: LogQuery | None = None
        self._number = 0
        """Of the newest search: an earlier one that is still under way ends."""
        self._searching = False

    def look(self, run: str, notes: Sequence[str] = ()) -> None:
        """Follow this run; what is new is brought. Args: notes: warnings of Lorabook's own, shown before the lines."""
        if run != self._run:
            self._run, self._query = run, None
        self._notes = tuple(notes)
        if self.view.opened:
            self._bring()
        elif not self._run:
            self.view.show([], "")

    def _asked(self) -> None:
        if self.view.opened and self._run:
            self._bring()

    def _bring(self) -> None:
        """Search the whole log for something new, else what was appended since."""
        query = LogQuery(self.view.words, frozenset(self.view.levels), MOST)  # type: ignore[arg-type]
        is_new = query != self._query
        if self._searching and not is_new:
            return
        if is_new:
            self._number, self._query, self._found = self._number + 1, query, LogFound()
        number, begin, manager, run = self._number, self._found.end, self.panel.session.training, self._run
        self._searching = True

        def search() -> LogFound:
            return manager.search_log(run, query, begin, lambda: number != self._number)

        self.panel.loop.beside(search, lambda found, error: self._take(number, run, found, error))

    def _take(self, number: int, run: str, found: Any, error: BaseException | None) -> None:
        if number != self._number or run != self._run:
            return
        self._searching = False
        if error is not None:
            self.panel.fail(error)
            return
        self._found = found if not self._found.end else self._found.joined(found, MOST)
        self._show()

    def _show(self) -> None:
        shown = [*((("warning", f"Note: {note}") for note in self._notes) if self._fits_notes() else ()), *self._found.lines]
        count = len(self._found.lines)
        is_part = bool(self.view.words.strip()) or len(self.view.levels) < len(LEVELS)
        if not self._found.is_all:
            note = f"The newest {count} lines{' that fit' if is_part else ''}; there are older ones."
        elif not count:
            note = "No line fits." if is_part else "The log is empty."
        else:
            lines = counted(count, "line")
            note = f"{lines} {'fits' if count == 1 else 'fit'}." if is_part else f"The whole log: {lines}."
        if ([list(line) for line in shown], note) != (self.view.lines, self.view.note):
            self.view.show(shown, note)

    def _fits_notes(self) -> bool:
        return "warning" in self.view.levels and not self.view.words.strip()
