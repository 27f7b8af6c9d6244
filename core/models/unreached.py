"""What is said where a model is not here and its site cannot be reached: what to put where, and what needs no download."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from core.base.errors import ModelError
from core.models.catalog import Kind
from core.models.refusals import Unreached

WITHOUT: Mapping[Kind, str] = {
    "upscaler": "'Resize and convert' with 'Enlarge too' on needs none",
    "face restorer": "switch 'Restore faces' off",
    "segmenter": "'Found by' has three that need none: 'What stands before a plain background', 'What is not transparent' and 'Where "
                 "watermarks stand'",
    "detector": "lbp-face needs none, for faces in photographs",
    "inpainter": "smooth needs none",
}
"""What works without a download, by the kind that is missing."""
BY_HAND = "a mask can be drawn by hand"
"""The same, for what answers clicks."""


@contextlib.contextmanager
def said_what_works_without(what: str, put: str, kind: Kind, here: str = "", otherwise: str = "") -> Iterator[None]:
    """Tell of a site that is not reached in the words of who wanted a model, not an address.

    Args:
        what: "Real-ESRGAN 4x (67 MB)". put: "x.pth into /models/upscalers".
        here: names of others of its kind that are there. otherwise: what works without; empty: as its kind has it.
    Raises: ModelError.
    """
    try:
        yield
    except Unreached as error:
        others = [f"choose one that is here ({here})" if here else "", otherwise or WITHOUT.get(kind, "")]
        hint = "; or ".join(words for words in (f"Put {put}", *others) if words)
        raise ModelError(f"{what} is not here: {error.message}", f"{hint}.") from error
