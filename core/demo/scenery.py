"""Backgrounds of the drawn world."""

from __future__ import annotations

from random import Random

from core.demo.palette import BACKGROUND, mix
from core.demo.pen import Pen


def draw_background(pen: Pen, tag: str, rng: Random) -> None:
    """Fill the 64 x 64 field with the background that the tag names."""
    scenes = {
        "outdoors": draw_outdoors, "night sky": draw_night, "sunset": draw_sunset, "snow": draw_snow,
        "checkered background": draw_checks, "polka dot background": draw_dots,
    }
    if tag in scenes:
        scenes[tag](pen, rng)
    else:
        pen.box(0, 0, 64, 64, BACKGROUND[tag.split()[0]])


def draw_outdoors(pen: Pen, rng: Random) -> None:
    """Blue sky, two clouds, a green hill."""
    pen.box(0, 0, 64, 64, (142, 206, 250))
    for x in (rng.uniform(0, 8), rng.uniform(44, 52)):
        y = rng.uniform(6, 16)
        pen.oval(x, y, 5, 3, (252, 252, 255))
        pen.oval(x + 5, y + 1, 6, 3.4, (252, 252, 255))
    pen.oval(rng.uniform(12, 52), 74, 62, 26, (108, 192, 92))


def draw_night(pen: Pen, rng: Random) -> None:
    """Dark sky with a moon in the right corner and stars."""
    pen.box(0, 0, 64, 64, (38, 42, 92))
    pen.oval(54, 10, 6, 6, (252, 244, 190))
    for _ in range(12):
        pen.oval(rng.uniform(1, 63), rng.uniform(1, 60), 0.9, 0.9, (250, 246, 210))


def draw_sunset(pen: Pen, rng: Random) -> None:
    """Bands from violet to yellow, a low sun, a dark sea."""
    for row in range(48):
        pen.box(0, row, 64, row + 1.2, mix((214, 110, 150), (255, 214, 120), row / 47))
    pen.oval(rng.choice((10, 54)), 44, 8, 8, (255, 246, 190))
    pen.box(0, 48, 64, 64, (128, 90, 150))


def draw_snow(pen: Pen, rng: Random) -> None:
    """Grey-blue sky, white ground, flakes."""
    pen.box(0, 0, 64, 64, (164, 188, 212))
    pen.oval(rng.uniform(16, 48), 76, 64, 26, (246, 249, 253))
    for _ in range(12):
        pen.oval(rng.uniform(1, 63), rng.uniform(1, 48), 1.3, 1.3, (255, 255, 255))


def draw_checks(pen: Pen, rng: Random) -> None:
    """Squares of 8 units, pale and white."""
    colour = rng.choice([BACKGROUND[word] for word in ("blue", "pink", "green", "yellow", "purple")])
    pen.box(0, 0, 64, 64, (252, 252, 252))
    for row in range(8):
        for column in range(row % 2, 8, 2):
            pen.box(column * 8, row * 8, column * 8 + 8, row * 8 + 8, colour)


def draw_dots(pen: Pen, rng: Random) -> None:
    """White dots on a pale colour."""
    pen.box(0, 0, 64, 64, rng.choice([BACKGROUND[word] for word in ("blue", "pink", "green", "yellow", "purple")]))
    for row in range(5):
        for column in range(5):
            pen.oval(column * 16 + 8 * (row % 2), row * 16, 3, 3, (255, 255, 255))
