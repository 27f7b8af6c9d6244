"""Runs musubi-tuner's three stages as one training: encode the pictures, read the captions, train.

    python custom/run_musubi_stages.py RUN/musubi/stages.json

Started by musubi-tuner's own Python, so that it needs the standard library only. Each stage is a child in this process group. SIGTERM is
handed on to the stage that runs and no further one is begun; the first stage that fails ends all, with its exit code. A stage that
encodes is left out where it was finished before and nothing has changed since: neither its arguments, nor a file that it reads, nor
what it wrote.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any


class Stages:
    """The stages of one run, one after the other."""

    def __init__(self, plan: Path) -> None:
        told = json.loads(plan.read_text(encoding="utf-8"))
        self.notes = plan.parent
        self.stages: list[dict[str, Any]] = told["stages"]
        self.child: subprocess.Popen[bytes] | None = None
        self.stopped = False

    def run(self) -> int:
        """Run them. Returns: 0, or the exit code of the stage that failed; 143 when it was stopped."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        for number, stage in enumerate(self.stages, start=1):
            if self.stopped:
                return 128 + signal.SIGTERM
            say(f"=== stage {number} of {len(self.stages)}: {stage['title']} ===")
            if self._is_done(stage):
                say("Nothing has changed since this was done.")
            elif code := self._stage(stage):
                say(f"=== stage {number} of {len(self.stages)} ended with code {code}: {stage['title']} ===")
                return code
        return 0

    def _stage(self, stage: dict[str, Any]) -> int:
        """Run one stage to its end. Returns: its exit code; 128 and the signal's number for one that a signal ended."""
        note = self._note(stage)
        note.unlink(missing_ok=True)
        reads = fingerprint(stage) if stage["reads"] else ""
        if not reads:
            (self.notes / "begun").touch()  # the training itself: from here on a run goes on from a state only
        self.child = subprocess.Popen([sys.executable, *stage["argv"]], cwd=stage["cwd"])
        if self.stopped:  # the signal came before there was a child
            self.child.terminate()
        code = self.child.wait()
        self.child = None
        if not code and reads:
            note.write_text(json.dumps({"reads": reads, "writes": written(stage)}), encoding="utf-8")
        return 128 - code if code < 0 else code

    def _is_done(self, stage: dict[str, Any]) -> bool:
        if not stage["reads"] or not self._note(stage).is_file():
            return False
        done = json.loads(self._note(stage).read_text(encoding="utf-8"))
        return bool(done["writes"]) and done["writes"] == written(stage) and done["reads"] == fingerprint(stage)

    def _note(self, stage: dict[str, Any]) -> Path:
        return self.notes / f"{stage['name']}.done.json"

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True
        if self.child is not None:
            self.child.terminate()


def fingerprint(stage: dict[str, Any]) -> str:
    """A digest of a stage's arguments, its dataset, and of every file that it reads: name, size, time of the last change."""
    told = json.dumps([stage["argv"], stage["dataset"]], sort_keys=True)
    lines = [told, *(line for place in stage["reads"] for line in traces(Path(place)))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def written(stage: dict[str, Any]) -> list[str]:
    """What lies of a stage in its folders: name and size of each file."""
    found = [path for folder in stage["writes"] for path in Path(folder).glob(stage["pattern"])]
    return sorted(f"{path.parent.name}/{path.name} {path.stat().st_size}" for path in found)


def traces(place: Path) -> Iterator[str]:
    """A line for a file, or for each file of a folder."""
    entries = sorted(os.scandir(place), key=lambda entry: entry.name) if place.is_dir() else []
    for path in [Path(entry.path) for entry in entries if entry.is_file()] or [place]:
        if path.exists():
            stat = path.stat()
            yield f"{path} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def say(line: str) -> None:
    """A line of the log, at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(Stages(Path(sys.argv[1])).run())
