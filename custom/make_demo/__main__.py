"""python -m custom.make_demo STEP [--minutes N] [--work build/demo]: make the embedded default again, or one part of it."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from core.diffusion.cpu import tune_for_cpu

STEPS = {
    "vae": ("autoencoder", "train_autoencoder"),
    "tokenizer": ("tokenizer", "make_tokenizer"),
    "text": ("text_tower", "train_text_tower"),
    "unet": ("unet", "train_unet"),
    "judge": ("judge", "train_judge"),
    "tagger": ("tagger", "train_tagger"),
    "dataset": ("dataset", "make_dataset"),
    "card": ("card", "publish_model"),
}
TIMED = {"vae", "text", "unet", "judge", "tagger"}
THREADS = 2


def main() -> None:
    """Run one step, or all of them in order; a timed step trains for its own default where no minutes are given."""
    parser = argparse.ArgumentParser(prog="python -m custom.make_demo", description=__doc__)
    parser.add_argument("step", choices=[*STEPS, "all"])
    parser.add_argument("--minutes", type=float, help="length of the training, earlier runs of unet counted in")
    parser.add_argument("--work", type=Path, default=Path("build/demo"), help="folder of checkpoints (ignored by git)")
    parser.add_argument("--threads", type=int, default=THREADS)
    args = parser.parse_args()

    import torch

    torch.set_num_threads(args.threads)
    tune_for_cpu()
    args.work.mkdir(parents=True, exist_ok=True)
    for step in STEPS if args.step == "all" else [args.step]:
        module, function = STEPS[step]
        timed = {"minutes": args.minutes} if args.minutes and step in TIMED else {}
        getattr(import_module(f"custom.make_demo.{module}"), function)(args.work, **timed)


if __name__ == "__main__":
    main()
