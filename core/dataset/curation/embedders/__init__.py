"""Embedders by name: what a picture shows, as a vector. To add one: a function like `find_plain`, one entry, one test, one line of docs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from core.base.registry import Entry, Registry

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture


class EmbedderModel(Protocol):
    """An embedder, opened for use."""

    size: int
    """Longest side that it needs of a picture, pixels."""
    provider: str
    """What really computes: "CPU", "cuda", "CUDAExecutionProvider"."""

    def prepare(self, picture: Picture) -> numpy.ndarray:
        """RGB picture of any size → the array that it takes. Called from several threads."""

    def embed(self, batch: numpy.ndarray) -> numpy.ndarray:
        """What `prepare` gave, stacked → (n, d) float32, each row of length 1."""


class EmbedderFiles(Protocol):
    """Where an embedder's files are, before it is opened."""

    identity: str
    """Names exactly this model: stored vectors of another are never used for it."""
    stated: str
    """Repository and revision, or folder, for the report."""

    def open(self, device: str) -> EmbedderModel:
        """Load the model. Args: device: "auto", "cuda" or "cpu". Raises: ModelError, MissingDependency."""


EMBEDDERS: Registry[Any] = Registry(
    "embedder",
    Entry("plain", "core.dataset.curation.embedders.plain:find_plain", "Colours and edges (no download)", needs=("numpy", "PIL"),
          licence="MIT", source="core/dataset/curation/embedders/plain.py", options={"likeness": 0.97},
          note="Needs no download. No neural network: it knows the same picture after a small crop or a change of colours, not the same "
               "content from another side."),
)

EmbedderName = Literal[("none", *EMBEDDERS.names())]  # type: ignore[valid-type]
"""The names above, as a choice for a settings class; "none" for no embedding at all."""
