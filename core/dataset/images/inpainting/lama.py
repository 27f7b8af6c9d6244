"""LaMa: removes things of any size and continues what lies around them. Architecture: spandrel's; paper: https://arxiv.org/abs/2109.07161."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError, require
from core.base.progress import Progress
from core.base.registry import Entry
from core.dataset.images.inpainting.painter import Painter, Wish
from core.dataset.images.inpainting.settings import InpaintSettings
from core.models.having import have_model
from core.models.warm import WARM
from core.models.weights import read_weights

if TYPE_CHECKING:
    from core.dataset.images.inpainting.painter import Hole, Pixels

MARK = "model.1.bn_l.running_mean"
"""A tensor that every LaMa has, whatever stands before its name."""
NEEDS = 1_500_000_000
"""Bytes: its weights, and a piece of 1024 px."""


class Lama(Painter):
    """The painter; its model is spandrel's descriptor."""

    @classmethod
    @contextlib.contextmanager
    def opened(cls, settings: InpaintSettings, entry: Entry, progress: Progress) -> Iterator[Lama]:
        """Raises: ModelError: it is not here and cannot be had, or is no LaMa; MissingDependency; Cancelled."""
        torch = require("torch", needed_for="LaMa")
        path, device = have_model("inpainter", settings.lama_model, progress), "cuda" if torch.cuda.is_available() else "cpu"
        key = ("inpainter", str(path), path.stat().st_mtime_ns, device)
        with WARM.use(key, f"LaMa ({path.name})", lambda: open_lama(path, device), device, NEEDS) as model:
            yield cls(settings, entry, model)

    @property
    def multiple(self) -> int:
        """As the model says."""
        return int(self.model.size_requirements.multiple_of)

    @property
    def least(self) -> int:
        """As the model says."""
        return max(self.multiple, int(self.model.size_requirements.minimum))

    def scale(self, size: tuple[int, int], area: int) -> float:
        """Never larger than it is."""
        return min(1.0, self.side / max(size))

    def fill(self, pixels: Pixels, hole: Hole, wish: Wish) -> Pixels:
        """In 32 bit: half precision is too small for its Fourier layers."""
        import torch

        device, dtype = self.model.device, self.model.dtype
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].to(device, dtype) / 255
        mask = torch.from_numpy(hole.copy())[None, None].to(device, dtype)
        with torch.inference_mode():
            painted = self.model(image, mask)[0]
        if not bool(painted.isfinite().all()):
            raise ModelError("LaMa painted nothing: what it gave are no numbers (NaN).", "Download its file again.")
        wish.on_step(1, 1)
        return (painted.float() * 255).round().byte().permute(1, 2, 0).cpu().numpy()


def open_lama(path: Path, device: str) -> Any:
    """Spandrel's descriptor of a LaMa. Raises: ModelError: the file is damaged, or something else; MissingDependency."""
    spandrel = require("spandrel", needed_for="LaMa")
    weights = spandrel.canonicalize_state_dict(read_weights(path))
    mark = next((name for name in weights if name.endswith(MARK)), None)
    if mark is None:
        raise ModelError(f"{path.name} is no LaMa.", "Choose big-lama, or another file of LaMa's weights in models/inpainters.")
    begin = mark.removesuffix(MARK) + "model."
    try:
        model = spandrel.ModelLoader().load_from_state_dict(
            {f"model.model.{name.removeprefix(begin)}": value for name, value in weights.items() if name.startswith(begin)})
    except (spandrel.UnsupportedModelError, RuntimeError, KeyError) as error:
        raise ModelError(f"{path.name} is a LaMa of another size or kind than is known here.", "Choose big-lama.") from error
    if not isinstance(model, spandrel.MaskedImageModelDescriptor):
        raise ModelError(f"{path.name} paints no holes: it is a model for {str(model.purpose).lower()}.", "Choose big-lama.")
    return model.to(device).eval()
