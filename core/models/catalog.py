"""Models by name: what makers train LoRAs for, and the parts that the newer families keep in files of their own.

Sizes are those that the sites tell, rounded where only that is known; what is fetched is judged by what its server says. A SHA-256
stands here only where several public lists agree on it; the others are published by the sites themselves and checked all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.base.errors import ConfigError
from core.base.licences import LICENCES

Kind = Literal["base", "vae", "text encoder", "upscaler", "face restorer", "segmenter", "inpainter", "detector"]
PARTS_FOLDER = "components"
"""Folder of models/ for what is no base model by itself."""
FOLDERS: Mapping[Kind, str] = {"base": "", "vae": PARTS_FOLDER, "text encoder": PARTS_FOLDER, "upscaler": "upscalers",
                               "face restorer": "restorers", "segmenter": "segmenters", "inpainter": "inpainters", "detector": "detectors"}
"""Folder of models/ for each kind."""
FAIR, RAIL, RAIL_XL, FLUX1, FLUX2, STABILITY, APACHE = (LICENCES[name].title for name in (
    "fair-ai-1.0-sd", "creativeml-openrail-m", "openrail++", "flux-1-dev", "flux-2", "stability", "apache-2.0"))
GB = 10**9


@dataclass(frozen=True)
class NamedModel:
    """One file that can be fetched by name."""

    name: str
    """Saved in settings and never changed."""
    title: str
    family: str
    """As `core.base.families` calls it; of a part, the family that needs it; empty: a model of the picture tools."""
    address: str
    """As a person could write it into the field; see `core.models.addresses`."""
    size: int
    """Bytes, about."""
    licence: str
    gated: bool = False
    """Whether its makers ask for an account and their consent first."""
    kind: Kind = "base"
    needs: tuple[str, ...] = ()
    """Names of the parts without which it cannot be trained."""
    save_as: str = ""
    """File name on this machine; empty: its own."""
    sha256: str = ""
    """Hex; empty: not known for certain."""

    @property
    def told_size(self) -> str:
        """"6.9 GB", "335 MB"."""
        return f"{self.size / GB:.1f} GB" if self.size >= GB else f"{self.size / 10**6:.0f} MB"

    @property
    def folder(self) -> str:
        """Folder of models/ that it is kept in; empty: models/ itself."""
        return FOLDERS[self.kind]


def _sdxl(name: str, title: str, family: str, address: str, licence: str, size: int = 6_940_000_000, sha256: str = "") -> NamedModel:
    return NamedModel(name, title, family, address, size, licence, sha256=sha256)


def _part(name: str, title: str, family: str, address: str, size: int, licence: str, kind: Kind, gated: bool = False, save_as: str = "",
          sha256: str = "") -> NamedModel:
    return NamedModel(name, title, family, address, size, licence, gated, kind, save_as=save_as, sha256=sha256)


_BFL = "hf://black-forest-labs"
_TEXT = "hf://comfyanonymous/flux_text_encoders"
_KLEIN = "hf://Comfy-Org/vae-text-encorder-for-flux-klein"
_SD3_PARTS = ("clip_l", "clip_g", "t5xxl")
_ALL = (
    _sdxl("illustrious-0.1", "Illustrious-XL 0.1", "illustrious",
          "hf://OnomaAIResearch/Illustrious-xl-early-release-v0/Illustrious-XL-v0.1.safetensors", FAIR),
    _sdxl("noobai-eps-1.1", "NoobAI XL 1.1 (eps)", "noobai", "hf://Laxhar/noobai-XL-1.1/NoobAI-XL-v1.1.safetensors", FAIR, 7_100_000_000),
    _sdxl("noobai-vpred-1.0", "NoobAI XL 1.0 (v-prediction)", "noobai",
          "hf://Laxhar/noobai-XL-Vpred-1.0/NoobAI-XL-Vpred-v1.0.safetensors", FAIR, 7_100_000_000),
    _sdxl("pony-v6", "Pony Diffusion V6 XL", "pony",
          "https://civitai.com/api/download/models/290640?type=Model&format=SafeTensor&size=pruned&fp=fp16",
          "Fair AI Public License 1.0-SD, changed by its maker"),
    _sdxl("animagine-4.0", "Animagine XL 4.0", "animagine", "hf://cagliostrolab/animagine-xl-4.0/animagine-xl-4.0.safetensors", RAIL_XL),
    _sdxl("animagine-3.1", "Animagine XL 3.1", "animagine", "hf://cagliostrolab/animagine-xl-3.1/animagine-xl-3.1.safetensors", FAIR),
    _sdxl("sdxl-1.0", "SDXL 1.0", "sdxl", "hf://stabilityai/stable-diffusion-xl-base-1.0/sd_xl_base_1.0.safetensors", RAIL_XL,
          6_938_078_334, "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b"),
    NamedModel("sd-1.5", "Stable Diffusion 1.5", "sd15",
               "hf://stable-diffusion-v1-5/stable-diffusion-v1-5/v1-5-pruned-emaonly.safetensors", 4_270_000_000, RAIL),
    NamedModel("anylora", "AnyLoRA (SD 1.5)", "sd15", "hf://Lykon/AnyLoRA/AnyLoRA_noVae_fp16-pruned.safetensors", 2_130_000_000, RAIL),
    NamedModel("animefull", "animefull (SD 1.5)", "sd15",
               "hf://hollowstrawberry/stable-diffusion-guide/models/animefull-final-pruned-fp16.safetensors", 2_130_000_000, "not stated"),
    NamedModel("sd3.5-large", "Stable Diffusion 3.5 Large", "sd3", "hf://stabilityai/stable-diffusion-3.5-large/sd3.5_large.safetensors",
               16_460_000_000, STABILITY, gated=True, needs=_SD3_PARTS),
    NamedModel("sd3.5-medium", "Stable Diffusion 3.5 Medium", "sd3",
               "hf://stabilityai/stable-diffusion-3.5-medium/sd3.5_medium.safetensors", 5_110_000_000, STABILITY, gated=True,
               needs=_SD3_PARTS),
    NamedModel("flux1-dev", "FLUX.1 dev", "flux1", f"{_BFL}/FLUX.1-dev/flux1-dev.safetensors", 23_802_932_552, FLUX1, gated=True,
               needs=("clip_l", "t5xxl", "flux1-ae"), sha256="4610115bb0c89560703c892c59ac2742fa821e60ef5871b33493ba544683abd7"),
    NamedModel("flux2-dev", "FLUX.2 dev", "flux2_dev", f"{_BFL}/FLUX.2-dev/flux2-dev.safetensors", 64_400_000_000, FLUX2, gated=True,
               needs=("mistral-3-small", "flux2-ae")),
    NamedModel("flux2-klein-base-4b", "FLUX.2 klein base 4B", "flux2_klein",
               f"{_BFL}/FLUX.2-klein-base-4B/flux-2-klein-base-4b.safetensors", 7_751_105_712, APACHE, needs=("qwen3-4b", "flux2-ae")),
    NamedModel("flux2-klein-base-9b", "FLUX.2 klein base 9B", "flux2_klein",
               f"{_BFL}/FLUX.2-klein-base-9B/flux-2-klein-base-9b.safetensors", 18_200_000_000, FLUX2, gated=True,
               needs=("qwen3-8b", "flux2-ae")),
    _part("sdxl-vae", "SDXL's VAE, mended for fp16", "sdxl", "hf://madebyollin/sdxl-vae-fp16-fix/sdxl_vae.safetensors", 334_641_162, "MIT",
          "vae", save_as="sdxl_vae_fp16_fix.safetensors", sha256="235745af8d86bf4a4c1b5b4f529868b37019a10f7c0b2e79ad0abca3a22bc6e1"),
    _part("flux1-ae", "FLUX.1's VAE (ae)", "flux1", f"{_BFL}/FLUX.1-dev/ae.safetensors", 335_304_388, FLUX1, "vae", gated=True,
          save_as="flux1_ae.safetensors", sha256="afc8e28272cd15db3919bacdb6918ce9c1ed22e96cb12c4d5ed0fba823529e38"),
    _part("flux2-ae", "FLUX.2's VAE (ae)", "flux2_dev", f"{_BFL}/FLUX.2-dev/ae.safetensors", 336_000_000, FLUX2, "vae", gated=True,
          save_as="flux2_ae.safetensors"),
    _part("clip_l", "CLIP-L (FLUX.1, SD 3.5)", "flux1", f"{_TEXT}/clip_l.safetensors", 246_144_152, APACHE, "text encoder",
          sha256="660c6f5b1abae9dc498ac2d21e1347d2abdb0cf6c0c0c8576cd796491d9a6cdd"),
    _part("t5xxl", "T5-XXL fp16 (FLUX.1, SD 3.5)", "flux1", f"{_TEXT}/t5xxl_fp16.safetensors", 9_787_841_024, APACHE, "text encoder",
          sha256="6e480b09fae049a72d2a8c5fbccb8d3e92febeb233bbe9dfe7256958a9167635"),
    _part("clip_g", "CLIP-G (SD 3.5)", "sd3", "hf://Comfy-Org/stable-diffusion-3.5-fp8/text_encoders/clip_g.safetensors", 1_389_382_176,
          STABILITY, "text encoder"),
    _part("qwen3-4b", "Qwen3 4B (FLUX.2 klein 4B)", "flux2_klein", f"{_KLEIN}-4b/split_files/text_encoders/qwen_3_4b.safetensors",
          8_044_982_048, APACHE, "text encoder"),
    _part("qwen3-8b", "Qwen3 8B (FLUX.2 klein 9B)", "flux2_klein", f"{_KLEIN}-9b/split_files/text_encoders/qwen_3_8b.safetensors",
          16_381_517_176, APACHE, "text encoder"),
    _part("mistral-3-small", "Mistral 3 Small (FLUX.2 dev)", "flux2_dev",
          "hf://Comfy-Org/flux2-dev/split_files/text_encoders/mistral_3_small_flux2_bf16.safetensors", 35_600_000_000, APACHE,
          "text encoder"),
)
CATALOG: Mapping[str, NamedModel] = {model.name: model for model in _ALL}


def named_model(name: str) -> NamedModel:
    """A base model, a part, or a model of the picture tools. Raises: ConfigError: there is none of that name."""
    from core.models.image_catalog import IMAGE_CATALOG

    if name not in CATALOG and name not in IMAGE_CATALOG:
        raise ConfigError(f"No model is called {name!r}.",
                          f"Known: {', '.join((*CATALOG, *IMAGE_CATALOG))}. Any other is fetched by its address.")
    return CATALOG[name] if name in CATALOG else IMAGE_CATALOG[name]


def with_parts(name: str) -> list[NamedModel]:
    """A model and the parts that it needs. Raises: ConfigError: as `named_model`."""
    model = named_model(name)
    return [model, *(named_model(part) for part in model.needs)]
