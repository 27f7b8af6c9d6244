"""Vision models of transformers: their files are found or fetched, named by their commit, and opened on one device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, ModelError, require
from core.base.failures import explain
from core.base.hub import WAY_OUT, hub_trouble
from core.base.paths import hub_cache, typed_path

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

CONFIG = "config.json"
HINT = f"{WAY_OUT}, in 'Local model folder', 'Embedder's folder' or 'Scorer's folder' under 'Show more settings'."


@dataclass(frozen=True)
class VisionFiles:
    """Where a model's files are; the weights are fetched when it is opened."""

    place: str
    """A folder, or a repository."""
    commit: str
    """Of the repository; empty for a folder."""
    identity: str
    """Names exactly this model."""
    download_dir: str = ""
    """Where downloads are kept; empty: the models folder."""
    within: str = ""
    """Folder of the repository that the files are in."""

    @property
    def stated(self) -> str:
        """Repository and commit, or folder."""
        return f"{self.place}@{self.commit}" if self.commit else self.place

    def fetch(self, name: str) -> Path:
        """One of the files, fetched where it is not here yet. Raises: ModelError: it cannot be had."""
        if self.commit:
            return _fetch(self.place, f"{self.within}/{name}" if self.within else name, self.commit, hub_cache(self.download_dir))
        if not (path := Path(self.place) / name).is_file():
            raise ModelError(f"{self.place} has no {name}.", "A model's folder holds what its repository holds.")
        return path

    def given(self) -> dict[str, Any]:
        """What transformers is told of where the files are."""
        return {"revision": self.commit, "cache_dir": hub_cache(self.download_dir)} if self.commit else {"local_files_only": True}


@dataclass(frozen=True)
class OfVision:
    """What an embedder or a scorer made of such a model says of its files."""

    files: VisionFiles

    @property
    def identity(self) -> str:
        """Names exactly this model, and what is asked of it."""
        return self.files.identity

    @property
    def stated(self) -> str:
        """Repository and commit, or folder."""
        return self.files.stated


def find_vision(repo_id: str, model_dir: str = "", revision: str = "", options: str = "", download_dir: str = "",
                config: str = CONFIG) -> VisionFiles:
    """The files of a model: in a local folder, in the cache, or at the repository's newest commit.

    Args:
        revision: branch, tag or commit; empty: what the cache holds, else the newest.
        options: what else decides about the results.
        config: a small file that such a model has, with the repository's folder before it ("large/config.json").
    Raises: ModelError: a file is missing or could not be fetched.
    """
    within, _, name = config.rpartition("/")
    if model_dir:
        place = typed_path(model_dir).resolve()
        if not (place / name).is_file():
            raise ModelError(f"{place} has no {name}.", "A model's folder holds what its repository holds.")
        facts = [(path.name, path.stat()) for path in sorted(place.iterdir()) if path.is_file()]
        marks = ",".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in facts)
        return VisionFiles(str(place), "", f"{place}:{marks}:{options}")
    found = _fetch(repo_id, config, revision, hub_cache(download_dir))
    commit = found.parents[config.count("/")].name  # …/snapshots/<commit>/config.json
    return VisionFiles(repo_id, commit, f"{repo_id}@{commit}:{options}", download_dir, within)


def open_vision(files: VisionFiles, model_class: str, device: str, processor_class: str = "AutoImageProcessor") -> tuple[Any, Any, str]:
    """The model, its processor, and the device that it computes on.

    Args: processor_class: "AutoProcessor" where the model reads words too.
    Raises: ModelError, MissingDependency: it cannot be had; ConfigError: CUDA was asked for and is not to be had.
    """
    torch, where = require("torch", needed_for="The model"), choose_device(device)
    transformers = require("transformers", needed_for="The model")
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    from safetensors import SafetensorError

    try:
        processor = getattr(transformers, processor_class).from_pretrained(files.place, **files.given())
        model, told = getattr(transformers, model_class).from_pretrained(files.place, dtype=torch.float32, output_loading_info=True,
                                                                         **files.given())
        if told["missing_keys"]:
            raise ModelError(f"{files.stated} lacks {len(told['missing_keys'])} of the weights that it needs "
                             f"(such as {sorted(told['missing_keys'])[0]}).", "It is another kind of model; choose another one.")
        return model.to(where).eval(), processor, where
    except (HfHubHTTPError, HFValidationError, SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{files.stated} could not be opened: {_reason(error)}", HINT) from error


def choose_device(device: str) -> str:
    """"cuda" or "cpu". Raises: ConfigError: CUDA was asked for and is not to be had; MissingDependency: there is no torch."""
    there = bool(require("torch", needed_for="The model").cuda.is_available())
    if device == "cuda" and not there:
        raise ConfigError("CUDA was asked for, but torch cannot use it here.", "Run: python3 installer.py --doctor, or choose 'auto'.")
    return "cuda" if there and device != "cpu" else "cpu"


def pixels_of(processor: Any, picture: Picture) -> numpy.ndarray:
    """(3, h, w) float32, by the model's own preprocessing."""
    import numpy

    return numpy.asarray(processor(images=picture, return_tensors="np")["pixel_values"][0], dtype=numpy.float32)


def needed_side(processor: Any) -> int:
    """Longest side that the preprocessing needs of a picture of ordinary proportions, pixels."""
    size = processor.size
    return 3 * max(int(size.get(name) or 0) for name in ("shortest_edge", "height", "width", "longest_edge")) or 672


def run_model(model: Any, batch: numpy.ndarray, device: str, output: str) -> numpy.ndarray:
    """(n, 3, h, w) → one output of the model, (n, d) float32. Raises: ModelError: it failed, by memory only for a single picture."""
    import numpy
    import torch

    try:
        with torch.inference_mode():
            return getattr(model(pixel_values=torch.from_numpy(batch).to(device)), output).float().cpu().numpy()
    except (RuntimeError, MemoryError) as error:
        if len(batch) > 1:
            half = len(batch) // 2
            return numpy.concatenate([run_model(model, part, device, output) for part in (batch[:half], batch[half:])])
        raise ModelError(f"The model failed on one picture: {_reason(error)}", "Choose device 'cpu', or a smaller model.") from error


def _fetch(repo_id: str, name: str, revision: str, cache: Path | None) -> Path:
    """A file of a repository. A model that was fetched stays what it is until another revision is asked for."""
    hub = require("huggingface_hub", needed_for="Fetching a model")
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        held = hub.try_to_load_from_cache(repo_id, name, cache_dir=cache, revision=revision or None)
        return Path(held if isinstance(held, str) else hub.hf_hub_download(repo_id, name, revision=revision or None, cache_dir=cache))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(f"{repo_id} could not be fetched from Hugging Face: {hub_trouble(error)}.", HINT) from error


def _reason(error: BaseException) -> str:
    known = explain(error)
    lines = str(error).strip().splitlines()
    return known[0] if known else (lines[0].rstrip(".") if lines else type(error).__name__) + "."
