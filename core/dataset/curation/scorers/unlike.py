"""How unlike the others a picture is, by any embedder: what does not belong in the dataset, such as another character."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.base.registry import Entry
from core.dataset.curation.embedders import EmbedderFiles
from core.dataset.curation.embedding import find_embedder
from core.dataset.curation.scorers import VectorScorer

if TYPE_CHECKING:
    import numpy

MOST_OTHERS = 2000
"""Each picture is compared with at most so many, evenly chosen: the median hardly moves, and the time grows with the pictures only."""
BLOCK = 512


class Unlike(VectorScorer):
    """The median difference from the others, which is half of one minus the cosine (CCIP's measure).

    The median, so that it says how a picture lies to most of the others, whatever the few odd ones are.
    """

    def __init__(self, embedder: EmbedderFiles) -> None:
        self.embedder, self.identity, self.stated = embedder, f"median:{embedder.identity}", embedder.stated

    def score_all(self, vectors: numpy.ndarray) -> numpy.ndarray:
        """(n, d) float32 of length 1 → (n,) float32, 0 to 1; 0 for a picture that is alone."""
        import numpy

        count = len(vectors)
        if count < 2:
            return numpy.zeros(count, numpy.float32)
        chosen = numpy.unique(numpy.linspace(0, count - 1, min(count, MOST_OTHERS)).astype(numpy.int64))
        others, among = vectors[chosen], numpy.zeros(count, bool)
        among[chosen] = True
        found = numpy.empty(count, numpy.float32)
        for start in range(0, count, BLOCK):
            part = slice(start, start + BLOCK)
            found[part] = (1 - _median(vectors[part] @ others.T, among[part])) / 2
        return numpy.clip(found, 0, 1)


def find_unlike(entry: Entry, model_dir: str = "", repo_id: str = "", revision: str = "") -> Unlike:
    """By the embedder of the entry, or another model of its kind. Raises: ModelError, MissingDependency: it cannot be had."""
    return Unlike(find_embedder(entry.options["embedder"], model_dir, repo_id, revision))


def _median(rows: numpy.ndarray, shorter: numpy.ndarray) -> numpy.ndarray:
    """Of each row; where `shorter`, without its largest value, which is the likeness to itself."""
    import numpy

    width = rows.shape[1]
    places = sorted({max(0, place) for place in ((width - 2) // 2, (width - 1) // 2, width // 2)})
    rows = numpy.partition(rows, places, axis=1)
    less = (rows[:, max(0, (width - 2) // 2)] + rows[:, (width - 1) // 2]) / 2
    return numpy.where(shorter, less, (rows[:, (width - 1) // 2] + rows[:, width // 2]) / 2)
