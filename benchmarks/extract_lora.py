"""How much memory and time it takes to make a LoRA of two checkpoints of real size, in a process of its own.

    python benchmarks/extract_lora.py [--json] [--family sdxl] [--rank 32] [--dtype F16] [--room FOLDER]

Both files hold every layer of the family's U-Net and first text encoder with random values (SDXL: 5.2 GB each in fp16), and differ by a
change of rank 16 with noise in each layer. Memory is what the process takes at most, torch's own and the mapped pages included.
"""

from __future__ import annotations

import argparse
import math
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
from core.utilities.files.lora_file import TORCH_TYPES
from core.utilities.files.writing import NewTensor, bytes_of, new_tensor, write_safetensors
from core.utilities.names.architectures import original_name, text_layers, unet_layers

GOAL_MEMORY = 4096
"""MiB, for two files of 7 GB."""
ONE = """
import sys, time
from pathlib import Path
from core.utilities.checkpoints.extracting import ExtractSettings, extract_lora
report = extract_lora(ExtractSettings.make(base=sys.argv[1], tuned=sys.argv[2], save_to=sys.argv[3], new_rank=int(sys.argv[4]),
                                           device="cpu"))
status = Path("/proc/self/status").read_text()
print(report.error, report.rounding, len(report.layers), time.process_time(), int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def make_checkpoint(path: Path, family: str, dtype: str, tuned: bool) -> None:
    """One tensor in memory at a time. Args: tuned: with the change."""
    import torch

    kind = getattr(torch, TORCH_TYPES[dtype])
    shapes = {f"model.diffusion_model.{original_name(family, name)}.weight": shape for name, shape in unet_layers(family).items()}
    texts = text_layers(family)
    prefix = "conditioner.embedders.0.transformer." if family == "sdxl" else "cond_stage_model.transformer."
    shapes |= {f"{prefix}text_model.encoder.{name}.weight": shape for name, shape in texts[0].items()}
    if family == "sdxl":
        shapes["conditioner.embedders.1.model.token_embedding.weight"] = (49408, 1280)

    def make(shape: tuple[int, ...], number: int) -> memoryview:
        chance = torch.Generator().manual_seed(number)
        wide = math.prod(shape[1:])
        value = torch.randn(shape[0], wide, generator=chance) / wide ** 0.5
        if tuned:
            rank = min(16, shape[0], wide)
            change = torch.randn(shape[0], rank, generator=chance) @ torch.randn(rank, wide, generator=chance) / wide ** 0.5
            value += 0.02 * change + 0.005 * torch.randn(shape[0], wide, generator=chance) / wide ** 0.5
        return bytes_of(value.to(kind))

    tensors: list[NewTensor] = [new_tensor(name, dtype, shape, lambda shape=shape, number=number: make(shape, number))
                                for number, (name, shape) in enumerate(shapes.items())]
    write_safetensors(path, tensors, {})


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Every figure."""
    paths = [folder / "base.safetensors", folder / "tuned.safetensors"]
    for path in paths:
        make_checkpoint(path, options.family, options.dtype, path is paths[1])
    began = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", ONE, *map(str, paths), str(folder / "lora.safetensors"), str(options.rank)], cwd=ROOT,
                            capture_output=True, text=True, check=True)
    names = ("error", "rounding", "layers", "core_seconds", "memory")
    found = dict(zip(names, map(float, result.stdout.split()), strict=True))
    return {"cores": cpu_cores(), "mib_of_a_file": paths[0].stat().st_size >> 20, "seconds": round(time.perf_counter() - began, 1), **found,
            "goal": f"{GOAL_MEMORY} MiB", "ok": found["memory"] < GOAL_MEMORY}


def main() -> int:
    """Print the figures. Returns: 0 where the goal is met."""
    parser = flags(str(__doc__).splitlines()[0])
    parser.add_argument("--family", default="sdxl", choices=["sd15", "sdxl"])
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--dtype", default="F16", choices=["F16", "F32"])
    parser.add_argument("--room", help="where the files are made; empty: the system's folder for such")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.room) as folder:
        return show(measure(options, Path(folder)), options.json)


if __name__ == "__main__":
    sys.exit(main())
