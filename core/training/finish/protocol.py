"""The finish protocol of one run: wait for its end, upload, verify, count down, stop or destroy the machine.

Everything that permits a stop is found out in this very process and looked at once more at the last moment; nothing is taken from what
an earlier process has noted. A process that is killed at any point leaves a machine that stays on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from core.base.errors import Cancelled, StudioError, TrainingError
from core.base.locks import waited_for
from core.base.progress import SILENT, Progress
from core.training.finish.clock import rest, seconds
from core.training.finish.deciding import Facts, ended_well, wanted_act, why_not
from core.training.finish.files import Chosen, choose_files
from core.training.finish.limits import Limits, limit_events
from core.training.finish.machine_use import other_work, unsaved_runs
from core.training.finish.meanwhile import StateKeeper
from core.training.finish.providers import Machine, find_machine, stop_keeps
from core.training.finish.report import FinishReport
from core.training.finish.settings import Act, FinishSettings
from core.training.finish.status import Board, FileReport, is_kept_on
from core.training.finish.upload import FarEnd, Uploader
from core.training.run import ENDED, Run

SETTLE = 10.0
"""Seconds that an ended run must stay ended: what starts it again after a failure needs a moment."""
LOOK = 2.0
"""Seconds between two looks at what one waits for."""
LOOK_AROUND = 5
"""Seconds of the countdown between two looks at what else is at work."""
WORDS = {"stop": "stopped", "destroy": "destroyed"}


def finish_run(run: Run, settings: FinishSettings, progress: Progress = SILENT) -> FinishReport:
    """Wait for a run's end where it is still at work, then do what the settings say.

    Raises:
        TrainingError: the run was never started; a file could not be uploaded or verified, or the machine not stopped: it stays on.
        ConfigError: there is no token. Cancelled: the machine stays on. DiskError.
    """
    if run.state() == "prepared":
        raise TrainingError(f"The run {run.id} was never started.", "Start it first.")
    with waited_for(run.folder / ".finish.lock", progress, "Waiting for another finish of this run"):
        board = Board(run)
        board.begin()
        try:
            return Finish(run, settings, board, progress).go()
        except Cancelled as error:
            board.say("cancelled", f"{error.message} The machine stays on.")
            board.note("cancelled")
            raise
        except StudioError as error:
            board.say("failed", f"{error} The machine stays on.")
            board.note("failed", message=str(error))
            raise
        except Exception as error:
            board.say("failed", f"This is a bug in Lorabook ({type(error).__name__}: {error}). The machine stays on.")
            raise


class Finish:
    """One finish, from the run's end to the machine's."""

    def __init__(self, run: Run, settings: FinishSettings, board: Board, progress: Progress) -> None:
        self.run, self.settings, self.board, self.progress = run, settings, board, progress
        self.machine: Machine = find_machine(run.folder)
        self.limits = Limits(run, settings, self.machine)
        self._states = StateKeeper(run, settings, board, progress)
        self.attempt = run.attempt()
        self._uploader: Uploader | None = None
        self._chosen: Chosen | None = None
        self._there: FarEnd | None = None
        self._asked_after = run.state() in ENDED

    def go(self) -> FinishReport:
        """As `finish_run`; where the run is started again meanwhile, its next end is waited for."""
        if self.limits.trouble:
            self.progress.warn(self.limits.trouble)
            self.board.note("warning", message=self.limits.trouble)
        while True:
            self._wait_for_end()
            self._upload()
            report = self._end_of_machine()
            if report is not None:
                self.board.show("kept_on" if report.act == "nothing" else "stopped", report.sentence(), report.files)
                return report

    # Until the run has ended

    def _wait_for_end(self) -> None:
        ended_since = 0.0
        while True:
            state, now = self.run.state(), time.monotonic()
            if state in ENDED and not self.run.is_active():
                ended_since = ended_since or now
                if self._asked_after or now - ended_since >= seconds(SETTLE):
                    break
            else:
                ended_since, self._asked_after = 0.0, False
                self._keep_limits()
                self._states.look()
                self.board.say("waiting", "Waiting for the end of the run.", will=self._will())
            self.progress.check()
            rest(LOOK)
        self.attempt = self.run.attempt()
        self.board.note("ended", state=self.run.state(), attempt=self.attempt)

    def _keep_limits(self) -> None:
        reached = self.limits.reached()
        if reached and not self.run.stop_asked():
            self.board.note("limit", message=reached, attempt=self.run.attempt())
            self.progress.warn(f"{reached} The run is stopped with a whole checkpoint.")
            self.run.stop()

    # Upload and verify

    def _upload(self) -> None:
        """Bring the chosen files there and verify them. Raises: TrainingError: one of them is not there as it is here."""
        self._chosen = self._there = None
        if not self.settings.uploads or not (ended_well(self._facts()) or self.run.state() in ("failed", "lost")):
            return
        self._chosen = choose_files(self.run, self.settings)
        for sentence in self._chosen.lacking:
            self.progress.warn(sentence)
        if not self._chosen.files:
            return
        self._uploader = self._uploader or Uploader(self.run, self.settings, self.progress)
        self.board.show("uploading", "Uploading.", (), repo_id=self.settings.repo_id)
        self.board.note("uploading", files=len(self._chosen.files), repo_id=self.settings.repo_id)
        self._there = self._uploader.upload(self._chosen.files, lambda files: self.board.show("uploading", _count(files), files))
        self._verify()

    def _verify(self) -> None:
        """Look at the far end. Raises: TrainingError: something is not there as it is here; nothing counts as verified then."""
        if self._there is None or self._uploader is None or self._chosen is None:
            return
        unverified, self._there = self._there, None
        self.board.show("verifying", "Looking at the far end.", unverified.files, repo_id=unverified.repo_id)
        there = self._uploader.verify(unverified, self._chosen.files)
        self.board.show("verifying", _count(there.files), there.files)
        self.board.note("verified" if there.all_verified else "not verified", files=len(there.files), repo_id=there.repo_id,
                        commit=there.commit)
        if not there.all_verified:
            raise TrainingError(f"Not every file lies in {there.repo_id} as it lies here: {there.trouble()}.",
                                "Look at the repository, then finish the run again.")
        self._there = there
        if self._final_verified():
            self.board.say("verifying", _count(there.files), safe=True, attempt=self.attempt)

    def _final_verified(self) -> bool:
        """Whether the finished LoRA is among what is verified now."""
        chosen = self._chosen
        return bool(self._there and self._there.all_verified and chosen and chosen.final and chosen.final in chosen.files)

    def _unverified(self) -> bool:
        """Whether something that was to be uploaded is here, and is not known to be whole at the far end."""
        nothing_there = self._chosen is not None and not self._chosen.files
        return self.settings.uploads and not nothing_there and not (self._there and self._there.all_verified)

    # The machine

    def _facts(self, look_around: bool = False) -> Facts:
        """How things stand now. Args: look_around: also what else is on the machine, which costs some milliseconds."""
        return Facts(
            end=self.run.state(), by_limit=any(event.get("attempt") == self.attempt for event in limit_events(self.run)),
            asked_after=self._asked_after, unverified=self._unverified(),
            final_verified=self._final_verified(), stop_keeps=stop_keeps(self.run.folder)[0], kept_on=is_kept_on(self.run),
            went_on=self.run.attempt() != self.attempt or self.run.is_active(), machine_lacks=self.machine.missing(),
            can_destroy=bool(self.machine.destroy_words), others=other_work(self.run) if look_around else (),
            unsaved=unsaved_runs(self.run) if look_around else ())

    def _end_of_machine(self) -> FinishReport | None:
        """Count down and act. Returns: how it ended; None: the run was started again."""
        act = wanted_act(self.settings, self._facts())
        while True:
            facts = self._facts(look_around=True)
            if facts.went_on:
                return None
            if why := why_not(act, self.settings, facts):
                return self._stays_on(why)
            if facts.others:
                self._hold(facts.others, act)
            elif self._count_down(act):
                done = self._act(act)
                if done is not None:
                    return done

    def _hold(self, others: Sequence[str], act: Act) -> None:
        """Something else is at work: look again in a while."""
        words = ", ".join(others[:3])
        self.board.say("holding", f"Waiting for {words} to end before the machine is {WORDS[act]}.", will=self._will(act))
        self.progress.check()
        rest(LOOK_AROUND)

    def _count_down(self, act: Act) -> bool:
        """Show each second how many are left; one that nobody can see does not count.

        Returns: whether it ran to its end; False: look again what is the matter.
        """
        facts = self._facts()
        left = self.settings.countdown if ended_well(facts) else max(self.settings.countdown, self.settings.failure_minutes * 60)
        self.board.note("countdown", act=act, seconds=left)
        self.progress.start(f"The machine is {WORDS[act]} when the countdown is over", left)
        for second in range(left, 0, -1):
            self.board.say("countdown", f"The machine is {WORDS[act]} in {_clock(second)}.", seconds_left=second, will=self._will(act))
            rest(1)
            self.progress.advance()
            if not self.board.seen or is_kept_on(self.run) or (second % LOOK_AROUND == 0 and self._is_hindered(act)):
                return False
        return True

    def _is_hindered(self, act: Act) -> bool:
        facts = self._facts(look_around=True)
        return bool(facts.others or why_not(act, self.settings, facts))

    def _act(self, act: Act) -> FinishReport | None:
        """The last look, then the deed. Returns: None: something has come between. Raises: TrainingError: unverified, or it failed."""
        self.board.say("acting", "Looking once more at the far end.", will=self._will(act))
        self._verify()
        if self._is_hindered(act):
            return None
        self.board.note("acting", act=act, machine=self.machine.name())
        self.board.say("acting", f"{self.machine.name()} is being {WORDS[act]}.", will=self._will(act))
        self.machine.destroy() if act == "destroy" else self.machine.stop()
        self.board.note("acted", act=act)
        return self._report(act, "")

    def _stays_on(self, why: str) -> FinishReport:
        self.board.note("stays on", why=why)
        return self._report("nothing", why)

    def _report(self, act: Act, why: str) -> FinishReport:
        there = self._there
        return FinishReport(self.run.id, act, why, there.repo_id if there else "", there.files if there else ())

    def _will(self, act: Act | None = None) -> str:
        """What becomes of the machine, as a sentence."""
        act = act or self.settings.then
        return {"stop": self.machine.stop_words, "destroy": self.machine.destroy_words}.get(act, "The machine stays on.")


def _count(files: Sequence[FileReport]) -> str:
    """ "2 of 5 files uploaded, 0 verified." """
    there: dict[str, Any] = {state: sum(file.state == state for file in files) for state in ("uploaded", "verified")}
    return f"{there['uploaded'] + there['verified']} of {len(files)} files uploaded, {there['verified']} verified."


def _clock(count: int) -> str:
    """ "4:59"."""
    return f"{count // 60}:{count % 60:02d}" if count < 3600 else f"{count // 3600}:{count % 3600 // 60:02d}:{count % 60:02d}"


