"""Where things live, relative to the checkout; every place can be moved by an environment variable."""

from __future__ import annotations

import os
import re
from pathlib import Path

from core.base.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
ASSETS = ROOT / "assets"
DEMO_ASSETS = ASSETS / "demo"
WINDOWS_PATH = re.compile(r"([A-Za-z]):[\\/](.*)|\\\\.+", re.DOTALL)
"""C:\\pictures, C:/pictures or \\\\computer\\pictures."""


def typed_path(text: str | Path) -> Path:
    """The absolute path that a person typed: ~ is the home folder, and what has no beginning lies in the present folder.

    Spaces and quotes around a text are dropped, as the file managers' "Copy as path" adds them. The path need not exist.
    Raises: ConfigError: it is a path of Windows and this is another system, or the home folder of a user who is not known.
    """
    given = text if isinstance(text, Path) else Path(text.strip().strip("\"'").strip())
    windows = WINDOWS_PATH.fullmatch(str(given))
    if windows and os.name != "nt":
        raise ConfigError(f"{given} is a path of Windows on your own computer; the system that Lorabook runs on does not know it.",
                          f"Upload the pictures or the zip first, and write where they lie here.{_under_wsl(windows)}")
    try:
        return given.expanduser().absolute()
    except RuntimeError as error:
        raise ConfigError(f"{given} cannot be resolved: {error}", "Write the whole path, from / on.") from error


def _under_wsl(windows: re.Match[str]) -> str:
    """Where WSL shows it, as a sentence; empty for a place in the network."""
    drive, rest = windows[1], (windows[2] or "").replace("\\", "/").rstrip("/")
    return f" Under WSL it is {Path('/mnt', drive.lower(), rest)}." if drive else ""


def projects_dir() -> Path:
    """Where projects are made: $LORABOOK_PROJECTS, else `projects/` beside the code."""
    return Path(os.environ.get("LORABOOK_PROJECTS") or ROOT / "projects").expanduser()


def models_dir() -> Path:
    """Where model files are kept: $LORABOOK_MODELS, else `models/` beside the code."""
    return Path(os.environ.get("LORABOOK_MODELS") or ROOT / "models").expanduser()


def trainers_dir() -> Path:
    """Where trainer checkouts are kept: $LORABOOK_TRAINERS, else `trainers/` beside the code."""
    return Path(os.environ.get("LORABOOK_TRAINERS") or ROOT / "trainers").expanduser()


def present_project_file() -> Path:
    """The file with which the last panel of Dataset_Maker hands its project to Trainer."""
    return projects_dir() / "present_project"
