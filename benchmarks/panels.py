"""How long the kernel is busy when every panel of Dataset_Maker looks at the project again, as after each change.

    python benchmarks/panels.py [--json] [--count 10000]

All panels are made in one process with an event loop, as in a kernel, on a project with few and one with many pictures. Timed is
`Session.tell()`, the median of nine; what panels do beside the kernel is waited for and not counted. Goal: with many pictures at most three
times as long as with few, or 50 ms.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show
from core.dataset.manager import DatasetManager
from widgets.dataset import PANELS
from widgets.session import Session

FEW, TIMES = 20, 9
GOAL_RATIO, GOAL_SECONDS = 3.0, 0.05


def make_project(name: str, count: int) -> DatasetManager:
    """A project with so many different files of one small picture, each with a caption."""
    from PIL import Image

    manager = DatasetManager.create(name, trigger="mychar")
    first = manager.project.images / "0.png"
    Image.new("RGB", (64, 64), "red").save(first)
    data = first.read_bytes()
    for number in range(count):
        (manager.project.images / f"{number}.png").write_bytes(data + number.to_bytes(4, "big"))
        (manager.project.images / f"{number}.txt").write_text("mychar, hat", encoding="utf-8")
    manager.items()
    return manager


async def measure(manager: DatasetManager) -> tuple[float, float]:
    """Returns: seconds to make all panels, and the median seconds of a look of all of them."""
    session = Session()
    session.open(manager.project.folder)
    begun = time.perf_counter()
    for number, name in enumerate(PANELS.names(), 1):
        session.panels[name] = PANELS.load(name)(session, number)
    made = time.perf_counter() - begun
    await asyncio.sleep(3)
    seconds = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        session.tell()
        seconds.append(time.perf_counter() - begun)
        await asyncio.sleep(1.5)
    for panel in session.panels.values():
        panel.close()
    return made, statistics.median(seconds)


def main() -> int:
    """Print the figures."""
    parser = flags("How long panels keep the kernel busy.")
    parser.add_argument("--count", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lorabook-") as folder:
        os.environ["LORABOOK_PROJECTS"] = folder
        few_made, few = asyncio.run(measure(make_project("Few", FEW)))
        many_made, many = asyncio.run(measure(make_project("Many", given.count)))
    figures: dict[str, Any] = {
        "name": "panels", "panels": len(PANELS.names()), "images": given.count, "make_seconds": round(many_made, 3),
        "make_seconds_with_few": round(few_made, 3), "look_seconds": round(many, 4), "look_seconds_with_few": round(few, 4),
        "ratio": round(many / few, 2), "goal": f"ratio {GOAL_RATIO}, or {GOAL_SECONDS} s",
        "ok": many <= max(GOAL_RATIO * few, GOAL_SECONDS)}
    return show(figures, given.json)


if __name__ == "__main__":
    raise SystemExit(main())
