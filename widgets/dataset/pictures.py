"""Thumbnails and large pictures for cards, made beside the kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from core.base.errors import StudioError
from core.dataset.images.previews import preview_image
from core.dataset.images.thumbnails import Thumbnail, Thumbnails, Wanted
from core.dataset.project import Project
from widgets.components.cards import Cards
from widgets.kernel_loop import KernelLoop


class PictureFeed:
    """Answers what cards ask for: the same store of thumbnails as the gallery's, newest wish first.

    Args: cards: where the pictures go. fail: tells the person what is wrong.
    """

    def __init__(self, cards: Cards, loop: KernelLoop, fail: Callable[[BaseException], None]) -> None:
        self.cards, self.loop, self._fail = cards, loop, fail
        self.project: Project | None = None
        self._thumbs: Thumbnails | None = None
        self._ready: list[Thumbnail] = []
        self._lock = threading.Lock()

    def open(self, folder: Path | None) -> None:
        """Take the pictures from this project."""
        if (self.project.folder if self.project else None) == folder:
            return
        self.close()
        self.project = Project(folder) if folder is not None else None
        if self.project is not None:
            self._thumbs = Thumbnails(self.project.hidden / "thumbs", self._made)

    def close(self) -> None:
        """Let go of the threads."""
        if self._thumbs is not None:
            threading.Thread(target=self._thumbs.close, daemon=True).start()
            self._thumbs = None

    def want(self, keys: Sequence[str]) -> None:
        """Send the thumbnails of these pictures, and of no others any more."""
        if self._thumbs is None:
            return
        wanted, gone = [], {}
        for key in keys:
            try:
                facts = self.place(key).stat()
            except OSError as error:
                gone[key] = error.strerror or type(error).__name__
            else:
                wanted.append(Wanted(key, self.place(key), facts.st_mtime_ns, facts.st_size))
        if gone:
            self.cards.send_thumbs({}, gone)
        self._thumbs.want(wanted, self._made)

    def enlarge(self, key: str) -> None:
        """Send one picture large."""
        project = self.project
        if project is None:
            return

        def sent(data: bytes | None, error: BaseException | None) -> None:
            if isinstance(error, StudioError):
                self.cards.send_thumbs({}, {key: str(error)})
            elif error is not None:
                self._fail(error)
            elif data is not None:
                self.cards.send_large(key, key, data)

        self.loop.beside(lambda: preview_image(self.place(key), project.hidden / "previews"), sent)

    def place(self, key: str) -> Path:
        """The file of a picture. Raises: KeyError: no project is open."""
        if self.project is None:
            raise KeyError(key)
        name = key.removeprefix("rejected/")
        return (self.project.rejected if name != key else self.project.images) / name

    def _made(self, made: list[Thumbnail]) -> None:
        """In a worker's thread: what is ready goes to the browser together."""
        with self._lock:
            first = not self._ready
            self._ready += made
        if first:
            self.loop.soon(self._send)

    def _send(self) -> None:
        with self._lock:
            made, self._ready = self._ready, []
        if made:
            self.cards.send_thumbs({item.key: item.data for item in made if item.data},
                                   {item.key: item.trouble for item in made if not item.data})
