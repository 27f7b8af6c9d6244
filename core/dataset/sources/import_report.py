"""What an import did."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from core.base.words import counted
from core.dataset.images.baking import FIRST_OF
from core.dataset.items import Skipped


@dataclass(frozen=True)
class Imported:
    """One image that came in."""

    name: str
    """Its name in the project."""
    source: str
    """Its name in the source."""
    changes: tuple[str, ...]
    """What had to be changed; empty: copied byte for byte."""


@dataclass
class ImportReport:
    """What an import did."""

    imported: list[Imported] = field(default_factory=list)
    already: list[Imported] = field(default_factory=list)
    """Content that was in the project before, under the name given."""
    skipped: list[Skipped] = field(default_factory=list)
    captions: int = 0
    ignored: int = 0
    """Files in the source that are neither images nor captions."""
    known: int = 0
    """Files that were not fetched, because an earlier import fetched them."""
    again: str = ""
    """How these can be fetched all the same."""

    def sentence(self) -> str:
        """The result in one line."""
        changed = sum(bool(image.changes) for image in self.imported)
        first = sum(any(change.startswith(FIRST_OF) for change in image.changes) for image in self.imported)
        parts = [f"{counted(len(self.imported), 'image')} imported", counted(self.captions, "caption") if self.captions else "",
                 f"{changed} made upright or converted" if changed else "",
                 f"of {first} only the first frame or page" if first else "", f"{len(self.already)} already there" if self.already else "",
                 f"{self.known} fetched by an earlier import" if self.known else "",
                 f"{len(self.skipped)} skipped" if self.skipped else ""]
        again = self.again if self.known and not self.imported and not self.already else ""
        return f"{', '.join(part for part in parts if part)}. {again}".rstrip()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
