"""SmilingWolf's WD taggers (v2, v3) and every model of their interface: model.onnx and selected_tags.csv."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, ModelError, require
from core.base.files import read_text
from core.base.paths import DEMO_ASSETS, models_dir
from core.base.registry import Entry
from core.dataset.captions.taggers import SCORE_FLOOR
from core.dataset.index import TagScores

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

MODEL_FILE, TAGS_FILE = "model.onnx", "selected_tags.csv"
CATEGORIES = {9: "rating", 0: "general", 4: "character"}
"""Numbers in selected_tags.csv (Danbooru's tag categories; 9 is the rating)."""

STRIP = 2**22
"""Pixels that are scaled at a time."""
LONGEST = 2**15
"""Pixels; a longer picture is first made as long as that."""


@dataclass(frozen=True)
class WdFiles:
    """A WD model on this disk."""

    model: Path
    tags: Path
    stated: str
    revision: str

    @property
    def identity(self) -> str:
        """A commit names a downloaded model; a local file is named by place, size and time."""
        if self.revision:
            return f"{self.stated}"
        facts = self.model.stat()
        return f"{self.model.resolve()}:{facts.st_size}:{facts.st_mtime_ns}"

    def open(self, device: str = "auto") -> WdTagger:
        """Load it. Raises: ModelError, ConfigError, MissingDependency."""
        return WdTagger(self, device)


def find_wd(entry: Entry, model_dir: str = "", repo_id: str = "", revision: str = "", download_dir: str = "",
            force_download: bool = False) -> WdFiles:
    """Find the files of a WD tagger, or fetch them from Hugging Face.

    Args:
        entry: the registry's entry.
        model_dir: a local folder that holds the two files; nothing is fetched then.
        repo_id: another repository of the same interface, in place of the entry's.
        revision: branch, tag or commit; empty: the newest, whose commit is stated.
        download_dir: where downloads are kept; empty: the models folder.

    Raises: ModelError: a file is missing or could not be fetched.
    """
    if model_dir:
        return _local(Path(model_dir).expanduser())
    if "asset" in entry.options and not repo_id:
        return _local(DEMO_ASSETS / entry.options["asset"])
    return _fetch(repo_id or entry.options["repo_id"], revision, download_dir, force_download)


def _local(folder: Path) -> WdFiles:
    missing = [name for name in (MODEL_FILE, TAGS_FILE) if not (folder / name).is_file()]
    if missing:
        raise ModelError(f"{folder} has no {' and no '.join(missing)}.", f"A tagger's folder holds {MODEL_FILE} and {TAGS_FILE}.")
    return WdFiles(folder / MODEL_FILE, folder / TAGS_FILE, str(folder), "")


def _fetch(repo_id: str, revision: str, download_dir: str, force: bool) -> WdFiles:
    hub = require("huggingface_hub", needed_for="Fetching a tagger")
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    own_cache = os.environ.get("HF_HOME") or os.environ.get("HF_HUB_CACHE")
    cache = Path(download_dir).expanduser() if download_dir else None if own_cache else models_dir() / "hub"
    try:
        paths = [Path(hub.hf_hub_download(repo_id, name, revision=revision or None, cache_dir=cache, force_download=force))
                 for name in (TAGS_FILE, MODEL_FILE)]
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise ModelError(f"The tagger {repo_id} could not be fetched from Hugging Face ({reason}).",
                         "Check the connection, or give a folder that holds the model (model_dir).") from error
    commit = paths[1].parent.name  # …/snapshots/<commit>/model.onnx
    return WdFiles(paths[1], paths[0], f"{repo_id}@{commit}", commit)


class WdTagger:
    """One ONNX session and its list of tags."""

    def __init__(self, files: WdFiles, device: str = "auto") -> None:
        self.tags = read_tags(files.tags)
        self.session, self.provider = open_session(files.model, device)
        node = self.session.get_inputs()[0]
        shape = node.shape
        if len(shape) != 4 or shape[3] != 3 or not isinstance(shape[1], int) or shape[1] != shape[2]:
            raise ModelError(f"{files.model} takes an input of shape {shape}, not (batch, side, side, 3).", "It is not a WD tagger.")
        count = self.session.get_outputs()[0].shape[-1]
        if isinstance(count, int) and count != len(self.tags):
            raise ModelError(f"{files.model} answers with {count} tags, but {files.tags.name} lists {len(self.tags)}.",
                             "The two files belong to different models; fetch both again.")
        self.size = shape[1]
        self.fixed_batch = shape[0] if isinstance(shape[0], int) else None
        self._input = node.name
        self._columns = {category: [(column, name) for column, (name, kind) in enumerate(self.tags) if kind == category]
                         for category in CATEGORIES.values()}

    def prepare(self, picture: Picture) -> numpy.ndarray:
        """RGB of any size → (size, size, 3) uint8 RGB: padded white to a square, then bicubic."""
        import numpy

        return numpy.asarray(squared(picture, self.size))

    def scores(self, batch: numpy.ndarray) -> list[TagScores]:
        """(n, size, size, 3) uint8 RGB → per image, category → tag → probability (the model's own sigmoid).

        Kept are scores of at least `SCORE_FLOOR`, the best one below it (so that the largest gap can be found again), all ratings.

        Raises: ModelError: the model failed; of no memory only when a single image is too much.
        """
        return [self._by_category(row) for row in self._run(batch)]

    def _run(self, batch: numpy.ndarray) -> numpy.ndarray:
        """Probabilities (n, tags). A batch that does not fit into memory is halved; a fixed batch axis is filled up."""
        import numpy
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

        step = self.fixed_batch or len(batch)
        results = []
        for start in range(0, len(batch), step):
            part = batch[start:start + step]
            filled = numpy.concatenate([part, numpy.repeat(part[-1:], step - len(part), axis=0)]) if self.fixed_batch else part
            bgr = numpy.ascontiguousarray(filled[..., ::-1]).astype(numpy.float32)
            try:
                results.append(self.session.run(None, {self._input: bgr})[0][:len(part)])
            except (Fail, RuntimeException, MemoryError) as error:
                if len(part) == 1 or self.fixed_batch:
                    raise ModelError(f"The tagger failed on one image: {str(error).splitlines()[0]}.",
                                     "Choose a smaller tagger.") from error
                half = len(part) // 2
                results += [self._run(part[:half]), self._run(part[half:])]
            except InvalidArgument as error:
                raise ModelError(f"The tagger refused its input: {str(error).splitlines()[0]}.", "It is not a WD tagger.") from error
        return numpy.concatenate(results)

    def _by_category(self, row: numpy.ndarray) -> TagScores:
        found: TagScores = {}
        for category, columns in self._columns.items():
            ranked = sorted(((round(float(row[column]), 5), name) for column, name in columns), key=lambda pair: (-pair[0], pair[1]))
            kept = len(ranked) if category == "rating" else sum(score >= SCORE_FLOOR for score, _ in ranked) + 1
            found[category] = {name: score for score, name in ranked[:kept]}
        return found


def squared(picture: Picture, size: int) -> Picture:
    """The picture in the middle of a white square, scaled (bicubic) to `size` pixels a side.

    The same pixels as if the whole square had been drawn and scaled, which for a picture of 20000 x 500 would take 1.6 GB: Pillow
    scales each row by itself first, so that this is done strip by strip, and then what is narrow already in height.
    """
    from PIL import Image

    if max(picture.size) > LONGEST:
        width, height = (max(1, round(pixels * LONGEST / max(picture.size))) for pixels in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    side = max(picture.size)
    narrow = Image.new("RGB", (size, side), (255, 255, 255))
    rows = max(1, STRIP // side)
    for top in range(0, picture.height, rows):
        part = picture.crop((0, top, picture.width, min(picture.height, top + rows)))
        strip = Image.new("RGB", (side, part.height), (255, 255, 255))
        strip.paste(part, ((side - part.width) // 2, 0))
        narrow.paste(strip.resize((size, part.height), Image.Resampling.BICUBIC), (0, (side - picture.height) // 2 + top))
    return narrow.resize((size, size), Image.Resampling.BICUBIC)


def read_tags(path: Path) -> list[tuple[str, str]]:
    """(name, category) per output column, as selected_tags.csv lists them; names with underscores.

    Raises: ModelError: the columns `name` and `category` are missing.
    """
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(read_text(path))))
    try:
        if not rows:
            raise KeyError("name")
        return [(row["name"], CATEGORIES.get(int(row["category"]), "other")) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is not a WD tag list: it needs the columns name and category.", "Fetch it again.") from error


def open_session(model: Path, device: str) -> tuple[Any, str]:
    """An ONNX Runtime session, and the provider that really computes.

    Args: device: "auto" takes CUDA where it works; "cuda" insists on it.
    Raises: ModelError: the file is no ONNX model. ConfigError: CUDA was asked for and is not to be had.
    """
    runtime = require("onnxruntime", needed_for="The tagger")
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    providers = ["CPUExecutionProvider"]
    if device != "cpu" and "CUDAExecutionProvider" in runtime.get_available_providers():
        if hasattr(runtime, "preload_dlls"):
            runtime.preload_dlls()  # CUDA's libraries come with torch's wheels, where the loader does not look by itself
        providers.insert(0, "CUDAExecutionProvider")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = runtime.InferenceSession(str(model), sess_options=options, providers=providers)
    except (errors.Fail, errors.InvalidProtobuf, errors.InvalidGraph, errors.NoSuchFile, errors.RuntimeException, errors.NotImplemented,
            errors.InvalidArgument) as error:
        raise ModelError(f"{model} could not be opened as an ONNX model: {str(error).splitlines()[0]}.", "Fetch it again.") from error
    provider = session.get_providers()[0]
    if device == "cuda" and provider != "CUDAExecutionProvider":
        raise ConfigError("CUDA was asked for, but ONNX Runtime cannot use it here.",
                          "Run: python3 installer.py --doctor, or choose device 'auto'.")
    return session, provider
