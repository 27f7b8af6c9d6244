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
DEMO_MODEL = DEMO_ASSETS / "model"
"""The embedded model."""
DEMO_VERSION = "lorabook_demo"
"""How a LoRA file says that it was trained on it, in ss_base_model_version and modelspec.architecture."""
WINDOWS_PATH = re.compile(r"([A-Za-z]):[\\/](.*)|\\\\.+", re.DOTALL)
"""C:\\pictures, C:/pictures or \\\\computer\\pictures."""
OWN_SHARE = re.compile(r"\\\\(?:wsl\.localhost|wsl\$)\\([^\\]+)(.*)", re.DOTALL | re.IGNORECASE)
"""How Windows calls a folder of WSL: \\\\wsl.localhost\\Ubuntu\\home\\me, in older versions \\\\wsl$\\Ubuntu\\home\\me."""
PROC_VERSION = Path("/proc/version")
DRIVES = Path("/mnt")
"""Where WSL shows the drives of Windows."""


def typed_path(text: str | Path) -> Path:
    """The absolute path that a person typed: ~ is the home folder, and what has no beginning lies in the present folder.

    Spaces and quotes around a text are dropped, as the file managers' "Copy as path" adds them. Under WSL a path of Windows becomes the
    one under which WSL shows the same place, where something is there. The path need not exist.
    Raises: ConfigError: it is a path of Windows and this is another system, or the home folder of a user who is not known.
    """
    given = text if isinstance(text, Path) else Path(text.strip().strip("\"'").strip())
    windows = WINDOWS_PATH.fullmatch(str(given))
    if windows and os.name != "nt":
        return _path_of_windows(given, windows)
    try:
        return given.expanduser().absolute()
    except RuntimeError as error:
        raise ConfigError(f"{given} cannot be resolved: {error}", "Write the whole path, from / on.") from error


def place_of(text: str | Path) -> Path:
    """As `typed_path`, for a look whether something is there: what cannot be resolved stands as it was written, where nothing lies."""
    try:
        return typed_path(text)
    except ConfigError:
        return Path(text).absolute()


def is_demo_model(name: str | Path | None) -> bool:
    """Whether it is the embedded model, also by a link or a relative path."""
    return bool(name) and os.path.realpath(place_of(str(name))) == os.path.realpath(DEMO_MODEL)


def is_wsl() -> bool:
    """Whether this is WSL, Windows' own Linux. Source: its kernel's name, "…-microsoft-standard-WSL2"."""
    try:
        return "microsoft" in PROC_VERSION.read_text(encoding="utf-8", errors="replace").lower()
    except OSError:
        return False


def _path_of_windows(given: Path, windows: re.Match[str]) -> Path:
    """Where WSL shows a path of Windows. Raises: ConfigError: this is no WSL, or nothing is there."""
    place = _under_wsl(windows) if is_wsl() else None
    if place is not None and place.exists():
        return place
    under_wsl = f" Under WSL it is {place}, and nothing is there." if place is not None else ""
    raise ConfigError(f"{given} is a path of Windows on your own computer; the system that Lorabook runs on does not know it.",
                      f"Upload it to this machine first, and write where it lies here.{under_wsl}")


def _under_wsl(windows: re.Match[str]) -> Path | None:
    """Where WSL shows it: a drive below /mnt, \\\\wsl.localhost\\NAME as its own folders; None: elsewhere in the network."""
    if drive := windows[1]:
        return DRIVES / drive.lower() / windows[2].replace("\\", "/").strip("/")
    own = OWN_SHARE.fullmatch(windows[0])
    if own is None or own[1].lower() != os.environ.get("WSL_DISTRO_NAME", own[1]).lower():
        return None
    return Path("/", own[2].replace("\\", "/").strip("/"))


def projects_dir() -> Path:
    """Where projects are made: $LORABOOK_PROJECTS, else `projects/` beside the code."""
    return typed_path(os.environ.get("LORABOOK_PROJECTS") or ROOT / "projects")


def models_dir() -> Path:
    """Where model files are kept: $LORABOOK_MODELS, else `models/` beside the code."""
    return typed_path(os.environ.get("LORABOOK_MODELS") or ROOT / "models")


def loras_dir() -> Path:
    """Where jobs on LoRA files lie, which need no project: $LORABOOK_LORAS, else `loras/` beside the code."""
    return typed_path(os.environ.get("LORABOOK_LORAS") or ROOT / "loras")


def housekeeping_dir() -> Path:
    """Where jobs lie that look at all projects: beside these."""
    return projects_dir() / "_housekeeping"


def trainers_dir() -> Path:
    """Where trainer checkouts are kept: $LORABOOK_TRAINERS, else `trainers/` beside the code."""
    return typed_path(os.environ.get("LORABOOK_TRAINERS") or ROOT / "trainers")


def own_presets_dir() -> Path:
    """Where a person's own training presets are kept: beside the projects, so that they live as long as these."""
    return projects_dir() / "_presets"


def present_project_file() -> Path:
    """The file with which the last panel of Dataset_Maker hands its project to Trainer."""
    return projects_dir() / "present_project"


def hub_cache(download_dir: str = "") -> Path | None:
    """Where models of Hugging Face are kept. None: its own place, where the environment names one. Raises: ConfigError: as `typed_path`."""
    if download_dir:
        return typed_path(download_dir)
    return None if os.environ.get("HF_HOME") or os.environ.get("HF_HUB_CACHE") else models_dir() / "hub"


def hub_folder(download_dir: str = "") -> Path:
    """The folder of `hub_cache`, also where the environment names it. Raises: ConfigError: as `typed_path`."""
    own = os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME", ""), "hub")
    return hub_cache(download_dir) or typed_path(own)


def looks_like_a_place(value: str) -> bool:
    """A file's path, as against `owner/name` on Hugging Face."""
    return value.startswith(("/", "~", ".")) or "\\" in value or value.endswith((".safetensors", ".ckpt")) or value.count("/") != 1
