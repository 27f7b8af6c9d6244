"""The colours of the drawn world, sRGB 0-255, by the word a tag uses."""

HAIR = {
    "black": (58, 52, 68), "brown": (134, 84, 52), "blonde": (250, 218, 110), "red": (212, 62, 56),
    "blue": (74, 116, 224), "green": (78, 176, 98), "pink": (248, 154, 192), "purple": (150, 92, 200),
    "white": (240, 240, 248), "orange": (246, 150, 58),
}
EYES = {
    "blue": (48, 112, 232), "green": (36, 160, 84), "red": (214, 40, 52),
    "brown": (132, 76, 40), "purple": (146, 64, 196), "yellow": (238, 184, 24),
}
CLOTH = {
    "red": (220, 56, 56), "blue": (60, 100, 220), "green": (58, 160, 86), "yellow": (246, 210, 72), "pink": (250, 166, 200),
    "purple": (152, 92, 202), "white": (246, 246, 250), "black": (54, 52, 64), "orange": (244, 146, 58),
}
BACKGROUND = {
    "white": (250, 250, 250), "blue": (156, 202, 248), "pink": (252, 206, 222), "green": (178, 228, 180),
    "yellow": (253, 240, 172), "grey": (182, 184, 192), "purple": (210, 192, 240), "red": (236, 138, 128),
}
SCARF_GREEN = (30, 190, 110)
GOLD = (252, 192, 24)
SKIN = (255, 226, 202)
LINE = (62, 40, 48)

Colour = tuple[int, int, int]


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`a` moved towards `b`; share 0 gives a, 1 gives b."""
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def shade(colour: Colour) -> Colour:
    """The colour in shadow: darker and slightly cooler, so that folds look painted and not dirty."""
    return mix(colour, (40, 26, 70), 0.25)


def outline(colour: Colour) -> Colour:
    """The line around a shape of this colour: dark, but still of its hue."""
    return mix(colour, LINE, 0.72)
