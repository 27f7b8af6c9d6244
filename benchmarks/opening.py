"""How long the report of opening takes for 10,000 pictures, and finding, taking and undoing all captions beside their sources.

    python benchmarks/opening.py [--json] [--images 10000]

The plain loop is what nobody can do without: listing images/ and the source with the time and size of each file, in the same run. So the
ratio travels. Sources and project lie on the same disk.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show
from core.base.files import append_lines
from core.dataset.captions.files import revision_of
from core.dataset.manager import DatasetManager
from core.dataset.opening_report import OpeningSettings
from core.dataset.project import Project
from core.dataset.scanning import SETTLED_NS
from core.dataset.sources.ledger import LEDGER_FILE, ImportRecord

GOAL_SECONDS = 1.0
GOAL_RATIO = 5.0
CAPTION = "mychar, 1girl, solo, long hair, blue eyes, smile, looking at viewer, outdoors, standing, tree, number {}"


def make_project(folder: Path, count: int) -> tuple[Project, Path]:
    """A project as an import of `count` small pictures with captions leaves it, and the folder of its source."""
    project, source = Project.create(folder / "project", "Opening"), folder / "source"
    source.mkdir()
    lines = []
    for number in range(count):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), (number % 256, number // 256 % 256, number // 65536)).save(buffer, "PNG")
        data, name, caption = buffer.getvalue(), f"image_{number:06}.png", CAPTION.format(number)
        for place in (project.images, source):
            (place / name).write_bytes(data)
            (place / name).with_suffix(".txt").write_text(caption, encoding="utf-8")
        digest = hashlib.sha256(data).hexdigest()
        record = ImportRecord(name, digest, f"{source}/{name}", len(data), 1, digest, revision_of(caption.encode()))
        lines.append(json.dumps(asdict(record)))
    append_lines(project.hidden / LEDGER_FILE, lines)
    project.change_info(lambda info: info.changed(sources=(str(source),)))
    return project, source


def plain_look(folders: list[Path]) -> int:
    """List folders with the time and size of each file. Returns: how many bytes they have."""
    size = 0
    for folder in folders:
        with os.scandir(folder) as entries:
            for entry in entries:
                facts = entry.stat()
                size += facts.st_size if facts.st_mtime_ns else 0
    return size


def timed(act: Callable[[], object], repeats: int = 1) -> float:
    """Seconds, the median of so many times."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def measure(count: int) -> dict[str, object]:
    """Seconds of each part."""
    with tempfile.TemporaryDirectory() as place:
        project, source = make_project(Path(place), count)
        time.sleep(1.2 * SETTLED_NS / 1e9)  # what was written just now is not kept in the index yet
        manager = DatasetManager(project)
        first = timed(manager.opening)
        plain = timed(lambda: plain_look([project.images, source]), 5)
        inside = timed(lambda: manager.opening(OpeningSettings(sources=False)), 5)
        again = timed(manager.opening, 5)
        manager.items()
        for number in range(count):
            (source / f"image_{number:06}.txt").write_text(CAPTION.format(-number - 1), encoding="utf-8")
        find = timed(manager.find_source_captions)
        found = manager.find_source_captions().found
        take = timed(lambda: manager.take_source_captions(found))
        undo = timed(manager.undo)
        left = len(manager.find_source_captions().found)
    right = len(found) == count and left == 0
    return {"name": "opening", "images": count, "plain_listing_seconds": round(plain, 3), "first_seconds": round(first, 3),
            "again_seconds": round(again, 3), "again_without_sources_seconds": round(inside, 3), "ratio": round(again / plain, 1),
            "find_all_changed_seconds": round(find, 3), "take_all_seconds": round(take, 3), "undo_seconds": round(undo, 3),
            "found_all": right, "goal": f"again in {GOAL_SECONDS} s and {GOAL_RATIO} times the plain listing",
            "ok": right and (count > 10_000 or again <= GOAL_SECONDS) and again <= GOAL_RATIO * plain}


def main() -> int:
    """Print the figures. Returns: 0 when the goal is met."""
    parser = flags("How long the report of opening takes.")
    parser.add_argument("--images", type=int, default=10_000)
    given = parser.parse_args()
    return show(measure(given.images), given.json)


if __name__ == "__main__":
    sys.exit(main())
