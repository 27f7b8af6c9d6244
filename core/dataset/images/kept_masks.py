"""Masks that a model made for drawings: kept in the project's hidden folder, each under its name, as long as anything names it."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.base.errors import ConfigError, DatasetError, StudioError
from core.base.files import explain_disk_errors, read_json, read_text, write_bytes
from core.dataset.images.mask_edits import read_operations
from core.dataset.images.mask_operations import Clicks, Given, Operation, Size, Sources
from core.dataset.images.masks import read_mask
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.segmenting.clicking import ClickSettings, click
from core.dataset.images.segmenting.masking import BY_HAND
from core.dataset.images.segmenting.sam import Prompt
from core.dataset.images.sourcing import content_of
from core.dataset.images.variants import Step, read_made
from core.dataset.project import Project

if TYPE_CHECKING:
    from core.dataset.images.masks import Mask

KEPT_MASKS = "masks"
"""In the project's hidden folder: masks that a model made for a drawing, and lists of operations too long for a picture's notes."""
DRAFTS = "drafts"
"""Folder in it: what was drawn and not saved yet."""
SWEPT = ".swept"
"""File in it whose time is that of the last sweep."""
DAY = 86_400.0
KEPT_AT_LEAST = 7 * DAY
"""Seconds for which a mask is kept though nothing names it: what was undone may be done again."""
Device = Literal["auto", "cuda", "cpu"]


class KeptSources(Sources):
    """Masks that are kept in the project, and clicks on the version that is shown: each is answered once, and the answer kept."""

    def __init__(self, project: Project, shown: Path, device: Device = "auto") -> None:
        self._folder, self._shown, self._device = project.hidden / KEPT_MASKS, shown, device

    def keep(self, mask: Mask) -> Given:
        """Keep a mask that a model made. Returns: the operation that stands for it. Raises: DiskError."""
        name = hashlib.sha256(repr(mask.shape).encode() + mask.tobytes()).hexdigest()[:16]
        if not self._place(name).is_file():
            self._keep_as(name, mask)
        return Given(name=name)

    def given(self, name: str, size: Size) -> Mask:
        """Raises: DatasetError: it is not kept, or of other proportions."""
        path = self._place(name)
        return read_mask(path, size) if path.is_file() else super().given(name, size)

    def segment(self, model: str, prompt: Prompt, size: Size) -> Mask:
        """Kept as soon as it is answered. Raises: DatasetError, ModelError, ConfigError; DiskError."""
        name = self._answer(model, prompt, size)
        with contextlib.suppress(DatasetError):
            return self.given(name, size)
        mask = click(self._shown, prompt, ClickSettings(model=model, device=self._device)).mask
        self._keep_as(name, mask)
        return mask

    def settled(self, operation: Operation, size: Size) -> Operation:
        """Clicks as the answer that is kept of them, so that neither the model nor the picture as it was is needed again.

        Raises: as `segment`.
        """
        if not isinstance(operation, Clicks):
            return operation
        model, prompt = str(operation.model), operation.prompt()
        self.segment(model, prompt, size)
        return Given(name=self._answer(model, prompt, size), how=operation.how)

    def names_of(self, operations: Iterable[Operation], size: Size) -> Iterator[str]:
        """Under which the masks are kept that operations need. Raises: DatasetError: the version that is shown is gone."""
        for one in operations:
            if isinstance(one, (Clicks, Given)):
                yield self._name_of(one, size)

    def has(self, operation: Operation, size: Size) -> bool:
        """Whether an operation can be drawn without asking a model."""
        if not isinstance(operation, (Clicks, Given)):
            return True
        try:
            self.given(self._name_of(operation, size), size)
        except DatasetError:
            return False
        return True

    def _name_of(self, operation: Clicks | Given, size: Size) -> str:
        return operation.name if isinstance(operation, Given) else self._answer(str(operation.model), operation.prompt(), size)

    def _answer(self, model: str, prompt: Prompt, size: Size) -> str:
        """Names what a model answers to clicks on the very file that is shown. Raises: DatasetError: it is gone."""
        return hashlib.sha256(repr((content_of(self._shown), model, prompt, size)).encode()).hexdigest()[:16]

    def _keep_as(self, name: str, mask: Mask) -> None:
        from PIL import Image

        path = self._place(name)
        with explain_disk_errors(path):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_bytes(path, encode(Image.fromarray(mask), SaveSettings(format="png"), "PNG").data)

    def _place(self, name: str) -> Path:
        return self._folder / f"{name}.png"


def operations_of(project: Project, step: Step) -> tuple[Operation, ...] | None:
    """Of which a mask was drawn by hand; None: they are lost."""
    try:
        kept = step.settings.get("kept")
        return read_operations(step.settings["operations"] if kept is None else read_text(project.hidden / KEPT_MASKS / f"{kept}.json"))
    except (ConfigError, DatasetError, KeyError, OSError):
        return None


def prune_kept_masks(project: Project, once_a: float = 0) -> None:
    """Delete what no mask and no draft names and what is older than a week. A folder that cannot be read or written to stays as it is.

    Args: once_a: seconds since the last sweep, before which nothing is done.
    """
    folder, now = project.hidden / KEPT_MASKS, time.time()
    with contextlib.suppress(OSError):
        swept = folder / SWEPT
        if not folder.is_dir() or (swept.exists() and now - swept.stat().st_mtime < once_a):
            return
        swept.touch()
        old = [path for path in folder.iterdir() if path.suffix in (".png", ".json") and now - path.stat().st_mtime > KEPT_AT_LEAST]
        named = {*_named_by_masks(project), *_named_by_drafts(project)} if old else set()
        for path in old:
            if path.stem not in named:
                path.unlink(missing_ok=True)


def _named_by_masks(project: Project) -> Iterator[str]:
    """By every mask, also those that were put aside and those of rejected pictures."""
    for place in (project.variants, project.rejected):
        for mask in place.rglob("*_mask.*"):
            made = read_made(mask)
            for step in made.steps if made is not None else ():
                if step.tool == BY_HAND:
                    yield str(step.settings.get("kept", ""))
                    yield from (one.name for one in operations_of(project, step) or () if isinstance(one, Given))


def _named_by_drafts(project: Project) -> Iterator[str]:
    for draft in (project.hidden / KEPT_MASKS / DRAFTS).glob("*.json"):
        with contextlib.suppress(StudioError, OSError, KeyError, TypeError):
            values = read_json(draft)
            operations, size = read_operations(values["operations"]), tuple(values["size"])
            yield from (one.name for one in operations if isinstance(one, Given))
            for shown in (project.images / values["of"], project.variants / values["of"]):
                if shown.is_file():
                    yield from KeptSources(project, shown).names_of(operations, size)
