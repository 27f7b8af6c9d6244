"""One part of the training settings: what it writes into `config.toml`, and how empty answers are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, get_args

from pydantic import model_validator

from core.base.families import TrainedFamily
from core.base.settings import Settings

if TYPE_CHECKING:
    from core.training.config.training import TrainingSettings

Family = TrainedFamily
"""Model families that training knows."""
KNOWLEDGE = "https://github.com/kohya-ss/sd-scripts/tree/48d368fa557731ad0488c07304dfeba8c07910eb"


class Part(Settings):
    """Base of the settings classes of training: each becomes one section of `config.toml`."""

    section: ClassVar[str] = ""
    """The section's name; sd-scripts flattens sections, so that it is for the reader only."""
    elsewhere: ClassVar[tuple[str, ...]] = ()
    """Fields that are not written under their own name into this section; `arguments` or `pair` says where they go."""

    @model_validator(mode="before")
    @classmethod
    def _empty_means_unset(cls, values: Any) -> Any:
        """An empty text in a field that may be None is None: what a cleared form field and a TOML file give."""
        if not isinstance(values, dict):
            return values
        return {name: None if isinstance(value, str) and not value.strip() and _may_be_unset(cls, name) else value
                for name, value in values.items()}

    def acting(self, whole: TrainingSettings) -> dict[str, Any]:
        """The fields that act with the other settings as they are, and are given."""
        from core.training.config.applying import acting

        return acting(whole, self)

    def arguments(self, whole: TrainingSettings) -> dict[str, Any]:
        """sd-scripts' argument names and values that this part writes into `config.toml`; what is empty or does not act is left out."""
        return {name: value for name, value in self.acting(whole).items() if name not in self.elsewhere}


def _may_be_unset(cls: type[Part], name: str) -> bool:
    field = cls.model_fields.get(name)
    return field is not None and type(None) in get_args(field.annotation)
