"""Which model family a config of sd-scripts is for: its scripts are one for each family, and the file does not name the script."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.base.errors import StudioError
from core.diffusion.kinds import kind_of
from core.training.config.families import TRAINED_MODELS
from core.training.config.reading import guess_family
from core.training.importing.folders import Left
from core.training.importing.model_files import place_here

OF_SDXL = ("xl", "pony", "illustrious", "noob", "animagine")
"""Parts of names of models that are made of SDXL."""


def family_of(arguments: Mapping[str, Any], beside: Path) -> tuple[str, list[Left]]:
    """The family, and a line for the person where it could only be supposed.

    Asked in this order: the arguments that one family alone has, the model's own header where the file lies here, the model's name.
    """
    told = guess_family(arguments)
    if told not in ("sd15", "sdxl") or arguments.get("cache_text_encoder_outputs"):
        return told, []
    model = str(arguments.get("pretrained_model_name_or_path") or "")
    place = Path(place_here(model, beside)) if model else None
    if place is not None and place.exists():
        try:
            found = kind_of(place).family
        except (StudioError, OSError):
            found = ""
        if found in TRAINED_MODELS:
            return found, []
    is_sdxl = any(word in model.lower() for word in OF_SDXL) or bool(arguments.get("no_half_vae"))
    supposed = "sdxl" if is_sdxl else told
    return supposed, [("model family", supposed, "the file does not say it; it was supposed from its settings. Choose another one above if "
                       "it is wrong, and load it again")]
