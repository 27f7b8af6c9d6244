"""Classifiers of transformers: the probability of one label is the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.base.errors import ModelError
from core.base.registry import Entry
from core.dataset.curation.vision_models import OfVision, find_vision, needed_side, open_vision, pixels_of, run_model

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture


@dataclass(frozen=True)
class ClassifierFiles(OfVision):
    """A classifier's files, and the label whose probability is asked for."""

    label: str

    def open(self, device: str = "auto") -> Classifier:
        """Load it, fetching the weights where they are not here yet. Raises: ModelError, MissingDependency, ConfigError."""
        return Classifier(self, device)


def find_classifier(entry: Entry, model_dir: str = "", repo_id: str = "", revision: str = "") -> ClassifierFiles:
    """The classifier of the entry, or another with such a label. Raises: ModelError: it cannot be had."""
    label = entry.options["label"]
    return ClassifierFiles(find_vision(repo_id or entry.options["repo_id"], model_dir, revision, label), label)


class Classifier:
    """One label's probability."""

    batch = 8

    def __init__(self, files: ClassifierFiles, device: str) -> None:
        self._model, self._processor, self.provider = open_vision(files.files, "AutoModelForImageClassification", device)
        labels = {str(name).strip().lower(): int(place) for place, name in self._model.config.id2label.items()}
        if files.label not in labels:
            raise ModelError(f"{files.stated} knows no label {files.label!r}, only {', '.join(sorted(labels))}.",
                             "Choose another repository.")
        self._place, self.size = labels[files.label], needed_side(self._processor)

    def prepare(self, picture: Picture) -> numpy.ndarray:
        """(3, h, w) float32, by the model's own preprocessing."""
        return pixels_of(self._processor, picture)

    def score(self, batch: list[numpy.ndarray]) -> list[float]:
        """Probabilities, 0 to 1. Raises: ModelError."""
        import numpy

        logits = run_model(self._model, numpy.stack(batch), self.provider, "logits")
        odds = numpy.exp(logits - logits.max(axis=1, keepdims=True))
        return [float(value) for value in odds[:, self._place] / odds.sum(axis=1)]
