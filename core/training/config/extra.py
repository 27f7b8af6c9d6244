"""What the form does not have: further arguments, written as they are after a look at the script's own parser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from core.base.errors import ConfigError
from core.base.settings import setting
from core.training.config.part import Part

if TYPE_CHECKING:
    from core.training.config.training import TrainingSettings


class ExtraSettings(Part):
    """Further arguments of the script; each is checked against its own parser before anything starts."""

    title: ClassVar[str] = "Further options"
    section: ClassVar[str] = "extra"
    elsewhere: ClassVar[tuple[str, ...]] = ("extra_options",)

    extra_options: list[str] = setting([], "Further options", "One a line, as in a config file: name = value, with texts in quotes. For "
                                       "what the form does not have.", level="expert")

    def arguments(self, whole: TrainingSettings) -> dict[str, Any]:
        """The options as names and values. Raises: ConfigError: a line is no TOML."""
        return self.options()

    def options(self) -> dict[str, Any]:
        """What the lines say. Raises: ConfigError: a line is no `name = value` of TOML, or a name comes twice."""
        from core.training.config.toml_text import read_toml

        found: dict[str, Any] = {}
        for line in self.extra_options:
            if not line.strip():
                continue
            values = read_toml(line, f"The further option {line!r}")
            if len(values) != 1 or isinstance(next(iter(values.values())), dict):
                raise ConfigError(f"The further option {line!r} is not name = value.", "Write one option a line.")
            name = next(iter(values))
            if name in found:
                raise ConfigError(f"The further option {name!r} is given twice.", "Leave one of them.")
            found |= values
        return found
