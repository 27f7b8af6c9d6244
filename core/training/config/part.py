"""One part of the training settings: what it writes into `config.toml`, and how empty answers are read."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

from pydantic import model_validator

from core.base.families import TrainedFamily
from core.base.settings import Settings

Family = TrainedFamily
"""Model families that training knows; the names of `core.diffusion.FAMILIES`."""
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

    def arguments(self, family: Family) -> dict[str, Any]:
        """sd-scripts' argument names and values that this part writes into `config.toml`; None is left out."""
        return {name: value for name, value in dict(self).items() if name not in self.elsewhere and value is not None}


def _may_be_unset(cls: type[Part], name: str) -> bool:
    field = cls.model_fields.get(name)
    return field is not None and type(None) in get_args(field.annotation)
