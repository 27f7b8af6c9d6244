"""Files of other programs, made in code: a safetensors file with metadata, and the JSON of a GUI."""

import json
from pathlib import Path

from tests.tensor_files import write_tensors


def write_lora(path: Path, metadata: dict[str, str], tensors: tuple[str, ...] = ("lora_unet_a.lora_down.weight",), dtype: str = "F16"
               ) -> Path:
    """A safetensors file of one number for each tensor."""
    return write_tensors(path, dict.fromkeys(tensors, (1,)), dtype, metadata)


def write_gui(path: Path, **values) -> Path:
    """A file of kohya_ss as its LoRA tab saves it: what nobody touched is there too."""
    usual = {
        "LoRA_type": "Standard", "LyCORIS_preset": "full", "adaptive_noise_scale": 0, "additional_parameters": "", "block_dims": "",
        "bucket_no_upscale": True, "bucket_reso_steps": 64, "cache_latents": True, "cache_latents_to_disk": True,
        "caption_dropout_every_n_epochs": 0.0, "caption_dropout_rate": 0, "caption_extension": ".txt", "clip_skip": "2",
        "color_aug": False, "conv_alpha": 1, "conv_dim": 1, "decompose_both": False, "dora_wd": False, "dynamo_backend": "no",
        "enable_bucket": True, "epoch": 8, "factor": -1, "flip_aug": False, "flux1_checkbox": False, "fp8_base": False,
        "gradient_accumulation_steps": "2", "gradient_checkpointing": True, "keep_tokens": "1", "learning_rate": 0.0001,
        "logging_dir": "/workspace/log", "lr_scheduler": "cosine", "lr_scheduler_args": "", "lr_scheduler_num_cycles": "",
        "lr_scheduler_power": "", "lr_warmup": 10, "max_bucket_reso": 2048, "max_data_loader_n_workers": "0", "max_resolution": "768,512",
        "max_timestep": 1000, "max_token_length": "75", "max_train_epochs": "", "max_train_steps": "", "min_bucket_reso": 256,
        "min_snr_gamma": 0, "min_timestep": 0, "mixed_precision": "bf16", "model_list": "custom", "module_dropout": 0,
        "multires_noise_discount": 0.3, "multires_noise_iterations": 6, "network_alpha": 8, "network_dim": 16, "network_dropout": 0,
        "noise_offset": 0, "noise_offset_type": "Multires", "num_processes": 1, "optimizer": "adamw8bit",
        "optimizer_args": "weight_decay=0.1 betas=\"0.9,0.99\"", "output_dir": "", "output_name": "miko",
        "pretrained_model_name_or_path": "someone/model", "prior_loss_weight": 1.0, "reg_data_dir": "", "sample_prompts": "",
        "save_every_n_epochs": 1, "save_every_n_steps": 0, "save_model_as": "safetensors", "save_precision": "fp16",
        "scale_weight_norms": 0, "sd3_checkbox": False, "sdxl": False, "sdxl_no_half_vae": False, "seed": "", "shuffle_caption": True,
        "stop_text_encoder_training": 0, "text_encoder_lr": 5e-05, "train_batch_size": 2, "train_data_dir": "", "unet_lr": 0.0001,
        "unit": 1, "v2": False, "v_parameterization": False, "vae": "", "vae_batch_size": 0, "wandb_api_key": "",
        "weighted_captions": False, "xformers": "sdpa"}
    path.write_text(json.dumps({**usual, **values}))
    return path


def reasons(imported) -> dict[str, str]:
    """What was left out: name to reason."""
    return {name: reason for name, _, reason in imported.unmapped}
