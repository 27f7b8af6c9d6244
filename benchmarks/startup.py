"""How long it takes to show the first panel of a notebook, and whether that imports anything heavy.

    python benchmarks/startup.py [--json]

Each panel is made in a fresh interpreter, as a new kernel does it; the first start of all is thrown away (cold disk). The
bare start of the interpreter with ipywidgets is measured in the same way, so that the ratio travels between machines.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show
from core.base.paths import ROOT

GOAL_SECONDS = 1.0
HEAVY = ("torch", "transformers", "diffusers", "PIL", "numpy", "onnxruntime", "peft", "accelerate")
FIRST = {"Dataset_Maker": ("widgets.dataset", "setup"), "Trainer": ("widgets.training", "project")}
SHOW = """
import sys, time
began = time.perf_counter()
import importlib
importlib.import_module({module!r}).NOTEBOOK.make({panel!r})
seconds = time.perf_counter() - began
import json
print(json.dumps({{"seconds": seconds, "heavy": sorted(name for name in {heavy!r} if name in sys.modules)}}))
"""
BARE = "import time; began = time.perf_counter(); import ipywidgets, anywidget, pydantic; print(time.perf_counter() - began)"


def run(code: str, projects: str) -> str:
    """What a fresh interpreter prints."""
    environ = {**os.environ, "LORABOOK_PROJECTS": projects}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout


def measure(repeats: int) -> dict[str, object]:
    """Seconds (medians of warm starts), their ratio to the bare imports, and heavy packages that came along."""
    figures: dict[str, object] = {"name": "startup"}
    heavy: set[str] = set()
    with tempfile.TemporaryDirectory() as projects:
        run(BARE, projects)
        bare = statistics.median(float(run(BARE, projects)) for _ in range(repeats))
        worst = 0.0
        for notebook, (module, panel) in FIRST.items():
            code = SHOW.format(module=module, panel=panel, heavy=HEAVY)
            run(code, projects)
            answers = [json.loads(run(code, projects)) for _ in range(repeats)]
            seconds = statistics.median(answer["seconds"] for answer in answers)
            figures[f"{notebook}_seconds"] = round(seconds, 3)
            heavy |= {name for answer in answers for name in answer["heavy"]}
            worst = max(worst, seconds)
    figures |= {"bare_seconds": round(bare, 3), "ratio": round(worst / bare, 2), "heavy": sorted(heavy),
                "goal": f"first panel in {GOAL_SECONDS} s warm, nothing heavy imported", "ok": worst <= GOAL_SECONDS and not heavy}
    return figures


def main() -> int:
    """Print the figures. Returns: 0 when the goal is met."""
    parser = flags("How long the first panel takes.")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    return show(measure(given.repeats), given.json)


if __name__ == "__main__":
    sys.exit(main())
