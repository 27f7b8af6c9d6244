"""What the built-in trainer does with each key of sd-scripts' configuration that it has no option for."""

from __future__ import annotations

HARMLESS = frozenset({
    "config_file", "dataset_config", "output_config", "debug_dataset", "console_log_level", "console_log_file", "console_log_simple",
    "log_with", "log_prefix", "log_tracker_name", "log_tracker_config", "log_config", "wandb_run_name", "wandb_api_key",
    "huggingface_repo_id", "huggingface_repo_type", "huggingface_path_in_repo", "huggingface_token", "huggingface_repo_visibility",
    "save_state_to_huggingface", "resume_from_huggingface", "async_upload", "xformers", "sdpa", "mem_eff_attn", "lowram", "highvram",
    "max_data_loader_n_workers", "persistent_data_loader_workers", "ddp_timeout", "ddp_gradient_as_bucket_view", "ddp_static_graph",
    "dynamo_backend", "torch_compile", "cache_info", "skip_cache_check", "disable_mmap_load_safetensors",
    "huber_c", "huber_schedule", "huber_scale", "validation_seed",
    "validate_every_n_steps", "validate_every_n_epochs", "max_validation_steps", "token_warmup_min", "dataset_class", "deepspeed",
    "zero_stage", "cpu_offload_checkpointing", "fused_backward_pass", "skip_until_initial_step", "loss_type", "train_data_dir",
    "reg_data_dir", "in_json", "caption_extention", "metadata_thumbnail", "network_multiplier",
})
"""Keys that change speed, memory, logs or nothing at all for this trainer: taken silently."""

UNSUPPORTED: dict[str, str] = {
    "v2": "Stable Diffusion 2 is trained by the sd-scripts backend.",
    "color_aug": "Prepare the images beforehand, or use the sd-scripts backend.",
    "random_crop": "Crop the images beforehand, or use the sd-scripts backend.",
    "face_crop_aug_range": "Crop the images beforehand, or use the sd-scripts backend.",
    "alpha_mask": "Use the sd-scripts backend for masked training.",
    "masked_loss": "Use the sd-scripts backend for masked training.",
    "conditioning_data_dir": "Use the sd-scripts backend for masked training.",
    "metadata_file": "Use a folder of images with captions beside them (image_dir).",
    "token_warmup_step": "Leave it 0, or use the sd-scripts backend.",
    "weighted_captions": "Write the captions without weights, or use the sd-scripts backend.",
    "full_fp16": "Leave it out: the LoRA's own weights stay in full precision here.",
    "full_bf16": "Leave it out: the LoRA's own weights stay in full precision here.",
    "fp8_base": "Use the sd-scripts backend.",
    "fp8_base_unet": "Use the sd-scripts backend.",
    "dim_from_weights": "Set network_dim to the rank of the file in network_weights.",
    "base_weights": "Merge the LoRA into the model first.",
    "base_weights_multiplier": "Merge the LoRA into the model first.",
    "scale_weight_norms": "Use the sd-scripts backend.",
    "lr_scheduler_type": "Choose one of the schedulers of lr_scheduler.",
    "initial_epoch": "Use resume, which finds the place by itself.",
    "initial_step": "Use resume, which finds the place by itself.",
    "validation_split": "Leave it 0, or use the sd-scripts backend.",
    "use_8bit_adam": 'Write optimizer_type = "AdamW8bit".',
    "use_lion_optimizer": 'Write optimizer_type = "lion_pytorch.Lion".',
    "custom_attributes": "Leave it out, or use the sd-scripts backend.",
    "resize_interpolation": "Leave it out: area averaging shrinks, Lanczos enlarges.",
}
"""Keys that change the result and cannot be honoured: refused when they are set to something that acts."""
