"""Masks drawn by hand, kept: each is a version that says of which operations it was made, so that it can be drawn on.

    drawing = open_drawing(project, "girl")
    mask = drawing.draw(read_operations(text))       after each stroke; only the new one is drawn
    path = drawing.save(read_operations(text))       girl_mask.png
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import DatasetError, StudioError
from core.base.files import FileMark, explain_disk_errors, file_mark, read_json, write_bytes, write_json
from core.base.progress import SILENT, Progress
from core.dataset.images.framing_of import misfit
from core.dataset.images.kept_masks import DAY, DRAFTS, KEPT_MASKS, Device, KeptSources, operations_of, prune_kept_masks
from core.dataset.images.mask_edits import Drawing, as_values, digest_of, read_operations
from core.dataset.images.mask_operations import Operation, Size
from core.dataset.images.masks import read_mask
from core.dataset.images.opening import Decoded, inspect_image
from core.dataset.images.saving import SaveSettings
from core.dataset.images.segmenting.masking import BY_HAND, label_of
from core.dataset.images.segmenting.settings import Use
from core.dataset.images.sourcing import Unit, Work, content_of, one_unit, work_for
from core.dataset.images.tool import NothingFound, Output, Tool
from core.dataset.images.variants import read_made
from core.dataset.images.working import keep, try_on
from core.dataset.project import Project

if TYPE_CHECKING:
    from core.dataset.images.masks import Mask

MOST_NOTED = 12_000
"""Characters of operations that stand in the mask itself."""
LOST = "How {} was drawn is not wholly known any more, so it is there in one piece; you can go on from it."
"""Told where steps of a mask are lost, and its pixels are not."""


class HandMask(Tool[Decoded, Decoded]):
    """The tool: draws a list of operations. Args: noted: the same, as they stand in the mask."""

    name, verb, kind = BY_HAND, "Drawing masks", "mask"
    saving = SaveSettings(format="png")

    def __init__(self, drawing: HandDrawing, operations: Sequence[Operation], noted: Sequence[Operation]) -> None:
        self._drawing, self._operations, self._noted = drawing, tuple(operations), tuple(noted)

    def label(self, unit: Unit) -> str:
        """By what the mask is for."""
        return label_of(unit, self._drawing.use)

    def told(self, work: Work) -> dict[str, Any]:
        """The operations, or their name where they are many, and the size of the picture that they were drawn on."""
        size, values = list(self._drawing.size), as_values(self._noted)
        if len(json.dumps(values)) <= MOST_NOTED:
            return {"size": size, "operations": values}
        return {"size": size, "kept": digest_of(self._noted)}

    def prepare(self, work: Work, decoded: Decoded) -> Decoded | None:
        """Raises: DatasetError: another version stands in the place of the one that was drawn on."""
        if work.source != self._drawing.path or decoded.image.size != self._drawing.size:
            raise DatasetError(f"{work.unit.title} was changed meanwhile: it was drawn on {self._drawing.path.name}, now there is "
                               f"{work.source.name}.", "Open it again.")
        if file_mark(work.source) != self._drawing.mark:
            raise DatasetError(f"{work.source.name} was changed meanwhile: it is another file than the one that was drawn on.",
                               "Open it again: what you drew is still there.")
        return decoded

    def finish(self, work: Work, prepared: Decoded, result: Decoded) -> list[Output]:
        """One mask. Raises: NothingFound: nothing is drawn."""
        from PIL import Image

        mask = self._drawing.draw(self._operations)
        if not mask.any():
            raise NothingFound("Nothing is drawn: the mask is empty.", "Draw something, or take the mask away.")
        return [Output(Image.fromarray(mask))]


@dataclass
class HandDrawing:
    """A picture whose mask is drawn."""

    project: Project
    image_id: str
    label: str
    """Of the part; empty: the whole picture."""
    use: Use
    path: Path
    """The version that is shown and drawn on."""
    size: Size
    mark: FileMark | None
    """Of that version, as it was opened."""
    sources: KeptSources
    begun: tuple[Operation, ...] = ()
    """What the mask that is there was made of; one that was not drawn by hand is the first operation."""
    note: str = ""
    """What the person should know of the mask that is there: a sentence or two; empty: nothing."""
    _drawing: Drawing = field(init=False)

    def __post_init__(self) -> None:
        self._drawing = Drawing(self.size, self.sources)

    def draw(self, operations: Sequence[Operation]) -> Mask:
        """The mask; it must not be changed. Raises: DatasetError, ModelError, ConfigError: a model's mask cannot be had."""
        return self._drawing.draw(operations)

    def keep_draft(self, operations: Sequence[Operation]) -> None:
        """Keep what is drawn and not saved, so that it is there again whoever went away meanwhile. Raises: DiskError."""
        if tuple(operations) == self.begun:
            self.drop_draft()
        else:
            write_json(self._draft_file, {"size": list(self.size), "of": self.path.name, "operations": as_values(operations)})

    def draft(self) -> tuple[Operation, ...] | None:
        """What was drawn on this very version and not saved; None: nothing."""
        try:
            values = read_json(self._draft_file)
            if (values["size"], values["of"]) == (list(self.size), self.path.name):
                return read_operations(values["operations"])
        except (StudioError, OSError, KeyError, TypeError):
            pass
        return None

    def drop_draft(self) -> None:
        """Forget what was drawn and not saved. Raises: DiskError."""
        with explain_disk_errors(self._draft_file):
            self._draft_file.unlink(missing_ok=True)

    @property
    def _draft_file(self) -> Path:
        return self.project.hidden / KEPT_MASKS / DRAFTS / f"{self.image_id}.{self.label}.{self.use}.json"

    def save(self, operations: Sequence[Operation], progress: Progress = SILENT) -> Path:
        """Write it as a version. Raises: DatasetError: it is empty, or the picture was changed meanwhile; DiskError; as `draw`."""
        noted = [self.sources.settled(one, self.size) for one in operations]
        tried = try_on(self.project, HandMask(self, operations, noted), self.image_id, self.label, progress)
        values = json.dumps(as_values(noted))
        if len(values) > MOST_NOTED:
            path = self.project.hidden / KEPT_MASKS / f"{digest_of(noted)}.json"
            with explain_disk_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(path, values.encode())
        path = keep(self.project, tried, progress)[0]
        self.begun, self.note = tuple(operations), ""
        self.drop_draft()
        prune_kept_masks(self.project, once_a=DAY)
        return path


def open_drawing(project: Project, image_id: str, label: str = "", use: Use = "learn", device: Device = "auto") -> HandDrawing:
    """Begin to draw, or go on, on the best version of a picture or of its part.

    A mask that is there and does not belong to it is not gone on with, and the drawing says so; saving takes its place.

    Raises: DatasetError: there is no such picture or part, or it cannot be opened. DiskError.
    """
    unit = one_unit(project, image_id, label)
    work = work_for(unit, BY_HAND, "mask", label=label_of(unit, use))
    if work.trouble:
        raise DatasetError(work.trouble)
    mark, facts = file_mark(work.source), inspect_image(work.source)
    size, sources = (facts.width, facts.height), KeptSources(project, work.source, device)
    there = unit.beside("mask", label_of(unit, use))
    there = None if there is not None and use == "repaint" and _is_painted(work, there) else there
    begun, note = _begin(project, there, work, size, sources) if there is not None else ((), "")
    return HandDrawing(project, image_id, label, use, work.source, size, mark, sources, begun, note)


def _is_painted(work: Work, mask: Path) -> bool:
    """Whether what the mask marks was the last to be painted anew: then the next mark begins empty."""
    last = work.steps[-1] if work.steps else None
    return last is not None and last.tool == "inpaint" and last.settings.get("of") == content_of(mask)[:16]


def _begin(project: Project, mask: Path, work: Work, size: Size, sources: KeptSources) -> tuple[tuple[Operation, ...], str]:
    """What a mask that is there was made of, else its pixels as one operation, else nothing; and what is to be known of it."""
    try:
        trouble = misfit(mask, work.source, work.unit.item)
        pixels = read_mask(mask, size) if not trouble else None
    except DatasetError as error:
        trouble, pixels = error.message, None
    if pixels is None:
        return (), f"{trouble} The drawing begins empty; saving it takes that mask's place."
    made = read_made(mask)
    step = made.steps[-1] if made is not None and made.steps else None
    if step is None or step.tool != BY_HAND or step.settings.get("size") != list(size):
        return (sources.keep(pixels),), ""
    operations = operations_of(project, step)
    if operations is None or not all(sources.has(one, size) for one in operations):
        return (sources.keep(pixels),), LOST.format(mask.name)
    return operations, ""
