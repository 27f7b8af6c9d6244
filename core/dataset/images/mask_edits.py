"""A mask drawn by hand: a list of operations, as the canvas sends them, drawn exactly; undo leaves out the last.

    operations = read_operations('[{"op": "rectangle", "from": [10, 10], "to": [200, 120]}, {"op": "feather", "pixels": 6}]')
    mask = draw((4000, 6000), operations)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from core.base.errors import ConfigError
from core.dataset.images.mask_operations import Operation, Size, Sources
from core.dataset.images.masks import empty_mask

if TYPE_CHECKING:
    from core.dataset.images.masks import Mask

MOST_OPERATIONS = 5_000
KEPT = 6
"""Masks that a drawing keeps, of one byte for each pixel."""
_LIST: TypeAdapter[tuple[Operation, ...]] = TypeAdapter(Annotated[tuple[Operation, ...], Field(max_length=MOST_OPERATIONS)])


def read_operations(values: str | Sequence[Any]) -> tuple[Operation, ...]:
    """Operations from JSON, or from its values. Raises: ConfigError: the first that is wrong, with its place and what is wrong with it."""
    try:
        return _LIST.validate_json(values) if isinstance(values, str) else _LIST.validate_python(tuple(values))
    except ValidationError as error:
        raise ConfigError(_sentence(dict(error.errors()[0]))) from error


def as_values(operations: Sequence[Operation]) -> list[dict[str, Any]]:
    """Fit for JSON, and read again by `read_operations`."""
    return [one.model_dump(mode="json", by_alias=True) for one in operations]


def digest_of(operations: Sequence[Operation]) -> str:
    """Names exactly these operations."""
    return hashlib.sha256(json.dumps(as_values(operations), sort_keys=True).encode()).hexdigest()[:16]


def draw(size: Size, operations: Sequence[Operation], sources: Sources | None = None) -> Mask:
    """The mask that they make, one after the other, beginning with nothing. Args: size: width and height of the picture, px.

    Raises: DatasetError, ModelError, ConfigError: a mask of a model cannot be had.
    """
    return _further(empty_mask(size), operations, sources or Sources())


class Drawing:
    """Draws a list that grows or shrinks at its end: the last masks are kept, so that one more operation is drawn alone.

    Args: size: width and height of the picture, px.
    """

    def __init__(self, size: Size, sources: Sources | None = None) -> None:
        self.size, self._sources = size, sources or Sources()
        self._kept: list[tuple[tuple[Operation, ...], Mask]] = []

    def draw(self, operations: Sequence[Operation]) -> Mask:
        """As `draw`; the mask must not be changed."""
        wanted = tuple(operations)
        begun, mask = max((kept for kept in self._kept if wanted[:len(kept[0])] == kept[0]), key=lambda kept: len(kept[0]),
                          default=((), None))
        if mask is not None and begun == wanted:
            return mask
        before = wanted[:-1]
        steady = mask if mask is not None and begun == before else self._from(begun, mask, before)
        made = _further(steady.copy(), wanted[-1:], self._sources)
        self._kept = [*(kept for kept in self._kept if kept[0] != before), (before, steady), (wanted, made)][-KEPT:]
        return made

    def _from(self, begun: tuple[Operation, ...], mask: Mask | None, wanted: tuple[Operation, ...]) -> Mask:
        return _further(empty_mask(self.size) if mask is None else mask.copy(), wanted[len(begun):], self._sources)


def _further(mask: Mask, operations: Sequence[Operation], sources: Sources) -> Mask:
    for operation in operations:
        mask = operation.apply(mask, sources)
    return mask


def _sentence(problem: dict[str, Any]) -> str:
    """What is wrong with one of the operations."""
    place, value = problem["loc"], problem.get("input")
    where = f"Operation {place[0] + 1}" if place and isinstance(place[0], int) else "The list of operations"
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        known = problem["ctx"].get("expected_tags", "'stroke', 'rectangle' …")
        called = value.get("op") if isinstance(value, dict) else value
        return f"{where} is called {called!r}. Known: {known}."
    name = ".".join(str(part) for part in place[2:])
    shown = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}…"
    reason = problem["msg"][:1].lower() + problem["msg"][1:]
    return f"{where}{f' ({place[1]})' if len(place) > 1 else ''}: {f'{name} is {shown}: ' if name else ''}{reason}."
