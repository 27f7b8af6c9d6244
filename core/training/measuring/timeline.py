"""When what happened in a short run, told by its log and its events as they come: phases, steps, encoded pictures."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.base.errors import DiskError
from core.base.jobs import read_events
from core.training.monitor.lines import LogParser
from core.training.run import Run

LOOK = 0.02
"""Seconds between two looks at the log: so exact are the times of a trainer that tells none itself."""
Kind = str
"""One of `KINDS`."""
KINDS = ("load", "encode", "captions", "train", "save", "sample")
_BEGINNINGS = (("Caching latents", "encode"), ("Encoding pictures", "encode"), ("Caching text", "captions"),
               ("Reading captions", "captions"), ("Saving", "save"), ("Drawing", "sample"))
_COUNT = re.compile(r"\((\d+) of (\d+)\)$")
_FIRST_STEP = re.compile(r"\s*(?:steps:|epoch 1/\d+\s*$)")
"""What a trainer prints when everything is loaded and encoded."""


@dataclass(frozen=True)
class Moment:
    """A phase began."""

    time: float
    """Seconds since 1970."""
    kind: Kind


@dataclass
class Bar:
    """How far a phase that encodes has come: its first and its last word."""

    first: tuple[float, int] = (0.0, 0)
    """When, and how many were done."""
    last: tuple[float, int] = (0.0, 0)
    total: int = 0

    def put(self, now: float, done: int, total: int) -> None:
        """Take in a redraw; the beginning, when nothing is done, waits for the first pass and says nothing of the pace."""
        if done and not self.first[1]:
            self.first = (now, done)
        self.last, self.total = (now, done), total


@dataclass
class Timeline:
    """What was seen so far; `feed` takes in a line, `hear` an event of the built-in trainer."""

    began: float
    moments: list[Moment] = field(default_factory=list)
    steps: dict[int, float] = field(default_factory=dict)
    """When each step was finished; 0: when the first one began."""
    bars: dict[Kind, Bar] = field(default_factory=dict)
    _parser: LogParser = field(default_factory=LogParser)
    _phase: str = ""
    _told: bool = False
    """Whether the trainer itself tells of each step."""

    @property
    def kind(self) -> Kind:
        """What it does now."""
        return self.moments[-1].kind if self.moments else "load"

    @property
    def step(self) -> int:
        """The last finished step."""
        return max(self.steps, default=0)

    def feed(self, line: str, now: float) -> None:
        """Take in a line of the log."""
        if 0 not in self.steps and _FIRST_STEP.match(line):
            self.steps[0] = now
            self._enter("train", now)
        self._parser.feed([line])
        facts = self._parser.facts
        if facts.step > self.step and not self._told:
            self.steps[facts.step] = now
        if facts.phase != self._phase:
            self._phase = facts.phase
            self._look_at_phase(facts.phase, now)

    def hear(self, event: dict[str, Any]) -> None:
        """Take in an event: the built-in trainer prints only some of its steps, and tells of each."""
        if event.get("event") == "step" and isinstance(event.get("step"), int):
            if not self._told:
                self._told, self.steps = True, {step: when for step, when in self.steps.items() if step == 0}
            self.steps[event["step"]] = float(event["time"])

    def began_at(self, kind: Kind) -> float | None:
        """When a phase of that kind began first; None: it did not."""
        return next((moment.time for moment in self.moments if moment.kind == kind), None)

    def spent(self, kind: Kind) -> float:
        """Seconds in phases that encode, up to their last picture, where they count them."""
        total = 0.0
        for moment, following in zip(self.moments, [*self.moments[1:], None], strict=True):
            if moment.kind == kind and following is not None:
                end, bar = following.time, self.bars.get(kind)
                done = bar is not None and bar.total and bar.last[1] == bar.total and moment.time <= bar.last[0] <= end
                total += (bar.last[0] if done and bar else end) - moment.time
        return total

    def _look_at_phase(self, phase: str, now: float) -> None:
        kind = next((kind for words, kind in _BEGINNINGS if phase.startswith(words)), "train" if self.step else "load")
        if kind in ("save", "sample") and not self.steps:
            return
        if kind == "load" and self.kind in ("train", "encode", "captions") and 0 in self.steps:
            return  # the header that says "running training" comes before the first step, and again with it
        self._enter(kind, now)
        count = _COUNT.search(phase)
        if count and kind in ("encode", "captions"):
            self.bars[kind].put(now, int(count[1]), int(count[2]))
        elif kind in ("encode", "captions"):
            self.bars[kind] = Bar()  # what a bar counted before were looks at the files

    def _enter(self, kind: Kind, now: float) -> None:
        if kind != self.kind or not self.moments:
            self.moments.append(Moment(now, kind))
        if kind in ("encode", "captions"):
            self.bars.setdefault(kind, Bar())


class Watcher(threading.Thread):
    """Follows a run's log and events while it works.

    Args: tell: called with the timeline whenever a phase or a step began.
    """

    def __init__(self, run: Run, tell: Callable[[Timeline], None]) -> None:
        super().__init__(daemon=True, name="timeline")
        self.run_folder, self.tell = run, tell
        self.timeline = Timeline(time.time())
        self._end = threading.Event()
        self._offset = self._events = 0
        self._rest = b""
        self._shown: tuple[Kind, int] | None = None

    def run(self) -> None:
        """Look until it is told to end, and once more."""
        while not self._end.wait(LOOK):
            self.look()
        self.look()

    def end(self) -> Timeline:
        """Stop looking. Returns: all that was seen."""
        self._end.set()
        self.join()
        return self.timeline

    def look(self) -> None:
        """Take in what is new."""
        now = time.time()
        for event in self._new_events():
            self.timeline.hear(event)
        for line in self._new_lines():
            self.timeline.feed(line, now)
        seen = (self.timeline.kind, self.timeline.step)
        if seen != self._shown:
            self._shown = seen
            with contextlib.suppress(DiskError):  # a line of progress that cannot be written ends nothing
                self.tell(self.timeline)

    def _new_events(self) -> list[dict[str, Any]]:
        events, self._events = read_events(self.run_folder.folder, self._events)
        return events

    def _new_lines(self) -> list[str]:
        try:
            with open(self.run_folder.log, "rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        self._offset += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]
