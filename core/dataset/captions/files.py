"""A caption file: UTF-8 without BOM, one line, never empty, beside its image; saved only over the text that was read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import DatasetError
from core.base.files import write_text
from core.dataset.captions.locking import writing_in
from core.dataset.project import is_trained_on

CAPTION_EXTENSION = ".txt"
NO_FILE = "none"
"""Revision of a caption that does not exist."""
STALE_CACHES = ("_te_outputs.npz", "_sd3_te.npz", "_flux_te.npz", "_lumina_te.npz", "_hi_te.npz", "_anima_te.npz")
"""Text-encoder outputs that sd-scripts keeps beside an image; it never notices that the caption changed."""
WORD = re.compile(r"[^\W_]{2}|[^\W_]_[^\W_]_[^\W_]")
"""What makes a tag with underscores words and no face: two letters or digits side by side, or a_b_c."""
FEW = 500
"""Captions up to which files beside them are looked for one by one, not by listing the whole folder."""


class CaptionConflict(DatasetError):
    """The caption file changed on disk since it was read; nothing was written."""


@dataclass(frozen=True)
class Caption:
    """A caption as it was read."""

    image_id: str
    text: str | None
    """One line; None: there is no file."""
    revision: str
    """Names the exact bytes that were read; a save must carry it."""


def caption_path_for(image: Path, extension: str = CAPTION_EXTENSION) -> Path:
    """The caption file that belongs to an image: same stem, `extension` in place of the image's ending."""
    return image.with_name(image.stem + extension)


def read_caption(path: Path, image_id: str = "") -> Caption:
    """Read a caption file.

    Raises: DatasetError: it is not UTF-8, or cannot be read (the file stays as it is).
    """
    data = _bytes_of(path)
    if data is None:
        return Caption(image_id, None, NO_FILE)
    return Caption(image_id, one_line(decode_caption(data, path.name)), revision_of(data))


def read_caption_text(path: Path) -> str | None:
    """The caption, or None where there is none that can be read (for lists; a stage that writes uses `read_caption`)."""
    try:
        return read_caption(path).text
    except DatasetError:
        return None


def write_caption(path: Path, text: str, revision: str, image_id: str = "") -> Caption:
    """Save a caption over the one that was read.

    Args:
        path: the caption file.
        text: the new caption; line breaks become one line. A file that says the same in several lines stays as it is.
        revision: `Caption.revision` of the text that the person or stage saw.

    Returns: the caption as it is now, with its new revision. A file that holds this very line already counts as saved, whatever
        the revision: a save that comes twice is no conflict.

    Raises:
        CaptionConflict: the file changed on disk since then.
        DatasetError: the text is empty, or the present file cannot be read.
        DiskError: no space, no permission; the old caption is whole.
    """
    line = line_to_write(text, path.stem)
    data = line.encode("utf-8")
    with writing_in(path.parent):
        present = _bytes_of(path)
        if present is not None and present != data and _says_in_lines(present, line, path.name):
            data = present
        elif present != data:
            check_revision(path, revision)
            write_text(path, line)
    forget_caches(path)
    return Caption(image_id, line, revision_of(data))


def _says_in_lines(data: bytes, line: str, name: str) -> bool:
    """Whether a file says the same in several lines; it stays as it is then."""
    with contextlib.suppress(DatasetError):
        text = decode_caption(data, name)
        return has_lines(text) and one_line(text) == line
    return False


def read_lines(path: Path) -> str | None:
    """The text of a caption file that has several lines, as it stands there; None: it has one, or there is none. Raises: DatasetError."""
    data = _bytes_of(path)
    text = decode_caption(data, path.name) if data is not None else ""
    return text if has_lines(text) else None


def remove_caption(path: Path, revision: str) -> None:
    """Take a caption file away; the caller has noted what it held. Raises: CaptionConflict, OSError."""
    with writing_in(path.parent):
        check_revision(path, revision)
        path.unlink(missing_ok=True)
    forget_caches(path)


def check_revision(path: Path, revision: str) -> None:
    """Raises: CaptionConflict: the file is not the one that was read; DatasetError: it cannot be read."""
    data = _bytes_of(path)
    if revision != (NO_FILE if data is None else revision_of(data)):
        raise CaptionConflict(f"{path.name} was changed by something else since it was read; it was not overwritten.",
                              "Read it again, then decide which text to keep.")


def _bytes_of(path: Path) -> bytes | None:
    """The file; None where there is none. Raises: DatasetError: it is there and cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror or type(error).__name__}).",
                           "Check its rights, that it is a file, and that its drive is connected.") from error


def revision_of(data: bytes) -> str:
    """Short name of exactly these bytes."""
    return hashlib.sha256(data).hexdigest()[:20]


def forget_caches(caption_path: Path) -> None:
    """Delete the trainer's text-encoder caches of this image; they are made anew from the new caption.

    A training that runs reads them at each step, so that they stay until the next one begins (`core.training.preflight.caches`).
    """
    caches = [path for ending in STALE_CACHES if (path := caption_path.with_name(caption_path.stem + ending)).exists()]
    if caches and not is_trained_on(caption_path.parent):
        for path in caches:
            path.unlink(missing_ok=True)


def find_caches(folder: Path, captions: Collection[str] | None = None) -> dict[str, list[str]]:
    """Name of a caption file → names of the text-encoder outputs that a trainer keeps of it.

    Args: captions: only of these; a few are looked for by name, which does not grow with the folder. None: of all.
    Raises: OSError.
    """
    found: dict[str, list[str]] = {}
    if captions is not None and len(captions) <= FEW:
        for caption in captions:
            names = [caption.removesuffix(CAPTION_EXTENSION) + ending for ending in STALE_CACHES]
            found[caption] = [name for name in names if (folder / name).exists()]
        return found
    with os.scandir(folder) as entries:
        for entry in entries:
            ending = next((one for one in STALE_CACHES if entry.name.endswith(one)), "")
            if ending:
                found.setdefault(entry.name.removesuffix(ending) + CAPTION_EXTENSION, []).append(entry.name)
    return found


def decode_caption(data: bytes, name: str) -> str:
    """Text of a caption file: UTF-8 (a BOM is dropped), or UTF-16 that says so.

    Raises: DatasetError: it is neither; guessing would put wrong letters into every caption.
    """
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name} is not UTF-8 text (byte {error.start} is 0x{data[error.start]:02x}).",
                           "Save it again as UTF-8 in a text editor.") from error


def one_line(text: str) -> str:
    """The text as one line: line breaks become commas (or a space after punctuation), control characters go."""
    if text.isprintable():
        return text.strip()  # by far the most
    lines = [re.sub(r"[\x00-\x1f\x7f-\x9f\ufeff]+", " ", line).strip() for line in re.split(r"[\r\n\u2028\u2029\x0b\x0c]+", text)]
    result = ""
    for line in filter(None, lines):
        joint = "" if not result else " " if result[-1] in ",.;:!?" else ", "
        result += joint + line
    return result


def has_lines(text: str) -> bool:
    """Whether a caption file's text is more than its one line tells: sd-scripts' wildcards stand in several lines."""
    return not text.isprintable() and text.strip() != one_line(text)


def line_to_write(text: str, name: str) -> str:
    """The text as one line that may be saved. Raises: DatasetError: nothing is left of it."""
    line = one_line(text)
    if not line:
        raise DatasetError(f"The caption of {name} would be empty; trainers stop on an empty caption.", "Write at least one word.")
    return line


def split_tags(text: str | None, separator: str = ",") -> list[str]:
    """The words of a caption between commas, in order, without empty ones."""
    return [tag.strip() for tag in (text or "").split(separator.strip() or ",") if tag.strip()]


def tag_key(tag: str) -> str:
    """What makes two spellings one tag: case, underscores and outer spaces do not count; faces such as ^_^ stay as they are."""
    return spaced(tag.strip().lower())


def spaced(tag: str) -> str:
    """The tag with spaces for underscores; those of a face (^_^, t_t, <o>_<o>) are drawing and stay."""
    return tag.replace("_", " ") if WORD.search(tag) else tag
