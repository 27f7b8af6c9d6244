"""Taggers by name. To add one: a class with `TaggerModel`'s methods, one entry here, one test, one line in docs/dataset.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from core.base.registry import Entry, Registry
from core.dataset.captions.scores import TagScores

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

SCORE_FLOOR = 0.05
"""Scores below are not stored."""


class TaggerModel(Protocol):
    """A tagger, opened for use."""

    size: int
    """Side of the square input, pixels."""
    provider: str
    """What really computes: "CUDAExecutionProvider", "CPUExecutionProvider"."""
    squeezes: bool
    """Whether a picture's longer side is squeezed to `size`, so that the shorter one must be decoded as large."""

    def new_batch(self, count: int) -> numpy.ndarray:
        """Room for so many pictures, in the model's own layout (float32, the pictures along the first axis)."""

    def prepare(self, picture: Picture, into: numpy.ndarray) -> None:
        """Write an RGB picture of any size into one place of a batch. Called from several threads."""

    def scores(self, batch: numpy.ndarray) -> list[TagScores]:
        """A filled batch → per image, category → tag → probability; those below `SCORE_FLOOR` may be left out."""


class TaggerFiles(Protocol):
    """Where a tagger's files are, before it is opened."""

    identity: str
    """Names exactly this model: stored scores of another are never used for it."""
    stated: str
    """Repository and revision, or folder, for the report."""

    def open(self, device: str) -> TaggerModel:
        """Load the model. Args: device: "auto", "cuda" or "cpu". Raises: ModelError, MissingDependency."""


NEEDS = ("onnxruntime", "numpy", "PIL")
WD = "core.dataset.captions.taggers.wd:find_wd"
TRANSFORMED = "core.dataset.captions.taggers.transformed:find_transformed"
LICENCE = "Apache-2.0"


def _wd(name: str, title: str, repo: str, note: str = "", **options: Any) -> Entry:
    return Entry(name, WD, title, source=f"https://huggingface.co/SmilingWolf/{repo}", needs=NEEDS, licence=LICENCE, note=note,
                 options={"repo_id": f"SmilingWolf/{repo}", **options})


# balanced: the threshold of "P=R" on the model's card. That of ConvNeXt v3 is not known here.
TAGGERS: Registry[Any] = Registry(
    "tagger",
    _wd("wd-eva02-large-v3", "WD EVA02-Large v3", "wd-eva02-large-tagger-v3", "Best, 1.3 GB; its balanced threshold is 0.53.",
        balanced=0.5296),
    _wd("wd-vit-large-v3", "WD ViT-Large v3", "wd-vit-large-tagger-v3", "Large; its balanced threshold is 0.26.", balanced=0.2606),
    _wd("wd-swinv2-v3", "WD SwinV2 v3", "wd-swinv2-tagger-v3", "A good middle, 0.4 GB.", balanced=0.2653),
    _wd("wd-vit-v3", "WD ViT v3", "wd-vit-tagger-v3", "Quick, 0.4 GB; its balanced threshold is 0.26.", balanced=0.2614),
    _wd("wd-convnext-v3", "WD ConvNeXt v3", "wd-convnext-tagger-v3", "Quick, 0.4 GB."),
    _wd("wd-moat-v2", "WD MOAT v2", "wd-v1-4-moat-tagger-v2", "Older.", balanced=0.3771),
    _wd("wd-swinv2-v2", "WD SwinV2 v2", "wd-v1-4-swinv2-tagger-v2", "Older.", balanced=0.3771),
    _wd("wd-convnext-v2", "WD ConvNeXt v2", "wd-v1-4-convnext-tagger-v2", "Older.", balanced=0.3685),
    _wd("wd-convnextv2-v2", "WD ConvNeXtV2 v2", "wd-v1-4-convnextv2-tagger-v2", "Older.", balanced=0.3710),
    _wd("wd-vit-v2", "WD ViT v2", "wd-v1-4-vit-tagger-v2", "Older.", balanced=0.3537),
    Entry("pixai-v0.9", TRANSFORMED, "PixAI v0.9", source="https://huggingface.co/deepghs/pixai-tagger-v0.9-onnx", needs=NEEDS,
          licence=LICENCE, options={"repo_id": "deepghs/pixai-tagger-v0.9-onnx", "balanced": 0.30},
          note="Knows newer characters, 1.3 GB; no ratings; its usual threshold is 0.30."),
    Entry("demo", WD, "Demo tagger", source="assets/demo/tagger", needs=NEEDS, licence="MIT", options={"asset": "tagger"},
          note="Knows only the drawn demo world; needs no download."),
)

TaggerName = Literal[TAGGERS.names()]  # type: ignore[valid-type]
"""The names above, as a choice for a settings class."""
