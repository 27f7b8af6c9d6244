"""How fast a file comes from the browser into a project, through a real JupyterLab on loopback, and how much memory the kernel takes.

    python benchmarks/upload.py [--json] [--megabytes 300] [--repeats 3]

A file of random bytes is chosen in Chromium and uploaded as a person does it; timed from the choice to the moment at which the file
lies in its place, synced, and its hash is checked. The kernel's memory is read every 20 ms from /proc (VmRSS); counted is the most above
what it was right before, after a small upload has brought everything in that is needed once. With it: how late the kernel's loop is
meanwhile (99 of 100 times less), and the plain copy of the same file with hashing on this machine, so that the ratio travels.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show
from core.dataset.project import Project
from tests.e2e.lab import Browser, Lab, write_notebook

PER_SECOND, MEMORY = 30.0, 32.0
CELL = """
import asyncio, json, threading, time
from pathlib import Path
from widgets.dataset.uploading import UploadPanel
from widgets.session import Session
session = Session()
session.open(Path({folder!r}))
panel = UploadPanel(session)
panel.form.control("import_after").widget.value = False
def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) / 1024
most, late = [0.0], []
def watch_memory():
    while True:
        most[0] = max(most[0], resident())
        time.sleep(0.02)
async def watch_loop():
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.005)
        late.append(time.perf_counter() - begun - 0.005)
threading.Thread(target=watch_memory, daemon=True).start()
watcher = asyncio.ensure_future(watch_loop())
panel.view
"""
BEGIN = "import gc; gc.collect(); begun = resident(); most[0] = begun; late.clear()"
TELL = "Path({file!r}).write_text(json.dumps([most[0] - begun, sorted(late)]))"
RUN = """async code => { await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code }).done; }"""
WATCH = """() => { window.timed = new Promise((done) => {
  const input = document.querySelector('[data-testid=file-input]');
  input.addEventListener('change', () => {
    const begun = performance.now();
    const look = setInterval(() => {
      const load = [...globalThis.lorabook.loads.values()].find((one) => one.entries.length);
      if (load && load.ended && load.entries.every((entry) => ['here', 'failed'].includes(entry.state))) {
        clearInterval(look);
        done([(performance.now() - begun) / 1000, load.entries.map((entry) => entry.state).join(), load.trouble]);
      }
    }, 10);
  }, { once: true, capture: true });
}); }"""


def write_noise(path: Path, megabytes: int) -> None:
    """A file of random bytes."""
    with open(path, "wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(10**6))


def plain_copy(source: Path, target: Path) -> float:
    """Megabytes a second of reading, hashing, writing and syncing the file."""
    begun, digest = time.perf_counter(), hashlib.sha256()
    with open(source, "rb") as file, open(target, "wb") as copy:
        while block := file.read(1 << 20):
            digest.update(block)
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    seconds = time.perf_counter() - begun
    target.unlink()
    return source.stat().st_size / 1e6 / seconds


def measure(megabytes: int, repeats: int) -> dict[str, Any]:
    """All figures; speeds and memory are medians and the worst of the repeats."""
    with tempfile.TemporaryDirectory(prefix="upload-") as folder:
        root = Path(folder)
        project = Project.create(root / "project", "project")
        write_noise(root / "warm.zip", 20)
        write_notebook(root / "upload.ipynb", CELL.format(folder=str(project.folder)))
        speeds, memory, late, copies = [], [], [], []
        with Lab(root) as lab, Browser() as context:
            page = lab.open(context, "upload.ipynb")
            page.evaluate("async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
            page.get_by_test_id("file-input").wait_for(state="attached")

            def upload(file: Path) -> float:
                page.evaluate(WATCH)
                page.get_by_test_id("file-input").set_input_files(str(file))
                seconds, states, trouble = page.evaluate("() => window.timed")
                if states != "here":
                    raise RuntimeError(f"The upload ended as {states}: {trouble}")
                return file.stat().st_size / 1e6 / seconds

            upload(root / "warm.zip")
            for number in range(repeats):
                source = root / f"noise{number}.zip"
                write_noise(source, megabytes)
                copies.append(plain_copy(source, root / "copy"))
                page.evaluate(RUN, BEGIN)
                speeds.append(upload(source))
                page.evaluate(RUN, TELL.format(file=str(root / "told")))
                grown, delays = json.loads((root / "told").read_text())
                memory.append(grown)
                late.append(1000 * delays[int(0.99 * len(delays))] if delays else 0.0)
                stored = next((project.folder / "uploads").rglob(source.name))
                if hashlib.sha256(stored.read_bytes()).digest() != hashlib.sha256(source.read_bytes()).digest():
                    raise RuntimeError("The file came out different.")
                stored.unlink()
                source.unlink()
    speed = statistics.median(speeds)
    return {"name": "upload", "megabytes": megabytes, "megabytes_per_second": round(speed, 1), "slowest": round(min(speeds), 1),
            "plain_copy_per_second": round(statistics.median(copies), 1), "ratio": round(speed / statistics.median(copies), 3),
            "kernel_grows_mib": round(max(memory), 1), "kernel_delay_ms": round(statistics.median(late), 1),
            "goal": f"{PER_SECOND:.0f} MB/s, and the kernel grows by less than {MEMORY:.0f} MiB",
            "ok": speed >= PER_SECOND and max(memory) < MEMORY}


def main() -> int:
    """Print the figures. Returns: 0 when the goals are met."""
    parser = flags("How fast an upload is.")
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    return show(measure(given.megabytes, given.repeats), given.json)


if __name__ == "__main__":
    sys.exit(main())
