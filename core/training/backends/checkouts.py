"""Where the checkout of another project's trainer is, and the Python of its environment."""

from __future__ import annotations

import os
from pathlib import Path

from core.base.findings import Finding
from core.base.paths import trainers_dir, typed_path

INTERPRETERS = (".venv/bin/python", "venv/bin/python", ".venv/Scripts/python.exe", "venv/Scripts/python.exe")


def checkout_of(name: str) -> Path:
    """Where the checkout is or would be: what its variable says ($SD_SCRIPTS_DIR, $MUSUBI_DIR), else `trainers/NAME`."""
    return typed_path(os.environ.get(f"{_variable(name)}_DIR") or trainers_dir() / name)


def interpreter_of(name: str) -> Path | None:
    """The Python of its environment: $SD_SCRIPTS_PYTHON or $MUSUBI_PYTHON, else .venv or venv inside the checkout; None: there is none."""
    given = os.environ.get(f"{_variable(name)}_PYTHON")
    candidates = [typed_path(given)] if given else [checkout_of(name) / place for place in INTERPRETERS]
    # A venv's python is a link that must not be resolved: behind it lies the Python without the environment's packages.
    return next((path for path in candidates if path.is_file()), None)


def lacking(name: str, title: str, files: tuple[str, ...]) -> Finding | None:
    """What of a trainer is not there, with the remedy. Args: files: of the checkout, by which it is recognised."""
    folder, remedy = checkout_of(name), f"Run: python3 installer.py --trainer {name}"
    absent = [file for file in files if not (folder / file).is_file()]
    if absent:
        where = f"has no {absent[0]}" if folder.is_dir() else "does not exist"
        return Finding("error", f"{title} is not installed: {folder} {where}.", remedy)
    if interpreter_of(name) is None:
        place = os.environ.get(f"{_variable(name)}_PYTHON") or folder / ".venv"
        return Finding("error", f"{title} has no Python environment of its own: {place} does not exist.", remedy)
    return None


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
