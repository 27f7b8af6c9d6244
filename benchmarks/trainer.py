"""The built-in trainer's step time as a ratio: to a bare loop on the same modules, and to sd-scripts on the same checkpoint and data.

    python benchmarks/trainer.py [--model DIR] [--size 64] [--batch 4] [--steps 12] [--rounds 6] [--json]

The bare loop (forward, backward, step) and the trainer's run in turns on one model, network and optimizer, so that whatever else
the machine does hits both alike; the figure is the median over the rounds of the ratio of their medians.

Where SD_SCRIPTS_DIR names a checkout of sd-scripts with its environment, both trainers then train the same TOML pair, each in its own
process and environment, on --checkpoint or a full-size Stable Diffusion 1.5 of random weights. They take turns: while one makes a few
steps the other is halted, so that what else the machine does hits both alike. Seconds of a step are what lies between two of the
trainer's own records (TensorBoard's, or events.jsonl); the figure is the median over the turns of the ratio of a turn's medians. That
needs 16 GB of memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
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
WARM_UP = 3
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
    """Seconds of a step of both trainers on one checkpoint, pictures and TOML pair, and the ratio."""
    from core.dataset.project import Project
    from core.training.manager import TrainingManager
    from tests.full_size import make_full_size

    checkpoint, tokenizers = (options.checkpoint, options.tokenizers) if options.checkpoint else make_full_size(folder / "full")
    project = Project.create(folder / "projects" / "steps", "steps")
    make_pictures(project.images, [(options.run_size, options.run_size)] * 2 * options.run_batch)
    manager = TrainingManager.open(project.folder)
    with contextlib.ExitStack() as stack:
        trainers = [stack.enter_context(HaltedTrainer(manager, backend, checkpoint, tokenizers, options))
                    for backend in ("sd-scripts", "builtin")]
        turns = []
        for number in range(1, options.run_turns + 1):
            turns.append([trainer.take_turn(options.run_steps) for trainer in trainers])
            print(f"turn {number}: " + "; ".join(f"{trainer.run.backend} {' '.join(f'{second:.2f}' for second in seconds)} s"
                                                 for trainer, seconds in zip(trainers, turns[-1], strict=True)), file=sys.stderr)
    theirs, ours = ([statistics.median(turn[place]) for turn in turns] for place in (0, 1))
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    seconds = [statistics.median(values) for values in (theirs, ours)]
    print(f"{checkpoint.name}, {options.run_size} px, batch {options.run_batch}: sd-scripts {seconds[0]:.2f} s, "
          f"built-in {seconds[1]:.2f} s a step, ratio {ratio:.3f} (goal {SD_SCRIPTS_GOAL}), "
          f"{options.run_turns} turns of {options.run_steps} steps each")
    return {"sd_scripts_s": round(seconds[0], 3), "builtin_s": round(seconds[1], 3), "sd_scripts_ratio": round(ratio, 4),
            "sd_scripts_goal": SD_SCRIPTS_GOAL}


class HaltedTrainer:
    """A trainer's process that works only in its turns."""

    def __init__(self, manager: Any, backend: str, checkpoint: Path, tokenizers: Path | None, options: argparse.Namespace) -> None:
        from core.training.backends import BACKENDS
        from core.training.launch import prepare

        settings = manager.configure(run_settings(backend, manager, checkpoint, tokenizers, options))
        self.run = prepare(manager.project.folder, settings, backend)
        self.command = BACKENDS.load(backend).command(self.run)

    def __enter__(self) -> HaltedTrainer:
        """Start it, and halt it when it is warm. Raises: SystemExit: it ended before."""
        with open(self.run.log, "wb") as log:
            self.process = subprocess.Popen(self.command.argv, cwd=self.command.cwd, env={**os.environ, **self.command.env},
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            self._wait_for(WARM_UP)
            self._signal(signal.SIGSTOP)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it; what it would have saved is of no use to anybody."""
        with contextlib.suppress(ProcessLookupError):
            self._signal(signal.SIGKILL)
        self.process.wait()

    def take_turn(self, steps: int) -> list[float]:
        """Seconds of so many steps. The one in which it was halted does not count."""
        self._signal(signal.SIGCONT)
        before = len(self._moments())
        moments = self._wait_for(before + 1 + steps)
        self._signal(signal.SIGSTOP)
        return [later - earlier for earlier, later in pairwise(moments[before: before + 1 + steps])]

    def _wait_for(self, steps: int) -> list[float]:
        while len(moments := self._moments()) < steps:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.run.backend} ended:\n" + "\n".join(self.run.log.read_text(errors="replace").splitlines()[-20:]))
            time.sleep(0.05)
        return moments

    def _moments(self) -> list[float]:
        """When each step was recorded, in seconds."""
        from core.base.jobs import read_events
        from core.training.monitor.tensorboard import EventFile

        told = [event["time"] for event in read_events(self.run.folder)[0] if event["event"] == "step"]  # only the built-in trainer tells
        logged = {step: moment for path in self.run.folder.rglob("events.out.tfevents.*")
                  for tag, step, _, moment in EventFile(path).read() if tag == "loss/current"}
        return told or [logged[step] for step in sorted(logged)]

    def _signal(self, number: int) -> None:
        os.killpg(self.process.pid, number)


def run_settings(backend: str, manager: Any, checkpoint: Path, tokenizers: Path | None, options: argparse.Namespace) -> Any:
    """The preset for characters, with more repeats than the turns need and nothing that interrupts the steps."""
    from core.training.config.presets import load_preset

    return load_preset("sd15_character").with_values(
        model={"pretrained_model_name_or_path": str(checkpoint), "tokenizer_cache_dir": str(tokenizers or "")},
        data={"resolution": options.run_size, "enable_bucket": False, "batch_size": options.run_batch, "max_data_loader_n_workers": 0,
              "subsets": [{"image_dir": str(manager.project.images), "num_repeats": 500}]},
        schedule={"max_train_epochs": 1, "lr_warmup_steps": 0},
        optimizer={"optimizer_type": "AdamW"},
        memory={"mixed_precision": options.precision},
        sampling={"sample_prompts": []},
        saving={"save_every_n_epochs": None, "output_name": backend.replace("-", "_")},
    )


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
    parser.add_argument("--run-steps", type=int, default=2, help="counted steps of a turn beside sd-scripts")
    parser.add_argument("--run-turns", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no halted trainer is left behind
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
