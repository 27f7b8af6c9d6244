"""Writing one's own caption over a text that someone else wrote meanwhile; the other text goes into the history."""

from __future__ import annotations

from core.dataset.captions.files import Caption, check_revision, line_to_write, read_caption, write_caption
from core.dataset.history import History
from core.dataset.items import caption_path_of
from core.dataset.project import Project


def overwrite_caption(project: Project, image_id: str, text: str, revision: str) -> Caption:
    """Save a caption over the other text, which `undo_last` brings back.

    Args: revision: of the other text, so that the person has seen what is replaced.

    Returns: the caption as it is now.
    Raises: CaptionConflict: it changed once more; DatasetError: the text is empty, or the other one is no text; DiskError.
    """
    path = caption_path_of(project, image_id)
    other = read_caption(path, image_id).text
    check_revision(path, revision)
    line = line_to_write(text, image_id)
    with History.of(project).entry(f"Caption of {image_id} kept over a change from elsewhere") as record:
        if line != other:
            record.change(image_id, path.name, other, line)
        return write_caption(path, line, revision, image_id)
