"""Every picture tool by the name of its stage (`core.stages`, which names its settings class), and what makes it ready for a project."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.base.registry import Entry, Registry
from core.base.settings import Settings
from core.dataset.images.tool import Tool
from core.dataset.project import Project

TOOLS: Registry[Callable[[Project, Any], Tool[Any, Any]]] = Registry(
    "picture tool",
    Entry("resize", "core.dataset.images.resizing:make_resizer", "Resize and convert"),
    Entry("upscale", "core.dataset.images.upscaling.tool:make_upscaler", "Upscale"),
    Entry("enhance", "core.dataset.images.enhancing.tool:make_enhancer", "Enhance"),
    Entry("mask", "core.dataset.images.segmenting.masking:make_masker", "Mask"),
    Entry("transparent", "core.dataset.images.transparent:make_remover", "Transparent background"),
    Entry("inpaint", "core.dataset.images.inpainting.painting:make_inpainter", "Inpaint"),
    Entry("crop-by-hand", "core.dataset.images.cropping.by_hand:make_hand_cropper", "Crop by hand"),
    Entry("crop", "core.dataset.images.cropping.smart:make_cropper", "Smart crop"),
)


def make_tool(project: Project, name: str, settings: Settings) -> Tool[Any, Any]:
    """A tool for one project. Raises: ConfigError: there is none of that name, or the settings do not fit the project."""
    return TOOLS.load(name)(project, settings)
