"""The file that a tool wrote: facts, links to download it, what each block lost, and long lists folded."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from core.utilities.layers.blocks import block_of, order_of
from widgets.download_links import download_links
from widgets.pieces import Fold, part, table
from widgets.utilities import showing
from widgets.utilities.lora_panel import ToolPanel

LOSS_WORDS = "Share of each block's own update that is lost: the stronger its colour, the more."
NOTHING_LOST = "Nothing is lost by the rank."
Layers = Sequence[Mapping[str, Any]]


class Made:
    """What stands below the status line once a file was written; hidden until then.

    Args:
        before: what stands above the column of ranks that the layers had.
        lists: titles of lists of names that are folded.
    """

    def __init__(self, before: str = "Rank before", lists: Sequence[str] = ()) -> None:
        self._before = before
        self.facts, self.links, self.map, self._layers = ipw.HTML(), ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.every = Fold("Every layer's loss", [self._layers])
        self.blocks = ipw.VBox([part("What each block loses"), self.map, self.every.view]).add_class("lb-form")
        self._names = {title: ipw.HTML() for title in lists}
        self.lists = {title: Fold(title, [inside]) for title, inside in self._names.items()}
        self.view = ipw.VBox([part("The new file"), self.facts, self.links, *(fold.view for fold in self.lists.values()),
                              self.blocks]).add_class("lb-form")
        self.hide()

    def hide(self) -> None:
        """It is no answer any more."""
        self.view.layout.display = "none"

    def show(self, file: str, rows: Sequence[tuple[str, object]], layers: Layers = (),
             lists: Mapping[str, Sequence[str]] | None = None) -> None:
        """Show it.

        Args: rows: facts; those without words are left out. layers: of the report, with norm, rank, new_rank and error. lists: names.
        """
        self.facts.value = table([("File", file), *(row for row in rows if row[1] not in ("", None))])
        self.links.value = download_links([Path(file)])
        for title, names in (lists or {}).items():
            self._names[title].value = showing.names_list(names)
            self.lists[title].view.layout.display = "" if names else "none"
        self.blocks.layout.display = "" if layers else "none"
        cells = showing.error_cells(_by_block(layers))
        is_lost = any(cell.told != "0 %" for cell in cells)
        self.map.value = f'<p class="lb-help">{html.escape(LOSS_WORDS if is_lost else NOTHING_LOST)}</p>'
        if is_lost:
            self.map.value += (showing.heat_map(cells, "share of the update that is lost")
                               + showing.extremes(cells, "Loses most", "Loses least"))
        rows_of_layers = [(layer["name"], layer["kind"], layer["rank"], layer["new_rank"], showing.share(layer["error"]))
                          for layer in layers]
        self._layers.value = showing.cut_table(rows_of_layers, ("Layer", "Type", self._before, "Rank now", "Update lost"))
        self.view.layout.display = ""


class MadePanel(ToolPanel):
    """Writes a new file and shows it. A subclass makes `made` in its results."""

    made: Made

    def file_changed(self) -> None:
        """What was made was of others."""
        self.made.hide()
        self.forget_told()

    def begun(self) -> None:
        """What was made before is no answer any more."""
        self.made.hide()


def notes_rows(notes: Sequence[str]) -> list[tuple[str, str]]:
    """What a report notes, as rows of facts."""
    return [("Good to know", note) for note in notes]


def _by_block(layers: Layers) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for layer in layers:
        found.setdefault(block_of(layer["name"])[0], []).append(layer)
    return {block: found[block] for block in sorted(found, key=order_of)}
