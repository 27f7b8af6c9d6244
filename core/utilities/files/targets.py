"""Where a result is written: a name that is free, and stays so."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from core.base.errors import ConfigError
from core.base.paths import typed_path

LONGEST_NAME = 255
"""Bytes, on all common file systems (NAME_MAX)."""


def beside(file: str | Path, ending: str) -> Path:
    """A name of its own beside a file, as results have it where nothing is said. Raises: ConfigError: as `typed_path`, or it names none."""
    path = typed_path(file)
    if not path.name:
        raise ConfigError(f"{path} is no file.", "Choose one, or write its whole path.")
    return path.with_name(f"{path.stem}{ending}.safetensors")


def free_target(usual: Path, save_to: str, itself: bool = False) -> Path:
    """Where a result goes: the given place, else the usual one. The one rule of tools and panels; nothing is opened.

    Args: itself: the usual place is that of the given file, which may be changed where it is.
    Raises: ConfigError: something lies there, it is no .safetensors, or its name is longer than a disk takes.
    """
    target = typed_path(save_to) if save_to.strip() else usual
    if itself and target == usual:
        return target
    if len(os.fsencode(target.name)) > LONGEST_NAME:
        raise ConfigError(f"{target.name[:40]}… is too long a name: {len(os.fsencode(target.name))} bytes, where a disk takes "
                          f"{LONGEST_NAME}.", "Give a shorter one under Save as.")
    try:
        is_there, is_folder = target.exists(), target.is_dir()
    except OSError as error:  # a folder on the way whose name is too long, or that may not be looked into
        raise ConfigError(f"{target} cannot be looked at: {error.strerror}.", "Choose another place.") from error
    if is_folder:
        raise ConfigError(f"{target} is a folder.", "Write the name of the new file behind it.")
    if target.suffix != ".safetensors":
        raise ConfigError(f"{target.name} does not end in .safetensors.", "Only safetensors files are written.")
    if is_there:
        raise _taken(target)
    return target


def numbered(path: Path) -> Iterator[Path]:
    """The path, then with -2, -3 … to its name."""
    yield path
    yield from (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(2))


def free_name(path: Path) -> Path:
    """The first of its numbered names that is free."""
    with contextlib.suppress(OSError):  # of a name that cannot be, `free_target` says why
        return next(name for name in numbered(path) if not name.exists())
    return path


@contextlib.contextmanager
def taken(target: Path) -> Iterator[None]:
    """Around the writing: says in words that another file took the name meanwhile. Raises: ConfigError."""
    try:
        yield
    except FileExistsError as error:
        raise _taken(target) from error


def _taken(target: Path) -> ConfigError:
    return ConfigError(f"{target} is there already.", "Choose another name under Save as, or move that file away.")
