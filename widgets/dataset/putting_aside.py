"""What the panels share that look at all pictures, show some of them on cards, and put those aside that a person does not want."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus
from core.dataset.rejecting import MoveReport, RejectSettings, RestoreSettings
from widgets.components.cards import Cards
from widgets.dataset.importing import skipped_list
from widgets.dataset.pictures import PictureFeed
from widgets.dataset.watching import FolderWatch
from widgets.form import Form
from widgets.panel import Panel, Work


class PutAsidePanel(Panel, ABC):
    """Its job looks at the pictures once; what was found is then read from the store. One press puts back all that was put aside here.

    A subclass gives the words below, `look` and `show`.
    """

    needs_pictures = True
    reason: ClassVar[str] = ""
    """How the reasons begin of what is put aside here."""
    things: ClassVar[str] = "pictures"
    """What is put aside, in words."""
    back: ClassVar[str] = ""
    """Words of the button that puts back."""
    none_aside: ClassVar[str] = ""
    """Said where there is nothing to put back."""
    page: ClassVar[int] = 24
    """Sections or pictures that are shown at once."""
    form: Form[Any]
    _found: Any = None
    """What was found; None before the first look."""
    _place = 0
    """The first one that is shown."""
    _looks = 0
    _any_aside = False

    def extras(self) -> list[ipw.Widget]:
        """All back."""
        self.put_back = self.action(self.back, self._put_back, self._none_rejected, alone=True)
        return [self.put_back]

    def cards_of(self, what: str, help: str) -> Cards:
        """The cards, whose pictures are made beside the kernel. Args: what, help: as `Cards` wants them."""
        self.cards = Cards(lambda kind, given: self.loop.soon(lambda: self.guard(lambda: self._asked(kind, given))), what, help, self.page)
        self.feed = PictureFeed(self.cards, self.loop, self.fail)
        self._watch, self._skipped, self._rejected_watch = FolderWatch(), ipw.HTML(), FolderWatch()
        return self.cards

    # What a subclass gives

    @abstractmethod
    def look(self) -> Callable[[], Any]:
        """What reads from the store what is found now; it is called beside the kernel."""

    @abstractmethod
    def show(self) -> None:
        """Show what was found."""

    def show_page(self) -> None:
        """Show the cards from `_place` on."""
        self.show()

    def pressed(self, kind: str, given: Mapping[str, Any]) -> Work | None:
        """A card was pressed, or an action of its section."""

    def about(self, given: Mapping[str, Any]) -> Collection[Any]:
        """What such a press acts on; see `when_free`."""
        return ()

    def take_over(self, found: Any) -> None:
        """Show what is found after pictures came, went or got other names."""
        self._found = found
        self.show()

    def put_aside(self, names: Sequence[str], seen: Mapping[str, str], reason: str) -> Work | None:
        """Put pictures aside. Args: seen: SHA-256 of all that a person saw, by name; if one of them is another now, nothing is moved."""
        if not names:
            return None
        manager, wanted = self.session.dataset, RejectSettings.make(images=tuple(names), reason=reason)
        return self._move(f"putting {self.things} aside", lambda: manager.reject(wanted, seen=seen))

    # What the frame asks for

    def opened(self) -> None:
        """What was found in another project is of no use."""
        self._found, self._place, self._skipped.value = None, 0, ""
        self._looks += 1  # what is being worked out belongs to another project
        self.feed.open(self.session.folder)
        self.show()

    def update(self) -> None:
        """Where pictures came, went or have other names, look anew without a word."""
        if self._found is not None and not self._busy and self._watch.changed(self.session.dataset.project.images):
            self.loop.calmly(self._look_calmly)

    def _look_calmly(self) -> None:
        if self._busy:
            self.loop.calmly(self._look_calmly)
        elif self._found is not None:
            self.guard(self.look_again)

    def run(self) -> Job:
        """Start the job."""
        return self.start(self.form.value())

    def show_report(self, status: JobStatus) -> None:
        """List what could not be looked at."""
        self._skipped.value = skipped_list(status)

    def close(self) -> None:
        """Let go."""
        super().close()
        self.feed.close()

    def look_again(self) -> None:
        """Read from the store beside the kernel, and show it if nothing newer was worked out meanwhile."""
        before = self._found
        self._looks += 1
        look = self._looks

        def show(found: Any, error: BaseException | None) -> None:
            if self._found is not before or look != self._looks:
                return
            if error is not None:
                self.fail(error)
            else:
                self.take_over(found)

        self.loop.beside(self.look(), show)

    def _asked(self, kind: str, given: Mapping[str, Any]) -> None:
        if kind == "want":
            self.feed.want(given["keys"])
        elif kind == "large":
            self.feed.enlarge(str(given["key"]))
        elif kind == "turn":
            self._place = int(given["place"]) // self.page * self.page
            self.show_page()
        else:
            self.when_free(lambda: self.guard(lambda: self.pressed(kind, given)), about=lambda: self.about(given))

    def _put_back(self) -> Work:
        manager = self.session.dataset

        def act() -> MoveReport:
            names = tuple(manager.rejected_because(self.reason))
            return manager.restore(RestoreSettings(images=names)) if names else MoveReport(word="put back")

        return self._move(f"putting {self.things} back", act)

    def _move(self, words: str, act: Callable[[], MoveReport]) -> Work:
        look = self.look()
        return Work(words, lambda: (act(), look()), self._moved)

    def _moved(self, result: tuple[MoveReport, Any]) -> str:
        moved, found = result
        self.log.show("\n".join(f"{item.name}: {item.reason}" for item in moved.skipped))
        self.take_over(found)
        return moved.sentence()

    def _none_rejected(self) -> str:
        if reason := self.no_project():
            return reason
        if self._rejected_watch.changed(self.session.dataset.project.rejected):  # not with each place of the slider: the record grows
            self._any_aside = bool(self.session.dataset.rejected_because(self.reason))
        return "" if self._any_aside else self.none_aside
