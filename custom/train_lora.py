"""Train a LoRA with the built-in trainer, from the pair of TOML files that sd-scripts reads too.

    python custom/train_lora.py --config_file runs/ID/config.toml --dataset_config runs/ID/dataset.toml --run_dir runs/ID

SIGTERM (or Ctrl-C) finishes the present step, saves a whole last checkpoint and ends with exit code 0.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.base.errors import Cancelled, StudioError
from core.training.builtin.main import train


def main(arguments: list[str] | None = None) -> int:
    """0 when finished or stopped on request, 1 with a sentence when it failed."""
    parser = argparse.ArgumentParser(description="Train a LoRA with Lorabook's built-in trainer.")
    parser.add_argument("--config_file", type=Path, required=True, help="config.toml, as for sd-scripts")
    parser.add_argument("--dataset_config", type=Path, required=True, help="dataset.toml, as for sd-scripts")
    parser.add_argument("--run_dir", type=Path, default=None, help="folder for events.jsonl and samples/")
    parser.add_argument("--device", default=None, help="cpu or cuda; the GPU where there is one")
    options = parser.parse_args(arguments)
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    try:
        train(options.config_file, options.dataset_config, options.run_dir, lambda line: print(line, flush=True), asked_to_stop.is_set,
              options.device)
    except Cancelled as stopped:
        print(stopped, flush=True)
        return 0
    except StudioError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
