"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """"1 picture", "2 pictures". Args: thing: one of them; several have an s."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
