"""After the run: what is uploaded, what becomes of the machine, and a countdown that can be ended."""

from __future__ import annotations

import contextlib
import html
from pathlib import Path

import ipywidgets as ipw

from core.base.errors import ConfigError
from core.training.finish.checking import what_will_happen
from core.training.finish.kept import FILE
from core.training.finish.machine_use import countdowns
from core.training.finish.providers.colab import disconnect_if_asked
from core.training.finish.settings import FinishSettings
from core.training.finish.status import FinishStatus, is_kept_on, keep_on, read_finish
from core.training.run import ACTIVE, Run
from widgets.form import Form
from widgets.panel import Panel
from widgets.pieces import findings_list, row, table
from widgets.token_field import TokenField
from widgets.training.reminder import calm_line

LOOK_SECONDS = 1.0
CHOICES = {
    "then": [("stays on", "nothing"), ("is stopped", "stop"), ("is destroyed", "destroy")],
    "after_failure": [("the machine stays on", "leave"), ("the machine is stopped after a while", "stop")],
    "limit_since": [("the start of the training", "run"), ("the start of the machine", "machine")],
}
FILE_WORDS = {"waiting": "waits", "uploading": "is being uploaded", "uploaded": "uploaded, not verified yet", "verified": "verified",
              "wrong": "not whole there", "failed": "not uploaded"}
FOR_RUNS = "What uploads after your runs keeps it until it has ended, also without the kernel; the trainer does not get it."
PRESSED = "The machine stays on; what is being uploaded is still uploaded."


class FinishPanel(Panel):
    """Keeps what shall happen after a run, shows it happening, and keeps the machine on when asked to."""

    name = "finish"
    title = "After the run"
    purpose = ("Upload the LoRA, look at the far end whether it is whole, then stop the rented machine. A countdown comes first, which you "
               "can end. By itself nothing is uploaded and nothing stopped.")
    button = "Use these settings"

    def controls(self) -> list[ipw.Widget]:
        """The countdown where there is one, the form, and what follows from it."""
        self._clock = ipw.HTML()
        self._keep = self.action("Keep the machine on", self._keep_on).add_class("lb-keep-on")
        self._countdown = ipw.VBox([self._clock, row(self._keep)]).add_class("lb-countdown")
        self.form = Form(FinishSettings, CHOICES, hide=("run",))
        self.form.control("repo_id").help = "As owner/name; a name alone is made in your own account. Empty: nothing is uploaded."
        self.form.control("repo_id").complain("")
        self.form.on_change(self.heard(self._show_plan))
        self.token = TokenField(self.session, self.heard, self._token_taken, FOR_RUNS)
        self.form.insert(self.token.view)
        self._plan = ipw.HTML()
        self._read_from: tuple[Path, int] | None = None
        self._watching = False
        self._without_token = frozenset[str]()  # runs that were at work when one was typed that they do not have
        self._had_token: object = None
        self._end_told: tuple[Path, int, str] | None = None
        return [self._countdown, self.form.view, self._plan]

    def extras(self) -> list[ipw.Widget]:
        """For a run that has ended already."""
        return [self.action("Finish the last run now", self._finish_now, self._why_not_now)]

    def results(self) -> list[ipw.Widget]:
        """Reminder and files."""
        self._files, self._reminder = ipw.HTML(), ipw.HTML()
        return [self._reminder, self._files]

    def update(self) -> None:
        """Show the kept settings, unless they are on screen already, and how the finish stands."""
        self.token.show()
        if self.session.folder is not None and self._read_from != self._mark():
            settings, note = self.session.training.finish_settings()
            self.form.fill(settings)
            self._read_from = self._mark()
            if note:
                self.say("attention", f"Needs attention: {note}")
        self._show_plan()
        if self._look_once() and not self._watching:
            self._watching = True
            self.loop.repeat(self.patient(self._keep_looking), LOOK_SECONDS)

    def run(self) -> str:
        """Keep them; a run that is at work follows them from now on."""
        settings = self.form.value()
        begun = self.session.training.keep_finish(settings)
        self._without_token = frozenset()
        self._read_from = self._mark()
        return "this is what happens when the present run has ended." if begun else "this is what happens when the next run has ended."

    def _token_taken(self) -> None:
        """For runs that are begun from now on, and those at work: at once where they follow what stands here, else once that is used."""
        if self.session.folder is not None:
            if self._are_in_use():
                self.session.training.hand_token()
            else:
                self._without_token = frozenset(run.id for run in self.session.training.runs() if run.state() in ACTIVE)
        self.session.tell()

    def _are_in_use(self) -> bool:
        """Whether what stands in the form is what the runs at work follow; what is wrong in it never is."""
        with contextlib.suppress(ConfigError):
            return self._mark()[0].is_file() and self.form.value() == self.session.training.finish_settings()[0]
        return False

    def _mark(self) -> tuple[Path, int]:
        path = self.session.training.project.folder / FILE
        return path, path.stat().st_mtime_ns if path.is_file() else 0

    def _show_plan(self) -> None:
        self.token.view.layout.display = "" if str(self.form.present("repo_id") or "").strip() else "none"
        if self.session.folder is None:
            self._plan.value = ""
            return
        try:
            settings = self.form.value()
        except ConfigError as error:
            self._plan.value = f'<p class="lb-wrong">Needs attention: {html.escape(str(error))}</p>'
            return
        folder = self.session.folder
        self._plan.value = f'<p class="lb-purpose"><b>What is going to happen:</b> {html.escape(what_will_happen(settings, folder))}</p>' \
            + findings_list(self.session.training.finish_findings(settings, self._without_token))

    def _finish_now(self) -> None:
        run, settings = self._newest(), self.form.value()
        if run is not None:
            self._end_told = None
            self.session.training.start_finish(run.id, settings)
            self.session.tell()

    def _why_not_now(self) -> str:
        run = self._newest()
        if run is None or run.state() == "prepared":
            return "There is no run yet."
        if run.state() in ACTIVE:
            return "The run is still at work. What is chosen above follows by itself, once it is in use."
        status = self.session.training.finish_status(run.id)
        return "It is under way." if status is not None and not status.ended else ""

    def _keep_on(self) -> None:
        run = self._shown()
        if run is not None:
            keep_on(run)
            self._clock.value = f'<p class="lb-purpose">{PRESSED}</p>'

    def _newest(self) -> Run | None:
        return next(iter(self.session.training.runs()), None) if self.session.folder is not None else None

    def _shown(self) -> Run | None:
        """The run whose countdown goes on on this machine, in whatever project; else the newest of this one."""
        return next(iter(countdowns(self.session.folder)), None) or self._newest()

    def _keep_looking(self) -> bool:
        self._watching = self._look_once()
        self._enable()
        return self._watching

    def _look_once(self) -> bool:
        """Show how the finish stands. Returns: whether there is more to come."""
        run = self._shown()
        status = read_status(run)
        self._show(run, status)
        if run is None:
            return False
        had = (run.folder, status.has_token, status.ended) if status is not None else (run.folder, None, None)
        if had != self._had_token:
            self._had_token = had
            self._show_plan()
        if status is not None and status.state == "acting":
            disconnect_if_asked(run.folder)
        return run.state() in ACTIVE or (status is not None and not status.ended)

    def _show(self, run: Run | None, status: FinishStatus | None) -> None:
        at_work = status is not None and not status.ended
        self._countdown.layout.display = "" if at_work else "none"
        self._reminder.value = calm_line(self.session, run)
        self._files.value = _files_table(status) if status is not None else ""
        if run is None or status is None:
            return
        if at_work:
            self._show_at_work(run, status)
            return
        end = (run.folder, status.attempt, f"{status.state} {status.message}")
        if end != self._end_told:
            self._end_told = end
            wrong = status.state in ("failed", "lost")
            self.say("attention" if wrong else "done", f"{'Needs attention' if wrong else 'Done'}: {status.message}")

    def _show_at_work(self, run: Run, status: FinishStatus) -> None:
        self.status.say("working", f"Working: {status.message}")
        count = f'<div class="lb-clock" role="timer">{_clock(status.seconds_left)}</div>' if status.state == "countdown" else ""
        words = PRESSED if is_kept_on(run) else status.will
        self._clock.value = f'{count}<p class="lb-purpose">{html.escape(words)}</p>'

    def _settle(self) -> None:
        """While a finish is at work, the status line tells of it."""
        status = read_status(self._shown())
        if status is None or status.ended:
            super()._settle()


def read_status(run: Run | None) -> FinishStatus | None:
    """Where the finish of a run stands; None: there is none."""
    return read_finish(run) if run is not None else None


def _files_table(status: FinishStatus) -> str:
    rows = [(file.name, f"{_size(file.size)}, {FILE_WORDS.get(file.state, file.state)}{f': {file.words}' if file.words else ''}")
            for file in status.files]
    return table(rows) if rows else ""


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 1024:.1f} KiB"


def _clock(count: int) -> str:
    """ "4:59"."""
    return f"{count // 60}:{count % 60:02d}"
