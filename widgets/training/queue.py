"""The queue of training runs on this machine, as a list in the Train panel."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as ipw

from core.training.queue import QueuedRun, list_queue
from widgets.panel import Panel
from widgets.pieces import part, row

WORDS = {"working": "is trained now", "waiting": "waits", "held": "held", "gone": "interrupted"}
MOST_ROWS = 8


class QueueList:
    """Shows the runs of every project on this machine while one of them waits, and lets their order be changed.

    Args: panel: its buttons stand in that panel, so that errors become sentences there.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.runs: list[QueuedRun] = []
        self.list = ipw.Select(description="Runs on this machine", options=[])
        self._looking = False
        self.list.observe(lambda _: None if self._looking else panel.refresh(), "value")
        self._heading = part("Queue")
        self.earlier = panel.action("Earlier", lambda: self._move(-1), lambda: self._why_not(lambda one: one.place > 1, "It is first."))
        self.later = panel.action("Later", lambda: self._move(1), lambda: self._why_not(self._is_not_last, "It is last."))
        self.hold = panel.action("Hold", self._hold, self._why_not)
        self.out = panel.action("Take out", self._take_out, self._why_not)
        self.wake = panel.action("Start the interrupted again", self._wake, self._why_no_wake)
        listed = ipw.VBox([self.list]).add_class("lb-field").add_class("lb-list").add_class("lb-field-queue")
        self.view = ipw.VBox([self._heading, listed, row(self.earlier, self.later, self.hold, self.out, self.wake)])
        self.view.add_class("lb-form")

    def look(self) -> None:
        """Show the queue as it is now; the chosen run stays chosen. It is hidden as long as nobody waits."""
        self.runs = list_queue()
        waiting = any(queued.state != "working" for queued in self.runs)
        self.view.layout.display = "" if waiting else "none"
        options = [(_line(queued), str(queued.run.folder)) for queued in self.runs] if waiting else []
        if list(self.list.options) != options:
            self._offer(options)
        chosen_run = self._chosen()
        self.hold.description = "Release" if chosen_run is not None and chosen_run.state == "held" else "Hold"
        self.wake.layout.display = "" if self._why_no_wake() == "" else "none"

    def holds_up(self) -> bool:
        """Whether what is started now waits for a run that works or waits itself; held and interrupted ones hold nobody up."""
        return any(queued.state in ("working", "waiting") for queued in self.runs)

    def _offer(self, options: list[tuple[str, str]]) -> None:
        """New options choose the first for a moment: nobody hears of it, else the buttons would be off just when one is pressed."""
        chosen, known = self.list.value, [value for _, value in options]
        first = next((str(queued.run.folder) for queued in self.runs if queued.state != "working"), None)
        self._looking = True
        with self.list.hold_sync():
            self.list.rows = max(2, min(MOST_ROWS, len(options)))
            self.list.options = options
            self.list.value = chosen if chosen in known else first
        self._looking = False

    def _chosen(self) -> QueuedRun | None:
        return next((queued for queued in self.runs if str(queued.run.folder) == self.list.value), None)

    def _why_not(self, fits: Callable[[QueuedRun], bool] = lambda one: True, reason: str = "") -> str:
        chosen = self._chosen()
        if chosen is None:
            return "Choose a run that waits."
        if chosen.state == "working":
            return "It is trained now. Stop it, or choose a run that waits."
        return "" if fits(chosen) else reason

    def _is_not_last(self, chosen: QueuedRun) -> bool:
        return chosen.place < max(queued.place for queued in self.runs)

    def _why_no_wake(self) -> str:
        return "" if any(queued.state == "gone" for queued in self.runs) else "No run was interrupted."

    def _move(self, by: int) -> None:
        if (chosen := self._chosen()) is not None:
            self.panel.session.training.move(chosen.run, chosen.place + by)
        self._changed()

    def _hold(self) -> None:
        if (chosen := self._chosen()) is not None:
            self.panel.session.training.hold(chosen.run, chosen.state != "held")
        self._changed()

    def _take_out(self) -> None:
        if (chosen := self._chosen()) is not None:
            self.panel.session.training.take_out(chosen.run)
        self._changed()

    def _wake(self) -> str:
        count = len(self.panel.session.training.wake_queue())
        self._changed()
        return f"{count} run{'s' if count != 1 else ''} that had been interrupted {'are' if count != 1 else 'is'} in the queue again."

    def _changed(self) -> None:
        self.look()
        self.panel.refresh()


def _line(queued: QueuedRun) -> str:
    place = f"{queued.place}. " if queued.place else ""
    return f"{place}{queued.run.id} in the project {queued.project}: {WORDS[queued.state]}"
