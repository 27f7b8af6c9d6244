"""Contact sheets: small pictures with their names, on pages of bounded size, one page in memory at a time."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import StudioError
from core.base.progress import Progress
from core.dataset.export.writing import Writer, Written
from core.dataset.images.opening import open_rgb
from core.dataset.parallel import bounded_map

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

COLUMNS, ROWS = 8, 8
SIDE, LINE, GAP = 160, 18, 8
"""Pixels: a small picture's longest side, the line below it, the space between."""
MOST_PAGES = 20
"""Of more pictures than fit on them, some are shown, evenly chosen."""
LETTERS = 24
"""Of a name."""
BACKGROUND, INK, EMPTY = (250, 250, 248), (40, 40, 40), (215, 215, 212)


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture on a page."""

    path: Path
    words: str
    mark: str
    """Names the file's content."""


def sheet_name(page: int, pages: int) -> str:
    """"contact_sheet.png", or "contact_sheet_03.png" where there are several."""
    return "contact_sheet.png" if pages == 1 else f"contact_sheet_{page + 1:02}.png"


def choose(shown: Sequence[Shown]) -> list[Sequence[Shown]]:
    """The pictures of each page."""
    room = COLUMNS * ROWS * MOST_PAGES
    if len(shown) > room:
        shown = [shown[number * len(shown) // room] for number in range(room)]
    return [shown[first:first + COLUMNS * ROWS] for first in range(0, len(shown), COLUMNS * ROWS)]


def write_sheets(writer: Writer, shown: Sequence[Shown], progress: Progress) -> list[Written]:
    """Write the pages that are not there yet. Raises: DiskError, Cancelled."""
    pages, written = choose(shown), []
    progress.start("Drawing contact sheets", sum(map(len, pages)))
    for number, page in enumerate(pages):
        key = hashlib.sha256("\n".join(f"{one.words}\t{one.mark}" for one in page).encode("utf-8", "replace")).hexdigest()
        name = sheet_name(number, len(pages))
        written.append(writer.put(name, f"sheet:{number}", key, lambda page=page: draw_sheet(page, progress)))  # type: ignore[misc]
        progress.done = min(progress.total, (number + 1) * COLUMNS * ROWS)
    return written


def draw_sheet(page: Sequence[Shown], progress: Progress) -> bytes:
    """A page as a PNG. A picture that cannot be opened leaves its place empty. Raises: Cancelled."""
    from PIL import Image, ImageDraw, ImageFont

    columns = min(COLUMNS, len(page))
    rows = -(-len(page) // columns)
    sheet = Image.new("RGB", (columns * (SIDE + GAP) + GAP, rows * (SIDE + LINE + GAP) + GAP), BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    with closing(bounded_map(_small, page)) as smalls:
        for number, (one, small) in enumerate(smalls):
            left = GAP + number % columns * (SIDE + GAP)
            top = GAP + number // columns * (SIDE + LINE + GAP)
            if isinstance(small, StudioError):
                draw.rectangle((left, top, left + SIDE, top + SIDE), fill=EMPTY)
            else:
                sheet.paste(small, (left + (SIDE - small.width) // 2, top + (SIDE - small.height) // 2))
            draw.text((left, top + SIDE + 2), _short(one.words, font), fill=INK, font=font)
            progress.advance(one.words)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _short(words: str, font: object) -> str:
    """As much of a name as fits below its picture."""
    text = words if len(words) <= LETTERS else f"{words[:LETTERS - 1]}…"
    while len(text) > 1 and font.getlength(text) > SIDE:  # type: ignore[attr-defined]
        text = f"{text[:-2]}…"
    return text


def _small(one: Shown) -> Picture:
    image = open_rgb(one.path, at_least=SIDE * 2)
    image.thumbnail((SIDE, SIDE), reducing_gap=2.0)
    return image
