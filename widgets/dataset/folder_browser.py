"""Looking for a folder or archive on the machine that runs the kernel, which a browser's own dialog cannot see."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

import ipywidgets as ipw

from core.dataset.sources.places import Listing, known_places, list_folder
from widgets.panel import Panel
from widgets.pieces import row

UP = ".. (one up)"


class FolderBrowser:
    """A list of folders and archives to walk through, hidden until it is wanted.

    Args:
        panel: in whose frame it stands.
        take: is called with the folder or archive that was chosen.
        root: the folder to begin in and to stay in; None: the whole machine.
        words: of the button that opens it.
    """

    def __init__(self, panel: Panel, take: Callable[[Path], None], root: Path | None = None, words: str = "Browse this machine") -> None:
        self._take, self._root, self._words = take, root, words
        self.listing: Listing | None = None
        self.toggle = ipw.ToggleButton(description=words).add_class("lb-fold")
        self.places = ipw.Dropdown(description="Begin at")
        self.list = ipw.Select(description="Inside", rows=9, layout=ipw.Layout(width="auto"))
        self.list.tooltip = "Folders and archives. Choose one, then Open it or Take it."
        self._here = ipw.HTML()
        self.open_button = ipw.Button(description="Open it", tooltip="Look into the chosen folder, or one up")
        self.take_button = ipw.Button(description="Take it", tooltip="Take the chosen archive or folder")
        self.here_button = ipw.Button(description="Take this folder", tooltip="Take the folder whose contents are shown")
        shown = ipw.VBox([self.list]).add_class("lb-field").add_class("lb-list")
        begin = ipw.VBox([self.places], layout=ipw.Layout(display="none" if root else "")).add_class("lb-field")
        self._box = ipw.VBox([begin, self._here, shown, row(self.open_button, self.take_button, self.here_button)],
                             layout=ipw.Layout(display="none")).add_class("lb-form")
        self.view = ipw.VBox([row(self.toggle), self._box]).add_class("lb-wide")
        self.toggle.observe(self._turn, "value")
        self.places.observe(self._begin, "value")
        for button, act in ((self.open_button, self._open), (self.take_button, self._chosen), (self.here_button, self._shown)):
            button.on_click(lambda _, act=act: panel.loop.settled(lambda: panel.guard(act)))

    def show(self, folder: Path) -> None:
        """List a folder."""
        self.listing = list_folder(folder)
        here = self.listing.folder
        up = [(UP, "..")] if here != (self._root.resolve() if self._root else Path(here.anchor)) else []
        inside = [(f"{name}/", name) for name in self.listing.folders] + [(name, name) for name in self.listing.archives]
        self.list.options = [*up, *inside]
        self.list.value = inside[0][1] if inside else ".." if up else None
        self._here.value = (f'<p class="lb-help" style="overflow-wrap: anywhere"><b>{html.escape(str(self.listing.folder))}</b>: '
                            f"{html.escape(self.listing.sentence())}</p>")

    def _turn(self, change: dict[str, object]) -> None:
        self._box.layout.display = "" if change["new"] else "none"
        self.toggle.description = "Close the folders" if change["new"] else self._words
        if change["new"] and self._root is not None:
            self.show(self.listing.folder if self.listing and not self.listing.problem else self._root)
        elif change["new"]:
            self.places.options = [("choose a place", ""), *((f"{name} ({place})", str(place)) for name, place in known_places())]
            self.show(self.listing.folder if self.listing else known_places()[0][1])

    def _begin(self, change: dict[str, object]) -> None:
        if change["new"]:
            self.show(Path(str(change["new"])))

    def _open(self) -> None:
        if self.listing is None or self.list.value is None:
            return
        if self.list.value in self.listing.archives:
            self._chosen()
        else:
            self.show(self._up() if self.list.value == ".." else self.listing.folder / self.list.value)

    def _up(self) -> Path:
        """The folder above; never above the root, also where a link led out of it."""
        assert self.listing is not None
        above = self.listing.folder.parent
        return above if self._root is None or above.is_relative_to(self._root.resolve()) else self._root

    def _chosen(self) -> None:
        if self.listing is not None and self.list.value not in (None, ".."):
            self._done(self.listing.folder / self.list.value)

    def _shown(self) -> None:
        if self.listing is not None:
            self._done(self.listing.folder)

    def _done(self, path: Path) -> None:
        self._take(path)
        self.toggle.value = False
