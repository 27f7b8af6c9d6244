"""What was imported, put into a project: its own places and prompts stay where the file says nothing of them."""

from __future__ import annotations

from typing import Any

from core.training.config.presets import KEPT
from core.training.config.reading import Imported
from core.training.config.training import TrainingSettings

MODEL = "pretrained_model_name_or_path"
FOLLOWS = ("network_weights", "resume", "output_dir", "logging_dir", "log_with", "log_tracker_name", "wandb_run_name")
"""Of what a preset leaves alone: what an import decides all the same. A LoRA that was continued before is not continued by the next."""


def take_over(imported: Imported, present: TrainingSettings) -> TrainingSettings:
    """The imported settings for a project.

    Of `present` stay: the model files, where no base model was imported and the family is the same; folders and repeats, sample prompts,
    name and words of the file, each where nothing was imported in its place; and the parts that the file does not speak of.
    """
    made = present.with_values(**{part: dict(getattr(imported.settings, part)) for part in imported.parts})
    stays = not made.model.pretrained_model_name_or_path and made.model.family == present.model.family
    changes: dict[str, dict[str, Any]] = {}
    for part, names in KEPT.items():
        cls = type(getattr(made, part))
        for name in (one for one in names if one not in FOLLOWS and (part != "model" or stays)):
            if getattr(getattr(made, part), name) == cls.fields()[name].get_default(call_default_factory=True):
                changes.setdefault(part, {})[name] = getattr(getattr(present, part), name)
    changes.setdefault("saving", {}).update(resume=None, output_dir=None)
    return made.with_values(**changes, logging={"logging_dir": None})
