"""How long a second export takes against the first, and how much memory an export needs.

    python benchmarks/export.py [--json] [--images 1000] [--layout kohya]

The pictures are of 768 x 512 px, as JPEG, a tenth of them lying, so that they must be made anew. What must be done in any case is looking
at every picture's header and caption; the second export does hardly more. Both are told as seconds and as a ratio, which travels.
Memory is what the process took at most beyond what it had before the first export.
"""

from __future__ import annotations

import io
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show
from core.dataset.export.exporting import ExportReport, export_dataset
from core.dataset.export.settings import COPIES, ExportSettings
from core.dataset.project import Project

GOAL_RATIO = 0.25
GOAL_MEMORY = 300.0
"""MiB, whatever the number of pictures."""
LYING = 10
"""One of so many."""


def make_project(folder: Path, count: int) -> Project:
    """A project of so many photographs, each another file."""
    project = Project.create(folder, "Export", trigger="mychar")
    drops = numpy.random.default_rng(1).integers(0, 255, (32, 48, 3), dtype="uint8")
    photo = Image.fromarray(drops).resize((768, 512))
    for number in range(count):
        photo.paste((number % 256, number // 256 % 256, 90), (0, 0, 40, 40))
        exif, buffer = Image.Exif(), io.BytesIO()
        exif[0x0112] = 6 if number % LYING == 0 else 1
        photo.save(buffer, "JPEG", quality=90, exif=exif.tobytes())
        (project.images / f"image_{number:05}.jpg").write_bytes(buffer.getvalue())
        (project.images / f"image_{number:05}.txt").write_text(f"mychar, outdoors, number {number}", encoding="utf-8")
    return project


def peak() -> float:
    """MiB that this process took at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def timed(project: Project, settings: ExportSettings) -> tuple[float, ExportReport]:
    """Seconds of one export, and what came of it."""
    began = time.perf_counter()
    report = export_dataset(project, settings)
    return time.perf_counter() - began, report


def measure(count: int, layout: str) -> dict[str, Any]:
    """Seconds and memory."""
    settings = ExportSettings.make(layout=layout)
    with tempfile.TemporaryDirectory() as place:
        project, before = make_project(Path(place) / "project", count), peak()
        first, made = timed(project, settings)
        memory = peak() - before
        second, again = timed(project, settings)
        (project.images / "image_00000.txt").write_text("mychar, another caption", encoding="utf-8")
        third, changed = timed(project, settings)
    right = made.pictures == count and not again.written and "statistics.md" in changed.written and len(changed.written) == 2
    return {"name": "export", "images": count, "layout": layout, "first_seconds": round(first, 2), "second_seconds": round(second, 2),
            "ratio": round(second / first, 3), "one_caption_changed_seconds": round(third, 2), "memory_mib": round(memory, 1),
            "written_again": len(again.written), "goal": f"ratio at most {GOAL_RATIO}, at most {GOAL_MEMORY} MiB",
            "ok": right and second <= GOAL_RATIO * first and memory <= GOAL_MEMORY}


def main() -> int:
    """Print the figures. Returns: 0 when the goal is met."""
    parser = flags("How long a second export takes against the first.")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--layout", default="kohya", choices=COPIES)
    given = parser.parse_args()
    return show(measure(given.images, given.layout), given.json)


if __name__ == "__main__":
    sys.exit(main())
