"""One stylesheet for every panel; its rules stand in style.css."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import ipywidgets as ipw


@cache
def style_rules() -> str:
    """The content of style.css."""
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


def stylesheet() -> ipw.HTML:
    """The stylesheet as an invisible widget; each panel carries its own, so that any cell may be shown alone."""
    return ipw.HTML(f"<style>{style_rules()}</style>", layout=ipw.Layout(display="none"))
