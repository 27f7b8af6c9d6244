"""Taking down a bulk change of captions in the history while it is made."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.dataset.history_file import Change, append_values, lines_of


class Recorder:
    """Takes down the changes of one entry, before they are made, so that a kill in the middle can be undone or finished."""

    def __init__(self, path: Path | None, what: str, trigger: tuple[str, str] | None = None) -> None:
        self._path, self._what, self._trigger = path, what, trigger
        self.id = ""
        """Names the entry; empty until its first change."""
        self._made: int | None = None
        self._waits = False

    @property
    def settled(self) -> bool:
        """Whether it is known of each change that was noted what became of it."""
        return self._made is not None or not self._waits

    def change(self, image: str, file: str, before: str | None, after: str, written: Iterable[str] | None = None,
               sha256: str = "") -> None:
        """Note one change. Raises: DiskError."""
        if self._path is not None:
            self._waits = True
            append_values(self._path, [*self._begin(), {
                "event": "change", "entry": self.id, "image": image, "file": file, "before": before, "after": after,
                "written": None if written is None else list(written), "sha256": sha256}])

    def changes(self, changes: Sequence[Change]) -> None:
        """Note all changes of a bulk change at once; they are on the disk when this returns. Raises: DiskError."""
        if self._path is not None and changes:
            self._waits = True
            begin = self._begin()
            append_values(self._path, (line for lines in (begin, lines_of(self.id, changes)) for line in lines), sync=True)

    def lines(self, texts: Mapping[str, str]) -> None:
        """Note captions of the entry that stand in several lines, by file name, as they are before they are replaced. Raises: DiskError."""
        if self._path is not None and texts:
            append_values(self._path, [*self._begin(), {"event": "lines", "entry": self.id, "texts": dict(texts)}], sync=True)

    def left(self, files: Sequence[str]) -> None:
        """Caption files that were not written after all, though their changes are noted; the others were. Raises: DiskError."""
        if self._path is not None and files:
            append_values(self._path, [{"event": "left", "entry": self.id, "files": list(files)}])
        self._waits = False

    def _begin(self) -> list[dict[str, Any]]:
        if self.id:
            return []
        self.id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        return [{"event": "begin", "entry": self.id, "what": self._what, "time": time.time(), "trigger": self._trigger, "ends": True}]

    def made(self, count: int) -> None:
        """Only so many of the changes, from the first, were made: the rest was cancelled."""
        self._made = count

    def end(self) -> None:
        """The work on it has ended, whole or cancelled. Raises: DiskError."""
        if self._path is not None and self.id:
            made = {} if self._made is None else {"made": self._made}
            append_values(self._path, [{"event": "end", "entry": self.id, "time": time.time(), **made}], sync=True)
