"""Runs a trainer's script as one of several processes, on GPUs and on processors alike.

    python lorabook_processes.py SCRIPT ARGUMENTS…

On a GPU accelerate wraps only models that learn, so that their gradients are shared. On a processor (accelerate 1.6.0, `prepare_model`)
it wraps every model, and torch refuses one that learns nothing: no LoRA could be trained by two processes there. So there it is told
what it does on a GPU. Nothing else is changed.
"""

import runpy
import sys
from pathlib import Path
from typing import Any


def wrap_only_what_learns(accelerator: Any) -> None:
    """Let `prepare_model` leave models as they are that learn nothing. Args: accelerator: accelerate's class."""
    prepare = accelerator.prepare_model

    def prepare_model(self: Any, model: Any, device_placement: bool | None = None, evaluation_mode: bool = False) -> Any:
        learns = any(value.requires_grad for value in model.parameters())
        return prepare(self, model, device_placement, evaluation_mode or not learns)

    accelerator.prepare_model = prepare_model


def main() -> None:
    """Take the place of the script, with its own arguments and beside its own modules."""
    script, *words = sys.argv[1:]
    import torch

    if not torch.cuda.is_available():
        from accelerate import Accelerator

        wrap_only_what_learns(Accelerator)
    sys.argv = [script, *words]
    sys.path[0] = str(Path(script).resolve().parent)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
