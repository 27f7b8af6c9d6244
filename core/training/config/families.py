"""The model families as they are trained: by which trainer and script, with which network, which files beside the base model.

Source: kohya-ss/sd-scripts at 48d368fa, kohya-ss/musubi-tuner at 30c658c4; the multiples are what each script asserts of
bucket_reso_steps (musubi-tuner: the step that it takes itself), the fixed arguments what it asserts or cannot do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.base.errors import ConfigError
from core.base.families import caption_family

UNET = ("sd15", "sd2", "sdxl")
"""Families with a U-Net: noise is predicted at timesteps of a noise schedule."""
MUSUBI = ("flux2_dev", "flux2_klein", "qwen_image", "z_image", "flux1_kontext")
"""Families that musubi-tuner trains: pictures and captions are always encoded first, the text encoder is never taught."""
SD_SCRIPTS = (*UNET, "sd3", "flux1", "chroma", "lumina2", "hunyuan_image", "anima")
"""Families that sd-scripts trains."""
FLOW = ("sd3", "flux1", "chroma", "lumina2", "hunyuan_image", "anima", *MUSUBI)
"""Families with a transformer, trained by flow matching."""
Trainer = Literal["sd-scripts", "musubi"]
TRAINER_TITLES: Mapping[Trainer, str] = {"sd-scripts": "sd-scripts", "musubi": "musubi-tuner"}


@dataclass(frozen=True)
class TrainedModel:
    """How one family is trained."""

    name: str
    script: str
    """The trainer's script that trains a LoRA of it."""
    network_module: str
    """The trainer's own LoRA for it."""
    bucket_multiple: int
    """Of what bucket_reso_steps must be a multiple."""
    components: tuple[str, ...] = ()
    """Files that must be given beside the base model, by their arguments."""
    full_script: str = ""
    """The script that trains the whole model; empty: there is none."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that are always the same for it, unless a setting of that name acts and says otherwise."""
    trainer: Trainer = "sd-scripts"
    """Whose scripts these are; the built-in trainer stands beside, for the families of `core.diffusion.FAMILIES`."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What the trainer calls arguments that bear another name here."""

    @property
    def title(self) -> str:
        """Shown to a person."""
        return caption_family(self.name).title

    @property
    def trainer_title(self) -> str:
        """The trainer's own name."""
        return TRAINER_TITLES[self.trainer]

    @property
    def cache_scripts(self) -> tuple[str, ...]:
        """The scripts that encode pictures and captions before the training; empty where the script does it itself."""
        if self.trainer != "musubi":
            return ()
        start = self.script.removesuffix("train_network.py")
        return f"{start}cache_latents.py", f"{start}cache_text_encoder_outputs.py"


MUSUBI_NAMES = {"pretrained_model_name_or_path": "dit", "cpu_offload_checkpointing": "gradient_checkpointing_cpu_offload",
                "use_flash_attn": "flash_attn", "torch_compile": "compile", "dynamo_backend": "compile_backend",
                "disable_mmap_load_safetensors": "disable_numpy_memmap"}
"""What musubi-tuner calls the arguments that sd-scripts has too."""
CACHE_ARGUMENTS = {"vae_batch_size": (0, "batch_size"), "text_encoder_batch_size": (1, "batch_size")}
"""Arguments that only a cache script takes: which of `TrainedModel.cache_scripts`, and what it calls them."""
START_ARGUMENTS = ("metadata_trigger_phrase",)
"""Arguments that no script of musubi-tuner takes: `custom/train_by_musubi.py`, which starts it, sees to them."""
KLEIN_VERSION = "klein-base-9b"
"""The FLUX.2 klein that is meant where nothing is said; only the base models of klein can be trained."""


def _musubi(name: str, start: str, network: str, components: tuple[str, ...], version: str = "", **names: str) -> TrainedModel:
    return TrainedModel(name, f"{start}_train_network.py", network, 16, components, fixed={"model_version": version} if version else {},
                        trainer="musubi", names={**MUSUBI_NAMES, **names})


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
    _musubi("flux2_dev", "flux_2", "networks.lora_flux_2", ("vae", "text_encoder"), "dev", fp8_vl="fp8_text_encoder"),
    _musubi("flux2_klein", "flux_2", "networks.lora_flux_2", ("vae", "text_encoder"), KLEIN_VERSION, fp8_vl="fp8_text_encoder"),
    _musubi("qwen_image", "qwen_image", "networks.lora_qwen_image", ("vae", "text_encoder")),
    _musubi("z_image", "zimage", "networks.lora_zimage", ("vae", "text_encoder"), fp8_vl="fp8_llm"),
    _musubi("flux1_kontext", "flux_kontext", "networks.lora_flux", ("t5xxl", "clip_l", "ae"), fp8_vl="fp8_t5", t5xxl="text_encoder1",
            clip_l="text_encoder2", ae="vae"),
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
        raise ConfigError(f"{model.trainer_title} has no script that trains the whole model of {model.title}.", "Train a LoRA.")
    return script


def model_of_script(script: str) -> TrainedModel | None:
    """The first family that a script trains; None: none. Families of one script share all names of arguments."""
    return next((model for model in _ALL if script in (model.script, model.full_script)), None)
