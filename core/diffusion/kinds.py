"""What a base model is, from its header or its configs alone: the family, the kind of prediction, and what is no base model at all.

No tensor is read and torch is not needed. Names of tensors: kohya-ss/sd-scripts at 48d368fa (library/*_models.py) and
kohya-ss/musubi-tuner at 30c658c4 (flux_2, qwen_image, zimage models).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from core.base.errors import ModelError
from core.base.tensor_headers import Header, read_header
from core.diffusion import FAMILIES
from core.diffusion.parts import part_of

TITLES = {**{entry.name: entry.title for entry in FAMILIES}, "sd2": "Stable Diffusion 2", "sd3": "Stable Diffusion 3", "flux1": "FLUX.1",
          "flux2_dev": "FLUX.2 dev", "flux2_klein": "FLUX.2 klein", "chroma": "Chroma",
          "lumina2": "Lumina 2", "hunyuan_image": "HunyuanImage 2.1", "anima": "Anima",
          "qwen_image": "Qwen-Image", "z_image": "Z-Image"}
"""What a base model can be told to be, and how a person calls it; only those of FAMILIES are opened here."""
SD2_TEXT_WIDTH = 1024
"""Width of OpenCLIP ViT-H's text, which only Stable Diffusion 2 attends to (sd-scripts' V2_UNET_PARAMS_CONTEXT_DIM)."""
MARKS: tuple[tuple[str, str], ...] = (
    ("distilled_guidance_layer.", "chroma"), ("double_stream_modulation_img.", "flux2"), ("byt5_in.", "hunyuan_image"),
    ("adaln_modulation_cross_attn.", "anima"), ("cap_pad_token", "z_image"), ("cap_embedder.", "lumina2"), ("joint_blocks.", "sd3"),
    ("transformer_blocks.0.img_mod.", "qwen_image"), ("double_blocks.", "flux1"))
"""A part of a tensor's name that only one family has, or has after those before it."""
FLUX2_WIDTHS = {6144: ("flux2_dev", ""), 4096: ("flux2_klein", "9b"), 3072: ("flux2_klein", "4b")}
"""Width of FLUX.2's layers: which one it is (musubi-tuner's flux_2/flux2_models.py)."""
FOLDERS = (("Flux2Klein", "flux2_klein"), ("Flux2", "flux2_dev"), ("Flux", "flux1"), ("StableDiffusion3", "sd3"),
           ("Chroma", "chroma"), ("Lumina2", "lumina2"), ("HunyuanImage", "hunyuan_image"), ("QwenImage", "qwen_image"),
           ("ZImage", "z_image"))
"""Beginnings of the pipelines' names in model_index.json."""


class Kind(NamedTuple):
    """What a base model is."""

    family: str
    """A name of TITLES."""
    inputs: int = 4
    """Channels that its UNet takes; more than it gives where it is for inpainting (9) or editing (8)."""
    outputs: int = 4
    prediction: str = ""
    """"epsilon" or "v", where the file says it; empty: it does not."""
    version: str = ""
    """Of FLUX.2 klein "4b" or "9b", by the width of its layers; empty: it has no versions of several sizes."""


def kind_of(path: Path) -> Kind:
    """What a base model is, from its header or its configs alone; torch is not needed.

    Args: path: a .safetensors file or a diffusers folder; it exists.
    Raises: ModelError: it is no base model, or broken.
    """
    if path.is_dir():
        return _kind_of_folder(path)
    if path.suffix != ".safetensors":
        raise ModelError(f"{path.name} is not a .safetensors file.", "Convert the checkpoint to safetensors; other formats can carry code.")
    header = read_header(path)
    if found := _stable_diffusion(header):
        return found
    part = part_of(header.shapes)
    if part is not None and part.kind == "lora":
        raise ModelError(f"{path.name} is a LoRA, not a base model.", "Choose the checkpoint that the LoRA was made for.")
    for mark, family in MARKS:
        if any(mark in name for name in header.shapes):
            return _flux2(header) if family == "flux2" else Kind(family)
    if part is not None:
        raise ModelError(f"{path.name} is {part.words}, not a base model.", "Choose a full checkpoint; this file has a field of its own.")
    raise ModelError(f"{path.name} is not a Stable Diffusion 1.x or SDXL checkpoint with its text encoder.",
                     "Choose a full checkpoint, not a part of one.")


def _flux2(header: Header) -> Kind:
    """Which FLUX.2: by the width of the layer that takes the picture in (its name in the original layout and in diffusers')."""
    widths = [shape[0] for name, shape in header.shapes.items() if name.endswith(("img_in.weight", "x_embedder.weight"))]
    family, version = FLUX2_WIDTHS.get(widths[0] if widths else 0, ("flux2_dev", ""))
    return Kind(family, version=version)


def _stable_diffusion(header: Header) -> Kind | None:
    """The kind of a single file with a U-Net and its text encoder in the original layout; None: it is no such file."""
    shapes = header.shapes
    if not any(name.startswith("model.diffusion_model.input_blocks.") for name in shapes):
        return None
    first, last = (shapes.get(f"model.diffusion_model.{name}") for name in ("input_blocks.0.0.weight", "out.2.weight"))
    inputs, outputs = (first[1], last[0]) if first and last else (4, 4)
    if "conditioner.embedders.1.model.token_embedding.weight" in shapes:
        return Kind("sdxl", inputs, outputs, _prediction(header))
    if any(name.startswith("cond_stage_model.transformer.") for name in shapes):
        return Kind("sd15", inputs, outputs, _prediction(header))
    if any(name.startswith("cond_stage_model.model.") for name in shapes):
        return Kind("sd2", inputs, outputs, _prediction(header))
    return None


def _prediction(header: Header) -> str:
    """What the file says of its prediction: by a tensor that marks v-prediction (NoobAI), or in its metadata."""
    if "v_pred" in header.by_name:
        return "v"
    said = header.metadata.get("modelspec.prediction_type", "").lower()
    return {"v": "v", "v_prediction": "v", "epsilon": "epsilon", "eps": "epsilon"}.get(said, "")


def _kind_of_folder(path: Path) -> Kind:
    if not (path / "model_index.json").is_file():
        raise ModelError(f"{path} is a folder without model_index.json.", "Give a diffusers folder or a .safetensors file.")
    name = str(read_config(path / "model_index.json").get("_class_name", ""))
    for begin, family in FOLDERS:
        if name.startswith(begin):
            return Kind(family)
    if not name.startswith("StableDiffusion"):
        raise ModelError(f"{path} holds a {name or 'pipeline without a name'}, which the built-in trainer does not know.",
                         f"Known families: {', '.join(FAMILIES.names())}.")
    unet = read_config(path / "unet/config.json") if (path / "unet/config.json").is_file() else {}
    inputs, outputs = int(unet.get("in_channels") or 4), int(unet.get("out_channels") or 4)
    scheduler = path / "scheduler/scheduler_config.json"
    said = str(read_config(scheduler).get("prediction_type", "")) if scheduler.is_file() else ""
    prediction = {"v_prediction": "v", "epsilon": "epsilon"}.get(said, "")
    if name.startswith("StableDiffusionXL"):
        return Kind("sdxl", inputs, outputs, prediction)
    return Kind("sd2" if unet.get("cross_attention_dim") == SD2_TEXT_WIDTH else "sd15", inputs, outputs, prediction)


def size_multiple_of(path: Path) -> int:
    """Of how many pixels the sides of a picture must be multiples that a Stable Diffusion model takes, from its configs alone.

    Args: path: a .safetensors file or a diffusers folder, which is one of a family with a U-Net.
    Raises: ModelError: it is no such model, or broken.
    """
    family = kind_of(path).family
    if path.is_file():
        return {"sdxl": 32}.get(family, 64)  # a VAE of 8 pixels a latent, a U-Net that halves twice (SDXL) or three times
    unet, vae = (read_config(path / part / "config.json") for part in ("unet", "vae"))
    halvings = [len(config.get("block_out_channels") or config.get("encoder_block_out_channels") or ()) - 1 for config in (unet, vae)]
    if min(halvings) < 0:
        raise ModelError(f"{path} does not say how its U-Net and VAE are built.", "Download the model again.")
    return int(2 ** sum(halvings))


def read_config(path: Path) -> dict[str, Any]:
    """One of a diffusers folder's JSON files. Raises: ModelError: missing, or no JSON object."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}.", "Download the model again.") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path} is not the config of a model.", "Download the model again.")
    return values
