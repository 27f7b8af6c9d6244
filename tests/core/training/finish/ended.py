"""Runs that have ended, by their files alone, and settings of a finish with the shortest countdown."""

import socket

from core.base.files import write_json
from core.training.finish.settings import FinishSettings
from tests.core.training.fake_trainer import write_lora, write_state
from tests.core.training.fakes import make_run


def ended_run(tmp_path, state="done", attempt=1, run=None):
    """A run of two epochs that ended like this; a failed one has the first epoch only."""
    run = run or make_run(tmp_path)
    write_json(run.folder / "supervisor.json", {"attempt": attempt, "host": socket.gethostname(), "mark": None})
    write_lora(run.checkpoints / "mochi-000001.safetensors", 0.5)
    write_state(run.checkpoints / "mochi-000001-state", 2)
    (run.folder / "samples" / "one.png").write_bytes(b"a picture")
    end = {"state": state, "message": "It ended.", "checkpoint": ""}
    if state == "done":
        write_lora(run.checkpoints / "mochi.safetensors")
        end["checkpoint"] = str(run.checkpoints / "mochi.safetensors")
    elif state == "cancelled":
        end["checkpoint"] = str(run.checkpoints / "mochi-000001.safetensors")
    if state != "lost":
        run.note("end", attempt=attempt, **end)
    return run


def settings(**values):
    return FinishSettings.make(**{"repo_id": "me/cats", "countdown": 60, **values})


def steps(run):
    """What a finish has noted in the run's events."""
    from core.base.jobs import read_events

    return [event["step"] for event in read_events(run.folder)[0] if event["event"] == "finish"]
