"""Inpainting as a tool: the marked places of each picture are filled, every other pixel and all transparency stay as they are."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import DatasetError, MissingDependency, ModelError
from core.base.progress import SILENT, Progress
from core.dataset.captions.files import caption_path_for, read_caption_text
from core.dataset.images.framing_of import fitting_mask
from core.dataset.images.inpainting import PAINTERS
from core.dataset.images.inpainting.checking import is_black, likeness
from core.dataset.images.inpainting.painter import Painter, Wish
from core.dataset.images.inpainting.pieces import find_pieces, fitted, laid_in, unfitted
from core.dataset.images.inpainting.settings import InpaintSettings
from core.dataset.images.masks import at_place, grow
from core.dataset.images.opening import Decoded, over_white
from core.dataset.images.sourcing import Unit, Work
from core.dataset.images.tool import NotNeeded, Output, Tool
from core.dataset.images.variants import Step
from core.dataset.images.version_report import VersionReport
from core.dataset.images.working import try_on, work_on
from core.dataset.images.writing import Tried
from core.dataset.project import Project
from core.models.having import find_model
from core.models.warm import is_no_room

if TYPE_CHECKING:
    import numpy

    from core.dataset.images.inpainting.painter import Hole, Pixels

LABEL = "repaint"
"""Of the mask that says what is painted anew: girl_repaint_mask.png, of a part girl_face_focus_repaint_mask.png."""
MARKED = 128
"""Levels of a mask from which a pixel is painted."""
BLACK = "what the model painted is black"
SHRINK, SMALLEST = 0.7, 128
"""What a piece is made smaller by where memory does not suffice, and the side (px) below which that is given up."""


@dataclass
class Canvas:
    """A picture with the places that are painted anew."""

    pixels: Pixels
    """As they are; transparent ones have their own colours."""
    seen: Pixels
    """Laid over white: what a model looks at."""
    alpha: numpy.ndarray[tuple[int, int], numpy.dtype[numpy.uint8]] | None
    hole: Hole
    prompt: str
    notes: list[str] = field(default_factory=list)


class Inpainter(Tool[Canvas, "Pixels"]):
    """The tool.

    Args:
        trigger: the project's trigger word, which is left out of prompts that are made of captions.
        tells_steps: whether progress counts the steps of this one picture, not pictures.
    """

    name, verb, kind = "inpaint", "Inpainting", "inpainted"

    def __init__(self, settings: InpaintSettings, trigger: str = "", tells_steps: bool = False) -> None:
        self.settings, self.saving, self.trigger, self.tells_steps = settings, settings.saving, trigger, tells_steps
        self._painter: Painter | None = None

    def told(self, work: Work) -> dict[str, Any]:
        """The settings that act, the region and, where a model draws, the prompt that it is given."""
        told = {**self.settings.decisive(), "of": self._region(work.unit)}
        return {**told, "prompt": self.prompt_for(work)} if "prompt" in told else told

    def reads(self, work: Work) -> list[Path]:
        """The mask, and the caption where it is the prompt."""
        values = self.settings
        mask = mask_of(work.unit) if values.region == "mask" else None
        is_prompt = "prompt" in values.decisive() and values.use_caption and not values.prompt.strip()
        return [*([mask] if mask is not None else []), *([caption_path_for(work.unit.item.path)] if is_prompt else [])]

    def anew(self, unit: Unit, step: Step) -> bool:
        """The same region is painted anew; with another one the tool goes on from what it made."""
        return step.settings.get("of") == self._region(unit)

    @contextlib.contextmanager
    def ready(self, progress: Progress) -> Iterator[None]:
        """The model is open. Raises: ModelError, ConfigError, MissingDependency: it cannot be had; Cancelled."""
        entry = PAINTERS.entry(self.settings.method)
        with PAINTERS.load(entry.name).opened(self.settings, entry, progress) as self._painter:
            try:
                yield
            finally:
                self._painter = None

    def prepare(self, work: Work, decoded: Decoded) -> Canvas:
        """Raises: NotNeeded: nothing is marked; DatasetError: everything is, or the mask is of another picture."""
        import numpy

        image = decoded.image
        hole = self._hole(work, image.size)
        alpha = numpy.array(image.getchannel("A")) if image.mode == "RGBA" else None
        pixels = numpy.array(image.convert("RGB"))
        seen = numpy.array(over_white(image)) if alpha is not None else pixels
        return Canvas(pixels, seen, alpha, hole, self.prompt_for(work))

    def infer(self, prepared: Canvas, progress: Progress) -> Pixels:
        """Piece by piece. Raises: ModelError: the model failed, or there is no room for a small piece; Cancelled."""
        painter = self._painter
        assert painter is not None  # infer runs inside of ready
        seen, todo, made = prepared.seen.copy(), prepared.hole.copy(), prepared.pixels.copy()
        pieces = list(find_pieces(prepared.hole, self.settings.context, painter.side, painter.side // 2))
        for number, piece in enumerate(pieces):
            progress.check()
            place = piece.place
            new = self._filled(painter, seen[place], todo[place], prepared, self._wish(prepared, progress, number, len(pieces)))
            made[place] = laid_in(made[place], new, piece.own, self.settings.feather)
            seen[place] = laid_in(seen[place], new, piece.own, self.settings.feather)
            todo[place] &= ~piece.own
        return made

    def finish(self, work: Work, prepared: Canvas, result: Pixels) -> list[Output]:
        """The picture with its transparency as it was."""
        from PIL import Image

        image = Image.fromarray(result)
        if prepared.alpha is not None:
            image.putalpha(Image.fromarray(prepared.alpha))
        return [Output(image, note="; ".join(dict.fromkeys(prepared.notes)))]

    def prompt_for(self, work: Work) -> str:
        """What is drawn: the prompt, else the caption without the trigger word."""
        values = self.settings
        if values.prompt.strip() or not values.use_caption:
            return values.prompt.strip()
        return without_trigger(read_caption_text(caption_path_for(work.unit.item.path)) or "", self.trigger)

    def _region(self, unit: Unit) -> str:
        """Names the region: the place, or the mask's content; empty where there is no mask."""
        values = self.settings
        if values.region == "place":
            return f"{values.place} {values.width:g} {values.height:g}"
        path = mask_of(unit)
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path is not None else ""
        except OSError:
            return ""

    def _hole(self, work: Work, size: tuple[int, int]) -> Hole:
        """Raises: as `prepare`."""
        values, path = self.settings, mask_of(work.unit)
        if values.region == "place":
            mask = at_place(size, values.place, values.width, values.height)
        elif path is None:
            raise NotNeeded("Nothing is marked on it.")
        else:
            mask = fitting_mask(path, work.source, work.unit.item, size)
        hole = _grown(mask >= MARKED, values.grow)
        where = path.name if path is not None and values.region == "mask" else "The place"
        if not hole.any():
            raise NotNeeded(f"{where} marks nothing.")
        if hole.all():
            raise DatasetError(f"{where} marks the whole picture, so that nothing is left to go by.", "Mark less, or let it grow less.")
        return hole

    def _wish(self, prepared: Canvas, progress: Progress, number: int, pieces: int) -> Wish:
        def on_step(done: int, total: int) -> None:
            if not self.tells_steps:
                progress.check()
            elif done == 1 and number == 0:
                progress.start("Painting", total * pieces)
                progress.advance()
            else:
                progress.advance()

        return Wish(prepared.prompt, on_step)

    def _filled(self, painter: Painter, pixels: Pixels, hole: Hole, prepared: Canvas, wish: Wish) -> Pixels:
        """One piece at its own size, checked; LaMa takes over where a result does not fit. Raises: as `infer`."""
        new, trouble = self._fill(painter, pixels, hole, wish)
        if not trouble:
            return new
        by_lama, why_not = self._by_lama(pixels, hole)
        if by_lama is not None:
            prepared.notes.append(f"painted by LaMa: {trouble}")
            return by_lama
        if trouble == BLACK:
            raise ModelError("What the model painted is black.",
                             f"Try another seed or model, or {'mend LaMa' if why_not else 'fetch big-lama'}, which then takes over.")
        prepared.notes += [f"look at its edges: {trouble}", *([f"LaMa could not take over: {why_not}"] if why_not else [])]
        return new

    def _by_lama(self, pixels: Pixels, hole: Hole) -> tuple[Pixels | None, str]:
        """One piece as LaMa fills it, where that is another method and its file is here; and why it could not."""
        if self.settings.method == "lama" or find_model("inpainter", self.settings.lama_model) is None:
            return None, ""
        try:
            with PAINTERS.load("lama").opened(self.settings, PAINTERS.entry("lama"), SILENT) as lama:
                new, worse = self._fill(lama, pixels, hole, Wish("", lambda done, total: None))
        except (ModelError, MissingDependency) as error:  # what was painted is of use without it
            return None, error.message.rstrip(".")
        return (None, worse) if worse else (new, "")

    def _fill(self, painter: Painter, pixels: Pixels, hole: Hole, wish: Wish) -> tuple[Pixels, str]:
        """A piece at its own size, and what is wrong with it; where memory does not suffice it is worked on smaller."""
        height, width = hole.shape
        scale = painter.scale((width, height), int(hole.sum()))
        while True:
            try:
                sent, asked = fitted(pixels, hole, scale, painter.multiple, painter.least)
                painted = painter.fill(sent, asked, wish)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_no_room(error):
                    said = next(iter(str(error).strip().splitlines()), type(error).__name__)
                    raise ModelError(f"The model failed ({said}).", "Try another model.") from error
                if max(width, height) * scale * SHRINK < SMALLEST:
                    raise ModelError("There is too little memory for inpainting, even for a small piece.",
                                     "End other programs that use it, or choose 'smooth'.") from error
                scale *= SHRINK
        trouble = BLACK if is_black(sent, painted, asked) else ""
        if not trouble and painter.draws_all:
            trouble = likeness(sent, painted, asked).trouble(self.settings.least_likeness)
        return unfitted(painted, (width, height), scale), trouble


def make_inpainter(project: Project, settings: InpaintSettings) -> Inpainter:
    """The tool for one project."""
    return Inpainter(settings, project.trigger_word)


def inpaint_images(project: Project, settings: InpaintSettings, progress: Progress = SILENT) -> VersionReport:
    """Paint the marked places of every picture anew.

    Raises: ModelError, ConfigError: the model cannot be had. DatasetError: the project cannot be read. DiskError. Cancelled: what was
        made stays.
    """
    return work_on(project, make_inpainter(project, settings), settings.images, progress)


def tries(project: Project, settings: InpaintSettings, image_id: str, label: str = "", progress: Progress = SILENT) -> Iterator[Tried]:
    """Results to choose from, each with the next seed, as they come; `keep` writes one. Without a seed there is one.

    Args: label: of a part; empty: the whole picture.
    Raises: DatasetError: no such picture, or everything is marked. ModelError, ConfigError: the model cannot be had. Cancelled.
    """
    count = settings.results if PAINTERS.entry(settings.method).options.get("family") else 1
    for number in range(count):
        one = settings.changed(seed=(settings.seed + number) % 2**32)
        yield try_on(project, Inpainter(one, project.trigger_word, tells_steps=True), image_id, label, progress)


def mask_of(unit: Unit) -> Path | None:
    """The repaint mask of a picture, or of a part of it; None: there is none."""
    label = f"{unit.label}_{LABEL}" if unit.label else LABEL
    found = next((one.name for one in unit.variants if one.kind == "mask" and one.label == label), None)
    return unit.folder / found if found is not None else None


def without_trigger(caption: str, trigger: str) -> str:
    """A caption as a prompt."""
    if not trigger:
        return caption
    text = re.sub(rf"(?<!\w){re.escape(trigger)}(?!\w)", "", caption)
    return re.sub(r"\s+", " ", re.sub(r"(\s*,\s*)+", ", ", text)).strip(" ,")


def _grown(hole: Hole, pixels: int) -> Hole:
    """Grown by so many pixels; only the part of the picture around it is looked at."""
    import numpy

    if not pixels or not hole.any():
        return hole
    rows, columns = (numpy.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    place = (slice(max(0, rows[0] - pixels), rows[-1] + pixels + 1), slice(max(0, columns[0] - pixels), columns[-1] + pixels + 1))
    made = hole.copy()
    made[place] = grow(hole[place].astype(numpy.uint8) * 255, pixels) > 0
    return made
