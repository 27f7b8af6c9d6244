"""Embedders by name: what a picture shows, as a vector. To add one: a function like `find_plain`, one entry, one test, one line of docs.

An entry with a "likeness" says from which cosine on two pictures are the same picture; one without is of no use for finding duplicates.
Each is also a scorer (`core/dataset/curation/scorers`): how unlike the others a picture is.
"""

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


NEURAL, NEEDS = "core.dataset.curation.embedders.neural:find_neural", ("torch", "transformers")
EMBEDDERS: Registry[Any] = Registry(
    "embedder",
    Entry("plain", "core.dataset.curation.embedders.plain:find_plain", "Colours and edges (no download)", needs=("numpy", "PIL"),
          licence="MIT", source="core/dataset/curation/embedders/plain.py", options={"likeness": 0.97},
          note="Needs no download. No neural network: it knows the same picture after a small crop or a change of colours, not the same "
               "content from another side."),
    Entry("clip", NEURAL, "CLIP ViT-L/14", needs=NEEDS, licence="MIT", source="https://huggingface.co/openai/clip-vit-large-patch14",
          options={"likeness": 0.96, "repo_id": "openai/clip-vit-large-patch14", "model_class": "CLIPVisionModelWithProjection",
                   "output": "image_embeds"}, note="Knows what is shown, also from another side. 1.7 GB."),
    Entry("siglip2", NEURAL, "SigLIP 2 base", needs=NEEDS, licence="Apache-2.0",
          source="https://huggingface.co/google/siglip2-base-patch16-224",
          options={"likeness": 0.97, "repo_id": "google/siglip2-base-patch16-224", "model_class": "SiglipVisionModel",
                   "output": "pooler_output"}, note="Knows what is shown; newer than CLIP. 1.5 GB."),
    Entry("dinov2", NEURAL, "DINOv2 base", needs=NEEDS, licence="Apache-2.0", source="https://huggingface.co/facebook/dinov2-base",
          options={"likeness": 0.95, "repo_id": "facebook/dinov2-base", "model_class": "Dinov2Model", "output": "pooler_output"},
          note="Knows shapes rather than words; its likeness is a first guess. 350 MB."),
    Entry("ccip", "core.dataset.curation.embedders.ccip:find_ccip", "CCIP (anime characters)", needs=("onnxruntime",),
          licence="OpenRAIL", source="https://huggingface.co/deepghs/ccip_onnx",
          options={"repo_id": "deepghs/ccip_onnx", "within": "ccip-caformer-24-randaug-pruned", "unlike_cut": 0.18},
          note="Knows which drawn character is shown, in any clothes and pose; one character a picture. 150 MB."),
)

EmbedderName = Literal[("none", *(entry.name for entry in EMBEDDERS if "likeness" in entry.options))]  # type: ignore[valid-type]
"""Those above that know the same picture again, as a choice for a settings class; "none" for no embedding at all."""
