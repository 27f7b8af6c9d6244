"""What measuring gradients and layers costs a training step, as a ratio to the same step without it.

    python benchmarks/norms.py [--model DIR] [--size 256] [--batch 4] [--rounds 12] [--device cpu] [--precision no] [--json]

The built-in trainer makes ten steps with it and ten without, in turns, so that whatever else the machine does hits both alike; among ten
steps is one whose layers are measured. Two figures, each the median over the rounds: the ratio of both times, and the share of a step that
is spent in the measuring's own calls, which a busy machine disturbs less (on a GPU that is what it costs the processor; the kernels that
it adds are in the ratio alone). On a GPU the steps of a block are waited for at its end only, as in a training.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.trainer import built_in_step, make_trainer
from core.base.paths import DEMO_ASSETS
from core.training.backends.inside.lorabook_norms import FETCH, Norms

GOAL = 1.02


@contextlib.contextmanager
def own_time() -> Iterator[list[float]]:
    """Seconds that are spent in the hooks of `Norms` that are made inside."""
    spent, guarded = [0.0], Norms._guarded

    def timed(self: Norms, act: Callable[..., None]) -> Callable[..., None]:
        inner = guarded(self, act)

        def run(*given: Any, **more: Any) -> None:
            began = time.perf_counter()
            inner(*given, **more)
            spent[0] += time.perf_counter() - began
        return run

    Norms._guarded = timed  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        Norms._guarded = guarded  # type: ignore[method-assign]


def measure(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """Milliseconds of a step with and without, and the ratio."""
    import torch

    model = options.model or DEMO_ASSETS / "model"
    trainer = make_trainer(folder, model, options.size, options.batch, options.device, options.precision)
    step = built_in_step(trainer)
    norms = Norms(folder / "norms.jsonl", 0, trainer.network.trained_layers())
    norms.outside = True

    def block(measured: bool) -> tuple[float, float]:
        """Seconds of a step, and of it those in the measuring's own calls."""
        if measured:
            norms.watch()
        wait()
        began, before = time.perf_counter(), spent[0]
        for _ in range(FETCH):
            step()
            if measured:
                norms.end_of_step()
        wait()
        took = (time.perf_counter() - began) / FETCH, (spent[0] - before) / FETCH
        if measured:
            norms.close()
        return took

    def wait() -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    with own_time() as spent:
        for measured in (True, False):
            block(measured)
        rounds = []
        for number in range(options.rounds):
            first, second = block(number % 2 == 0), block(number % 2 == 1)
            rounds.append((first, second) if number % 2 == 0 else (second, first))
    ratio = statistics.median(measured / bare for (measured, _), (bare, _) in rounds)
    share = statistics.median(own / bare for (_, own), (bare, _) in rounds)
    bare, own = (1000 * statistics.median(times) for times in ([bare for _, (bare, _) in rounds], [own for (_, own), _ in rounds]))
    layers = len(trainer.network.trained_layers())
    print(f"{model}, {layers} layers: {bare:.2f} ms a step without measuring, ratio {ratio:.4f}; "
          f"own calls {own:.3f} ms, ratio {1 + share:.4f} (goal {GOAL})")
    trainer.reporter.close()
    return {"layers": layers, "bare_ms": round(bare, 3), "own_ms": round(own, 4), "ratio": round(ratio, 4),
            "own_ratio": round(1 + share, 4), "goal": GOAL}


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
