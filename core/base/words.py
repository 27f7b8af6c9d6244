"""Numbers and models in sentences."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Any


def counted(number: int, thing: str) -> str:
    """"1 picture", "2 pictures". Args: thing: one of them; several have an s."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def told_size(size: int) -> str:
    """"6.5 GiB", "3.4 MiB", "71 KiB". Args: size: bytes."""
    if size >= 2**30:
        return f"{size / 2**30:,.1f} GiB"
    return f"{size / 2**20:,.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"


def told_moment(seconds: float, now: float | None = None) -> str:
    """"today at 14:05", "yesterday at 14:05", "on 3 May at 14:05", with the year where it is another. Args: seconds: since 1970."""
    then, today = datetime.fromtimestamp(seconds), datetime.fromtimestamp(time.time() if now is None else now)
    days = (today.date() - then.date()).days
    day = {0: "today", 1: "yesterday"}.get(days, f"on {then.day} {then:%B}" + (f" {then.year}" if then.year != today.year else ""))
    return f"{day} at {then:%H:%M}"


def value_words(value: Any) -> str:
    """A setting's value in a sentence: "on", "off", "nothing" for what is empty, else as it is."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "nothing" if value in (None, "", []) else str(value)


def model_words(title: str, folder: str = "", repository: str = "") -> str:
    """What really looked: a model's title, or the folder or repository that was given in its place.

    Args: folder: "~/models/tagger", said as "the model in tagger/". repository: "owner/name".
    """
    if folder.strip():
        return f"the model in {PurePath(folder.strip()).name or folder.strip()}/"
    return f"the model of {repository.strip()}" if repository.strip() else title


def aligned(rows: Sequence[Sequence[str]], before: str = "") -> list[str]:
    """Rows of a table as lines, each column as wide as it must be. Args: before: what stands before each line."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [before + "  ".join(cell.ljust(width) for cell, width in zip(line, wide, strict=True)).rstrip() for line in rows]
