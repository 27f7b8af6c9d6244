"""LAION's aesthetic score: a linear head on CLIP's embedding (https://github.com/christophschuhmann/improved-aesthetic-predictor)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import ModelError, require
from core.base.paths import typed_path
from core.base.registry import Entry
from core.dataset.curation.embedders import EmbedderFiles
from core.dataset.curation.embedding import find_embedder
from core.dataset.curation.scorers import VectorScorer
from core.dataset.curation.vision_models import VisionFiles, find_vision

if TYPE_CHECKING:
    import numpy

WEIGHTS = "model.safetensors"
LAYERS = (0, 2, 4, 6, 7)
"""Places of its linear layers; between them is dropout only, so that they are one linear layer."""
CLIP_FOLDER = "clip"


class Laion(VectorScorer):
    """About 1 to 10; from CLIP's vectors, which *Duplicates* uses too."""

    def __init__(self, files: VisionFiles, embedder: EmbedderFiles) -> None:
        self._files, self.embedder = files, embedder
        self.identity, self.stated = f"{files.identity}:{embedder.identity}", f"{files.stated} on {embedder.stated}"

    def score_all(self, vectors: numpy.ndarray) -> numpy.ndarray:
        """(n, d) → (n,) float32. Raises: ModelError: the head is for vectors of another length."""
        import numpy

        weight, bias = read_head(self._files.fetch(WEIGHTS))
        if vectors.shape[1] != len(weight):
            raise ModelError(f"{self._files.stated} is for {len(weight)} numbers a picture, but {self.embedder.stated} gives "
                             f"{vectors.shape[1]}.", "Choose the head that belongs to CLIP ViT-L/14.")
        return numpy.asarray(vectors @ weight + bias, dtype=numpy.float32)


def find_laion(entry: Entry, model_dir: str = "", repo_id: str = "", revision: str = "") -> Laion:
    """The head, and CLIP.

    Args: model_dir: holds model.safetensors, and CLIP in its folder `clip`.
    Raises: ModelError, MissingDependency: one of them cannot be had.
    """
    files = find_vision(repo_id or entry.options["repo_id"], model_dir, revision, "linear", config=WEIGHTS)
    clip = typed_path(model_dir) / CLIP_FOLDER if model_dir else None
    return Laion(files, find_embedder(entry.options["embedder"], str(clip) if clip else ""))


def read_head(path: Path) -> tuple[numpy.ndarray, float]:
    """The layers as one: (d,) float32, and what is added. Raises: ModelError: they are not those of the linear head."""
    require("safetensors", needed_for="The aesthetic score")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} could not be opened: {error}", "Fetch it again.") from error
    if set(held) != {f"layers.{place}.{part}" for place in LAYERS for part in ("weight", "bias")}:
        raise ModelError(f"{path} is not LAION's linear aesthetic head.", "Choose ttj/sac-logos-ava1-l14-linearMSE.")
    layers = [(held[f"layers.{place}.weight"].astype("float64"), held[f"layers.{place}.bias"]) for place in LAYERS]
    weight, bias = layers[0]
    try:
        for more, added in layers[1:]:
            weight, bias = more @ weight, more @ bias + added
        (row,), (constant,) = weight, bias
    except ValueError as error:
        raise ModelError(f"The layers of {path} do not fit one another.", "Fetch it again.") from error
    return row.astype("float32"), float(constant)
