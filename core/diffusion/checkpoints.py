"""Opening base models: diffusers folders, and single files in the original layout, whatever their size."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError
from core.base.paths import typed_path
from core.base.tensor_headers import read_header
from core.diffusion import FAMILIES
from core.diffusion.cpu import tune_for_cpu
from core.diffusion.kinds import TITLES, kind_of, read_config

if TYPE_CHECKING:
    import torch

    from core.diffusion.model import DiffusionModel

LDM_SCHEDULER = {"_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
                 "num_train_timesteps": 1000, "steps_offset": 1, "prediction_type": "epsilon", "timestep_spacing": "leading",
                 "set_alpha_to_one": False}
"""What a single file of the Stable Diffusion line means when it says nothing."""
WEIGHTS = re.compile(r"(?:diffusion_pytorch_model|pytorch_model|model)(?:\.(?P<variant>[^.]+?))?(?:-\d+-of-\d+)?\.(?:safetensors|bin)")
"""Names of weight files as diffusers and transformers write them, with the variant of which there may be several ("fp16")."""


def open_checkpoint(path: Path, family: str | None, device: str | torch.device | None, dtype: torch.dtype | None, vae: str | Path | None,
                    vae_dtype: torch.dtype | None, tokenizer_dir: str | Path | None, inpainting: bool = False) -> DiffusionModel:
    """See core.diffusion.load_model."""
    logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(_is_no_noise)
    import torch

    if not path.exists():
        raise ModelError(f"The model {path} does not exist.", "Check pretrained_model_name_or_path, or download the model first.")
    found = family_of(path, inpainting)
    if family is not None and family != found:
        raise ModelError(f"{path.name} is a {FAMILIES.entry(found).title} model, but the settings say "
                         f"{FAMILIES.entry(family).title}.",
                         f"Choose the family {found!r}, or another model.")
    target = torch.device(device if device is not None else "cuda" if torch.cuda.is_available() else "cpu")
    if target.type == "cpu" and not inpainting:
        tune_for_cpu()
    kind = dtype or (torch.float16 if target.type == "cuda" else torch.float32)
    vae_kind = vae_dtype or (torch.float32 if found == "sdxl" else kind)
    parts = _open_folder(path, found) if path.is_dir() else _open_file(path, found, tokenizer_dir)
    if vae is not None:
        parts["vae"] = open_vae(typed_path(vae), found)
    model = FAMILIES.load(found)(path=path, device=target, dtype=kind, vae_dtype=vae_kind, **parts)
    for module in model.modules():
        module.requires_grad_(False).eval()
        # Module.to itself: diffusers' own warns about lists of modules that are empty here.
        torch.nn.Module.to(module, target, vae_kind if module is model.vae else kind)
    return model


def family_of(path: Path, inpainting: bool = False) -> str:
    """"sd15" or "sdxl", read from the file's header or the folder's model_index.json.

    Args: inpainting: whether models that were made for inpainting or editing will do.
    Raises: ModelError: it is something else that cannot be trained or drawn with here, with what it seems to be.
    """
    kind = kind_of(path)
    if kind.inputs != kind.outputs and not inpainting:
        raise ModelError(f"{path.name} is an inpainting or editing model: its UNet takes {kind.inputs} channels and gives {kind.outputs}.",
                         "Choose the ordinary model that it was made from.")
    if kind.family not in FAMILIES:
        raise ModelError(f"{path.name} is a {TITLES[kind.family]} model, which the built-in trainer does not know and nothing here can "
                         "draw with.", "Train it with the sd-scripts backend, or choose an SD 1.x or SDXL model.")
    return kind.family


def _open_folder(path: Path, family: str) -> dict[str, Any]:
    import diffusers
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    _be_quiet()

    config = path / "scheduler" / "scheduler_config.json"
    scheduler = read_config(config) if config.is_file() else dict(LDM_SCHEDULER)
    encoders = [_load_part(CLIPTextModel, path / "text_encoder")]
    tokenizers = [_load_part(CLIPTokenizer, path / "tokenizer")]
    if family == "sdxl":
        encoders.append(_load_part(CLIPTextModelWithProjection, path / "text_encoder_2"))
        tokenizers.append(_load_part(CLIPTokenizer, path / "tokenizer_2"))
    unet = _load_part(diffusers.UNet2DConditionModel, path / "unet")
    return {"unet": unet, "vae": open_vae(path / "vae", family), "text_encoders": encoders, "tokenizers": tokenizers,
            "scheduler_config": scheduler}


def _load_part(cls: Any, folder: Path) -> Any:
    """A model or tokenizer of a diffusers folder; weights of a variant (fp16) where there are no others.

    Raises: ModelError: missing or broken.
    """
    from safetensors import SafetensorError

    if not folder.is_dir():
        raise ModelError(f"{folder.parent} has no part {folder.name!r}.", "Choose a whole diffusers folder, or download the model again.")
    found = [match for file in sorted(folder.iterdir()) if (match := WEIGHTS.fullmatch(file.name))]
    variants = [match["variant"] for match in found]
    extra = {"variant": variants[0]} if variants and None not in variants else {}
    try:
        return cls.from_pretrained(str(folder), local_files_only=True, **extra)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(f"The part {folder.name!r} of {folder.parent} cannot be loaded: {said}",
                         "Download the model again.") from error


def _is_no_noise(record: logging.LogRecord) -> bool:
    """All but one line: bitsandbytes, which diffusers imports, misses a package for 4-bit weights on a CPU, which nothing here has."""
    return not str(record.msg).startswith("Failed to load CPU gemm_4bit_forward from kernels-community")


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
        name = read_config(folder / "config.json").get("_class_name", "")
        if name not in ("AutoencoderKL", "AutoencoderTiny"):
            raise ModelError(f"{folder} holds a {name}, but a VAE of Stable Diffusion is needed.")
        return _load_part(getattr(diffusers, name), folder)
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
