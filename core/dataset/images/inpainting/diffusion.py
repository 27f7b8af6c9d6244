"""Drawing something new into a hole, with Stable Diffusion 1.x or XL: an ordinary base model, or one that was made for inpainting."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from core.base.errors import require
from core.base.progress import Progress
from core.base.registry import Entry
from core.dataset.images.inpainting.base_models import have_base_model, stamp_of
from core.dataset.images.inpainting.painter import Painter, Wish
from core.dataset.images.inpainting.settings import InpaintSettings
from core.dataset.images.inpainting.smooth import smoothly
from core.models.warm import WARM

if TYPE_CHECKING:
    from core.dataset.images.inpainting.painter import Hole, Pixels

LARGER = 4.0
"""By how much a small piece is made larger at most."""
SMALL_GPU = 6 * 2**30
"""Free bytes below which a model works in slices and tiles."""


class Diffusion(Painter):
    """The painter; its model is a `core.diffusion` model."""

    draws_all: ClassVar[bool] = True

    @classmethod
    @contextlib.contextmanager
    def opened(cls, settings: InpaintSettings, entry: Entry, progress: Progress) -> Iterator[Diffusion]:
        """Raises: ModelError: it is not here and cannot be had, or is of another family; ConfigError; MissingDependency; Cancelled."""
        torch = require("torch", needed_for=entry.title)
        path = have_base_model(settings.base_model or entry.options["model"], progress)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        key = ("base", str(path), stamp_of(path), device)
        with WARM.use(key, path.name, lambda: open_base(path, entry.options["family"], device), device, entry.options["needs"]) as model:
            yield cls(settings, entry, model)

    @property
    def multiple(self) -> int:
        """As the model says."""
        return int(self.model.size_multiple)

    def scale(self, size: tuple[int, int], area: int) -> float:
        """To as many pixels as it was trained on, neither much larger nor with a very long side."""
        return float(min((self.side**2 / (size[0] * size[1])) ** 0.5, 2 * self.side / max(size), LARGER))

    def fill(self, pixels: Pixels, hole: Hole, wish: Wish) -> Pixels:
        """The whole piece as the model draws it."""
        import numpy
        import torch

        from core.diffusion.inpainting import Repainting, repaint

        values = self.settings
        begun = smoothly(pixels, hole) if values.start == "around" else pixels
        wanted = Repainting(wish.prompt, values.negative, values.steps, values.guidance, values.strength, values.seed)
        image = torch.from_numpy(begun.copy()).permute(2, 0, 1).float() / 127.5 - 1
        painted = repaint(self.model, image, torch.from_numpy(hole.copy()), wanted, wish.on_step)
        return numpy.rint((painted.permute(1, 2, 0).numpy() + 1) * 127.5).clip(0, 255).astype(numpy.uint8)


def open_base(path: Path, family: str, device: str) -> Any:
    """A base model. Raises: ModelError: damaged, or of another family."""
    import torch

    from core.diffusion import load_model

    model = load_model(path, family, device, inpainting=True)
    if device == "cuda" and torch.cuda.mem_get_info()[0] < SMALL_GPU:
        model.unet.set_attention_slice("auto")
        model.vae.enable_tiling()
    return model
