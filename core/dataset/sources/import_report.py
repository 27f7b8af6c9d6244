"""What an import did."""

from __future__ import annotations

from collections.abc import Mapping
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
    masks: int = 0
    """Masks that were brought into variants/."""
    masks_left: int = 0
    """Masks that stay in the source; they stand among `skipped`, with the reason."""
    from_json: int = 0
    """Captions, of those that came, that stood in a .json file."""
    in_lines: int = 0
    """Captions, of those that came, that have several lines."""
    joined: int = 0
    """Captions, of those that came, that stood in several lines and are one line now."""
    others: dict[str, int] = field(default_factory=dict)
    """Ending → how many files of the source are neither images nor captions."""
    known: int = 0
    """Files that were not fetched, because an earlier import fetched them."""
    again: str = ""
    """How these can be fetched all the same."""
    differ: int = 0
    """Captions at the source that are not the project's, for pictures that are there: they wait for review."""
    same: int = 0
    """Captions that came without their pictures and are no news."""
    captions_only: bool = False
    """Whether the source held no pictures."""

    def sentence(self) -> str:
        """The result in one line."""
        look = f"look at {'it' if self.differ == 1 else 'them'} in the panel Captions beside the sources."
        if self.captions_only:
            return self._of_captions(look)
        changed = sum(bool(image.changes) for image in self.imported)
        first = sum(any(change.startswith(FIRST_OF) for change in image.changes) for image in self.imported)
        parts = [f"{counted(len(self.imported), 'image')} imported", counted(self.captions, "caption") if self.captions else "",
                 f"{changed} made upright or converted" if changed else "",
                 f"of {first} only the first frame or page" if first else "", f"{len(self.already)} already there" if self.already else "",
                 f"{self.known} fetched by an earlier import" if self.known else "",
                 f"{len(self.skipped)} skipped" if self.skipped else ""]
        again = self.again if self.known and not self.imported and not self.already else ""
        differ = f"{counted(self.differ, 'caption')} {'differs' if self.differ == 1 else 'differ'} from the project's: {look}"
        return " ".join(filter(None, [f"{', '.join(part for part in parts if part)}.", again, *self._of_masks(), *self._of_files(),
                                      differ if self.differ else ""]))

    def _of_masks(self) -> list[str]:
        """What became of masks."""
        come = f"{counted(self.masks, 'mask')} {'was' if self.masks == 1 else 'were'} brought into variants/, not among the pictures."
        left = f"{counted(self.masks_left, 'mask')} {'stays' if self.masks_left == 1 else 'stay'} in the source."
        return [come if self.masks else "", left if self.masks_left else ""]

    def _of_files(self) -> list[str]:
        """What is unusual about captions, and what is neither picture nor caption."""
        some = f"{self.from_json:,} of the captions stood in {'a .json file' if self.from_json == 1 else '.json files'}."
        lines = f"{counted(self.in_lines, 'caption')} {'keeps its' if self.in_lines == 1 else 'keep their'} several lines."
        joined = (f"{counted(self.joined, 'caption')} of several lines {'is' if self.joined == 1 else 'are'} one line now "
                  "('Keep the lines of captions' leaves them).")
        return [some if self.from_json else "", lines if self.in_lines else "", joined if self.joined else "",
                words_of_others(self.others)]

    def _of_captions(self, look: str) -> str:
        """The result where no picture came."""
        fits = "that fits a picture" if self.differ == 1 else "that fit pictures"
        these = "this caption" if self.same == 1 else f"these {self.same:,} captions"
        words = (f"No pictures, but {counted(self.differ, 'caption')} {fits} of this project: {look}" if self.differ else
                 f"No pictures, and nothing new: the project has {these} already, or you decided on "
                 f"{'it' if self.same == 1 else 'them'} before.")
        return " ".join(filter(None, [words, f"{len(self.skipped)} skipped." if self.skipped else "", words_of_others(self.others)]))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def words_of_others(others: Mapping[str, int]) -> str:
    """"3 files of other kinds were left out: 2 .json, 1 .tags."

    Args: others: as in `ImportReport`. Returns: empty where there are none.
    """
    total = sum(others.values())
    ordered = sorted(others.items(), key=lambda one: (-one[1], one[0]))
    kinds = ", ".join(f"{count:,} {ending or 'without an ending'}" for ending, count in ordered)
    these = "file of another kind was" if total == 1 else "files of other kinds were"
    return f"{total:,} {these} left out: {kinds}." if total else ""
