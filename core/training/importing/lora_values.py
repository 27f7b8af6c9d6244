"""What stands in a LoRA file's metadata: names, versions of base models, and values that must be taken apart.

Source: kohya-ss/sd-scripts at 48d368fa (train_network.py, library/*_util.py).
"""

from __future__ import annotations

import ast
from typing import Any

from core.base.paths import DEMO_VERSION
from core.base.tensor_headers import Header
from core.training.config.optimizers import known_optimizers

VERSIONS = (("sd_v1", "sd15"), ("sd_v2", "sd2"), ("sdxl_", "sdxl"), ("flux1", "flux1"), ("chroma", "chroma"), ("lumina2", "lumina2"),
            ("hunyuan-image-2.1", "hunyuan_image"), ("anima", "anima"), ("sd3", "sd3"), ("5-large", "sd3"), ("5-medium", "sd3"),
            ("medium", "sd3"), (DEMO_VERSION, "sd15"))
"""Beginnings of ss_base_model_version and the family whose settings it takes; sd3_utils.py calls SD 3 after its size alone."""
PREDICTIONS = ("sd15", "sd2", "sdxl")
"""Families of which there are models with v-prediction."""
SAME_NAMED = frozenset((
    "learning_rate", "text_encoder_lr", "unet_lr", "gradient_checkpointing", "gradient_accumulation_steps", "lr_warmup_steps",
    "lr_scheduler", "network_module", "network_dim", "network_alpha", "network_dropout", "mixed_precision", "full_fp16", "clip_skip",
    "max_token_length", "cache_latents", "seed", "lowram", "noise_offset", "multires_noise_iterations", "multires_noise_discount",
    "adaptive_noise_scale", "zero_terminal_snr", "training_comment", "max_grad_norm", "caption_dropout_rate",
    "caption_dropout_every_n_epochs", "caption_tag_dropout_rate", "face_crop_aug_range", "prior_loss_weight", "min_snr_gamma",
    "scale_weight_norms", "ip_noise_gamma", "debiased_estimation_loss", "noise_offset_random_strength", "ip_noise_gamma_random_strength",
    "loss_type", "huber_schedule", "huber_scale", "huber_c", "fp8_base", "fp8_base_unet", "validation_seed", "validation_split",
    "max_validation_steps", "validate_every_n_epochs", "validate_every_n_steps", "resize_interpolation", "output_name",
    "apply_t5_attn_mask", "apply_lg_attn_mask", "weighting_scheme", "logit_mean", "logit_std", "mode_scale", "guidance_scale",
    "timestep_sampling", "sigmoid_scale", "model_prediction_type", "discrete_flow_shift"))
"""Arguments that stand in the metadata under their own names."""
SAID_OTHERWISE = {"debiased_estimation": "debiased_estimation_loss"}
FACTS = frozenset((
    "session_id", "training_started_at", "training_finished_at", "num_train_images", "num_validation_images", "num_reg_images",
    "sd_scripts_commit_hash", "steps", "epoch", "tag_frequency", "bucket_info", "total_batch_size"))
"""What happened, not what was chosen."""
MODELSPEC = ("title", "author", "description", "license", "tags", "usage_hint", "trigger_phrase", "merged_from")
DTYPES = {"F16": "fp16", "BF16": "bf16", "F32": "float"}


def optimizer_of(text: str) -> tuple[str, list[str]] | None:
    """The optimizer's name and arguments out of "torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99))"; None: not known."""
    try:
        found = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    call = found if isinstance(found, ast.Call) else None
    name = _optimizer_named(ast.unparse(call.func if call else found))
    if not name:
        return None
    return name, [f"{keyword.arg}={_argument(ast.unparse(keyword.value))}" for keyword in (call.keywords if call else ()) if keyword.arg]


def written_value(text: str) -> Any:
    """The Python value that was written as text: [512, 512], True, 256; what is none stays text."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return list(value) if isinstance(value, tuple) else value


def _optimizer_named(path: str) -> str:
    """The name that sd-scripts takes for a class, by its package and its own name; modules between the two are its package's affair."""
    package, own = path.partition(".")[0], path.rpartition(".")[2]
    for name, facts in known_optimizers().items():
        known = str(facts["class"])
        if known == path or (known.partition(".")[0] == package and known.rpartition(".")[2] == own):
            return name
    return ""


def _argument(value: str) -> str:
    """A value as optimizer_args has it: no spaces, and a tuple without its brackets."""
    bare = value.replace(" ", "")
    return bare[1:-1].rstrip(",") if bare.startswith("(") and bare.endswith(")") else bare


def parts_of(header: Header) -> dict[str, bool]:
    """Whether only one side was taught, as the tensors' names tell."""
    text = any(name.startswith("lora_te") for name in header.by_name)
    picture = any(name.startswith("lora_unet") for name in header.by_name)
    if text == picture:
        return {}
    return {"network_train_unet_only": True} if picture else {"network_train_text_encoder_only": True}


def precision_of(header: Header) -> str:
    """The precision of the file, where all its tensors have one; empty: several, or another one."""
    kinds = {place.dtype for place in header.tensors}
    return DTYPES.get(str(kinds.pop()), "") if len(kinds) == 1 else ""
