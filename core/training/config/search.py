"""Settings found by words: by title, by help, and by every name that a trainer has for them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from functools import cache

from pydantic.fields import FieldInfo

from core.base.errors import ConfigError
from core.base.settings import choices_of, field_extra
from core.training.config.data import Subset
from core.training.config.facts import known_arguments
from core.training.config.families import TRAINED_MODELS, script_for
from core.training.config.network_types import NETWORK_TYPES
from core.training.config.training import PARTS, TrainingSettings

OUTSIDE: Mapping[str, str] = {
    "resume resume_from state initial_epoch initial_step skip_until_initial_step": "A run is gone on with by Go on in Train: it takes the "
        "run's last saved state by itself.",
    "output_dir logging_dir": "Each run writes into a folder of its own below runs/, so that none overwrites another's.",
    "sample_prompts": "The sample prompts stand below the first fields: one a line.",
    "train_data_dir reg_data_dir in_json image_dir dataset_repeats dataset_config": "The pictures of the project are taken by "
        "themselves; more folders are added under Dataset, and regularisation pictures in the panel of that name.",
    "huggingface_repo_id huggingface_path_in_repo huggingface_repo_type huggingface_repo_visibility huggingface_token async_upload "
    "save_state_to_huggingface resume_from_huggingface": "What is uploaded to Hugging Face is chosen in After the run.",
    "wandb_api_key": "The key for W&B is read from the environment (WANDB_API_KEY) and written nowhere.",
    "save_model_as": "LoRA files are always saved as safetensors, the one form that no program has to trust blindly.",
    "config_file output_config debug_dataset dataset_class metadata_preprocessor console_log_level "
    "console_log_file": "Lorabook sets it for each run as it needs it.",
}
"""Names of arguments that are no setting of the form, and where what they do is found instead."""


TYPES = " ".join(kind.title.lower() for kind in NETWORK_TYPES.values())
"""What a person calls the types of networks: DoRA, LoCon …"""


def typed_words(text: str) -> list[str]:
    """What somebody typed, as it is looked for: small letters, and an option's name as the trainers write it ("--unet-lr": unet_lr)."""
    words = text.lower().split()
    return [word[2:].replace("-", "_") if word.startswith("--") else word for word in words]


def fits(name: str, field: FieldInfo, words: Collection[str]) -> bool:
    """Whether every word stands in a setting's name, other names, title, help, unit or choices. Args: words: by `typed_words`."""
    own = name.rpartition(".")[2]
    names = [name.replace(".", " "), *field_extra(field, "also", []), *map(str, choices_of(field)), *_elsewhere_called(own)]
    text = " ".join((*names, str(field.title), str(field.description), str(field_extra(field, "unit")))).lower()
    text += f" {TYPES}" if own == "network_type" else ""
    return all(word in text or word.replace("-", "_") in text for word in words)


@cache
def _elsewhere_called(setting: str) -> tuple[str, ...]:
    """musubi-tuner's names for a setting."""
    return tuple(sorted({its for model in TRAINED_MODELS.values() for ours, its in model.names.items() if ours == setting}))


@cache
def _names_of_fields() -> frozenset[str]:
    """Every name under which a setting of the form is known."""
    fields = {name: field for part in PARTS.values() for name, field in part.fields().items()}
    return frozenset({*fields, *(other for name, field in fields.items()
                                 for other in (*field_extra(field, "also", []), *_elsewhere_called(name)))})


def elsewhere(words: Collection[str], settings: TrainingSettings) -> list[str]:
    """Where what is looked for stands, if no setting of the form is meant.

    Args: words: by `typed_words`; only whole names of arguments are known here. settings: their script's arguments are known.
    """
    found = []
    for word in words:
        name = word.replace("-", "_")
        if place := next((place for names, place in OUTSIDE.items() if name in names.split()), ""):
            found.append(f"{name}: {place}")
        elif name in _names_of_fields():
            continue
        elif name in Subset.fields():
            found.append(f"{name}: it is set for each folder, under Dataset ({Subset.fields()[name].title}).")
        elif name in _arguments(settings):
            found.append(f"{name} is an argument of the trainer without a field of its own: write it into Further options as name = value.")
    return found


def _arguments(settings: TrainingSettings) -> Collection[str]:
    """Of the script that these settings would start; none where there is none."""
    with contextlib.suppress(ConfigError):
        return known_arguments(script_for(settings.model.family, settings.model.method))
    return ()
