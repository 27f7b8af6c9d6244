"""What is painted anew, by what, and how."""

from __future__ import annotations

from typing import Any, Literal

from core.base.settings import Settings, field_extra, setting
from core.dataset.images.masks import Place
from core.dataset.images.saving import ExactSettings

DRAWN = {"method": ("sd15", "sdxl")}
"""Settings of models that draw from words."""


class InpaintSettings(Settings):
    """Where and how pictures are painted anew."""

    title = "Inpaint"

    images: tuple[str, ...] = setting((), "Only these", "Ids of images (names without the ending); none given: all.", level="expert")
    region: Literal["mask", "place"] = setting(
        "mask", "Where", "mask: what was marked on each picture (its repaint mask, white is painted). place: the same place of every "
        "picture, for a watermark.")
    place: Place = setting("bottom-right", "Place", "Where the watermark stands.", only={"region": ("place",)})
    width: float = setting(25.0, "Width", "Of that place.", unit="% of the picture", gt=0, le=100, only={"region": ("place",)})
    height: float = setting(8.0, "Height", "Of that place.", unit="% of the picture", gt=0, le=100, only={"region": ("place",)})
    method: Literal["smooth", "lama", "sd15", "sdxl"] = setting(
        "smooth", "By", "smooth: continues the colours around; for small spots and thin letters, nothing is downloaded. lama: removes "
        "things of any size (206 MB). sd15, sdxl: draw something new, by a prompt (a GPU is wanted).")
    prompt: str = setting("", "Prompt", "What is drawn there. Empty: the picture's caption, without the trigger word.", only=DRAWN)
    use_caption: bool = setting(True, "Caption as prompt", "Where no prompt is given.", only=DRAWN)
    negative: str = setting("text, watermark, signature, logo, blurry", "Negative prompt", "What is not to be drawn.", only=DRAWN)
    results: int = setting(1, "Results", "So many to choose from in the workbench, each with the next seed; a job makes one.", ge=1, le=8,
                           only=DRAWN)
    seed: int = setting(0, "Seed", "The same seed draws the same.", ge=0, le=2**32 - 1, only=DRAWN)
    base_model: str = setting("", "Model", "A file or folder in models/, any path, or owner/name@revision of a diffusers repository. Any "
                              "SD 1.x or SDXL model will do, best one made for inpainting. Empty: the usual one, which is fetched.",
                              level="advanced", only=DRAWN)
    lama_model: str = setting("big-lama", "LaMa's model", "big-lama for photographs, anime-manga-big-lama for drawings, or a file in "
                              "models/inpainters. With the other methods: what takes over where a result does not fit.", level="advanced",
                              only={"method": ("lama", "sd15", "sdxl")})
    start: Literal["around", "picture"] = setting(
        "around", "Begin with", "around: the colours around, so that what was there goes. picture: what is there, so that it shapes what "
        "comes.", level="advanced", only=DRAWN)
    steps: int = setting(30, "Steps", level="advanced", ge=1, le=200, only=DRAWN, source="dataset-recipes")
    guidance: float = setting(7.5, "Guidance", "How closely the prompt is followed.", level="advanced", ge=1, le=30, only=DRAWN,
                              source="dataset-recipes")
    strength: float = setting(0.85, "Strength", "How much of what it begins with is given up; 1: all.", level="advanced", ge=0.1, le=1,
                              only=DRAWN, source="dataset-recipes")
    grow: int = setting(4, "Grow", "The mark is made larger by this, so that edges and shadows go too.", unit="px", ge=0, le=256,
                        level="advanced")
    feather: int = setting(4, "Soft edge", "How wide the way from the picture to what is new is; it lies inside of the grown mark.",
                           unit="px", ge=0, le=128, level="advanced")
    context: int = setting(96, "Context", "How much of the picture around a mark is looked at.", unit="px", ge=8, le=1024, level="advanced")
    resolution: int = setting(0, "Resolution", "Side of what is worked on at once; a larger piece is worked on smaller. 0: the method's "
                              "own (LaMa 1024, SD 1.5 512, SDXL 1024).", unit="px", ge=0, le=2048, level="expert",
                              only={"method": ("lama", "sd15", "sdxl")})
    least_likeness: float = setting(18.0, "Least likeness around", "What a model gives just outside of the mark must be as like the "
                                    "picture as this (PSNR); else LaMa takes over if it is there. 0: is not looked at.",
                                    unit="dB", ge=0, le=60, level="expert", only=DRAWN)
    saving: ExactSettings = setting(ExactSettings(), "Saving", "Format and quality.")

    def decisive(self) -> dict[str, Any]:
        """The settings that decide how a picture comes out with the others as they are, fit for JSON."""
        values = self.model_dump(mode="json", exclude={"images", "results"})
        return {name: value for name, value in values.items() if self._acts(name)}

    def _acts(self, name: str) -> bool:
        only = field_extra(type(self).model_fields[name], "only", {})
        return all(getattr(self, other) in wanted for other, wanted in only.items())
