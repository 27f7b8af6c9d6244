"""Where a result is written: a name that is free, and stays so."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from core.base.errors import ConfigError
from core.base.paths import typed_path

LONGEST_NAME = 255
"""Bytes, on all common file systems (NAME_MAX)."""


def beside(file: str | Path, ending: str) -> Path:
    """A name of its own beside a file, as results have it where nothing is said. Raises: ConfigError: as `typed_path`."""
    path = typed_path(file)
    return path.with_name(f"{path.stem}{ending}.safetensors")


def free_target(usual: Path, save_to: str) -> Path:
    """Where a result goes: the given place, else the usual one.

    Raises: ConfigError: something lies there, it is no .safetensors, or its name is longer than a disk takes.
    """
    target = typed_path(save_to) if save_to.strip() else usual
    if target.suffix != ".safetensors":
        raise ConfigError(f"{target.name} does not end in .safetensors.", "Only safetensors files are written.")
    if len(os.fsencode(target.name)) > LONGEST_NAME:
        raise ConfigError(f"{target.name[:40]}… is too long a name: {len(os.fsencode(target.name))} bytes, where a disk takes "
                          f"{LONGEST_NAME}.", "Give a shorter one under Save as.")
    if target.exists():
        raise _taken(target)
    return target


@contextlib.contextmanager
def taken(target: Path) -> Iterator[None]:
    """Around the writing: says in words that another file took the name meanwhile. Raises: ConfigError."""
    try:
        yield
    except FileExistsError as error:
        raise _taken(target) from error


def _taken(target: Path) -> ConfigError:
    return ConfigError(f"{target} is there already.", "Choose another name under Save as, or move that file away.")
