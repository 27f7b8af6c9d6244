"""What measuring gradients and layers costs a training step, as a ratio to the same step without it.

    python benchmarks/norms.py [--model DIR] [--size 256] [--batch 4] [--rounds 12] [--device cpu] [--precision no] [--json]

The built-in trainer makes ten steps with it and ten without, in turns, so that whatever else the machine does hits both alike; among ten
steps is one whose layers are measured. The figure is the median over the rounds of the ratio. On a GPU the steps of a block are waited for
at its end only, as in a training.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.trainer import built_in_step, make_trainer
from core.base.paths import DEMO_ASSETS
from core.training.backends.inside.lorabook_norms import FETCH, Norms

GOAL = 1.02


def measure(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """Milliseconds of a step with and without, and the ratio."""
    import torch

    model = options.model or DEMO_ASSETS / "model"
    trainer = make_trainer(folder, model, options.size, options.batch, options.device, options.precision)
    step = built_in_step(trainer)
    norms = Norms(folder / "norms.jsonl", 0, trainer.network.trained_layers())
    norms.outside = True

    def block(measured: bool) -> float:
        if measured:
            norms.watch()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(FETCH):
            step()
            if measured:
                norms.end_of_step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        took = time.perf_counter() - began
        if measured:
            norms.close()
        return took / FETCH

    for measured in (True, False):
        block(measured)
    pairs = [(block(True), block(False)) if number % 2 else tuple(reversed((block(False), block(True)))) for number in range(options.rounds)]
    ratio = statistics.median(measured / bare for measured, bare in pairs)
    with_it, without = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
    layers = len(trainer.network.trained_layers())
    print(f"{model}, {layers} layers: {without:.2f} ms a step, with measuring {with_it:.2f} ms, ratio {ratio:.4f} (goal {GOAL})")
    trainer.reporter.close()
    return {"layers": layers, "bare_ms": round(without, 3), "measured_ms": round(with_it, 3), "ratio": round(ratio, 4), "goal": GOAL}


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--device")
    parser.add_argument("--precision", default="no")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options)
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
