"""How well-liked anime pictures are: seven classes from worst to masterpiece (https://huggingface.co/deepghs/anime_aesthetic)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.base.errors import ModelError
from core.base.files import read_json
from core.base.registry import Entry
from core.dataset.curation.onnx_models import OnnxVision
from core.dataset.curation.vision_models import OfVision, find_vision

if TYPE_CHECKING:
    import numpy

FACTS, WEIGHTS = "meta.json", "model.onnx"
CLASSES = ("worst", "low", "normal", "good", "great", "best", "masterpiece")
SIDE = 448


@dataclass(frozen=True)
class AnimeFiles(OfVision):
    """A folder with meta.json and model.onnx, or one within the repository."""

    def open(self, device: str = "auto") -> AnimeAesthetic:
        """Load it, fetching the weights where they are not here yet. Raises: ModelError, MissingDependency, ConfigError."""
        return AnimeAesthetic(self, device)


def find_anime(entry: Entry, model_dir: str = "", repo_id: str = "", revision: str = "") -> AnimeFiles:
    """The model of the entry, or another of its kind. Raises: ModelError: it cannot be had."""
    return AnimeFiles(find_vision(repo_id or entry.options["repo_id"], model_dir, revision, "mean",
                                  config=f"{entry.options['within']}/{FACTS}"))


class AnimeAesthetic:
    """The class that is to be expected: 0 (worst) to 6 (masterpiece)."""

    batch = 8

    def __init__(self, files: AnimeFiles, device: str) -> None:
        facts = read_json(files.files.fetch(FACTS))
        labels = facts.get("labels") if isinstance(facts, dict) else None
        if not isinstance(labels, list) or sorted(labels) != sorted(CLASSES):
            raise ModelError(f"{files.stated} has the classes {labels}, not {', '.join(CLASSES)}.", "It is another kind of model.")
        self._worth = [float(CLASSES.index(label)) for label in labels]
        self._model = OnnxVision(files.files.fetch(WEIGHTS), device, SIDE, (0.5,) * 3, (0.5,) * 3)
        self.provider, self.prepare = self._model.provider, self._model.prepare
        self.size = 3 * self._model.side

    def score(self, batch: list[numpy.ndarray]) -> list[float]:
        """The mean of the classes, each as probable as the model says. Raises: ModelError."""
        import numpy

        odds = self._model.run(numpy.stack(batch)).reshape(len(batch), -1)
        if odds.shape[1] != len(CLASSES):
            raise ModelError(f"The model answers with {odds.shape[1]} numbers, not {len(CLASSES)}.", "It is another kind of model.")
        return [float(value) for value in odds @ numpy.array(self._worth, numpy.float32) / numpy.maximum(odds.sum(axis=1), 1e-6)]
