"""How long it takes to say what training makes of 1,000 and of 100,000 pictures: with a warm index, and from the files' headers.

    python benchmarks/preflight.py [--json] [--images 1000 100000]

Each picture has a size of its own, so that none of the buckets is known from another one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show
from core.dataset.items import list_items
from core.dataset.project import Project
from core.training.config import TrainingSettings
from core.training.manager import TrainingManager
from core.training.preflight.buckets import check_buckets, plan_buckets
from core.training.preflight.caches import find_stale
from core.training.preflight.pictures import pictures_of

GOALS = {1_000: 2.0, 100_000: 20.0}
"""Seconds with a warm index, on two cores."""


def make_project(folder: Path, count: int) -> Project:
    """A project with small pictures of many sizes, each with a caption."""
    project = Project.create(folder, "Preflight")
    for number in range(count):
        path = project.images / f"image_{number:06}.png"
        Image.new("1", (400 + number % 701, 400 + number // 701 % 901)).save(path, compress_level=1)
        path.with_suffix(".txt").write_text(f"mochi, cat, number {number}", encoding="utf-8")
    return project


def timed(settings: TrainingSettings) -> tuple[float, float]:
    """Seconds of finding the sizes, and of everything that is worked out from them."""
    began = time.perf_counter()
    pictures = pictures_of(settings.data.subsets)
    found = time.perf_counter()
    check_buckets(plan_buckets(settings, pictures))
    for subset in settings.data.subsets:
        find_stale(Path(subset.image_dir))
    return found - began, time.perf_counter() - found


def settings_for(folder: Path) -> TrainingSettings:
    """Two processes, a part held back for validation."""
    data = {"subsets": [{"image_dir": str(folder), "num_repeats": 2}], "validation_split": 0.05, "validation_seed": 1}
    return TrainingSettings().with_values(data=data, machines={"num_processes": 2})


def measure(count: int) -> dict[str, object]:
    """Seconds with a warm index, as in a new process, and without one. On a busy machine the processor's seconds tell more."""
    with tempfile.TemporaryDirectory() as place:
        project = make_project(Path(place) / "project", count)
        settings, manager = settings_for(project.images), TrainingManager.open(project.folder)
        list_items(project)
        _forget_listing()
        began, worked = time.perf_counter(), time.process_time()
        manager.check(settings, "sd-scripts")
        whole, worked = time.perf_counter() - began, time.process_time() - worked
        _forget_listing()
        sizes, rest = timed(settings)
        apart = project.images.rename(Path(place) / "apart")  # of no project: there is no index
        headers, _ = timed(settings_for(apart))
    return {f"{count}_check_seconds": round(whole, 2), f"{count}_check_processor_seconds": round(worked, 2),
            f"{count}_sizes_seconds": round(sizes, 2), f"{count}_buckets_and_caches_seconds": round(rest, 2),
            f"{count}_headers_seconds": round(headers, 2), f"{count}_ok": whole <= GOALS.get(count, float("inf"))}


def _forget_listing() -> None:
    """As in a new process: what the last listing kept in memory is not there."""
    from core.dataset import items

    items._kept.clear()


def main() -> int:
    """Print the figures. Returns: 0 when the goals are met."""
    parser = flags("How long preflight takes for the pictures.")
    parser.add_argument("--images", type=int, nargs="+", default=list(GOALS))
    given = parser.parse_args()
    figures: dict[str, object] = {"name": "preflight", "goals": str(GOALS)}
    for count in given.images:
        figures |= measure(count)
    figures["ok"] = all(value for name, value in figures.items() if name.endswith("_ok"))
    return show(figures, given.json)


if __name__ == "__main__":
    sys.exit(main())
