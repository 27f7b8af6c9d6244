"""A component's JavaScript as one module: a notebook loads it from memory, where a relative import finds nothing."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
PARTS = {
    "block_weights": ("elements",),
    "canvas": ("elements", *(f"canvas/{name}" for name in ("view", "box", "telling", "layers", "mask", "marks", "tools", "pointers", "keys",
                                                           "slider", "bar"))),
    "cards": ("elements", "difference"),
    "changes": ("elements", "difference"),
    "copy_table": ("elements",),
    "gallery": ("elements", "selection", "grid", "chips", "undo", "drafts", "editor_parts", "editor"),
    "histogram": ("elements",),
    "matrix": ("elements",),
    "press_table": ("elements",),
    "review": ("elements",),
    "strip": ("elements", "selection", "grid"),
    "tag_bars": ("elements",),
    "upload": ("elements", "sha256", "picking", "sending"),
}
"""Component to the files of parts/ that stand before it, in order; one that is not named stands alone."""


def module_text(component: str) -> str:
    """The text of the module: its parts, then `<component>.js`."""
    files = [*(HERE / "parts" / f"{name}.js" for name in PARTS.get(component, ())), HERE / f"{component}.js"]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)
