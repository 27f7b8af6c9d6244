"""Images of a local folder, with its subfolders."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from types import TracebackType

from core.base.progress import SILENT, Progress
from core.base.settings import Settings
from core.dataset.images.files import natural_key
from core.dataset.items import Skipped
from core.dataset.sources import SourceContent, SourceFile, is_junk


class FolderSource:
    """A folder. Linked folders are not followed (they may lead in circles); linked files are read."""

    def __init__(self, location: Path | str, scratch: Path, recursive: bool = True, options: Settings | None = None,
                 progress: Progress = SILENT) -> None:
        self.location, self.recursive = Path(location), recursive
        self.place = str(location)

    def __enter__(self) -> FolderSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def parts(self) -> Generator[SourceContent, None, None]:
        """All of it as one part."""
        yield self.content()

    def content(self) -> SourceContent:
        """Every file below the folder, in natural order; a subfolder that cannot be read is skipped with the reason."""
        found = SourceContent()

        def unreadable(error: OSError) -> None:
            found.skipped.append(Skipped(str(error.filename), f"The folder cannot be read ({error.strerror})."))

        files = []
        for place, folders, names in os.walk(self.location, onerror=unreadable):
            inside = Path(place).relative_to(self.location)
            folders[:] = [name for name in folders if self.recursive and not is_junk(name)]
            for name in names:
                path = Path(place) / name
                if is_junk(name):
                    continue
                if path.is_file() or path.is_symlink():
                    files.append(SourceFile((inside / name).as_posix(), path))
        for file in sorted(files, key=lambda file: natural_key(Path(file.name))):
            found.add(file)
        return found
