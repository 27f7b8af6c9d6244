"""What a LoRA file says about itself: sd-scripts' ss_ keys, the hashes of the web UIs, and modelspec (1.0.1)."""

from __future__ import annotations

import datetime
import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.files import sha256, write_with
from core.base.paths import DEMO_VERSION, is_demo_model
from core.diffusion import FAMILIES
from core.training.builtin.dataset import TrainDataset, batches_per_epoch
from core.training.builtin.options import TrainOptions, read_arguments

if TYPE_CHECKING:
    import torch

SAME_NAMED = ("learning_rate", "unet_lr", "gradient_checkpointing", "gradient_accumulation_steps", "lr_warmup_steps", "lr_scheduler",
              "network_module", "network_dim", "network_alpha", "network_dropout", "mixed_precision", "clip_skip", "max_token_length",
              "cache_latents", "noise_offset", "multires_noise_iterations", "multires_noise_discount", "adaptive_noise_scale",
              "zero_terminal_snr", "training_comment", "max_grad_norm", "prior_loss_weight", "min_snr_gamma", "ip_noise_gamma",
              "output_name", "noise_offset_random_strength", "ip_noise_gamma_random_strength")
MINIMUM = ("ss_v2", "ss_base_model_version", "ss_network_module", "ss_network_dim", "ss_network_alpha", "ss_network_args")
"""What is kept when no_metadata is set."""


def run_metadata(options: TrainOptions, datasets: list[TrainDataset], family: str, seed: int, total_steps: int, epochs: int,
                 optimizer: str) -> dict[str, str]:
    """Everything that is known before the first step. Values are text, as safetensors wants."""
    first = datasets[0]
    values: dict[str, Any] = {f"ss_{name}": getattr(options, name) for name in SAME_NAMED}
    values |= {
        "ss_session_id": int.from_bytes(hashlib.sha256(f"{time.time_ns()}".encode()).digest()[:4], "big"),
        "ss_training_started_at": time.time(), "ss_seed": seed, "ss_text_encoder_lr": options.te_lr, "ss_optimizer": optimizer,
        "ss_max_train_steps": total_steps, "ss_num_epochs": epochs, "ss_num_batches_per_epoch": batches_per_epoch(datasets),
        "ss_num_train_images": sum(dataset.num_train_images for dataset in datasets),
        "ss_num_reg_images": sum(dataset.num_reg_images for dataset in datasets),
        "ss_base_model_version": _version(options, family, "base_model_version"), "ss_v2": False, "ss_lowram": False,
        "ss_full_fp16": False, "ss_debiased_estimation": options.debiased_estimation_loss, "ss_loss_type": "l2",
        "ss_resolution": f"({first.rule.resolution[0]}, {first.rule.resolution[1]})", "ss_enable_bucket": first.rule.enable_bucket,
        "ss_bucket_no_upscale": first.rule.bucket_no_upscale, "ss_min_bucket_reso": first.rule.min_bucket_reso,
        "ss_max_bucket_reso": first.rule.max_bucket_reso, "ss_batch_size_per_device": first.batch_size,
        "ss_total_batch_size": first.batch_size * options.gradient_accumulation_steps,
        "ss_bucket_info": json.dumps(bucket_info(first)), "ss_sd_scripts_commit_hash": "lorabook builtin",
        "ss_datasets": json.dumps([_dataset(dataset) for dataset in datasets]),
        "ss_tag_frequency": json.dumps(_merged(datasets), ensure_ascii=False),
        "ss_dataset_dirs": json.dumps({subset.image_dir.name: {"n_repeats": subset.num_repeats, "img_count": subset.count}
                                       for dataset in datasets for subset in dataset.subsets if not subset.is_reg}, ensure_ascii=False),
        "ss_reg_dataset_dirs": json.dumps({subset.image_dir.name: {"n_repeats": subset.num_repeats, "img_count": subset.count}
                                           for dataset in datasets for subset in dataset.subsets if subset.is_reg}, ensure_ascii=False),
    }
    if options.network_args:
        values["ss_network_args"] = json.dumps({key: str(value) for key, value in options.network.items()})
    for name, path in (("sd_model", options.pretrained_model_name_or_path), ("vae", options.vae)):
        if path:
            values[f"ss_{name}_name"] = Path(path).name
            if Path(path).is_file():
                values[f"ss_new_{name}_hash"] = sha256(Path(path))
    return {key: str(value) for key, value in values.items()}


def _version(options: TrainOptions, family: str, key: str) -> str:
    """What the base model is called; the embedded one by a name of its own, for its layers fit no other model."""
    return DEMO_VERSION if is_demo_model(options.pretrained_model_name_or_path) else str(FAMILIES.entry(family).options[key])


def optimizer_words(optimizer: torch.optim.Optimizer, arguments: list[str]) -> str:
    """The optimizer's class with its arguments, as sd-scripts writes it: "torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99))"."""
    kind = type(optimizer)
    given = ",".join(f"{name}={value!r}" for name, value in read_arguments(arguments, "optimizer_args").items())
    return f"{kind.__module__}.{kind.__name__}" + (f"({given})" if given else "")


def bucket_info(dataset: TrainDataset) -> dict[str, Any]:
    """Training sizes and how many images (repeats included) each has, as sd-scripts' ss_bucket_info."""
    buckets = {index: {"resolution": list(size), "count": len(images)} for index, (size, images) in enumerate(dataset.buckets().items())}
    errors = [abs(image.bucket[0] / image.bucket[1] - image.size[0] / image.size[1]) for image in dataset.images]
    return {"buckets": buckets, "mean_img_ar_error": sum(errors) / max(1, len(errors))}


def _dataset(dataset: TrainDataset) -> dict[str, Any]:
    rule = dataset.rule
    return {"is_dreambooth": True, "batch_size_per_device": dataset.batch_size, "num_train_images": dataset.num_train_images,
            "num_reg_images": dataset.num_reg_images, "resolution": list(rule.resolution), "enable_bucket": rule.enable_bucket,
            "min_bucket_reso": rule.min_bucket_reso, "max_bucket_reso": rule.max_bucket_reso, "tag_frequency": dataset.tag_frequency,
            "bucket_info": bucket_info(dataset) if rule.enable_bucket else None,
            "subsets": [{"img_count": subset.count, "num_repeats": subset.num_repeats, "flip_aug": subset.flip_aug, "is_reg": subset.is_reg,
                         "shuffle_caption": subset.captions.shuffle_caption, "keep_tokens": subset.captions.keep_tokens,
                         "class_tokens": subset.class_tokens, "image_dir": subset.image_dir.name} for subset in dataset.subsets]}


def _merged(datasets: list[TrainDataset]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for dataset in datasets:
        for folder, tags in dataset.tag_frequency.items():
            found.setdefault(folder, tags)
    return found


def model_spec(options: TrainOptions, family: str, resolution: tuple[int, int], v_prediction: bool) -> dict[str, str]:
    """modelspec.* keys. Source: https://github.com/Stability-AI/ModelSpec"""
    implementation = "https://github.com/Stability-AI/generative-models" if family == "sdxl" else "diffusers"
    architecture = f"{_version(options, family, 'architecture')}/lora"
    spec = {"sai_model_spec": "1.0.1", "architecture": architecture, "implementation": implementation,
            "title": options.metadata_title or options.output_name,
            "resolution": f"{resolution[0]}x{resolution[1]}", "date": datetime.datetime.now().replace(microsecond=0).isoformat(),
            "prediction_type": "v" if v_prediction else "epsilon"}
    if options.clip_skip and family == "sd15":
        spec["encoder_layer"] = str(options.clip_skip)
    for name in ("author", "description", "license", "tags", "usage_hint", "trigger_phrase", "merged_from"):
        if value := getattr(options, f"metadata_{name}"):
            spec[name] = value
    return {f"modelspec.{key}": value for key, value in spec.items()}


def write_lora(path: Path, state: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Write the file with its hashes, whole or not at all.

    sshs_model_hash is the SHA-256 of the tensors' bytes, sshs_legacy_hash that of 64 KiB at 1 MiB, both of a file
    with only the ss_ keys, as sd-webui-additional-networks counts them.

    Raises: DiskError.
    """
    from safetensors.torch import save, save_file

    plain = save(state, {key: value for key, value in metadata.items() if key.startswith("ss_")})
    start = int.from_bytes(plain[:8], "little") + 8
    hashes = {"sshs_model_hash": hashlib.sha256(plain[start:]).hexdigest(),
              "sshs_legacy_hash": hashlib.sha256(plain[0x100000:0x110000]).hexdigest()[:8]}
    write_with(path, lambda place: save_file(state, place, {**metadata, **hashes}))
