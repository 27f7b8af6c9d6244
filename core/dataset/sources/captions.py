"""Which caption belongs to which image of a source: text files beside them, and the tables of an image folder."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from core.base.errors import DatasetError
from core.base.files import write_text
from core.dataset.captions.files import NO_FILE, Caption, check_revision, decode_caption, forget_caches, has_lines, one_line, revision_of
from core.dataset.captions.locking import writing_in
from core.dataset.items import Skipped
from core.dataset.sources import SIDECAR_SUFFIX, SourceContent, SourceFile
from core.dataset.sources.ledger import fold
from core.dataset.sources.sidecars import caption_of_json

CAPTION_COLUMNS = ("text", "caption", "captions", "prompt", "tags", "description", "additional_feature")
"""Names under which data sets keep the words of a picture, the likeliest first; the first and the last are the hub's own usage."""
BREAKS = re.compile(r"[\r\n\u2028\u2029\x0b\x0c]+")
"""What ends a line for `one_line`."""
NAME_COLUMNS = ("file_name", "image", "path")


@dataclass(frozen=True)
class Words:
    """The caption that comes with an image."""

    text: str = ""
    """In one line; empty where there is none."""
    name: str = ""
    """The file that it stands in."""
    problems: tuple[Skipped, ...] = ()
    """Files that could not be taken."""
    lines: str = ""
    """The same in the lines in which the file has it, to be written; empty where it is one line."""

    @property
    def from_json(self) -> bool:
        """Whether it stood in a .json file, which is not looked into again later."""
        return self.name.lower().endswith(SIDECAR_SUFFIX)


def read_words(captions: Mapping[str, SourceFile], image: str) -> Words:
    """The caption of an image: the likeliest file that says something. It may come from the network.

    Args: captions: as `captions_by_name` gives them. image: its name in the source. Raises: DiskError, Cancelled.
    """
    empty, problems = "", []
    for file in texts_of(captions, image):
        try:
            whole = decode_caption(file.read(), Path(file.name).name)
            text = one_line(whole)
        except (DatasetError, OSError) as error:
            problems.append(Skipped(file.name, f"{error} The image came in without it."))
            continue
        if text:
            return Words(text, file.name, tuple(problems), clean_lines(whole) if has_lines(whole) else "")
        empty = empty or file.name
    for file in sidecars_of(captions, image) if not problems else ():  # a caption that can be mended goes before another one
        try:
            text = caption_of_json(file)
        except (DatasetError, OSError) as error:
            problems.append(Skipped(file.name, f"{error} The image came in without it."))
            continue
        if text:
            return Words(text, file.name, tuple(problems))
    if empty:
        problems.append(Skipped(empty, "The caption is empty. The image came in without it."))
    return Words(problems=tuple(problems))


def texts_of(captions: Mapping[str, SourceFile], image: str) -> list[SourceFile]:
    """The text files that may hold the caption of an image, and what a table says of it, the likeliest first. Args: as `read_words`."""
    exact = _names_of(image)
    keys = (*exact, *(f"folded:{key.casefold()}" for key in exact), *(f"composed:{fold(key)}" for key in exact))
    return list(dict.fromkeys(captions[key] for key in keys if key in captions))


def _names_of(image: str) -> tuple[str, ...]:
    stem = image.rsplit(".", 1)[0]
    return f"{stem}.txt", f"{stem}.caption", f"{image}.txt", f"{image}.caption"


def sidecars_of(captions: Mapping[str, SourceFile], image: str) -> list[SourceFile]:
    """The .json files that may hold the caption of an image, and what a meta.json says of it, the likeliest first.

    Args: as `read_words`.
    """
    beside = (f"{image.rsplit('.', 1)[0]}.json", f"{image}.json")
    keys = (*beside, *(f"folded:{key.casefold()}" for key in beside), *(f"composed:{fold(key)}" for key in beside), f"{image}.meta")
    return list(dict.fromkeys(captions[key] for key in keys if key in captions))


def write_lines(path: Path, lines: str) -> Caption:
    """Write a caption of several lines that is not there yet. Args: lines: as `clean_lines` gives them.

    Raises: CaptionConflict: a file is there; DatasetError; DiskError.
    """
    with writing_in(path.parent):
        check_revision(path, NO_FILE)
        write_text(path, lines)
    forget_caches(path)
    return Caption(path.stem, one_line(lines), revision_of(lines.encode("utf-8")))


def clean_lines(text: str) -> str:
    """The lines of a caption, each as `one_line` leaves it, without empty ones: `one_line` says the same of it as of the text."""
    return "\n".join(filter(None, map(one_line, BREAKS.split(text))))


def captions_by_name(content: SourceContent) -> tuple[dict[str, SourceFile], list[Skipped]]:
    """Captions by their exact names, as "folded:name" for A.PNG beside a.txt, and as "composed:name" for letters as macOS writes them.

    Two that differ in that only are found exactly or not at all; one in another composition is no other picture's. What a table says of
    an image stands as "image.png.txt", so that a text file beside the image goes before it.

    Returns: the captions, and the tables that could not be read with the reason.
    """
    files, problems = list(content.captions), list[Skipped]()
    for table in content.tables:
        try:
            files += _captions_of_table(table)
        except (DatasetError, OSError, ValueError, csv.Error) as error:
            problems.append(Skipped(table.name, f"Its captions could not be read ({str(error).rstrip('.')})."))
    folded, composed = Counter(file.name.casefold() for file in files), Counter(fold(file.name) for file in files)
    owned = {name for image in content.images for name in _names_of(image.name)}
    loose = {f"folded:{file.name.casefold()}": file for file in files if folded[file.name.casefold()] == 1}
    loose |= {f"composed:{fold(file.name)}": file for file in files if composed[fold(file.name)] == 1 and file.name not in owned}
    return {**loose, **{file.name: file for file in files}}, problems


def caption_file(image: str, words: Any) -> SourceFile | None:
    """What a table says of an image, as a caption file of its own; None where it says nothing.

    Args: words: a text, or a list of tags.
    """
    if isinstance(words, (list, tuple)):
        words = ", ".join(str(word) for word in words if word)
    text = "" if words is None else one_line(str(words))
    name = f"{image}.txt"
    return SourceFile(name, Path(name), data=text.encode("utf-8", "replace")) if text else None


def caption_column(columns: Mapping[str, Any] | list[str], wanted: str = "") -> str:
    """The column that holds the captions: the one that is wanted, else the likeliest; empty where there is none."""
    if wanted:
        return wanted if wanted in columns else ""
    return next((name for name in CAPTION_COLUMNS if name in columns), "")


def _captions_of_table(table: SourceFile) -> list[SourceFile]:
    folder = PurePosixPath(table.name).parent
    text = decode_caption(table.read(), table.name)
    found = []
    for row in _rows(text, table.name.lower().endswith(".csv")):
        name = next((str(row[key]) for key in NAME_COLUMNS if isinstance(row.get(key), str) and row[key]), "")
        file = caption_file((folder / name).as_posix(), row.get(caption_column(row))) if name else None
        if file is not None:
            found.append(file)
    return found


def _rows(text: str, is_csv: bool) -> Iterator[Mapping[str, Any]]:
    """The rows of a table. Raises: ValueError: a line is no JSON, with its number; csv.Error."""
    if is_csv:
        yield from csv.DictReader(io.StringIO(text))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number} is no JSON") from error
        if isinstance(row, dict):
            yield row
