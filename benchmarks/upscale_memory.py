"""How much memory upscaling takes: the same tile, pictures from 1 to 100 megapixels, each in a process of its own; and a job over many.

    python benchmarks/upscale_memory.py [--json] [--tile 256] [--megapixels 1 6 25 100] [--scale 1] [--jobs 24x24 12x100]

A picture is held as bytes, 4 a pixel in Pillow, before and after; everything in floating point belongs to a tile. So what is measured above
these bytes must be about the same for every size.

A job (`12x100`: 12 JPEGs of 100 megapixels are made PNGs) reads ahead and writes behind: by pixels, so that it takes no more for many large
pictures than for as many as are under way at once.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show

MIB = 2**20
JOB_PICTURES = 3
"""Whole pictures that a job may hold where each is larger than what its threads share: one that is read, one that is written, one copy."""
JOB_REST = 400 * MIB
"""Bytes above these: the interpreter, and what Pillow and its encoders hold."""
ALLOWED = 64 * MIB
"""Bytes above the pictures' own and above those of the smallest picture: what the allocator keeps, and one strip of tiles' seams."""


def measure_one(file: str, megapixels: float, tile: int) -> dict[str, float]:
    """Peak memory above that of a model at rest, and what the pictures themselves take, bytes; seconds."""
    import numpy
    from PIL import Image

    from core.dataset.images.upscaling.enlarging import Enlarger
    from core.dataset.images.upscaling.network import open_image_model

    network = open_image_model(Path(file), "cpu")
    Enlarger(tile).enlarge(network, Image.new("RGB", (2 * tile, tile)))
    side = round(math.sqrt(megapixels * 1e6))
    base = peak_now()
    pattern = Image.fromarray(numpy.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=numpy.uint8))
    picture = pattern.resize((side, side))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak of making it
    began = time.monotonic()
    made = Enlarger(tile).enlarge(network, picture)
    seconds = time.monotonic() - began
    pictures = 4 * (side * side + made.width * made.height)
    return {"megapixels": side * side / 1e6, "peak": peak() - base, "pictures": pictures, "seconds": seconds}


def measure_job(pictures: int, megapixels: float) -> dict[str, float]:
    """Peak memory of a job, and one picture of it, bytes; seconds."""
    from PIL import Image

    from core.dataset.images.resizing import ResizeSettings, resize_images
    from core.dataset.images.room import PIXELS_EACH
    from core.dataset.images.saving import SaveSettings
    from core.dataset.parallel import default_workers
    from core.dataset.project import Project

    side = round(math.sqrt(megapixels * 1e6))
    with tempfile.TemporaryDirectory() as place:
        project = Project.create(Path(place) / "job", "job")
        Image.effect_noise((256, 256), 90).convert("RGB").resize((side, side)).save(project.images / "0.jpg", quality=90)
        for number in range(1, pictures):
            (project.images / f"{number}.jpg").hardlink_to(project.images / "0.jpg")
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        began = time.monotonic()
        report = resize_images(project, ResizeSettings(mode="keep", saving=SaveSettings(format="png")))
        assert len(report.made) == pictures, report.sentence()
        threads = default_workers()
        return {"megapixels": side * side / 1e6, "peak": peak(), "picture": 4 * side * side, "seconds": time.monotonic() - began,
                "shared": 4 * PIXELS_EACH * threads, "threads": threads}


def peak() -> int:
    """Most memory that this process held since it was forgotten last, bytes."""
    return _status("VmHWM")


def peak_now() -> int:
    """Memory that this process holds, bytes."""
    return _status("VmRSS")


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def main() -> int:
    """Print the figures. Returns: 0 when the goal is met."""
    parser = flags("How much memory upscaling takes.")
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 6, 25, 100])
    parser.add_argument("--jobs", nargs="*", default=["24x24", "12x100"], help="pictures x megapixels")
    parser.add_argument("--one", help="for itself: the model's file")
    parser.add_argument("--one_job", help="for itself: pictures x megapixels")
    given = parser.parse_args()
    if given.one_job:
        pictures, megapixels = given.one_job.split("x")
        print(json.dumps(measure_job(int(pictures), float(megapixels))))
        return 0
    if given.one:
        print(json.dumps(measure_one(given.one, given.megapixels[0], given.tile)))
        return 0
    from tests.tiny_upscalers import make_compact, save_network

    figures: dict[str, object] = {"name": "upscale_memory", "tile": given.tile, "scale": given.scale}
    over = []
    with tempfile.TemporaryDirectory() as place:
        file = save_network(make_compact(given.scale, 8, 1), Path(place) / "tiny.safetensors")
        for megapixels in given.megapixels:
            command = [sys.executable, __file__, "--one", str(file), "--megapixels", str(megapixels), "--tile", str(given.tile)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            told = json.loads(done.stdout.splitlines()[-1])
            over.append(told["peak"] - told["pictures"])
            figures[f"{told['megapixels']:.0f} megapixels"] = (
                f"peak {told['peak'] / MIB:.0f} MiB over baseline, pictures {told['pictures'] / MIB:.0f}, "
                f"the rest {over[-1] / MIB:.0f}, {told['seconds']:.0f} s")
    is_bounded = all(_job(job, figures) for job in given.jobs)
    figures |= {"rest_of_smallest_mib": round(over[0] / MIB), "rest_of_largest_mib": round(over[-1] / MIB),
                "goal": f"the rest grows by less than {ALLOWED // MIB} MiB, a job stays within its allowance",
                "ok": over[-1] - over[0] < ALLOWED and is_bounded}
    return show(figures, given.json)


def _job(job: str, figures: dict[str, object]) -> bool:
    """Measure a job in a process of its own. Returns: whether it took no more than it may."""
    done = subprocess.run([sys.executable, __file__, "--one_job", job], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    allowed = max(JOB_PICTURES * told["picture"], JOB_PICTURES * told["shared"]) + JOB_REST
    figures[f"job of {job} megapixels"] = (f"peak {told['peak'] / MIB:.0f} MiB of {allowed / MIB:.0f} allowed, one picture "
                                           f"{told['picture'] / MIB:.0f}, {told['threads']} threads, {told['seconds']:.0f} s")
    return bool(told["peak"] <= allowed)


if __name__ == "__main__":
    sys.exit(main())
