"""The built-in trainer's step time as a ratio to a bare forward, backward, step loop on the same modules, in one run.

    python benchmarks/trainer.py [--model DIR] [--size 64] [--batch 4] [--steps 12] [--rounds 6] [--json]

Both loops run in turns on one model, network and optimizer, so that whatever else the machine does hits both alike;
the figure is the median over the rounds of the ratio of their medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.base.paths import DEMO_ASSETS
from tests.tiny_models import make_model_folder, make_pictures, write_training_pair

GOAL = 1.05


def make_trainer(folder: Path, model_path: Path, size: int, batch: int, device: str | None, precision: str) -> Any:
    """A prepared trainer on a few pictures."""
    import torch

    from core.diffusion import load_model
    from core.training.builtin.dataset import read_datasets
    from core.training.builtin.events import Reporter
    from core.training.builtin.loop import PRECISIONS, Trainer
    from core.training.builtin.options import read_options, read_toml

    images = make_pictures(folder / "images", [(size, size)] * (2 * batch))
    config, dataset = write_training_pair(folder, model_path, images, {"resolution": size, "batch_size": batch, "enable_bucket": False},
                                          max_train_epochs=None, max_train_steps=100000, mixed_precision=precision,
                                          logging_dir=str(folder / "logs"))
    options = read_options(config)
    reporter = Reporter(folder, lambda line: None, folder / "logs")
    datasets = read_datasets(read_toml(dataset), options.raw, reporter.warn)
    model = load_model(model_path, device=device, dtype=PRECISIONS.get(precision, torch.float32))
    trainer = Trainer(options, model, datasets, reporter, folder)
    trainer.prepare()
    reporter.begin(0)
    return trainer


def bare_step(trainer: Any) -> Callable[[], None]:
    """Forward, backward, step on tensors that lie ready: no data, no noise, no clipping, no records."""
    import torch

    from core.training.builtin.dataset import plan_epoch

    batch = plan_epoch(trainer.datasets, trainer.seed, 1)[0]
    latents = trainer.latents.batch(batch, [False] * len(batch.images))
    noised = trainer.noise.draw(latents, 1)
    tokens = [part.to(trainer.model.device) for part in trainer.model.tokenize([image.caption for image in batch.images])]
    enabled = trainer.precision is not None

    def step() -> None:
        with torch.autocast(trainer.model.device.type, trainer.precision, enabled=enabled):
            condition = trainer.model.encode_tokens(tokens)
            prediction = trainer.model.predict(noised.noisy, noised.timesteps, condition)
        loss = torch.nn.functional.mse_loss(prediction.float(), noised.target)
        trainer.scaler.scale(loss).backward()
        trainer.scaler.step(trainer.optimizer)
        trainer.scaler.update()
        trainer.optimizer.zero_grad(set_to_none=True)
        loss.item()

    return step


def built_in_step(trainer: Any) -> Callable[[], None]:
    """What the trainer does for one step, events and TensorBoard included."""
    from core.training.builtin.dataset import plan_epoch

    batches = plan_epoch(trainer.datasets, trainer.seed, 1)
    count = 0

    def step() -> None:
        nonlocal count
        trainer._step([(batches[count % len(batches)], None)], 1)
        count += 1

    return step


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=None, help="a base model; else the demo model, else a tiny random one")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=12, help="of each kind in a round")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--device", default=None)
    parser.add_argument("--precision", default="no", choices=("no", "fp16", "bf16"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    import torch

    torch.set_flush_denormal(True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        demo = DEMO_ASSETS / "model"
        model = options.model or (demo if (demo / "model_index.json").is_file() else make_model_folder(folder / "m"))
        trainer = make_trainer(folder, model, options.size, options.batch, options.device, options.precision)
        steps = {"bare": bare_step(trainer), "builtin": built_in_step(trainer)}
        for step in steps.values():
            for _ in range(3):
                step()
        times: dict[str, list[float]] = {"bare": [], "builtin": []}
        ratios = []
        for _ in range(options.rounds):
            medians = {name: [] for name in steps}
            for _ in range(options.steps):
                for name, step in steps.items():
                    began = time.perf_counter()
                    step()
                    medians[name].append(time.perf_counter() - began)
            ratios.append(statistics.median(medians["builtin"]) / statistics.median(medians["bare"]))
            for name in steps:
                times[name] += medians[name]
        trainer.reporter.close()
    ratio = statistics.median(ratios)
    figures = {"name": "trainer", "model": str(model.name), "bare_ms": round(1000 * statistics.median(times["bare"]), 2),
               "builtin_ms": round(1000 * statistics.median(times["builtin"]), 2), "ratio": round(ratio, 4), "goal": GOAL,
               "ok": ratio <= GOAL}
    print(f"{model}: bare {figures['bare_ms']} ms, built-in {figures['builtin_ms']} ms a step, ratio {ratio:.3f} (goal {GOAL})")
    if options.json:
        print(json.dumps(figures))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
