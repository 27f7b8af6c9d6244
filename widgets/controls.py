"""One control for one field of a settings class: which widget it is, and how its value is read and written."""

from __future__ import annotations

import html
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import ipywidgets as ipw
from pydantic.fields import FieldInfo

from core.base.paths import typed_path
from core.base.settings import choices_of, field_extra, many_of

MOST_ROWS = 6
"""Of a list of which several may be chosen."""
WIDE_NAMES = ("path", "dir", "source", "prompt", "prompts", "negative")
"""Last words of the names of text fields that need the whole width."""
LONG_NAMES = ("description",)
"""Names of text fields that take several lines."""
Choices = Sequence[Any]
"""Values, or (label, value) pairs."""


class Suggestions(list[Any]):
    """Choices beside which anything else can be typed: a path, where a subclass does not say otherwise."""

    nothing = "choose one"
    """Stands in the list where the text is empty."""
    typed = "or its path"
    placeholder = "a path on this machine"
    quotes = "\"'"
    """What may stand around the text and is no part of it: a file manager's "Copy as path" adds quotes."""


def plain_type(annotation: Any) -> tuple[Any, bool]:
    """The type without None, and whether None was allowed; a union of several types comes back as `str`."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return (kinds[0] if len(kinds) == 1 else str), len(kinds) < len(get_args(annotation))


class Control:
    """A widget with its label, help and error; `read` and `write` speak the settings' own values.

    Text is taken when the person leaves the field, so that half a word or number is never judged.

    Args:
        name: the field's name.
        field: its declaration.
        choices: the values to offer where the class itself cannot list them (names of a registry, files of a folder).
    """

    wide = False

    def __init__(self, name: str, field: FieldInfo, choices: Choices = ()) -> None:
        self.name, self.field = name, field
        self.kind, self.optional = plain_type(field.annotation)
        self.title = field.title or name.replace("_", " ").capitalize()
        unit = field_extra(field, "unit")
        self.label = f"{self.title} ({unit})" if unit and unit not in self.title else self.title
        self.help = field.description or ""
        self.widget = self.make(choices)
        self.widget.tooltip = self.help or None
        self._note = ipw.HTML()
        self._wrong, self._remark, self._remark_wrong, self._idle = "", "", False, ""
        self._gone, self._passed_over = False, False
        self.view = ipw.VBox([*self.above(), self.widget, self._note])
        self.view.add_class("lb-field").add_class(f"lb-field-{name}")
        if self.wide or (isinstance(self.widget, ipw.Text) and name.split("_")[-1] in WIDE_NAMES):
            self.view.add_class("lb-wide")
        if isinstance(self.widget, ipw.SelectMultiple):
            self.view.add_class("lb-list")
        self.complain("")

    def make(self, choices: Choices) -> ipw.Widget:
        """The widget."""
        return ipw.Text(description=self.label, continuous_update=False)

    def above(self) -> Sequence[ipw.Widget]:
        """What helps to fill the widget in, above it."""
        return ()

    def read(self) -> Any:
        """The value as the settings class takes it."""
        text = self.widget.value.strip()
        return None if not text and (self.optional or self.field.is_required()) else text

    def write(self, value: Any) -> None:
        """Show a value of the settings class."""
        self.widget.value = "" if value is None else typed_words(value)

    def offer(self, choices: Choices) -> None:
        """Replace what is offered; a control that is not a list offers nothing."""

    def complain(self, sentence: str) -> None:
        """Show what is wrong with the value under the control; an empty sentence clears it."""
        self._wrong = sentence
        self._show_note()

    def remark(self, sentence: str, wrong: bool = False) -> None:
        """Say under the control what is known of the value, until another remark is made. Args: wrong: it must be mended."""
        self._remark, self._remark_wrong = sentence, wrong
        self._show_note()

    def stand_aside(self, reason: str, gone: bool = False) -> None:
        """Grey it, with the reason below, or hide it; an empty reason brings it back. Its value stays. Args: gone: hide it."""
        if (reason, gone) != (self._idle, self._gone):
            self._idle, self._gone = reason, gone
            for one in (self.widget, *self.above()):
                one.disabled = bool(reason)
            self._show_note()
            self._show_itself()

    def pass_over(self, passed: bool) -> None:
        """Hide it while something else is looked for."""
        if passed != self._passed_over:
            self._passed_over = passed
            self._show_itself()

    def _show_itself(self) -> None:
        self.view.layout.display = "none" if self._passed_over or (self._gone and self._idle) else ""

    def _show_note(self) -> None:
        wrong = self._wrong or (self._remark if self._remark_wrong else "")
        parts = [("lb-help", self.help), ("lb-idle", self._idle), ("lb-purpose", "" if self._remark_wrong else self._remark),
                 ("lb-wrong", f"Needs attention: {wrong}" if wrong else "")]
        lines = [f'<p class="{name}" style="overflow-wrap: anywhere">{html.escape(text)}</p>' for name, text in parts if text]
        self._note.value = "".join(lines)
        (self.view.add_class if wrong else self.view.remove_class)("lb-field-wrong")


class ChoiceControl(Control):
    """A dropdown. A value that is not among the choices is added when it is written, never silently replaced."""

    def make(self, choices: Choices) -> ipw.Widget:
        options = list(choices or choices_of(self.field))
        self.empty = self.optional and None not in [value for _, value in _pairs(options)]
        if self.empty:
            options = [("not set", None), *_pairs(options)]
        return ipw.Dropdown(options=_pairs(options), value=None if self.empty else _pairs(options)[0][1], description=self.label)

    def read(self) -> Any:
        return self.widget.value

    def write(self, value: Any) -> None:
        if value not in [known for _, known in self.widget.options]:
            self.widget.options = [*self.widget.options, (str(value), value)]
        self.widget.value = value

    def offer(self, choices: Choices) -> None:
        """Replace the choices and keep the chosen value where it is still among them."""
        present = self.widget.value
        pairs = [("not set", None), *_pairs(choices)] if self.empty else _pairs(choices)
        if list(self.widget.options) == pairs:
            return
        self.widget.options = pairs
        if present in [value for _, value in pairs]:
            self.widget.value = present


class ManyControl(Control):
    """A list of which several may be chosen, or none."""

    def make(self, choices: Choices) -> ipw.Widget:
        self.help = f"{self.help} Hold Ctrl (⌘ on a Mac) to choose several, or to let one go.".lstrip()
        options = _pairs(list(choices or many_of(self.field)))
        return ipw.SelectMultiple(options=options, rows=min(len(options), MOST_ROWS), description=self.label)

    def read(self) -> Any:
        return list(self.widget.value)

    def write(self, value: Any) -> None:
        self.widget.value = tuple(value or ())


class SuggestionControl(Control):
    """A text with a list above it that fills it in; what was typed stands in the list too, so that both always agree."""

    wide = True
    _marking = False

    def make(self, choices: Choices) -> ipw.Widget:
        self._kind = choices if isinstance(choices, Suggestions) else Suggestions()
        self._offered = _pairs(choices)
        self.list = ipw.Dropdown(description=self.label, options=self._options(""), value="")
        self.list.tooltip = self.help or None
        text = ipw.Text(description=self._kind.typed, placeholder=self._kind.placeholder, continuous_update=False)
        self.list.observe(self._choose, "value")
        text.observe(lambda change: self._mark(change["new"].strip()), "value")
        return text

    def above(self) -> Sequence[ipw.Widget]:
        """The list."""
        return (self.list,)

    def read(self) -> Any:
        """The text without the quotes that are no part of it."""
        text = self.widget.value.strip().strip(self._kind.quotes).strip()
        return None if not text and (self.optional or self.field.is_required()) else text

    def offer(self, choices: Choices) -> None:
        """Replace the suggestions; the value stays."""
        self._offered = _pairs(choices)
        self._mark(self.widget.value.strip())

    def _options(self, text: str) -> list[tuple[str, Any]]:
        known = [(self._kind.nothing, ""), *self._offered]
        return known if text in [value for _, value in known] else [*known, (text, text)]

    def _mark(self, text: str) -> None:
        options = self._options(text)
        self._marking = True
        if list(self.list.options) != options:
            self.list.options = options
        self.list.value = text
        self._marking = False

    def _choose(self, change: dict[str, Any]) -> None:
        if not self._marking:
            self.widget.value = change["new"] or ""


class BoolControl(Control):
    """A check box."""

    def make(self, choices: Choices) -> ipw.Widget:
        return ipw.Checkbox(description=self.label, indent=False)

    def read(self) -> Any:
        return self.widget.value

    def write(self, value: Any) -> None:
        self.widget.value = bool(value)


class NumberControl(Control):
    """A number. It is not clamped: a value outside the bounds is answered with a sentence, not quietly changed."""

    def make(self, choices: Choices) -> ipw.Widget:
        return ipw.IntText(description=self.label) if self.kind is int else ipw.FloatText(description=self.label, step=None)

    def read(self) -> Any:
        return self.widget.value

    def write(self, value: Any) -> None:
        self.widget.value = value


class LinesControl(Control):
    """A list of texts, one a line."""

    wide = True

    def make(self, choices: Choices) -> ipw.Widget:
        return ipw.Textarea(description=self.label, continuous_update=False, placeholder="one a line", rows=3)

    def read(self) -> Any:
        return [line.strip() for line in self.widget.value.splitlines() if line.strip()]

    def write(self, value: Any) -> None:
        self.widget.value = "\n".join(str(item) for item in value or ())


class LongControl(Control):
    """A text of several lines."""

    wide = True

    def make(self, choices: Choices) -> ipw.Widget:
        return ipw.Textarea(description=self.label, continuous_update=False, rows=3)


class NumbersControl(Control):
    """A few numbers with commas between them."""

    def make(self, choices: Choices) -> ipw.Widget:
        return ipw.Text(description=self.label, continuous_update=False, placeholder="numbers with commas between them")

    def read(self) -> Any:
        parts = [part.strip() for part in self.widget.value.replace("x", ",").split(",") if part.strip()]
        return None if self.optional and not parts else parts

    def write(self, value: Any) -> None:
        self.widget.value = ", ".join(typed_words(item) for item in value or ())


class PairsControl(Control):
    """A mapping, written as one `name = value` a line."""

    wide = True

    def make(self, choices: Choices) -> ipw.Widget:
        return ipw.Textarea(description=self.label, continuous_update=False, placeholder="name = value, one a line", rows=3)

    def read(self) -> Any:
        pairs = (line.partition("=") for line in self.widget.value.splitlines() if line.strip())
        return {name.strip(): value.strip() for name, _, value in pairs}

    def write(self, value: Any) -> None:
        self.widget.value = "\n".join(f"{name} = {item}" for name, item in (value or {}).items())


class PathControl(Control):
    """A file or folder of the machine that runs Lorabook."""

    wide = True

    def make(self, choices: Choices) -> ipw.Widget:
        return ipw.Text(description=self.label, continuous_update=False, placeholder="path on this machine")

    def read(self) -> Any:
        text = self.widget.value.strip().strip('"')
        if not text and (self.optional or self.field.is_required()):
            return None
        return str(typed_path(text) if text.startswith("~") else Path(text)) if text else ""


def typed_words(value: Any) -> str:
    """A value as one would type it: 1500, where a number with a point would be 1500.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def make_control(name: str, field: FieldInfo, choices: Choices = ()) -> Control:
    """The control that fits the field's type."""
    kind = LongControl if name in LONG_NAMES and plain_type(field.annotation)[0] is str else _control_class(field, choices)
    return kind(name, field, choices)


def _control_class(field: FieldInfo, choices: Choices) -> type[Control]:
    kind, optional = plain_type(field.annotation)
    origin = get_origin(kind) or kind
    if isinstance(choices, Suggestions):
        return SuggestionControl
    if many_of(field):
        return ManyControl
    if choices or choices_of(field):
        return ChoiceControl
    if kind is bool and not optional:
        return BoolControl
    if kind in (int, float) and not optional:
        return NumberControl
    if origin in (list, tuple, set, frozenset):
        return NumbersControl if set(get_args(kind)) - {Ellipsis} <= {int, float} else LinesControl
    if origin is dict:
        return PairsControl
    return PathControl if isinstance(kind, type) and issubclass(kind, Path) else Control


def _pairs(choices: Choices) -> list[tuple[str, Any]]:
    return [choice if isinstance(choice, tuple) else ("not set" if choice is None else str(choice), choice) for choice in choices]
