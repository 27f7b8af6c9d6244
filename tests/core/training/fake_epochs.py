"""A tiny trainer that goes through epochs as sd-scripts does: same lines, same files in the same order, same count of steps."""

import argparse
import json
import math
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import toml

from tests.core.training.fake_trainer import write_lora

OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.63 GiB"


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--per_epoch", type=int, default=4, help="steps")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--fits", type=int, default=10**6, help="pictures at once that the memory bears")
    parser.add_argument("--oom_epoch", type=int, default=1, help="when it runs out")
    parser.add_argument("--nan_above", type=float, default=10.0, help="rates above this lose their way")
    parser.add_argument("--nan_epoch", type=int, default=2)
    parser.add_argument("--black_above", type=float, default=10.0, help="rates above this draw black pictures")
    parser.add_argument("--hang_at", type=int, default=0)
    parser.add_argument("--slow_state", type=float, default=0.0)
    parser.add_argument("--optimizer", type=Path, help="a file of torch for the state")
    parser.add_argument("--skip_until_initial_step", action="store_true")
    parser.add_argument("--initial_epoch", type=int, default=1)
    return parser.parse_args()


def flat(path):
    found = {}
    for name, value in toml.load(path).items():
        found.update(value if isinstance(value, dict) else {name: value})
    return found


def save(out, name, epoch, step, given):
    """The LoRA, then the state: its step first, the random numbers last."""
    print(f"\nsaving checkpoint: {out / name}-{epoch:06d}.safetensors", flush=True)
    write_lora(out / f"{name}-{epoch:06d}.safetensors")
    state = out / f"{name}-{epoch:06d}-state"
    print(f"Saving current state to {state}", flush=True)
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    (state / "train_state.json").write_text(json.dumps({"current_epoch": epoch, "current_step": step}))
    write_lora(state / "model.safetensors")
    time.sleep(given.slow_state)
    if given.optimizer:
        shutil.copy(given.optimizer, state / "optimizer.bin")
    (state / "random_states_0.pkl").write_bytes(b"x")


def draw(run, name, epoch, black):
    from PIL import Image

    picture = Image.new("RGB", (32, 32), "black")
    if not black:
        picture.putpixel((3, 3), (255, 255, 255))
    picture.save(run / "checkpoints/sample" / f"{name}_e{epoch:06d}_00_20260101120000_1.png")


def main():
    given = options()
    run = given.run_dir
    config, dataset = flat(run / "config.toml"), toml.load(run / "dataset.toml")["datasets"][0]
    name, out, batch = config["output_name"], Path(config["output_dir"]), dataset["batch_size"]
    accumulated, rate = config.get("gradient_accumulation_steps", 1), config["learning_rate"]
    epochs = config["max_train_epochs"]
    (out / "sample").mkdir(parents=True, exist_ok=True)
    print(f"bucket 0: resolution (64, 64), count: {given.per_epoch * batch * accumulated}")
    print(f"running training\n  num epochs / epoch数: {epochs}\n  batch size per device: {batch}")
    total = epochs * given.per_epoch
    print(f"  total optimization steps / 学習ステップ数: {total}", flush=True)
    step = 0  # sd-scripts counts from the last start
    for epoch in range(given.initial_epoch, epochs + 1):
        print(f"\nepoch {epoch}/{epochs}\n", flush=True)
        for _ in range(given.per_epoch):
            time.sleep(given.delay)
            if batch > given.fits and epoch >= given.oom_epoch:
                print(f'Traceback (most recent call last):\n  File "x.py", line 1\n{OOM}', file=sys.stderr)
                return 1
            step += 1
            loss = math.nan if rate > given.nan_above and epoch >= given.nan_epoch else 1 / step
            bar = f"{100 * step // total:3d}%|###| {step}/{total} [00:02<00:30,  2.77s/it, avr_loss={loss:.3g}]"
            print(f"\rsteps: {bar}", end="", file=sys.stderr, flush=True)
            if given.hang_at and step == given.hang_at and given.initial_epoch == 1:
                time.sleep(600)
        if epoch < epochs:
            save(out, name, epoch, step, given)
        draw(run, name, epoch, rate > given.black_above)
    write_lora(out / f"{name}.safetensors")
    print(f"\nsaving checkpoint: {out / name}.safetensors\nmodel saved.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
