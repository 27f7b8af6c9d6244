"""Whether files of a folder came, went or were given another name."""

from __future__ import annotations

from pathlib import Path

from core.dataset.scanning import is_settled


class FolderWatch:
    """Asks only for the folder's own time, which costs nothing. A file that is written in place is not seen."""

    def __init__(self) -> None:
        self._seen: tuple[Path, int] | None = None

    def changed(self, folder: Path) -> bool:
        """Whether something may have changed since the last question; True the first time, and for another folder."""
        try:
            mtime_ns = folder.stat().st_mtime_ns
        except OSError:
            mtime_ns = 0
        before, now = self._seen, (folder, mtime_ns)
        self._seen = now if is_settled(mtime_ns) else None
        return now != before
