"""How much faster a LoRA file is resized from its factors than by the full SVD of every layer, in one run on the same cores.

    python benchmarks/resize_lora.py [--json] [--families sd15 sdxl] [--rank 64] [--new-rank 16] [--part 8]

Files of real size with random weights are made first. The full-SVD way forms up times down of a layer and takes torch.linalg.svd of it, as
sd-scripts does; of it every --part-th layer of a shape is timed and counted for all of that shape (1: all of them). With SD_SCRIPTS_DIR
sd-scripts' own resize_lora.py runs too, on the SD 1.5 file, in its own environment, and both files' updates are compared. Memory is what
the process that resizes takes at most, torch's own included.
"""

from __future__ import annotations

import argparse
import os
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
from core.training.backends.sd_scripts import SdScriptsBackend, checkout, interpreter
from core.utilities.files.lora_file import open_lora
from core.utilities.layers.updates import lora_factors
from tests.lora_files import make_lora

GOAL_RATIO, GOAL_ERROR = 30.0, 1e-5
GOAL_SECONDS, GOAL_MEMORY = 15.0, 1536
"""Of an SDXL file of rank 64, on two cores; MiB."""
ONE = """
import sys, time
from pathlib import Path
from core.utilities.resizing.resizing import ResizeLoraSettings, resize_lora
began = time.perf_counter()
report = resize_lora(ResizeLoraSettings.make(file=sys.argv[1], save_to=sys.argv[2], new_rank=int(sys.argv[3]), device="cpu"))
status = Path("/proc/self/status").read_text()
print(time.perf_counter() - began, report.error, report.rounding, int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def ours(path: Path, target: Path, rank: int) -> dict[str, float]:
    """Seconds with and without the start of Python, errors and memory (MiB) of one resize in a process of its own."""
    target.unlink(missing_ok=True)
    began = time.perf_counter()
    command = [sys.executable, "-c", ONE, str(path), str(target), str(rank)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    names = ("own_seconds", "error", "rounding", "memory")
    return {"seconds": time.perf_counter() - began, **dict(zip(names, map(float, result.stdout.split()), strict=True))}


def full_svd(path: Path, part: int) -> float:
    """Seconds that the full SVD of all layers takes; counted from every part-th layer of each shape."""
    import torch

    total = 0.0
    torch.linalg.svd(torch.randn(320, 320))
    with open_lora(path) as file:
        shapes: dict[tuple[int, ...], list[Any]] = {}
        for module in file.modules:
            shapes.setdefault(module.shape, []).append(module)
        for modules in shapes.values():
            timed = modules[::part]
            began = time.perf_counter()
            for module in timed:
                up, down = lora_factors({role: tensor.float() for role, tensor in file.tensors_of(module).items()})
                torch.linalg.svd(up @ down)
            total += (time.perf_counter() - began) * len(modules) / len(timed)
    return total


def theirs(path: Path, target: Path, rank: int) -> float:
    """Seconds of sd-scripts' own script, with its start."""
    began = time.perf_counter()
    subprocess.run([str(interpreter()), "networks/resize_lora.py", "--model", str(path), "--save_to", str(target), "--new_rank", str(rank),
                    "--device", "cpu", "--save_precision", "float"], cwd=checkout(), env={**os.environ, "PYTHONPATH": str(checkout())},
                   capture_output=True, check=True)
    return time.perf_counter() - began


def largest_difference(first: Path, second: Path) -> float:
    """Of both files' updates, layer by layer, relative to the layer's."""
    worst = 0.0
    with open_lora(first) as one, open_lora(second) as two:
        others = {module.name: module for module in two.modules}
        for module in one.modules:
            updates = []
            for file, own in ((one, module), (two, others[module.name])):
                up, down = lora_factors({role: tensor.double() for role, tensor in file.tensors_of(own).items()})
                updates.append(file.scale(own) * (up @ down))
            worst = max(worst, float((updates[0] - updates[1]).norm() / updates[0].norm()))
    return worst


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Every figure."""
    figures: dict[str, Any] = {"cores": cpu_cores(), "ranks": f"{options.rank} to {options.new_rank}"}
    good = []
    for family in options.families:
        path, target = make_lora(folder / f"{family}.safetensors", family, options.rank, dtype="F32"), folder / f"{family}-out.safetensors"
        found = ours(path, target, options.new_rank)
        figures |= {f"{family}_{name}": round(value, 6 if name in ("error", "rounding") else 2) for name, value in found.items()}
        slow = full_svd(path, options.part)
        figures |= {f"{family}_full_svd_seconds": round(slow, 1), f"{family}_ratio": round(slow / found["own_seconds"], 1)}
        good.append(slow >= GOAL_RATIO * found["own_seconds"])
        if family == "sdxl":
            good.append(found["seconds"] <= GOAL_SECONDS and found["memory"] < GOAL_MEMORY)
        if family == "sd15" and os.environ.get("SD_SCRIPTS_DIR") and SdScriptsBackend.missing() is None:
            other = folder / "theirs.safetensors"
            script = theirs(path, other, options.new_rank)
            difference = largest_difference(target, other)
            figures |= {"sd_scripts_seconds": round(script, 1), "sd_scripts_ratio": round(script / found["seconds"], 1),
                        "largest_difference": float(f"{difference:.2g}")}
            good += [script >= GOAL_RATIO * found["seconds"], difference <= GOAL_ERROR]
    goals = f"{GOAL_RATIO:g} times as fast; SDXL in {GOAL_SECONDS:g} s and {GOAL_MEMORY} MiB; difference {GOAL_ERROR:g}"
    return {**figures, "goals": goals, "ok": all(good)}


def main() -> int:
    """Print the figures. Returns: 0 where the goals are met."""
    parser = flags(str(__doc__).splitlines()[0])
    parser.add_argument("--families", nargs="*", default=["sd15", "sdxl"])
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--new-rank", type=int, default=16)
    parser.add_argument("--part", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return show(measure(options, Path(folder)), options.json)


if __name__ == "__main__":
    sys.exit(main())
