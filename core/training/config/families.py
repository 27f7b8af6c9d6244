"""The model families as sd-scripts trains them: which script, which network, which files beside the base model.

Source: kohya-ss/sd-scripts at 48d368fa; the multiples are what each script asserts of bucket_reso_steps, the fixed arguments what it
asserts or cannot do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.base.errors import ConfigError
from core.base.families import caption_family

UNET = ("sd15", "sd2", "sdxl")
"""Families with a U-Net: noise is predicted at timesteps of a noise schedule."""
FLOW = ("sd3", "flux1", "chroma", "lumina2", "hunyuan_image", "anima")
"""Families with a transformer, trained by flow matching."""


@dataclass(frozen=True)
class TrainedModel:
    """How one family is trained."""

    name: str
    script: str
    """sd-scripts' script that trains a LoRA of it."""
    network_module: str
    """sd-scripts' own LoRA for it."""
    bucket_multiple: int
    """Of what bucket_reso_steps must be a multiple."""
    components: tuple[str, ...] = ()
    """Files that must be given beside the base model, by their arguments."""
    full_script: str = ""
    """The script that trains the whole model; empty: there is none."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that are always the same for it."""

    @property
    def title(self) -> str:
        """Shown to a person."""
        return caption_family(self.name).title


_ALL = (
    TrainedModel("sd15", "train_network.py", "networks.lora", 64, full_script="train_db.py"),
    TrainedModel("sd2", "train_network.py", "networks.lora", 64, full_script="train_db.py", fixed={"v2": True}),
    TrainedModel("sdxl", "sdxl_train_network.py", "networks.lora", 32, full_script="sdxl_train.py"),
    TrainedModel("sd3", "sd3_train_network.py", "networks.lora_sd3", 32, ("clip_l", "clip_g", "t5xxl"), "sd3_train.py"),
    TrainedModel("flux1", "flux_train_network.py", "networks.lora_flux", 64, ("clip_l", "t5xxl", "ae"), "flux_train.py",
                 {"model_type": "flux"}),
    TrainedModel("chroma", "flux_train_network.py", "networks.lora_flux", 64, ("t5xxl", "ae"), "flux_train.py",
                 {"model_type": "chroma", "apply_t5_attn_mask": True}),
    TrainedModel("lumina2", "lumina_train_network.py", "networks.lora_lumina", 64, ("gemma2", "ae"), "lumina_train.py"),
    TrainedModel("hunyuan_image", "hunyuan_image_train_network.py", "networks.lora_hunyuan_image", 64, ("text_encoder", "byt5", "vae")),
    TrainedModel("anima", "anima_train_network.py", "networks.lora_anima", 16, ("qwen3", "vae"), "anima_train.py"),
)
TRAINED_MODELS: Mapping[str, TrainedModel] = {model.name: model for model in _ALL}


def trained_model(family: str) -> TrainedModel:
    """How a family is trained. Raises: ConfigError: none has that name."""
    if family not in TRAINED_MODELS:
        raise ConfigError(f"No model family that can be trained is called {family!r}.", f"Known: {', '.join(TRAINED_MODELS)}.")
    return TRAINED_MODELS[family]


def script_for(family: str, method: str = "lora") -> str:
    """The script's file name. Args: method: "lora" or "full". Raises: ConfigError: there is no script for it."""
    model = trained_model(family)
    script = model.script if method == "lora" else model.full_script
    if not script:
        raise ConfigError(f"sd-scripts has no script that trains the whole model of {model.title}.", "Train a LoRA.")
    return script
