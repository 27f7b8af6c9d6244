"""Where a tool writes its file: the field "Save as", and below it the very path, also where the field stays empty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError
from core.base.paths import place_of
from core.utilities.files.targets import free_name, free_target
from widgets.form import Form

HELP = "Empty: the file named below. Nothing is written over."


class SaveAs:
    """The field and what is said of it.

    Args: form: with the field `save_to`; its settings have `usual_target`. itself: where nothing is typed, the given file is changed
        where it is, so that nothing new is written.
    """

    def __init__(self, form: Form[Any], itself: bool = False) -> None:
        self._form, self._control, self._itself = form, form.control("save_to"), itself
        self._usual: Path | None = None
        self._control.view.add_class("lb-wide")
        if not itself:
            self._control.help = HELP
        self._control.complain("")

    def show(self, usual: Path | None, more: str = "", wrong: bool = False) -> None:
        """Say where the file will be.

        Args: usual: where nothing is typed; a number is added where that name is taken. None: not known yet. more: what else is to be
            said. wrong: that this must be mended.
        """
        self._usual = usual
        problem, place = self.problem(), self.place()
        is_new = place and not (self._itself and place_of(place) == usual)
        told = problem or (f"Next to be written: {place_of(place)}." if is_new else "")
        self._control.remark(" ".join(filter(None, [told, more])), wrong or bool(problem))

    def place(self) -> str:
        """What was typed, else the usual place; empty: not known yet."""
        free = self._free()
        return self._typed or (str(free) if free is not None else "")

    def problem(self) -> str:
        """Why nothing can be written there, as the tool itself would say it; empty: it can."""
        free = self._free()
        try:
            if self._typed or free is not None:
                free_target(free or Path(), self._typed, self._itself)
        except ConfigError as error:
            return str(error)
        return ""

    def written(self, file: str) -> None:
        """A file was written: where its name was typed, the field is empty again, for that name is taken now."""
        if self._typed and str(place_of(self._typed)) == file:
            self._control.write("")

    def usual(self, **chosen: Any) -> Path | None:
        """Where nothing is typed, by the form as it stands. Args: chosen: fields that are not in the form. None: a value is wrong."""
        names = [name for name in self._form.cls.fields() if name not in chosen and name != "save_to"]
        return usual_of(lambda: self._form.cls.make(**{name: self._form.present(name) for name in names}, **chosen))

    def _free(self) -> Path | None:
        """The usual place, with a number where its name is taken; None: not known yet."""
        return self._usual if self._usual is None or self._itself else free_name(self._usual)

    @property
    def _typed(self) -> str:
        return str(self._control.read() or "").strip()


def usual_of(make: Callable[[], Any]) -> Path | None:
    """Where a tool writes when nothing is said. Args: make: its settings. None: one of them is wrong."""
    try:
        return Path(make().usual_target())
    except ConfigError:
        return None
