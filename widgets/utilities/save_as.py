"""Where a tool writes its file: the field "Save as", and below it the very path, also where the field stays empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.base.errors import ConfigError
from core.base.paths import place_of, typed_path
from widgets.form import Form

HELP = "Empty: the file named below. Nothing is written over."


class SaveAs:
    """The field and what is said of it. Args: form: with the field `save_to`; its settings have `usual_target`."""

    def __init__(self, form: Form[Any]) -> None:
        self._form, self._control = form, form.control("save_to")
        self._usual: Path | None = None
        self._control.view.add_class("lb-wide")
        self._control.help = HELP
        self._control.complain("")

    def show(self, usual: Path | None, more: str = "", wrong: bool = False) -> None:
        """Say where the file will be.

        Args: usual: where nothing is typed; a number is added where that name is taken. None: not known yet. more: what else is to be
            said. wrong: that this must be mended.
        """
        self._usual = free_name(usual) if usual is not None else None
        told = self.problem() or (f"Next to be written: {place_of(self.place())}." if self.place() else "")
        self._control.remark(" ".join(filter(None, [told, more])), wrong or bool(self.problem()))

    def place(self) -> str:
        """What was typed, else the usual place; empty: not known yet."""
        return self._typed or (str(self._usual) if self._usual is not None else "")

    def problem(self) -> str:
        """What is wrong with what was typed; empty: nothing."""
        try:
            path = typed_path(self._typed) if self._typed else None
        except ConfigError as error:
            return str(error)
        return f"{path} is there already. Choose another name, or leave the field empty." if path is not None and path.exists() else ""

    def written(self, file: str) -> None:
        """A file was written: where its name was typed, the field is empty again, for that name is taken now."""
        if self._typed and str(place_of(self._typed)) == file:
            self._control.write("")

    def usual(self, **chosen: Any) -> Path | None:
        """Where nothing is typed, by the form as it stands. Args: chosen: fields that are not in the form. None: a value is wrong."""
        names = [name for name in self._form.cls.fields() if name not in chosen and name != "save_to"]
        try:
            settings = self._form.cls.make(**{name: self._form.present(name) for name in names}, **chosen)
            return Path(settings.usual_target())
        except ConfigError:
            return None

    @property
    def _typed(self) -> str:
        return str(self._control.read() or "")


def free_name(path: Path) -> Path:
    """The path, or with -2, -3 … to its name where files of the names before are there."""
    found, number = path, 1
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found
