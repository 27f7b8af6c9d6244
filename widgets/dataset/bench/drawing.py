"""Tabs on which a mask is drawn: by hand, by pressing on what is meant, or by a model that looks for it; one list with undo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import ipywidgets as ipw

from core.base.errors import StudioError
from core.base.words import counted
from core.dataset.images.masks import Place
from widgets.dataset.bench.pointing import Pointing
from widgets.dataset.bench.tab import ToolTab
from widgets.panel import Work
from widgets.pieces import Fold, part, row

if TYPE_CHECKING:
    from core.dataset.images.mask_by_hand import HandDrawing
    from core.dataset.images.segmenting.settings import Use
    from core.dataset.images.writing import Tried
    from widgets.components.canvas_deeds import Deed
    from widgets.dataset.bench.desk import Opened
    from widgets.dataset.workbench import WorkbenchPanel

HOW = [("Add", "add"), ("Take away", "subtract"), ("Keep only what both hold", "intersect"), ("Begin anew", "replace")]
Values = dict[str, Any]


class _Undrawable(StudioError):
    """One operation cannot be drawn. Args: place: its number in the list."""

    def __init__(self, place: int, reason: StudioError) -> None:
        super().__init__(reason.message, reason.hint)
        self.place, self.reason = place, reason


class DrawTab(ToolTab):
    """A mask on the picture that lies on the desk.

    Args: use: what the mask is for.
    """

    tools = ("brush", "eraser", "rectangle", "polygon", "points", "look")
    use: ClassVar[Use] = "learn"
    button = "Let a model find it"

    def __init__(self, panel: WorkbenchPanel, name: str, title: str, stages: dict[str, str]) -> None:
        super().__init__(panel, name, title, stages)
        self.drawing: HandDrawing | None = None
        self.operations: list[Values] = []
        self._undone: list[Values] = []
        self._saved: list[Values] = []
        self._turn_of = 0
        self._good = 0
        """So many operations were drawn without a fault."""
        self._is_drawing = False

    def controls(self) -> Sequence[ipw.Widget]:
        """What changes the whole mask, pressing on what is meant, and what finds it."""
        self.pixels = ipw.BoundedIntText(description="Pixels", value=8, min=1, max=500)
        self.place = ipw.Dropdown(description="Place", options=get_args(Place), value="bottom-right")
        self.wide = ipw.BoundedFloatText(description="Width (%)", value=25, min=0.5, max=100)
        self.high = ipw.BoundedFloatText(description="Height (%)", value=10, min=0.5, max=100)
        self.marked = ipw.Dropdown(description="What is marked", options=HOW[:3], value="add")
        self.how = ipw.Dropdown(description="What is found", options=HOW, value="add")
        self.pointing = Pointing(self)
        self.words = ipw.HTML()
        whole = [self._changing("Invert", lambda: {"op": "invert"}), self._changing("Clear", lambda: {"op": "clear"}),
                 self._changing("Grow", lambda: {"op": "grow", "pixels": self.pixels.value}),
                 self._changing("Shrink", lambda: {"op": "grow", "pixels": -self.pixels.value}),
                 self._changing("Soften the edge", lambda: {"op": "feather", "pixels": self.pixels.value}),
                 self._changing("Harden the edge", lambda: {"op": "threshold"}),
                 self._changing("Fill holes", lambda: {"op": "fill"})]
        mark = self._changing("Mark this place", lambda: {"op": "place", "place": self.place.value, "width": self.wide.value,
                                                          "height": self.high.value, "how": self.marked.value})
        fields = [ipw.VBox([one]).add_class("lb-field") for one in (self.place, self.wide, self.high, self.marked)]
        places = Fold("places of watermarks", [row(*fields, mark)])
        return [self.words, part("By hand: the whole mask"), row(ipw.VBox([self.pixels]).add_class("lb-field"), *whole), places.view,
                part("By points"), self.pointing.view, *self._below()]

    def _below(self) -> Sequence[ipw.Widget]:
        how = ipw.VBox([ipw.VBox([self.how]).add_class("lb-field")]).add_class("lb-fields")
        return [part("By a model that looks for it, or by its place"), *super().controls(), how]

    def _changing(self, words: str, operation: Callable[[], Values]) -> ipw.Button:
        return self.panel.action(words, lambda: self.add(operation()), self.not_drawable)

    # What lies on the desk

    def end(self) -> None:
        """No mask is shown in other tabs."""
        self._turn_of += 1
        self.drawing = None
        self.panel.canvas.show_overlay(b"")
        self.panel.canvas.can_undo = self.panel.canvas.can_redo = False

    def show(self, opened: Opened | None) -> None:
        """Go on with its mask, or begin one."""
        self._turn_of += 1
        self.drawing, self.operations, self._undone, self._saved, self._good = None, [], [], [], 0
        self.panel.canvas.locked = True  # until its mask is there
        manager, turn = self.panel.manager, self._turn_of
        if opened is None or manager is None:
            return
        picture, use = opened.picture, self.use
        label = opened.label

        def ready(drawing: HandDrawing | None, error: BaseException | None) -> None:
            if turn != self._turn_of:
                return
            if error is not None or drawing is None:
                self.panel.fail(error or RuntimeError("no mask was begun"))
                return
            if drawing.path != opened.shown.path:  # a mask belongs to the present version
                self.panel.look_at(drawing.path.name)
                return
            self.drawing = drawing
            self.panel.canvas.locked = False
            if drawing.note:
                self.panel.say("attention", f"Needs attention: {drawing.note}")
            self._saved, self._undone = manager.operations_of(drawing), []
            draft = manager.draft_of(drawing)
            self.operations = list(self._saved) if draft is None else draft
            self._changed()

        self.panel.loop.beside(lambda: manager.open_drawing(picture.id, label, use), ready)

    def told(self, deed: Deed) -> None:
        """A stroke, a shape, undo, redo, save."""
        if deed.kind == "save":
            self.panel.guard(self.panel.save_now)
        elif deed.kind == "undo" and self.operations:
            self._undone.append(self.operations.pop())
            self._changed()
        elif deed.kind == "redo" and self._undone:
            self.operations.append(self._undone.pop())
            self._changed()
        elif deed.is_operation:
            self.add(as_operation(deed))

    def add(self, *operations: Values) -> None:
        """One more step, or several."""
        self.operations += operations
        self._undone = []
        self._changed()

    def _changed(self) -> None:
        canvas = self.panel.canvas
        with canvas.hold_sync():
            canvas.can_undo, canvas.can_redo = bool(self.operations), bool(self._undone)
        self.draw()
        self.panel.look_again()

    def draw(self) -> None:
        """Show the exact mask; while one is worked out only the newest wish counts."""
        drawing, manager, canvas = self.drawing, self.panel.manager, self.panel.canvas
        if drawing is None or manager is None or self._is_drawing:
            return
        operations, through, turn, pending = list(self.operations), canvas.count, self._turn_of, self.pointing.pending()
        shown = [*operations, pending] if pending is not None else operations
        wanted = canvas.wants
        self._is_drawing = True

        def drawn(found: tuple[bytes, bytes, float] | None, error: BaseException | None) -> None:
            self._is_drawing = False
            if turn == self._turn_of:
                if isinstance(error, _Undrawable):
                    if error.place == len(operations) and pending is not None:
                        self.pointing.refuse(pending)
                    elif self.operations[error.place:error.place + 1] == operations[error.place:error.place + 1]:
                        del self.operations[error.place]  # nothing after it could be drawn
                        self._undone = []
                    self.panel.fail(error.reason)
                    self._changed()
                    return
                if error is not None or found is None:
                    self.panel.fail(error or RuntimeError("no mask was drawn"))
                    return
                self._good = len(operations)
                canvas.show_overlay(found[0], through, wanted.box if wanted is not None else (), found[1])
                self._tell(found[2])
            if (operations, turn, pending) != (self.operations, self._turn_of, self.pointing.pending()):
                self.draw()

        part = (wanted.box, wanted.size) if wanted is not None else None
        good = min(self._good, len(operations))

        def draw() -> tuple[bytes, bytes, float]:
            try:
                found = manager.overlay_of(drawing, shown, part)
            except StudioError as error:
                wrong = _first_wrong(lambda count: manager.overlay_of(drawing, shown[:count]), good, len(shown))
                raise _Undrawable(wrong, error) from error
            manager.keep_draft(drawing, operations)
            return found

        self.panel.loop.beside(draw, drawn)

    def sharpen(self) -> None:
        """The picture is looked at more closely: the mask too."""
        self.draw()

    def _tell(self, share: float) -> None:
        steps = f"{counted(len(self.operations), 'step')}, " if self.operations else ""
        unsaved = " Not saved yet; it is kept until you save or discard it." if self.is_changed else ""
        words = f"The mask holds {share:.1%} of the picture ({steps}undo with Ctrl+Z).{unsaved}" if self.operations else self._empty_words()
        self.words.value = f'<p class="lb-help">{words}</p>'

    def _empty_words(self) -> str:
        return "There is no mask yet. Draw on the picture, press on what is meant, or let a model find it. White counts, black does not."

    # What its buttons do

    @property
    def is_changed(self) -> bool:
        """Whether something was drawn that is not saved."""
        return self.operations != self._saved

    def not_open(self) -> str:
        """Why nothing can be drawn; empty when something can."""
        if self.drawing is not None:
            return ""
        return "Press a picture at the left first." if self.panel.desk.opened is None else "One moment: its mask is being opened."

    def not_drawable(self) -> str:
        """Why nothing can be drawn at this moment: results are looked at, or nothing is open."""
        return "Save or discard the result first." if self.panel.desk.tried is not None else self.not_open()

    def run(self, opened: Opened) -> Work | None:
        """Let a model find it, whatever mask is there: what was drawn decides with it here, by "What is found"."""
        drawing, manager, stage = self.drawing, self.panel.manager, self.stage
        if drawing is None or manager is None:
            return None
        anew, label, turn = self.settings().changed(existing="replace"), opened.label, self._turn_of
        progress = self.panel.try_progress()

        def find() -> tuple[Tried, Values | None]:
            tried = manager.try_on(stage, anew, opened.picture.id, label, progress)
            return tried, manager.keep_mask(drawing, tried.files[0].encoded.data) if tried.files else None

        def found(result: tuple[Tried, Values | None]) -> str | None:
            self.panel.tried_is_over()
            self.offer_models()
            return self._found(*result) if turn == self._turn_of else "another picture is open now; nothing was kept."

        return Work(f"looking for it in {opened.picture.name}", find, found)

    def _found(self, tried: Tried, given: Values | None) -> str:
        if given is None:
            return tried.reason or "nothing was found."
        how = str(self.how.value)
        self.add(*([{"op": "clear"}] if how == "replace" else []), {**given, "how": "add" if how == "replace" else how})
        note = tried.files[0].encoded.note
        return f"found. It is a step of the mask now; save it, or undo it with Ctrl+Z.{f' Note: {note}.' if note else ''}"

    def can_save(self) -> str:
        """Why there is nothing to save."""
        return self.not_open() or ("" if self.is_changed else "Nothing new was drawn.")

    def save(self) -> Work | None:
        """Write the mask; where nothing is left of it, put it aside."""
        drawing, operations, manager, turn = self.drawing, list(self.operations), self.panel.manager, self._turn_of
        if drawing is None or manager is None:
            return None

        def save() -> str:
            return f"saved {manager.save_mask(drawing, operations).name}." if operations else manager.remove_mask(drawing)

        def saved(words: str) -> str:
            if turn == self._turn_of:  # what was drawn meanwhile stays, and is not saved yet
                self._saved = operations
                self._changed()
            self.panel.renew()
            return words

        return Work("saving the mask", save, saved)

    def discard(self) -> str:
        """Go back to the mask as it was saved."""
        self.operations, self._undone = list(self._saved), []
        self._changed()
        return "the mask is as it was saved."

    def can_discard(self) -> str:
        """Why there is nothing to discard."""
        return "" if self.is_changed else "Nothing new was drawn."


def _first_wrong(draw: Callable[[int], object], good: int, count: int) -> int:
    """The first operation that cannot be drawn. Args: draw: draws so many; raises StudioError. good: so many can be drawn."""
    for number in range(good, count):
        try:
            draw(number + 1)
        except StudioError:
            return number
    return count - 1


def as_operation(deed: Deed) -> Values:
    """What was drawn on the canvas, as the mask's list calls it."""
    values = dict(deed.operation)
    if deed.kind == "rectangle":
        values["from"], values["to"] = values.pop("first"), values.pop("second")
    return values
