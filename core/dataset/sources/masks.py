"""Masks among the pictures of a source: told by their names, kept apart from the pictures, and brought into variants/."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from core.base.errors import DatasetError
from core.base.files import explain_disk_errors, write_new
from core.dataset.images.opening import inspect_image
from core.dataset.items import Skipped
from core.dataset.project import Project
from core.dataset.sources import SourceContent, SourceFile
from core.dataset.sources.import_report import ImportReport
from core.dataset.sources.ledger import fold
from core.dataset.sources.upload_names import cut

MASK_ENDS = ("-masklabel", "_mask")
"""How OneTrainer and others call the mask of `a.png`: `a-masklabel.png`, `a_mask.png`."""
MASK_FOLDERS = ("mask", "masks")
GUIDE_FOLDERS = ("conditioning", "conditioning_data", "conditioning_data_dir", "conditioning_images")
"""Folders as sd-scripts' `conditioning_data_dir` names them: masks, or pictures that guide a ControlNet; no name tells which."""
MAY_BE = re.compile("mask|conditioning", re.IGNORECASE)
"""Stands in the path of every file that is looked at more closely."""
GREY = 12
"""Of 255: so far may the channels of a grey picture lie apart."""
PICTURE_FOLDERS = re.compile(r"imgs?|images?|pictures?|train(ing)?|dataset|input|\d+_.+", re.IGNORECASE)
"""Folders whose pictures a folder of masks beside them belongs to. Others may be anything: "masks/1.png" beside "hats/1.png"."""


def set_masks_apart(content: SourceContent) -> None:
    """Take masks out of a part's images, and their captions out of its captions. One whose picture is not there stays a picture.

    Args: content: changed in place; `masks` then holds them by the name of their picture. A second call finds nothing more.
    """
    if not any(MAY_BE.search(file.called or file.name) for file in content.images):
        return
    pictures: dict[str, SourceFile] = {}
    paths = [_path(file) for file in content.images]
    for path, file in zip(paths, content.images, strict=True):
        pictures.setdefault(path, file)
    for path, file in zip(paths, content.images, strict=True):
        pictures.setdefault(f"folded:{fold(path)}", file)
    siblings = _picture_folders(paths)
    captioned = {_path(file) for file in content.captions}
    owners: dict[str, SourceFile | None] = {}

    def owner(file: SourceFile) -> SourceFile | None:
        if not MAY_BE.search(file.called or file.name):
            return None
        if _path(file) in captioned and not _in_folder_of_masks(file):  # "girl_mask.png" with a caption of its own is learned from
            return None
        if file.name not in owners:
            likely = _paths_of_picture(_path(file), siblings)
            others = (pictures.get(path) or pictures.get(f"folded:{fold(path)}") for path in likely)
            owners[file.name] = next((one for one in others if one is not None and owner(one) is None), None)
        return owners[file.name]

    found = [(file, picture) for file in content.images if (picture := owner(file)) is not None]
    if not found:
        return
    for file, picture in found:
        content.masks.setdefault(picture.name, []).append(file)
    masks = {file.name for file, _ in found}
    content.images = [file for file in content.images if file.name not in masks]
    orphans = {_path(file) for file, _ in found} - {_path(file) for file in content.images}
    content.skipped += [Skipped(file.name, "It is the caption of a mask.") for file in content.captions if _path(file) in orphans]
    content.captions = [file for file in content.captions if _path(file) not in orphans]


def bring_masks(project: Project, masks: Sequence[SourceFile], picture: SourceFile, image: str, changed: bool,
                report: ImportReport) -> None:
    """Copy the mask of a picture that is in the project to `variants/<stem>_mask.png`; nothing that is there is replaced.

    Args: image: the picture's name in the project. changed: whether it is not the source's file byte for byte. report: told what was
        brought, and what was left with the reason.
    Raises: DiskError: no space, no permission.
    """
    target = project.variants / f"{Path(image).stem}_mask.png"
    for mask in masks:
        try:
            data = mask.read()
            if target.exists() and target.read_bytes() == data:
                continue
            if reason := _refusal(project, mask, data, picture, image, changed):
                raise DatasetError(reason)
            with explain_disk_errors(project.variants):
                project.variants.mkdir(parents=True, exist_ok=True)
            write_new(target, data)
        except FileExistsError:
            leave_masks([mask], picture, f"{target.name} lies in variants/ already, and it is another one.", report)
        except DatasetError as error:
            leave_masks([mask], picture, error.message, report)
        except OSError as error:
            leave_masks([mask], picture, f"It could not be read ({error.strerror}).", report)
        else:
            report.masks += 1


def leave_masks(masks: Iterable[SourceFile], picture: SourceFile, reason: str, report: ImportReport) -> None:
    """Say of masks why they were not brought; they still lie in the source."""
    for mask in masks:
        what = f"It is the mask of {picture.name}, no picture to learn from."
        report.masks_left += 1
        report.skipped.append(Skipped(mask.name, f"{what} {reason} It stays where it is."))


def _refusal(project: Project, mask: SourceFile, data: bytes, picture: SourceFile, image: str, changed: bool) -> str:
    """Why a mask is not brought; empty where it is. Raises: DatasetError: it, or the picture, is no image that can be read; OSError."""
    if _in_folder_of_masks(mask, GUIDE_FOLDERS):
        return "Its folder may hold masks, or pictures for a ControlNet."
    facts, fits = inspect_image(data), inspect_image(project.images / image)
    if facts.format != "PNG":
        return f"It is {facts.format}; masks are kept as PNG."
    if not _is_grey(data):
        return "It has colours, which a mask has not."
    if (facts.width, facts.height) != (fits.width, fits.height):
        return f"It has {facts.width} x {facts.height} pixels, its picture {fits.width} x {fits.height}."
    if changed and inspect_image(picture.read()).orientation != 1:
        return "Its picture was turned upright, and nothing tells whether the mask is."
    return ""


def _in_folder_of_masks(file: SourceFile, names: Sequence[str] = (*MASK_FOLDERS, *GUIDE_FOLDERS)) -> bool:
    return any(part.casefold() in names for part in _path(file).split("/")[:-1])


def _is_grey(data: bytes) -> bool:
    """Whether a picture has no colours but grey; what a mask leaves transparent does not count."""
    from PIL import Image, ImageChops

    with Image.open(io.BytesIO(data)) as image:
        small = image.convert("RGB").resize((64, 64), Image.Resampling.NEAREST)
    red, green, blue = small.split()
    return all(max(ImageChops.difference(red, other).tobytes()) <= GREY for other in (green, blue))


def _paths_of_picture(path: str, siblings: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The paths, without ending, of the pictures that a file may be the mask of."""
    *folders, stem = path.split("/")
    plain = next((stem[:-len(end)] for end in MASK_ENDS if stem.casefold().endswith(end)), "")
    for number, folder in enumerate(folders):
        if folder.casefold() in (*MASK_FOLDERS, *GUIDE_FOLDERS):
            above, below = folders[:number], folders[number + 1:]
            for place in ([], *([one] for one in siblings.get("/".join(above), ()))):
                yield from ("/".join([*above, *place, *below, one]) for one in (stem, plain) if one)
    if plain:
        yield "/".join([*folders, plain])


def _picture_folders(paths: Iterable[str]) -> dict[str, list[str]]:
    """Folder → the folders in it that are called like those of pictures."""
    found: dict[str, list[str]] = {}
    for folder in {path.rpartition("/")[0] for path in paths}:
        parts = folder.split("/")
        for number, part in enumerate(parts):
            inside = found.setdefault("/".join(parts[:number]), [])
            if PICTURE_FOLDERS.fullmatch(part) and part not in inside:
                inside.append(part)
    return {place: sorted(inside) for place, inside in found.items()}


def _path(file: SourceFile) -> str:
    """The path without ending by which the maker calls a picture or its caption."""
    folder, slash, name = (file.called or file.name).rpartition("/")
    return f"{folder}{slash}{cut(name)[0]}"
