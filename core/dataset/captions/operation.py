"""What every operation on a caption is: a settings class that gives a pure function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from core.base.errors import ConfigError
from core.base.settings import Settings
from core.dataset.captions.files import one_line
from core.dataset.captions.tags import key_of, keys_of, parse_tags
from core.dataset.captions.texts import clean_text

Tags = list[str]

PROMISES = {"Added ": "add ", "Inserted ": "insert ", "Took out ": "take out ", "Replaced ": "replace ", "Sorted ": "sort ",
            "Mended ": "mend ", "Put ": "put ", "Shortened ": "shorten "}
"""How a sentence begins of what was done, and of what would be."""


@dataclass(frozen=True)
class Context:
    """What an operation may know besides the caption."""

    trigger: str = ""
    """The project's trigger word."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Tag key → captions that hold it; filled where an operation asks for it (`counted`)."""


class Operation(Settings):
    """One thing to do to a caption. A subclass gives `on_tags` or `on_text`; both take a caption that may be empty.

    A subclass that gives neither cannot be made.
    """

    op: ClassVar[str] = ""
    on_prose: ClassVar[bool] = True
    """False: it would tear sentences apart, and leaves prose alone."""

    joins_lines: ClassVar[bool] = False
    """A caption of several lines becomes one line, though that changes no word."""

    @property
    def counted(self) -> bool:
        """Whether it must know how often each tag is used."""
        return False

    def on_tags(self, context: Context) -> Callable[[Tags], Tags] | None:
        """The operation as a function of the parts between commas; None where it works on the text. Raises: ConfigError."""
        return None

    def on_text(self, context: Context) -> Callable[[str], str] | None:
        """The operation as a function of the whole text; None where it works on tags. Raises: ConfigError."""
        return None

    @classmethod
    def __pydantic_init_subclass__(cls, **given: Any) -> None:
        super().__pydantic_init_subclass__(**given)
        if cls.on_tags is Operation.on_tags and cls.on_text is Operation.on_text:
            raise TypeError(f"{cls.__name__} gives neither on_tags nor on_text.")

    def sentence(self) -> str:
        """What it did, for the history: "Added smile"."""
        return self.title

    def promise(self) -> str:
        """What it would do, for a preview: "add smile"."""
        words = self.sentence()
        return next((will + words.removeprefix(did) for did, will in PROMISES.items() if words.startswith(did)), words)


def wanted(text: str, title: str) -> Tags:
    """The tags that were given. Raises: ConfigError: none were."""
    tags = parse_tags(clean_text(one_line(text)))
    if not tags:
        raise ConfigError(f"{title}: no tag was given.", "Fill in at least one.")
    return tags


def lead_of(tags: Tags, trigger: str) -> int:
    """How many tags at the front are the trigger word: 1 or 0."""
    return 1 if trigger and tags and keys_of(tags[0]) == (key_of(trigger),) else 0
