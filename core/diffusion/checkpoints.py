"""Opening base models: diffusers folders, and single files in the original layout, whatever their size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError
from core.diffusion import FAMILIES

if TYPE_CHECKING:
    import torch

    from core.diffusion.model import DiffusionModel

LDM_SCHEDULER = {"_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
                 "num_train_timesteps": 1000, "steps_offset": 1, "prediction_type": "epsilon", "timestep_spacing": "leading",
                 "set_alpha_to_one": False}
"""What a single file of the Stable Diffusion line means when it says nothing."""


def open_checkpoint(path: Path, family: str | None, device: str | torch.device | None, dtype: torch.dtype | None, vae: str | Path | None,
                    vae_dtype: torch.dtype | None, tokenizer_dir: str | Path | None) -> DiffusionModel:
    """See core.diffusion.load_model."""
    import torch

    if not path.exists():
        raise ModelError(f"The model {path} does not exist.", "Check pretrained_model_name_or_path, or download the model first.")
    found = family_of(path)
    if family is not None and family != found:
        raise ModelError(f"{path.name} is a {FAMILIES.entry(found).title} model, but the settings say "
                         f"{FAMILIES.entry(family).title}.",
                         f"Choose the family {found!r}, or another model.")
    target = torch.device(device if device is not None else "cuda" if torch.cuda.is_available() else "cpu")
    kind = dtype or (torch.float16 if target.type == "cuda" else torch.float32)
    vae_kind = vae_dtype or (torch.float32 if found == "sdxl" else kind)
    parts = _open_folder(path, found) if path.is_dir() else _open_file(path, found, tokenizer_dir)
    if vae is not None:
        parts["vae"] = open_vae(Path(vae).expanduser(), found)
    model = FAMILIES.load(found)(path=path, device=target, dtype=kind, vae_dtype=vae_kind, **parts)
    for module in model.modules():
        module.requires_grad_(False).eval()
        # Module.to itself: diffusers' own warns about lists of modules that are empty here.
        torch.nn.Module.to(module, target, vae_kind if module is model.vae else kind)
    return model


def read_header(path: Path) -> dict[str, Any]:
    """The tensors' names, shapes and the metadata of a safetensors file, without reading the tensors.

    Raises: ModelError: it is no safetensors file, or cut off.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if size < 10 or length > min(size - 8, 100 << 20):
            raise ModelError(f"{path} is not a safetensors file, or it is cut off ({size} bytes).", "Download it again.")
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise ModelError(f"{path} is not a safetensors file.",
                             "Only .safetensors checkpoints are opened; convert older ones.") from error
    ends = [value["data_offsets"][1] for name, value in header.items() if name != "__metadata__"]
    if ends and size < 8 + length + max(ends):
        raise ModelError(f"{path} is cut off: {size} bytes of {8 + length + max(ends)}.", "Download it again.")
    return header


def family_of(path: Path) -> str:
    """"sd15" or "sdxl", read from the file's header or the folder's model_index.json.

    Raises: ModelError: it is something else, with what it seems to be.
    """
    if path.is_dir():
        index = path / "model_index.json"
        if not index.is_file():
            raise ModelError(f"{path} is a folder without model_index.json.", "Give a diffusers folder or a .safetensors file.")
        name = json.loads(index.read_text(encoding="utf-8")).get("_class_name", "")
        if name.startswith("StableDiffusionXL"):
            return "sdxl"
        if name.startswith("StableDiffusion") and "3" not in name:
            return "sd15"
        raise ModelError(f"{path} holds a {name or 'pipeline without a name'}, which the built-in trainer does not know.",
                         f"Known families: {', '.join(FAMILIES.names())}.")
    if path.suffix != ".safetensors":
        raise ModelError(f"{path.name} is not a .safetensors file.", "Convert the checkpoint to safetensors; other formats can carry code.")
    names = read_header(path)
    if any(name.startswith("model.diffusion_model.input_blocks.") for name in names):
        if "conditioner.embedders.1.model.token_embedding.weight" in names:
            return "sdxl"
        if any(name.startswith("cond_stage_model.transformer.") for name in names):
            return "sd15"
        if any(name.startswith("cond_stage_model.model.") for name in names):
            raise ModelError(f"{path.name} is a Stable Diffusion 2 model, which the built-in trainer does not know.",
                             "Use the sd-scripts backend.")
    if any(".lora_down." in name or ".lora_A." in name for name in names):
        raise ModelError(f"{path.name} is a LoRA, not a base model.", "Choose the checkpoint that the LoRA was made for.")
    for mark, title in (("double_blocks.", "FLUX"), ("joint_blocks.", "Stable Diffusion 3")):
        if any(mark in name for name in names):
            raise ModelError(f"{path.name} is a {title} model, which the built-in trainer does not know.", "Use the sd-scripts backend.")
    raise ModelError(f"{path.name} is not a Stable Diffusion 1.x or SDXL checkpoint with its text encoder.",
                     "Choose a full checkpoint, not a part of one.")


def _open_folder(path: Path, family: str) -> dict[str, Any]:
    import diffusers
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    _be_quiet()

    def load(cls: Any, part: str, **extra: Any) -> Any:
        try:
            return cls.from_pretrained(str(path / part), **extra)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"The part {part!r} of {path} cannot be loaded: {str(error).splitlines()[0]}",
                             "Download the model again.") from error

    config = path / "scheduler" / "scheduler_config.json"
    scheduler = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else dict(LDM_SCHEDULER)
    encoders = [load(CLIPTextModel, "text_encoder")]
    tokenizers = [load(CLIPTokenizer, "tokenizer")]
    if family == "sdxl":
        encoders.append(load(CLIPTextModelWithProjection, "text_encoder_2"))
        tokenizers.append(load(CLIPTokenizer, "tokenizer_2"))
    return {"unet": load(diffusers.UNet2DConditionModel, "unet"), "vae": open_vae(path / "vae", family), "text_encoders": encoders,
            "tokenizers": tokenizers, "scheduler_config": scheduler}


def _be_quiet() -> None:
    """No bars and notes of the libraries in a log that a person reads."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for library in (diffusers_logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


def open_vae(path: Path, family: str) -> Any:
    """A VAE of its own: a diffusers folder (AutoencoderKL or AutoencoderTiny) or a single file in the original layout.

    Raises: ModelError: missing or something else.
    """
    import diffusers

    if path.is_dir():
        folder = path if (path / "config.json").is_file() else path / "vae"
        if not (folder / "config.json").is_file():
            raise ModelError(f"There is no VAE in {path}.", "Give a folder with config.json, or a .safetensors file.")
        name = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("_class_name", "")
        if name not in ("AutoencoderKL", "AutoencoderTiny"):
            raise ModelError(f"{folder} holds a {name}, but a VAE of Stable Diffusion is needed.")
        return getattr(diffusers, name).from_pretrained(str(folder))
    if not path.is_file():
        raise ModelError(f"The VAE {path} does not exist.", "Leave the VAE empty to use the model's own.")
    from safetensors.torch import load_file

    from core.diffusion.conversion import vae_from

    read_header(path)
    return vae_from(load_file(path), FAMILIES.entry(family).options["scaling_factor"], str(path))


def _open_file(path: Path, family: str, tokenizer_dir: str | Path | None) -> dict[str, Any]:
    from safetensors.torch import load_file

    from core.diffusion.conversion import clip_from, open_clip_from, unet_from, vae_from
    from core.diffusion.prompts import find_tokenizer

    state = load_file(path)
    scheduler = dict(LDM_SCHEDULER)
    if "v_pred" in state:
        scheduler["prediction_type"] = "v_prediction"
    if "ztsnr" in state:
        scheduler |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    hub = ("openai/clip-vit-large-patch14",)
    if family == "sd15":
        encoders = [clip_from(state, "cond_stage_model.transformer.", str(path))]
        tokenizers = [find_tokenizer(path, tokenizer_dir, hub, encoders[0].config.vocab_size)]
    else:
        encoders = [clip_from(state, "conditioner.embedders.0.transformer.", str(path)),
                    open_clip_from(state, "conditioner.embedders.1.model.", str(path))]
        first = find_tokenizer(path, tokenizer_dir, hub, encoders[0].config.vocab_size)
        second = find_tokenizer(path, tokenizer_dir, hub, encoders[1].config.vocab_size)
        # OpenCLIP pads with token 0, which is "!" in CLIP's vocabulary.
        second.pad_token = second.convert_ids_to_tokens(0)
        tokenizers = [first, second]
    projection = encoders[-1].config.projection_dim
    vae = vae_from(state, FAMILIES.entry(family).options["scaling_factor"], str(path))
    return {"unet": unet_from(state, projection, str(path)), "vae": vae, "text_encoders": encoders, "tokenizers": tokenizers,
            "scheduler_config": scheduler}
