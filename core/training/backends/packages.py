"""Packages that settings need in a trainer's own environment: without one a run ends after minutes of loading."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.base.errors import StudioError
from core.base.findings import Finding
from core.setup.commands import read_output
from core.training.config.applying import acting
from core.training.config.finding import finding
from core.training.config.network_types import LYCORIS, NETWORK_TYPES
from core.training.config.optimizers import find_optimizer, known_optimizers
from core.training.config.training import TrainingSettings

PROBE = ("import importlib.util, json, sys; print(json.dumps([name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]))")
PIP_NAMES = {"lycoris": "lycoris-lora==3.4.0", "prodigyplus": "prodigy-plus-schedule-free", "lion_pytorch": "lion-pytorch",
             "pytorch_optimizer": "pytorch-optimizer", "flash_attn": "flash-attn"}
"""How a package is called when it is installed, where that is another name than its import's."""
ALWAYS_THERE = ("torch", "transformers")


def needed_packages(settings: TrainingSettings) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Import name, for what it is needed, and the change of settings that does without it and learns the same."""
    kind = NETWORK_TYPES[settings.network.network_type]
    if "network_type" in acting(settings, settings.network) and kind.module_for(settings.model.family) == LYCORIS:
        yield "lycoris", f"The type {kind.title}", {}
    known = find_optimizer(settings.optimizer.optimizer_type)
    place = known_optimizers()[known]["class"] if known else settings.optimizer.optimizer_type
    package = place.partition(".")[0]
    if "." in place and package not in ALWAYS_THERE:
        yield package, f"The optimizer {settings.optimizer.optimizer_type}", {}
    memory = acting(settings, settings.memory)
    for name, package, instead in (("xformers", "xformers", {"xformers": False, "sdpa": True}),
                                   ("use_flash_attn", "flash_attn", {"use_flash_attn": False}),
                                   ("use_sage_attn", "sageattention", {"use_sage_attn": False})):
        if memory.get(name):
            yield package, f"The attention {name}", dict(instead)
    for mode, package in (("xformers", "xformers"), ("flash", "flash_attn"), ("sageattn", "sageattention")):
        if memory.get("attn_mode") == mode:
            yield package, f"The attention {mode}", {"attn_mode": None}
    if settings.logging.log_with in ("wandb", "all"):
        yield "wandb", "Logging to Weights & Biases", {"log_with": None}
    yield "tensorboard", "The curve of the loss", {}


def check_packages(settings: TrainingSettings, python: Path) -> list[Finding]:
    """What of it the environment lacks. Args: python: of that environment."""
    needed = list(needed_packages(settings))
    try:
        absent = _absent(python, [package for package, _, _ in needed])
    except StudioError as error:
        return [Finding("warning", error.message, error.hint)]
    return [finding("error", f"{what} needs the package {package}, which is not installed in the trainer's environment.",
                    f"Run: {python} -m pip install {PIP_NAMES.get(package, package)}" + (", or choose another." if instead else ""),
                    "The run would end after its models are loaded, minutes later.", **instead)
            for package, what, instead in needed if package in absent]


def _absent(python: Path, packages: Sequence[str]) -> list[str]:
    """Which of the packages that Python does not find; nothing is imported. Raises: StudioError: it does not run."""
    answer = read_output([python, "-c", PROBE, *packages])
    if answer is None:
        raise StudioError(f"{python} does not run, so that its packages are not known.", "Make the trainer's environment again.")
    return list(json.loads(answer))
