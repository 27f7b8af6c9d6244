"""What happens when a person edits captions: reading, saving beside the kernel, conflicts, and the picture of each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import DatasetError, StudioError
from core.dataset.captions.files import Caption, CaptionConflict, caption_path_for, one_line, read_caption
from core.dataset.captions.target import find_target, plain_target
from core.dataset.images.opening import inspect_image
from core.dataset.project import Project
from widgets.components.caption_editor import LOOKS, Shown, Wish
from widgets.components.gallery import Gallery
from widgets.dataset.browsing import Shelf
from widgets.kernel_loop import KernelLoop
from widgets.session import Session

if TYPE_CHECKING:
    from core.dataset.manager import DatasetManager

WRITES = ("save", "keep", "remove")
"""Wishes that change the caption's file."""
UNREAD = "unread"
"""Stands for the revision of a caption that cannot be read; no save carries it through."""
Found = tuple[str, str, str]
"""Revision, text, and why it cannot be read (empty when it can)."""
ONE_AT_A_TIME = ThreadPoolExecutor(1, "previews")
"""Two large pictures opened at once take twice the memory and help nobody; those that wait must not hold a thread that saves."""


class CaptionDesk:
    """Answers the editor's wishes on the pictures of a shelf. A save carries project, picture and revision.

    Args:
        fail: tells the person what is wrong; calm: that it is past. ask: lets a model look at a picture: "tag" or "caption", its key, and
            its project.
    """

    def __init__(self, editor: Gallery, shelf: Shelf, session: Session, loop: KernelLoop, fail: Callable[[BaseException], None],
                 calm: Callable[[], None], ask: Callable[[str, str, str], None]) -> None:
        self.editor, self.shelf, self.session, self.loop = editor, shelf, session, loop
        self._fail, self._calm, self._ask = fail, calm, ask
        self._row = 0
        self._wanted = Path()
        self._seen: tuple[str, int, int] = ("", 0, 0)
        """Key, size and time of the picture file that is shown: after a renaming another picture may have its name."""
        self._busy = False
        self._large = False
        """Whether the person looks at the picture as large as the panel is wide."""

    def home(self) -> str:
        """The open project's folder, which each save carries."""
        return str(self.session.folder)

    def look(self) -> None:
        """Show the present picture's caption as it is now; where the picture is gone, the one that took its place."""
        if not len(self.shelf):
            if not self.shelf.view.filter:
                self.editor.show(None)
            return
        shown = self.editor.shown
        if self._busy:
            return
        if shown.get("home") == self.home() and shown.get("id") and self.shelf.place(shown["id"]).exists():
            row = self.shelf.row_of(shown["id"], self._row)
            self._row = row if row >= 0 else self._row
            if self._is_another(shown["id"]):
                self._put(shown["id"], row, self._read(shown["id"]), f"Another picture is called {Path(shown['id']).name} now.")
            elif (row, self.shelf.view.version) != (shown["row"], shown["version"]):
                self.editor.moved(row, self.shelf.view.version, self._place(row))
            self._look_again()
        else:
            row = self._row if shown.get("home") == self.home() else 0
            self.open(max(0, min(row, len(self.shelf) - 1)))

    def glance(self) -> None:
        """Look whether something else wrote the caption that is shown."""
        shown = self.editor.shown
        here = not self._busy and shown.get("id") and shown.get("home") == self.home() and self.shelf.place(shown["id"]).exists()
        if here and not self._is_another(shown["id"]):  # else the next look shows the other one
            self._look_again()

    def _is_another(self, key: str) -> bool:
        """Whether the picture that is shown is called otherwise now, and another one has its name."""
        return self._seen[0] == key and self._seen != (key, *_mark(self.shelf.place(key)))

    def open(self, row: int, note: str = "") -> None:
        """Show the picture of a row."""
        key = self.shelf.key(row)
        self._row = row
        self._put(key, row, self._read(key), note)

    def hear(self, wish: Wish) -> None:
        """Do what the person asked for; whatever comes of it, the wish is answered."""
        if wish.kind in LOOKS:
            self._large = wish.kind == "larger"
            if wish.id and (wish.id, wish.home) == (self.editor.shown.get("id"), self.home()):
                self._show_large(wish.id)
            return
        if wish.id and wish.home != self.home():
            self.editor.refuse("Another project is open now; nothing was saved. Copy the text, and open its project again.")
            self.editor.answered(wish)
            return
        if wish.id == self.editor.shown.get("id") and (wish.changed or wish.kind in WRITES) and self._is_another(wish.id):
            self.editor.refuse(f"Another picture is called {Path(wish.id).name} now; nothing was saved. Copy the text, then go to its "
                               "picture again.")
            self.editor.answered(wish)
            return
        target = self._target(wish)
        emptied = wish.changed and wish.kind in ("next", "previous", "open") and not one_line(wish.text)
        saves = wish.kind in WRITES or (wish.changed and wish.kind != "again" and not emptied)
        self._busy, home, dataset = True, self.home(), self.session.dataset if saves else None

        def act() -> tuple[Caption | None, Found | None]:
            saved = self._save(wish, dataset) if dataset is not None else None
            return saved, self._read(target[1]) if target is not None else None

        def acted(result: tuple[Caption | None, Found | None] | None, error: BaseException | None) -> None:
            self._busy = False
            try:
                if error is not None:
                    self._refused(wish, error)
                elif home != self.home():  # another project was opened meanwhile
                    self.look()
                elif result is not None:
                    self._done(wish, target, *result)
            finally:
                self.editor.answered(wish)

        self.loop.beside(act, acted)

    def count(self, text: str) -> None:
        """Tell the editor how many tokens a text has."""
        folder = self.session.folder

        def counted() -> tuple[str, bool]:
            measure = (find_target(Project(folder)) if folder is not None else plain_target()).measure(text)
            return measure.words, measure.over

        self.loop.beside(counted, lambda result, error: self._fail(error) if error else self.editor.send_tokens(text, *result))

    def _target(self, wish: Wish) -> tuple[int, str] | None:
        """The row and key that are shown after the wish; None: the same stays."""
        if wish.kind == "again":
            return self.shelf.row_of(wish.id, self._row), wish.id
        present = self.shelf.row_of(wish.id, self._row) if wish.kind in ("next", "previous") else -1
        if wish.kind == "open":
            row = int(wish.to) if wish.to.isdecimal() else self.shelf.row_of(wish.to)
        elif wish.kind == "next":
            row = present + 1 if present >= 0 else self._row
        elif wish.kind == "previous":
            row = present - 1 if present >= 0 else self._row - 1
        else:
            return None
        return (row, self.shelf.key(row)) if 0 <= row < len(self.shelf) else None

    def _done(self, wish: Wish, target: tuple[int, str] | None, saved: Caption | None, read: Found | None) -> None:
        note = ""
        if saved is None and wish.changed and not one_line(wish.text) and wish.kind != "again" and self.editor.shown.get("caption"):
            note = f"{Path(wish.id).name} keeps its caption: an empty one is not saved."
        if saved is not None:
            note = f"Saved {Path(wish.id).stem}."
            if wish.kind == "keep":
                note += " The other text is in the history; Undo in the Tag panel brings it back."
            elif wish.kind == "remove":
                note = f"{Path(wish.id).name} has no caption now. Undo in the History panel brings it back."
            self.editor.saved(wish.id, saved.revision, saved.text or "", after=wish.revision, note=note)
            self.shelf.touched()
            self._calm()
        if wish.kind == "again" and target is not None and read is not None:
            self._read_again(wish, target, read)
        elif target is not None and read is not None:
            self._row = target[0]
            self._put(target[1], target[0], read, f"{note} Now {Path(target[1]).stem}.".strip() if wish.kind != "open" else note)
        elif wish.kind in ("tag", "caption"):
            self._ask(wish.kind, wish.id, self.home())
        elif wish.kind == "open" and not wish.to.isdecimal():
            self.editor.note = f"{note} {wish.to} is not shown by the filter; empty the filter, then go to it.".strip()
        elif wish.kind in ("next", "previous"):
            self.editor.note = f"{note} This is the {'last' if wish.kind == 'next' else 'first'} picture.".strip()

    def _read_again(self, wish: Wish, target: tuple[int, str], read: Found) -> None:
        revision, _, unread = read
        if unread:
            self.editor.changed_on_disk(revision, "", unread)
            self.editor.refuse(f"It still cannot be read. {unread}")
            return
        self._put(target[1], target[0], read, f"Read {Path(wish.id).stem} from the disk again.", after=wish.revision)
        self._calm()

    def _refused(self, wish: Wish, error: BaseException) -> None:
        if isinstance(error, CaptionConflict) and wish.id == self.editor.shown.get("id"):
            self._look_again()
        self.editor.refuse(str(error) if isinstance(error, StudioError) else "it was not saved; the status line says why.")
        self._fail(error)

    def _save(self, wish: Wish, dataset: DatasetManager) -> Caption:
        """Write the caption into the project of the wish (in a thread). Raises: DatasetError, DiskError."""
        if wish.id.startswith("rejected/"):
            raise DatasetError(f"{Path(wish.id).name} is rejected; its caption is not changed.", "Put the picture back first.")
        if wish.kind == "remove":
            return dataset.remove_caption(Path(wish.id).stem, wish.revision)
        save = dataset.keep_caption if wish.kind == "keep" else dataset.save_caption
        return save(Path(wish.id).stem, wish.text, wish.revision)

    def _read(self, key: str) -> Found:
        """What the caption's file says now: one that is no text must not hide its picture."""
        try:
            caption = read_caption(caption_path_for(self.shelf.place(key)), Path(key).stem)
        except DatasetError as error:
            return UNREAD, "", str(error)
        reason = self.shelf.reason(key)
        if reason is not None:
            words = f" ({reason})" if reason else ""
            return caption.revision, caption.text or "", f"This picture is rejected{words}. Put it back to change its caption."
        return caption.revision, caption.text or "", ""

    def _put(self, key: str, row: int, read: Found, note: str, after: str = "") -> None:
        revision, text, unread = read
        self._seen = (key, *_mark(self.shelf.place(key)))
        closed = self.shelf.reason(key) is not None and revision != UNREAD
        self.editor.show(Shown(key, revision, text, self._place(row), Path(key).name, self.home(), unread, closed, "", row,
                               self.shelf.view.version), note, after)
        self._show_picture(key, row)

    def _place(self, row: int) -> str:
        return f"{row + 1} of {len(self.shelf)}" if row >= 0 else "not in this filter"

    def _look_again(self) -> None:
        shown = self.editor.shown
        revision, text, unread = self._read(shown["id"])
        if (revision, unread) != (shown["revision"], shown["unread"]):
            self.editor.changed_on_disk(revision, text, unread)

    def _show_picture(self, key: str, row: int) -> None:
        """Beside the kernel: a picture of a hundred megapixels takes seconds. Of several that are asked for only the last is opened."""
        home, dataset, path = self.home(), self.session.dataset, self.shelf.place(key)
        self._wanted = path

        def opened() -> tuple[bytes, str, str]:
            try:
                return (dataset.preview(path), "", facts_of(path)) if self._wanted == path else (b"", "", "")
            except StudioError as error:
                return b"", str(error), ""

        def show(result: tuple[bytes, str, str], error: BaseException | None) -> None:
            if error is not None:
                self._fail(error)
            elif self._wanted == path:
                self.editor.show_picture(key, home, *result)
                self._show_large(key)
                self._prepare(row + 1, path)

        self.loop.beside(opened, show, ONE_AT_A_TIME)

    def _show_large(self, key: str) -> None:
        """Where the person looks closely: the same picture with more pixels, in place of the small one as soon as it is made."""
        if not self._large:
            return
        home, dataset, path = self.home(), self.session.dataset, self.shelf.place(key)

        def opened() -> bytes:
            try:
                return dataset.preview(path, large=True) if self._large and self._wanted == path else b""
            except StudioError:
                return b""  # the small one stays; where there is none, its place says why

        def show(picture: bytes | None, error: BaseException | None) -> None:
            if error is not None:
                self._fail(error)
            elif picture and self._wanted == path:
                self.editor.show_picture(key, home, picture)

        self.loop.beside(opened, show, ONE_AT_A_TIME)

    def _prepare(self, row: int, present: Path) -> None:
        """Make the next picture's preview before it is asked for."""
        if not 0 <= row < len(self.shelf):
            return
        dataset, path = self.session.dataset, self.shelf.place(self.shelf.key(row))

        def make() -> None:
            if self._wanted == present:
                dataset.preview(path)

        self.loop.beside(make, lambda _, error: None, ONE_AT_A_TIME)  # what is wrong with it is told when it is shown


def _mark(path: Path) -> tuple[int, int]:
    """Size and time of a picture's file; zeros where it is not there."""
    try:
        facts = path.stat()
    except OSError:
        return 0, 0
    return facts.st_size, facts.st_mtime_ns


def facts_of(path: Path) -> str:
    """The picture's size in words, from its header; empty where it cannot be opened."""
    try:
        facts = inspect_image(path)
    except DatasetError:
        return ""
    return f"{facts.width} × {facts.height}"
