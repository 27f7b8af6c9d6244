"""The fields of one level of a form: the basic ones are always there, the others behind a button that counts what differs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import ipywidgets as ipw

from widgets.controls import Control
from widgets.pieces import Fold, show

FOLDS = {"advanced": "more settings", "expert": "expert settings"}
"""What is behind the button of a level."""


class Level:
    """A grid of controls, and its button where it is folded. Folded controls are made when the fold is first opened.

    Args:
        level: basic, advanced or expert.
        names: of the fields.
        make: makes the control of one.
        count: how many fields are of use now, and how many of them differ from what is usual.
    """

    def __init__(self, level: str, names: Sequence[str], make: Callable[[str], Control], count: Callable[[Level], tuple[int, int]]) -> None:
        self.names = tuple(names)
        self.controls: dict[str, Control] = {}
        """Those that are made."""
        self._make, self._count = make, count
        self.fold: Fold | None = None
        if level in FOLDS:
            self._title = FOLDS[level]
            self.fold = Fold(self._title, [], self._turned)
            self.fold.button.add_class(f"lb-fold-{level}")
            self.box = self.fold.body
        else:
            self.box = ipw.VBox().add_class("lb-form")
            self.fill()

    @property
    def is_open(self) -> bool:
        """Whether it is shown where nothing is looked for."""
        return self.fold is None or self.fold.is_open

    def fill(self) -> None:
        """Make the controls, once."""
        if not self.box.children:
            self.controls.update({name: self._make(name) for name in self.names})
            self.box.children = [ipw.VBox([control.view for control in self.controls.values()]).add_class("lb-fields")]

    def tell(self) -> None:
        """Count anew: "Show more settings (17), 1 changed"; what is folded away and differs from what is usual must not be forgotten."""
        if self.fold is not None:
            used, changed = self._count(self)
            self.fold.rename(f"{self._title} ({used}){f', {changed} changed' if changed and not self.fold.is_open else ''}")
            show(self.fold.button, bool(used))

    def narrow(self, wanted: Collection[str] | None) -> None:
        """Show these fields alone, also of a closed fold; None: as before."""
        own = [name for name in self.names if wanted is not None and name in wanted]
        if own:
            self.fill()
        for name, control in self.controls.items():
            control.pass_over(wanted is not None and name not in own)
        show(self.box, bool(own) or (wanted is None and self.is_open))

    def _turned(self, is_open: bool) -> None:
        if is_open:
            self.fill()
        self.tell()
