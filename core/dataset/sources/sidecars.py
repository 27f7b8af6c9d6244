"""Captions in .json files: one beside each picture, or kohya's meta.json that names the pictures of a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from core.base.errors import DatasetError
from core.dataset.captions.files import decode_caption, one_line
from core.dataset.items import Skipped
from core.dataset.sources import IMPORT_SUFFIXES, SourceContent, SourceFile
from core.dataset.sources.gallery import tag_words
from core.dataset.sources.ledger import fold

WORD_KEYS = ("caption", "text", "prompt", "tags", "tag_string")
"""Names under which such files keep the words of a picture, the likeliest first."""
META = re.compile(r"meta[\w-]*\.json", re.IGNORECASE)
"""What sd-scripts' tools call theirs: meta.json, meta_cap.json, meta_clean.json …"""
MARKUP = re.compile(r"<\w+[\s/>]|https?://", re.IGNORECASE)
"""What an artist writes to the visitors of a site is no caption."""
MAX_TEXT = 64 * 2**20
"""Bytes; a larger file holds no captions."""


def sidecars_by_name(content: SourceContent) -> tuple[dict[str, SourceFile], list[Skipped]]:
    """The .json files that stand beside an image, by name as `read_words` asks for them, and what a meta.json says of one as "a.png.meta".

    Returns: these, and each meta.json that could not be read with the reason.
    """
    found, problems = dict[str, SourceFile](), list[Skipped]()
    exact = {name for image in content.images for name in (f"{_stem(image.name)}.json", f"{image.name}.json")}
    beside = {fold(name) for name in exact}
    for file in content.sidecars:
        if fold(file.name) in beside:
            found[file.name] = file
            found.setdefault(f"folded:{file.name.casefold()}", file)
            if file.name not in exact:
                found.setdefault(f"composed:{fold(file.name)}", file)
        elif META.fullmatch(PurePosixPath(file.name).name) and content.images:
            try:
                for name, words in _captions_of_meta(file, content.images).items():
                    found[name] = _joined(found[name], words) if name in found else words
            except (DatasetError, OSError) as error:
                problems.append(Skipped(file.name, f"Its captions could not be read ({str(error).rstrip('.')})."))
    return found, problems


def caption_of_json(file: SourceFile) -> str:
    """The caption in a .json file beside a picture, in one line; empty where it holds none.

    Raises: DatasetError: it is damaged, or too large; DiskError; OSError.
    """
    values = _read(file)
    texts = [_words(key, values.get(key)) for key in WORD_KEYS] if isinstance(values, dict) else []
    return next((text for text in texts if text and not MARKUP.search(text)), "")


def _captions_of_meta(file: SourceFile, images: Sequence[SourceFile]) -> dict[str, SourceFile]:
    """Kohya's file: name of a picture, with or without ending or folder → caption and tags, which sd-scripts joins."""
    values, found = _read(file), dict[str, SourceFile]()
    folder, by_stem = file.name.rpartition("/")[0], dict[str, list[SourceFile]]()
    inside = [image for image in images if image.name.startswith(f"{folder}/")] if folder else []
    for image in inside or images:  # two folders may hold pictures of one name, each with a file of its own
        by_stem.setdefault(PurePosixPath(_stem(image.name)).name, []).append(image)
    for key, entry in values.items() if isinstance(values, dict) else ():
        if not isinstance(entry, dict):
            continue
        text = ", ".join(dict.fromkeys(filter(None, (_words(name, entry.get(name)) for name in ("caption", "tags")))))
        for image in _images_of(key.replace("\\", "/"), by_stem) if text else ():
            found[f"{image.name}.meta"] = SourceFile(file.name, file.path, data=json.dumps({"caption": text}).encode("ascii"))
    return found


def _joined(one: SourceFile, other: SourceFile) -> SourceFile:
    """What two files say of a picture: sd-scripts' tools write captions into one and tags into another."""
    texts = dict.fromkeys((caption_of_json(one), caption_of_json(other)))
    return SourceFile(one.name, one.path, data=json.dumps({"caption": ", ".join(filter(None, texts))}).encode("ascii"))


def _images_of(key: str, by_stem: Mapping[str, Sequence[SourceFile]]) -> Sequence[SourceFile]:
    """The images that a key means: as much of its path as the images have must agree, and only those of one stem are meant."""
    path = _stem(key) if key.lower().endswith(IMPORT_SUFFIXES) else key
    named = by_stem.get(path.rpartition("/")[2], ())
    parts = path.strip("/").split("/")
    for depth in range(len(parts), 0, -1):
        tail = "/" + "/".join(parts[-depth:])
        meant = [image for image in named if f"/{_stem(image.name)}".endswith(tail)]
        if meant:
            return meant if len({_stem(image.name) for image in meant}) == 1 else ()
    return ()


def _read(file: SourceFile) -> Any:
    """Raises: DatasetError: too large, not UTF-8, or no JSON; OSError."""
    size = file.stamp[0] if file.stamp else 0 if file.data is not None else file.path.stat().st_size
    if size > MAX_TEXT:
        raise DatasetError(f"It has {size / 2**20:.0f} MiB, which no captions have.")
    name = PurePosixPath(file.name).name
    try:
        return json.loads(decode_caption(file.read(), name))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{name} is damaged: it is no JSON.") from error


def _words(key: str, value: Any) -> str:
    """A text or list of texts as one line. Boorus part tags by spaces, and write "long_hair"."""
    if isinstance(value, str) and key in ("tags", "tag_string") and "," not in value and (key == "tag_string" or "_" in value):
        value = [tag_words(tag) for tag in value.split()]
    if isinstance(value, list):
        value = ", ".join(part.strip() for part in value if isinstance(part, str) and part.strip())
    return one_line(value.encode("utf-8", "replace").decode("utf-8")) if isinstance(value, str) else ""  # JSON may hold half a letter


def _stem(path: str) -> str:
    """A path without the ending of its file."""
    return path.rsplit(".", 1)[0] if "." in path.rpartition("/")[2] else path
