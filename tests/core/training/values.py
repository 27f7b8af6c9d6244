"""Another valid value for any setting."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

SPECIAL: dict[str, Any] = {
    "subsets": [{"image_dir": "/pictures/a", "num_repeats": 7}], "sample_prompts": ["mikoneko, smile --s 9"], "resolution_height": 640,
    "network_args": ["verbose=True"], "optimizer_args": ["weight_decay=0.1"], "lr_warmup_steps": 77, "lr_decay_steps": 33,
    "optimizer_type": "AdamW", "base_weights": ["/loras/a.safetensors"], "base_weights_multiplier": [0.5], "token_warmup_step": 0.25,
    "lr_scheduler_args": ["step_rules='1:10,0.1'"], "face_crop_aug_range": [2.0, 4.0], "extra_options": ["ddp_timeout = 30"],
    "down_lr_weight": "0,1", "gemma2_max_token_length": 300, "block_dims": "4,4", "output_name": "another",
    "gpu_ids": "1,0", "main_process_port": 29511,
}


def another_value(name: str, field: FieldInfo, present: Any) -> Any:
    """A valid value that differs from the present one."""
    if name in SPECIAL:
        return SPECIAL[name]
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if kind is not type(None)]
    for kind in kinds:
        if get_origin(kind) is Literal:
            return next(choice for choice in get_args(kind) if choice != present)
    kind = next(kind for kind in kinds if kind in (bool, int, float, str))
    if kind is bool:
        return not present
    if kind is int:
        return 8 if present is None else present - 1 if present > 400 else present + 1
    if kind is float:
        return 0.5 if present != 0.5 else 0.25
    return ".caption" if name == "caption_extension" else "/somewhere/another"
