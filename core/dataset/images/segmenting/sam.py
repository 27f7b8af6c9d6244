"""Segment Anything: one look at a picture, then an answer to each click; SAM 2.1 by transformers, MobileSAM by ONNX Runtime.

Sources: SAM (arXiv 2304.02643), SAM 2 (2408.00714), MobileSAM (2306.14289). A click more is answered with the mask from before it in
view, as SAM is trained and as its own predictor does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, ModelError
from core.base.hub import fetched_files
from core.base.paths import models_dir
from core.base.registry import Entry, Registry
from core.dataset.images.opening import over_white
from core.models.catalog import APACHE, FOLDERS
from core.models.having import have_model
from core.models.onnx_sessions import onnx_device, open_session
from core.models.repositories import have_repository
from core.models.unreached import BY_HAND

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

    from core.base.progress import Progress
    from core.dataset.curation.vision_models import VisionFiles
    from core.dataset.images.masks import Mask

SIDE = 1024
"""Of the square that every SAM sees, px."""
HALF = 256
"""Side of its answers, px."""
WEIGHTS_FILE = "model.safetensors"
MOST_SURE = 32.0
"""Beyond it SAM 2's own predictor cuts what it gives to the next click."""
NOT_A_POINT, UPPER_LEFT, LOWER_RIGHT = -1, 2, 3
"""Labels in SAM's prompt encoder beside 1 (belongs to it) and 0 (does not)."""
_SAM2 = "core.dataset.images.segmenting.sam:find_sam2"


def _sam2(name: str, repo: str, revision: str, note: str) -> Entry:
    return Entry(f"sam2.1-{name}", _SAM2, f"SAM 2.1 {name}", f"https://huggingface.co/facebook/{repo}", ("torch", "transformers"), APACHE,
                 note=note, options={"repo_id": f"facebook/{repo}", "revision": revision})


SAMS: Registry[Any] = Registry(
    "model for clicks",
    Entry("mobile-sam", "core.dataset.images.segmenting.sam:find_mobile_sam", "MobileSAM", "https://github.com/ChaoningZhang/MobileSAM",
          ("onnxruntime", "numpy", "PIL"), APACHE, note="45 MB. The smallest; quick without a GPU."),
    _sam2("tiny", "sam2.1-hiera-tiny", "de431c4043854a71d8101e17995dfe596bf101a5", "156 MB."),
    _sam2("small", "sam2.1-hiera-small", "ee5bba1d82bb8749febdf90f45e84b687142ba03", "184 MB."),
    _sam2("base", "sam2.1-hiera-base-plus", "b7320756a13354e7530a63935656d35b2f91a290", "324 MB."),
    _sam2("large", "sam2.1-hiera-large", "665f8e2ad61cf5f53d65644ff27c8ee525124610", "898 MB. The best; wants a GPU."),
)


@dataclass(frozen=True)
class Prompt:
    """What a person pointed at, in pixels of the picture."""

    points: tuple[tuple[float, float, bool], ...] = ()
    """x, y, and whether it belongs to what is meant; in the order of the clicks."""
    box: tuple[float, float, float, float] | None = None
    """Left, top, right, bottom."""

    def checked(self, size: tuple[int, int]) -> Prompt:
        """The same with its box within the picture. Args: size: width and height, px. Raises: ConfigError: it points at nothing."""
        for x, y, _ in self.points:
            if not (0 <= x <= size[0] and 0 <= y <= size[1]):
                raise ConfigError(f"The click at {x:g}, {y:g} lies outside of the picture of {size[0]} x {size[1]} pixels.")
        if self.box is None:
            if not any(belongs for _, _, belongs in self.points):
                raise ConfigError("No click says what is meant.", "Click on what the mask is to hold, or draw a box around it.")
            return self
        across, down = sorted((self.box[0], self.box[2])), sorted((self.box[1], self.box[3]))
        box = (max(0.0, across[0]), max(0.0, down[0]), min(float(size[0]), across[1]), min(float(size[1]), down[1]))
        if box[2] - box[0] < 1 or box[3] - box[1] < 1:
            raise ConfigError(f"The box {', '.join(f'{value:g}' for value in self.box)} holds no pixel of the picture of {size[0]} x "
                              f"{size[1]} pixels.", "Draw it around what is meant.")
        return Prompt(self.points, box)


@dataclass(frozen=True)
class Seen:
    """A picture that the model looked at."""

    size: tuple[int, int]
    """Width and height of the picture, px."""
    features: Any


@dataclass(frozen=True)
class Answer:
    """What a model says to a prompt."""

    field: numpy.ndarray
    """(h, w) float32 over the whole picture, at the model's own size; above 0: belongs to it."""
    score: float
    """How good the model thinks that it is, 0 to 1."""
    hint: numpy.ndarray
    """(256, 256) float32: what it is given at the next click."""

    def mask(self, size: tuple[int, int]) -> Mask:
        """Hard, of the picture's size. Args: size: width and height, px."""
        import numpy
        from PIL import Image

        field = Image.fromarray(numpy.ascontiguousarray(self.field, dtype=numpy.float32))
        return numpy.where(numpy.asarray(field.resize(size, Image.Resampling.BILINEAR)) > 0, 255, 0).astype(numpy.uint8)


class Sam(ABC):
    """An open model."""

    @abstractmethod
    def look(self, picture: Picture, size: tuple[int, int]) -> Seen:
        """Look at a picture once. Args: picture: RGB or RGBA, of any size. size: that its prompts are measured in, px."""

    @abstractmethod
    def answer(self, seen: Seen, prompt: Prompt, hint: numpy.ndarray | None = None) -> Answer:
        """The best mask for a prompt that was checked. Args: hint: of the answer before the last click."""


class Sam2(Sam):
    """SAM 2.1 of transformers; it sees the picture squeezed to a square."""

    def __init__(self, model: Any, processor: Any, device: str) -> None:
        self._model, self._processor, self._device = model, processor, device

    def look(self, picture: Picture, size: tuple[int, int]) -> Seen:
        """Raises: ModelError: there is no memory for it."""
        import torch

        pixels = self._processor(images=over_white(picture), return_tensors="pt")["pixel_values"]
        with torch.inference_mode(), _told("look at the picture"):
            return Seen(size, self._model.get_image_embeddings(pixels.to(self._device)))

    def answer(self, seen: Seen, prompt: Prompt, hint: numpy.ndarray | None = None) -> Answer:
        """Three candidates to the first click, of which the best is taken."""
        import torch

        side = self._model.config.prompt_encoder_config.image_size
        scale = (side / seen.size[0], side / seen.size[1])
        given: dict[str, Any] = {}
        if prompt.points:
            given["input_points"] = torch.tensor([[[[x * scale[0], y * scale[1]] for x, y, _ in prompt.points]]], device=self._device)
            given["input_labels"] = torch.tensor([[[int(belongs) for _, _, belongs in prompt.points]]], device=self._device)
        if prompt.box is not None:
            given["input_boxes"] = torch.tensor([[[value * scale[place % 2] for place, value in enumerate(prompt.box)]]],
                                                device=self._device)
        if hint is not None:
            given["input_masks"] = torch.from_numpy(hint)[None, None].to(self._device)
        several = hint is None and prompt.box is None and len(prompt.points) == 1
        with torch.inference_mode(), _told("answer the click"):
            out = self._model(image_embeddings=list(seen.features), multimask_output=several, **given)
        scores = out.iou_scores[0, 0].float().cpu().numpy()
        best = int(scores.argmax())
        field = out.pred_masks[0, 0, best].float().cpu().numpy()
        return Answer(field, float(scores[best]), field.clip(-MOST_SURE, MOST_SURE))


class MobileSam(Sam):
    """MobileSAM's two ONNX files; it sees the picture in the upper left of a square, its longer side 1024 px.

    Raises: ModelError: they are other models.
    """

    ENCODER = ("input_image",)
    DECODER = ("image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size")

    def __init__(self, encoder: Any, decoder: Any) -> None:
        for session, names, what in ((encoder, self.ENCODER, "encoder"), (decoder, self.DECODER, "decoder")):
            there = {one.name for one in session.get_inputs()}
            if there != set(names):
                raise ModelError(f"MobileSAM's {what} takes {', '.join(sorted(there))}, not {', '.join(names)}.", "Fetch it again.")
        self._encoder, self._decoder = encoder, decoder

    def look(self, picture: Picture, size: tuple[int, int]) -> Seen:
        """The encoder takes (height, width, 3) float32, 0 to 255, and normalises by itself."""
        import numpy
        from PIL import Image

        width, height = self._area(size)
        square = numpy.zeros((SIDE, SIDE, 3), dtype=numpy.float32)
        square[:height, :width] = numpy.asarray(over_white(picture).resize((width, height), Image.Resampling.BILINEAR))
        with _told("look at the picture"):
            return Seen(size, self._encoder.run(None, {self.ENCODER[0]: square})[0])

    def answer(self, seen: Seen, prompt: Prompt, hint: numpy.ndarray | None = None) -> Answer:
        """Of its four candidates the first is meant for several points, the others for a single one."""
        import numpy

        width, height = self._area(seen.size)
        points = [(x, y, int(belongs)) for x, y, belongs in prompt.points]
        points += [(0.0, 0.0, NOT_A_POINT)] if prompt.box is None else [(*prompt.box[:2], UPPER_LEFT), (*prompt.box[2:], LOWER_RIGHT)]
        coordinates = numpy.array([[(x * width / seen.size[0], y * height / seen.size[1]) for x, y, _ in points]], numpy.float32)
        mask = hint if hint is not None else numpy.zeros((HALF, HALF), numpy.float32)
        with _told("answer the click"):
            fields, scores, small = self._decoder.run(["masks", "iou_predictions", "low_res_masks"], {
                "image_embeddings": seen.features, "point_coords": coordinates,
                "point_labels": numpy.array([[label for *_, label in points]], numpy.float32),
                "mask_input": mask[None, None], "has_mask_input": numpy.array([hint is not None], numpy.float32),
                "orig_im_size": numpy.array([height, width], numpy.float32)})
        first = 1 if hint is None and prompt.box is None and len(prompt.points) == 1 else 0
        best = first + int(scores[0, first:].argmax()) if first else 0
        return Answer(fields[0, best], float(scores[0, best]), small[0, best])

    @staticmethod
    def _area(size: tuple[int, int]) -> tuple[int, int]:
        scale = SIDE / max(size)
        return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def find_sam(name: str, progress: Progress) -> Callable[[str], Sam]:
    """What opens a model on a device; its files are fetched where they are not here.

    Raises: ConfigError: no such model; ModelError, MissingDependency, DiskError, Cancelled. What it returns: ModelError, ConfigError.
    """
    opener: Callable[[str], Sam] = SAMS.load(name)(SAMS.entry(name), progress)
    return opener


def device_of(name: str, device: str) -> str:
    """"cuda" or "cpu": where a model computes. Raises: ConfigError: there is no such model, or no GPU for it; MissingDependency."""
    if "onnxruntime" in SAMS.entry(name).needs:
        return onnx_device(device)
    from core.dataset.curation.vision_models import choose_device

    return choose_device(device)


def find_sam2(entry: Entry, progress: Progress) -> Callable[[str], Sam2]:
    """Raises: as `find_sam`."""
    from core.dataset.curation.vision_models import open_vision

    files = vision_files(entry, progress)
    return lambda device: Sam2(*open_vision(files, "Sam2Model", device))


def find_mobile_sam(entry: Entry, progress: Progress) -> Callable[[str], MobileSam]:
    """Raises: as `find_sam`."""
    paths = [have_model("segmenter", f"{entry.name}-{half}", progress, otherwise=BY_HAND) for half in ("encoder", "decoder")]
    return lambda device: MobileSam(*(open_session(path, device)[0] for path in paths))


def vision_files(entry: Entry, progress: Progress) -> VisionFiles:
    """A model of transformers: in models/segmenters/NAME/ or Hugging Face's cache, else fetched into the first at its pinned commit.

    Raises: ModelError: it cannot be had; DiskError; Cancelled.
    """
    from core.dataset.curation.vision_models import CONFIG, find_vision

    place, repo, commit = models_dir() / FOLDERS["segmenter"] / entry.name, entry.options["repo_id"], entry.options["revision"]
    if not (place / CONFIG).is_file() and any(held.parent.name == commit for held in fetched_files(repo, WEIGHTS_FILE)):
        return find_vision(repo, "", commit)
    return find_vision(repo, str(have_repository(place, repo, commit, _needed, CONFIG, progress, "segmenter")), commit)


def _needed(names: Iterable[str]) -> list[str]:
    """Of a repository of transformers' models: the weights, and what says how they are used."""
    return [name for name in names if "/" not in name and (name == WEIGHTS_FILE or name.endswith((".json", ".txt")))]


class _told:
    """Makes a model's failure a sentence. Raises: ModelError."""

    def __init__(self, act: str) -> None:
        self._act = act

    def __enter__(self) -> None:
        """Nothing to begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (RuntimeError, MemoryError)) or type(error).__module__.startswith("onnxruntime"):
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(f"The model could not {self._act}: {reason}.", "Choose device 'cpu', or a smaller model.") from error
