"""Models of the picture tools, by name: upscalers, face restorers, what finds a background or a face, what paints anew.

Each is one file, pinned by its SHA-256; who drops a file of his own into the same folder of models/ finds it in the lists too.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.models.catalog import APACHE, RAIL, RAIL_XL, NamedModel

UPSCALERS: tuple[NamedModel, ...] = ()
RESTORERS: tuple[NamedModel, ...] = ()
SEGMENTERS: tuple[NamedModel, ...] = ()
_LAMA = "https://github.com/Sanster/models/releases/download"
INPAINTERS: tuple[NamedModel, ...] = (
    NamedModel("big-lama", "LaMa, for photographs", "", f"{_LAMA}/add_big_lama/big-lama.pt", 205_669_692, APACHE, kind="inpainter",
               sha256="344c77bbcb158f17dd143070d1e789f38a66c04202311ae3a258ef66667a9ea9"),
    NamedModel("anime-manga-big-lama", "LaMa, for drawings", "", f"{_LAMA}/AnimeMangaInpainting/anime-manga-big-lama.pt", 205_717_870,
               "not stated", kind="inpainter", sha256="479d3afdcb7ed2fd944ed4ebcc39ca45b33491f0f2e43eb1000bd623cfb41823"),
    NamedModel("sd-1.5-inpainting", "Stable Diffusion 1.5 for inpainting", "",
               "hf://webui/stable-diffusion-inpainting/sd-v1-5-inpainting.safetensors", 4_265_203_873, RAIL, kind="inpainter",
               sha256="0ec8f8585b104417a8c34a9fbcc1e922a70b8c15490ec4553087f01c8cf33673"),
    NamedModel("sdxl-inpainting-0.1", "SDXL 1.0 for inpainting (0.1)", "",
               "hf://wangqyqq/sd_xl_base_1.0_inpainting_0.1.safetensors/sd_xl_base_1.0_inpainting_0.1.safetensors", 6_940_000_000, RAIL_XL,
               kind="inpainter"),
)
DETECTORS: tuple[NamedModel, ...] = ()
IMAGE_CATALOG: Mapping[str, NamedModel] = {model.name: model for model in (*UPSCALERS, *RESTORERS, *SEGMENTERS, *INPAINTERS, *DETECTORS)}
