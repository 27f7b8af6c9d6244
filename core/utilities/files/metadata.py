"""What a LoRA file says of itself for people: title, author, trigger, licence, tags and a small picture, under the names that others read.

Sources: Stability-AI/ModelSpec 1.0.1 (modelspec.*; Civitai, ComfyUI, SwarmUI and Forge read them), kohya-ss/sd-scripts at 48d368fa
(library/sai_model_spec.py, the same keys), AUTOMATIC1111/stable-diffusion-webui, extensions-builtin/Lora/network.py (the name of a LoRA in
prompts is ss_output_name) and ui_edit_user_metadata.py (tags come from ss_tag_frequency).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from core.base.errors import ConfigError, DatasetError
from core.base.paths import typed_path
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.tensor_headers import read_header
from core.dataset.images.opening import open_rgb
from core.utilities.files.header_edit import change_metadata
from core.utilities.files.header_rescue import mend_header
from core.utilities.files.targets import free_target

KEYS: Mapping[str, str] = {
    "title": "modelspec.title", "author": "modelspec.author", "description": "modelspec.description", "license": "modelspec.license",
    "trigger": "modelspec.trigger_phrase", "tags": "modelspec.tags", "usage_hint": "modelspec.usage_hint",
    "thumbnail": "modelspec.thumbnail", "prompt_name": "ss_output_name"}
"""Each setting and its key in the file."""
SPEC = ("modelspec.sai_model_spec", "1.0.1")
"""Says which version of ModelSpec the other keys follow."""
IN_PLACE = "Only its header was written."
ANEW = "The whole file was written with its new header; the tensors are the same."
THUMBNAIL_SIZE = 256
"""Pixels of the longer side; a JPEG of it takes some 15 KB of the header."""


class MetadataSettings(Settings):
    """What a file is to say of itself. What is left empty stays as it is."""

    title: ClassVar[str] = "Metadata"
    file: str = setting(..., "LoRA file", "A .safetensors file.")
    save_to: str = setting("", "Save as", "Another file that gets the change; one that is there is not written over. Empty: the file "
                           "itself; its tensors stay as they are.")
    name: str = setting("", "Title", "Shown in lists of models.", source=KEYS["title"])
    author: str = setting("", "Author", source=KEYS["author"])
    trigger: str = setting("", "Trigger words", "What a prompt needs to call it.", source=KEYS["trigger"])
    license: str = setting("", "Licence", "For example CreativeML Open RAIL-M.", source=KEYS["license"])
    description: str = setting("", "Description", source=KEYS["description"])
    tags: str = setting("", "Tags", "Separated by commas.", source=KEYS["tags"])
    usage_hint: str = setting("", "How to use it", "Strength, prompt, size …", source=KEYS["usage_hint"])
    thumbnail: str = setting("", "Small picture", "A picture file; it is made 256 pixels large and put into the header.",
                             source=KEYS["thumbnail"])
    prompt_name: str = setting("", "Name in prompts", "What A1111 and Forge call it: <lora:NAME:1>.", level="advanced",
                               source=KEYS["prompt_name"])
    remove: tuple[str, ...] = setting((), "Take out", "Keys that go, such as ss_dataset_dirs; with * at the end all that begin so.",
                                      level="advanced")


    def usual_target(self) -> Path:
        """The file itself. Raises: ConfigError: its path cannot be resolved."""
        return typed_path(self.file)


@dataclass(frozen=True)
class MetadataReport:
    """What became of it."""

    file: str
    changed: tuple[str, ...]
    """Keys that were added or have another value."""
    removed: tuple[str, ...]
    in_place: bool
    """Whether only the header was written."""

    def sentence(self) -> str:
        """The report in words."""
        if not self.changed and not self.removed and self.in_place:
            return f"{Path(self.file).name} says all of that already; nothing was written."
        what = ", ".join([*self.changed, *(f"{key} taken out" for key in self.removed)]) or "nothing was changed"
        return f"{Path(self.file).name}: {what}. " + (IN_PLACE if self.in_place else ANEW)


def said_by(path: str | Path) -> dict[str, str]:
    """What a file says of itself, by the names of the settings; what it does not say is empty. `thumbnail` is its data address.

    Only the header is read, and mended where a kill left it half written. Raises: ModelError: no safetensors file. DiskError.
    """
    place = typed_path(path)
    mend_header(place)
    metadata = read_header(place).metadata
    return {"name" if name == "title" else name: metadata.get(key, "") for name, key in KEYS.items()}


def edit_metadata(settings: MetadataSettings, progress: Progress = SILENT) -> MetadataReport:
    """Change what a file says of itself, without loading its tensors.

    Raises: ModelError: no safetensors file. ConfigError: the picture cannot be opened, or something lies where it is to be saved.
        DiskError, Cancelled: the file is as it was.
    """
    path = typed_path(settings.file)
    target = free_target(path, settings.save_to, itself=True)
    mend_header(path)
    old = dict(read_header(path).metadata)
    new = changed_metadata(old, settings)
    removed = tuple(key for key in old if key not in new)
    changed = tuple(key for key, value in new.items() if old.get(key) != value)
    in_place = True
    if changed or removed or target != path:
        in_place = change_metadata(path, new, target, progress)
    return MetadataReport(str(target), changed, removed, in_place)


def changed_metadata(metadata: Mapping[str, str], settings: MetadataSettings) -> dict[str, str]:
    """The metadata as it will be. Raises: ConfigError: the picture cannot be opened."""
    new = {key: value for key, value in metadata.items() if not _goes(key, settings.remove)}
    given = {"title": settings.name, **{name: getattr(settings, name) for name in KEYS if name not in ("title", "thumbnail")}}
    new |= {KEYS[name]: value.strip() for name, value in given.items() if value.strip()}
    if settings.thumbnail.strip():
        new[KEYS["thumbnail"]] = thumbnail_of(typed_path(settings.thumbnail))
    if any(key.startswith("modelspec.") for key in new):
        new.setdefault(*SPEC)
    return new


def _goes(key: str, wanted: tuple[str, ...]) -> bool:
    return any(key == name or (name.endswith("*") and key.startswith(name[:-1])) for name in wanted)


def thumbnail_of(picture: Path) -> str:
    """A picture as a data address, as ModelSpec wants it: JPEG, THUMBNAIL_SIZE. Raises: ConfigError: it cannot be opened, or is larger
    than any camera's."""
    try:
        upright = open_rgb(picture, at_least=THUMBNAIL_SIZE)
    except DatasetError as error:
        raise ConfigError(f"The picture {picture} cannot be opened: {error}", "Choose a PNG, JPEG or WebP file.") from error
    upright.thumbnail((THUMBNAIL_SIZE, THUMBNAIL_SIZE))
    kept = io.BytesIO()
    upright.save(kept, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(kept.getvalue()).decode("ascii")
