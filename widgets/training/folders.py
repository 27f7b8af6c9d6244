"""The folders that are learned from: one row each, with its repeats and what holds for it alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ipywidgets as ipw

from core.training.config import Subset
from widgets.form import Form

OWN = "This project's own pictures"
HELP = ("The project's own pictures come by themselves. Further folders may be added, each with its own repeats; regularisation folders "
        "show what must stay as it is.")


class FoldersBox:
    """Rows of folders; what is changed, added or taken out is told at once.

    Args: changed: called after a person changed something.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._tell = changed
        self._idle: Mapping[str, tuple[str, bool]] = {}
        self._rows: list[tuple[Form[Subset], ipw.VBox]] = []
        self._box = ipw.VBox().add_class("lb-form")
        self.add = ipw.Button(description="Add a folder", layout=ipw.Layout(align_self="flex-start"))
        self.add.on_click(lambda _: self._append(None, ""))
        heading = ipw.HTML(f'<div class="lb-part" role="heading" aria-level="4">Folders</div><p class="lb-help">{HELP}</p>')
        self.view = ipw.VBox([heading, self._box, self.add]).add_class("lb-form").add_class("lb-folders")

    def fill(self, subsets: Sequence[Subset], own: Callable[[Subset], bool]) -> None:
        """Show these folders. Args: own: whether one is the project's, which cannot be taken out."""
        if [form.value() for form, _ in self._rows if _is_given(form)] == list(subsets):
            return
        self._rows, self._box.children = [], ()
        for subset in subsets:
            self._append(subset, OWN if own(subset) else "")

    def set_idle(self, reasons: Mapping[str, tuple[str, bool]]) -> None:
        """As `Form.set_idle`, in every row."""
        self._idle = reasons
        for form, _ in self._rows:
            form.set_idle(reasons)

    def value(self) -> list[Subset]:
        """The folders as they stand; a row without a folder counts as none. Raises: ConfigError: a wrong value."""
        return [form.value() for form, _ in self._rows if _is_given(form)]

    def _append(self, subset: Subset | None, title: str) -> None:
        # the project's repeats are a setting of their own, above
        form: Form[Subset] = Form(subset or Subset, hide=("image_dir", "num_repeats") if title else ())
        form.set_idle(self._idle)
        parts: list[ipw.Widget] = [form.view]
        if title:
            parts.insert(0, ipw.HTML(f'<p class="lb-purpose">{title}</p>'))
        row = ipw.VBox(parts).add_class("lb-form").add_class("lb-folder")
        entry = (form, row)
        if not title:
            out = ipw.Button(description="Take this folder out", tooltip="Its pictures stay where they are.")
            out.on_click(lambda _: self._take_out(entry))
            row.children = [*row.children, out]
        self._rows.append(entry)
        self._box.children = [*self._box.children, row]
        form.on_change(self._tell)

    def _take_out(self, entry: tuple[Form[Subset], ipw.VBox]) -> None:
        self._rows.remove(entry)
        self._box.children = [one for one in self._box.children if one is not entry[1]]
        self._tell()


def _is_given(form: Form[Subset]) -> bool:
    """Whether a row names a folder."""
    return form.present("image_dir") not in (None, "")
