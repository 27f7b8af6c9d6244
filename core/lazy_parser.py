"""A command of the command line whose flags are made when it is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any


class LazyParser(argparse.ArgumentParser):
    """The settings of all commands take half a second to be loaded, and each call needs those of one."""

    _later: Callable[[], None] | None = None

    def later(self, make: Callable[[], None]) -> None:
        """Call `make`, which adds the flags, before they are first looked at."""
        self._later = make

    def parse_known_args(self, *given: Any, **named: Any) -> Any:
        """As its base class's."""
        self._make()
        return super().parse_known_args(*given, **named)

    def format_help(self) -> str:
        """As its base class's."""
        self._make()
        return super().format_help()

    def _make(self) -> None:
        make, self._later = self._later, None
        if make is not None:
            make()
