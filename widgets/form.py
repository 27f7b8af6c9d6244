"""A form made from a settings class: labels, help, bounds and levels come from the fields, nothing is written twice."""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Mapping
from typing import Any, Generic, TypeVar, get_args

import ipywidgets as ipw
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from core.base.errors import ConfigError
from core.base.settings import SET, Settings, field_extra
from widgets.controls import Choices, Control, make_control, plain_type
from widgets.form_level import Level
from widgets.pieces import Fold, part, row, show

S = TypeVar("S", bound=Settings)
OF_NO_USE = "It does nothing with the other settings as they are."


class Form(Generic[S]):
    """Controls for every field of a settings class, nested classes as sections.

    Fields of level advanced and expert are folded, and their controls are made when the fold is first opened; until
    then their values are those that the form was filled with.

    Args:
        settings: the class, or settings whose values are shown first.
        choices: values to offer for fields whose class cannot list them: {"tagger": [("WD EVA02", "wd-eva02"), …]};
            for a nested class "section.field". `Suggestions` leave room for anything else to be typed.
        hide: fields that the panel fills by itself; they keep the value they were filled with.
        folded: sections that are shown when their button is pressed, or when a value in them is wrong.
        at_once: texts are taken as they are typed, not when the field is left: where everything is computed anew anyway.
    """

    def __init__(self, settings: type[S] | S, choices: Mapping[str, Choices] | None = None, hide: tuple[str, ...] = (),
                 folded: Collection[str] = (), at_once: bool = False) -> None:
        self.cls: type[S] = settings if isinstance(settings, type) else type(settings)
        self._choices, self._hide, self._folded, self._at_once = dict(choices or {}), set(hide), folded, at_once
        self._placeholders: dict[str, str] = {}
        self._controls: dict[str, Control] = {}
        self._sections: dict[str, Form[Any]] = {}
        self._values: dict[str, Any] = {}
        self._listeners: list[Callable[[], None]] = []
        self._usual: Settings | None = None
        self._idle: dict[str, tuple[str, bool]] = {}
        self._remarks: dict[str, tuple[str, bool]] = {}
        self._beside_fields: list[ipw.Widget] = []
        self._filling = False
        self._wrong = ipw.HTML()
        names = self._fields_by_level(settings)
        self._fill_values(settings)
        self._levels = {level: Level(level, names[level], self._make_control, self._count) for level in names if names[level]}
        self.view = ipw.VBox(self._build()).add_class("lb-form")
        self._count_anew()

    def value(self) -> S:
        """The settings as they stand in the form.

        Raises: ConfigError: a sentence for each wrong value; each is shown under its control as well.
        """
        self._clear()
        values = {**self._values, **{name: control.read() for name, control in self._controls.items()}}
        values = {name: value for name, value in values.items() if not (value is None and self.cls.fields()[name].is_required())}
        values.update({name: self._section_value(name) for name in self._sections})
        try:
            return self.cls.make(**values)
        except ConfigError as error:
            self._complain(error, values)
            raise

    def _section_value(self, name: str) -> Settings:
        """A section's settings; where one is wrong, the section is shown, for the sentence stands there."""
        try:
            return self._sections[name].value()
        except ConfigError:
            if name in self._section_folds:
                self._section_folds[name].button.value = True
            raise

    def fill(self, settings: S) -> None:
        """Show these settings."""
        self._filling = True
        try:
            self._fill_values(settings)
            for name, control in self._controls.items():
                if name in self._values:
                    control.write(self._values[name])
            for name, section in self._sections.items():
                section.fill(getattr(settings, name))
            self._clear()
        finally:
            self._filling = False
        self._tell()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after a control has changed, and after the form was filled."""
        self._listeners.append(listener)
        for section in self._sections.values():
            section.on_change(listener)

    def control(self, name: str) -> Control:
        """The control of a basic field (or of a fold that was opened), "section.field" for a nested one."""
        section, _, rest = name.partition(".")
        return self._sections[section].control(rest) if rest else self._controls[name]

    def offer(self, name: str, choices: Choices, remark: str = "", wrong: bool = False) -> None:
        """Replace the choices of a field of this very form, and say something below it; also before its fold is opened."""
        self._choices[name], self._remarks[name] = choices, (remark, wrong)
        if (control := self._controls.get(name)) is not None:
            control.offer(choices)
            control.remark(remark, wrong)

    def set_placeholders(self, words: Mapping[str, str]) -> None:
        """What stands pale in empty text fields of this very form; also before their fold is opened."""
        self._placeholders |= words
        for name in words:
            if (control := self._controls.get(name)) is not None:
                control.widget.placeholder = words[name]

    @property
    def folds(self) -> list[ipw.ToggleButton]:
        """The buttons that show the folded sections."""
        return [fold.button for fold in self._section_folds.values()]

    def section(self, name: str) -> Form[Any]:
        """The form of a nested settings class."""
        return self._sections[name]

    def section_box(self, name: str) -> ipw.VBox:
        """A section with its heading."""
        return self._boxes[name]

    def set_idle(self, reasons: Mapping[str, tuple[str, bool]]) -> None:
        """Say which fields do nothing with the others as they are. Args: reasons: "section.field" → the reason, and whether to hide it."""
        self._idle = {name: reason for name, reason in reasons.items() if "." not in name}
        for name, control in self._controls.items():
            control.stand_aside(*self._idle.get(name, ("", False)))
        for name, section in self._sections.items():
            section.set_idle(self._below(name, reasons))
        self._count_anew()

    def follow(self) -> None:
        """Hide, from now on, what does nothing with the values as they stand: by what the fields say of themselves (`only`)."""
        def look() -> None:
            self.set_idle(dict.fromkeys(self._unused(), (OF_NO_USE, True)))

        self.on_change(look)
        look()

    def _unused(self) -> list[str]:
        """Fields that hang on others of their section which stand otherwise now."""
        unused = [name for level in self._levels.values() for name in level.names if not self._is_used(name)]
        return unused + [f"{section}.{name}" for section, form in self._sections.items() for name in form._unused()]

    def _is_used(self, name: str) -> bool:
        hangs_on = field_extra(self.cls.fields()[name], "only", {})
        known = {other: wanted for other, wanted in hangs_on.items() if other in self.cls.fields()}
        return all(bool(self.present(other)) if tuple(wanted) == SET else self.present(other) in wanted for other, wanted in known.items())

    def names(self) -> dict[str, FieldInfo]:
        """Every field with a control, also one that is not made yet: "section.field" → its declaration."""
        own = {name: self.cls.fields()[name] for level in self._levels.values() for name in level.names}
        return own | {f"{section}.{name}": field for section, form in self._sections.items() for name, field in form.names().items()}

    def narrow(self, names: Collection[str] | None) -> None:
        """Show these fields alone, wherever they are folded away; None: all as before. Args: names: "section.field"."""
        for level in self._levels.values():
            level.narrow(names)
        for beside in self._beside_fields:
            show(beside, names is None)
        for name, section in self._sections.items():
            below = None if names is None else self._below(name, dict.fromkeys(names)).keys()
            section.narrow(below)
            fold = self._section_folds.get(name)
            folded = fold is not None and not fold.is_open
            show(self._boxes[name], not folded if below is None else bool(below))

    def insert(self, *widgets: ipw.Widget) -> None:
        """Put a panel's own widgets between what is open and the folded sections."""
        open_until = len(self.view.children) - (1 if self._section_folds else 0)
        self.view.children = [*self.view.children[:open_until], *widgets, *self.view.children[open_until:]]
        self._beside_fields += widgets  # put aside with the folds while something else is looked for

    def open_folds(self) -> None:
        """Unfold everything."""
        for fold in (*self._level_folds, *self._section_folds.values()):
            fold.button.value = True
        for section in self._sections.values():
            section.open_folds()

    def _fields_by_level(self, settings: type[S] | S) -> dict[str, list[str]]:
        levels: dict[str, list[str]] = {"basic": [], "advanced": [], "expert": []}
        for name, field in self.cls.fields().items():
            kind, _ = plain_type(field.annotation)
            if name in self._hide or any(_is_settings(inner) for inner in get_args(kind)):
                continue  # a list of settings has no control; it keeps what the form was filled with
            if _is_settings(kind):
                inner_settings = kind if isinstance(settings, type) else getattr(settings, name)
                hidden = tuple(self._below(name, dict.fromkeys(self._hide)))
                self._sections[name] = Form(inner_settings, self._below(name, self._choices), hidden)
            else:
                levels[field_extra(field, "level", "basic") or "basic"].append(name)
        return levels

    @staticmethod
    def _below(section: str, names: Mapping[str, Any]) -> dict[str, Any]:
        return {name.partition(".")[2]: value for name, value in names.items() if name.startswith(f"{section}.")}

    def _fill_values(self, settings: type[S] | S) -> None:
        if isinstance(settings, type):
            self._values = {name: field.get_default(call_default_factory=True)
                            for name, field in self.cls.fields().items() if name not in self._sections and not field.is_required()}
        else:
            self._values = {name: getattr(settings, name) for name in self.cls.fields() if name not in self._sections}

    def _build(self) -> list[ipw.Widget]:
        boxes: list[ipw.Widget] = [level.box for level in self._levels.values()]
        if self._level_folds:
            at = 1 if "basic" in self._levels else 0
            boxes.insert(at, row(*(fold.button for fold in self._level_folds)))
            self._beside_fields.append(boxes[at])
        self._boxes = {name: self._section(name) for name in self._sections}
        self._section_folds = {name: self._section_fold(name) for name in self._sections if name in self._folded}
        parts = [self._wrong, *boxes, *(box for name, box in self._boxes.items() if name not in self._section_folds)]
        below = [self._boxes[name] for name in self._section_folds]
        if not below:
            return parts
        self._beside_fields.append(row(*self.folds))
        return [*parts, ipw.VBox([self._beside_fields[-1], *below]).add_class("lb-form")]

    @property
    def _level_folds(self) -> list[Fold]:
        return [level.fold for level in self._levels.values() if level.fold is not None]

    def _title(self, name: str) -> str:
        return self._sections[name].cls.title or self.cls.fields()[name].title or name.capitalize()

    def compare_with(self, usual: Settings | None) -> None:
        """Count what differs from these settings in what is folded away. Args: usual: None: the defaults."""
        self._usual = usual
        for name, section in self._sections.items():
            section.compare_with(getattr(usual, name) if usual is not None else None)
        self._count_anew()

    def _section(self, name: str) -> ipw.VBox:
        return ipw.VBox([part(self._title(name)), self._sections[name].view]).add_class("lb-form").add_class(f"lb-section-{name}")

    def _section_fold(self, name: str) -> Fold:
        fold = Fold(self._title(name), [], lambda is_open: show(self._boxes[name], is_open))
        fold.button.add_class("lb-fold-section")
        show(self._boxes[name], False)
        return fold

    def _make_control(self, name: str) -> Control:
        control = make_control(name, self.cls.fields()[name], self._choices.get(name, ()))
        if name in self._values:
            control.write(self._values[name])
        if self._at_once and isinstance(control.widget, ipw.Text):
            control.widget.continuous_update = True
        if name in self._placeholders:
            control.widget.placeholder = self._placeholders[name]
        control.widget.observe(self._changed, "value")
        control.stand_aside(*self._idle.get(name, ("", False)))
        if name in self._remarks:
            control.remark(*self._remarks[name])
        self._controls[name] = control
        return control

    def _count_anew(self) -> None:
        for level in self._levels.values():
            level.tell()

    def _count(self, level: Level) -> tuple[int, int]:
        """How many fields of a level are of use, and how many of them differ from what is usual."""
        names = [name for name in level.names if not self._idle.get(name, ("", False))[1]]
        usual = {name: self._usual_value(name) for name in names if self._usual or not self.cls.fields()[name].is_required()}
        return len(names), sum(_plain(self.present(name)) != _plain(value) for name, value in usual.items())

    def _usual_value(self, name: str) -> Any:
        return getattr(self._usual, name) if self._usual else self.cls.fields()[name].get_default(call_default_factory=True)

    def present(self, name: str) -> Any:
        """What stands in a field of this form now, right or wrong."""
        return self._controls[name].read() if name in self._controls else self._values.get(name)

    def _changed(self, change: dict[str, Any]) -> None:
        if not self._filling:
            self._tell()

    def _tell(self) -> None:
        self._count_anew()
        for listener in self._listeners:
            listener()

    def _clear(self) -> None:
        self._wrong.value = ""
        for control in self._controls.values():
            control.complain("")

    def _complain(self, error: ConfigError, values: dict[str, Any]) -> None:
        """Put each sentence under its control, and open the fold that it stands in; what belongs to no control stands above the form."""
        problems = error.__cause__.errors() if isinstance(error.__cause__, ValidationError) else []
        wrong = {str(problem["loc"][0]) for problem in problems if problem["loc"]}
        for level in self._levels.values():
            if level.fold is not None and wrong & set(level.names):
                level.fold.button.value = True
        for name in wrong & set(self._controls):
            alone = {key: value for key, value in values.items() if key not in wrong or key == name}
            self._controls[name].complain(_sentence_of(self.cls, alone))
        if not wrong or wrong - set(self._controls):
            self._wrong.value = f'<p class="lb-wrong">Needs attention: {html.escape(str(error))}</p>'


def _plain(value: Any) -> Any:
    """A value as it is compared: a control gives lists where the settings have tuples, and texts for numbers in them."""
    return [str(item) for item in value] if isinstance(value, (tuple, list)) else value


def _is_settings(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Settings)


def _sentence_of(cls: type[Settings], values: dict[str, Any]) -> str:
    try:
        cls.make(**values)
    except ConfigError as error:
        return str(error)
    return ""
