"""Images behind an address: one archive or one picture, fetched by http or https."""

from __future__ import annotations

import contextlib
import shutil
import time
import zipfile
from collections.abc import Generator
from pathlib import Path
from types import TracebackType

from core.base.errors import DatasetError
from core.base.files import explain_disk_errors
from core.base.http import shown_address
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.dataset.images.opening import inspect_image
from core.dataset.sources import SourceContent, SourceFile, split_address
from core.dataset.sources.archive import ArchiveSource
from core.dataset.sources.download import download, folder_of, web_page
from core.dataset.sources.tars import is_tar

STALE = 14 * 24 * 3600
"""Seconds after which a download that nobody went on with is taken away."""


class UrlSettings(Settings):
    """How much may be fetched."""

    title = "Address"

    max_download: float = setting(20.0, "Largest download", "A larger file is refused.", gt=0, le=2000, unit="GiB", level="advanced")


class UrlSource:
    """One file on the web. It is kept until everything in it was imported, so that nothing is fetched twice."""

    def __init__(self, location: Path | str, scratch: Path, recursive: bool = True, options: Settings | None = None,
                 progress: Progress = SILENT) -> None:
        self.address, self.scratch, self.recursive, self.progress = str(location).strip(), scratch, recursive, progress
        self.options = options if isinstance(options, UrlSettings) else UrlSettings()
        split_address(self.address)  # refused where it is none
        self.place = shown_address(self.address)
        self.folder = folder_of(scratch, self.address)

    def __enter__(self) -> UrlSource:
        clear_stale(self.scratch, self.folder)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def parts(self) -> Generator[SourceContent, None, None]:
        """What the archive holds, or the one picture. Raises: DatasetError, DiskError, Cancelled: as `download`."""
        file, name = download(self.address, self.folder, int(self.options.max_download * 2**30), self.progress)
        if zipfile.is_zipfile(file) or is_tar(file):
            with ArchiveSource(file, self.folder / "unpacked", self.recursive, None, self.progress) as archive:
                yield self._content(archive, file)
            return
        try:
            inspect_image(file)
        except DatasetError as error:
            shutil.rmtree(self.folder, ignore_errors=True)  # what it is will not change
            if "web page" in error.message:
                raise web_page(self.address) from error
            raise DatasetError(f"{name} from {self.place} is neither a zip or tar archive nor a picture that can be read.",
                               "7z and rar archives must be unpacked first.") from error
        facts = file.stat()
        yield SourceContent(images=[SourceFile(name, file, (facts.st_size, facts.st_mtime_ns))])

    def _content(self, archive: ArchiveSource, file: Path) -> SourceContent:
        """What the archive holds. Raises: DatasetError: it cannot be read, and will be fetched again; DiskError, Cancelled."""
        try:
            return archive.content()
        except DatasetError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise DatasetError(error.message.replace(str(file), self.place), error.hint) from error


def clear_stale(scratch: Path, but: Path) -> None:
    """Take away downloads that were left long ago, except one. Raises: DiskError."""
    with explain_disk_errors(scratch):
        scratch.mkdir(parents=True, exist_ok=True)
        for old in scratch.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if old != but and (old / "download.json").exists() and time.time() - old.stat().st_mtime > STALE:
                    shutil.rmtree(old, ignore_errors=True)
