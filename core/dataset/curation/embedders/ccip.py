"""CCIP: which anime character a picture shows (https://huggingface.co/deepghs/ccip_onnx), whatever the clothes, the pose and the place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.base.errors import ModelError
from core.base.files import read_json
from core.base.registry import Entry
from core.dataset.curation.onnx_models import OnnxVision
from core.dataset.curation.vision_models import OfVision, find_vision
from core.models.onnx_sessions import open_session

if TYPE_CHECKING:
    import numpy

FACTS, FEATURES, METRIC = "metrics.json", "model_feat.onnx", "model_metrics.onnx"
SIDE = 384
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""CLIP's; the input is a square that the picture is squeezed to."""
CLOSE = 0.01
"""How far the model's own metric may be from half of one minus the cosine."""


@dataclass(frozen=True)
class CcipFiles(OfVision):
    """A folder with metrics.json, model_feat.onnx and model_metrics.onnx, or one within the repository."""

    threshold: float
    """Difference up to which two pictures show one character, as measured by those who trained it."""

    @property
    def stated(self) -> str:
        """Repository and commit, or folder, and the threshold."""
        return f"{self.files.stated} (one character up to {self.threshold:.2f})"

    def open(self, device: str = "auto") -> Ccip:
        """Load it, fetching the weights where they are not here yet. Raises: ModelError, MissingDependency, ConfigError."""
        return Ccip(self, device)


def find_ccip(entry: Entry, model_dir: str = "", repo_id: str = "", revision: str = "") -> CcipFiles:
    """The model of the entry, or another of its kind. Raises: ModelError: it cannot be had."""
    files = find_vision(repo_id or entry.options["repo_id"], model_dir, revision, FEATURES, config=f"{entry.options['within']}/{FACTS}")
    try:
        return CcipFiles(files, float(read_json(files.fetch(FACTS))["threshold"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{FACTS} of {files.stated} states no threshold.", "Fetch the model again.") from error


class Ccip:
    """Features of a character. The difference of two is half of one minus their cosine, which is checked with the model's own metric."""

    def __init__(self, files: CcipFiles, device: str) -> None:
        check_metric(files)
        self._model = OnnxVision(files.files.fetch(FEATURES), device, SIDE, MEAN, STD)
        self.provider, self.prepare = self._model.provider, self._model.prepare
        self.size = 3 * self._model.side

    def embed(self, batch: numpy.ndarray) -> numpy.ndarray:
        """(n, 3, side, side) → (n, d) float32 of length 1. Raises: ModelError."""
        import numpy

        rows = self._model.run(batch).reshape(len(batch), -1)
        return numpy.ascontiguousarray(rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-9), dtype=numpy.float32)


def check_metric(files: CcipFiles) -> None:
    """Whether the model's metric is what is worked out here in its place. Raises: ModelError: it is not."""
    import numpy

    session, _ = open_session(files.files.fetch(METRIC), "cpu")
    width = session.get_inputs()[0].shape[-1]
    vectors = numpy.random.default_rng(0).normal(size=(4, width if isinstance(width, int) else 768)).astype(numpy.float32)
    vectors[1] += 2 * vectors[0]  # two that are alike
    lengths = numpy.linalg.norm(vectors, axis=1)
    expected = (1 - vectors @ vectors.T / numpy.outer(lengths, lengths)) / 2
    told = session.run(None, {session.get_inputs()[0].name: vectors})[0]
    if told.shape != expected.shape or not numpy.allclose(told, expected, atol=CLOSE):
        raise ModelError(f"{files.stated} measures differences in another way than half of one minus the cosine.",
                         "It is another kind of CCIP; choose deepghs/ccip_onnx.")
