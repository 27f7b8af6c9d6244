"""Runs one job's folder in this process: `python -m core.job FOLDER`. Panels start it; nobody calls it by hand."""

from __future__ import annotations

import signal
import sys
import traceback
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from core.base.errors import Cancelled, DiskError, StudioError
from core.base.failures import words_for
from core.base.files import read_json, write_json
from core.base.jobs import Job, JobProgress, append_event, write_order, write_own_mark
from core.base.turns import turn_on_the_machine
from core.dataset.project import shown_name
from core.stages import run_stage, stage_named


def run_job(folder: Path) -> int:
    """Run what `settings.json` says; events, log and report stay in the folder.

    Returns: 0 done, 1 failed, 2 cancelled.
    """
    progress = JobProgress(folder)
    signal.signal(signal.SIGTERM, lambda *_: progress.cancel())
    try:
        write_own_mark(folder)
        if Job(folder).cancel_asked():
            raise Cancelled()  # before this process was noted, so that no signal could reach it
        order = read_json(folder / "settings.json")
        stage, project = stage_named(order["stage"]), Path(order["project"])
        _forget_secrets(folder, order)
        what = f"“{stage.title}” in the project {shown_name(project)}"
        turn = turn_on_the_machine(folder, what, progress) if stage.heavy else nullcontext()
        with turn:
            report = run_stage(stage.name, project, order["settings"], progress)
        write_json(folder / "report.json", report, errors="replace")
    except Cancelled as error:
        append_event(folder, "cancelled", message=str(error))
        return 2
    except Exception as error:  # noqa: BLE001 - the door of a process: whatever it is, the person must read of it
        if not isinstance(error, StudioError):
            traceback.print_exc()
        _last_word(folder, words_for(error, f"The whole story is in {folder / 'log.txt'}."))
        return 1
    append_event(folder, "done", message=str(report.get("summary", "")))
    return 0


def _forget_secrets(folder: Path, order: dict[str, Any]) -> None:
    """What this process alone needs to know goes out of its file. Raises: ConfigError, DiskError."""
    settings = stage_named(order["stage"]).settings_class().make(**order["settings"])
    kept = settings.to_keep()
    if kept != settings:
        write_order(folder, {**order, "settings": {name: kept.model_dump(mode="json")[name] for name in order["settings"]}})


def _last_word(folder: Path, message: str) -> None:
    """On a full disk the block of the process mark, which is no longer needed, is room enough for it."""
    try:
        append_event(folder, "failed", message=message)
    except DiskError:
        (folder / "process.json").unlink(missing_ok=True)
        append_event(folder, "failed", message=message)


if __name__ == "__main__":
    sys.exit(run_job(Path(sys.argv[1])))
