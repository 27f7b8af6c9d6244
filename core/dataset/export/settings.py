"""What is exported, in which layout, and where to."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator
from typing_extensions import Self

from core.base.errors import ConfigError
from core.base.paths import typed_path
from core.base.settings import Settings, setting
from core.dataset.project import Project

Layout = Literal["kohya", "in_place", "onetrainer", "ai_toolkit", "imagefolder"]
EXPORT = "export"
"""Folder of a project in which exports lie, one folder each."""
REGULARISATION = "regularisation"
"""Folder of a project with pictures that the base model drew, as Trainer calls it."""
COPIES = ("kohya", "onetrainer", "ai_toolkit", "imagefolder")
"""Layouts that hold pictures of their own."""
ALPHA = ("kohya", "ai_toolkit")
"""Layouts whose trainer can take a mask from the picture's transparency."""


class ExportSettings(Settings):
    """An export."""

    title = "Export"

    layout: Layout = setting("kohya", "For", "kohya: folders for sd-scripts and everything built on it. in_place: no copy, a dataset "
                             "file that points at this project's pictures. onetrainer: pictures, captions and masks side by side. "
                             "ai_toolkit: pictures and captions with [trigger], and a config. imagefolder: for Hugging Face.")
    folder: str = setting("", "Folder", "Where it is written. Empty: a folder named after the layout, in export/ of the project.")
    num_repeats: int = setting(0, "Repeats", "How often each picture is seen in an epoch. 0: so often that an epoch shows about 200.",
                               ge=0, le=10000, only={"layout": ("kohya", "in_place", "ai_toolkit")},
                               source="training-reference: ceil(200 / images)")
    class_word: str = setting("", "Class word", "What it is: girl, cat. It stands behind the trigger word in the folder's name, which is "
                              "the caption of pictures without one.", only={"layout": ("kohya",)}, max_length=60)
    versions: Literal["best", "none"] = setting("best", "Versions", "best: the best version of the whole picture, where tools made some. "
                                                "none: the pictures themselves.")
    parts: bool = setting(False, "Parts too", "Crops such as girl_face_focus.png, each with the caption of the whole picture, or with its "
                          "own text file beside it in variants/.")
    transparent: bool = setting(False, "Without background", "Take the transparent version, where there is one; what is transparent "
                                "becomes white, or counts as the mask.", level="advanced", only={"layout": COPIES})
    masks: Literal["none", "files", "alpha"] = setting(
        "files", "Masks", "files: as this trainer wants them, each a file of its own. alpha: in the picture's transparency (kohya, "
        "ai_toolkit). none: without.")
    without_caption: Literal["stop", "leave_out", "trigger"] = setting(
        "stop", "Pictures without a caption", "stop: nothing is exported while there are some. leave_out: without them. trigger: the "
        "trigger word is their caption.")
    strip_notes: bool = setting(False, "Take camera notes out", "Camera, date, author, prompts, and the place where a picture was taken. "
                                "The pixels stay as they are.", level="advanced", only={"layout": COPIES})
    regularisation: bool = setting(False, "Regularisation pictures too", "Those that Trainer drew, as reg/.", level="advanced",
                                   only={"layout": ("kohya",)})
    sheets: bool = setting(True, "Contact sheets", "Small pictures with their names, on pages.", level="advanced")
    zip: bool = setting(False, "A zip as well", "To download it in one go; it lies in export/ of the project.", only={"layout": COPIES})
    part_size: int = setting(0, "Largest zip", "Above it several are made, each a whole zip of its own; unpacked into one place they are "
                             "the whole. 0: one zip.", level="advanced", unit="MiB", ge=0, le=1_000_000, only={"zip": (True,)})
    replace_edited: bool = setting(False, "Write over what was edited there", "Files of an earlier export that were changed since.",
                                   level="expert")
    anyway: bool = setting(False, "Export in spite of errors", "What cannot be exported is left out and named.", level="expert")
    images: tuple[str, ...] = setting((), "Only these", "Ids of images (names without the ending); none given: all.", level="expert")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.masks == "alpha" and self.layout not in ALPHA:
            raise ValueError(f"Masks in the transparency are read by {' and '.join(ALPHA)}, not by {self.layout}. Choose 'files'.")
        return self

    @property
    def has_copies(self) -> bool:
        """Whether pictures are written."""
        return self.layout in COPIES

    @property
    def makes_zip(self) -> bool:
        """Whether zips are asked for, and there is something to put in."""
        return self.zip and self.has_copies


def export_folder(project: Project, layout: str = "kohya", folder: str = "") -> Path:
    """Where an export lies.

    Raises: ConfigError: the folder cannot be used, as it holds or is part of the project, or of a source of pictures.
    """
    if not folder.strip():
        return project.folder / EXPORT / layout
    place = typed_path(folder)
    real, own = place.resolve(), project.folder.resolve()
    if own.is_relative_to(real) or (real.is_relative_to(own) and not (real != own / EXPORT and real.is_relative_to(own / EXPORT))):
        raise ConfigError(f"{place} is part of the project, or holds it; an export must lie apart from its pictures.",
                          "Leave the folder empty, or choose one elsewhere.")
    for source in project.info().sources:
        if "://" not in source and real.is_relative_to(Path(source).resolve()):
            raise ConfigError(f"{place} lies in {source}, from where pictures were imported; nothing there is changed.",
                              "Leave the folder empty, or choose one elsewhere.")
    if place.exists() and not place.is_dir():
        raise ConfigError(f"{place} is a file.", "Choose a folder.")
    return place
