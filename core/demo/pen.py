"""The pen that draws the world: shapes in units of a field of 64 x 64, at any size in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from core.demo.palette import Colour

SIZE = 64


class Pen:
    """Shapes in units of the 64 x 64 field, moved and scaled with the character."""

    def __init__(self, image: Image.Image) -> None:
        self.draw = ImageDraw.Draw(image)
        self.pixels = image.width / SIZE
        self.x = self.y = 0.0
        self.zoom = 1.0

    def place(self, x: float, y: float, zoom: float) -> None:
        """From now on (0, 0) is this point and lengths grow by zoom."""
        self.x, self.y, self.zoom = x, y, zoom

    def point(self, x: float, y: float) -> tuple[float, float]:
        return (self.x + x * self.zoom) * self.pixels, (self.y + y * self.zoom) * self.pixels

    def width(self, units: float) -> int:
        return max(1, round(units * self.zoom * self.pixels))

    def box(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        self.draw.rectangle([self.point(left, top), self.point(right, bottom)], fill=fill)

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Colour | None, line: Colour | None = None, thick: float = 1.0) -> None:
        """An ellipse around (x, y); the line lies inside its edge."""
        box = [self.point(x - rx, y - ry), self.point(x + rx, y + ry)]
        self.draw.ellipse(box, fill=fill, outline=line, width=self.width(thick) if line else 1)

    def shape(self, points: Sequence[tuple[float, float]], fill: Colour, line: Colour | None = None, thick: float = 1.0) -> None:
        """A closed polygon with rounded joints."""
        corners = [self.point(*point) for point in points]
        self.draw.polygon(corners, fill=fill)
        if line:
            self.draw.line([*corners, *corners[:2]], fill=line, width=self.width(thick), joint="curve")

    def stroke(self, points: Sequence[tuple[float, float]], colour: Colour, thick: float) -> None:
        """An open line with round ends."""
        corners = [self.point(*point) for point in points]
        self.draw.line(corners, fill=colour, width=self.width(thick), joint="curve")
        radius = self.width(thick) / 2
        for x, y in (corners[0], corners[-1]):
            self.draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)

    def arc(self, x: float, y: float, rx: float, ry: float, start: float, end: float, colour: Colour, thick: float) -> None:
        """Part of an ellipse, degrees clockwise from three o'clock."""
        steps = [math.radians(start + (end - start) * i / 12) for i in range(13)]
        self.stroke([(x + rx * math.cos(a), y + ry * math.sin(a)) for a in steps], colour, thick)
