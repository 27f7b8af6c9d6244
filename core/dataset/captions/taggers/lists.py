"""The tags that taggers on this machine know, the most frequent first: for completion while a person types. Nothing is fetched for it."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from core.base.errors import StudioError
from core.base.files import read_text
from core.base.hub import fetched_files
from core.base.paths import DEMO_ASSETS
from core.dataset.captions.files import spaced, tag_key
from core.dataset.captions.taggers import TAGGERS
from core.dataset.captions.taggers.onnx import CATEGORIES, TAGS_FILE


def listed_tags(used: Sequence[tuple[str, int]], download_dir: str = "") -> list[str]:
    """Tags that the lists of taggers hold and the captions do not, the most frequent first, with spaces or underscores as the captions
    have them; ratings are left out.

    Args:
        used: the captions' tags with how often they are used.
        download_dir: where taggers were fetched to; empty: the models folder.
    """
    known = {tag_key(tag) for tag, _ in used}
    under = sum(count for tag, count in used if spaced(tag) != tag) > sum(count for tag, count in used if " " in tag)
    tags = _read(tuple((path, path.stat().st_mtime_ns) for path in tag_lists(download_dir)))
    return [tag if under else spaced(tag) for tag in tags if tag_key(tag) not in known]


def tag_lists(download_dir: str = "") -> list[Path]:
    """The lists of the taggers that lie on this machine, the newest of each."""
    found: list[Path] = []
    for entry in TAGGERS:
        if "asset" in entry.options:
            found += [path for path in [DEMO_ASSETS / entry.options["asset"] / TAGS_FILE] if path.is_file()]
            continue
        with contextlib.suppress(StudioError, OSError):
            found += sorted(fetched_files(entry.options["repo_id"], TAGS_FILE, download_dir), key=lambda path: path.stat().st_mtime_ns)[-1:]
    return found


@lru_cache(maxsize=2)
def _read(lists: tuple[tuple[Path, int], ...]) -> tuple[str, ...]:
    """The tags of some lists. A list that cannot be read is passed over. Args: lists: each with its time, so that it is read once."""
    counts: dict[str, int] = {}
    for path, _ in lists:
        with contextlib.suppress(StudioError, OSError, KeyError, TypeError, ValueError, csv.Error):
            for row in csv.DictReader(io.StringIO(read_text(path))):
                if CATEGORIES.get(int(row["category"])) != "rating":
                    counts[row["name"]] = max(int(row.get("count") or 0), counts.get(row["name"], 0))
    return tuple(sorted(counts, key=lambda tag: -counts[tag]))
