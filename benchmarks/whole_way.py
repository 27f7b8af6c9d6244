"""How long a person waits at each panel of Dataset_Maker, from a folder of pictures to the handover, in a real browser.

    python benchmarks/whole_way.py [--json] [--count 10000] [--size 256]

Pictures are drawn (a coloured ground with shapes; each tenth a smaller copy of the one before it), imported, looked through for duplicates
and quality, tagged with the embedded tagger, edited, undone, looked over, checked and handed over. Printed are seconds from the press of
the button to the panel's last word, and the same for a few pictures, so that what a single press costs can be taken off. Goal: saving one
caption among many takes at most a second more than among few.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show
from tests.e2e.whole_way import on_the_way

FEW = 20
MOST_MORE = 1.0
"""Seconds that saving one caption may take more among many."""


def draw(folder: Path, count: int, size: int) -> None:
    """Pictures with captions for every third."""
    from PIL import Image, ImageDraw

    folder.mkdir(parents=True)
    for number in range(count):
        chance = random.Random(number - number % 10 + 8 if number % 10 == 9 else number)
        image = Image.new("RGB", (size, size - size // 4 * (number % 3 == 2)), tuple(chance.randrange(256) for _ in range(3)))
        pen = ImageDraw.Draw(image)
        for _ in range(12):
            left, top = chance.randrange(size), chance.randrange(size)
            box = (left, top, left + chance.randrange(8, size // 2), top + chance.randrange(8, size // 2))
            (pen.ellipse if chance.random() < 0.5 else pen.rectangle)(box, tuple(chance.randrange(256) for _ in range(3)))
        if number % 10 == 9:
            image = image.resize((image.width * 3 // 4, image.height * 3 // 4))
        image.save(folder / f"{number:06}.jpg", quality=90)
        if number % 3 == 0:
            (folder / f"{number:06}.txt").write_text(f"picture {number}", encoding="utf-8")


def walk(place: Path, count: int, size: int) -> dict[str, float]:
    """Go the whole way. Returns: seconds of each step."""
    draw(place / "pictures", count, size)
    with on_the_way(place / "way", patience=1800) as way:
        way.begin(place / "pictures")
        way.curate()
        way.caption()
        way.end()
        return way.seconds


def main() -> int:
    """Go it with few and with many."""
    parser = flags("How long a person waits at each panel.")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=256)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lorabook-") as folder:
        few = walk(Path(folder) / "few", FEW, given.size)
        many = walk(Path(folder) / "many", given.count, given.size)
    figures: dict[str, Any] = {"name": "whole_way", "images": given.count}
    for step, seconds in many.items():
        figures[step] = f"{seconds} s ({few.get(step, 0)} s for {FEW})"
    more = round(many["save one caption"] - few["save one caption"], 2)
    figures |= {"all": f"{sum(many.values()):.1f} s", "each image": f"{1000 * sum(many.values()) / given.count:.1f} ms",
                "one caption takes longer by": f"{more} s", "goal": f"at most {MOST_MORE} s", "ok": more <= MOST_MORE}
    return show(figures, given.json)


if __name__ == "__main__":
    raise SystemExit(main())
