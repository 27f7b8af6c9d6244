"""Every picture tool by name: its settings class, and what makes it ready for a project."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from core.base.registry import Entry, Registry
from core.base.settings import Settings
from core.dataset.images.working import Tool
from core.dataset.project import Project

TOOLS: Registry[Callable[[Project, Any], Tool[Any, Any]]] = Registry(
    "picture tool",
    Entry("resize", "core.dataset.images.resizing:make_resizer", "Resize and convert",
          options={"settings": "core.dataset.images.resizing:ResizeSettings"}),
    Entry("upscale", "core.dataset.images.upscaling.tool:make_upscaler", "Upscale",
          options={"settings": "core.dataset.images.upscaling.tool:UpscaleSettings"}),
    Entry("enhance", "core.dataset.images.enhancing.tool:make_enhancer", "Enhance",
          options={"settings": "core.dataset.images.enhancing.tool:EnhanceSettings"}),
    Entry("mask", "core.dataset.images.segmenting.masking:make_masker", "Mask",
          options={"settings": "core.dataset.images.segmenting.settings:MaskSettings"}),
    Entry("transparent", "core.dataset.images.transparent:make_remover", "Transparent background",
          options={"settings": "core.dataset.images.transparent:TransparentSettings"}),
    Entry("inpaint", "core.dataset.images.inpainting.painting:make_inpainter", "Inpaint",
          options={"settings": "core.dataset.images.inpainting.settings:InpaintSettings"}),
    Entry("crop-by-hand", "core.dataset.images.cropping.by_hand:make_hand_cropper", "Crop by hand",
          options={"settings": "core.dataset.images.cropping.by_hand:HandCropSettings"}),
    Entry("crop", "core.dataset.images.cropping.smart:make_cropper", "Smart crop",
          options={"settings": "core.dataset.images.cropping.planning:CropSettings"}),
)


def make_tool(project: Project, name: str, settings: Settings) -> Tool[Any, Any]:
    """A tool for one project. Raises: ConfigError: there is none of that name, or the settings do not fit the project."""
    return TOOLS.load(name)(project, settings)


def settings_of_tool(name: str) -> type[Settings]:
    """The settings class of a tool. Raises: ConfigError: there is none of that name."""
    module, _, attribute = TOOLS.entry(name).options["settings"].partition(":")
    found: type[Settings] = getattr(importlib.import_module(module), attribute)
    return found
