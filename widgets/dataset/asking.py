"""The buttons of the gallery's editor that let a tagger or captioner look at the one picture that is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.base.errors import StudioError
from core.base.failures import words_for
from core.base.jobs import Job, JobStatus
from widgets.components.gallery import Gallery
from widgets.dataset.caption_job import CaptionJobPanel
from widgets.jobs_view import working_words
from widgets.kernel_loop import KernelLoop, patient
from widgets.session import Session

LOOK_SECONDS = 0.4
TITLES = {"tag": ("Tag", "a tagger"), "caption": ("Caption", "a captioner")}
"""Stage to the panel that holds its settings, and what is chosen there."""


class OneAsked:
    """Starts a job for one picture with the settings of the Tag or Caption panel, and says in the editor what becomes of it.

    Args: ended: called when a job has ended: captions may be other ones now.
    """

    def __init__(self, editor: Gallery, session: Session, loop: KernelLoop, ended: Callable[[], None]) -> None:
        self.editor, self.session, self.loop, self._ended = editor, session, loop, ended
        self.job: Job | None = None
        self._key = self._home = self._worker = self._title = ""

    def ask(self, stage: str, key: str, home: str) -> None:
        """Let it look at the picture of the project `home`. What hinders it is said in the editor, where the button was pressed."""
        if self.job is not None or home != str(self.session.folder):
            return
        self._key, self._home, self._title = key, home, TITLES[stage][0]
        try:
            panel = self._panel(stage)
            self.job = panel.run_one(Path(key).stem)
        except StudioError as error:
            self._say(f"Needs attention: {error}", wrong=True)
            return
        self._worker = panel.worker
        self.look()
        self.loop.repeat(patient(self.look, lambda error: self._say(f"Needs attention: {words_for(error, '')}", wrong=True, busy=True)),
                         LOOK_SECONDS)

    def cancel(self) -> None:
        """Ask the job to stop."""
        if self.job is not None:
            self.job.cancel()
            self._say("Stopping …", busy=True)

    def look(self) -> bool:
        """Show the job once. Returns: whether there is more to come."""
        if self.job is None:
            return False
        status = self.job.status()
        if not status.ended:
            if not self.job.cancel_asked():
                words = working_words(status).removeprefix("Working: ") if status.state == "waiting" else "please wait"
                self._say(f"{self._worker} looks at {self._key}: {words}", busy=True)
            return True
        self.job = None
        self._say(*self._outcome(status))
        self._ended()
        return False

    def _panel(self, stage: str) -> CaptionJobPanel:
        """Raises: StudioError: it is not on screen, or works already."""
        title, model = TITLES[stage]
        panel = self.session.panels.get(stage)
        if not isinstance(panel, CaptionJobPanel):
            raise StudioError(f"The {title} panel is not shown yet.", f"Run its cell and choose {model} there, then press again.")
        if busy := panel.at_work():
            raise StudioError(busy)
        return panel

    def _outcome(self, status: JobStatus) -> tuple[str, bool]:
        """The words for a job that has ended, and whether they tell of something wrong."""
        if status.state == "cancelled":
            return "Cancelled; the caption is as it was.", False
        skipped = status.report.get("skipped") or ()
        if status.state != "done" or skipped:
            return f"Needs attention: {skipped[0]['reason'] if skipped else status.message}", True
        if status.report.get("written"):
            return f"{self._worker} wrote the caption of {self._key}. Undo in the {self._title} panel takes that back.", False
        return f"{self._worker} found nothing new for {self._key}; the caption stays as it was.", False

    def _say(self, words: str, wrong: bool = False, busy: bool = False) -> None:
        said = {"words": words, "wrong": wrong, "busy": busy, "home": self._home, "id": self._key}
        if self.editor.asked != said:
            self.editor.asked = said
