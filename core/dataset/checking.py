"""What would go wrong with a dataset in training, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from core.base.errors import DatasetError
from core.base.findings import Finding
from core.base.progress import SILENT, Progress
from core.dataset.captions.files import decode_caption, split_tags
from core.dataset.images.opening import inspect_image
from core.dataset.items import ImageItem, list_items
from core.dataset.project import Project
from core.dataset.sources.ledger import fold

FEW_IMAGES = 10
SHOWN = 5
"""Names in one sentence."""


def check_dataset(project: Project, progress: Progress = SILENT) -> list[Finding]:
    """Look at every image and caption as a trainer will.

    Returns: findings, errors first; empty when all is well.
    Raises: Cancelled.
    """
    items = list_items(project)
    if not items:
        return [Finding("error", f"The project {project.name!r} has no images.", "Import some.")]
    trouble: dict[str, list[str]] = {}
    for item in progress.track(items, "Checking"):
        for kind in (*_image_trouble(item), *_caption_trouble(item, project.trigger_word)):
            trouble.setdefault(kind, []).append(item.path.name)
    stems = Counter(fold(item.id) for item in items)
    trouble["stem"] = [item.path.name for item in items if stems[fold(item.id)] > 1]
    trouble["orphan"] = _orphans(project.images, stems)
    trouble["extension"] = [path.name for path in sorted(project.images.glob("*.caption"))]
    findings = [Finding(level, f"{what}: {_some(trouble[kind])}.", remedy) for kind, level, what, remedy in KINDS if trouble.get(kind)]
    if len(items) < FEW_IMAGES:
        findings.append(Finding("info", f"There are only {len(items)} images.", "15 to 50 good ones are usual for a character."))
    return findings


KINDS: tuple[tuple[str, Literal["error", "warning", "info"], str, str], ...] = (
    ("broken", "error", "Images that cannot be opened", "Take them out of the images folder; training would stop on them."),
    ("stem", "error", "Images that share one caption file, because their names differ only in the ending or in case",
     "Rename one of each, with its caption."),
    ("encoding", "error", "Captions that are not UTF-8 text", "Save them again as UTF-8; training would stop on them."),
    ("empty", "error", "Images whose caption file is empty", "Tag or write them; training would stop on an empty caption."),
    ("turned", "warning", "Images that are stored lying and turned only when shown",
     "Import them instead of copying; trainers see them lying."),
    ("missing", "warning", "Images without a caption", "Tag them, or write a caption."),
    ("borrowed", "warning",
     "Images without a caption in a path with four or more underscores, for which sd-scripts may take another image's",
     "Give them a caption."),
    ("lines", "warning", "Captions of several lines, of which trainers read only the first", "Open and save them in the caption editor."),
    ("bom", "warning", "Captions that begin with an invisible mark (BOM), which would become part of the first tag",
     "Open and save them in the caption editor."),
    ("trigger", "warning", "Captions that do not begin with the trigger word", "Use the trigger word panel."),
    ("extension", "info", "Captions with the ending .caption, which is not read", "Rename them to .txt if they are wanted."),
    ("orphan", "info", "Captions without an image", "Nothing need be done."),
)


def _image_trouble(item: ImageItem) -> Sequence[str]:
    try:
        facts = inspect_image(item.path)
    except DatasetError:
        return ["broken"]
    return ["turned"] if facts.orientation != 1 else []


def _caption_trouble(item: ImageItem, trigger: str) -> Sequence[str]:
    try:
        data = item.caption_path.read_bytes()
    except FileNotFoundError:
        path = str(item.path.with_suffix(""))
        return ["missing", "borrowed"] if path.count("_") >= 4 else ["missing"]
    try:
        text = decode_caption(data, item.caption_path.name)
    except DatasetError:
        return ["encoding"]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ["encoding"]
    if not text.strip():
        return ["empty"]
    found = ["lines"] if len(text.strip().splitlines()) > 1 else []
    if data.startswith(b"\xef\xbb\xbf"):
        found.append("bom")
    if trigger and split_tags(text.splitlines()[0])[:1] != [trigger]:
        found.append("trigger")
    return found


def _orphans(folder: Path, stems: Counter[str]) -> list[str]:
    return [path.name for path in sorted(folder.glob("*.txt")) if fold(path.stem) not in stems and not path.name.startswith(".")]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
