"""The frame that every panel has: number and title, purpose, form, one main button, status, results, folded log."""

from __future__ import annotations

import html
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets as ipw

from core.base.errors import StudioError
from core.base.failures import words_for
from core.base.findings import Finding
from core.base.jobs import Job, JobStatus, start_job
from widgets.components.log import LogView
from widgets.components.status import StatusLine
from widgets.jobs_view import calm_words, ended_words, job_log, newest_job, share, time_left, went_wrong, working_words
from widgets.kernel_loop import KernelLoop, patient
from widgets.pieces import row
from widgets.session import Session
from widgets.style import stylesheet

if TYPE_CHECKING:
    from core.base.settings import Settings

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Work:
    """Something that takes seconds, run beside the kernel: too short for a job, too long for a click."""

    what: str
    """Shown while it works: "checking the pictures"."""
    act: Callable[[], Any]
    then: Callable[[Any], str | None]
    """Shows the result; returns the sentence for the status line; where a list of findings was made, in the colour of the worst."""


class Panel:
    """One step of the way. A subclass gives the controls, and what the main button does; it handles no error itself.

    A `StudioError` becomes its sentence in the status line. Anything else is a bug of Lorabook and is called so, with
    the traceback in the log.

    Args:
        session: which project is open.
        number: the panel's place in its notebook.
    """

    name: ClassVar[str] = "panel"
    title: ClassVar[str] = ""
    purpose: ClassVar[str] = ""
    button: ClassVar[str] = ""
    """Words of the main button; empty for a panel that has none."""
    stage: ClassVar[str] = ""
    """The stage whose jobs this panel starts; a running or finished one is taken up again when the panel is shown."""
    needs_project: ClassVar[bool] = True
    needs_pictures: ClassVar[bool] = False

    def __init__(self, session: Session, number: int = 1) -> None:
        self.session, self.number = session, number
        self.loop = KernelLoop()
        self.status, self.log = StatusLine(), LogView()
        self.job: Job | None = None
        self._seen: tuple[Any, ...] = ()
        self._told: tuple[str, str] | None = None
        self._told_while: str | None = None
        """What was missing at the first look after that was told; None: nobody has looked since."""
        self._looking_back = False
        """Whether a job of before is taken up: what became of it is no news."""
        self._works = 0
        """How many works run beside the kernel now."""
        self._waiting: dict[object, Callable[[], None]] = {}
        """Presses that came while a work ran, in their order."""
        self._actions: list[tuple[ipw.Button, Callable[[], str], Callable[[], str]]] = []
        self.main = self.action(self.button, self.run, lambda: self.blocked() or self.advice(), self.hint).add_class("lb-main")
        self.stop = self.action("Cancel", self.cancel)
        self.main.layout.display = "" if self.button else "none"
        self.stop.layout.display = "none"
        self.view = ipw.VBox()
        self._buttons: ipw.Widget | None = None
        self.guard(self._build)

    def _build(self) -> None:
        controls = self.controls()
        buttons = [] if self._buttons is not None else [self.buttons()]
        status = [] if self.status in controls or not buttons else [self.status]  # used far above the button it stands where one looks
        self.view.children = [stylesheet(), self._head(), *controls, *buttons, *status, *self.results(), self.log]
        self.view.add_class("lb-panel").add_class(f"lb-panel-{self.name}")
        self.session.subscribe(self.refresh)
        self.refresh()

    def buttons(self) -> ipw.Widget:
        """The main button with those beside it. Controls that hold them themselves hold the status line too."""
        if self._buttons is None:
            self._buttons = row(self.main, self.stop, *self.extras())
        return self._buttons

    def _head(self) -> ipw.HTML:
        return ipw.HTML(f'<div class="lb-head"><span class="lb-number" aria-hidden="true">{self.number}</span>'
                        f'<div class="lb-title" role="heading" aria-level="3" aria-label="{self.number}. {html.escape(self.title)}">'
                        f'{html.escape(self.title)}</div></div><p class="lb-purpose">{html.escape(self.purpose)}</p>')

    # What a subclass gives

    def controls(self) -> Sequence[ipw.Widget]:
        """What stands above the main button."""
        return ()

    def extras(self) -> Sequence[ipw.Widget]:
        """Buttons beside the main one."""
        return ()

    def results(self) -> Sequence[ipw.Widget]:
        """What stands under the status line."""
        return ()

    def run(self) -> Job | Work | str | None:
        """What the main button does. Returns: a job to follow, work to do beside the kernel, or the sentence for Done."""
        return None

    def blocked(self) -> str:
        """Why the main button cannot be pressed now; empty when it can."""
        return self.no_project() or (no_pictures(self.session.folder) if self.needs_pictures else "")

    def advice(self) -> str:
        """What is to be done before the main button can be pressed, where nothing is amiss: it is told calmly, and never over a result."""
        return ""

    def hint(self) -> str:
        """What stands at the main button when one points at it and it can be pressed; empty: nothing."""
        return ""

    def opened(self) -> None:
        """Begin anew: another project is open now, or the first one, or none. The newest job of its own is taken up after that."""

    def update(self) -> None:
        """Look at the project's files again."""

    def begun(self) -> None:
        """A job is followed from here on: what the last one found is no answer any more."""

    def show_report(self, status: JobStatus) -> None:
        """Show what a finished job found."""

    def place(self) -> Path | None:
        """The folder whose jobs are this panel's; None: there is none."""
        return self.session.folder

    def working_words(self, status: JobStatus) -> str:
        """What the status line says of a running job."""
        return working_words(status)

    # What a subclass uses

    def no_project(self) -> str:
        """Why nothing can be done at all; empty when a project is open, or none is needed."""
        return "No project is open yet. Open one in the Project panel." if self.needs_project and self.session.folder is None else ""

    @property
    def _busy(self) -> bool:
        """Whether it works beside the kernel."""
        return self._works > 0

    def working(self) -> bool:
        """Whether it is at work: beside the kernel, or in a job."""
        return self._busy or (self.job is not None and not self.job.status().ended)

    def start(self, settings: Settings) -> Job:
        """Start the panel's stage on the open project. Raises: StudioError: none is open."""
        return start_job(self.session.dataset.project.folder, self.stage, settings.model_dump(mode="json"))

    def action(self, words: str, act: Callable[[], Any], blocked: Callable[[], str] = lambda: "",
               hint: Callable[[], str] = lambda: "", alone: bool = False, about: Callable[[], Collection[Any]] = tuple) -> ipw.Button:
        """A button whose errors become sentences.

        Args:
            blocked: why it cannot be pressed now, empty when it can.
            hint: what stands there when one points at it and it can.
            alone: whether it waits for a work that runs beside the kernel, since that may change what it acts on.
            about: what it acts on; see `when_free`.
        """
        button = ipw.Button(description=words)

        def press() -> None:
            if not button.disabled:  # else it was pressed twice, and the first time has made it impossible
                self.guard(act)

        button.on_click(lambda _: self.loop.settled(lambda: self.when_free(press, button, about) if alone else press()))
        self._actions.append((button, blocked, hint))
        return button

    def when_free(self, act: Callable[[], None], what: object = None, about: Callable[[], Collection[Any]] = tuple) -> None:
        """Call it now, or once the work beside the kernel has ended: what a person pressed meanwhile is not lost.

        Args:
            what: names the press; one that waits already counts once. None: each counts.
            about: what it acts on. If the work brought something new there, nobody has seen that: nothing is done, and that is said.
        """
        if not self._busy:
            act()
            return
        seen = set(about())

        def later() -> None:
            if seen.issuperset(about()):
                act()
            else:
                self.say("attention", "Needs attention: What was pressed has changed meanwhile, so nothing was done. Look at it, then "
                                      "press again.")

        self._waiting.setdefault(object() if what is None else what, later)

    def heard(self, act: Callable[[], Any]) -> Callable[..., None]:
        """The same act for a control that changed: in the panel's own thread, for newer kernels take values in in another one."""
        return lambda *_: self.loop.soon(lambda: self.guard(act))

    def guard(self, act: Callable[[], Any]) -> None:
        """Do it and follow what comes of it: the one place where errors are turned into words."""
        try:
            outcome = act()
            if isinstance(outcome, Job):
                self.follow(outcome)
            elif isinstance(outcome, Work):
                self._work(outcome)
            elif isinstance(outcome, str):
                self.done(outcome)
                self.session.tell()
        except Exception as error:  # noqa: BLE001 - the frame of all panels: whatever it is, the person must read of it
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Say what is wrong."""
        self.say("attention", f"Needs attention: {words_for(error, 'The log below tells where; please report it.')}")
        if isinstance(error, StudioError):
            return
        self.log.append("".join(traceback.format_exception(type(error), error, error.__traceback__)))

    def say(self, state: str, text: str, fraction: float = -1.0, left: str = "") -> None:
        """Put a sentence into the status line; it stays until something else is said."""
        self._told, self._told_while = (state, text) if state in ("done", "attention", "blocked") else None, None
        self.status.say(state, text, fraction, left)

    def recall(self, text: str) -> None:
        """Say calmly what became of something before this panel was there; it stands as a result does."""
        self.say("ready", text)
        self._told = "ready", text

    def done(self, sentence: str) -> None:
        """Say that it is done."""
        self.say("done", f"Done: {sentence}" if sentence else "Done.")

    def conclude(self, found: object, sentence: str | None) -> str | None:
        """Say what a check found in the colour of the worst: bad news must not look like good news. Returns: the sentence if it is good."""
        levels = {finding.level for finding in found if isinstance(finding, Finding)} if isinstance(found, list) else set()
        if not sentence or not levels & {"error", "warning"}:
            return sentence
        self.say(*(("attention", f"Needs attention: {sentence}") if "error" in levels else ("blocked", f"Done: {sentence}")))
        return None

    def follow(self, job: Job) -> None:
        """Show a job's progress until it ends."""
        self.job, self._told = job, None
        self.begun()
        look = self.patient(lambda: self.job == job and self._look())
        if look():
            self.loop.repeat(look, POLL_SECONDS)

    def patient(self, look: Callable[[], bool]) -> Callable[[], bool]:
        """The same look for `KernelLoop.repeat`, which bears that files cannot be read for a while."""
        return patient(look, self.fail)

    def cancel(self) -> None:
        """Ask the running job to stop."""
        if self.job is not None:
            self.job.cancel()
            self.status.say("working", "Working: stopping after the present item.")

    def refresh(self) -> None:
        """Show what the files say now."""
        self.loop.soon(lambda: self.guard(self._refresh))

    def close(self) -> None:
        """Let go: another panel takes this one's place."""
        self.session.unsubscribe(self.refresh)
        self.loop.stop()

    # The frame's own work

    def _refresh(self) -> None:
        seen = (self.session.folder,)
        if seen != self._seen:
            self._seen, self.job = seen, None
            self._told = None if self.needs_project else self._told  # what was found of the machine is still true
            self._waiting.clear()  # they were meant for another project
            self.log.show("")
            self.opened()
            self._looking_back = True
            try:
                self._take_up_job()
            finally:
                self._looking_back = False
        self.update()
        if self.job is not None and self.status.state == "working":
            self._look()
        if not self.working():
            self._settle()
        self._enable()

    def _take_up_job(self) -> None:
        job = newest_job(self.place(), self.stage) if self.stage else None
        if job is not None:
            self.follow(job)

    def _settle(self) -> None:
        """Say Ready or what is missing, unless a result or an error is still to be read: it stands until something else is missing."""
        reason = self.blocked() if self.button else ""
        if self._told_while is None:
            self._told_while = reason
        if self._told is not None and reason in ("", self._told_while):
            self.status.say(*self._told)
        elif self.no_project():  # so it is in every panel before the first one was used: no reason for alarm
            self.status.say("ready", "Ready as soon as a project is open: open one in the Project panel.")
        elif reason:
            self.status.say("blocked", f"Needs attention: {reason}")
        else:
            self.status.say("ready", (self.advice() if self.button else "") or "Ready")

    def forget_told(self) -> None:
        """What the status line said was of something that is not looked at any more."""
        self._told = None
        if not self.working():
            self._settle()

    def _enable(self) -> None:
        working = self.working()
        for button, blocked, hint in self._actions:
            reason = blocked()
            if button is self.main and working:
                reason = "It is working. Wait for it, or cancel it."
            button.disabled, button.tooltip = bool(reason), reason or hint() or None
        self.stop.layout.display = "" if working and not self._busy else "none"

    def _look(self) -> bool:
        """Show the job once. Returns: whether there is more to come."""
        job = self.job
        if job is None:
            return False
        status = job.status()
        self.log.show(job_log(job, status))
        if not status.ended:
            self.status.say("working", self.working_words(status), share(status.done, status.total), time_left(status.seconds_left))
            self._enable()
            return True
        was_working = self.status.state == "working"
        if self._looking_back and went_wrong(status):
            self.recall(calm_words(status))
        else:
            self.say(*ended_words(status))
        self.guard(lambda: self.show_report(status))
        self._enable()
        if was_working:
            self.session.tell()
        return False

    def _work(self, work: Work) -> None:
        self._works += 1
        self.status.say("working", f"Working: {work.what}")
        self._enable()
        folder = self.session.folder

        def finish(result: Any, error: BaseException | None) -> None:
            self._works -= 1
            if error is not None:
                self.fail(error)
            elif not self.needs_project or self.session.folder == folder:  # else it belongs to a project that is not open any more
                self.guard(lambda: self.conclude(result, work.then(result)))
            self.guard(self._enable)
            self.session.tell()
            while self._waiting and not self._busy:
                self.guard(self._waiting.pop(next(iter(self._waiting))))

        self.loop.beside(work.act, finish)


def no_pictures(folder: Path | None) -> str:
    """Why nothing can be done with a project without pictures; empty when it has some."""
    from core.dataset.images.files import has_images
    from core.dataset.project import Project  # the first panel of a notebook needs no settings, and is there sooner without them

    return "" if folder is None or has_images(Project(folder).images) else "The project has no pictures yet. Import some first."
