"""One picture as the trainer will see it: its size and cut, and its caption over several steps, by the trainer's own functions."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.base.buckets import Size, select_bucket
from core.base.errors import ConfigError
from core.base.files import read_text
from core.base.settings import Settings, setting
from core.dataset.captions.tokens import token_counter
from core.dataset.images.files import image_files
from core.dataset.images.opening import inspect_image
from core.dataset.items import image_path_of
from core.dataset.project import Project
from core.training.builtin.captions import make_caption, read_caption
from core.training.builtin.dataset import Levels, Subset, TrainImage
from core.training.builtin.latents import read_pixels
from core.training.config.data import DataSettings
from core.training.config.pair import config_tables, dataset_tables, flatten
from core.training.config.training import TrainingSettings
from core.training.fitting import is_own

USUAL_TOKENS = 75
"""Tokens that CLIP reads where the settings say nothing."""
SOFT = 1.25
"""A picture that is enlarged by more than this is worth a word."""
QUALITY = 92
"""Of the JPEG in which the training picture is shown."""


class PreviewSettings(Settings):
    """Which picture, and how often it is shown."""

    title = "As the trainer sees it"

    image: str = setting("", "Picture", "Its name without the ending; empty for the first one.")
    steps: int = setting(10, "Times", "How often its caption is drawn, each time anew.", ge=1, le=1000)
    seed: int = setting(0, "Seed", "Another number gives other draws of the same kind.", level="advanced", ge=0)


@dataclass(frozen=True)
class SeenCaption:
    """What is learned with the picture, one of the times that it comes up."""

    epoch: int
    """Counted from 1."""
    text: str
    """Empty: the picture is learned without words this time."""
    read: int
    """So many characters of it are read; what comes behind is cut off."""


@dataclass(frozen=True)
class ImagePreview:
    """One picture as the trainer will see it."""

    image: str
    """Its name without the ending."""
    path: Path
    size: Size
    """Its own width and height, upright, px."""
    resized: Size
    """To which it is scaled."""
    bucket: Size
    """The size at which it is learned: the middle of the scaled picture."""
    crop: tuple[float, float, float, float]
    """Left, top, right and bottom of what is learned, in the picture's own px."""
    repeats: int
    """How often it comes up in one epoch."""
    captions: tuple[SeenCaption, ...]
    tokens: int
    """So many are read of a caption."""
    exact: bool
    """Whether tokens were counted with CLIP's own vocabulary; else estimated."""
    notes: tuple[str, ...]
    """What a person would want to know of it, a sentence each."""
    subset: Subset

    @property
    def lost(self) -> float:
        """Share of its area that is cut away, 0 to 1."""
        left, top, right, bottom = self.crop
        return max(0.0, 1 - (right - left) * (bottom - top) / (self.size[0] * self.size[1]))

    @property
    def scale(self) -> float:
        """By how much it is enlarged; below 1 it is shrunk."""
        return self.resized[0] / self.size[0]

    def sentence(self) -> str:
        """Size and cut in words."""
        shown = [f"{width} × {height}" for width, height in (self.size, self.resized, self.bucket)]
        if self.resized == self.bucket == self.size:
            return f"{self.image}: learned as it is, {shown[0]} px."
        how = "learned" if self.resized == self.size else f"{'enlarged' if self.scale > 1 else 'shrunk'} to {shown[1]} and learned"
        if self.resized == self.bucket:
            return f"{self.image}: {shown[0]} px, {how} whole."
        wide, high = self.resized[0] > self.bucket[0], self.resized[1] > self.bucket[1]
        sides = "on all sides" if wide and high else "left and right" if wide else "above and below"
        return f"{self.image}: {shown[0]} px, {how} at {shown[2]}; {_percent(self.lost)} is cut away {sides}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"summary": self.sentence(), "image": self.image, "size": list(self.size), "resized": list(self.resized),
                "bucket": list(self.bucket), "crop": [round(edge, 2) for edge in self.crop], "lost": round(self.lost, 4),
                "repeats": self.repeats, "tokens": self.tokens, "exact": self.exact, "notes": list(self.notes),
                "captions": [asdict(caption) for caption in self.captions]}


def preview_image(project: Project, settings: PreviewSettings, training: TrainingSettings) -> ImagePreview:
    """What a trainer makes of one picture of the project, with these training settings.

    Size, cut and caption come from the functions that the built-in trainer itself uses, which follow sd-scripts' arithmetic. The captions
    are draws of the same kind, not those of a certain run.

    Raises:
        DatasetError: no picture has that name, it cannot be read, or its caption is not UTF-8.
        ConfigError: the project's own folder is not among those to learn from; the settings leave no size for it.
    """
    levels, subset = _subset_of(project, training)
    path = _learned(_path_of(project, settings.image), subset.image_dir)
    facts = inspect_image(path)
    size = (facts.width, facts.height)
    rule = levels.rule()
    bucket, resized = select_bucket(size, rule)
    edges = [(resized[side] - bucket[side]) // 2 for side in (0, 1)]
    across, down = size[0] / resized[0], size[1] / resized[1]
    crop = (edges[0] * across, edges[1] * down, (edges[0] + bucket[0]) * across, (edges[1] + bucket[1]) * down)
    caption = read_caption(path, subset.caption_extension, subset.captions.enable_wildcard)
    counter, limit = token_counter(), training.model.max_token_length or USUAL_TOKENS
    seen = []
    for time in range(settings.steps):
        epoch = 1 + time // max(1, subset.num_repeats)
        text = make_caption(caption or subset.class_tokens or "", subset.captions, random.Random(f"{settings.seed}/{time}"), epoch)
        seen.append(SeenCaption(epoch, text, read_until(text, limit, counter.count)))
    notes = tuple(_notes(caption, subset, training.data, resized[0] / size[0], path))
    return ImagePreview(path.stem, path, size, resized, bucket, crop, subset.num_repeats, tuple(seen), limit, counter.exact, notes, subset)


def training_picture(preview: ImagePreview) -> bytes:
    """The picture at its training size, as the built-in trainer reads it. Returns: a JPEG's bytes. Raises: DatasetError."""
    from PIL import Image

    pixels = read_pixels(TrainImage(preview.path, "", preview.size, 1, preview.subset, preview.bucket, preview.resized))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def read_until(text: str, limit: int, count: Callable[[str], int]) -> int:
    """How many characters of a text are read before the limit cuts it off, at the end of a word.

    Args: limit: tokens. count: tokens of a text; it never falls when words are added.
    """
    if count(text) <= limit:
        return len(text)
    ends = [match.end() for match in re.finditer(r"[^\s,]+,?", text)]
    low, high = 0, len(ends) - 1  # so many words fit; so many do not
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[:ends[middle - 1]]) <= limit:
            low = middle
        else:
            high = middle - 1
    return ends[low - 1] if low else 0


def _path_of(project: Project, image: str) -> Path:
    if image:
        return image_path_of(project, image)
    pictures = image_files(project.images)
    if not pictures:
        raise ConfigError("This project has no pictures yet.", "Import some in Dataset_Maker (panel Import).")
    return pictures[0]


def _learned(path: Path, folder: Path) -> Path:
    """The file that stands for a picture in the folder that is learned from: the picture itself, or its best version."""
    return path if path.parent == folder else next((one for one in image_files(folder) if one.stem == path.stem), path)


def _subset_of(project: Project, training: TrainingSettings) -> tuple[Levels, Subset]:
    """The project's own folder as `dataset.toml` gives it, and where its keys are looked for."""
    tables, arguments = dataset_tables(training), flatten(config_tables(training, project.folder))
    for place, own in enumerate(training.data.subsets):
        if is_own(own, project):
            table = tables["datasets"][0]
            levels = Levels.of(table, tables, arguments)
            return levels, levels.subset(table["subsets"][place])
    raise ConfigError(f"The training settings do not learn from this project's pictures ({project.images}).",
                      "Add the folder under Dataset in the panel Model and settings.")


def _notes(caption: str | None, subset: Subset, data: DataSettings, scale: float, path: Path) -> Iterator[str]:
    if not caption:
        missing = "It has no caption" if caption is None else "Its caption is empty"
        yield f"{missing}: {f'{subset.class_tokens!r} is learned in its place' if subset.class_tokens else 'it is learned without words'}."
    elif not subset.captions.enable_wildcard and _lines(path.with_suffix(subset.caption_extension)) > 1:
        yield "Its caption has several lines, of which only the first is read (enable_wildcard would take one of them each time)."
    if scale > SOFT:
        yield f"It is smaller than its training size and is enlarged {scale:.2g} times: what it shows softly is learned as soft."
    if data.random_crop:
        yield "The cut shown is the middle; with random_crop it lies elsewhere each time."
    if subset.flip_aug:
        yield "About every second time it is mirrored."
    if data.color_aug:
        yield "Its colours vary a little each time."


def _lines(path: Path) -> int:
    return sum(1 for line in read_text(path).splitlines() if line.strip())


def _percent(share: float) -> str:
    return "less than 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")
