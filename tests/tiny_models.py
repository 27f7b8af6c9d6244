"""Tiny random base models from config only, as diffusers folders and as single files, for tests and benchmarks.

Widths are multiples of 32 (the groups of the original layout) and heads follow its rules, so that the folder and the
single file compute the same. Made without any network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.diffusion.names import clip_name, ldm_unet_name, ldm_vae_name, open_clip_name

TEXT_WIDTH = 64
SCHEDULER = {"_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
             "num_train_timesteps": 1000, "steps_offset": 1, "prediction_type": "epsilon", "timestep_spacing": "leading",
             "set_alpha_to_one": False, "clip_sample": False}


def write_tokenizer(folder: Path, pad: str = "<|endoftext|>") -> int:
    """A CLIP tokenizer of single letters and a few joined words; returns its number of entries."""
    codes = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(code) for code in codes] + [chr(256 + index) for index in range(256 - len(codes))]
    merges = [("h", "a"), ("ha", "i"), ("hai", "r</w>"), ("r", "e"), ("re", "d</w>"), ("c", "a"), ("ca", "t</w>")]
    words = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges) + "\n", encoding="utf-8")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": pad}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **special}))
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    return len(words)


def _text_encoder(words: int, projection: bool) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(vocab_size=words, hidden_size=TEXT_WIDTH, intermediate_size=2 * TEXT_WIDTH, num_hidden_layers=3,
                            num_attention_heads=1, projection_dim=TEXT_WIDTH, bos_token_id=words - 2, eos_token_id=words - 1,
                            pad_token_id=0 if projection else words - 1, hidden_act="gelu" if projection else "quick_gelu")
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


def make_parts(family: str, words: int, tiny_vae: bool = False, all_blocks: bool = False) -> dict[str, Any]:
    """UNet, VAE and text encoders with random weights.

    Args: family: "sd15" or "sdxl". tiny_vae: an AutoencoderTiny of factor 4. all_blocks: all of SD 1.x's blocks, only thinner.
    """
    from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel

    channels = 4
    if tiny_vae:
        widths, blocks = (16, 16, 16), (1, 1, 1)
        vae: Any = AutoencoderTiny(encoder_block_out_channels=widths, decoder_block_out_channels=widths, num_encoder_blocks=blocks,
                                   num_decoder_blocks=blocks, latent_channels=channels, upsampling_scaling_factor=2, scaling_factor=1.0)
    else:
        vae = AutoencoderKL(down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
                            block_out_channels=(32, 32, 32), layers_per_block=1, latent_channels=channels,
                            scaling_factor=0.13025 if family == "sdxl" else 0.18215)
    common = {"in_channels": channels, "out_channels": channels, "layers_per_block": 1, "sample_size": 16}
    if all_blocks:
        unet = UNet2DConditionModel(**{**common, "layers_per_block": 2}, block_out_channels=(32, 32, 64, 64), attention_head_dim=8,
                                    cross_attention_dim=TEXT_WIDTH)
        return {"unet": unet, "vae": vae, "text_encoder": _text_encoder(words, False)}
    if family == "sd15":
        unet = UNet2DConditionModel(**common, block_out_channels=(32, 64), down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                                    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=TEXT_WIDTH,
                                    attention_head_dim=8)
        return {"unet": unet, "vae": vae, "text_encoder": _text_encoder(words, False)}
    unet = UNet2DConditionModel(**common, block_out_channels=(32, 64), down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), cross_attention_dim=2 * TEXT_WIDTH,
                                attention_head_dim=(1, 1), transformer_layers_per_block=(1, 2), use_linear_projection=True,
                                addition_embed_type="text_time", addition_time_embed_dim=32,
                                projection_class_embeddings_input_dim=6 * 32 + TEXT_WIDTH)
    return {"unet": unet, "vae": vae, "text_encoder": _text_encoder(words, False), "text_encoder_2": _text_encoder(words, True)}


def make_model_folder(folder: Path, family: str = "sd15", seed: int = 0, prediction_type: str = "epsilon", tiny_vae: bool = False,
                      all_blocks: bool = False) -> Path:
    """A diffusers folder (about 2 MB). Args: tiny_vae, all_blocks: see `make_parts`."""
    import torch

    torch.manual_seed(seed)
    words = write_tokenizer(folder / "tokenizer")
    if family == "sdxl":
        write_tokenizer(folder / "tokenizer_2", pad="!")
    parts = make_parts(family, words, tiny_vae, all_blocks)
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    (folder / "scheduler").mkdir(exist_ok=True)
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps({**SCHEDULER, "prediction_type": prediction_type}))
    index: dict[str, Any] = {name: ["diffusers" if name in ("unet", "vae") else "transformers", type(part).__name__]
                             for name, part in parts.items()}
    index |= {"tokenizer": ["transformers", "CLIPTokenizer"], "scheduler": ["diffusers", "DDIMScheduler"],
              "_class_name": "StableDiffusionXLPipeline" if family == "sdxl" else "StableDiffusionPipeline", "_diffusers_version": "0.32.0"}
    if family == "sdxl":
        index["tokenizer_2"] = index["tokenizer"]
    else:
        index |= {"safety_checker": [None, None], "feature_extractor": [None, None]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def make_single_file(folder: Path, file: Path, family: str = "sd15") -> Path:
    """The folder's weights as one file in the original layout; its tokenizer lies in `tokenizer` beside the file."""
    import shutil

    import torch
    from safetensors.torch import save_file

    from core.diffusion import load_model

    model = load_model(folder, device="cpu", dtype=torch.float32)
    state = {f"model.diffusion_model.{ldm_unet_name(name, model.unet.config)}": value
             for name, value in model.unet.state_dict().items()}
    levels = len(model.vae.config.block_out_channels)
    for name, value in model.vae.state_dict().items():
        is_attention = "attentions" in name and value.ndim == 2
        state[f"first_stage_model.{ldm_vae_name(name, levels)}"] = value[:, :, None, None] if is_attention else value
    first = "cond_stage_model.transformer." if family == "sd15" else "conditioner.embedders.0.transformer."
    state |= {first + clip_name(name): value for name, value in model.text_encoders[0].state_dict().items()}
    if family == "sdxl":
        joined: dict[str, dict[str, Any]] = {}
        for name, value in model.text_encoders[1].state_dict().items():
            place, _, part = open_clip_name(name).partition("#")
            if part:
                joined.setdefault(place, {})[part] = value
            else:
                state[f"conditioner.embedders.1.model.{place}"] = value.T if place == "text_projection" else value
        state |= {f"conditioner.embedders.1.model.{place}": torch.cat([parts[key] for key in "qkv"]) for place, parts in joined.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous().clone() for name, value in state.items()}, file)
    shutil.copytree(folder / "tokenizer", file.parent / "tokenizer", dirs_exist_ok=True)
    return file


def make_pictures(folder: Path, sizes: list[tuple[int, int]], captions: list[str] | None = None, seed: int = 0) -> Path:
    """Small pictures of coloured noise with captions beside them."""
    import numpy
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    chance = numpy.random.default_rng(seed)
    for index, (width, height) in enumerate(sizes):
        colour = chance.integers(0, 200, 3)
        pixels = (colour + chance.integers(0, 56, (height, width, 3))).astype("uint8")
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
        caption = captions[index % len(captions)] if captions else f"mikoneko, red hair, cat, number {index}"
        (folder / f"{index:02d}.txt").write_text(caption, encoding="utf-8")
    return folder


def write_training_pair(folder: Path, model: Path, images: Path, dataset: dict[str, Any] | None = None,
                        subset: dict[str, Any] | None = None, **config: Any) -> tuple[Path, Path]:
    """config.toml and dataset.toml for a tiny run; further keys replace what stands here."""
    import toml

    folder.mkdir(parents=True, exist_ok=True)
    values = {"pretrained_model_name_or_path": str(model), "output_dir": str(folder / "checkpoints"), "output_name": "tiny",
              "max_train_epochs": 2, "learning_rate": 1e-3, "network_module": "networks.lora", "network_dim": 4, "network_alpha": 2,
              "optimizer_type": "AdamW", "mixed_precision": "no", "seed": 7, "cache_latents": True, **config}
    (folder / "config.toml").write_text(toml.dumps({"training": {key: value for key, value in values.items() if value is not None}}))
    table = {"resolution": 64, "batch_size": 2, "enable_bucket": True, "min_bucket_reso": 32, "max_bucket_reso": 128,
             "bucket_reso_steps": 32,
             **(dataset or {}), "subsets": [{"image_dir": str(images), "caption_extension": ".txt", "num_repeats": 1, **(subset or {})}]}
    (folder / "dataset.toml").write_text(toml.dumps({"datasets": [table]}))
    return folder / "config.toml", folder / "dataset.toml"


def break_vae(folder: Path) -> Path:
    """Let a model folder's VAE decode to NaN, as one does that overflows in half precision. Returns: the folder."""
    from safetensors.torch import load_file, save_file

    (file,) = (folder / "vae").glob("*.safetensors")
    weights = load_file(file)
    weights["decoder.conv_out.bias"].fill_(float("nan"))
    save_file(weights, file, {"format": "pt"})
    return folder
