"""Start the training, stop it, go on with it."""

from __future__ import annotations

import html
from pathlib import Path

import ipywidgets as ipw

from core.base.errors import StudioError
from core.training.backends import BACKENDS
from core.training.monitor import RunStatus
from core.training.outputs import State
from core.training.run import ACTIVE, Run
from widgets.jobs_view import share, time_left
from widgets.panel import Panel
from widgets.session import Session
from widgets.training.choice import read_settings, settings_file

LOOK_SECONDS = 1.0
GO_ON = "Go on with the last run"
STOPPING = {"builtin": "stopping: the present step is finished, then LoRA and state are saved"}
"""What a trainer does when it is stopped; one that is not named ends at once."""
DEFAULT_BACKEND = "builtin"


def backend_of(session: Session) -> str:
    """The trainer chosen in the Train panel; the built-in one before that panel is shown."""
    panel = session.panels.get("train")
    return panel.backend.value if panel is not None else DEFAULT_BACKEND


class TrainPanel(Panel):
    """Starts a run that goes on when the browser or the kernel is closed, and finds it again."""

    name = "train"
    title = "Train"
    purpose = "Start the training. You may close the browser; the training goes on, and this panel finds it again."
    button = "Start training"
    needs_pictures = True

    def controls(self) -> list[ipw.Widget]:
        """Which trainer."""
        self.backend = ipw.Dropdown(description="Trainer", options=[(entry.title, entry.name) for entry in BACKENDS], value=DEFAULT_BACKEND)
        self._note = ipw.HTML()
        self._watching = False
        self._end_told: tuple[Path, int] | None = None
        self._tried: tuple[int, str] | None = None
        """With which settings and which trainer a start failed."""
        self.backend.observe(lambda _: self.refresh(), "value")
        return [ipw.VBox([self.backend, self._note]).add_class("lb-field").add_class("lb-field-backend")]

    def extras(self) -> list[ipw.Widget]:
        """Stop and go on."""
        self._go_on = self.action(GO_ON, self._resume, self._why_no_resume)
        return [self.action("Stop", self._stop, self._why_no_stop), self._go_on]

    def update(self) -> None:
        """Look for the newest run, and for what the trainer lacks."""
        missing = BACKENDS.load(self.backend.value).missing()
        self._missing = str(missing) if missing is not None and missing.level == "error" else ""
        self._note.value = f'<p class="lb-help">{html.escape(str(missing or BACKENDS.entry(self.backend.value).note))}</p>'
        if self._tried is not None and self._tried != self._wanted():
            self._tried = self._told = None
        run = self._newest()
        if run is None:
            self._end_told = None
        elif not self._watching and (run.state() in ACTIVE or self._end_told != (run.folder, run.attempt())):
            self._watch()

    def blocked(self) -> str:
        """What must be right before."""
        if reason := super().blocked() or self.session.trouble:
            return reason
        run = self._newest()
        if run is not None and run.state() in ACTIVE:
            return f"The run {run.id} is at work. Wait for its end, or stop it."
        return self._missing

    def run(self) -> None:
        """Launch."""
        self._tried = self._wanted()
        run = self.session.training.launch(read_settings(self.session), self.backend.value)
        self._tried = None
        self.log.show(f"The run's folder: {run.folder}")
        self._started()

    def _wanted(self) -> tuple[int, str]:
        """Changes when the settings or the trainer do."""
        kept = settings_file(self.session.training.project.folder)
        return kept.stat().st_mtime_ns if kept.is_file() else 0, self.backend.value

    def _started(self) -> None:
        self._watch()
        self.session.tell()

    def _stop(self) -> None:
        run = self._newest()
        if run is not None:
            self.session.training.stop(run.id)
            self._look()

    def _resume(self) -> None:
        run = self._newest()
        if run is not None:
            self.session.training.resume(run.id)
            self._started()

    def _why_no_stop(self) -> str:
        run = self._newest()
        if run is None or run.state() not in ACTIVE:
            return "No training is at work."
        return "It is stopping already." if run.stop_asked() else ""

    def _why_no_resume(self) -> str:
        run, self._point = self._newest(), None
        if run is None:
            return "There is no run yet."
        try:
            self._point = self.session.training.resume_point(run.id)
        except StudioError as error:
            return str(error)
        return ""

    def _enable(self) -> None:
        """The button says from where the run goes on."""
        super()._enable()
        self._go_on.description = go_on_button(self._point)

    def _newest(self) -> Run | None:
        runs = self.session.training.runs() if self.session.folder is not None else []
        return runs[0] if runs else None

    def _watch(self) -> None:
        self._watching = True
        self.loop.repeat(self.patient(self._look), LOOK_SECONDS)

    def _look(self) -> bool:
        self._show_run()
        return self._watching

    def _settle(self) -> None:
        """While a run is at work, the status line tells of it."""
        run = self._newest()
        if run is None or run.state() not in ACTIVE:
            super()._settle()

    def _show_run(self) -> None:
        run = self._newest()
        if run is None:
            self._watching = False
            return
        status = self.session.training.status(run.id)
        if status.state in ACTIVE:
            count = f" {status.step} of {status.total}" if status.total else ""
            doing = status.phase or status.message
            if status.state == "stopping":
                doing = STOPPING.get(status.backend, "stopping: what was saved before is kept")
            self.status.say("working", f"Working{count}: {doing or 'starting'}", share(status.step, status.total),
                            time_left(status.seconds_left))
            self._enable()
            return
        self._watching, self._end_told = False, (run.folder, run.attempt())
        if status.state != "prepared":
            self.say(*words_for_end(status, go_on_words(self.session, status)))
        self._enable()
        self.session.tell()


def go_on_button(point: State | None) -> str:
    """Words of the button that goes on with a run."""
    return GO_ON if point is None else f"Go on from step {point.step}"


def go_on_words(session: Session, status: RunStatus) -> str:
    """How a stopped run can be trained on, or why it cannot; empty for a run that was not stopped."""
    if status.state != "cancelled":
        return ""
    try:
        point = session.training.resume_point(status.run)
    except StudioError as error:
        return error.message
    return f'To train on, press "{go_on_button(point)}" in the Train panel.'


def words_for_end(status: RunStatus, go_on: str = "") -> tuple[str, str]:
    """State and words of the status line for a run that has ended. Args: go_on: what `go_on_words` says of it."""
    if status.state == "done":
        return "done", f"Done: {status.step} steps. The LoRA is {status.output}."
    if status.state == "cancelled":
        kept = status.checkpoints[-1].path if status.checkpoints else None
        words = f"The last saved LoRA is {kept}; you can use it as it is. {go_on}" if kept else status.message
        return "done", f"Done: stopped at step {status.step}. {words}".rstrip()
    return "attention", f"Needs attention: {status.cause or status.message}"
