"""Which run is looked at: one choice for every panel of the notebook."""

from __future__ import annotations

from typing import Any

import ipywidgets as ipw

from core.training.run import Run, present_run
from widgets.session import Session

NO_RUN = ("no run yet", "")
WORDS = {"prepared": "not started", "running": "training", "stopping": "stopping", "done": "finished", "failed": "failed",
         "cancelled": "stopped", "lost": "lost"}


class RunPicker:
    """The project's runs, newest first; the present one is followed until the person chooses another, in whichever panel."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.list = ipw.Dropdown(description="Run", options=[NO_RUN])
        self.view = ipw.VBox([self.list]).add_class("lb-field").add_class("lb-field-run")
        self._present, self._looking = "", False
        self.list.observe(self._choose, "value")

    def look(self) -> list[Run]:
        """Offer the runs of the open project. Returns: these, newest first."""
        runs = self.session.training.runs() if self.session.folder is not None else []
        names, present = [run.id for run in runs], present_run(runs)
        self._present = present.id if present is not None else ""
        options = [(f"{run.id} ({state_words(run)})", run.id) for run in runs] or [NO_RUN]
        wanted = self.session.chosen_run if self.session.chosen_run in names else self._present
        self._looking = True
        with self.list.hold_sync():
            if list(self.list.options) != options:
                self.list.options = options
            self.list.value = wanted
        self._looking = False
        return runs

    def _choose(self, change: dict[str, Any]) -> None:
        if not self._looking:
            self.session.chosen_run = "" if change["new"] == self._present else change["new"]
            self.session.tell()

    @property
    def chosen(self) -> str:
        """The chosen run's id; empty where there is none."""
        return self.list.value or ""


def state_words(run: Run) -> str:
    """How it stands, in a word or two; one that is in the queue waits."""
    state = run.state()
    return "waiting" if state == "running" and not run.has_begun() else WORDS[state]
