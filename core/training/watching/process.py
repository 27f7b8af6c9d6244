"""One trainer process after another, until the run has ended: started, watched over, ended, judged."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from core.base.errors import DiskError, StudioError
from core.base.files import read_json, write_json
from core.base.jobs import read_events
from core.base.process import mark_of
from core.training.guards import KeptGuards
from core.training.monitor.causes import Cause, oom_kills
from core.training.outputs import take_snapshot
from core.training.run import Run
from core.training.watching.company import mark_for, signal_company
from core.training.watching.judging import failed, judge
from core.training.watching.output import LogWriter, secrets_in
from core.training.watching.requests import StopRequest
from core.training.watching.retries import begin_again, next_try
from core.training.watching.watch import Watch

STOP_GRACE = 120.0
"""Seconds that a trainer has to finish its step and save; $LORABOOK_STOP_GRACE changes it."""
FORCE_GRACE = 10.0
"""The same for one that is ended for a standstill or a lost loss: nothing of it is worth saving."""


def train(run: Run, attempt: int, stop: StopRequest, held: Sequence[int] = ()) -> dict[str, Any]:
    """Train until the run has ended, with as many tries as its guards allow.

    Args: held: open files that the trainer gets, so that the locks on them last as long as it lives, also without this process.
    Returns: the values of the `end` event.
    """
    guards, tried, began = KeptGuards(run.folder), Counter[str](), time.time()
    step = _first_step(run, attempt)
    while True:
        end, watch = _try(run, attempt, step, stop, guards, held)
        retry = None if stop.now() else _again(run, attempt, end, guards, tried, watch)
        if retry is None:
            return {**end, "seconds": round(time.time() - began, 3), **({"retries": sum(tried.values())} if tried else {})}
        cause, step = retry
        tried[cause] += 1


def _again(run: Run, attempt: int, end: dict[str, Any], guards: KeptGuards, tried: Counter[str], watch: Watch | None
           ) -> tuple[str, int] | None:
    """Make another try ready. Returns: the cause why, and the step that it goes on from; None: the run has ended."""
    try:
        retry = next_try(run, end, guards.now(), tried, watch.signs.facts.buckets if watch else ())
        if retry is None:
            return None
        state = begin_again(run, attempt, retry)
    except (StudioError, OSError) as error:  # then what ended the try is what the person must read
        with contextlib.suppress(DiskError):
            run.note("warning", message=f"It could not be tried again: {error}")
        return None
    return retry.cause, state.step if state else 0


def _try(run: Run, attempt: int, step: int, stop: StopRequest, guards: KeptGuards, held: Sequence[int]
         ) -> tuple[dict[str, Any], Watch | None]:
    """Start the trainer, stay until it ended, judge."""
    command = read_json(run.folder / "command.json")
    before, kills = take_snapshot(run.checkpoints), oom_kills()
    events = run.folder / "events.jsonl"
    events_before = events.stat().st_size if events.exists() else 0
    with open(run.log, "ab") as file:  # by this line the monitor knows where the steps go on
        file.write(f"=== attempt {attempt}, from step {step} ===\n".encode())
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "COLUMNS": "200", **command.get("env", {}), **mark_for(run),
           "LORABOOK_FROM_STEP": str(step)}
    hidden = secrets_in(env)
    try:
        trainer = subprocess.Popen(command["argv"], cwd=command["cwd"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True, pass_fds=held)
    except OSError as error:
        return failed(Cause("not_started", f"The trainer could not be started: {error.strerror}: {error.filename}.",
                            "Run 'python3 installer.py --doctor' to see what is missing.")), None
    try:
        writer = LogWriter(trainer.stdout, run.log, hidden)
        watch = Watch(run, writer.fresh, step, trainer.pid, guards)
        mark = mark_of(trainer.pid)
        write_json(run.folder / "trainer.json", {"mark": mark.as_dict() if mark else None, "attempt": attempt})
        run.note("trainer", attempt=attempt, pid=trainer.pid)
        writer.start()
        _stay(run, attempt, trainer, stop, watch)
    finally:
        signal_company(run, trainer.pid, signal.SIGKILL)  # what it left behind (data loaders, other processes) would keep GPU and pipe
    writer.join(timeout=10.0)
    watch.signs.read()
    told = [event for event in read_events(run.folder, events_before)[0] if event.get("event") in ("done", "failed", "cancelled")]
    asked = stop.now() or watch.epoch_over
    end = judge(run, before, trainer.returncode, asked, told, list(writer.tail), oom_kills() > kills, watch.ended_for)
    return {**end, "exit_code": trainer.returncode}, watch


def _stay(run: Run, attempt: int, trainer: subprocess.Popen[bytes], stop: StopRequest, watch: Watch) -> None:
    """Wait for the trainer's end; pass on a request to stop, and enforce it when the grace is over."""
    deadline = 0.0
    while trainer.poll() is None:
        now, asked = time.monotonic(), stop.asked()
        if not deadline and (watch.look(asked) or stop.now()):
            grace = FORCE_GRACE if watch.ended_for else STOP_GRACE
            deadline = now + float(os.environ.get("LORABOOK_STOP_GRACE", grace))
            with contextlib.suppress(DiskError):
                run.note("stopping", attempt=attempt)
            watch.release()
            trainer.terminate()  # only the trainer itself: its data loaders must live until its step is finished
        if asked == "force" or (deadline and now > deadline):
            signal_company(run, trainer.pid, signal.SIGKILL)
        stop.beat()
        with contextlib.suppress(subprocess.TimeoutExpired):
            trainer.wait(timeout=0.1)


def _first_step(run: Run, attempt: int) -> int:
    """From where the present attempt goes on."""
    events = [event for event in read_events(run.folder)[0] if event.get("event") == "launch" and event.get("attempt") == attempt]
    return int(events[-1].get("resumed_from", 0)) if events else 0
