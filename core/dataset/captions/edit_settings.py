"""What a person asks for when many captions are to be changed at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import field_serializer, field_validator

from core.base.errors import ConfigError
from core.base.settings import Settings, setting
from core.dataset.captions.conditions import Condition
from core.dataset.captions.operations import AddFirst, AddLast, Operation, Remove, ReplaceTags, make_operation
from core.dataset.captions.tags import parse_tags

PLAN = "The mark of a preview: when the change would now come out otherwise, nothing is changed."


class TriggerSettings(Settings):
    """The trigger word, written first into every caption."""

    title = "Trigger word"

    trigger_word: str = setting(..., "Trigger word", "An invented word without a meaning of its own, such as mychar. An earlier trigger "
                                "word of this project is replaced. Empty takes it out.")
    write_missing: bool = setting(True, "Also where there is no caption", "An image without a caption gets the trigger word alone.")
    plan: str = setting("", "Preview", PLAN, level="expert")


class EditSettings(Settings):
    """What to change in captions, and in which. The first six fields are the usual changes; `operations` holds any, in their order."""

    title = "Edit captions"

    add_first: str = setting("", "Add in front", "Tags with commas between; after the trigger word.")
    add_last: str = setting("", "Add at the end", "Tags with commas between.")
    remove: str = setting("", "Take out", "Tags with commas between.")
    replace: str = setting("", "Replace this tag", "One tag.")
    replace_by: str = setting("", "by this", "One or more tags.")
    only_if_empty: bool = setting(False, "Only where there is no caption", "Captions that exist stay as they are.")
    operations: tuple[Operation, ...] = setting((), "Operations", "Further changes in their order: [{\"op\": \"sort\"}]; the page on the "
                                                "dataset lists them.", level="expert")
    condition: Condition = setting(Condition(), "Condition", "Which captions are changed.")
    ids: tuple[str, ...] = setting((), "Only these images", "Names of images without their endings; empty: all.", level="expert")
    plan: str = setting("", "Preview", PLAN, level="expert")

    @field_validator("operations", mode="before")
    @classmethod
    def _read_operations(cls, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return tuple(make_operation(one) if isinstance(one, Mapping) else one for one in value)
        return value

    @field_serializer("operations")
    def _plain_operations(self, value: tuple[Operation, ...]) -> list[dict[str, Any]]:
        return [{"op": operation.op, **operation.model_dump(mode="json")} for operation in value]

    def steps(self) -> list[Operation]:
        """Everything that is to be done, in order. Raises: ConfigError: nothing is, or half a replacement was given."""
        if len(parse_tags(self.replace)) > 1:
            raise ConfigError(f"Replace this tag (replace) must be one tag, but is {self.replace!r}.",
                              "Replace them one after the other.")
        if self.replace.strip() and not self.replace_by.strip(" ,"):
            raise ConfigError(f"The tag {self.replace.strip()!r} is to be replaced by nothing.",
                              "To take it out, write it under 'Take out'.")
        usual = [Remove(tags=self.remove) if self.remove.strip(" ,") else None,
                 ReplaceTags(search=self.replace.replace(";", "\\;"), replacement=self.replace_by.replace(";", "\\;"))
                 if self.replace.strip() else None,
                 AddFirst(tags=self.add_first) if self.add_first.strip(" ,") else None,
                 AddLast(tags=self.add_last) if self.add_last.strip(" ,") else None]
        steps = [step for step in (*usual, *self.operations) if step is not None]
        if not steps:
            raise ConfigError("There is nothing to change.", "Fill in a tag to add, to take out or to replace.")
        return steps

    def sentence(self) -> str:
        """What it does, for the history. Raises: ConfigError: as `steps`."""
        return self._where("; ".join(step.sentence() for step in self.steps()))

    def promise(self) -> str:
        """What it would do, for a preview. Raises: ConfigError: as `steps`."""
        return self._where("; ".join(step.promise() for step in self.steps()))

    def _where(self, words: str) -> str:
        return words + (f", where captions {where}" if (where := self.condition.sentence()) else "")
