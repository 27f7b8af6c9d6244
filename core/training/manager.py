"""The front desk of training: one short method for each stage, in the order of the way."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import ConfigError, StudioError, TrainingError
from core.base.findings import Finding, errors_of
from core.base.jobs import Job, start_job
from core.base.paths import loras_dir
from core.base.progress import SILENT, Progress
from core.training import launch, queue
from core.training.guards import GuardSettings
from core.training.learned import learn_versions
from core.training.monitor import Monitor, RunStatus
from core.training.queue import QueuedRun
from core.training.run import ACTIVE, Run
from core.training.settings_desk import SettingsDesk

if TYPE_CHECKING:
    from core.training.comparing import Comparison
    from core.training.config import TrainingSettings
    from core.training.evaluated import EvaluationReport
    from core.training.evaluation import EvaluationSettings
    from core.training.evaluation_plan import EvaluationPlan
    from core.training.finish.bringing import BringReport, BringSettings
    from core.training.finish.report import FinishReport
    from core.training.finish.settings import FinishSettings
    from core.training.finish.status import FinishStatus
    from core.training.monitor.searching import LogFound, LogQuery
    from core.training.outputs import State


class TrainingManager(SettingsDesk):
    """Training on one project: settings, runs, comparison, report. Nothing here blocks or imports torch, except `evaluate`."""

    def __init__(self, project_folder: Path) -> None:
        super().__init__(project_folder)
        self._monitors: dict[str, Monitor] = {}
        self._compared: dict[str, Monitor] = {}
        """Of runs that are compared, which happens beside the kernel: those above are the kernel's own."""
        self._comparing = threading.Lock()
        self.hub_token = ""
        """Of Hugging Face, for what follows the runs that are begun here: in memory and in the environment of that. Empty: theirs."""

    @classmethod
    def open(cls, project_folder: Path) -> TrainingManager:
        """Raises: DatasetError: there is no project in that folder."""
        manager = cls(project_folder)
        with contextlib.suppress(StudioError, OSError):
            manager.project.settle()
        return manager

    def launch(self, settings: TrainingSettings, backend: str = "builtin", guards: GuardSettings | None = None, hold: bool = False,
               progress: Progress = SILENT) -> Run:
        """Make a run and put it into the machine's queue, where it begins when nobody is ahead; returns at once.

        Args:
            guards: what watches over it; None: as the project keeps it.
            hold: it waits until it is released.
            progress: hears everything that the check finds wrong or worth a look.
        Raises: ConfigError: a check found an error; DatasetError: images are half renamed; TrainingError, DiskError.
        """
        from core.training.fitting import with_trigger

        self.project.settle()
        found = self.check(settings, backend, deep=False)
        wrong = errors_of(found)
        for finding in found:
            if finding.level != "info" and finding not in wrong[:1]:
                progress.warn(str(finding))
        if wrong:
            raise ConfigError(wrong[0].what, wrong[0].remedy)
        fitted = with_trigger(self.configure(settings), self.project)
        learned = learn_versions(fitted, self.project, progress, alone=True)
        return launch.launch(launch.prepare(self.project.folder, learned, backend, guards), hold=hold, token=self.hub_token)

    def queue(self) -> list[QueuedRun]:
        """The runs of this machine in their order, of all projects, the one that works first."""
        return queue.list_queue()

    def move(self, run: Run, place: int) -> None:
        """Give a waiting run another place. Args: place: from 1. Raises: TrainingError: it does not wait. DiskError."""
        queue.move(run, place)

    def hold(self, run: Run, hold: bool = True) -> None:
        """Let a waiting run wait until it is released (`hold=False`). Raises: TrainingError: it does not wait. DiskError."""
        queue.set_hold(run, hold)

    def take_out(self, run: Run) -> None:
        """Take a waiting run out of the queue; its folder stays, and it can be resumed. Raises: TrainingError: it works already."""
        queue.take_out(run)

    def wake_queue(self) -> list[Run]:
        """Start again what was to be done when the machine was switched off. Returns: the runs. Raises: TrainingError, DiskError."""
        return launch.wake_queue(self.hub_token)

    def runs(self) -> list[Run]:
        """The project's runs, newest first."""
        return Run.list(self.project.folder)

    def run(self, run_id: str) -> Run:
        """Raises: TrainingError: no run has that id."""
        folder = self.project.runs / run_id
        if not run_id or folder.parent != self.project.runs or not (folder / "run.json").is_file():
            known = ", ".join(run.id for run in self.runs()[:5]) or "none yet"
            raise TrainingError(f"No run is called {run_id!r}.", f"Known: {known}.")
        return Run.open(folder)

    def status(self, run_id: str) -> RunStatus:
        """Where a run stands; each call reads only what is new."""
        if run_id not in self._monitors:
            self._monitors[run_id] = Monitor(self.run(run_id))
        return self._monitors[run_id].read()

    def compare(self, run_ids: Sequence[str]) -> Comparison:
        """Runs beside each other: losses, settings that differ, samples. Raises: TrainingError: fewer than two, too many, or unknown."""
        from core.training.comparing import compare_runs

        runs = [self.run(run_id) for run_id in run_ids]
        with self._comparing:
            return compare_runs([(run, self._compared.setdefault(run.id, Monitor(run)).read()) for run in runs])

    def search_log(self, run_id: str, query: LogQuery, begin: int = 0, stopped: Callable[[], bool] = lambda: False) -> LogFound:
        """The newest lines of a run's log that fit, in a file of any size; may run beside the kernel. Raises: TrainingError."""
        from core.training.monitor.searching import search_log

        return search_log(self.run(run_id).log, query, begin, stopped)

    def stop(self, run_id: str, force: bool = False, after_epoch: bool = False) -> None:
        """Ask a run to stop. The built-in trainer saves a checkpoint and a state first, unless `force`; sd-scripts ends at once.

        Args: after_epoch: when the present epoch is over and saved.
        Raises: TrainingError: what it trains with cannot be stopped there.
        """
        if after_epoch and (reason := self.why_no_epoch_stop(run_id)):
            raise TrainingError(reason)
        self.run(run_id).stop(force, after_epoch)

    def why_no_epoch_stop(self, run_id: str) -> str:
        """Why a run cannot be stopped after its epoch; empty when it can."""
        from core.training.watching.epoch_end import why_no_epoch_stop

        return why_no_epoch_stop(self.run(run_id))

    def epoch_stop_words(self, run_id: str) -> str:
        """What happens when a run is to stop after its epoch."""
        from core.training.watching.epoch_end import epoch_stop_words

        return epoch_stop_words(self.run(run_id))

    def resume_point(self, run_id: str) -> State | None:
        """Where `resume` would go on from, None for the beginning. Raises: TrainingError: why it cannot."""
        return launch.resume_point(self.run(run_id))

    def resume(self, run_id: str) -> Run:
        """Go on from the newest saved state, in the same run. Raises: TrainingError: there is none, or it is finished."""
        return launch.resume(self.run(run_id), self.hub_token)

    def evaluate(self, settings: EvaluationSettings, progress: Progress = SILENT) -> EvaluationReport:
        """Draw before and after in this very process (a panel uses `start_evaluation`). Raises: TrainingError, ModelError."""
        from core.training.evaluation import draw_before_after, settings_for

        return draw_before_after(settings_for(self._run_to_compare(settings.run), settings), progress)

    def start_evaluation(self, settings: EvaluationSettings) -> Job:
        """Draw before and after in a process of its own; returns at once."""
        return start_job(self.project.folder, "evaluate", settings.model_dump(mode="json"))

    def evaluation(self, run_id: str) -> EvaluationReport | None:
        """The last comparison of a run, None where there is none."""
        from core.training.evaluated import EvaluationReport

        return EvaluationReport.read(self.run(run_id).folder / "evaluation")

    def plan_evaluation(self, settings: EvaluationSettings) -> EvaluationPlan:
        """How many pictures `evaluate` would draw, and about how long that takes. Raises: TrainingError, ConfigError."""
        from core.training.evaluation_plan import plan_evaluation

        return plan_evaluation(self._run_to_compare(settings.run), settings)

    def start_weighing(self, run_id: str, column: int) -> Job:
        """Write the LoRA of a drawn column with its strength in it into the project's output, in a process of its own; returns at once.

        Raises: TrainingError: no such column was drawn with a LoRA. ConfigError: its strength is 1, so that the file is it already.
        """
        from core.training.evaluated import weighing_of

        return start_job(loras_dir(), "weigh-lora", weighing_of(self.evaluation(run_id), column, self.project.output))

    def finish(self, settings: FinishSettings, progress: Progress = SILENT) -> FinishReport:
        """Upload, verify, then stop the machine as chosen, in this very process. Raises: TrainingError, ConfigError, Cancelled."""
        from core.training.finish.protocol import finish_run

        return finish_run(self.run(settings.run) if settings.run else self._newest_run(), settings, progress)

    def bring_run(self, settings: BringSettings, progress: Progress = SILENT) -> BringReport:
        """Put a run together again from Hugging Face; `resume` goes on with it. Raises: TrainingError, ConfigError, DiskError."""
        from core.training.finish.bringing import bring_run

        return bring_run(self.project.folder, settings, progress)

    def report(self, run_id: str, compared: Sequence[str] = ()) -> Path:
        """Write the run's report.html. Args: compared: other runs that it is put beside. Returns: its place. Raises: TrainingError."""
        from core.training.report import write_report

        others = [other for other in compared if other != run_id]
        return write_report(self.run(run_id), comparison=self.compare([run_id, *others]) if others else None)

    def finish_settings(self) -> tuple[FinishSettings, str]:
        """What the project keeps for the end of its runs, and what is to be known of it. Raises: ConfigError: the file is wrong."""
        from core.training.finish.kept import read_finish_settings

        return read_finish_settings(self.project.folder)

    def keep_finish(self, settings: FinishSettings) -> bool:
        """Keep them for the runs to come. Returns: whether a run is at work, which follows them too. Raises: ConfigError, DiskError."""
        from core.training.finish.kept import keep_finish
        from core.training.finish.starting import follow_now

        keep_finish(self.project.folder, settings)
        at_work = self._at_work()
        for run in at_work:
            follow_now(run, settings, self.hub_token)
        return bool(at_work)

    def hand_token(self) -> None:
        """Begin what waits for the end of a run at work anew with the token, by the settings that are kept; a machine that shall stay on
        stays on. Raises: ConfigError: they are wrong; DiskError.
        """
        from core.training.finish.starting import start_finish

        settings, _ = self.finish_settings()
        for run in self._at_work() if settings.needs_token else ():
            start_finish(run, settings, by_person=False, token=self.hub_token)

    def finish_findings(self, settings: FinishSettings, without_token: Collection[str] = ()) -> list[Finding]:
        """What stands in the way of a finish with such settings, as far as it can be known now.

        Args: without_token: ids of runs that have an older one than was typed since.
        """
        from core.training.finish.checking import check_finish

        return check_finish(settings, self.project.folder, bool(self.hub_token), self._at_work(), without_token)

    def _at_work(self) -> list[Run]:
        return [run for run in self.runs() if run.state() in ACTIVE]

    def start_finish(self, run_id: str, settings: FinishSettings) -> Job:
        """Finish a run in a process of its own; returns at once. Raises: TrainingError: no run has that id; DiskError."""
        from core.training.finish.starting import start_finish

        return start_finish(self.run(run_id), settings, token=self.hub_token)

    def finish_status(self, run_id: str) -> FinishStatus | None:
        """Where the finish of a run stands, None: there was none. Raises: TrainingError: no run has that id."""
        from core.training.finish.status import read_finish

        return read_finish(self.run(run_id))

    def _newest_run(self) -> Run:
        found = next(iter(self.runs()), None)
        if found is None:
            raise TrainingError("This project has no run yet.", "Start one first.")
        return found

    def _run_to_compare(self, run_id: str) -> Run:
        if run_id:
            return self.run(run_id)
        for run in self.runs():
            if run.state() == "done":
                return run
        raise TrainingError("This project has no finished run.", "Train first, or choose a stopped run by its name.")
