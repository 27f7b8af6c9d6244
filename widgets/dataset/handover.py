"""Give the project to the Trainer notebook, and take the dataset home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus
from core.dataset.packing import PackSettings
from widgets.download_links import download_links
from widgets.panel import Panel


class HandoverPanel(Panel):
    """Names the project for Trainer, so that no path need be typed again; packs pictures and captions into one file."""

    name = "handover"
    title = "Hand over"
    purpose = ("Give this project to the Trainer notebook; no path need be typed again. Or pack pictures and captions into one file, to "
               "take them home.")
    button = "Hand over to Trainer"
    stage = "pack"
    needs_pictures = True

    def extras(self) -> list[ipw.Widget]:
        """The ways home."""
        return [self.action("Pack pictures and captions", lambda: self._pack("all"), self._no_packing),
                self.action("Pack the captions alone", lambda: self._pack("captions"), self._no_packing)]

    def results(self) -> Sequence[ipw.Widget]:
        """Where the file is."""
        self._where = ipw.HTML()
        return [self._where]

    def opened(self) -> None:
        """Another project has another file."""
        self._where.value = ""

    def run(self) -> str:
        """Hand it over."""
        manager = self.session.dataset
        manager.hand_to_trainer()
        return f"Trainer works on {manager.project.name} now. Open Trainer.ipynb and run its cells from top to bottom."

    def show_report(self, status: JobStatus) -> None:
        """How the file is taken home."""
        place = status.report.get("place", "")
        self._where.value = download_links([Path(place)]) if status.state == "done" and place else ""

    def _pack(self, what: str) -> Job:
        return self.start(PackSettings.make(what=what))

    def _no_packing(self) -> str:
        return self.blocked() or ("It is packing. Wait for it, or cancel it." if self.working() else "")
