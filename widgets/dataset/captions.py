"""Read and write captions, one picture at a time, and put the trigger word in front."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as ipw

from core.base.errors import StudioError
from core.dataset.captions.editing import EditReport, TriggerSettings
from core.dataset.items import image_files
from widgets.components.caption_editor import CaptionEditor, Shown, Wish
from widgets.dataset.tagging import no_pictures
from widgets.form import Form
from widgets.panel import Panel, Work, part


class CaptionsPanel(Panel):
    """The caption editor, and the trigger word for all captions."""

    name = "captions"
    title = "Captions"
    purpose = "Look at each picture and mend its caption. Moving on saves; nothing is lost."
    button = "Put the trigger word first everywhere"

    def controls(self) -> list[ipw.Widget]:
        """The editor, then the trigger word."""
        self._place, self._filled_for = 0, ""
        self.editor = CaptionEditor(lambda wish: self.loop.soon(lambda: self.guard(lambda: self._wished(wish))))
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
            caption = self.session.dataset.read_caption(shown["id"])
            if caption.revision != shown["revision"]:
                self.editor.changed_on_disk(caption.revision, caption.text or "")
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

    def _show(self, note: str = "") -> None:
        files = self._files()
        path = files[self._place]
        caption = self.session.dataset.read_caption(path.stem)
        self.editor.show(Shown(path.stem, caption.revision, caption.text or "", f"{self._place + 1} of {len(files)}", path.read_bytes(),
                               path.name, self._home()), note)

    def _wished(self, wish: Wish) -> None:
        note = ""
        if wish.home != self._home():
            self.editor.refuse("Another project is open now; nothing was saved. Copy the text, and open its project again.")
            return
        if wish.changed or wish.kind == "save":
            saved = self._save(wish)
            if not saved:
                return
            note = saved
        if wish.kind == "save":
            return
        files = self._files()
        stems = [path.stem for path in files]
        place = stems.index(wish.id) if wish.id in stems else self._place
        step = 1 if wish.kind == "next" else -1
        if not 0 <= place + step < len(files):
            self.editor.note = f"{note} This is the {'last' if step > 0 else 'first'} picture.".strip()
            return
        self._place = place + step
        self._show(f"{note} Now {stems[self._place]}.".strip())

    def _save(self, wish: Wish) -> str:
        """Save, and say so; where it cannot be saved the editor tells why and keeps the text."""
        try:
            caption = self.session.dataset.save_caption(wish.id, wish.text, wish.revision)
        except StudioError as error:
            self.editor.refuse(str(error))
            raise
        self.editor.saved(wish.id, caption.revision, caption.text or "", after=wish.revision, note=f"Saved {wish.id}.")
        return f"Saved {wish.id}."
