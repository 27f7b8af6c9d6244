"""Captions in bulk: scanning a project again, changing, undoing and redoing every caption, and counting tags.

Pictures are 1024 px JPEGs of photograph-like noise. A few hundred different ones stand under many names (hard links), so that a hundred
thousand take little disk; each is read and hashed by the first scan all the same.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show
from core.base.files import write_text
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.editing import edit_captions, plan_edit
from core.dataset.captions.statistics import tag_frequencies
from core.dataset.history import redo_last, undo_last
from core.dataset.items import list_items
from core.dataset.project import Project

DIFFERENT = 200
"""Pictures that are really made."""
TAGS = 30
"""Tags of one caption."""
GOAL_SCAN = 0.10
GOAL_EDIT = 15.0
GOAL_TAGS = 2.0
STATED_COUNT = 100_000
"""The goals in seconds are for so many captions; for fewer they shrink with the number."""


def make_project(folder: Path, count: int) -> Project:
    """A project with `count` pictures, each with a caption of 30 tags."""
    import numpy
    from PIL import Image

    project = Project.create(folder, "Benchmark", "mychar")
    generator, pick = numpy.random.default_rng(7), random.Random(7)
    words = [f"{kind} {number}" for number in range(300) for kind in ("red", "long", "standing", "holding a", "looking at")]
    originals = []
    for number in range(min(DIFFERENT, count)):
        small = Image.fromarray(generator.integers(0, 255, (64, 64, 3), "uint8"))
        path = project.folder / f"original-{number}.jpg"
        small.resize((1024, 1024), Image.Resampling.BICUBIC).save(path, quality=92)
        originals.append(path)
    for number in range(count):
        os.link(originals[number % len(originals)], project.images / f"image {number:06}.jpg")
        (project.images / f"image {number:06}.txt").write_text("mychar, " + ", ".join(pick.sample(words, TAGS - 1)), encoding="utf-8")
    os.sync()  # what was made here goes to the disk now, and not within the first measured step that syncs
    return project


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came out."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def plain_loop(project: Project, names: list[str]) -> float:
    """Seconds to write these captions one after the other with a sync each, as a single save does, for comparison."""
    def save() -> None:
        for name in names:
            write_text(project.images / name, (project.images / name).read_text())
    return timed(save)[0]


def scan_of_a_new_kernel(project: Project) -> float:
    """Seconds of the scan where only the index knows the images, as when a project is opened again."""
    code = """
import sys, time
from pathlib import Path
from core.dataset.items import list_items
from core.dataset.project import Project
project = Project.open(Path(sys.argv[1]))
began = time.perf_counter()
list_items(project)
print(time.perf_counter() - began)
"""
    done = subprocess.run([sys.executable, "-c", code, str(project.folder)], cwd=Path(__file__).resolve().parents[1], check=True,
                          capture_output=True, text=True)
    return float(done.stdout)


def measure(project: Project, count: int) -> dict[str, object]:
    """Seconds of each step, and their ratios."""
    sample = sorted(path.name for path in project.images.glob("*.txt"))[:300]
    plain = plain_loop(project, sample) / len(sample) * count
    time.sleep(2.1)  # files that were written in the last two seconds are read again, as their clock may not have ticked yet
    first, _ = timed(lambda: list_items(project))
    second = min(scan_of_a_new_kernel(project) for _ in range(3))
    again = min(timed(lambda: list_items(project))[0] for _ in range(3))
    write_text(project.images / sample[0], "mychar, one")
    after_one, _ = timed(lambda: list_items(project))
    settings = EditSettings(add_last="smile", remove="red 1")
    time.sleep(0.2)  # a person looks at the caption that was saved
    planned, plan = timed(lambda: plan_edit(project, settings))
    edit, report = timed(lambda: edit_captions(project, settings))
    undo, undone = timed(lambda: undo_last(project))
    redo, redone = timed(lambda: redo_last(project))
    captions = {item.id: item.caption or "" for item in list_items(project)}
    counting, counts = timed(lambda: tag_frequencies(captions))
    share = count / STATED_COUNT
    right = len(plan.changes) == report.changed == undone.restored == redone.restored == count == counts["smile"]
    return {
        "name": "captions", "count": count, "first_scan_seconds": round(first, 2), "second_scan_seconds": round(second, 3),
        "scan_ratio": round(second / first, 3), "same_kernel_scan_seconds": round(again, 3),
        "scan_after_one_save_seconds": round(after_one, 3), "plan_seconds": round(planned, 2), "edit_seconds": round(edit, 2),
        "undo_seconds": round(undo, 2), "redo_seconds": round(redo, 2), "edit_to_single_saves": round(edit / plain, 3),
        "tags": sum(counts.values()), "tags_seconds": round(counting, 2), "all_changed": right,
        "goal": f"scan ratio {GOAL_SCAN}; edit and undo {GOAL_EDIT * share:g} s; tags {GOAL_TAGS * share:g} s",
        "ok": right and second / first <= GOAL_SCAN and max(edit, undo) <= GOAL_EDIT * share and counting <= GOAL_TAGS * share}


def main() -> int:
    """Print the figures. Returns: 0 when the goals are met."""
    parser = flags("Captions in bulk.")
    parser.add_argument("--count", type=int, default=10_000, help="images; the goals are stated for 100000")
    parser.add_argument("--place", type=Path, default=None, help="where the project is made; the system's temporary folder")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="captions-", dir=given.place))
    try:
        return show(measure(make_project(folder / "project", given.count), given.count), given.json)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
