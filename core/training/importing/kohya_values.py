"""Names and values of the kohya_ss GUI that differ from sd-scripts'. Source: bmaltais/kohya_ss at 45088f04, as in `kohya_gui`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FAMILIES: Mapping[str, str] = {"sdxl": "sdxl", "flux1_checkbox": "flux1", "sd3_checkbox": "sd3", "hunyuan_image_checkbox": "hunyuan_image",
                               "anima_checkbox": "anima", "lumina_checkbox": "lumina2"}
"""Boxes, in the order in which the GUI looks at them, and the family that each chooses."""
PREFIXES: Mapping[str, str] = {"sdxl_": "sdxl", "flux1_": "flux1", "sd3_": "sd3", "hunyuan_image_": "hunyuan_image",
                               "hunyuan_": "hunyuan_image", "anima_": "anima", "lumina_": "lumina2"}
"""Beginnings of names that belong to one family; without it the name is sd-scripts'."""
RENAMED: Mapping[str, str] = {"max_resolution": "resolution", "optimizer": "optimizer_type", "lora_network_weights": "network_weights"}
ZERO_IS_OFF = frozenset((
    "adaptive_noise_scale", "noise_offset", "multires_noise_iterations", "min_snr_gamma", "ip_noise_gamma", "clip_skip", "min_timestep",
    "max_timestep", "v_pred_like_loss", "vae_batch_size", "vae_chunk_size", "save_every_n_epochs", "save_every_n_steps",
    "save_last_n_epochs", "save_last_n_epochs_state", "save_last_n_steps", "save_last_n_steps_state", "sample_every_n_epochs",
    "sample_every_n_steps", "seed", "scale_weight_norms", "network_dropout", "blocks_to_swap", "text_encoder_batch_size",
    "lr_scheduler_num_cycles", "lr_scheduler_power", "gemma2_max_token_length"))
"""Arguments that the GUI does not write, or that switch nothing on, where they are 0."""
SAYS_NOTHING: Mapping[str, int] = {"max_timestep": 1000}
"""Values that are the same as none."""
LAUNCH = "it is of the machine that it was saved on; how many GPUs train is chosen under 'Several GPUs'"
SCREEN = "it belongs to the GUI's screen"
GUI_ONLY: Mapping[str, str] = {
    **dict.fromkeys(("num_processes", "num_machines", "multi_gpu", "gpu_ids", "main_process_port", "num_cpu_threads_per_process",
                     "extra_accelerate_launch_args", "dynamo_backend", "dynamo_mode", "dynamo_use_dynamic", "dynamo_use_fullgraph"),
                    LAUNCH),
    **dict.fromkeys(("model_list", "save_as_bool", "headless", "print_only", "use_wandb", "lowvram"), SCREEN),
    "split_mode": "sd-scripts calls it deprecated; blocks_to_swap takes its place",
    "single_blocks_to_swap": "sd-scripts calls it deprecated; blocks_to_swap takes its place",
    "double_blocks_to_swap": "sd-scripts calls it deprecated; blocks_to_swap takes its place",
}
"""Names that become no argument, and why."""
USUAL: Mapping[str, tuple[Any, ...]] = {"num_processes": (1,), "num_machines": (1,), "num_cpu_threads_per_process": (1, 2),
                                        "dynamo_backend": ("no",), "dynamo_mode": ("default",), "model_list": ("custom",)}
"""Values with which they say nothing."""


def number(value: Any) -> int | float | None:
    """A number that may be given as text; None: it is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return value
    try:
        found = float(str(value).strip())
    except ValueError:
        return None
    return int(found) if found.is_integer() and "e" not in str(value).lower() and "." not in str(value) else found
