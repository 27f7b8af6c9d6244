"""Segmenters in ONNX: one picture in, one field of probabilities out, each with its makers' own preprocessing."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, ModelError
from core.base.progress import Progress
from core.base.registry import Entry
from core.dataset.images.segmenting.segmenter import Segmenter, to_size
from core.models.having import find_model, have_model
from core.models.onnx_sessions import onnx_device, open_session, run_session
from core.models.warm import WARM

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

    from core.dataset.images.masks import Mask
    from core.dataset.images.segmenting.settings import MaskSettings

USUAL_SIDE = 1024
FOUND = 0.5
"""A field that stays below shows nothing, one that stays above shows nothing but the subject: neither is stretched."""
MEMORY_EACH = 4
"""Bytes of memory that a model takes per byte of its file while it is open, about."""


@dataclass(frozen=True)
class Contract:
    """How a model wants its picture, and what it answers."""

    side: int = 0
    """Of the square input, px; 0: as the file says, else 1024."""
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Of each channel, 0 to 1."""
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    letterbox: bool = False
    """Whether black is laid beside the shorter side; else the picture is squeezed to the square."""
    by_brightest: bool = False
    """Whether values are divided by the picture's highest one rather than by 255."""
    activation: str = ""
    """"sigmoid": the answer is logits; "auto": where they leave 0 to 1; empty: it is probabilities."""
    output: int = 0
    """Which of its outputs."""
    stretch: bool = False
    """Whether the lowest value becomes 0 and the highest 1, as its makers do: where it found something."""

    def area(self, size: tuple[int, int], side: int) -> tuple[int, int, int, int]:
        """Left, top, width and height of the picture within the square, px. Args: size: of the picture, width and height."""
        if not self.letterbox:
            return 0, 0, side, side
        scale = side / max(size)
        width, height = max(1, int(size[0] * scale)), max(1, int(size[1] * scale))
        return (side - width) // 2, (side - height) // 2, width, height

    def tensor(self, picture: Picture, side: int) -> numpy.ndarray:
        """A picture of any size → (3, side, side) float32."""
        import numpy
        from PIL import Image

        rgb = picture.convert("RGB")
        left, top, width, height = self.area(rgb.size, side)
        pixels = numpy.asarray(rgb.resize((width, height), Image.Resampling.BILINEAR), dtype=numpy.float32)
        pixels = pixels / (max(float(pixels.max()), 1e-6) if self.by_brightest else 255)
        square = numpy.zeros((side, side, 3), dtype=numpy.float32)
        mean, std = (numpy.array(values, numpy.float32) for values in (self.mean, self.std))
        square[top:top + height, left:left + width] = (pixels - mean) / std
        return numpy.ascontiguousarray(square.transpose(2, 0, 1))

    def field(self, answer: numpy.ndarray, size: tuple[int, int]) -> numpy.ndarray:
        """An answer (h, w) → probabilities of the picture's own area. Args: size: of the picture, width and height, px."""
        import numpy

        values: Any = numpy.nan_to_num(answer.astype(numpy.float32))
        if self.activation == "sigmoid" or (self.activation == "auto" and (values.min() < -0.01 or values.max() > 1.01)):
            values = 1 / (1 + numpy.exp(-numpy.clip(values, -80, 80)))
        left, top, width, height = self.area(size, len(values))
        values = values[top:top + height, left:left + width]
        low, high = float(values.min()), float(values.max())
        return (values - low) / (high - low) if self.stretch and low < FOUND <= high else values


class OnnxMasks:
    """An open model. Raises: ModelError, ConfigError: it cannot be opened, or takes or gives something else."""

    def __init__(self, path: Path, device: str, contract: Contract) -> None:
        self.session, self.provider = open_session(path, device)
        node = self.session.get_inputs()[0]
        shape: list[Any] = node.shape
        if len(self.session.get_inputs()) != 1 or len(shape) != 4 or shape[1] not in (3, "3") or node.type != "tensor(float)":
            raise ModelError(f"{path.name} takes {[(one.name, one.shape) for one in self.session.get_inputs()]}, not one picture of shape "
                             "(batch, 3, height, width).", "It is no segmenter; choose another file.")
        fixed = [side for side in shape[2:] if isinstance(side, int) and side > 0]
        if len(set(fixed)) > 1:
            raise ModelError(f"{path.name} takes pictures of {shape[3]} x {shape[2]} pixels, which is no square.", "Choose another file.")
        if fixed and contract.side and fixed[0] != contract.side:
            raise ModelError(f"{path.name} takes pictures of {fixed[0]} x {fixed[0]} pixels, not {contract.side} x {contract.side}.",
                             "Set 'Side of the input' to 0, or choose another file.")
        outputs = self.session.get_outputs()
        self.side = fixed[0] if fixed else contract.side or USUAL_SIDE
        self.contract, self._output, self._name = contract, outputs[contract.output].name, path.name

    def answer(self, tensor: numpy.ndarray) -> numpy.ndarray:
        """(3, side, side) → (h, w), as the model gives it. Raises: ModelError."""
        import numpy

        values = run_session(self.session, self._output, tensor[None],
                             failed=("The segmenter failed on this picture", "Choose device 'cpu', or a smaller one."),
                             refused=("The segmenter refused its input", "It is another kind of model."))
        values = numpy.squeeze(values)
        if values.ndim != 2 or values.shape[0] != values.shape[1]:
            raise ModelError(f"{self._name} answers with an array of shape {values.shape}, not with one square mask.",
                             "It is no segmenter of one subject; choose another file.")
        return values


class OnnxSegmenter(Segmenter):
    """What a named model and a file of one's own share."""

    contract: Contract
    _open: OnnxMasks | None = None

    def path(self, progress: Progress) -> Path:
        """The file, fetched where it may be. Raises: ModelError, DiskError, Cancelled."""
        return have_model("segmenter", self.file_name(), progress)

    def file_name(self) -> str:
        """Name in the catalogue, or of the file."""
        return self.entry.name

    @contextlib.contextmanager
    def ready(self, progress: Progress) -> Iterator[None]:
        """Opens the model, or takes it where it is open; `WARM` keeps it after that."""
        path, device = self.path(progress), self.settings.device
        facts, where = path.stat(), onnx_device(device)
        key = ("segmenter", str(path), facts.st_mtime_ns, where, self.contract)
        with WARM.use(key, self.entry.title, lambda: OnnxMasks(path, device, self.contract), where,
                      MEMORY_EACH * facts.st_size) as self._open:
            try:
                yield
            finally:
                self._open = None

    def prepare(self, picture: Picture) -> Any:
        """(3, side, side) where the side is known before the model is open, else the picture."""
        return self.contract.tensor(picture, self.contract.side) if self.contract.side else picture

    def infer(self, prepared: Any, progress: Progress) -> Any:
        """(h, w), as the model gives it."""
        model = self._open
        if model is None:
            raise RuntimeError("The segmenter is not ready.")
        return model.answer(prepared if self.contract.side else self.contract.tensor(prepared, model.side))

    def finish(self, picture: Picture, result: Any) -> Mask:
        """The mask, soft."""
        return to_size(self.contract.field(result, picture.size), picture.size)


class NamedSegmenter(OnnxSegmenter):
    """One of the catalogue; its contract stands in its entry."""

    def __init__(self, entry: Entry, settings: MaskSettings) -> None:
        super().__init__(entry, settings)
        self.contract = Contract(**entry.options)


class OwnSegmenter(OnnxSegmenter):
    """A file in models/segmenters; its contract is that of the family in its name, or what the settings say."""

    def __init__(self, entry: Entry, settings: MaskSettings) -> None:
        super().__init__(entry, settings)
        if not settings.model_file:
            raise ConfigError("No file is named.", "Write the name of an .onnx file in models/segmenters into 'File'.")
        self.contract = own_contract(settings.model_file, settings.side, settings.mean, settings.std)

    def file_name(self) -> str:
        """Its file."""
        return self.settings.model_file

    def told(self) -> dict[str, Any]:
        """The file's size and time name it; nothing where it is not there (its absence is told when it is opened)."""
        path = find_model("segmenter", self.settings.model_file)
        facts = path.stat() if path is not None else None
        return {"bytes": facts.st_size, "changed": facts.st_mtime_ns} if facts is not None else {}


def own_contract(name: str, side: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Contract:
    """What a file of one's own wants. Args: side, mean, std: of the settings; 0 or empty: by the family in the file's name.

    Raises: ConfigError: a mean or deviation that is not one or three numbers.
    """
    from core.dataset.images.segmenting import BIREFNET, IMAGENET, SEGMENTERS, U2NET

    known: dict[str, Any] = {**IMAGENET, "side": 0}
    families = {"birefnet": BIREFNET, "anime": SEGMENTERS.entry("isnet-anime").options, "isnetis": SEGMENTERS.entry("isnet-anime").options,
                "isnet": SEGMENTERS.entry("isnet-general").options, "u2net": U2NET, "rmbg": SEGMENTERS.entry("isnet-general").options}
    known = dict(next((options for word, options in families.items() if word in name.lower()), known))
    known |= {"side": side, "activation": known.get("activation") or "auto"}
    for field, values in (("mean", mean), ("std", std)):
        if values and (len(values) not in (1, 3) or not all(map(math.isfinite, values)) or (field == "std" and min(values) <= 0)):
            raise ConfigError(f"The {'mean' if field == 'mean' else 'deviation'} is {values}.", "Give one number, or one for each of red, "
                             "green and blue" + (", above 0." if field == "std" else "."))
        if values:
            known[field] = tuple(values) if len(values) == 3 else tuple(values) * 3
    return Contract(**known)
