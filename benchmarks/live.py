"""How soon the gallery shows captions that a job writes, and what that costs its kernel.

    python benchmarks/live.py [--json] [--images 10000] [--filter untagged]

Another process writes 100 captions a second as a tagger does, two of them for pictures on screen; the gallery panel runs in an event
loop as in a notebook's kernel, and is asked for what is on screen as the browser asks. Delay: from when a caption was written until its
picture's facts are sent. Cost: processor time of the kernel's process, all threads, as a share of one core, and as a ratio to listing the
folder anew each second, measured in the same run.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show
from core.base.paths import ROOT
from core.dataset.listing import scan
from core.dataset.project import Project

LATEST, SHARE = 2.0, 0.05
"""Goals: seconds until the latest caption is shown, share of one core at 10,000 pictures."""
TURNS, EACH, ON_SCREEN = 20, 100, 40
MOST_LINKS = 50_000
"""Names that one file may have: ext4 takes 65,000."""
WRITER = """
import sys, time
from pathlib import Path
from core.dataset.captions.swapping import Swap, swap_captions
folder, turns, each, on_screen = Path(sys.argv[1]), *map(int, sys.argv[2:])
for turn in range(turns):
    seen = range(2 * turn, 2 * turn + 2)
    rows = [*seen, *range(on_screen + turn * each, on_screen + turn * each + each - len(seen))]
    swap_captions(folder, [Swap(f"picture_{row:06d}.txt", None, f"mychar, hat {row}") for row in rows])
    print(time.time(), *seen, flush=True)
    time.sleep(1)
"""


def make_project(folder: Path, count: int) -> Project:
    """A project of `count` small pictures without captions."""
    from PIL import Image

    project = Project.create(folder, folder.name)
    first = project.images
    for row in range(count):
        path = project.images / f"picture_{row:06d}.png"
        if row % MOST_LINKS:
            os.link(first, path)
        else:
            Image.new("RGB", (96, 96), (60, 120, 180)).save(path)
            first = path
    return project


class Screen:
    """Stands for the browser: asks for what is on screen whenever the gallery says that something changed."""

    def __init__(self, panel: Any) -> None:
        self.panel = panel
        self.seen: dict[str, float] = {}
        """When the caption of a picture was first shown; 0: the picture is known, without a caption."""
        panel.gallery.send = self.received
        panel.gallery.observe(lambda _: self.ask(), "view")
        self.ask()

    def ask(self) -> None:
        """What the browser sends."""
        rows = list(range(min(ON_SCREEN, len(self.panel.shelf))))
        self.panel.gallery._heard(self.panel.gallery, {"kind": "want", "version": self.panel.shelf.view.version, "serial": 1, "rows": rows,
                                                       "seen": rows if self.seen else []}, [])

    def received(self, message: Mapping[str, Any], buffers: Any = ()) -> None:
        """What the kernel sends."""
        for row in message.get("rows", ()):
            self.seen.setdefault(row["key"], 0.0)
            if row["tags"] and not self.seen[row["key"]]:
                self.seen[row["key"]] = time.time()


async def measure(project: Project, filter_text: str) -> dict[str, Any]:
    """Let the writer write, and watch."""
    from widgets.dataset.gallery import GalleryPanel
    from widgets.session import Session

    session = Session()
    session.open(project.folder)
    panel = GalleryPanel(session)
    screen = Screen(panel)
    await asyncio.sleep(5)
    if filter_text:
        panel.show_filter(filter_text)
        await asyncio.sleep(5)
    idle = await share_of(asyncio.sleep(5))
    begun = time.process_time()
    scan(project, panel.shelf.listing)
    listing = time.process_time() - begun
    command = [sys.executable, "-c", WRITER, str(project.images), *map(str, (TURNS, EACH, ON_SCREEN))]
    writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    busy = await share_of(asyncio.to_thread(writer.communicate))
    await asyncio.sleep(3)
    written = {int(row): float(line.split()[0]) for line in busy[1][0].splitlines() for row in line.split()[1:]}
    delays = [at - written[int(Path(key).stem[8:])] for key, at in screen.seen.items() if at and int(Path(key).stem[8:]) in written]
    panel.close()
    return {"idle_share": round(idle[0], 4), "share": round(busy[0], 4), "listing_seconds": round(listing, 3),
            "to_one_listing_a_second": round(busy[0] / listing, 2), "seen": len(delays), "written_on_screen": len(written),
            "delay_median": round(statistics.median(delays), 2) if delays else None, "delay_max": round(max(delays), 2) if delays else None}


async def share_of(work: Any) -> tuple[float, Any]:
    """The share of one core that this process takes while `work` goes on, and its result."""
    processor, begun = time.process_time(), time.monotonic()
    result = await work
    return (time.process_time() - processor) / (time.monotonic() - begun), result


def main() -> int:
    """Print the figures."""
    parser = flags(__doc__ or "")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--filter", default="", help="what is typed into the gallery's filter; with one by captions, rows leave the screen")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        figures = asyncio.run(measure(make_project(Path(root) / "project", given.images), given.filter))
    shown = bool(given.filter) or (figures["seen"] == figures["written_on_screen"] and figures["delay_max"] <= LATEST)
    return show({"name": "live", "images": given.images, **figures, "goal": f"delay {LATEST} s; share {SHARE} at 10,000 pictures",
                 "ok": shown and (figures["share"] <= SHARE or given.images > 10_000 or bool(given.filter))}, given.json)


if __name__ == "__main__":
    sys.exit(main())
