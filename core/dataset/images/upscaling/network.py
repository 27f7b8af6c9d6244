"""A network that makes a picture of a picture: on its device, in its precision, from bytes to bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.base.errors import ModelError
from core.dataset.images.upscaling.tiles import SizeRule
from core.dataset.images.upscaling.weights import Purpose, open_network

if TYPE_CHECKING:
    import numpy

    Pixels = numpy.ndarray[tuple[int, int, int], numpy.dtype[numpy.uint8]]

Precision = Literal["auto", "fp32", "fp16", "bf16"]
PROBE = 64
"""Side of the picture by which its memory is measured, px."""
LIVE = 4
"""So many of its largest layer's outputs are held at once, about: what goes in, what comes out, and what the library copies."""


@dataclass(frozen=True)
class Result:
    """A picture on its way back from the device."""

    pixels: Any
    """Tensor (h, w, 3) uint8."""
    is_whole: Any
    """Tensor: whether every value is a number."""

    def fetch(self) -> Pixels | None:
        """(h, w, 3); None: the network computed what is no number."""
        pixels: Pixels = self.pixels.cpu().numpy()
        return pixels if bool(self.is_whole) else None


class Network:
    """A model of spandrel, ready to work. Args: described: as spandrel describes it. device: "cpu" or "cuda"."""

    def __init__(self, described: Any, device: str, precision: Precision = "auto") -> None:
        import torch

        self.described, self.device = described, device
        self.dtype = precision_for(described, device, precision)
        self.scale = int(described.scale)
        self.title = str(described.architecture.name)
        needs = described.size_requirements
        self.rule = SizeRule(max(1, needs.minimum), needs.multiple_of, needs.square)
        self.tiling = str(described.tiling.name)
        """"SUPPORTED", "DISCOURAGED" (a larger overlap is taken) or "INTERNAL" (it cuts tiles by itself)."""
        described.model.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        described.to(torch.device(device), self.dtype)
        self._memory = 0.0

    def start(self, pixels: Pixels) -> Result:
        """Compute; on a GPU this returns before it is done. Args: pixels: (h, w, 3), of a size that `rule` allows.

        Raises: ModelError: its result is of another size than it says; RuntimeError: there is no room.
        """
        import torch

        with torch.inference_mode():
            values = torch.from_numpy(pixels).to(self.device).permute(2, 0, 1)[None].to(self.dtype) / 255
            grey = self.described.input_channels == 1
            values = values.permute(1, 0, 2, 3) if grey else values
            made = self.described(values.contiguous(memory_format=torch.channels_last)).float()
            made = made.permute(1, 0, 2, 3) if grey else made
            wanted = (1, 3, pixels.shape[0] * self.scale, pixels.shape[1] * self.scale)
            if tuple(made.shape) != wanted:
                raise ModelError(f"The model ({self.title}) made {tuple(made.shape)} of a picture where it says {wanted}.",
                                 "Choose another model.")
            whole = torch.isfinite(made).all()
            return Result((made[0] * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous(), whole)

    def widen(self) -> bool:
        """Compute in full precision from now on. Returns: whether it did not already."""
        import torch

        if self.dtype == torch.float32:
            return False
        self.described.to(torch.float32)
        self.dtype, self._memory = torch.float32, 2 * self._memory
        return True

    def memory(self) -> float:
        """Bytes for each pixel of a tile, about: measured at its layers with a small picture; 0: that failed."""
        if not self._memory:
            with contextlib.suppress(RuntimeError, MemoryError):
                self._memory = _measure(self.described.model, self._probe)
        return self._memory

    def close(self) -> None:
        """Let go of the weights."""
        self.described = None

    def _probe(self) -> int:
        import numpy

        side = self.rule.fit(PROBE)
        self.start(numpy.zeros((side, side, 3), dtype=numpy.uint8))
        return side * side


def open_image_model(path: Path, device: str, precision: Precision = "auto", purposes: tuple[Purpose, ...] = ("SR", "Restoration"),
                     called: str = "upscaler") -> Network:
    """Open a model that makes a picture of a picture. Raises: ModelError: it is none, or its precision does not fit; MissingDependency."""
    described = open_network(path, purposes, called)
    channels = (described.input_channels, described.output_channels)
    if channels not in ((1, 1), (3, 3)):
        raise ModelError(f"{path.name} makes pictures with {channels[1]} channels of pictures with {channels[0]}.",
                         "A model for grey pictures (1) or for colours (3) is needed.")
    return Network(described, device, precision)


def precision_for(described: Any, device: str, precision: Precision) -> Any:
    """The precision; auto: half on a GPU where the network bears it (bf16 where only that), full elsewhere. Raises: ModelError."""
    import torch

    half, short = described.supports_half, described.supports_bfloat16
    if (precision == "fp16" and not half) or (precision == "bf16" and not short):
        raise ModelError(f"A model of the kind {described.architecture.name} does not bear {precision}.", "Choose 'auto'.")
    if precision == "auto":
        is_gpu = device == "cuda"
        precision = "fp16" if is_gpu and half else "bf16" if is_gpu and short and torch.cuda.is_bf16_supported() else "fp32"
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]


def _measure(model: Any, act: Callable[[], int]) -> float:
    """Bytes for each pixel of the input. Args: act: computes once, and returns how many pixels it took."""
    largest = [0]

    def look(module: Any, given: Any, made: Any) -> None:
        if hasattr(made, "element_size"):
            largest[0] = max(largest[0], made.element_size() * made.nelement())

    hooks = [module.register_forward_hook(look) for module in model.modules() if not list(module.children())]
    try:
        pixels = act()
    finally:
        for hook in hooks:
            hook.remove()
    return LIVE * largest[0] / pixels
