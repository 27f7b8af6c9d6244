"""A tiny trainer, a real process: prints as sd-scripts does, writes real files, and fails in the ways that real ones do."""

import argparse
import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path


def write_lora(path, value=1.0, cut=0):
    """A safetensors file with one float32 tensor. `cut`: bytes that are missing at its end."""
    header = json.dumps({"lora_unet_x.lora_up.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    data = struct.pack("<Q", len(header)) + header + struct.pack("<4f", *[value] * 4)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data[: len(data) - cut])


def write_state(folder, step):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train_state.json").write_text(json.dumps({"current_epoch": 1, "current_step": step}))
    (folder / "random_states_0.pkl").write_bytes(b"x")
    write_lora(folder / "model.safetensors")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("mode")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--skip_until_initial_step", action="store_true")
    parser.add_argument("--initial_epoch", type=int, default=0)
    given = parser.parse_args()
    run, name = given.run_dir, json.loads((given.run_dir / "run.json").read_text())["output_name"]
    config, mode = (run / "config.toml").read_text(), given.mode
    out = Path(config.split('output_dir = "')[1].split('"')[0])
    asked = []
    if mode == "polite":
        signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "child":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    if mode == "environment":
        print("\n".join(f"{name}={value}" for name, value in os.environ.items()), flush=True)
    if mode == "silent":
        print("No data found. Please verify arguments (train_data_dir must be the parent of folders with images)")
        return 0
    print(f"token is {os.environ.get('HF_TOKEN', '')}", flush=True)
    print("running training / 学習開始\n  num epochs / epoch数: 2")
    print(f"  total optimization steps / 学習ステップ数: {given.steps}\n\nepoch 1/2\n", flush=True)
    first = 0
    if "-state" in config:
        first = json.loads((Path(config.split('resume = "')[1].split('"')[0]) / "train_state.json").read_text())["current_step"]
    for step in range(first + 1, given.steps + 1):
        time.sleep(given.delay)
        done, left = step - first, given.steps - first
        bar = f"{100 * done // left:3d}%|###| {done}/{left} [00:02<00:30,  2.77s/it, avr_loss={1 / step:.3f}]"
        print(f"\rsteps: {bar}", end="", file=sys.stderr, flush=True)
        if asked:
            write_lora(out / f"{name}-step{step:08d}.safetensors")
            print(f"\nsaving checkpoint: {out / name}-step{step:08d}.safetensors")
            with open(run / "events.jsonl", "a") as file:
                file.write(json.dumps({"event": "cancelled", "time": time.time()}) + "\n")
            return 0
        if step == given.steps // 2:
            write_lora(out / f"{name}-000001.safetensors")
            write_state(out / f"{name}-000001-state", step)
            print(f"\nsaving checkpoint: {out / name}-000001.safetensors", flush=True)
            if mode == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if mode == "oom":
                print('Traceback (most recent call last):\n  File "x.py", line 1', file=sys.stderr)
                print("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB.", file=sys.stderr)
                return 1
            if mode == "cut":
                write_lora(out / f"{name}.safetensors", cut=5)
                os.kill(os.getpid(), signal.SIGTERM)
    write_lora(out / f"{name}.safetensors", float("nan") if mode == "nan" else 1.0)
    print(f"\nsaving checkpoint: {out / name}.safetensors\nmodel saved.", flush=True)
    return 3 if mode == "late" else 0


if __name__ == "__main__":
    sys.exit(main())
