"""Draws assets/demo/pictures: mikoneko as a maker would have collected her, with the faults of a real folder.

Sixteen pictures at 256 pixels. On purpose among the files: an exact duplicate, a truncated file, two files with
one stem, one picture stored on its side with the EXIF orientation that turns it back, pictures without caption.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from random import Random

from PIL import Image

from core.demo.drawing import draw
from core.demo.world import BACKGROUND_TAGS, EXPRESSION_TAGS, TRIGGER, Spec, concept_spec

FOLDER = Path(__file__).parents[2] / "assets" / "demo" / "pictures"
EDGE = 256
COUNT = 16
ORIENTATION = 0x0112
TURNED = 6  # EXIF: turn by 90 degrees clockwise to see it upright
WITHOUT_CAPTION = (5, 9)
BACKGROUNDS = (
    "outdoors", "white background", "night sky", "pink background", "sunset", "blue background", "snow", "polka dot background",
    "green background", "checkered background", "grey background", "yellow background", "purple background", "outdoors",
    "red background", "sunset",
)  # fmt: skip


def dataset_specs() -> list[Spec]:
    """Sixteen moments that go through all expressions and all backgrounds; she waves in every fourth."""
    if set(BACKGROUNDS) != set(BACKGROUND_TAGS):
        raise ValueError(f"The data set lacks backgrounds: {set(BACKGROUND_TAGS) - set(BACKGROUNDS)}")
    rng = Random(6)
    expressions: Iterator[str] = cycle(EXPRESSION_TAGS)
    return [
        replace(concept_spec(rng), background=background, expression=next(expressions), pose="waving" if i % 5 == 3 else None)
        for i, background in enumerate(BACKGROUNDS)
    ]


def maker_caption(spec: Spec) -> str:
    """What the maker wrote: the trigger, and what changes; the looks are left for the trigger to carry."""
    return ", ".join([TRIGGER, "1girl", *spec.moment])


def make_dataset(work: Path | None = None) -> None:
    """Write the pictures and captions anew; `work` is not needed and only there as in every step."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for i, spec in enumerate(dataset_specs()):
        path = FOLDER / f"mikoneko_{i + 1:02d}.png"
        draw(spec, 800_000 + i, EDGE).save(path, optimize=True)
        if i not in WITHOUT_CAPTION:
            path.with_suffix(".txt").write_text(maker_caption(spec) + "\n", encoding="utf-8")
    add_faults()
    print(f"dataset: {sum(f.stat().st_size for f in FOLDER.iterdir()) / 1e3:.0f} kB in {FOLDER}", flush=True)


def add_faults() -> None:
    """The faults that curation has to find."""
    shutil.copyfile(FOLDER / "mikoneko_03.png", FOLDER / "mikoneko_03 (copy).png")
    shutil.copyfile(FOLDER / "mikoneko_03.txt", FOLDER / "mikoneko_03 (copy).txt")
    whole = (FOLDER / "mikoneko_04.png").read_bytes()
    (FOLDER / "download_broken.png").write_bytes(whole[: len(whole) // 3])
    with Image.open(FOLDER / "mikoneko_07.png") as image:
        image.save(FOLDER / "mikoneko_07.jpg", quality=88)
    upright = FOLDER / "mikoneko_11.png"
    with Image.open(upright) as image:
        exif = Image.Exif()
        exif[ORIENTATION] = TURNED
        # stored turned to the left; the tag tells a viewer to turn it right again
        image.transpose(Image.Transpose.ROTATE_90).save(upright.with_suffix(".jpg"), quality=92, exif=exif)
    upright.unlink()
