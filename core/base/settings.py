"""Settings: declared once, read by the form, the command line, the TOML writer, the checks and the docs."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args, get_origin

import pydantic
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from typing_extensions import Self

from core.base.errors import ConfigError

Level = Literal["basic", "advanced", "expert"]
KINDS = {"int_": "a whole number", "float_": "a number", "finite_number": "a number", "bool_": "on or off (true or false)",
         "string_type": "text", "list_type": "a list"}
"""What a value must be, by the beginning of pydantic's name for what is wrong with it."""
SET = ("set",)
"""Of a setting on which another hangs: any value but empty, 0 and off."""
SEVERAL = ("several",)
"""Of a number on which another setting hangs: more than 1."""


def setting(default: Any, title: str, help: str = "", *, level: Level = "basic", unit: str = "", source: str = "",
            cli: tuple[str, ...] = (), also: tuple[str, ...] = (), only: Mapping[str, Collection[Any]] | None = None, **bounds: Any) -> Any:
    """One field of a settings class.

    Args:
        default: its value when nothing is said; `...` where one must be given.
        title: the label on screen.
        help: one or two plain sentences.
        level: where the form shows it.
        unit: "steps", "px", "GiB" …
        source: where the default or the meaning comes from.
        cli: other flag names that the command line accepts.
        also: other names under which it is known, and looked for.
        only: other settings on which it hangs, by name: with which of their values it is used; `SET`: with any but empty, 0 and off;
            `SEVERAL`: with more than 1.
        bounds: pydantic's ge, gt, le, lt, min_length, pattern …
    """
    extra: dict[str, Any] = {"level": level, "unit": unit, "source": source, "cli": list(cli), "also": list(also),
                             "only": {name: list(values) for name, values in (only or {}).items()}}
    if isinstance(default, (list, dict)):
        return pydantic.Field(default_factory=lambda: default.copy(), title=title, description=help, json_schema_extra=extra, **bounds)
    return pydantic.Field(default, title=title, description=help, json_schema_extra=extra, **bounds)


CONTAINERS = (list, tuple, set, frozenset)
"""Types of fields that take several values."""


class Settings(BaseModel):
    """Base of every settings class: frozen, unknown names refused, errors in words."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
    title: ClassVar[str] = ""

    @classmethod
    def make(cls, **values: Any) -> Self:
        """Build from named values.

        Raises: ConfigError: one sentence per wrong value, with the field's title, the value and the bounds.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError(" ".join(_sentence(cls, dict(problem)) for problem in error.errors())) from error

    def changed(self, **values: Any) -> Self:
        """A copy with some values replaced, checked again. Raises: ConfigError."""
        return type(self).make(**{**dict(self), **values})

    def to_keep(self) -> Settings:
        """What may be written down for good: the same, without secrets."""
        return self

    @classmethod
    def fields(cls) -> dict[str, FieldInfo]:
        """Name to pydantic FieldInfo, in the order declared."""
        return dict(cls.model_fields)


def field_extra(field: FieldInfo, key: str, default: Any = "") -> Any:
    """What `setting` stored beside a field: level, unit, source, cli, also, only."""
    extra = field.json_schema_extra
    return extra.get(key, default) if isinstance(extra, dict) else default


def unused(settings: Settings) -> dict[str, str]:
    """Fields that do nothing with the others as they are, by what they hang on (`only`): name → the reason."""
    found = {}
    for name, field in type(settings).fields().items():
        for other, wanted in field_extra(field, "only", {}).items():
            value, title = getattr(settings, other), type(settings).fields()[other].title
            if not (value if tuple(wanted) == SET else value in wanted):
                found[name] = f"It acts only {'where' if tuple(wanted) == SET else 'with another'} {title!r}" \
                              f"{' is set' if tuple(wanted) == SET else ''}."
    return found


def choices_of(field: FieldInfo) -> tuple[Any, ...]:
    """The values of a Literal field (also inside an optional one), else (). Several at once: `many_of`."""
    annotation = field.annotation
    members = () if get_origin(annotation) in CONTAINERS else get_args(annotation)
    for candidate in (annotation, *members):
        if get_origin(candidate) is Literal:
            return get_args(candidate)
    return ()


def many_of(field: FieldInfo) -> tuple[Any, ...]:
    """The values of a field that takes several of them (a list or tuple of a Literal), else ()."""
    if get_origin(field.annotation) in CONTAINERS:
        for member in get_args(field.annotation):
            if get_origin(member) is Literal:
                return get_args(member)
    return ()


def _sentence(cls: type[Settings], problem: dict[str, Any]) -> str:
    """One pydantic problem as a sentence that names the field, the value and the remedy."""
    place = ".".join(str(part) for part in problem["loc"])
    name = str(problem["loc"][0]) if problem["loc"] else ""
    value, kind, context = problem.get("input"), problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(name, cls.model_fields, n=1)
        return f"{cls.__name__} has no setting {place!r}." + (f" Did you mean {near[0]!r}?" if near else "")
    field = cls.model_fields.get(name)
    label = _label(field, problem["loc"]) or cls.__name__
    if kind == "missing":
        return f"{label} must be given{_example(field) if field is not None else ''}."
    if kind == "value_error":
        return str(context.get("error", problem["msg"]))
    limits = {"greater_than_equal": ("at least", "ge"), "greater_than": ("more than", "gt"),
              "less_than_equal": ("at most", "le"), "less_than": ("less than", "lt")}
    if kind in limits:
        words, key = limits[kind]
        return f"{label} must be {words} {context[key]}, but is {value!r}."
    if kind == "literal_error":
        return f"{label} must be one of {context['expected']}, but is {value!r}."
    if wanted := next((words for start, words in KINDS.items() if kind.startswith(start)), ""):
        example = _example(field) if field is not None and len(problem["loc"]) == 1 else ""
        return f"{label} must be {wanted}{example}, but is {'empty' if value in (None, '') else repr(value)}."
    return f"{label} is {value!r}: {problem['msg'][:1].lower()}{problem['msg'][1:]}."


def _label(field: FieldInfo | None, place: Sequence[Any]) -> str:
    """The field's title on screen, else its name; inside a list or table also where."""
    inside = ".".join(str(part) for part in place[1:])
    name = str(place[0]) if place else ""
    title = (field.title if field is not None else "") or name
    return f"{title} ({inside})" if inside else title


def _example(field: FieldInfo) -> str:
    """", such as 10": the field's own example, else its default, else its least value; empty where it has none."""
    least = next((bound.ge for bound in field.metadata if getattr(bound, "ge", None) is not None), None)
    values = [*(field.examples or []), field.default, least]
    value = next((value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)), None)
    return "" if value is None else f", such as {value if isinstance(value, int) else format(value, 'g')}"
