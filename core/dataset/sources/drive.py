"""Google Drive on Colab: a folder like any other once it is connected, which only the notebook's own kernel can do, not a job."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator
from pathlib import Path
from types import TracebackType

from core.base.errors import DatasetError
from core.base.paths import typed_path
from core.base.progress import SILENT, Progress
from core.base.settings import Settings
from core.dataset.sources import SOURCES, Source, SourceContent, kind_of, places

CONNECT = "Press Connect Google Drive in the panel Import."


def is_colab() -> bool:
    """Whether this is the kernel of a Colab notebook, the only place where Google Drive can be connected."""
    return "google.colab" in sys.modules


def is_connected() -> bool:
    """Whether Google Drive lies on this machine now."""
    return places.DRIVE.is_dir()


def connect_drive() -> Path:
    """Mount Google Drive; Google asks for consent in the browser, and until then this waits. To be called in the kernel's main thread.

    Returns: the folder of My Drive.
    Raises: DatasetError: this is no Colab notebook, or Google or the person refused.
    """
    if is_connected():
        return places.DRIVE
    if not is_colab():
        raise DatasetError("Google Drive can only be connected in a notebook on Google Colab.",
                           "Elsewhere, upload the pictures, or import them from their address.")
    drive, errors = importlib.import_module("google.colab.drive"), importlib.import_module("google.colab.errors")
    try:
        drive.mount(str(places.DRIVE.parent))
    except (errors.Error, ValueError, OSError) as error:
        raise DatasetError(f"Google Drive was not connected: {str(error) or type(error).__name__}.",
                           "Press the button again and agree to what Google asks.") from error
    if not is_connected():
        raise DatasetError(f"Google Drive was connected, but {places.DRIVE} is not there.",
                           "Restart the session (menu Runtime) and connect it again.")
    return places.DRIVE


def on_drive(text: Path | str) -> Path:
    """A folder or archive on Google Drive. Args: text: its path, or its path inside My Drive.

    Raises: DatasetError: Drive is not connected, or the path leads elsewhere. ConfigError: as `typed_path`.
    """
    if not is_connected():
        raise DatasetError(f"Google Drive is not connected: {places.DRIVE} is not there.", CONNECT)
    written = Path(str(text).strip())
    path = typed_path(written if written.is_absolute() or str(text).strip().startswith("~") else places.DRIVE / written)
    if not path.resolve().is_relative_to(places.DRIVE.parent.resolve()):
        raise DatasetError(f"{path} does not lie on Google Drive.", "Choose Folder or archive on this machine under From.")
    return path


class DriveSource:
    """A folder or archive on Google Drive, read as any other.

    Args: location: as `on_drive` takes it.
    """

    def __init__(self, location: Path | str, scratch: Path, recursive: bool = True, options: Settings | None = None,
                 progress: Progress = SILENT) -> None:
        path = on_drive(location)
        self._source: Source = SOURCES.load(kind_of(path))(path, scratch, recursive, None, progress)
        self.place = str(path)

    def __enter__(self) -> DriveSource:
        self._source.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._source.__exit__(kind, error, trace)

    def parts(self) -> Generator[SourceContent, None, None]:
        """Every file. Raises: as the folder's or archive's."""
        yield from self._source.parts()
