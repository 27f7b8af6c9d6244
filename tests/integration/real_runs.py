"""Real trainings from the command line, as a person without a notebook starts them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.base.paths import ROOT
from core.base.tensor_headers import Header, read_header
from core.training.config import TrainingSettings
from core.training.manager import TrainingManager
from core.training.monitor import RunStatus
from core.training.run import Run

SIZES = [(160, 160), (130, 128), (300, 100), (260, 90), (100, 300)]
SQUARES = [(128, 128)] * 4
BATCH_SIZE, EPOCHS = 2, 2


@dataclass
class Finished:
    """One run that has ended, with what the monitor saw on the way."""

    run: Run
    seen: list[RunStatus]

    @property
    def last(self) -> RunStatus:
        return self.seen[-1]

    @property
    def header(self) -> Header:
        assert self.last.output is not None
        return read_header(self.last.output)

    @property
    def metadata(self) -> dict[str, str]:
        return dict(self.header.metadata)

    @property
    def tensors(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Name to kind of number and shape."""
        return {place.name: (place.dtype, place.shape) for place in self.header.tensors}


def short_settings(manager: TrainingManager, **parts: Mapping[str, Any]) -> TrainingSettings:
    """Four pictures, twice each and two at a time: an epoch of four batches."""
    model = manager.project.folder.parent.parent / "model"
    made = manager.preset("sd15_character", propose=False).with_values(
        model={"pretrained_model_name_or_path": str(model / "model.safetensors"), "tokenizer_cache_dir": str(model / "tokenizers")},
        data={"resolution": 64, "min_bucket_reso": 64, "max_bucket_reso": 128, "batch_size": 2, "max_data_loader_n_workers": 0,
              "subsets": [{"image_dir": str(manager.project.images), "num_repeats": 2}]},
        schedule={"max_train_epochs": 1, "lr_scheduler": "constant", "lr_warmup_steps": 0},
        network={"network_dim": 4, "network_alpha": 2, "conv_dim": None, "conv_alpha": None},
        memory={"mixed_precision": "no"}, optimizer={"optimizer_type": "AdamW"}, sampling={"sample_prompts": []})
    return made.with_values(**parts)


def train(manager: TrainingManager, backend: str, **more: object) -> Finished:
    """Launch as a person does who has no notebook, then look at it as a panel does."""
    finished = watch(manager, launch(manager, backend, **more))
    assert finished.last.state == "done", f"{finished.last.sentence()}\n" + "\n".join(finished.last.log[-40:])
    return finished


def launch(manager: TrainingManager, backend: str, **more: object) -> str:
    """Launch from the command line. Returns: the run's id."""
    model = manager.project.folder.parent.parent / "model"
    flags = {"preset": "sd15_character", "backend": backend, "pretrained_model_name_or_path": model / "model.safetensors",
             "tokenizer_cache_dir": model / "tokenizers", "resolution": 128, "min_bucket_reso": 64, "max_bucket_reso": 256,
             "batch_size": BATCH_SIZE, "max_train_epochs": EPOCHS, "network_dim": 4, "network_alpha": 2, "conv_dim": 2, "conv_alpha": 1,
             "optimizer_type": "AdamW", "mixed_precision": "no", "max_data_loader_n_workers": 0, "lr_warmup_steps": 1,
             "subsets": json.dumps([{"image_dir": str(manager.project.images), "num_repeats": 1}]),
             "sample_prompts": json.dumps(["mikoneko, red hair --w 128 --h 128 --s 2 --d 5"])}
    flags |= {"output_name": backend, **more}
    words = [word for name, value in flags.items() for word in ((f"--{name}",) if value is True else (f"--{name}", str(value)))]
    argv = [sys.executable, "-m", "core", "train", str(manager.project.folder), *words, "--json"]
    answer = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return str(json.loads(answer.stdout)["run"])


def watch(manager: TrainingManager, run_id: str) -> Finished:
    """Look at a run as a panel does until it has ended."""
    run, seen = manager.run(run_id), list[RunStatus]()
    deadline = time.monotonic() + 1200
    while not seen or not seen[-1].ended:
        assert time.monotonic() < deadline, f"{seen[-1].sentence()}\n" + "\n".join(seen[-1].log[-20:])
        time.sleep(0.2)
        seen.append(manager.status(run.id))
    return Finished(run, seen)
