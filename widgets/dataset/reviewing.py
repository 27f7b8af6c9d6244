"""Look through the tags that the tagger was not sure of."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import ipywidgets as ipw

from core.base.errors import DatasetError
from core.base.words import counted
from core.dataset.captions.choosing import TagSettings
from core.dataset.captions.reviewing import Doubtful, ReviewSettings
from core.dataset.history import UndoReport
from widgets.components.review import ReviewView
from widgets.dataset.history import undo_button
from widgets.form import Form
from widgets.jobs_view import newest_job, newest_settings
from widgets.panel import Panel, Work

THRESHOLDS = ("general_threshold", "character_threshold")


class ReviewPanel(Panel):
    """Shows the doubtful tags of one image after the other; each image's decisions are one entry of the history."""

    name = "review"
    title = "Review doubtful tags"
    purpose = ("See only the tags that the tagger was not sure of, and keep or drop each with one key. What you decide stays, "
               "whatever is tagged later.")
    button = "Show the doubtful tags"
    needs_pictures = True

    def controls(self) -> list[ipw.Widget]:
        """Which tags are doubtful."""
        self._images: list[Doubtful] = []
        self._shown, self._place, self._decisions = 0, 0, 0
        self._entries: set[str] = set()
        """The history's entries that were written here; nothing else is taken back."""
        self._writing = threading.Lock()
        self._tag_job = ""
        self._filled = ReviewSettings()
        """Its thresholds are those that were filled in; what differs from them in the form was chosen by a person."""
        self.form = Form(ReviewSettings)
        return [self.form.view]

    def extras(self) -> list[ipw.Widget]:
        """Undo."""
        return [undo_button(self, then=self._undone)]

    def results(self) -> list[ipw.Widget]:
        """The images."""
        self.view_of_tags = ReviewView(self._decided, lambda way: self.loop.soon(lambda: self.guard(lambda: self._turn(way))),
                                       lambda: self.loop.soon(lambda: self.guard(self._take_back)))
        return [self.view_of_tags]

    def opened(self) -> None:
        """For another project, begin anew."""
        self._images, self._entries, self._tag_job = [], set(), ""
        self.view_of_tags.show({}, 0, 0)
        self._filled = ReviewSettings()
        self.form.fill(self._filled)

    def update(self) -> None:
        """After a tagging, take over its thresholds."""
        job = newest_job(self.session.folder, "tag")
        if job is not None and job.id != self._tag_job:
            tagging, shown = self._tagging(), self.form.value()
            newest = {name: getattr(tagging, name) for name in THRESHOLDS}
            untouched = [name for name in THRESHOLDS if getattr(shown, name) == getattr(self._filled, name)]
            self.form.fill(shown.changed(**{name: newest[name] for name in untouched}))
            self._filled, self._tag_job = ReviewSettings(**newest), job.id

    def run(self) -> Work:
        """Find the doubtful tags."""
        settings, tagging, manager = self.form.value(), self._tagging(), self.session.dataset
        return Work("looking for doubtful tags", lambda: manager.find_doubts(settings, tagging), self._found)

    def _tagging(self) -> TagSettings:
        """The settings of the project's newest tagging; the usual ones where there was none."""
        return newest_settings(self.session.folder, "tag", TagSettings) or TagSettings()

    def _found(self, images: list[Doubtful]) -> str:
        self._images, self._place, self._decisions = images, 0, 0
        self._show()
        if images:
            self.view_of_tags.take_keys()
        count = sum(len(image.tags) for image in images)
        return f"{counted(count, 'doubtful tag')} in {counted(len(images), 'picture')}." if images else "there is no doubtful tag."

    def _show(self) -> None:
        self._shown += 1  # a decision that comes too late, for what is no longer shown, names another number
        if not self._images:
            self.view_of_tags.show({}, 0, 0)
            return
        if self._place >= len(self._images):
            self.view_of_tags.show({}, 0, 0, "These were all doubtful tags. Press the button to look again.")
            return
        image, token = self._images[self._place], f"{self._shown}:{self._place}"
        self.view_of_tags.show({"token": token, "name": image.id, "tags": image.as_dict()["tags"]}, self._place, len(self._images))
        dataset, path = self.session.dataset, self.session.dataset.project.images / image.file

        def opened() -> tuple[bytes, str]:
            try:
                return dataset.preview(path), ""
            except DatasetError as error:
                return b"", str(error)

        def show(result: tuple[bytes, str] | None, error: BaseException | None) -> None:
            if error is not None:
                self.fail(error)
            elif result is not None:
                self.view_of_tags.show_picture(token, *result)

        self.loop.beside(opened, show)

    def _decided(self, token: str, keep: Sequence[str], drop: Sequence[str]) -> None:
        """Write what was decided for the image that the token names; it is the one that is shown, or the message is passed over."""
        if token != self.view_of_tags.image.get("token"):
            return
        image, dataset = self._images[self._place], self.session.dataset
        known, entries = {tag.name for tag in image.tags}, self._entries
        kept, dropped = [tag for tag in keep if tag in known], [tag for tag in drop if tag in known]

        def write() -> None:
            with self._writing:
                entries.add(dataset.review(image, kept, dropped).entry)

        def written(_: None, error: BaseException | None) -> None:
            if error is not None:
                self.fail(error)
                return
            self._decisions += len(kept) + len(dropped)
            self.done(f"{image.id}: {', '.join([*(f'{tag} kept' for tag in kept), *(f'{tag} dropped' for tag in dropped)])}. "
                      f"{counted(self._decisions, 'tag')} decided.")

        self.loop.beside(write, written)

    def _turn(self, way: int) -> None:
        self._place = max(0, min(len(self._images), self._place + way))
        self._show()
        if self._place >= len(self._images):
            self.session.tell()

    def _take_back(self) -> Work:
        """Take back the newest change if it was decided here; a decision that is being written comes first."""
        manager, entries = self.session.dataset, self._entries

        def act() -> UndoReport:
            with self._writing:
                return manager.take_back(entries)

        return Work("taking back the last decision", act, self._undone)

    def _undone(self, report: UndoReport) -> str:
        """Go back to the image whose decision was taken back."""
        for place, image in enumerate(self._images):
            if report.what.startswith(f"Reviewed {image.id}: "):
                self._place = place
        self._show()
        return report.sentence()
