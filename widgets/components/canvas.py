"""A picture that is looked at, drawn on, pressed on and cropped; all coordinates are pixels of the true picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import anywidget
import traitlets

from widgets.components.assembling import HERE, module_text
from widgets.components.canvas_deeds import HOW, Deed, Wanted, read_box, read_deed, read_points, read_wanted

MODES = ("look", "brush", "eraser", "rectangle", "polygon", "points", "crop")
COLOURS = ("blue", "orange", "magenta")
"""Of the mask over the picture: they differ for every kind of colour vision."""
NO_MARKS: dict[str, list[Any]] = {"points": [], "box": [], "crop": []}
MOST_VIEWERS = 32
"""Views whose numbers are remembered; a view is gone when its output is closed."""


class Canvas(anywidget.AnyWidget):
    """One picture with a mask, points, a crop box, and the same picture as it was before.

    What a hand does is told as a `Deed`. What was drawn is seen at once; `show_overlay` puts the exact mask in its place. Everything
    that is shown stands in traits: a second view, or one that was closed and is shown again, shows the same.

    Attributes:
        mode: what a drag does (`MODES`); tools: the modes whose buttons are shown. how: what rectangles, polygons and
            what points mean do with the mask (`HOW`). belongs: whether the next point belongs to what is meant. locked: one may look, and
            change nothing.
        brush: width of brush and eraser, px of the picture.
        points: [[x, y, 1 or 0], …]: belongs to what is meant, or does not. box: [left, top, right, bottom] around it, or [].
        crop: the crop box in whole pixels, or []. ratio: width / height that it keeps; 0: any. ratios: [[words, ratio], …] to choose from.
            crop_least: the shortest side that can be drawn, px.
        can_undo, can_redo: whether their buttons can be pressed.
        opacity, colour, black_and_white: how the mask is shown.
        split: where the line between before and after runs, 0 (left) to 1. before_words, after_words: what stands at its sides.
        nothing: the words while there is no picture.
    """

    _esm = module_text("canvas")
    _css = HERE / "canvas.css"

    mode = traitlets.Enum(MODES, "look").tag(sync=True)
    tools = traitlets.List(traitlets.Enum(MODES), ["look"]).tag(sync=True)
    how = traitlets.Enum(HOW, "add").tag(sync=True)
    belongs = traitlets.Bool(True).tag(sync=True)
    locked = traitlets.Bool(False).tag(sync=True)
    brush = traitlets.Int(40, min=1).tag(sync=True)
    ratio = traitlets.Float(0.0, min=0.0).tag(sync=True)
    ratios: traitlets.List[Any] = traitlets.List().tag(sync=True)
    crop_least = traitlets.Int(16, min=1).tag(sync=True)
    can_undo = traitlets.Bool(False).tag(sync=True)
    can_redo = traitlets.Bool(False).tag(sync=True)
    opacity = traitlets.Float(0.5, min=0.0, max=1.0).tag(sync=True)
    colour = traitlets.Enum(COLOURS, "blue").tag(sync=True)
    black_and_white = traitlets.Bool(False).tag(sync=True)
    split = traitlets.Float(0.5, min=0.0, max=1.0).tag(sync=True)
    before_words = traitlets.Unicode("Before").tag(sync=True)
    after_words = traitlets.Unicode("After").tag(sync=True)
    nothing = traitlets.Unicode("There is no picture yet.").tag(sync=True)
    points: traitlets.List[Any] = traitlets.List()
    box: traitlets.List[Any] = traitlets.List()
    crop: traitlets.List[Any] = traitlets.List()

    shown: traitlets.Dict[str, Any] = traitlets.Dict({"sheet": 0, "version": 0}).tag(sync=True)
    """sheet: grows with every other picture; version: with every picture file. What the browser tells carries one of them."""
    region = traitlets.Dict().tag(sync=True)
    overlay = traitlets.Dict().tag(sync=True)
    drawn: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """Operations that the overlay does not hold yet."""
    heard = traitlets.Dict().tag(sync=True)
    """View → number of its last deed that was taken in."""
    marked = traitlets.Dict({"sheet": 0, **NO_MARKS}).tag(sync=True)
    look = traitlets.Dict().tag(sync=True)
    """zoom: pixels of the screen for one of the picture, 0 for all of it; x, y: what is in the middle."""
    wanted = traitlets.Dict().tag(sync=True)

    def __init__(self, told: Callable[[Deed], None], asked: Callable[[Wanted], None] = lambda wanted: None,
                 soon: Callable[[Callable[[], None]], None] = lambda act: act(), **traits: Any) -> None:
        """Args: told: called with each deed, in order. asked: called when a sharper part is wished for (`show_region`). soon: calls
        something in the loop's thread. traits: values to begin with."""
        self._told, self._asked, self._soon = told, asked, soon
        self._count = 0
        self._quiet = False  # marks are being set here
        self._numbers: dict[str, int] = {}  # an operation's key → its deed's number
        super().__init__(**traits)
        self.on_msg(self._heard)
        self.observe(lambda _: self._soon(self._take_marks), "marked")
        self.observe(lambda _: self._soon(self._ask), "wanted")
        self.observe(lambda _: self._tell_marks(), ["points", "box", "crop"])

    @property
    def count(self) -> int:
        """How many deeds were taken in: what `show_overlay` is told for a mask that is worked out from now on."""
        return self._count

    @property
    def wants(self) -> Wanted | None:
        """The part of the present picture that is looked at so closely that its preview is not sharp enough; None: it is."""
        return read_wanted(self.wanted, self.shown)

    def show(self, picture: bytes, size: tuple[int, int], *, caption: str = "", before: bytes = b"", same: bool = False) -> None:
        """Show a picture.

        Args:
            picture: a file that browsers open, upright; it may be smaller than the true picture.
            size: width and height of the true picture, px.
            caption: what it is, in words: its name and size.
            before: the same picture as it was, of the same proportions; empty: there is no line between before and after.
            same: another version of the picture that is shown, of the same size: view, mask, points and boxes stay.

        Raises: ValueError: a size below 1; or `same` with another size.
        """
        width, height = size
        if width < 1 or height < 1:
            raise ValueError(f"A picture must have at least one pixel, but is {width} x {height}.")
        if same and size != self._size:
            raise ValueError(f"The same picture must keep its size, {self._size[0]} x {self._size[1]}, but is {width} x {height}.")
        sheet, version = self.shown["sheet"] + (not same), self.shown["version"] + 1
        with self.hold_sync():
            self.shown = {"sheet": sheet, "version": version, "picture": picture, "before": before, "width": width, "height": height,
                          "caption": caption}
            self.region, self.wanted = {}, {}
            if not same:
                self._begin()

    def show_nothing(self, words: str = "There is no picture yet.") -> None:
        """No picture. Args: words: why."""
        with self.hold_sync():
            self.shown = {"sheet": self.shown["sheet"] + 1, "version": self.shown["version"] + 1}
            self.nothing, self.region, self.wanted = words, {}, {}
            self._begin()

    def _begin(self) -> None:
        """Nothing of what belonged to another picture."""
        self.look = {}
        self._set_marks({})
        self._numbers = {}
        self.drawn = []
        self.overlay = {"count": self.overlay.get("count", 0) + 1}

    def show_region(self, wanted: Wanted, picture: bytes, before: bytes = b"") -> None:
        """Put a sharper part over the preview; one for a picture that is gone is let fall. Args: picture, before: of `wanted.box`."""
        if wanted.version == self.shown["version"]:
            self.region = {"version": wanted.version, "count": self.region.get("count", 0) + 1, "box": list(wanted.box), "picture": picture,
                           "before": before}

    def show_overlay(self, mask: bytes, through: int | None = None, box: Sequence[int] = (), sharp: bytes = b"") -> None:
        """Show this mask in place of what was drawn.

        It should follow operations soon, for what was drawn and is in no mask yet is kept as it was told. After an undo nothing else
        takes a stroke away.

        Args:
            mask: a picture file of all of the mask, of any size (2,048 pixels a side are looked at): white counts; empty: nothing does.
            through: number of the last deed that is in it; None: all that were taken in.
            box, sharp: a part of it in its own size, where the picture is looked at closely (`wants.box`).
        """
        last = self._count if through is None else through
        with self.hold_sync():
            self.overlay = {"count": self.overlay.get("count", 0) + 1, "mask": mask, "box": list(box), "sharp": sharp if box else b""}
            self.drawn = [one for one in self.drawn if self._numbers.get(one["key"], 0) > last]
            self._numbers = {one["key"]: self._numbers[one["key"]] for one in self.drawn}

    def _heard(self, widget: Any, message: Mapping[str, Any], buffers: Sequence[bytes]) -> None:
        viewer, deeds = message.get("viewer"), message.get("deeds")
        if message.get("kind") == "deeds" and isinstance(viewer, str) and isinstance(deeds, list):
            self._soon(lambda: self._take(viewer, deeds))

    def _take(self, viewer: str, deeds: Sequence[Sequence[Any]]) -> None:
        """Take in what is new, each once and in order; what comes before its turn is told again by the browser."""
        for serial, given in deeds:
            if serial != self.heard.get(viewer, 0) + 1:
                continue
            may_do = given.get("sheet") == self.shown["sheet"] and not self.locked
            deed = read_deed(self._count + 1, given, self._size) if may_do else None
            with self.hold_sync():
                others = {name: number for name, number in self.heard.items() if name != viewer}
                self.heard = {**dict(list(others.items())[-MOST_VIEWERS + 1:]), viewer: serial}
                if deed is not None and deed.is_operation:
                    key = str(given.get("key"))
                    self._numbers[key] = deed.number
                    self.drawn = [*self.drawn, {**deed.operation, "key": key}]
            if deed is not None:
                self._count = deed.number
                self._told(deed)

    @property
    def _size(self) -> tuple[int, int]:
        return self.shown.get("width", 0), self.shown.get("height", 0)

    def _take_marks(self) -> None:
        """What the browser marked; marks of a picture that is gone are let fall."""
        if self.marked.get("sheet") != self.shown["sheet"]:
            self._tell_marks()
        else:
            boxes = {name: read_box(self.marked.get(name), self._size) for name in ("box", "crop")}
            self._set_marks({"points": read_points(self.marked.get("points"), self._size), **boxes}, tell=False)

    def _set_marks(self, marks: Mapping[str, list[Any]], tell: bool = True) -> None:
        with self._quietly():
            self.points, self.box, self.crop = ({**NO_MARKS, **marks}[name] for name in NO_MARKS)
        if tell:
            self._tell_marks()

    def _tell_marks(self) -> None:
        if not self._quiet:
            with self._quietly():
                self.marked = {"sheet": self.shown["sheet"], "points": self.points, "box": self.box, "crop": self.crop}

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        was, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = was

    def _ask(self) -> None:
        wanted = self.wants
        if wanted is not None:
            self._asked(wanted)
