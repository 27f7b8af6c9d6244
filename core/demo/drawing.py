"""Draws a `Spec`: outlined chibi characters on a field of 64 x 64 units, at any size in pixels."""

from __future__ import annotations

import math
from random import Random

from PIL import Image

from core.demo.palette import CLOTH, EYES, GOLD, HAIR, LINE, SCARF_GREEN, SKIN, Colour, mix, outline, shade
from core.demo.pen import SIZE, Pen
from core.demo.scenery import draw_background
from core.demo.world import Spec

SUPERSAMPLING = 4
WHITE = (255, 255, 255)
MARK_COLOURS = {"red": (228, 40, 60), "blue": (50, 120, 240), "pink": (250, 96, 160), "purple": (160, 60, 220), "gold": GOLD}


def draw(spec: Spec, seed: int, size: int = SIZE) -> Image.Image:
    """Draw one picture.

    Args:
        spec: what it shows.
        seed: decides position, scale and the background's chance details; the same seed gives the same picture.
        size: edge in pixels; 64 is what the model learns.

    Returns:
        RGB, size x size.
    """
    rng = Random(seed)
    canvas = Image.new("RGB", (size * SUPERSAMPLING, size * SUPERSAMPLING))
    pen = Pen(canvas)
    draw_background(pen, spec.background, rng)
    pen.place(32 + rng.uniform(-2.5, 2.5), 31 + rng.uniform(-1.2, 1.2), rng.uniform(0.95, 1.03))
    draw_character(pen, spec)
    return canvas.resize((size, size), Image.Resampling.BOX)


def draw_character(pen: Pen, spec: Spec) -> None:
    """The character from back to front; (0, 0) is the middle of the head."""
    hair = HAIR[spec.hair.split()[0]]
    draw_back_hair(pen, spec.style, hair)
    if spec.neck and spec.neck.endswith("cape"):
        draw_cape(pen, CLOTH[spec.neck.split()[0]])
    draw_body(pen, spec)
    draw_neckwear(pen, spec.neck)
    draw_ears(pen, spec.ears, hair)
    pen.oval(0, 0, 16.5, 15, SKIN, outline(SKIN))
    draw_face(pen, spec)
    draw_fringe(pen, hair)
    draw_mark(pen, spec.mark)
    draw_headgear(pen, spec.head)


def draw_back_hair(pen: Pen, style: str, hair: Colour) -> None:
    """What of the hair lies behind head and body."""
    back, line = shade(hair), outline(hair)
    if style == "long hair":
        pen.shape([(-18, -4), (18, -4), (21, 28), (15, 32), (-15, 32), (-21, 28)], back, line)
    elif style == "twintails":
        for side in (-1, 1):
            pen.shape([(side * 13, -8), (side * 22, -7), (side * 28, 6), (side * 27, 20), (side * 23, 27), (side * 19, 14)], hair, line)
            pen.oval(side * 16, -7, 3, 3, (226, 60, 80), outline((226, 60, 80)))
    elif style == "ponytail":
        pen.shape([(6, -16), (18, -18), (27, -8), (29, 8), (26, 24), (21, 12), (14, -2)], hair, line)
    elif style == "hair bun":
        for side in (-1, 1):
            pen.oval(side * 13, -16, 7, 7, hair, line)
    pen.oval(0, -1, 18, 17, back, line)


def draw_cape(pen: Pen, colour: Colour) -> None:
    pen.shape([(-9, 13), (9, 13), (23, 36), (-23, 36)], shade(colour), outline(colour))


def draw_body(pen: Pen, spec: Spec) -> None:
    """Neck, garment, arms; one hand is up where the pose says so."""
    word, garment = spec.clothes.split()
    cloth = CLOTH[word]
    line = outline(cloth)
    arms = {-1: [(-9, 18), (-15, 28), (-14, 33)], 1: [(9, 18), (15, 28), (14, 33)]}
    if spec.pose == "waving":
        arms[1] = [(9, 19), (18, 20), (22, 13)]
        pen.oval(22.5, 10.5, 3.8, 3.8, SKIN, outline(SKIN))
    if garment == "dress":
        pen.shape([(-7, 14), (7, 14), (11, 24), (19, 38), (-19, 38), (-11, 24)], cloth, line)
    else:
        pen.shape([(-10, 14), (10, 14), (12, 38), (-12, 38)], cloth, line)
    for points in arms.values():
        pen.stroke(points, line, 7.6)
        pen.stroke(points, cloth if garment == "dress" else shade(cloth), 5.6)
    if garment == "shirt":
        pen.shape([(-7, 14), (0, 21), (7, 14)], mix(cloth, WHITE, 0.75), line)
    else:
        pen.stroke([(-11.5, 30), (0, 32), (11.5, 30)], mix(cloth, WHITE, 0.65), 1.6)
    pen.box(-3, 12, 3, 17, shade(SKIN))


def draw_neckwear(pen: Pen, tag: str | None) -> None:
    """Scarf, necktie, or the clasp of a cape."""
    if not tag:
        return
    word, kind = tag.split()
    colour = SCARF_GREEN if tag == "green scarf" else CLOTH[word]
    line = outline(colour)
    if kind == "scarf":
        pen.shape([(4, 18), (11, 18), (12, 32), (6, 33)], shade(colour), line)
        pen.shape([(-13, 14), (13, 14), (14, 19), (9, 22), (-9, 22), (-14, 19)], colour, line)
    elif kind == "necktie":
        pen.shape([(-3, 15), (3, 15), (4, 28), (0, 32), (-4, 28)], colour, line)
    else:
        pen.shape([(-11, 14), (11, 14), (8, 20), (-8, 20)], colour, line)
        pen.oval(0, 18, 2.6, 2.6, GOLD, outline(GOLD))


def draw_ears(pen: Pen, tag: str | None, hair: Colour) -> None:
    """Animal ears; bunny ears are white, the others have the hair's colour."""
    line, inner = outline(hair), (252, 176, 190)
    for side in (-1, 1):
        if tag == "cat ears":
            pen.shape([(side * 3, -13), (side * 17, -5), (side * 17, -25)], hair, line)
            pen.shape([(side * 8, -14), (side * 14.5, -10), (side * 14.5, -19.5)], inner)
        elif tag == "fox ears":
            pen.shape([(side * 3, -13), (side * 19, -4), (side * 14, -28)], hair, line)
            pen.shape([(side * 10, -20.5), (side * 16, -18), (side * 14, -28)], LINE)
        elif tag == "bear ears":
            pen.oval(side * 13, -14, 7, 7, shade(hair), line)
            pen.oval(side * 13, -14, 3.6, 3.6, (222, 170, 130))
        elif tag == "bunny ears":
            pen.oval(side * 8, -20, 4.6, 12, (250, 250, 252), outline(WHITE))
            pen.oval(side * 8, -20, 2, 8.5, inner)


def draw_face(pen: Pen, spec: Spec) -> None:
    """Eyes, cheeks, mouth, glasses."""
    iris = EYES[spec.eyes.split()[0]]
    for side in (-1, 1):
        x, y = side * 7.2, 3.6
        pen.oval(side * 11.2, 9, 2.6, 1.5, (255, 186, 182))
        if spec.expression == "closed eyes":
            pen.arc(x, y + 2.4, 3.8, 3.6, 190, 350, LINE, 1.5)
            continue
        pen.oval(x, y, 4, 5, LINE)
        pen.oval(x, y + 0.7, 3.2, 4, iris)
        pen.oval(x, y + 2.8, 2.1, 1.6, mix(iris, WHITE, 0.45))
        pen.oval(x, y + 0.2, 1.5, 2.2, mix(iris, LINE, 0.75))
        pen.oval(x - 1.3, y - 1.9, 1.5, 1.5, WHITE)
    if spec.expression == "open mouth":
        pen.oval(0, 10.3, 2.9, 2.5, (200, 62, 72), LINE, 0.8)
    elif spec.expression == "frown":
        pen.arc(0, 12.2, 3.2, 2.2, 205, 335, LINE, 1.2)
    else:
        pen.arc(0, 8.6, 3.2, 2.2, 25, 155, LINE, 1.2)
    if spec.glasses:
        for side in (-1, 1):
            pen.oval(side * 7.2, 4, 6, 6.2, None, (70, 60, 80), 1.2)
        pen.stroke([(-1.4, 3.4), (1.4, 3.4)], (70, 60, 80), 1.2)


def draw_fringe(pen: Pen, hair: Colour) -> None:
    """The hair over the forehead, with its shine."""
    crown = [math.radians(180 + 10 * i) for i in range(19)]
    top = [(17.6 * math.cos(a), -1 + 16.6 * math.sin(a)) for a in crown]
    right = [(17, 6), (13.4, -2), (10.5, -6), (8, -0.5), (4, -6.5)]
    left = [(-x, y) for x, y in reversed(right)]
    pen.shape([*top, *right, (0.5, -0.5), *left], hair, outline(hair))
    pen.arc(0, -1, 12.5, 11.2, 215, 262, mix(hair, WHITE, 0.55), 1.8)


def draw_mark(pen: Pen, tag: str | None) -> None:
    """A sign in the middle of the fringe."""
    if not tag:
        return
    word, kind = tag.split()
    colour, y = MARK_COLOURS[word], -7.5
    line = outline(colour)
    if kind == "jewel":
        pen.shape([(0, y - 5), (4.2, y), (0, y + 5), (-4.2, y)], colour, line)
        pen.shape([(0, y - 2.8), (-2.2, y), (0, y)], mix(colour, WHITE, 0.6))
    elif kind == "heart":
        right = [(4.6, y - 0.5), (3.4, y - 3.4), (0.9, y - 3.2)]
        left = [(-x, height) for x, height in reversed(right)]
        pen.shape([(0, y + 4.5), *right, (0, y - 1.6), *left], colour, line)
    elif kind == "moon":
        pen.arc(0.6, y, 3.2, 3.6, 60, 300, colour, 2.4)
    else:
        tips = [(math.radians(-90 + 36 * i), 5.2 if i % 2 == 0 else 2.2) for i in range(10)]
        pen.shape([(r * math.cos(a), y + r * math.sin(a)) for a, r in tips], colour, line, 0.8)


def draw_headgear(pen: Pen, tag: str | None) -> None:
    """Bow, hat or crown."""
    if not tag:
        return
    if tag == "crown":
        pen.shape([(-10, -14), (-11, -24), (-5, -19), (0, -26), (5, -19), (11, -24), (10, -14)], GOLD, outline(GOLD))
        return
    word, kind = tag.split()
    colour = HAIR["brown"] if word == "brown" else CLOTH[word]
    line = outline(colour)
    if kind == "hat":
        pen.shape([(-12, -13), (-9, -26), (9, -26), (12, -13)], colour, line)
        pen.shape([(-11.5, -14.5), (-10.9, -17.5), (10.9, -17.5), (11.5, -14.5)], mix(colour, WHITE, 0.65))
        pen.oval(0, -12, 21, 3.2, colour, line)
    else:
        for side in (-1, 1):
            pen.shape([(11, -13), (11 + side * 8, -18.5), (11 + side * 8, -7.5)], colour, line)
        pen.oval(11, -13, 2.4, 2.6, shade(colour), line)
