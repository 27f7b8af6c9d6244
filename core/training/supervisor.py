"""Watches one attempt of a run: `python -m core.training.supervisor RUN_DIR --attempt N`. Started by `launch`.

It lives in a session of its own, so that neither the browser nor the kernel ends it. It waits for the run's turn, starts the trainer,
writes its output to log.txt, its own heartbeat and the GPUs to heartbeat.json, hears a request to stop, and judges the end: success is
a new and whole LoRA file, whatever the exit code says. What it does while the trainer works stands in `core.training.watching`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.base.errors import Cancelled, DiskError, StudioError
from core.base.failures import explain, words_for
from core.base.process import mark_of
from core.base.turns import turn_on_the_machine
from core.dataset.items import list_items
from core.dataset.project import Project, project_of_images, shown_name, trained_on
from core.dataset.versions import VersionSettings, name_version
from core.training import queue
from core.training.config.pair import pair_in, read_tables
from core.training.finish.starting import begin_with
from core.training.fitting import is_own
from core.training.monitor.causes import Cause
from core.training.preflight.caches import find_stale, forget_stale
from core.training.run import Run, note_supervisor
from core.training.watching.judging import failed
from core.training.watching.process import train
from core.training.watching.requests import StopRequest


def supervise(run: Run, attempt: int) -> dict[str, Any]:
    """Run one attempt to its end. Returns: the `end` event that was written."""
    mark = mark_of(os.getpid())
    note_supervisor(run, attempt, mark)
    stop = StopRequest(run, attempt)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(stop, "signalled", True))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal is no wish to stop
    begin_with(run)
    try:
        queue.join(run)
        stop.check()
        what = f"the training of {run.output_name} in the project {shown_name(run.project_folder)}"
        with turn_on_the_machine(run.folder, what, stop, lambda: queue.why_not_yet(run)):
            folders = _folders(run)
            with trained_on(folders, f"{run.output_name} in the project {shown_name(run.project_folder)}", stop) as held:
                if attempt == 1:
                    _keep_captions(run)
                _forget_old_caches(run, folders)
                end = train(run, attempt, stop, held)
    except Cancelled as error:
        end = {"state": "cancelled", "message": error.message}
    except Exception as error:  # noqa: BLE001 - the door of a process: whatever it is, the person must read of it
        if not isinstance(error, StudioError):
            traceback.print_exc()
        known, story = explain(error), f"The whole story is in {run.folder / 'supervisor.txt'}."
        end = failed(Cause("lorabook", *known) if known else Cause("bug", words_for(error), story))
    _tell_end(run, attempt, end)
    return end


def _tell_end(run: Run, attempt: int, end: dict[str, Any]) -> None:
    """The last word on the attempt, and the place in the queue given back."""
    try:
        run.note("end", attempt=attempt, **end)
    except DiskError:
        (run.folder / "heartbeat.json").unlink(missing_ok=True)  # on a full disk its block is room enough for the last word
        run.note("end", attempt=attempt, **end)
    with contextlib.suppress(DiskError):  # a run that has ended holds nobody up there
        queue.leave(run)


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
    """Latents and text-encoder outputs of what was changed since, also while an earlier training ran, are made anew."""
    for folder in filter(project_of_images, folders):
        try:
            forget_stale(find_stale(folder))
        except OSError as error:
            run.note("warning", message=f"Whether caches in {folder} are older than the pictures and captions is not known: {error}")


def _folders(run: Run) -> list[Path]:
    """The folders that it learns from; none where that cannot be read, which the trainer itself says better."""
    try:
        tables = read_tables(pair_in(run.folder).dataset)
        return [Path(subset["image_dir"]) for dataset in tables["datasets"] for subset in dataset["subsets"]]
    except (StudioError, OSError, KeyError, TypeError):
        return []


def main(argv: list[str] | None = None) -> int:
    """Returns: 0 when a LoRA came out, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m core.training.supervisor", description="Watch one attempt of a training run.")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--attempt", type=int, default=1)
    given = parser.parse_args(argv)
    return 0 if supervise(Run.open(given.run_dir), given.attempt)["state"] == "done" else 1


if __name__ == "__main__":
    sys.exit(main())
