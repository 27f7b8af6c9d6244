"""A network that restores faces: GFPGAN, RestoreFormer, and CodeFormer where its package is installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError
from core.base.progress import SILENT, Progress
from core.dataset.images.enhancing.faces import SIDE
from core.dataset.images.upscaling.opened import opened
from core.dataset.images.upscaling.weights import Purpose, open_network
from core.models.warm import is_no_room

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

EXTRA = "spandrel_extra_arches"
"""Package with architectures of narrower licences, which Lorabook does not install."""
FACES: tuple[Purpose, ...] = ("FaceSR",)
BALANCE = 0.5
"""CodeFormer: how far it keeps to the face that it is given, 0 to 1. Source: its makers' default."""


class FaceRestorer:
    """A model of spandrel for faces of 512 x 512. Args: described: as spandrel describes it. device: "cpu" or "cuda"."""

    def __init__(self, described: Any, device: str) -> None:
        import torch

        self.described, self.device = described, device
        self.title = str(described.architecture.name)
        described.model.eval().requires_grad_(False)
        described.to(torch.device(device), torch.float32)

    def restore(self, face: Picture) -> Picture:
        """A face of the same size. Raises: ModelError: it failed, or made something else."""
        import numpy
        import torch
        from PIL import Image

        try:
            with torch.inference_mode():
                values = torch.from_numpy(numpy.array(face)).to(self.device).permute(2, 0, 1)[None].float() / 255
                made = self._run(values).float()
                if tuple(made.shape) != tuple(values.shape) or not bool(torch.isfinite(made).all()):
                    raise ModelError(f"{self.title} made {tuple(made.shape)} of a face, or no numbers.", "Choose another restorer.")
                pixels = (made[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        except RuntimeError as error:
            reason = "there is no room for it" if is_no_room(error) else str(error).splitlines()[0]
            raise ModelError(f"{self.title} failed on a face: {reason}.", "Choose the device 'cpu', or leave faces as they are.") from error
        return Image.fromarray(pixels)

    def close(self) -> None:
        """Let go of the weights."""
        self.described = None

    def _run(self, values: Any) -> Any:
        """0 to 1 → 0 to 1. GFPGAN and CodeFormer take and give -1 to 1, which spandrel leaves to its caller."""
        kind, model = self.described.architecture.id, self.described.model
        if kind == "GFPGAN":
            return (model(values * 2 - 1, return_rgb=False, randomize_noise=False)[0] + 1) / 2
        if kind == "CodeFormer":
            return (model(values * 2 - 1, weight=BALANCE)[0] + 1) / 2
        return self.described(values)


@contextlib.contextmanager
def opened_restorer(name: str, device: str = "auto", progress: Progress = SILENT) -> Iterator[FaceRestorer]:
    """A restorer of faces, held while it is used. Args: name: of the catalogue, or of a file in models/restorers.

    Raises: ModelError: it is none, or cannot be had; MissingDependency: its architecture is not installed; ConfigError; DiskError;
        Cancelled.
    """
    def load(path: Path, where: str) -> FaceRestorer:
        return open_restorer(path, where, name == "codeformer")

    with opened("face restorer", name, device, "fp32", load, progress) as restorer:
        yield restorer


def open_restorer(path: Path, device: str = "cpu", extra: bool = False) -> FaceRestorer:
    """Open a file. Args: extra: it needs `spandrel_extra_arches`. Raises: ModelError, MissingDependency."""
    described = open_network(path, FACES, "face restorer", extra or find_spec(EXTRA) is not None)
    rule = described.size_requirements
    if described.scale != 1 or not rule.check(SIDE, SIDE):
        raise ModelError(f"{path.name} does not take faces of {SIDE} x {SIDE}.", "Choose another restorer.")
    return FaceRestorer(described, device)
