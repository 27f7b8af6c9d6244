"""Reads what sd-scripts prints (and musubi-tuner and the built-in trainer, which print alike): bars, epochs, checkpoints, headers.

The form of the lines is that of real runs of kohya-ss/sd-scripts at 48d368fa; musubi-tuner's is read from its source at 30c658c4
(training/trainer_base.py), and its stages are announced by `custom/run_musubi_stages.py`. A bar of tqdm is redrawn with "\\r", nested
bars end with ESC[A, each step comes twice (before and after its loss is known).
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field

from core.training.monitor.curve import Curve

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
_BREAK = re.compile(rb"[\r\n]+")
_BAR = re.compile(r"^\s*(?:(?P<name>[^|%]*?):?\s+)?(?P<percent>\d+)%\|[^|]*\|\s*(?P<done>\d+)/(?P<total>\d+)\s*"
                  r"\[(?P<spent>[\d:]+)<(?P<left>[\d:?]+),\s*(?P<rate>[\d.?]+)\s*(?P<unit>s/it|it/s)(?:,\s*(?P<rest>[^\]]*?))?(?:\].*|\s*)$")
_EPOCH = re.compile(r"^\s*epoch (\d+)/(\d+)\s*$")
_SAVED = re.compile(r"^\s*saving checkpoint: (.+?)\s*$")
_STATE = re.compile(r"^\s*(?:INFO:[\w.]+:)?Saving current state to (.+?)\s*$")
_SAMPLING = re.compile(r"^(?:.*[\s:])?generating sample images at step\D*(\d+)")
_STAGE = re.compile(r"^=== stage (\d+) of (\d+): (.+) ===$")
_ATTEMPT = re.compile(r"^=== attempt (\d+), from step (\d+) ===$")
_VALIDATION = "[Prepare validation dataset "
"""Stands before the buckets of the pictures that are only measured; they count from 0 again."""
_BUCKET = re.compile(r"\bbucket (\d+): resolution \(\d+, \d+\), count: (\d+)")
_HEADERS = {
    "images": re.compile(r"^\s*num train (?:images \* repeats|items)[^:]*:\s*(\d+)"),
    "batches": re.compile(r"^\s*num batches per epoch[^:]*:\s*(\d+)"),
    "epochs": re.compile(r"^\s*num epochs[^:]*:\s*(\d+)"),
    "total": re.compile(r"^\s*total optimization steps[^:]*:\s*(\d+)"),
}
_PHASES = (("prepare images", "Reading the images"), ("caching latents", "Caching latents"),
           ("caching text encoder outputs", "Caching text encoder outputs"), ("loading model for process", "Loading the model"),
           ("loading the model", "Loading the model"), ("loading dit model", "Loading the model"),
           ("import network module", "Making the LoRA"), ("running training", "Training"),
           ("saving last state", "Saving the state"), ("paused before a save", "Paused"))


class LineSplitter:
    """Bytes of a pipe, as they come, into lines: "\\r" and "\\n" both end one, terminal codes are dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that these bytes complete; an unfinished one is kept for the next call."""
        *whole, self._rest = _BREAK.split(self._rest + data)
        return [clean_line(line) for line in whole]

    def rest(self) -> list[str]:
        """The unfinished line at the very end."""
        last, self._rest = self._rest, b""
        return [clean_line(last)] if last.strip() else []


def clean_line(line: bytes) -> str:
    """Text without terminal codes and trailing spaces; what is no UTF-8 is replaced."""
    return _ANSI.sub("", line.decode("utf-8", "replace")).rstrip()


@dataclass
class LogFacts:
    """What the lines told so far."""

    step: int = 0
    total: int = 0
    epoch: int = 0
    epochs: int = 0
    images: int = 0
    batches: int = 0
    seconds_per_step: float | None = None
    average_loss: float | None = None
    validation_loss: float | None = None
    phase: str = ""
    attempt: int = 0
    by_bucket: dict[int, int] = field(default_factory=dict)
    """Pictures with their repeats, by the number of their bucket; each process of several tells them all, and they tell them mixed."""

    @property
    def buckets(self) -> list[int]:
        """Pictures with their repeats in each bucket."""
        return list(self.by_bucket.values())


class LogParser:
    """Feeds on lines, keeps facts, a curve of average losses, and the checkpoints and states that were saved."""

    def __init__(self) -> None:
        self.facts = LogFacts()
        self.curve = Curve()
        self.saved: list[tuple[str, int, int]] = []
        """Path as printed, step, epoch."""
        self._from = 0
        self._clock = self._earlier = 0.0
        """Seconds that all attempts have trained, and those before the present one."""
        self._old_buckets = self._learned_told = False
        """Whether the buckets are those of an earlier attempt, and whether all that are learned from were told in this one."""

    def feed(self, lines: list[str]) -> None:
        """Understand some lines; unknown ones are passed over."""
        for line in lines:
            self._line(line)

    def _line(self, line: str) -> None:
        if bar := _BAR.match(line):
            self._bar(bar)
        elif found := _EPOCH.match(line):
            self.facts.epoch, self.facts.epochs = int(found.group(1)), int(found.group(2))
        elif found := _SAVED.match(line):
            self.saved.append((found.group(1), self.facts.step, self.facts.epoch))
            self.facts.phase = "Saving a checkpoint"
        elif _STATE.match(line):
            self.facts.phase = "Saving the state"
        elif _SAMPLING.match(line):
            self.facts.phase = "Drawing sample pictures"
        elif found := _STAGE.match(line):
            self.facts.phase = f"{found.group(3).capitalize()}, stage {found.group(1)} of {found.group(2)}"
        elif found := _ATTEMPT.match(line):
            self._attempt(int(found.group(1)), int(found.group(2)))
        else:
            self._header(line)

    def _header(self, line: str) -> None:
        for name, pattern in _HEADERS.items():
            if found := pattern.match(line):
                setattr(self.facts, name, int(found.group(1)))
                return
        if found := _BUCKET.search(line):
            self._bucket(int(found.group(1)), int(found.group(2)))
            return
        if _VALIDATION in line:
            self._learned_told = True
            return
        lowered = line.lower()
        for words, phase in _PHASES:
            if words in lowered:
                self.facts.phase = phase
                return

    def _bucket(self, number: int, count: int) -> None:
        if self._learned_told:
            return
        self.facts.by_bucket = {**({} if self._old_buckets else self.facts.by_bucket), number: count}
        self._old_buckets = False

    def _attempt(self, number: int, step: int) -> None:
        known = self.facts
        self._old_buckets, self._learned_told = True, False
        self.facts = LogFacts(step=step, total=known.total, epoch=known.epoch, epochs=known.epochs, batches=known.batches, attempt=number,
                              phase="Starting", by_bucket=known.by_bucket)
        self._from, self._earlier = step, self._clock
        self.curve.cut_after(step)

    def _bar(self, bar: re.Match[str]) -> None:
        name, done, total = (bar.group("name") or "").strip(), int(bar.group("done")), int(bar.group("total"))
        values = _postfix(bar.group("rest") or "")
        if name == "steps":
            self._step(done, total, bar, values)
        elif "validation" in name:
            self._validation(done == total, values)
        elif self.facts.step == 0 and self.facts.phase not in ("Training", "Drawing sample pictures"):
            phase = self.facts.phase.split(" (")[0] or name or "Preparing"
            self.facts.phase = f"{phase} ({done} of {total})"

    def _validation(self, is_whole: bool, values: dict[str, float]) -> None:
        """After an epoch, or after some steps: the average so far, and at the end that of the whole validation."""
        self.facts.phase = "Validating"
        found = values.get("val_epoch_avg_loss", values.get("val_avg_loss"))
        if found is not None:
            self.facts.validation_loss = found
            if is_whole and self.facts.step:
                self.curve.put(self.facts.step, validation=found)

    def _step(self, done: int, total: int, bar: re.Match[str], values: dict[str, float]) -> None:
        facts = self.facts
        # After a resume sd-scripts counts its bar from 0 to what is left; its header tells the whole.
        facts.total = max(facts.total, total) if self._from else total
        facts.step = min(self._from + done, facts.total or done)
        facts.phase = "Training"
        rate = _number(bar.group("rate"))
        if rate:
            facts.seconds_per_step = rate if bar.group("unit") == "s/it" else 1.0 / rate
        if "avr_loss" in values and facts.step:
            facts.average_loss = values["avr_loss"]
            self._clock = self._earlier + _seconds(bar.group("spent"))
            self.curve.put(facts.step, average=values["avr_loss"], epoch=facts.epoch or None, time=self._clock)


def _postfix(text: str) -> dict[str, float]:
    values = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        number = _number(value.strip())
        if number is not None:
            values[name.strip()] = number
    return values


def _seconds(clock: str) -> float:
    """Of "1:02:03"."""
    return float(sum(int(part or 0) * 60 ** place for place, part in enumerate(reversed(clock.split(":")))))


def _number(text: str) -> float | None:
    with contextlib.suppress(ValueError):
        return float(text)
    return None
