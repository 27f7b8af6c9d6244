"""A labelled sheet of pictures: one column per LoRA file, one row per prompt and seed."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

SMALLEST, LARGEST = 192, 512
"""Sides of a cell, px: small pictures are shown a whole number of times larger, large ones smaller."""
WIDEST = 8000
"""Width of a sheet, px."""
_GAP, _MARGIN, _INK, _PAPER, _TEXT = 8, 220, (30, 30, 34), (250, 250, 250), 15


def draw_sheet(columns: list[list[Image]], titles: list[str], rows: list[str]) -> Image:
    """One picture with all of them.

    Args:
        columns: pictures of one size, top to bottom, each column as long as `rows`.
        titles: over each column.
        rows: left of each row; line breaks are kept.
    Returns: RGB.
    """
    from PIL import Image as images
    from PIL import ImageDraw, ImageFont

    width, height = cell_size(*columns[0][0].size, len(columns))
    font, head = ImageFont.load_default(size=_TEXT), 34
    sheet = images.new("RGB", (_MARGIN + len(columns) * (width + _GAP) + _GAP, head + len(rows) * (height + _GAP) + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    grows = width >= columns[0][0].width
    for place, (title, pictures) in enumerate(zip(titles, columns, strict=True)):
        left = _MARGIN + _GAP + place * (width + _GAP)
        pen.text((left + width / 2, head / 2), title[: width // 8], fill=_INK, font=font, anchor="mm")
        for row, picture in enumerate(pictures):
            # Nearest keeps each pixel of a small picture as it is; large ones are made smaller smoothly.
            scaled = picture.convert("RGB").resize((width, height), images.Resampling.NEAREST if grows else images.Resampling.LANCZOS)
            sheet.paste(scaled, (left, head + row * (height + _GAP)))
    for row, text in enumerate(rows):
        lines = [line for part in text.splitlines() for line in textwrap.wrap(part, 26) or [""]][: max(1, height // 20)]
        pen.multiline_text((_GAP, head + row * (height + _GAP)), "\n".join(lines), fill=_INK, font=font, spacing=4)
    return sheet


def cell_size(width: int, height: int, columns: int) -> tuple[int, int]:
    """Width and height of a cell, px."""
    longest = max(width, height)
    if longest < SMALLEST:
        times = -(-SMALLEST // longest)
        return width * times, height * times
    most = min(LARGEST, (WIDEST - _MARGIN) // columns - _GAP)
    scale = min(1.0, most / longest)
    return max(1, round(width * scale)), max(1, round(height * scale))
