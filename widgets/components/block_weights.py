"""A number for each block of a model, and one for each part of it; what is left empty counts as usual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import anywidget
import traitlets

from widgets.components.assembling import HERE, module_text


class BlockWeights(anywidget.AnyWidget):
    """Fields in rows, one row for each part of the model.

    Attributes:
        parts: name and title of each part: ["down", "Down"].
        blocks: number of its part, name and place of each block: ["1", "down 1.0", "1.0"]; a place is what stands at its field.
        values: text of each field that is not empty, by the part's or the block's name; what a person typed, right or wrong.
        of: whose blocks they are, for those who hear the fields: "file 2".
    """

    _esm = module_text("block_weights")
    _css = HERE / "block_weights.css"

    parts = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True)
    blocks = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True)
    values = traitlets.Dict(value_trait=traitlets.Unicode()).tag(sync=True)
    of = traitlets.Unicode("").tag(sync=True)

    def show(self, parts: Sequence[tuple[str, str]], blocks: Sequence[tuple[int, str, str]]) -> None:
        """Show these fields instead of the present ones; what was typed into those that are there no more is let go."""
        names = {*(name for name, _ in parts), *(name for _, name, _ in blocks)}
        with self.hold_sync():
            self.parts = [list(part) for part in parts]
            self.blocks = [[str(number), name, place] for number, name, place in blocks]
            self.values = {name: text for name, text in self.values.items() if name in names}

    def fill(self, values: Mapping[str, str]) -> None:
        """Show these texts."""
        self.values = dict(values)
