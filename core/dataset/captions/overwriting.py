"""Writing one's own caption over what one line cannot say or someone else wrote, and taking one away; that goes into the history."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from core.base.errors import DatasetError, StudioError
from core.base.files import explain_disk_errors
from core.dataset.captions.files import (
    NO_FILE,
    Caption,
    check_revision,
    line_to_write,
    one_line,
    read_caption,
    read_lines,
    remove_caption,
    write_caption,
)
from core.dataset.history import Change, History, Recorder
from core.dataset.items import caption_path_of
from core.dataset.project import Project


def save_caption(project: Project, image_id: str, text: str, revision: str) -> Caption:
    """Save a caption over the one that was read; where that stands in several lines, `undo_last` brings them back.

    Returns: the caption as it is now. Raises: as `write_caption`.
    """
    path = caption_path_of(project, image_id)
    before, line = read_lines(path), line_to_write(text, image_id)
    if before is None or one_line(before) == line:
        return write_caption(path, text, revision, image_id)
    check_revision(path, revision)
    with History.of(project).entry(f"Caption of {image_id} written over several lines") as record, _noted(path, record):
        record.change(image_id, path.name, one_line(before), line)
        record.lines({path.name: before})
        return write_caption(path, line, revision, image_id)


def overwrite_caption(project: Project, image_id: str, text: str, revision: str) -> Caption:
    """Save a caption over the other text, which `undo_last` brings back. A file that holds this very line already counts as saved.

    Args: revision: of the other text, so that the person has seen what is replaced.

    Returns: the caption as it is now.
    Raises: CaptionConflict: it changed once more; DatasetError: the text is empty, or the other one is no text; DiskError.
    """
    path = caption_path_of(project, image_id)
    other, in_lines = read_caption(path, image_id).text, read_lines(path)
    line = line_to_write(text, image_id)
    if line == other:
        return write_caption(path, line, revision, image_id)
    check_revision(path, revision)
    with History.of(project).entry(f"Caption of {image_id} kept over a change from elsewhere") as record, _noted(path, record):
        record.change(image_id, path.name, other, line)
        record.lines({path.name: in_lines} if in_lines is not None else {})
        return write_caption(path, line, revision, image_id)


def take_caption_away(project: Project, image_id: str, revision: str) -> Caption:
    """Take a caption's file away, so that its picture has none; `undo_last` brings it back.

    Args: revision: of the text that the person saw.

    Returns: the caption as it is now: none.
    Raises: CaptionConflict: it changed since; DatasetError: there is none, or it is no text; DiskError.
    """
    path = caption_path_of(project, image_id)
    before, in_lines = read_caption(path, image_id).text, read_lines(path)
    if before is None:
        raise DatasetError(f"{image_id} has no caption to remove.")
    check_revision(path, revision)
    with History.of(project).entry(f"Caption of {image_id} removed") as record, _noted(path, record), explain_disk_errors(path):
        record.changes([Change(image_id, path.name, before, None, written=())])  # from here on no model wrote anything here
        record.lines({path.name: in_lines} if in_lines is not None else {})
        remove_caption(path, revision)
    return Caption(image_id, None, NO_FILE)


@contextlib.contextmanager
def _noted(path: Path, record: Recorder) -> Iterator[None]:
    """Note a change and make it; one that could not be made is no change of the entry."""
    try:
        yield
    except StudioError:
        with contextlib.suppress(StudioError):  # the disk may be full
            record.left([path.name])
        raise
