"""Let a tagger write captions."""

from __future__ import annotations

import html

import ipywidgets as ipw

from core.base.jobs import JobStatus
from core.dataset.captions.choosing import TagSettings
from core.dataset.captions.taggers import TAGGERS
from widgets.dataset.caption_job import CaptionJobPanel, no_pictures
from widgets.demo import is_demo
from widgets.form import Form

__all__ = ["TaggingPanel", "no_pictures"]

SHOWN_TAGS = 30


class TaggingPanel(CaptionJobPanel):
    """Starts the tagging job, and shows the tags that were found most often."""

    name = "tag"
    title = "Tag"
    purpose = "Let a tagger look at the pictures and write captions. Your own words are kept."
    button = "Tag the pictures"
    stage = "tag"
    worker = "The tagger"

    def controls(self) -> list[ipw.Widget]:
        """Which tagger, and which of its tags."""
        self.form = Form(TagSettings, choices={"tagger": [(f"{entry.title}: {entry.note}" if entry.note else entry.title, entry.name)
                                                          for entry in TAGGERS]})
        return [self.form.view]

    def opened(self) -> None:
        """For the demo project, choose the demo's tagger."""
        if is_demo(self.session.folder):
            self.form.control("tagger").write("demo")

    def summary(self, status: JobStatus) -> str:
        """The usual tags."""
        tags = list(status.report.get("tags", {}).items())[:SHOWN_TAGS]
        words = ", ".join(f"{html.escape(tag)} ({count})" for tag, count in tags)
        return f"Found most often: {words}" if words else ""
