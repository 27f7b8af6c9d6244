"""The pieces of a report as HTML: tables, the loss plot, pictures. Every text is escaped, nothing is fetched."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

KIND = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
SMALL = 120_000
"""Bytes up to which a picture is embedded as it is."""
FEW, TABLE = 16, 6_000_000
"""Pictures of a table that are embedded large, and about how many bytes more of them take together."""

STYLE = """
:root { color-scheme: light dark; --paper: #fdfdfc; --ink: #23232a; --soft: #6a6a75; --line: #dcdce2; --card: #f4f4f6; --mark: #1f6feb; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #17171b; --ink: #e8e8ec; --soft: #a0a0ac; --line: #35353e; --card: #212127; --mark: #79b0ff; }
}
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1100px;
  padding: 1.5rem; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
p.state { color: var(--soft); margin: 0 0 1rem; }
.cause { border-left: 4px solid #d1242f; background: var(--card); padding: .6rem 1rem; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; vertical-align: top; }
tr + tr { border-top: 1px solid var(--line); }
th { font-weight: 600; }
td.value { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; white-space: pre-line; }
.scroll { overflow-x: auto; }
.pictures td, .pictures th { padding: .2rem; text-align: center; }
.pictures th.row { text-align: left; min-width: 7rem; max-width: 14rem; padding-right: .8rem; }
img { display: block; max-width: 256px; border-radius: 4px; }
img.small { width: 128px; image-rendering: pixelated; }
label.large { display: block; margin: .8rem 0; }
label.large input { position: absolute; opacity: 0; }
label.large span { display: block; cursor: zoom-in; }
label.large input:focus-visible + span { outline: 3px solid var(--mark); outline-offset: 3px; }
img.large { width: 100%; max-width: 100%; height: auto; }
label.large input:checked + span { position: fixed; inset: 0; z-index: 1; overflow: auto; background: var(--paper); cursor: zoom-out; }
label.large input:checked + span img { width: auto; max-width: none; margin: auto; border-radius: 0; }
@media print { label.large input:checked + span { position: static; } label.large input:checked + span img { width: 100%; } }
.thumbs { display: flex; flex-wrap: wrap; gap: 6px; margin-top: .8rem; }
.thumbs img { height: 96px; width: auto; }
details { margin: .5rem 0; }
summary { cursor: pointer; font-weight: 600; }
pre { background: var(--card); padding: .8rem; overflow-x: auto; font-size: .8rem; }
code { font-size: .85rem; overflow-wrap: anywhere; }
svg { width: 100%; height: auto; max-width: 760px; font: 12px system-ui, sans-serif; }
svg text { fill: var(--soft); }
svg .grid { stroke: var(--line); }
svg .raw { stroke: var(--soft); opacity: .45; fill: none; }
svg .line { stroke: currentColor; fill: none; stroke-width: 2; }
svg circle.line { fill: currentColor; }
.line0 { color: var(--mark); } .line1 { color: #c2571a; } .line2 { color: #6a8d1f; } .line3 { color: #9250b5; } .line4 { color: #0f8a80; }
.line5 { color: #b8860b; }
svg .line2 { stroke-dasharray: 7 4; } svg .line3 { stroke-dasharray: 2 3; } svg .line4 { stroke-dasharray: 9 3 2 3; }
svg .line5 { stroke-dasharray: 1 4; }
figure { margin: 0 0 1rem; overflow-x: auto; } figure svg { min-width: 480px; } figcaption { color: var(--soft); }
.legend { display: flex; flex-wrap: wrap; gap: 0 1.2rem; }
.legend span { display: inline-flex; align-items: center; gap: .4rem; }
.legend i { display: inline-block; width: 22px; border-top: 3px solid currentColor; } .legend .raw i { border-top-width: 1px; }
.pictures td.words { text-align: left; padding-bottom: .9rem; }
.pictures td.words div { position: sticky; left: 0; width: max-content; max-width: min(80ch, 90vw); }
pre .error { color: #d1242f; } pre .warning { color: #b26a00; }
"""


def escape(value: object) -> str:
    """Text for HTML, also inside attributes."""
    return html.escape(str(value), quote=True)


def page(title: str, body: Iterable[str]) -> str:
    """A whole document that needs nothing from outside; its policy forbids a browser to fetch or run anything."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n</head>\n<body>\n'
            + "\n".join(part for part in body if part) + "\n</body>\n</html>\n")


def table(rows: Iterable[tuple[object, object]]) -> str:
    """Two columns: name and value."""
    lines = [f'<tr><th scope="row">{escape(name)}</th><td class="value">{escape(value)}</td></tr>' for name, value in rows]
    return f"<table>{''.join(lines)}</table>" if lines else ""


def picture(path: Path, alt: str, longest: int = 512, kind: str = "", most: int = 8 * SMALL) -> str:
    """An image tag with the picture inside; one that cannot be read becomes its name.

    Args:
        longest: px; larger pictures are embedded smaller, as JPEG.
        kind: CSS class; chosen by size when empty.
        most: bytes up to which one that is no longer than that is embedded as it is.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            size, is_small = max(image.size), max(image.size) <= 128
            mime = KIND.get(path.suffix.lower(), "")
            if not mime or (len(data) > SMALL and size > longest) or len(data) > most:
                smaller, buffer = image.convert("RGB"), io.BytesIO()
                smaller.thumbnail((longest, longest))
                smaller.save(buffer, "JPEG", quality=88)
                data, mime = buffer.getvalue(), "image/jpeg"
    except (OSError, UnidentifiedImageError, ValueError):
        return f"<em>{escape(path.name)} cannot be shown</em>"
    name = kind or ("small" if is_small else "")
    return f'<img{f" class={name}" if name else ""} alt="{escape(alt)}" src="data:{mime};base64,{base64.b64encode(data).decode()}">'


def large_picture(path: Path, alt: str, longest: int = 2400) -> str:
    """A picture as wide as the page; pressed (a click, or Tab and Space) it is shown in its own size, and pressed again as before.

    It is a check box and no link: a browser opens no picture that is inside the page in a tab of its own, and the page runs no script.
    """
    shown = picture(path, alt, longest, "large")
    if not shown.startswith("<img"):
        return shown
    box = f'<input type="checkbox" aria-label="{escape(alt)}: full size">'
    return f'<label class="large" title="Press for full size, press again to come back">{box}<span>{shown}</span></label>'


def picture_table(columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Path | None]]], below: bool = False) -> str:
    """Pictures under the headings of their columns.

    Args:
        rows: label and one picture per column, None where there is none.
        below: the label stands under the pictures of its row, and not before them.
    """
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    lines, count = [], sum(1 for _, paths in rows for path in paths if path)
    longest, most = (512, 8 * SMALL) if count <= FEW else (320, max(SMALL // 4, TABLE // count))
    for label, paths in rows:
        shown = [picture(path, f"{label}, {column}", longest, most=most) if path else ""
                 for path, column in zip(paths, columns, strict=True)]
        cells = "".join(f"<td>{one}</td>" for one in shown)
        if below:
            lines.append(f'<tr>{cells}</tr><tr><td class="words" colspan="{len(columns)}"><div>{escape(label)}</div></td></tr>')
        else:
            lines.append(f'<tr><th scope="row" class="row">{escape(label)}</th>{cells}</tr>')
    corner = "" if below else "<td></td>"
    return f'<div class="scroll"><table class="pictures"><tr>{corner}{head}</tr>{"".join(lines)}</table></div>'
