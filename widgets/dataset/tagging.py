"""Let a tagger write captions."""

from __future__ import annotations

import html

import ipywidgets as ipw

from core.base.jobs import JobStatus
from core.base.words import counted
from core.dataset.captions.choosing import TagSettings
from core.dataset.captions.taggers import TAGGERS
from core.dataset.captions.which import WhichImages
from widgets.dataset.caption_job import CaptionJobPanel
from widgets.dataset.which import WhichChoice
from widgets.demo import is_demo
from widgets.form import Form

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
        self.which = WhichChoice(self.session, self.refresh)
        offered = [(entry.title, entry.name) for entry in TAGGERS]
        self.form = Form(TagSettings, choices={"tagger": offered, "more_taggers": offered}, hide=tuple(WhichImages.fields()))
        self.form.on_change(self.heard(self._tell_tagger))
        self._tell_tagger()
        return [self.which.view, self.form.view]

    def _tell_tagger(self) -> None:
        tagger = self.form.control("tagger")
        tagger.remark(TAGGERS.entry(tagger.read()).note)

    def opened(self) -> None:
        """For the demo project, choose the demo's tagger, unless another one was used."""
        super().opened()
        if is_demo(self.session.folder) and self.last_settings() is None:
            self.form.control("tagger").write("demo")

    def summary(self, status: JobStatus) -> str:
        """The usual tags."""
        tags = list(status.report.get("tags", {}).items())
        words = ", ".join(f"{html.escape(tag)} ({count})" for tag, count in tags[:SHOWN_TAGS])
        rest = f", and {counted(len(tags) - SHOWN_TAGS, 'other tag')}" if len(tags) > SHOWN_TAGS else ""
        return f"Found most often: {words}{rest}" if words else ""
