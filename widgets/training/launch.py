"""Start the training, stop it, go on with it."""

from __future__ import annotations

import html
from pathlib import Path

import ipywidgets as ipw

from core.base.errors import StudioError
from core.base.words import told_moment
from core.training.backends import BACKENDS
from core.training.monitor import RunStatus
from core.training.monitor.status import WAITING
from core.training.outputs import State
from core.training.run import ACTIVE, Run, present_run
from widgets.jobs_view import share, time_left
from widgets.panel import Panel
from widgets.session import Session
from widgets.training.choice import read_settings, settings_file
from widgets.training.queue import QueueList
from widgets.training.watching import GuardForm

LOOK_SECONDS = 1.0
GO_ON = "Go on with the last run"
START, ENQUEUE = "Start training", "Put into the queue"
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
    purpose = ("Start the training. You may close the browser; the training goes on, and this panel finds it again. What is started while "
               "another run is trained waits in the queue.")
    button = START
    needs_pictures = True

    def controls(self) -> list[ipw.Widget]:
        """Which trainer, and what watches over it."""
        self.backend = ipw.Dropdown(description="Trainer", options=[(entry.title, entry.name) for entry in BACKENDS], value=DEFAULT_BACKEND)
        self._note = ipw.HTML()
        self._watching = self._queue_watched = False
        self._end_told: tuple[Path, int] | None = None
        self._watched: tuple[Path, int] | None = None
        """The run, and its attempt, that was seen at work here."""
        self._tried: tuple[int, str] | None = None
        """With which settings and which trainer a start failed."""
        self.backend.observe(lambda _: self.refresh(), "value")
        self.guards = GuardForm(self)
        return [ipw.VBox([self.backend, self._note]).add_class("lb-field").add_class("lb-field-backend"), self.guards.view]

    def extras(self) -> list[ipw.Widget]:
        """Stop and go on."""
        self._go_on = self.action(GO_ON, self._resume, self._why_no_resume)
        return [self.action("Stop now", self._stop, self._why_no_stop),
                self.action("Stop after this epoch", self._stop_later, self._why_no_stop_later, self._about_stop_later), self._go_on]

    def results(self) -> list[ipw.Widget]:
        """The queue."""
        self.queue = QueueList(self)
        return [self.queue.view]

    def update(self) -> None:
        """Look for the run that works, at the queue, and for what the trainer lacks."""
        self.guards.look()
        self.queue.look()
        if self.queue.runs and not self._queue_watched:
            self._queue_watched = True
            self.loop.repeat(self.patient(self._look_at_queue), LOOK_SECONDS)
        missing = BACKENDS.load(self.backend.value).missing()
        self._missing = str(missing) if missing is not None and missing.level == "error" else ""
        self._note.value = f'<p class="lb-help">{html.escape(str(missing or BACKENDS.entry(self.backend.value).note))}</p>'
        if self._tried is not None and self._tried != self._wanted():
            self._tried = self._told = None
        run = self._present()
        if run is None:
            self._end_told = None
        elif not self._watching and (run.state() in ACTIVE or self._end_told != (run.folder, run.attempt())):
            self._watch()

    def blocked(self) -> str:
        """What must be right before."""
        if reason := super().blocked() or self.session.trouble:
            return reason
        return self._missing

    def run(self) -> None:
        """Launch."""
        self._tried = self._wanted()
        run = self.session.training.launch(read_settings(self.session), self.backend.value)
        self._tried = None
        self.log.show(f"The run's folder: {run.folder}")
        self._started()
        if self._present() != run:
            self.say("done", f"Done: {run.id} waits in the queue below and begins by itself.")

    def _wanted(self) -> tuple[int, str]:
        """Changes when the settings or the trainer do."""
        kept = settings_file(self.session.training.project.folder)
        return kept.stat().st_mtime_ns if kept.is_file() else 0, self.backend.value

    def _started(self) -> None:
        run = self._present()
        self._watched = (run.folder, run.attempt()) if run is not None else None
        self._watch()
        self.session.tell()

    def _stop(self) -> None:
        run = self._present()
        if run is not None:
            self.session.training.stop(run.id)
            self._look()

    def _stop_later(self) -> None:
        run = self._present()
        if run is not None:
            self.session.training.stop(run.id, after_epoch=True)
            self._look()

    def _resume(self) -> None:
        run = self._present()
        if run is not None:
            self.session.training.resume(run.id)
            self._started()

    def _why_no_stop(self) -> str:
        run = self._present()
        if run is None or run.state() not in ACTIVE:
            return "No training is at work."
        return "It is stopping already." if run.stop_asked() in ("gentle", "force") else ""

    def _why_no_stop_later(self) -> str:
        run = self._present()
        if reason := self._why_no_stop():
            return reason
        if run is None or not run.has_begun():
            return "It waits for its turn. Use Stop now, or take it out of the queue."
        return "It ends after this epoch already." if run.stop_asked() else self.session.training.why_no_epoch_stop(run.id)

    def _about_stop_later(self) -> str:
        run = self._present()
        return "" if run is None else self.session.training.epoch_stop_words(run.id)

    def _why_no_resume(self) -> str:
        run, self._point = self._present(), None
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
        self.main.description = ENQUEUE if self.queue.holds_up() else START

    def _present(self) -> Run | None:
        """The project's run that is trained now, else the first that waits, else the newest."""
        return present_run(self.session.training.runs()) if self.session.folder is not None else None

    def _watch(self) -> None:
        self._watching = True
        self.loop.repeat(self.patient(self._look), LOOK_SECONDS)

    def _look_at_queue(self) -> bool:
        """Runs of other projects and of a terminal end without a word to this panel; its button must not speak of a queue then."""
        before = [queued.as_dict() for queued in self.queue.runs]
        self.queue.look()
        if [queued.as_dict() for queued in self.queue.runs] != before:
            self._enable()
        self._queue_watched = bool(self.queue.runs)
        return self._queue_watched

    def _look(self) -> bool:
        self._show_run()
        return self._watching

    def _settle(self) -> None:
        """While a run is at work, the status line tells of it."""
        run = self._present()
        if run is None or run.state() not in ACTIVE:
            super()._settle()

    def _show_run(self) -> None:
        run = self._present()
        if run is None:
            self._watching = False
            return
        status = self.session.training.status(run.id)
        self.queue.look()
        if status.state in ACTIVE:
            self._watched = run.folder, run.attempt()
            count = f" {status.step} of {status.total}" if status.total else ""
            doing = status.paused or (status.message if status.phase == WAITING else "") or status.phase or status.message
            if status.state == "stopping":
                doing = STOPPING.get(status.backend, "stopping: what was saved before is kept")
            elif status.stop == "epoch" and not status.paused:
                doing = f"{doing}. {self.session.training.epoch_stop_words(run.id)}"
            self.log.show("\n".join(status.retries) or self.log.text)
            self.status.say("working", f"Working{count}: {doing or 'starting'}", share(status.step, status.total),
                            "" if status.stop else time_left(status.seconds_left))
            self._enable()
            return
        self._watching, self._end_told = False, (run.folder, run.attempt())
        if status.state != "prepared":
            ended = 0.0 if self._watched == (run.folder, run.attempt()) else run.last_sign()
            say_end(self, status, ended)
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


def say_end(panel: Panel, status: RunStatus, ended: float) -> None:
    """Put into a panel's status line how a run ended. Args: ended: as `words_for_end`."""
    state, words = words_for_end(status, go_on_words(panel.session, status), ended)
    if state == "ready":
        panel.recall(words)
    else:
        panel.say(state, words)


def words_for_end(status: RunStatus, go_on: str = "", ended: float = 0.0) -> tuple[str, str]:
    """State and words of the status line for a run that has ended.

    Args: go_on: what `go_on_words` says of it. ended: when that was, where nobody watched it here, so that it is no news; else 0.
    """
    if status.state == "done":
        return "done", f"Done: {status.step} steps. The LoRA is {status.output}." if status.output else status.sentence()
    if status.state == "cancelled":
        kept = status.checkpoints[-1].path if status.checkpoints else None
        words = f"The last saved LoRA is {kept}; you can use it as it is. {go_on}" if kept else status.message
        return "done", f"Done: stopped at step {status.step}. {words}".rstrip()
    if ended:
        return "ready", f"Ready. This run ended {told_moment(ended)}: {status.cause or status.message}"
    return "attention", f"Needs attention: {status.cause or status.message}"
