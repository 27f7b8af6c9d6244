"""What would go wrong with a dataset in training, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

from core.base.errors import ConfigError, DatasetError, StudioError
from core.base.families import TRAINED
from core.base.findings import Finding
from core.base.progress import SILENT, Progress
from core.base.words import counted
from core.dataset.captions.files import decode_caption
from core.dataset.captions.lint import TRIGGER_CHECKS, find_in_captions
from core.dataset.captions.target import find_target
from core.dataset.images.opening import MAX_PIXELS, inspect_image, open_image
from core.dataset.index import Index
from core.dataset.items import ImageItem, is_unchanged, list_items
from core.dataset.parallel import bounded_map
from core.dataset.project import Project
from core.dataset.sources.ledger import fold
from core.dataset.training_file import kept_settings

FEW_IMAGES = 10
SHOWN = 5
"""Names in one sentence."""
KEEP_EVERY = 20
"""Images after which it is noted which of them are whole."""
RESOLUTIONS = {"sd15": 512, "sd2": 768, **{family: 1024 for family in TRAINED if family not in ("sd15", "sd2")}}
"""At which each family is usually trained, in pixels; the resolution of `core.training.presets` (a test compares them)."""
DEMO_MARKER, DEMO_RESOLUTION = "demo", 64
"""Of the demo's projects, which are trained on a tiny model: `MARKER` and `SIZE` of `core.demo.run` (a test compares them)."""


def check_dataset(project: Project, progress: Progress = SILENT) -> list[Finding]:
    """Look at every image and caption as a trainer will. Each image is decoded to its end once; the index knows it then.

    Returns: findings, errors first; empty when all is well.
    Raises: Cancelled.
    """
    items = list_items(project)
    findings = _family_trouble(project)
    if not items:
        return [*findings, Finding("error", f"The project {project.name!r} has no images.", "Import some.")]
    trouble: dict[str, list[str]] = {}
    progress.start("Checking", len(items))
    with Index(project.hidden / "index.sqlite") as index, closing(look_at_pictures(items, index)) as looked_at:
        for item, kinds in looked_at:
            for kind in (*kinds, *caption_trouble(item)):
                trouble.setdefault(kind, []).append(item.path.name)
            progress.advance(item.path.name)
    stems = Counter(fold(item.id) for item in items)
    trouble["stem"] = [item.path.name for item in items if stems[fold(item.id)] > 1]
    trouble["orphan"] = _orphans(project.images, stems)
    trouble["extension"] = [path.name for path in sorted(project.images.glob("*.caption"))]
    findings += [Finding(level, f"{what}: {some_names(trouble[kind])}.", remedy)
                 for kind, level, what, remedy in KINDS if trouble.get(kind)]
    findings += _tiny_pictures(project, items)
    findings += find_in_captions({item.id: item.caption for item in items}, trigger=project.trigger_word, checks=TRIGGER_CHECKS,
                                 target=find_target(project))
    if len(items) < FEW_IMAGES:
        findings.append(Finding("info", f"There {'is' if len(items) == 1 else 'are'} only {counted(len(items), 'image')}.",
                                "15 to 50 good ones are usual for a character."))
    return sorted(findings, key=lambda finding: ("error", "warning", "info").index(finding.level))


KINDS: tuple[tuple[str, Literal["error", "warning", "info"], str, str], ...] = (
    ("broken", "error", "Images that cannot be opened", "Take them out of the images folder; training would stop on them."),
    ("damaged", "error", "Images that are damaged or cut off",
     "Import them again from a whole file, or take them out of the images folder; training would stop on them or learn the damage."),
    ("stem", "error", "Images that share one caption file, because their names differ only in the ending or in case",
     "Rename one of each, with its caption."),
    ("encoding", "error", "Captions that are not UTF-8 text", "Save them again as UTF-8; training would stop on them."),
    ("closed", "error", "Images whose caption cannot be read", "Look at its rights, and whether it is a file; training would stop on it."),
    ("empty", "error", "Images whose caption file is empty", "Tag or write them; training would stop on an empty caption."),
    ("large", "warning", f"Images of more than {MAX_PIXELS / 1e6:g} million pixels, which were not looked at whole",
     "Make them smaller; training takes a small part of that."),
    ("turned", "warning", "Images that are stored lying and turned only when shown",
     "Import them instead of copying; trainers see them lying."),
    ("missing", "warning", "Images without a caption", "Tag them, or write a caption."),
    ("borrowed", "warning",
     "Images without a caption in a path with four or more underscores, for which sd-scripts may take another image's",
     "Give them a caption."),
    ("lines", "warning", "Captions of several lines, of which trainers read only the first without wildcards",
     "Mend the format in Bulk edit makes each one line; or switch on 'Wildcards' in Trainer, which draws one of the lines each time."),
    ("bom", "warning", "Captions that begin with an invisible mark (BOM), which would become part of the first tag",
     "Open and save them in the caption editor."),
    ("extension", "info", "Captions with the ending .caption, which is not read", "Rename them to .txt if they are wanted."),
    ("orphan", "info", "Captions without an image", "Nothing need be done."),
)


def _family_trouble(project: Project) -> list[Finding]:
    try:
        project.family  # noqa: B018 - reading it is the check
    except ConfigError as error:
        return [Finding("error", error.message, error.hint)]
    return []


def _tiny_pictures(project: Project, items: Sequence[ImageItem]) -> list[Finding]:
    """Pictures with fewer pixels than the training, the shorter side less than half of it. Those that cannot be opened have no size."""
    side, why = _training_side(project)
    half = side // 2
    tiny = [item.path.name for item in items if 0 < min(item.width, item.height) < half and item.width * item.height < side * side]
    if not tiny:
        return []
    are, their = ("is", "its") if len(tiny) == 1 else ("are", "their")
    what = (f"{len(tiny)} of {counted(len(items), 'picture')} {are} tiny for a training at {side} px, {why}: {their} shorter side "
            f"is below {half} px ({some_names(tiny)}).")
    return [Finding("warning", what, "The trainer enlarges them; the LoRA learns their blur. Take larger originals, or leave them out.")]


def _training_side(project: Project) -> tuple[int, str]:
    """The shorter side of the training pictures in pixels, 0 where small ones are not enlarged, and why it is that."""
    usual = RESOLUTIONS.get(project.info().family, 0)
    if (project.hidden / DEMO_MARKER).is_file():
        usual = DEMO_RESOLUTION
    data = kept_settings(project, "data")
    width, height = data.get("resolution"), data.get("resolution_height")
    if not isinstance(width, int):
        return usual, "which is usual for this model family"
    as_they_are = data.get("bucket_no_upscale") and data.get("enable_bucket", True)
    return 0 if as_they_are else min(width, height) if isinstance(height, int) else width, "as set in Trainer"


def look_at_pictures(items: list[ImageItem], index: Index) -> Generator[tuple[ImageItem, Sequence[str]], None, None]:
    """Each image with what is wrong with it, in order; several are decoded at once, those known to be whole not at all."""
    known = index.whole([item.sha256 for item in items])
    whole: list[str] = []
    try:
        with closing(bounded_map(lambda item: _image_trouble(item, item.sha256 in known), items)) as results:
            for item, kinds in results:
                if isinstance(kinds, StudioError):
                    raise kinds
                if item.sha256 not in known and not {"broken", "damaged", "large"} & {*kinds} and is_unchanged(item):
                    whole.append(item.sha256)
                if len(whole) >= KEEP_EVERY:
                    index.remember_whole(whole)
                    whole = []
                yield item, kinds
    finally:
        index.remember_whole(whole)


def _image_trouble(item: ImageItem, is_whole: bool) -> Sequence[str]:
    """What is wrong with one image (in a thread). Args: is_whole: it was decoded to its end before."""
    try:
        facts = inspect_image(item.path)
    except DatasetError:
        return ["broken"]
    turned = ["turned"] if facts.orientation != 1 else []
    if is_whole:
        return turned
    if facts.width * facts.height > MAX_PIXELS:
        return [*turned, "large"]
    try:
        open_image(item.path)
    except DatasetError:
        return ["damaged"]
    return turned


def caption_trouble(item: ImageItem) -> Sequence[str]:
    """What is wrong with the caption of a picture, by the names of `KINDS`."""
    try:
        data = item.caption_path.read_bytes()
    except FileNotFoundError:
        path = str(item.path.with_suffix(""))
        return ["missing", "borrowed"] if path.count("_") >= 4 else ["missing"]
    except OSError:
        return ["closed"]
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
    return found


def _orphans(folder: Path, stems: Counter[str]) -> list[str]:
    return [path.name for path in sorted(folder.glob("*.txt")) if fold(path.stem) not in stems and not path.name.startswith(".")]


def some_names(names: Sequence[str]) -> str:
    """The first of them, and how many more."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
