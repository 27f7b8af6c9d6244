"""The picture on the workbench: found, opened beside the kernel, put on the canvas; what a tool made of it is shown against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.base.buckets import Size
from core.dataset.images.bench import BenchPicture, BenchVersion
from core.dataset.images.manager import ImagesManager
from core.dataset.images.previews import CloseUp, preview_bytes
from widgets.components.canvas import Canvas
from widgets.components.canvas_deeds import Wanted
from widgets.kernel_loop import KernelLoop

if TYPE_CHECKING:
    from core.dataset.images.writing import Tried

LIKE = 0.02
"""So far may the proportions of two pictures differ that are laid over each other to be compared."""


@dataclass(frozen=True)
class Opened:
    """What lies on the desk."""

    home: str
    """The project's folder."""
    picture: BenchPicture
    shown: BenchVersion
    """The version on the canvas: the one that later tools work on, unless another was chosen to be looked at."""

    @property
    def label(self) -> str:
        """Of the part that is shown; empty: the whole picture, or what goes with it."""
        return self.shown.label if self.shown.kind == "part" else ""


@dataclass(frozen=True)
class _Loaded:
    opened: Opened
    after: bytes
    before: bytes
    before_words: str


class Desk:
    """Lays pictures out.

    Args:
        canvas: where they are shown.
        changed: called when something else lies on the desk (True), or more is known of it (False).
        fail: tells the person what is wrong.
    """

    def __init__(self, canvas: Canvas, loop: KernelLoop, changed: Callable[[bool], None], fail: Callable[[BaseException], None]) -> None:
        self.canvas, self.loop, self._changed, self._fail = canvas, loop, changed, fail
        self.opened: Opened | None = None
        self.tried: Tried | None = None
        self._result = 0
        self._turn = 0
        self._is_sharpening = False
        self._next_wish: Wanted | None = None
        self._close_up = CloseUp()

    def close(self, words: str = "Press a picture at the left.") -> None:
        """Nothing lies on the desk."""
        self._turn += 1
        self.opened, self.tried = None, None
        self._close_up.forget()
        self.canvas.show_nothing(words)
        self._changed(True)

    def open(self, manager: ImagesManager, image_id: str, name: str = "", against: str = "", keep_view: bool = False) -> None:
        """Lay a picture on the desk; another one that is being opened is let fall.

        Args:
            name: file name of the version to look at; empty: the present one.
            against: of the version that is laid beside it for comparison; empty: none.
            keep_view: it is the same picture as before, and what is looked at closely stays so where the size is the same.
        """
        self._turn += 1
        turn = self._turn

        def load() -> _Loaded:
            picture = manager.look(image_id)
            shown = picture.version(name) if name else picture.present
            other = picture.version(against) if against and against != shown.path.name else None
            before = manager.preview(other.path) if other is not None and alike(other.size, shown.size) else b""
            opened = Opened(str(manager.project.folder), picture, shown)
            return _Loaded(opened, manager.preview(shown.path), before, other.title if other is not None else "")

        def loaded(found: _Loaded | None, error: BaseException | None) -> None:
            if turn != self._turn:
                return
            if error is not None or found is None:
                self.opened, self.tried = None, None
                self.canvas.show_nothing("The picture cannot be shown.")
                self._changed(True)
                self._fail(error or RuntimeError("no picture was opened"))
                return
            was = self.opened
            is_same = (keep_view and was is not None and self.tried is None and was.picture.id == found.opened.picture.id
                       and self._size_on_canvas() == found.opened.shown.size)
            self.opened, self.tried = found.opened, None
            self._show(found.after, found.opened.shown.size, found.before, found.before_words, found.opened.shown.title, is_same)
            self._changed(True)

        self.loop.beside(load, loaded)

    def renew(self, manager: ImagesManager) -> None:
        """Read again which versions there are; what is on the canvas stays."""
        was, turn = self.opened, self._turn
        if was is None:
            return

        def found(picture: BenchPicture | None, error: BaseException | None) -> None:
            if picture is not None and self._turn == turn and self.opened is was:
                self.opened = replace(was, picture=picture)
                self._changed(False)

        self.loop.beside(lambda: manager.look(was.picture.id), found)

    def show_tried(self, tried: Tried, result: int = 0) -> None:
        """Show one of the results of a tool against what it was made of; nothing of it is kept yet."""
        self._turn += 1
        turn, file = self._turn, tried.files[result]
        beside = tried.work.kind != "part" and alike(tried.before, file.size)

        def load() -> tuple[bytes, bytes]:
            before = preview_bytes(tried.work.source.read_bytes(), large=True, checks=True) if beside else b""
            return preview_bytes(file.encoded.data, large=True, checks=True), before

        def loaded(found: tuple[bytes, bytes] | None, error: BaseException | None) -> None:
            if turn != self._turn:
                return
            if error is not None or found is None:
                self._fail(error or RuntimeError("no result was opened"))
                return
            self.tried, self._result = tried, result
            self._show(found[0], file.size, found[1], "Before", "Result", False)
            self._changed(True)

        self.loop.beside(load, loaded)

    def sharpen(self, wanted: Wanted) -> None:
        """Send the part of the picture that is looked at closely, in its own sharpness."""
        opened, tried, result = self.opened, self.tried, self._result
        if opened is None:
            return
        if self._is_sharpening:
            self._next_wish = wanted
            return
        self._is_sharpening = True
        source = tried.files[result].encoded.data if tried is not None else opened.shown.path

        def sent(data: bytes | None, error: BaseException | None) -> None:
            self._is_sharpening = False
            if data is not None:
                self.canvas.show_region(wanted, data)
            if (wish := self._next_wish) is not None:
                self._next_wish = None
                self.sharpen(wish)

        self.loop.beside(lambda: self._close_up.part(source, wanted.box, wanted.size), sent)

    def _size_on_canvas(self) -> Size:
        return self.canvas.shown.get("width", 0), self.canvas.shown.get("height", 0)

    def _show(self, after: bytes, size: Size, before: bytes, before_words: str, after_words: str, is_same: bool) -> None:
        opened = self.opened
        name = opened.picture.name if opened is not None else ""
        with self.canvas.hold_sync():
            self.canvas.before_words, self.canvas.after_words = before_words or "Before", after_words
            self.canvas.show(after, size, caption=f"{name}, {after_words}, {size[0]} × {size[1]}", before=before, same=is_same)


def alike(one: Size, other: Size) -> bool:
    """Whether two pictures have the same proportions, so that one can be laid over the other."""
    return all(one) and all(other) and abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= LIKE
