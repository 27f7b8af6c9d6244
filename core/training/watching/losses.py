"""Sees that a training has lost its way: a loss that is no number, or samples that are all black."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

from core.training.guards import GuardSettings
from core.training.monitor.causes import Cause
from core.training.monitor.curve import CurvePoint
from core.training.monitor.events import EventsReader
from core.training.monitor.samples import Sample, list_samples, prompts_of
from core.training.run import Run

STEPS = 3
"""So many steps in a row must have a loss that is no number: in fp16 a single one is passed over by the trainer itself."""
DARK, FLAT = 8, 6
"""Of 255: the brightest value of a black picture; how far the values of a flat one lie apart at most."""
WRITTEN = 1.0
"""Seconds after which a picture is no longer being written."""
LOWER = "Lower the learning rate, or train with mixed_precision bf16 instead of fp16."


def lost_in(points: Sequence[CurvePoint]) -> Cause | None:
    """The cause, if the last steps have a loss that is no number. Args: points: the last ones, of this try alone."""
    last = points[-STEPS:]
    values = [point.average if point.loss is None else point.loss for point in last]
    if len(last) < STEPS or any(value is None or math.isfinite(value) for value in values):
        return None
    return Cause("nan_loss", f"The loss became NaN at step {last[0].step}.", LOWER)


class SampleGuard:
    """Looks at each sample picture once, when it is written."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._events = EventsReader(run.folder)
        self._began = time.time()
        self._known: dict[Path, bool] = {}
        """Whether a picture of this try is empty."""
        self._told: set[str] = set()

    def look(self, guards: GuardSettings) -> Cause | None:
        """Tell of empty pictures. Returns: the cause, if all of a moment are empty and something is to be done about it."""
        self._events.read()
        samples = [sample for sample in list_samples(self.run, self._events.samples) if self._is_new(sample.path)]
        for sample in samples:
            if sample.path not in self._known:
                self._known[sample.path] = is_empty(sample.path)
        for moment in dict.fromkeys(sample.moment for sample in samples):
            cause = self._judge(moment, [sample for sample in samples if sample.moment == moment], guards)
            if cause is not None:
                return cause
        return None

    def _is_new(self, path: Path) -> bool:
        try:
            written = path.stat().st_mtime
        except OSError:
            return False
        return self._began <= written + WRITTEN and written + WRITTEN <= time.time()

    def _judge(self, moment: str, samples: Sequence[Sample], guards: GuardSettings) -> Cause | None:
        empty = [sample for sample in samples if self._known[sample.path]]
        if not empty or moment in self._told or len(samples) < max(1, len(prompts_of(self.run))):
            return None
        self._told.add(moment)
        which = "All samples" if len(empty) == len(samples) else f"{len(empty)} of {len(samples)} samples"
        cause = Cause("black_samples", f"{which} of {_of(moment)} are black or of one colour.",
                      "The VAE may not bear half precision (no_half_vae), or the learning rate is too high.")
        if guards.on_black == "warn" or moment == "before" or len(empty) < len(samples):
            self.run.note("warning", message=str(cause))
            return None
        return cause


def _of(moment: str) -> str:
    return "the model before training" if moment == "before" else moment


def is_empty(path: Path) -> bool:
    """Whether a picture is black or of one colour; one that cannot be read counts as not empty."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            bands = picture.convert("RGB").getextrema()
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
        return False
    spread = [(int(low), int(high)) for low, high in bands]  # type: ignore[misc]
    return max(high for _, high in spread) <= DARK or max(high - low for low, high in spread) <= FLAT
