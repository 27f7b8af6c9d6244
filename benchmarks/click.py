"""Click to select: how long the first look at a picture takes, and how long each click after it.

The models have their real sizes and weights by chance (`benchmarks/sizes_of_sam.py`); the picture is a 12-megapixel JPEG. A click is
everything from the prompt to the mask of the picture's own size. Beside it: one more stroke of a brush on a mask of 4,000 x 6,000 px.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import sizes_of_sam
from benchmarks.figures import flags, show
from core.dataset.images.mask_edits import Drawing, read_operations
from core.dataset.images.segmenting.clicking import ClickSettings, open_clicker
from core.dataset.images.segmenting.sam import SAMS, Prompt
from core.models.warm import WARM

GOAL_GPU, GOAL_CPU = 0.3, 1.5
"""Seconds of a click after the first look; without a GPU with the smallest model."""
SMALLEST = "mobile-sam"
GOAL_STROKE = 0.15
PICTURE = (4000, 3000)


def make_picture(folder: Path) -> Path:
    """Photograph-like: smooth shapes with a grain."""
    import numpy
    from PIL import Image

    generator = numpy.random.default_rng(3)
    rough = Image.fromarray(generator.integers(0, 255, (24, 32, 3), "uint8")).resize(PICTURE, Image.Resampling.BICUBIC)
    grain = generator.normal(0, 6, (PICTURE[1], PICTURE[0], 1))
    Image.fromarray(numpy.clip(numpy.asarray(rough) + grain, 0, 255).astype("uint8")).save(folder / "picture.jpg", quality=92)
    return folder / "picture.jpg"


def measure(name: str, picture: Path, segmenters: Path, device: str, clicks: int) -> dict[str, float]:
    """Seconds of the first look, and of a click: the middle one, and the longest. Each click adds a point or begins anew."""
    if name == SMALLEST:
        sizes_of_sam.save_mobile_sam(segmenters, 768, 1024)
    else:
        sizes_of_sam.save_sam2(segmenters / name, name)
    took, looks = [], []
    with open_clicker(ClickSettings.make(model=name, device=device)) as clicker:
        for repeat in range(2):
            clicker.forget()
            points: tuple[tuple[float, float, bool], ...] = ()
            for number in range(clicks):
                point = (300.0 + 97 * number + repeat, 200.0 + 61 * number, number % 4 != 2)
                points = (point,) if number % 4 == 0 else (*points, point)
                answer = clicker.click(picture, Prompt(points))
                looks += [answer.look_seconds] if number == 0 else []
                took += [answer.seconds] if repeat else []  # the first round warms up
    WARM.unload_all()
    return {"look": round(min(looks), 3), "click": round(statistics.median(took), 3), "longest_click": round(max(took), 3)}


def measure_stroke(strokes: int = 8) -> float:
    """Seconds of one more stroke on a mask of 4,000 x 6,000 px that holds some already; the middle one."""
    drawing = Drawing((4000, 6000))
    operations: list[Any] = [{"op": "stroke", "points": [[x, 50], [4000 - x, 5900]], "width": 90} for x in range(0, 4000, 250)]
    drawing.draw(read_operations(operations))
    took = []
    for number in range(strokes):
        points = [[900 + 11 * step, 1500 + 400 * number + 3 * step] for step in range(80)]
        operations.append({"op": "stroke", "points": points, "width": 70})
        begun = time.perf_counter()
        drawing.draw(read_operations(operations))
        took.append(time.perf_counter() - begun)
    return round(statistics.median(took), 4)


def main() -> int:
    """Measure and print."""
    parser = flags(__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=[SMALLEST, "sam2.1-tiny"], choices=SAMS.names(), metavar="MODEL")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--clicks", type=int, default=9)
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LORABOOK_MODELS"] = str(Path(folder) / "models")
        picture = make_picture(Path(folder))
        for name in given.models:
            found = measure(name, picture, Path(folder) / "models" / "segmenters", given.device, given.clicks)
            figures |= {f"{name}_{what}_seconds": value for what, value in found.items()}
    figures["stroke_seconds"] = measure_stroke()
    import torch

    goal = GOAL_GPU if torch.cuda.is_available() and given.device != "cpu" else GOAL_CPU
    judged = given.models if goal == GOAL_GPU else [name for name in given.models if name == SMALLEST]
    figures["goal_click_seconds"] = goal
    figures["ok"] = all(figures[f"{name}_click_seconds"] < goal for name in judged) and figures["stroke_seconds"] < GOAL_STROKE
    return show(figures, given.json)


if __name__ == "__main__":
    raise SystemExit(main())
