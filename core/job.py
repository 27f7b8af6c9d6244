"""Runs one job's folder in this process: `python -m core.job FOLDER`. Panels start it; nobody calls it by hand."""

from __future__ import annotations

import signal
import sys
import traceback
from pathlib import Path

from core.base.errors import Cancelled, StudioError
from core.base.files import read_json, write_json
from core.base.jobs import JobProgress, append_event, turn_on_the_machine, write_own_mark
from core.stages import run_stage


def run_job(folder: Path) -> int:
    """Run what `settings.json` says; events, log and report stay in the folder.

    Returns: 0 done, 1 failed, 2 cancelled.
    """
    write_own_mark(folder)
    progress = JobProgress(folder)
    signal.signal(signal.SIGTERM, lambda *_: progress.cancel())
    try:
        order = read_json(folder / "settings.json")
        with turn_on_the_machine(folder, progress):
            report = run_stage(order["stage"], Path(order["project"]), order["settings"], progress)
    except Cancelled as error:
        append_event(folder, "cancelled", message=str(error))
        return 2
    except StudioError as error:
        append_event(folder, "failed", message=str(error))
        return 1
    except Exception:  # noqa: BLE001 - the door of a process: whatever it is, the person must read of it
        traceback.print_exc()
        last = traceback.format_exc().strip().splitlines()[-1]
        append_event(folder, "failed", message=f"This is a bug in Lorabook: {last}. The whole story is in {folder / 'log.txt'}.")
        return 1
    write_json(folder / "report.json", report)
    append_event(folder, "done", message=str(report.get("summary", "")))
    return 0


if __name__ == "__main__":
    sys.exit(run_job(Path(sys.argv[1])))
