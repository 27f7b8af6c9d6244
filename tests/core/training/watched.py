"""Runs with everything that the monitor knows, as the trainers and their supervisors write it."""

import json
import math
import random

from PIL import Image, ImageDraw

from core.base.files import write_json
from core.base.jobs import append_event
from core.training.run import Run

BAR = "steps:  {share}%|###       | {step}/240 [00:{step:02d}<01:00,  1.00s/it, avr_loss={loss:.3f}]\n"


def make_watched(project, settings, color="#b03a2e", steps=240, fall=0.004, seed=1):
    """A run that is done: losses with validation, norms, usage, samples of two prompts, a log."""
    chance, run = random.Random(seed), Run.create(project.folder, settings, "builtin")
    run.note("launch", attempt=1, backend="builtin", resumed_from=0)
    run.note("trainer", attempt=1)
    run.note("start", total_steps=steps, epochs=4, images=20, batches=60, buckets=1)
    gradient = []
    for step in range(1, steps + 1):
        loss = 0.09 + 0.06 * math.exp(-fall * step * 4) + chance.gauss(0, 0.012)
        gradient.append(round(0.4 + 0.8 * math.exp(-step / 60) + abs(chance.gauss(0, 0.12)), 4))
        append_event(run.folder, "step", step=step, epoch=1 + (step - 1) // 60, loss=loss, average_loss=0.12, seconds=1.2,
                     lr={"unet": 1e-4 * (1 - step / 300), "text encoder": 5e-5 * (1 - step / 300)}, time=1.7e9 + step * 1.2)
    _write_norms(run, gradient, chance)
    usage = [{"time": 1.7e9 + 10 * row, "disk": (52 << 30) - (row << 24),
              "gpus": [[0, 9000 + 40 * min(row, 30), 88 + row % 9, 50 + min(row, 20), 290]]} for row in range(60)]
    (run.folder / "usage.jsonl").write_text("".join(json.dumps(row) + "\n" for row in usage))
    for epoch in range(1, 5):
        for number, prompt in enumerate(("mychar, red hair, smiling, upper body, looking at the viewer, outdoors, blue sky", "mychar")):
            path = run.folder / "samples" / f"{settings.saving.output_name}_e{epoch:06d}_{number:02d}_5.png"
            _draw(path, color, epoch, number)
            run.note("sample", path=str(path), step=epoch * 60, epoch=epoch, prompt=prompt, seed=5, index=number)
    bars = [BAR.format(share=step * 100 // 240, step=step % 60, loss=0.1) for step in range(1, 100)]
    lines = ["running training / 学習開始", "UserWarning: an old option is used", *bars, "saving checkpoint: mychar.safetensors"]
    run.log.write_text("\n".join(line.rstrip("\n") for line in lines) + "\n", encoding="utf-8")
    write_json(run.folder / "supervisor.json", {"attempt": 1})
    write_json(run.folder / "heartbeat.json", {"time": 1.7e9, "attempt": 1, "gpus": []})
    run.note("memory", reserved=11 << 30, allocated=9 << 30, device="NVIDIA GeForce RTX 4090")
    run.note("end", attempt=1, state="done", seconds=steps * 1.2, output=str(run.checkpoints / "mychar.safetensors"))
    return run


def _write_norms(run, gradient, chance):
    layers = [f"lora_{part}_blocks_{number}_attn_to_{letter}" for part in ("unet", "te") for number in range(12) for letter in "qkv"]
    rows = [{"kind": "begin", "step": 0, "layers": layers}, {"kind": "steps", "first": 1, "gradient": gradient}]
    for step in range(10, len(gradient) + 1, 10):
        rows.append({"kind": "layers", "step": step, "first": 0, "weight": [2.0] * len(layers),
                     "update": [round(0.02 * (1 + chance.random()) * (1.5 if "unet" in name else 0.6) * math.exp(-step / 400), 5)
                                for name in layers]})
    (run.folder / "norms.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _draw(path, color, epoch, number):
    picture = Image.new("RGB", (256, 256), "#d9d4c7")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((48 - 8 * epoch + 30 * number, 40, 208, 60 + 45 * epoch), fill=color)
    picture.save(path)
