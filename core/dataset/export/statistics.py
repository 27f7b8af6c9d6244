"""The numbers of an export, as a table."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.base.buckets import Fitter
from core.base.errors import ConfigError
from core.base.words import counted, told_size
from core.dataset.captions.statistics import tag_frequencies
from core.dataset.captions.tags import is_prose
from core.dataset.export.layouts.layout import Facts, Picture

TOP = 20
"""Tags that are named."""
MOST_BUCKETS = 12

Row = tuple[str, str]


@dataclass(frozen=True)
class Numbers:
    """What the table says."""

    rows: tuple[Row, ...]
    tags: tuple[tuple[str, int], ...]
    buckets: tuple[tuple[str, int], ...]

    def markdown(self) -> str:
        """As a page."""
        parts = ["# Statistics", _table(("what", "value"), self.rows)]
        if self.buckets:
            parts += ["## Training sizes", _table(("size", "pictures"), self.buckets)]
        if self.tags:
            parts += [f"## The {TOP} most frequent tags" if len(self.tags) == TOP else "## Tags", _table(("tag", "captions"), self.tags)]
        return "\n\n".join(parts) + "\n"


def count(pictures: Sequence[Picture], facts: Facts, sizes: int, batch_size: int = 1) -> Numbers:
    """Work the numbers out. Args: sizes: bytes of all pictures together."""
    captions = {picture.name: picture.caption for picture in pictures if picture.caption}
    shorter = sorted(min(picture.size) for picture in pictures if all(picture.size))
    masks = sum(picture.has_own_mask for picture in pictures)
    shown = facts.repeats * len(pictures)
    width, height = facts.rule.resolution
    rows = [("Pictures", str(len(pictures))), ("Captions", str(len(captions)))]
    rows += [("Masks", str(masks))] if masks else []
    if facts.trigger:
        rows.append(("Trigger word", f"{facts.trigger}, in {sum(facts.trigger.lower() in text.lower() for text in captions.values())} "
                                     f"of {counted(len(captions), 'caption')}"))
    if shorter:
        rows.append(("Shortest side", f"{shorter[0]} to {shorter[-1]} px, half of them up to {int(statistics.median_high(shorter))}"))
    rows += [("Training resolution", f"{width} x {height}"), ("Repeats", str(facts.repeats)),
             ("Steps of an epoch", f"{math.ceil(shown / batch_size)} ({len(pictures)} x {facts.repeats}"
                                   + (f", {batch_size} at once)" if batch_size > 1 else ")")), ("Size of the pictures", told_size(sizes))]
    tags = {name: text for name, text in captions.items() if not is_prose(text)}
    counts = tag_frequencies(tags)
    top = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:TOP]
    return Numbers(tuple(rows), tuple((counts.shown(key), number) for key, number in top), _buckets(pictures, facts))


def _buckets(pictures: Sequence[Picture], facts: Facts) -> tuple[tuple[str, int], ...]:
    fitter, found = Fitter(facts.rule), Counter[str]()
    for picture in pictures:
        try:
            width, height = fitter.fit(picture.size).bucket
            found[f"{width} x {height}"] += 1
        except ConfigError:
            found["none fits"] += 1
    many = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    rest = sum(number for _, number in many[MOST_BUCKETS:])
    return tuple(many[:MOST_BUCKETS]) + (((f"{len(many) - MOST_BUCKETS} others", rest),) if rest else ())


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines)
