"""Base models as a page names them: on Hugging Face, in Civitai's list, and by their licence; and which one a file was trained on.

Sources: the models' own pages; civitai/civitai, src/shared/constants/base-model.constants.ts (the names of Civitai's list).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.base.hub import WRITTEN_NAME
from core.base.licences import LICENCES, Licence, licence_named
from core.utilities.names.family import Family
from core.utilities.publishing.places import places_in

FILES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
"""Endings of a base model's file."""


@dataclass(frozen=True)
class Base:
    """One base model."""

    name: str
    """Saved in settings and never changed; of a model that is not listed, what the person wrote."""
    title: str
    family: str
    """A name of `core.diffusion.kinds.TITLES`; empty: not known."""
    hub: str
    """owner/name on Hugging Face; empty: it is not there."""
    civitai: str
    """What Civitai's list calls it."""
    licence: Licence | None
    words: tuple[str, ...] = ()
    """What its file's name has in it."""


def _base(name: str, title: str, family: str, hub: str, civitai: str, licence: str, *words: str) -> Base:
    return Base(name, title, family, hub, civitai, LICENCES[licence], words)


_ALL = (
    _base("sd-1.5", "Stable Diffusion 1.5", "sd15", "stable-diffusion-v1-5/stable-diffusion-v1-5", "SD 1.5", "creativeml-openrail-m",
          "v1-5-pruned", "stable-diffusion-v1-5", "sd15", "sd-1.5", "sd_v1-5"),
    _base("sd-2.1", "Stable Diffusion 2.1", "sd2", "stabilityai/stable-diffusion-2-1", "SD 2.1", "openrail++",
          "v2-1", "stable-diffusion-2-1"),
    _base("noobai-vpred-1.0", "NoobAI XL 1.0 (v-prediction)", "sdxl", "Laxhar/noobai-XL-Vpred-1.0", "NoobAI", "fair-ai-1.0-sd",
          "noobai-xl-vpred", "noobaixlnaixl_vpred"),
    _base("noobai-eps-1.1", "NoobAI XL 1.1", "sdxl", "Laxhar/noobai-XL-1.1", "NoobAI", "fair-ai-1.0-sd", "noobai"),
    _base("pony-v6", "Pony Diffusion V6 XL", "sdxl", "", "Pony", "fair-ai-1.0-sd", "pony"),
    _base("animagine-4.0", "Animagine XL 4.0", "sdxl", "cagliostrolab/animagine-xl-4.0", "SDXL 1.0", "openrail++", "animagine-xl-4"),
    _base("animagine-3.1", "Animagine XL 3.1", "sdxl", "cagliostrolab/animagine-xl-3.1", "SDXL 1.0", "fair-ai-1.0-sd", "animagine-xl-3"),
    _base("illustrious-0.1", "Illustrious-XL 0.1", "sdxl", "OnomaAIResearch/Illustrious-xl-early-release-v0", "Illustrious",
          "fair-ai-1.0-sd", "illustrious"),
    _base("sdxl-1.0", "SDXL 1.0", "sdxl", "stabilityai/stable-diffusion-xl-base-1.0", "SDXL 1.0", "openrail++",
          "sd_xl_base", "stable-diffusion-xl-base", "sdxl_base"),
    _base("sd3.5-large", "Stable Diffusion 3.5 Large", "sd3", "stabilityai/stable-diffusion-3.5-large", "SD 3.5 Large", "stability",
          "sd3.5_large", "stable-diffusion-3.5-large"),
    _base("sd3.5-medium", "Stable Diffusion 3.5 Medium", "sd3", "stabilityai/stable-diffusion-3.5-medium", "SD 3.5 Medium", "stability",
          "sd3.5_medium", "stable-diffusion-3.5-medium"),
    _base("flux1-schnell", "FLUX.1 schnell", "flux1", "black-forest-labs/FLUX.1-schnell", "Flux.1 S", "apache-2.0", "schnell"),
    _base("flux1-kontext", "FLUX.1 Kontext dev", "flux1", "black-forest-labs/FLUX.1-Kontext-dev", "Flux.1 Kontext",
          "flux-1-dev", "kontext"),
    _base("flux1-dev", "FLUX.1 dev", "flux1", "black-forest-labs/FLUX.1-dev", "Flux.1 D", "flux-1-dev",
          "flux1-dev", "flux.1-dev", "flux1_dev"),
    _base("flux2-dev", "FLUX.2 dev", "flux2_dev", "black-forest-labs/FLUX.2-dev", "Flux.2 D", "flux-2", "flux2-dev", "flux.2-dev"),
    _base("flux2-klein-base-4b", "FLUX.2 klein base 4B", "flux2_klein", "black-forest-labs/FLUX.2-klein-base-4B", "Flux.2 Klein 4B-base",
          "apache-2.0", "klein-base-4b"),
    _base("flux2-klein-base-9b", "FLUX.2 klein base 9B", "flux2_klein", "black-forest-labs/FLUX.2-klein-base-9B", "Flux.2 Klein 9B-base",
          "flux-2", "klein-base-9b"),
    _base("chroma1-hd", "Chroma1-HD", "chroma", "lodestones/Chroma1-HD", "Chroma", "apache-2.0", "chroma1-hd"),
    _base("lumina2", "Lumina Image 2.0", "lumina2", "Alpha-VLLM/Lumina-Image-2.0", "Lumina", "apache-2.0", "lumina-image-2", "lumina_2"),
    _base("hunyuan-image-2.1", "HunyuanImage 2.1", "hunyuan_image", "tencent/HunyuanImage-2.1", "Other", "tencent-hunyuan",
          "hunyuanimage", "hunyuan_image", "hunyuan-image"),
    _base("anima", "Anima", "anima", "circlestone-labs/Anima", "Anima", "circlestone", "anima"),
    _base("qwen-image", "Qwen-Image", "qwen_image", "Qwen/Qwen-Image", "Qwen", "apache-2.0", "qwen-image", "qwen_image"),
    _base("z-image-turbo", "Z-Image Turbo", "z_image", "Tongyi-MAI/Z-Image-Turbo", "ZImageTurbo", "apache-2.0", "z_image_turbo",
          "z-image-turbo"),
    _base("z-image", "Z-Image", "z_image", "Tongyi-MAI/Z-Image", "ZImageBase", "apache-2.0", "z_image", "z-image"),
)
BASES: Mapping[str, Base] = {base.name: base for base in _ALL}
"""The more special first: of several whose words fit, the first is meant."""
USUAL = {"sd15": "sd-1.5", "sd2": "sd-2.1", "sdxl": "sdxl-1.0", "flux1": "flux1-dev", "flux2_dev": "flux2-dev", "chroma": "chroma1-hd",
         "lumina2": "lumina2", "hunyuan_image": "hunyuan-image-2.1", "anima": "anima", "qwen_image": "qwen-image"}
"""What a family's LoRAs are usually trained on. Of SD 3.5, FLUX.2 klein and Z-Image there are several, none of them usual."""


@dataclass(frozen=True)
class FoundBase:
    """Which base model it is, and how that is known."""

    base: Base | None
    by: str
    """"settings"; "metadata": the name of its file says so; "family": it is only the usual one; empty: not known."""
    told: str = ""
    """What the metadata calls it."""


def find_base(chosen: str, licence: str, family: Family, metadata: Mapping[str, str]) -> FoundBase:
    """Which base model a file was trained on. Args: chosen, licence: as the settings say, both may be empty."""
    told = model_told(metadata)
    if chosen.strip():
        return FoundBase(_with_licence(BASES.get(chosen.strip()) or _other(chosen.strip(), family), licence), "settings", told)
    words = told.lower()
    named = next((base for base in _ALL if base.family == family.name and any(word in words for word in base.words)), None)
    found = named or BASES.get(USUAL.get(family.name, ""))
    return FoundBase(_with_licence(found, licence) if found else None, "metadata" if named else "family" if found else "", told)


def model_told(metadata: Mapping[str, str]) -> str:
    """The base model's file as the training wrote it down, without its folders."""
    return metadata.get("ss_sd_model_name", "").replace("\\", "/").rstrip("/").rpartition("/")[2]


def _other(words: str, family: Family) -> Base:
    """A model that is not listed: owner/name on Hugging Face, or its name alone; of a file or folder its name without the rest."""
    words = _without_folders(words)
    usual = BASES.get(USUAL.get(family.name, ""))
    hub = words if WRITTEN_NAME.fullmatch(words) and "/" in words else ""
    return Base(words, words, family.name, hub, usual.civitai if usual else "Other", None)


def _without_folders(words: str) -> str:
    """ "pony v9" of "/home/me/pony v9.safetensors"."""
    if not words.lower().endswith(FILES) and "\\" not in words and not any(True for _ in places_in(words)):
        return words
    last = words.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return next((last[:-len(ending)] for ending in FILES if last.lower().endswith(ending)), last)


def _with_licence(base: Base, words: str) -> Base:
    """The same with the licence that the person names for it."""
    if not words.strip():
        return base
    licence = licence_named(words) or Licence(words.strip(), words.strip(), "", hub_name=words.strip().lower().replace(" ", "-"))
    return Base(base.name, base.title, base.family, base.hub, base.civitai, licence, base.words)
