"""Click to segment: a click, another one, a box, and at once a mask. The look at the picture, which takes long, is kept."""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.base.files import file_mark
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.dataset.images.opening import inspect_image, open_image
from core.dataset.images.segmenting.sam import SAMS, SIDE, Answer, Prompt, Sam, Seen, device_of, find_sam
from core.models.warm import WARM

if TYPE_CHECKING:
    from core.dataset.images.masks import Mask

SamName = Literal[SAMS.names()]  # type: ignore[valid-type]
KEPT = 8
"""Pictures whose look is kept: 17 MB each (SAM 2.1), or 4 MB."""
KEPT_ANSWERS = 32
"""Answers that are kept of each; an undone click is answered from them."""
NEEDS = {"mobile-sam": 900_000_000, "sam2.1-tiny": 1_500_000_000, "sam2.1-small": 1_700_000_000, "sam2.1-base": 2_500_000_000,
         "sam2.1-large": 4_500_000_000}
"""Bytes of memory while it looks at a picture, about."""


class ClickSettings(Settings):
    """Which model answers, and where it computes."""

    title = "Click to select"

    model: SamName = setting("mobile-sam", "Model", "mobile-sam: the smallest, quick without a GPU. SAM 2.1: finer edges; large wants a "  # type: ignore[valid-type]
                             "GPU.")
    device: Literal["auto", "cuda", "cpu"] = setting("auto", "Device", "auto: the GPU where there is one.", level="advanced")


@dataclass(frozen=True)
class Clicked:
    """What a click came to."""

    mask: Mask
    """Hard, of the picture's size."""
    score: float
    """How good the model thinks that it is, 0 to 1."""
    look_seconds: float
    """The look at the picture took so long; 0: it was kept."""
    seconds: float
    """The answer took so long."""


@dataclass
class _Looked:
    seen: Seen
    answers: OrderedDict[Prompt, Answer] = field(default_factory=OrderedDict)


class Clicker:
    """An open model, with the pictures that it looked at last."""

    def __init__(self, sam: Sam, kept: int = KEPT) -> None:
        self.sam, self._kept = sam, kept
        self._looked: OrderedDict[Hashable, _Looked] = OrderedDict()

    def look(self, path: Path) -> Seen:
        """Look at a picture, unless it was looked at. Raises: DatasetError: it cannot be opened; ModelError."""
        return self._look(path).seen

    def click(self, path: Path, prompt: Prompt) -> Clicked:
        """Raises: DatasetError, ModelError; ConfigError: the prompt points at nothing."""
        facts = inspect_image(path)
        prompt = prompt.checked((facts.width, facts.height))
        begun = time.perf_counter()
        is_new = _key(path) not in self._looked
        looked = self._look(path)
        seen_at = time.perf_counter()
        answer = self._answer(looked, prompt)
        mask = answer.mask(looked.seen.size)
        return Clicked(mask, answer.score, seen_at - begun if is_new else 0.0, time.perf_counter() - seen_at)

    def forget(self) -> None:
        """Let go of every look."""
        self._looked.clear()

    def _look(self, path: Path) -> _Looked:
        key = _key(path)
        if key not in self._looked:
            decoded = open_image(path, at_least=SIDE)
            self._looked[key] = _Looked(self.sam.look(decoded.image, (decoded.facts.width, decoded.facts.height)))
            while len(self._looked) > self._kept:
                self._looked.popitem(last=False)
        self._looked.move_to_end(key)
        return self._looked[key]

    def _answer(self, looked: _Looked, prompt: Prompt) -> Answer:
        """The answer to all clicks, which sees the one to all but the last: the same again, whether it is kept or not."""
        if prompt in looked.answers:
            looked.answers.move_to_end(prompt)
            return looked.answers[prompt]
        before = Prompt(prompt.points[:-1], prompt.box)
        means = before.box is not None or any(belongs for *_, belongs in before.points)
        hint = self._answer(looked, before).hint if prompt.points and means else None
        looked.answers[prompt] = self.sam.answer(looked.seen, prompt, hint)
        while len(looked.answers) > KEPT_ANSWERS:
            looked.answers.popitem(last=False)
        return looked.answers[prompt]


@contextlib.contextmanager
def open_clicker(settings: ClickSettings, progress: Progress = SILENT) -> Iterator[Clicker]:
    """The model, fetched where it is not here, taken where it is open. One picture is looked at once: who asks meanwhile waits for it.

    Raises: ConfigError: there is no GPU for it; MissingDependency, ModelError, DiskError, Cancelled.
    """
    where, open_it = device_of(settings.model, settings.device), find_sam(settings.model, progress)
    with WARM.use(("clicks", settings.model, where), SAMS.entry(settings.model).title,
                  lambda: Clicker(open_it(settings.device)), where, NEEDS[settings.model]) as clicker:
        yield clicker


def click(path: Path, prompt: Prompt, settings: ClickSettings, progress: Progress = SILENT) -> Clicked:
    """The mask of what a person points at.

    Args: path: the version of the picture that is shown; the prompt is measured in its pixels, upright.
    Raises: ConfigError: the prompt points at nothing. DatasetError: the picture cannot be opened. ModelError, MissingDependency.
    """
    with open_clicker(settings, progress) as clicker:
        return clicker.click(path, prompt)


def look_at(path: Path, settings: ClickSettings, progress: Progress = SILENT) -> None:
    """Look at a picture before it is clicked on, so that the first click is answered at once. Raises: as `click`."""
    with open_clicker(settings, progress) as clicker:
        clicker.look(path)


def _key(path: Path) -> Hashable:
    return str(path), file_mark(path)
