"""Which images a tagger or captioner works on: declared once for both, read by panel, command line and job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

from core.base.errors import DatasetError
from core.base.settings import Settings, setting
from core.dataset.items import ImageItem

S = TypeVar("S", bound="WhichImages")


class WhichImages(Settings):
    """The images that captions are written for; a settings class that has these fields begins with them."""

    which: Literal["all", "missing"] = setting("all", "Which images", "all, or missing: those without a caption. The trigger word alone is "
                                               "no caption.")
    ids: tuple[str, ...] = setting((), "Only these images", "Names of images without their endings; empty: all.", level="expert")


def for_one(settings: S, image_id: str) -> S:
    """The same settings for one image that a person named: where captions are kept as they are, only a person's own words are then."""
    existing = {"existing": "replace"} if getattr(settings, "existing", "") == "keep" else {}
    return settings.changed(which="all", ids=(image_id,), **existing)


def has_words(caption: str | None, trigger: str) -> bool:
    """Whether a caption says more than the trigger word."""
    return bool(caption) and caption != trigger


def wanted_images(items: Sequence[ImageItem], which: str, ids: Sequence[str] | None, trigger: str, verb: str) -> list[ImageItem]:
    """Those of the images that are asked for.

    Args: which: "all", or "missing" for those without a caption. ids: None: all. verb: for the words, "tag".
    Raises: DatasetError: there is none.
    """
    if ids is not None:
        named = set(ids)
        items = [item for item in items if item.id in named]
    if not items:
        raise DatasetError(f"There are no images to {verb}.",
                           "Import some first." if ids is None else "They may have been moved or renamed.")
    chosen = [item for item in items if which == "all" or not has_words(item.caption, trigger)]
    if not chosen:
        which_ones = "The image has" if len(items) == 1 else f"Each of the {len(items)} images has"
        raise DatasetError(f"{which_ones} a caption already, so there is none to {verb}.",
                           "For new captions, choose other images under 'Which images'.")
    return chosen
