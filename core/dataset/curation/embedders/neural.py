"""Embedders of transformers: CLIP, SigLIP 2, DINOv2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.base.registry import Entry
from core.dataset.curation.vision_models import OfVision, find_vision, needed_side, open_vision, pixels_of, run_model

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture


@dataclass(frozen=True)
class NeuralFiles(OfVision):
    """A model's files, and which of its outputs is the embedding."""

    model_class: str
    output: str

    def open(self, device: str = "auto") -> NeuralEmbedder:
        """Load it, fetching the weights where they are not here yet. Raises: ModelError, MissingDependency, ConfigError."""
        return NeuralEmbedder(self, device)


def find_neural(entry: Entry, model_dir: str = "", repo_id: str = "", revision: str = "") -> NeuralFiles:
    """The model of the entry, or another of its kind. Raises: ModelError: it cannot be had."""
    name, output = entry.options["model_class"], entry.options["output"]
    return NeuralFiles(find_vision(repo_id or entry.options["repo_id"], model_dir, revision, f"{name}.{output}"), name, output)


class NeuralEmbedder:
    """A vision model whose output is brought to length 1."""

    def __init__(self, files: NeuralFiles, device: str) -> None:
        self._output = files.output
        self._model, self._processor, self.provider = open_vision(files.files, files.model_class, device)
        self.size = needed_side(self._processor)

    def prepare(self, picture: Picture) -> numpy.ndarray:
        """(3, h, w) float32, by the model's own preprocessing."""
        return pixels_of(self._processor, picture)

    def embed(self, batch: numpy.ndarray) -> numpy.ndarray:
        """(n, 3, h, w) → (n, d) float32 of length 1. Raises: ModelError."""
        import numpy

        rows = run_model(self._model, batch, self.provider, self._output)
        return numpy.ascontiguousarray(rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-9), dtype=numpy.float32)
