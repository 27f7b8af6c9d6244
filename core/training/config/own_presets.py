"""A person's own presets: settings under a name, one TOML file each, beside the projects. None is ever deleted for good."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError, StudioError
from core.base.files import explain_disk_errors, write_text
from core.base.findings import Finding
from core.base.paths import own_presets_dir
from core.training.config.presets import KEPT, Preset, find_presets, read_preset
from core.training.config.toml_text import toml_text
from core.training.config.training import TrainingSettings

NAME = re.compile(r"\w(?:[\w .+-]{0,58}[\w+])?")
TRASH = "removed"
"""Folder inside the presets' one that removed and replaced ones are put into."""


def own_names() -> list[str]:
    """The names of the own presets, in their order, whether their files can be read or not."""
    return sorted((path.stem for path in own_presets_dir().glob("*.toml") if not path.name.startswith(".")), key=str.casefold)


def read_own(name: str) -> Preset:
    """One of them. Raises: ConfigError: there is none of that name, or its file is wrong."""
    path = _place(name)
    try:
        return read_preset(path)
    except StudioError as error:
        raise ConfigError(f"Your preset {name!r} cannot be read: {error.message}", f"Mend {path}, or remove the preset.") from error


def own_presets() -> tuple[dict[str, Preset], list[Finding]]:
    """Every own preset that can be read, by name, and a finding for each that cannot."""
    found: dict[str, Preset] = {}
    broken = []
    for name in own_names():
        try:
            found[name] = read_own(name)
        except StudioError as error:
            broken.append(Finding("warning", error.message, error.hint))
    return found, broken


def all_presets() -> dict[str, Preset]:
    """The shipped presets, then a person's own that can be read."""
    return {**find_presets(), **own_presets()[0]}


def save_own(name: str, settings: TrainingSettings, purpose: str = "", replace: bool = False) -> Path:
    """Keep settings as a preset, without what is of one project (`presets.KEPT`: model, folders, prompts, name).

    Args:
        name: letters, digits, spaces and . _ + -, 60 at most.
        purpose: a sentence on what it is for.
        replace: put one of that name into the folder of removed ones first.

    Raises: ConfigError: the name cannot be used, or is taken. DiskError.
    """
    name = checked_name(name)
    if taken := next((other for other in own_names() if other.casefold() == name.casefold()), ""):
        if not replace:
            raise ConfigError(f"You have a preset {taken!r} already.", "Choose another name, or replace it.")
        remove_own(taken)
    values = settings.values()
    for part, names in KEPT.items():
        for one in names:
            values[part].pop(one, None)
    about = {"title": name, "purpose": " ".join(purpose.split()) or "Your own."}
    tables: dict[str, Any] = {"preset": about, **{part: table for part, table in values.items() if table}}
    path = _place(name)
    write_text(path, toml_text(tables, "A training preset of Lorabook."))
    return path


def remove_own(name: str) -> Path:
    """Put an own preset into the folder of removed ones. Returns: its place there. Raises: ConfigError: there is none. DiskError."""
    path = _place(name)
    if name not in own_names():
        raise ConfigError(f"You have no preset {name!r}.", f"Yours: {', '.join(own_names()) or 'none yet'}.")
    trash = own_presets_dir() / TRASH
    with explain_disk_errors(trash):
        trash.mkdir(parents=True, exist_ok=True)
        place = next(one for one in _free_places(trash, name) if not one.exists())
        path.rename(place)
    return place


def checked_name(name: str) -> str:
    """The name as it is used. Raises: ConfigError: it is empty, has odd letters, or is that of a shipped preset."""
    name = " ".join(name.split())
    if not NAME.fullmatch(name):
        raise ConfigError(f"A preset cannot be called {name!r}." if name else "The preset has no name.",
                          "Letters, digits, spaces and . _ + - may be used, 60 at most; it begins with a letter or a digit.")
    if name.casefold() in (known.casefold() for known in find_presets()):
        raise ConfigError(f"{name!r} is the name of a preset that comes with Lorabook.", "Choose another name.")
    return name


def _place(name: str) -> Path:
    if Path(name).name != name or not name:
        raise ConfigError(f"You have no preset {name!r}.", f"Yours: {', '.join(own_names()) or 'none yet'}.")
    return own_presets_dir() / f"{name}.toml"


def _free_places(trash: Path, name: str) -> Iterator[Path]:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    yield trash / f"{name} {stamp}.toml"
    yield from (trash / f"{name} {stamp}-{number}.toml" for number in range(2, 1000))
