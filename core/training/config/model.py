"""Which model learns."""

from __future__ import annotations

from typing import ClassVar, Literal

from core.base.settings import setting
from core.training.config.part import KNOWLEDGE, Family, Part


class ModelSettings(Part):
    """Which model learns, and how its text is read."""

    title: ClassVar[str] = "Model"
    section: ClassVar[str] = "model"
    elsewhere: ClassVar[tuple[str, ...]] = ("family",)

    family: Family = setting("sd15", "Model family", "What kind of model it is. SDXL also covers Pony, Illustrious, NoobAI and Animagine.")
    pretrained_model_name_or_path: str | None = setting(
        None, "Model", "The checkpoint to teach: a .safetensors file or a diffusers folder on this machine. sd-scripts also takes a "
        "Hugging Face name.")
    vae: str | None = setting(None, "VAE", "Another VAE than the model's own. Leave empty to use the model's own.", level="advanced")
    v_parameterization: bool = setting(
        False, "v-prediction", "On for models that were trained with v-prediction (NoobAI v-pred, SD 2 at 768). The model's page says so.",
        level="advanced")
    clip_skip: int | None = setting(
        2, "CLIP skip", "2 for anime models of SD 1.5, empty for realistic ones. SDXL does not use it.", level="advanced", ge=1, le=12,
        source="training-reference: SD 1.5 community default 2")
    max_token_length: Literal[150, 225] | None = setting(
        225, "Longest caption", "How many tokens of a caption are read; empty means 75.", level="advanced", unit="tokens",
        source="training-reference: 225 for both families")
    no_half_vae: bool = setting(
        False, "Full-precision VAE", "On for SDXL models whose VAE gives black images in half precision.", level="advanced")
    v2: bool = setting(False, "Stable Diffusion 2", "On for SD 2.x models (family SD 1.5 / 2).", level="expert")
    tokenizer_cache_dir: str | None = setting(
        None, "Tokenizer folder", "Folder with the tokenizers, so that sd-scripts needs no network: "
        "openai_clip-vit-large-patch14, and for SDXL laion_CLIP-ViT-bigG-14-laion2B-39B-b160k.", level="expert", source=KNOWLEDGE)
