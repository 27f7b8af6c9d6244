"""How long it takes to merge two LoRA files of real size, and how much memory, in a process of its own.

    python benchmarks/merge_lora.py [--json] [--family sdxl] [--rank 64] [--new-rank 64] [--methods sum exact ties dare]

Files of real size with random values are made first, in fp16. sum cuts the merged update to --new-rank, exact keeps all of it. Seconds are
with the start of Python, core_seconds what all cores worked for it, which other work on the machine hardly changes; memory is what the
process takes at most, torch's own and the mapped pages included.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import flags, show
from core.base.paths import ROOT
from core.setup.hardware import cpu_cores
from tests.lora_files import make_lora

GOAL_SECONDS, GOAL_MEMORY = 20.0, 2048
"""Of two SDXL files of rank 64, on two cores, for the sum; MiB."""
ONE = """
import sys, time
from pathlib import Path
from core.utilities.merging.merging import MergeSettings, merge_loras
rank = int(sys.argv[5]) or None
report = merge_loras(MergeSettings.make(files=sys.argv[1:3], save_to=sys.argv[3], merge_method=sys.argv[4], new_rank=rank, device="cpu",
                                        weights=(0.8, 0.6)))
status = Path("/proc/self/status").read_text()
print(report.error, report.rounding, time.process_time(), *(int(status.split(key)[1].split()[0]) // 1024 for key in ("VmHWM:", "RssAnon:")))
"""


def once(paths: list[Path], target: Path, method: str, rank: int) -> dict[str, float]:
    """Seconds, errors and memory (MiB) of one merge."""
    target.unlink(missing_ok=True)
    began = time.perf_counter()
    command = [sys.executable, "-c", ONE, *map(str, paths), str(target), "sum" if method == "exact" else method,
               str(0 if method == "exact" else rank)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    names = ("error", "rounding", "core_seconds", "memory", "memory_at_the_end")
    return {"seconds": time.perf_counter() - began, **dict(zip(names, map(float, result.stdout.split()), strict=True))}


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Every figure."""
    paths = [make_lora(folder / f"{seed}.safetensors", options.family, options.rank, seed=seed) for seed in (1, 100_000)]
    figures: dict[str, Any] = {"cores": cpu_cores(), "mib_of_a_file": paths[0].stat().st_size >> 20}
    good = []
    for method in options.methods:
        found = once(paths, folder / "out.safetensors", method, options.new_rank)
        figures |= {f"{method}_{name}": round(value, 6 if name in ("error", "rounding") else 2) for name, value in found.items()}
        if method in ("sum", "exact"):
            good.append(found["seconds"] <= GOAL_SECONDS and found["memory"] < GOAL_MEMORY)
    return {**figures, "goals": f"{GOAL_SECONDS:g} s and {GOAL_MEMORY} MiB for the sum", "ok": all(good)}


def main() -> int:
    """Print the figures. Returns: 0 where the goals are met."""
    parser = flags(str(__doc__).splitlines()[0])
    parser.add_argument("--family", default="sdxl")
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--new-rank", type=int, default=64)
    parser.add_argument("--methods", nargs="*", default=["sum", "exact", "ties", "dare"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return show(measure(options, Path(folder)), options.json)


if __name__ == "__main__":
    sys.exit(main())
