"""Files that a person takes home: as links where the notebook's server can give them, else how they are found in its file list."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from core.base.words import told_size
from core.setup.jupyter import data_folder

HOW = ("Find it in the file list at the left of JupyterLab: a press with the right mouse button on it offers Download. On a rented machine "
       "do it before you give the machine back.")
OUTSIDE = ("JupyterLab's file list does not show that folder, so it cannot be downloaded here. Copy it into {}, or fetch it as you brought "
           "the other files there. On a rented machine do it before you give the machine back.")


def download_links(paths: Sequence[Path]) -> str:
    """Links to files that are there, and how they are taken home otherwise, in HTML; empty for none."""
    there = [path for path in paths if path.is_file()]
    links = [link_to(path) for path in there]
    lines = [f"<li>{_line(path, link)}</li>" for path, link in zip(there, links, strict=True)]
    shown = _shown(os.environ)
    how = HOW if shown is None or any(links) else OUTSIDE.format(shown[0])
    return f'<ul class="lb-downloads">{"".join(lines)}</ul><p class="lb-help">{html.escape(how)}</p>' if lines else ""


def size_words(size: int) -> str:
    """A size; of a small text its bytes. Args: size: bytes."""
    return told_size(size) if size >= 1024 else f"{size} bytes"


def _line(path: Path, address: str) -> str:
    words = f"{html.escape(path.name)} ({size_words(path.stat().st_size)})"
    return f'<a href="{html.escape(address)}" download target="_blank" rel="noopener">Download {words}</a>' if address else \
        f"{words}, in {html.escape(str(path.parent))}"


def link_to(path: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Where the server that started this kernel gives a file to the browser; empty: not known, or it does not show it."""
    shown = _shown(environ)
    if shown is None or not path.resolve().is_relative_to(shown[0].resolve()):
        return ""
    inside = path.resolve().relative_to(shown[0].resolve())
    if any(part.startswith(".") for part in inside.parts):  # the server shows nothing that is hidden
        return ""
    return f"{shown[1].rstrip('/')}/files/{quote(inside.as_posix())}?download=1"


def _shown(environ: Mapping[str, str]) -> tuple[Path, str] | None:
    """The folder that the server which started this kernel shows, and its address; None: not known.

    It notes both in Jupyter's runtime folder, under its process id, which it tells the kernel (JPY_PARENT_PID).
    """
    runtime = Path(environ.get("JUPYTER_RUNTIME_DIR") or data_folder(environ) / "runtime")
    try:
        told = json.loads((runtime / f"jpserver-{int(environ.get('JPY_PARENT_PID') or os.getppid())}.json").read_text(encoding="utf-8"))
        return Path(told["root_dir"]), str(told["base_url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
