"""What a LoRA file's metadata tells a person: the trigger, the tags of its pictures, how it was trained."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from typing import Any

from core.training.config.training import PARTS
from core.training.importing.lora_values import FACTS, SAID_OTHERWISE

TABLES = ("tag_frequency", "dataset_dirs", "reg_dataset_dirs", "bucket_info", "datasets", "session_id")
"""Keys that are no row of a table: they hold tables of their own, or say nothing to a person."""
WORDS = {
    "sd_model_name": "Base model", "vae_name": "VAE", "base_model_version": "Version of the base model", "output_name": "Name",
    "num_train_images": "Pictures, with repeats", "num_reg_images": "Regularisation pictures", "num_epochs": "Epochs", "epoch": "Epoch",
    "steps": "Steps", "max_train_steps": "Steps of the whole training", "training_started_at": "Begun", "training_finished_at": "Ended",
    "total_batch_size": "Pictures a step", "sd_scripts_commit_hash": "Version of the trainer", "optimizer": "Optimizer",
    "num_batches_per_epoch": "Steps an epoch", "batch_size_per_device": "Batch", "resolution": "Resolution",
    "network_module": "Kind of network", "sd_model_hash": "Base model's old hash", "new_sd_model_hash": "Base model's SHA-256"}
"""Of what is no setting of a form."""
MOST_IMPORTANT = (
    "sd_model_name", "num_train_images", "num_epochs", "epoch", "steps", "max_train_steps", "resolution", "total_batch_size", "optimizer",
    "learning_rate", "unet_lr", "text_encoder_lr", "lr_scheduler", "lr_warmup_steps", "network_module", "network_args", "network_dropout",
    "noise_offset", "min_snr_gamma", "clip_skip", "mixed_precision", "seed", "training_finished_at")
"""What a person looks for first."""
MOST_TAGS = 100


@dataclass(frozen=True)
class About:
    """What the metadata tells."""

    title: str
    author: str
    licence: str
    trigger: str
    trigger_by: str
    """"metadata"; "tags": it stands at every picture, and so is probably one; empty: none is known."""
    tags: tuple[tuple[str, int], ...]
    """The most frequent ones and at how many pictures each stands."""
    pictures: int
    """In the folders that were trained, without repeats; 0: not told."""
    training: tuple[tuple[str, str], ...]
    """Setting or fact and its value."""
    description: str = ""
    said_tags: str = ""
    """Those that a person gave it, with commas between them."""


def about(metadata: Mapping[str, str]) -> About:
    """What the metadata tells; what is broken in it is passed over."""
    tags = tag_counts(metadata)
    pictures = sum(int(entry.get("img_count", 0)) for entry in _table(metadata, "ss_dataset_dirs").values() if isinstance(entry, dict))
    trigger = metadata.get("modelspec.trigger_phrase", "").strip()
    guess = [tag for tag, count in tags.items() if pictures > 1 and count >= pictures]
    said = {name: metadata.get(f"modelspec.{name}", "") for name in ("title", "author", "license", "description", "tags")}
    return About(said["title"] or metadata.get("ss_output_name", ""), said["author"], said["license"], trigger or ", ".join(guess[:3]),
                 "metadata" if trigger else "tags" if guess else "", tuple(tags.most_common(MOST_TAGS)), pictures, training_table(metadata),
                 said["description"], said["tags"])


def tag_counts(metadata: Mapping[str, str]) -> Counter[str]:
    """Every tag and at how many pictures it stands, over all folders."""
    found: Counter[str] = Counter()
    for tags in _table(metadata, "ss_tag_frequency").values():
        if isinstance(tags, dict):
            found.update({str(tag).strip(): count for tag, count in tags.items() if isinstance(count, int)})
    return found


def training_table(metadata: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Each ss_ key with a value, settings under the titles of the form; facts of the run first."""
    facts: list[tuple[str, str]] = []
    settings: list[tuple[str, str]] = []
    for key, text in metadata.items():
        name = key.removeprefix("ss_")
        if name == key or name in TABLES or text in ("", "None", "{}"):
            continue
        (facts if name in FACTS or name in WORDS else settings).append((_title(name), _value(name, text)))
    return (*sorted(facts), *sorted(settings))


def most_important(training: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those rows of `training_table` that a person looks for first, in that order."""
    values = dict(training)
    return [(title, values[title]) for title in map(_title, MOST_IMPORTANT) if title in values]


@cache
def _titles() -> Mapping[str, str]:
    """Of every training setting."""
    return {name: field.title or name for part in PARTS.values() for name, field in part.fields().items()}


def _title(name: str) -> str:
    """On screen, of a key without its ss_."""
    return WORDS.get(name) or _titles().get(SAID_OTHERWISE.get(name, name)) or name.replace("_", " ")


def _value(name: str, text: str) -> str:
    if name.endswith("_at"):
        try:
            return datetime.fromtimestamp(float(text), timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        except (ValueError, OverflowError, OSError):
            return text
    return {"True": "on", "False": "off"}.get(text, text)


def _table(metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    try:
        found = json.loads(metadata.get(key) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
