"""Painting parts of pictures anew: watermarks, texts and whatever else should not be there; nothing but the marked pixels changes.

    from core.dataset.images.inpainting.painting import inpaint_images, tries
    from core.dataset.images.inpainting.settings import InpaintSettings

    inpaint_images(project, InpaintSettings(method="lama"), progress)          every picture on which something is marked
    for tried in tries(project, InpaintSettings(method="sd15", results=4), "girl"):   four results to choose from; `keep` one
        ...
"""

from __future__ import annotations

from core.base.registry import Entry, Registry
from core.dataset.images.inpainting.painter import Painter

PAINTERS: Registry[type[Painter]] = Registry(
    "way of inpainting",
    Entry("smooth", "core.dataset.images.inpainting.smooth:Smooth", "Smoothly from around",
          source="https://doi.org/10.1109/TIP.2017.2702101", needs=("skimage",),
          note="small spots and thin letters"),
    Entry("lama", "core.dataset.images.inpainting.lama:Lama", "LaMa", source="https://arxiv.org/abs/2109.07161",
          needs=("torch", "spandrel"), licence="Apache 2.0", options={"side": 1024, "model": "big-lama"},
          note="removes things of any size"),
    Entry("sd15", "core.dataset.images.inpainting.diffusion:Diffusion", "Stable Diffusion 1.5", source="https://arxiv.org/abs/2112.10752",
          needs=("torch", "diffusers", "transformers"), licence="CreativeML Open RAIL-M",
          options={"side": 512, "model": "stable-diffusion-v1-5/stable-diffusion-inpainting@8a4288a76071f7280aedbdb3253bdb9e9d5d84bb",
                   "family": "sd15", "needs": 4_000_000_000, "fetches": "2.1 GB"}, note="draws by words; a GPU is wanted"),
    Entry("sdxl", "core.dataset.images.inpainting.diffusion:Diffusion", "Stable Diffusion XL", source="https://arxiv.org/abs/2307.01952",
          needs=("torch", "diffusers", "transformers"), licence="CreativeML Open RAIL++-M",
          options={"side": 1024, "model": "sdxl-inpainting-0.1", "family": "sdxl", "needs": 10_000_000_000},
          note="draws by words, larger; a GPU is wanted"),
)
"""Ways of filling a hole."""
