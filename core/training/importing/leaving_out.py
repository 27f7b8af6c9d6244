"""Arguments that another program's file may hold and that do not become settings, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from core.training.config.applying import all_values, why_not
from core.training.config.facts import known_arguments
from core.training.config.families import TRAINED_MODELS
from core.training.config.training import PARTS, TrainingSettings
from core.training.importing.folders import Left

UPLOAD = "an imported file does not decide about uploads"
PLACE = "each run has a folder of its own"
NOT_TAKEN: Mapping[str, str] = {
    **dict.fromkeys(("huggingface_repo_id", "huggingface_repo_type", "huggingface_path_in_repo", "huggingface_repo_visibility",
                     "save_state_to_huggingface", "async_upload", "resume_from_huggingface"), UPLOAD),
    "huggingface_token": "tokens are never taken over", "wandb_api_key": "keys are never taken over",
    "output_dir": PLACE, "logging_dir": PLACE, "log_prefix": PLACE,
    "resume": "a run is gone on with by its own button",
    "debug_dataset": "the training would end without having trained", "output_config": "the training would end without having trained",
    "config_file": "it names the file itself",
    "in_json": "metadata files of fine-tuning are not read here; captions lie beside the pictures",
    "dataset_class": "own classes of datasets are not run here", "train_inpainting": "inpainting models are not trained here",
    "save_model_as": "files are always written as safetensors",
}
"""By the argument's name. Tokens and keys are shown as ***."""
SECRET = ("huggingface_token", "wandb_api_key")
USUAL = {"save_model_as": ("safetensors",)}
"""Values with which an argument of `NOT_TAKEN` says nothing."""
NOTHING: tuple[Any, ...] = (None, "", False, 0, [])
"""Values that say nothing; 0 and False only where the name has no field."""


def without_refused(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[Left]]:
    """The arguments that may become settings, and those of `NOT_TAKEN` that say anything."""
    left = [(name, "***" if name in SECRET else value, NOT_TAKEN[name]) for name, value in arguments.items()
            if name in NOT_TAKEN and value not in NOTHING and value not in USUAL.get(name, ())]
    return {name: value for name, value in arguments.items() if name not in NOT_TAKEN}, left


def without_idle(settings: TrainingSettings, given: Mapping[str, Any]) -> tuple[TrainingSettings, list[Left]]:
    """The settings with what does nothing for this model and network as it is by default, and what the file said of it.

    Args: given: the arguments of the file; one that has the default of a parser says nothing.
    """
    values = all_values(settings)
    changes: dict[str, dict[str, Any]] = {}
    left: list[Left] = []
    for part, cls in PARTS.items():
        for name, field in cls.fields().items():
            usual = field.get_default(call_default_factory=True)
            if values[name] == usual or not (reason := why_not(settings, name, values)):
                continue
            changes.setdefault(part, {})[name] = usual
            if name in given and given[name] not in (*NOTHING, *_defaults(name)):
                left.append((name, given[name], f"it does nothing here ({reason.rstrip('.')})"))
    return settings.with_values(**changes) if changes else settings, left


@cache
def _defaults(name: str) -> tuple[Any, ...]:
    """The defaults of an argument in the parsers of all families."""
    return tuple(known_arguments(model.script)[name]["default"] for model in TRAINED_MODELS.values()
                 if name in known_arguments(model.script))
