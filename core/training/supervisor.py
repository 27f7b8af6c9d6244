"""Watches one attempt of a run: `python -m core.training.supervisor RUN_DIR --attempt N`. Started by `launch`.

It lives in a session of its own, so that neither the browser nor the kernel ends it. It starts the trainer, writes
its output to log.txt, its own heartbeat and the GPUs to heartbeat.json, hears a request to stop, and judges the end:
success is a new and whole LoRA file, whatever the exit code says.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.base.errors import Cancelled, DiskError, StudioError
from core.base.failures import explain, words_for
from core.base.files import read_json, sha256, write_json
from core.base.jobs import read_events, turn_on_the_machine
from core.base.process import mark_of
from core.base.progress import Progress
from core.dataset.captions.files import forget_old_caches
from core.dataset.items import list_items
from core.dataset.project import Project, project_of_images, shown_name, trained_on
from core.dataset.versions import VersionSettings, name_version
from core.training.config.pair import pair_in, read_tables
from core.training.finish.starting import begin_with
from core.training.fitting import is_own
from core.training.monitor.causes import Cause, find_cause, oom_kills
from core.training.monitor.gpu import read_gpus
from core.training.monitor.lines import LineSplitter
from core.training.outputs import (
    ENDINGS,
    Snapshot,
    is_finite,
    is_whole,
    list_outputs,
    new_outputs,
    newest_state,
    publish,
    set_aside_broken,
    take_snapshot,
)
from core.training.run import Run

STOP_GRACE = 120.0
"""Seconds that a trainer has to finish its step and save; $LORABOOK_STOP_GRACE changes it."""
HEARTBEAT = 4.0
"""Seconds between two heartbeats."""
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|API_?KEY", re.IGNORECASE)


class StopRequest(Progress):
    """Knows whether somebody asked to stop: by the run's `stop` file, or by SIGTERM to this process."""

    def __init__(self, run: Run, attempt: int) -> None:
        super().__init__()
        self.run, self.attempt = run, attempt
        self.signalled = False
        self._next_beat = 0.0

    def asked(self) -> str:
        """ "gentle", "force" or ""."""
        return self.run.stop_asked() or ("gentle" if self.signalled else "")

    def check(self) -> None:
        """Called while the run waits for its turn. Raises: Cancelled: somebody asked to stop."""
        self.beat()
        if self.asked():
            raise Cancelled("The training had not begun.", "")

    def beat(self) -> None:
        """A sign of life every few seconds, with the GPUs. A full disk must not end the training."""
        if time.monotonic() < self._next_beat:
            return
        self._next_beat = time.monotonic() + HEARTBEAT
        values = {"time": time.time(), "attempt": self.attempt, "gpus": [gpu.as_dict() for gpu in read_gpus()]}
        with contextlib.suppress(DiskError):
            write_json(self.run.folder / "heartbeat.json", values)


class LogWriter(threading.Thread):
    """Copies the trainer's output into log.txt, one line for each line and each redraw of a progress bar."""

    def __init__(self, pipe: Any, path: Path, secrets: list[str]) -> None:
        super().__init__(daemon=True)
        self.pipe, self.path, self.secrets = pipe, path, secrets
        self.tail: deque[str] = deque(maxlen=600)
        self.unwritable = False

    def run(self) -> None:
        """Ends with the pipe."""
        splitter = LineSplitter()
        while data := os.read(self.pipe.fileno(), 1 << 16):
            self.write(splitter.feed(data))
        self.write(splitter.rest())

    def write(self, lines: list[str]) -> None:
        """A full disk ends the log, not the training; the tail stays in memory, with the reason in it for the diagnosis."""
        clean = [self._without_secrets(line) for line in lines if line.strip()]
        self.tail.extend(clean)
        if not clean:
            return
        try:
            with open(self.path, "ab") as file:
                file.write("".join(f"{line}\n" for line in clean).encode("utf-8"))
        except OSError as error:
            if not self.unwritable:
                self.tail.append(str(error))
            self.unwritable = True

    def _without_secrets(self, line: str) -> str:
        for secret in self.secrets:
            line = line.replace(secret, "***")
        return line


def supervise(run: Run, attempt: int) -> dict[str, Any]:
    """Run one attempt to its end. Returns: the `end` event that was written."""
    mark = mark_of(os.getpid())
    write_json(run.folder / "supervisor.json",
               {"attempt": attempt, "host": socket.gethostname(), "mark": mark.as_dict() if mark else None})
    stop = StopRequest(run, attempt)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(stop, "signalled", True))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal is no wish to stop
    begin_with(run)
    try:
        stop.check()
        what = f"the training of {run.output_name} in the project {shown_name(run.project_folder)}"
        with turn_on_the_machine(run.folder, what, stop):
            folders = _folders(run)
            with trained_on(folders, f"{run.output_name} in the project {shown_name(run.project_folder)}", stop) as held:
                if attempt == 1:
                    _keep_captions(run)
                _forget_old_caches(run, folders)
                end = _train(run, attempt, stop, held)
    except Cancelled as error:
        end = {"state": "cancelled", "message": error.message}
    except Exception as error:  # noqa: BLE001 - the door of a process: whatever it is, the person must read of it
        if not isinstance(error, StudioError):
            traceback.print_exc()
        known, story = explain(error), f"The whole story is in {run.folder / 'supervisor.txt'}."
        end = _failed(Cause("lorabook", *known) if known else Cause("bug", words_for(error), story))
    try:
        run.note("end", attempt=attempt, **end)
    except DiskError:
        (run.folder / "heartbeat.json").unlink(missing_ok=True)  # on a full disk its block is room enough for the last word
        run.note("end", attempt=attempt, **end)
    return end


def _keep_captions(run: Run) -> None:
    """Keep the project's captions, where a run learns from them, as a version of their own, so that one can always return to them."""
    try:
        project = Project.open(run.project_folder)
        learns = any(is_own(subset, project) for subset in run.settings().data.subsets)
        if learns and any(item.caption for item in list_items(project)):
            name_version(project, VersionSettings(name=f"As trained in {run.id}", run=run.id))
    except (StudioError, OSError) as error:
        run.note("warning", message=f"The captions were not kept as a version: {error}")


def _forget_old_caches(run: Run, folders: Sequence[Path]) -> None:
    """Text-encoder outputs of captions that were changed since, also while an earlier training ran, are made anew."""
    for folder in filter(project_of_images, folders):
        try:
            forget_old_caches(folder)
        except OSError as error:
            run.note("warning", message=f"Whether text-encoder outputs in {folder} are older than the captions is not known: {error}")


def _folders(run: Run) -> list[Path]:
    """The folders that it learns from; none where that cannot be read, which the trainer itself says better."""
    try:
        tables = read_tables(pair_in(run.folder).dataset)
        return [Path(subset["image_dir"]) for dataset in tables["datasets"] for subset in dataset["subsets"]]
    except (StudioError, OSError, KeyError, TypeError):
        return []


def _train(run: Run, attempt: int, stop: StopRequest, held: Sequence[int] = ()) -> dict[str, Any]:
    """Start the trainer, stay until it ended, judge.

    Args: held: open files that the trainer gets, so that the locks on them last as long as it lives, also without this process.
    Returns: the values of the `end` event.
    """
    command = read_json(run.folder / "command.json")
    before, kills, started = take_snapshot(run.checkpoints), oom_kills(), time.time()
    events_before = _size(run.folder / "events.jsonl")
    _start_log(run, attempt)
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "COLUMNS": "200", **command.get("env", {})}
    try:
        trainer = subprocess.Popen(command["argv"], cwd=command["cwd"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True, pass_fds=held)
    except OSError as error:
        return _failed(Cause("not_started", f"The trainer could not be started: {error.strerror}: {error.filename}.",
                             "Run 'python3 installer.py --doctor' to see what is missing."))
    writer = LogWriter(trainer.stdout, run.log, [value for name, value in env.items() if _SECRET.search(name) and len(value) >= 8])
    try:
        mark = mark_of(trainer.pid)
        write_json(run.folder / "trainer.json", {"mark": mark.as_dict() if mark else None, "attempt": attempt})
        run.note("trainer", attempt=attempt, pid=trainer.pid)
        writer.start()
        _stay(run, attempt, trainer, stop)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(trainer.pid, signal.SIGKILL)  # what it left behind (data loaders) would keep the GPU and the pipe
    writer.join(timeout=10.0)
    told = [event for event in read_events(run.folder, events_before)[0] if event.get("event") in ("done", "failed", "cancelled")]
    end = judge(run, before, trainer.returncode, bool(stop.asked()), told, list(writer.tail), oom_kills() > kills)
    return {**end, "exit_code": trainer.returncode, "seconds": round(time.time() - started, 3)}


def _stay(run: Run, attempt: int, trainer: subprocess.Popen[bytes], stop: StopRequest) -> None:
    """Wait for the trainer's end; pass on a request to stop, and enforce it when the grace is over."""
    deadline = 0.0
    while trainer.poll() is None:
        now, asked = time.monotonic(), stop.asked()
        if asked and not deadline:
            deadline = now + float(os.environ.get("LORABOOK_STOP_GRACE", STOP_GRACE))
            with contextlib.suppress(DiskError):
                run.note("stopping", attempt=attempt)
            trainer.terminate()  # only the trainer itself: its data loaders must live until its step is finished
        if asked == "force" or (deadline and now > deadline):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(trainer.pid, signal.SIGKILL)
        stop.beat()
        with contextlib.suppress(subprocess.TimeoutExpired):
            trainer.wait(timeout=0.1)


def judge(run: Run, before: Snapshot, code: int, asked: bool, told: list[dict[str, Any]], lines: list[str], oom: bool) -> dict[str, Any]:
    """How the attempt ended.

    Args:
        before: the LoRA files as they stood when it began.
        code: the trainer's exit code; negative: minus the signal that ended it.
        asked: whether somebody asked to stop.
        told: the built-in trainer's own last events.
        lines: the last lines of its output.
        oom: whether the machine's memory killer struck in the meantime.
    """
    broken = set_aside_broken(new_outputs(run.checkpoints, before))
    new = new_outputs(run.checkpoints, before)
    final = next((path for path in new if path.stem == run.output_name and path.suffix in ENDINGS), None)
    kinds = {event["event"] for event in told}
    cause = find_cause(lines, code, told, oom)
    # The built-in trainer says that it stopped; another simply ends. Where its last save failed, that must be told, not "stopped".
    stopped = "cancelled" in kinds or (asked and not kinds and final is None and cause.kind != "disk_full")
    extra: dict[str, Any] = {"incomplete": [path.name for path in broken]} if broken else {}
    if stopped:
        kept = next((path for path in reversed(list_outputs(run.checkpoints)) if is_whole(path)), None)
        return {"state": "cancelled", "message": _kept(run, kept), "checkpoint": str(kept) if kept else "", **extra}
    if final is None:
        return {**_failed(cause), **extra}
    if not is_finite(final):
        return {**_failed(Cause("nan_loss", f"The training lost its way: {final.name} holds weights that are no numbers (NaN).",
                                "Lower the learning rate, or train with mixed_precision bf16 instead of fp16.")), **extra}
    if code:
        run.note("warning", message=f"The trainer ended with code {code}, but {final.name} is new and whole.")
    place = publish(final, run.project_folder / "output")
    return {"state": "done", "output": str(place), "checkpoint": str(final), "sha256": sha256(place), **extra}


def _kept(run: Run, file: Path | None) -> str:
    """What is left of a stopped run: the last LoRA, and from where it can go on."""
    saved = f"The last saved LoRA is {file.name}." if file else "It had saved no LoRA yet."
    state = newest_state(run.checkpoints, run.output_name)
    return f"{saved} It can go on from step {state.step}." if state else f"{saved} There is no saved state to go on from."


def _failed(cause: Cause) -> dict[str, Any]:
    return {"state": "failed", "message": str(cause), "cause": cause.as_dict()}


def _start_log(run: Run, attempt: int) -> None:
    """A line between two attempts, by which the monitor knows where the steps go on."""
    events = [event for event in read_events(run.folder)[0] if event.get("event") == "launch" and event.get("attempt") == attempt]
    step = int(events[-1].get("resumed_from", 0)) if events else 0
    with open(run.log, "ab") as file:
        file.write(f"=== attempt {attempt}, from step {step} ===\n".encode())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def main(argv: list[str] | None = None) -> int:
    """Returns: 0 when a LoRA came out, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m core.training.supervisor", description="Watch one attempt of a training run.")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--attempt", type=int, default=1)
    given = parser.parse_args(argv)
    return 0 if supervise(Run.open(given.run_dir), given.attempt)["state"] == "done" else 1


if __name__ == "__main__":
    sys.exit(main())
