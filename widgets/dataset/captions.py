"""Read and write captions, one picture at a time, and put the trigger word in front."""

from __future__ import annotations

import threading
from pathlib import Path

import ipywidgets as ipw

from core.base.errors import DatasetError, StudioError
from core.dataset.captions.editing import EditReport, TriggerSettings
from core.dataset.captions.files import CaptionConflict
from core.dataset.items import image_files
from widgets.components.caption_editor import CaptionEditor, Shown, Wish
from widgets.dataset.tagging import no_pictures
from widgets.form import Form
from widgets.panel import Panel, Work, part

UNREAD = "unread"
"""Stands for the revision of a caption that cannot be read; no save carries it through."""
ONE_AT_A_TIME = threading.Lock()
"""Two large pictures opened at once take twice the memory and help nobody."""


class CaptionsPanel(Panel):
    """The caption editor, and the trigger word for all captions."""

    name = "captions"
    title = "Captions"
    purpose = "Look at each picture and mend its caption. Moving on saves; nothing is lost."
    button = "Put the trigger word first everywhere"

    def controls(self) -> list[ipw.Widget]:
        """The editor, then the trigger word."""
        self._place, self._filled_for, self._wanted = 0, "", Path()
        self.editor = CaptionEditor(lambda wish: self.loop.soon(lambda: self._hear(wish)))
        self.form = Form(TriggerSettings)
        return [self.editor, part("Trigger word"), self.form.view]

    def blocked(self) -> str:
        """There must be pictures."""
        return super().blocked() or no_pictures(self.session.folder)

    def update(self) -> None:
        """Show the present picture again, unless its caption is being written."""
        files = self._files()
        self._place = min(self._place, max(0, len(files) - 1))
        if not files:
            self.editor.show(None)
            return
        word = self.form.control("trigger_word").widget
        if not word.value or self._filled_for != self._home():
            word.value = self.session.dataset.project.trigger_word
            self._filled_for = self._home()
        shown = self.editor.shown
        stems = [path.stem for path in files]
        if shown.get("home") == self._home() and shown.get("id") in stems:
            self._place = stems.index(shown["id"])
            self._look_again()
        else:
            self._show()

    def run(self) -> Work:
        """Put the trigger word first in every caption."""
        settings = self.form.value()
        manager = self.session.dataset
        return Work("changing captions", lambda: manager.add_trigger(**dict(settings)), self._changed)

    def _changed(self, report: EditReport) -> str:
        skipped = [f"{item.name}: {item.reason}" for item in report.skipped]
        self.log.show("\n".join(skipped))
        return report.sentence()

    def _home(self) -> str:
        return str(self.session.folder)

    def _files(self) -> list[Path]:
        return image_files(self.session.dataset.project.images) if self.session.folder is not None else []

    def _show(self, note: str = "", after: str = "") -> None:
        files = self._files()
        path = files[self._place]
        revision, text, unread = self._read(path.stem)
        place = f"{self._place + 1} of {len(files)}"
        self.editor.show(Shown(path.stem, revision, text, place, path.name, self._home(), unread), note, after)
        self._show_picture(path)

    def _read(self, image_id: str) -> tuple[str, str, str]:
        """Revision, text, and why it cannot be read (empty when it can): a caption that is no text must not hide its picture."""
        try:
            caption = self.session.dataset.read_caption(image_id)
        except DatasetError as error:
            return UNREAD, "", str(error)
        return caption.revision, caption.text or "", ""

    def _look_again(self) -> None:
        shown = self.editor.shown
        revision, text, unread = self._read(shown["id"])
        if (revision, unread) != (shown["revision"], shown["unread"]):
            self.editor.changed_on_disk(revision, text, unread)

    def _show_picture(self, path: Path) -> None:
        """Beside the kernel: a picture of a hundred megapixels takes seconds. Of several that are asked for only the last is opened."""
        home, dataset = self._home(), self.session.dataset
        self._wanted = path

        def opened() -> tuple[bytes, str]:
            with ONE_AT_A_TIME:
                try:
                    return (dataset.preview(path), "") if self._wanted == path else (b"", "")
                except StudioError as error:
                    return b"", str(error)

        def show(result: tuple[bytes, str], error: BaseException | None) -> None:
            if error is not None:
                self.fail(error)
            elif self._wanted == path:
                self.editor.show_picture(path.stem, home, *result)

        self.loop.beside(opened, show)

    def _hear(self, wish: Wish) -> None:
        self.guard(lambda: self._wished(wish))
        self.editor.answered(wish)

    def _wished(self, wish: Wish) -> None:
        note = ""
        if wish.home != self._home():
            self.editor.refuse("Another project is open now; nothing was saved. Copy the text, and open its project again.")
            return
        if wish.kind == "again":
            self._read_again(wish)
            return
        if wish.changed or wish.kind in ("save", "keep"):
            note = self._save(wish)
        if wish.kind in ("next", "previous"):
            self._step(wish, note)

    def _step(self, wish: Wish, note: str) -> None:
        files, place = self._files(), self._place_of(wish.id)
        step = 1 if wish.kind == "next" else -1
        if not 0 <= place + step < len(files):
            self.editor.note = f"{note} This is the {'last' if step > 0 else 'first'} picture.".strip()
            return
        self._place = place + step
        self._show(f"{note} Now {files[self._place].stem}.".strip())

    def _place_of(self, image_id: str) -> int:
        stems = [path.stem for path in self._files()]
        return stems.index(image_id) if image_id in stems else self._place

    def _read_again(self, wish: Wish) -> None:
        revision, _, unread = self._read(wish.id)
        if unread:
            self.editor.changed_on_disk(revision, "", unread)
            self.editor.refuse(f"It still cannot be read. {unread}")
            return
        self._place = self._place_of(wish.id)
        self._show(f"Read {wish.id} from the disk again.", after=wish.revision)
        self._calm()

    def _save(self, wish: Wish) -> str:
        """Save, and say so; where it cannot be saved the editor tells why and keeps the text."""
        dataset = self.session.dataset
        save = dataset.keep_caption if wish.kind == "keep" else dataset.save_caption
        try:
            caption = save(wish.id, wish.text, wish.revision)
        except StudioError as error:
            if isinstance(error, CaptionConflict) and wish.id == self.editor.shown.get("id"):
                self._look_again()
            self.editor.refuse(str(error))
            raise
        note = f"Saved {wish.id}."
        if wish.kind == "keep":
            note += " The other text is in the history; Undo in the Tag panel brings it back."
        self.editor.saved(wish.id, caption.revision, caption.text or "", after=wish.revision, note=note)
        self._calm()
        return note

    def _calm(self) -> None:
        """What was wrong with a caption is past."""
        if self.status.state == "attention":
            self._told = None
            self._settle()
