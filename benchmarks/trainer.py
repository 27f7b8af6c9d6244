"""The built-in trainer's step time as a ratio: to a bare loop on the same modules, and to sd-scripts on the same checkpoint and data.

    python benchmarks/trainer.py [--model DIR] [--size 64] [--batch 4] [--steps 12] [--rounds 6] [--json]

The bare loop (forward, backward, step) and the trainer's run in turns on one model, network and optimizer, so that whatever else
the machine does hits both alike; the figure is the median over the rounds of the ratio of their medians.

Where SD_SCRIPTS_DIR names a checkout of sd-scripts with its environment, both trainers then train the same TOML pair as real runs, in
turns (theirs, ours, ours, theirs), on --checkpoint or a full-size Stable Diffusion 1.5 of random weights. Seconds of a step are what
lies between two of the trainer's own TensorBoard records; the figure is the ratio of the medians. That needs 8 GB of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.base.paths import DEMO_ASSETS
from tests.tiny_models import make_model_folder, make_pictures, write_training_pair

GOAL = 1.05
SD_SCRIPTS_GOAL = 1.0
TURNS = ("sd-scripts", "builtin", "builtin", "sd-scripts")
WARM_UP = 2
"""Steps at the beginning of a run that do not count."""


def make_trainer(folder: Path, model_path: Path, size: int, batch: int, device: str | None, precision: str) -> Any:
    """A prepared trainer on a few pictures."""
    import torch

    from core.diffusion import load_model
    from core.training.builtin.dataset import read_datasets
    from core.training.builtin.events import Reporter
    from core.training.builtin.loop import PRECISIONS, Trainer
    from core.training.builtin.options import read_options
    from core.training.config.pair import read_tables

    images = make_pictures(folder / "images", [(size, size)] * (2 * batch))
    config, dataset = write_training_pair(folder, model_path, images, {"resolution": size, "batch_size": batch, "enable_bucket": False},
                                          max_train_epochs=None, max_train_steps=100000, mixed_precision=precision,
                                          logging_dir=str(folder / "logs"))
    options = read_options(config)
    reporter = Reporter(folder, lambda line: None, folder / "logs")
    datasets = read_datasets(read_tables(dataset), options.raw, reporter.warn)
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


def against_bare_loop(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of a step of both loops, and the ratio."""
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
        medians: dict[str, list[float]] = {name: [] for name in steps}
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
    found = {f"{name}_ms": round(1000 * statistics.median(values), 2) for name, values in times.items()}
    print(f"{model}: bare {found['bare_ms']} ms, built-in {found['builtin_ms']} ms a step, ratio {ratio:.3f} (goal {GOAL})")
    return {"model": str(model.name), **found, "ratio": round(ratio, 4), "goal": GOAL}


def against_sd_scripts(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a step of both trainers in real runs on one checkpoint, pictures and TOML pair, and the ratio."""
    from core.dataset.project import Project
    from core.training.manager import TrainingManager
    from tests.full_size import make_full_size

    if options.checkpoint:
        checkpoint, tokenizers = options.checkpoint, options.tokenizers
    else:
        checkpoint, tokenizers = make_full_size(folder / "full")
    os.environ["LORABOOK_PROJECTS"] = str(folder / "projects")  # a queue of its own
    project = Project.create(folder / "projects" / "steps", "steps")
    make_pictures(project.images, [(options.run_size, options.run_size)] * 2 * options.run_batch)
    manager = TrainingManager.open(project.folder)
    times: dict[str, list[float]] = {"sd-scripts": [], "builtin": []}
    for backend in TURNS:
        times[backend] += real_steps(manager, backend, checkpoint, tokenizers, options)
    theirs, ours = (statistics.median(times[backend]) for backend in ("sd-scripts", "builtin"))
    print(f"{checkpoint.name}, {options.run_size} px, batch {options.run_batch}: sd-scripts {theirs:.2f} s, built-in {ours:.2f} s a step, "
          f"ratio {ours / theirs:.3f} (goal {SD_SCRIPTS_GOAL}), medians of {len(times['builtin'])} steps")
    return {"sd_scripts_s": round(theirs, 3), "builtin_s": round(ours, 3), "sd_scripts_ratio": round(ours / theirs, 4),
            "sd_scripts_goal": SD_SCRIPTS_GOAL}


def real_steps(manager: Any, backend: str, checkpoint: Path, tokenizers: Path | None, options: argparse.Namespace) -> list[float]:
    """Seconds of each step of one real run, the first ones left out."""
    from core.training.config.presets import load_preset

    settings = load_preset("sd15_character").with_values(
        model={"pretrained_model_name_or_path": str(checkpoint), "tokenizer_cache_dir": str(tokenizers or "")},
        data={"resolution": options.run_size, "enable_bucket": False, "batch_size": options.run_batch,
              "subsets": [{"image_dir": str(manager.project.images), "num_repeats": 50}], "max_data_loader_n_workers": 0},
        schedule={"max_train_epochs": None, "max_train_steps": options.run_steps + WARM_UP + 1, "lr_warmup_steps": 0},
        optimizer={"optimizer_type": "AdamW"},
        memory={"mixed_precision": options.precision},
        sampling={"sample_prompts": []},
        saving={"save_every_n_epochs": None, "output_name": backend.replace("-", "_")},
    )
    run = manager.launch(settings, backend)
    try:
        while not (status := manager.status(run.id)).ended:
            time.sleep(1)
    except BaseException:
        manager.stop(run.id, force=True)  # it would outlive a benchmark that was interrupted
        raise
    if status.state != "done":
        raise SystemExit(f"{backend}: {status.sentence()}\n" + "\n".join(status.log[-20:]))
    return step_seconds(run.folder)


def step_seconds(folder: Path) -> list[float]:
    """What lies between the records of one step and the next in a run's TensorBoard files."""
    from core.training.monitor.tensorboard import EventFile

    moments: dict[int, float] = {}
    for path in folder.rglob("events.out.tfevents.*"):
        for tag, step, _, wall_time in EventFile(path).read():
            if tag == "loss/current":
                moments[step] = wall_time
    ordered = [moments[step] for step in sorted(moments)]
    return [later - earlier for earlier, later in pairwise(ordered)][WARM_UP:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=None, help="a base model; else the demo model, else a tiny random one")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=12, help="of each kind in a round")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--device", default=None)
    parser.add_argument("--precision", default="no", choices=("no", "fp16", "bf16"))
    parser.add_argument("--checkpoint", type=Path, help="for the runs beside sd-scripts; else a full-size SD 1.5 of random weights")
    parser.add_argument("--tokenizers", type=Path, help="tokenizer_cache_dir for --checkpoint")
    parser.add_argument("--run-size", type=int, default=128, help="pixels, in the runs beside sd-scripts")
    parser.add_argument("--run-batch", type=int, default=2)
    parser.add_argument("--run-steps", type=int, default=8, help="counted steps of each run beside sd-scripts")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    import torch

    torch.set_flush_denormal(True)
    with tempfile.TemporaryDirectory() as place:
        figures = {"name": "trainer", **against_bare_loop(Path(place), options)}
        figures["ok"] = figures["ratio"] <= GOAL
        if os.environ.get("SD_SCRIPTS_DIR"):
            figures |= against_sd_scripts(Path(place), options)
            figures["ok"] = figures["ok"] and figures["sd_scripts_ratio"] <= SD_SCRIPTS_GOAL
        else:
            print("SD_SCRIPTS_DIR names no checkout of sd-scripts: no comparison with its step.")
    if options.json:
        print(json.dumps(figures))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
