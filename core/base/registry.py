"""Named choices (taggers, backends, model families, sources): listed in one place, loaded late."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from core.base.errors import ConfigError, MissingDependency

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """One choice of a registry."""

    name: str
    """Saved in settings and never changed."""
    target: str
    """Where it lives: "package.module:attribute"; imported only when it is used."""
    title: str
    """Shown to a person."""
    source: str = ""
    """Address of the model or the paper."""
    needs: tuple[str, ...] = ()
    """Import names of the packages that it needs."""
    licence: str = ""
    extra: str = ""
    """The group of packages that brings what it needs (requirements-EXTRA.txt); empty: requirements.txt."""
    note: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    """Facts about this entry that its target reads (sizes, thresholds, file names)."""

    def missing(self) -> tuple[str, ...]:
        """Needed packages that this environment lacks."""
        return tuple(name for name in self.needs if importlib.util.find_spec(name) is None)


class Registry(Generic[T]):
    """Entries by name, in the order given.

    Args:
        kind: what the entries are, in the singular, for messages: "tagger".
        entries: the choices.
    """

    def __init__(self, kind: str, *entries: Entry) -> None:
        self.kind = kind
        self._entries = {entry.name: entry for entry in entries}
        if len(self._entries) != len(entries):
            raise ValueError(f"Two {kind} entries share one name.")

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def names(self) -> tuple[str, ...]:
        """Every name, in order."""
        return tuple(self._entries)

    def entry(self, name: str) -> Entry:
        """Raises: ConfigError: no entry has that name."""
        if name not in self._entries:
            raise ConfigError(f"No {self.kind} is called {name!r}.", f"Known: {', '.join(self._entries)}.")
        return self._entries[name]

    def load(self, name: str) -> T:
        """Import and return the entry's target.

        Raises:
            ConfigError: no entry has that name.
            MissingDependency: a package that it needs is not installed.
        """
        entry = self.entry(name)
        if missing := entry.missing():
            raise MissingDependency(f"The {self.kind} {entry.title!r} needs {', '.join(missing)}.",
                                    "Run: python3 installer.py" + (f" --with {entry.extra}" if entry.extra else ""))
        module, _, attribute = entry.target.partition(":")
        return getattr(importlib.import_module(module), attribute)
