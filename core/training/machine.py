"""What this machine makes of a training: whether its GPU is used, its precision and optimizer, and what a machine without one does."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import StudioError
from core.base.findings import Finding
from core.base.paths import ROOT
from core.base.words import counted
from core.setup.hardware import GpuReport, read_gpus
from core.training.config.finding import finding
from core.training.duration import how_long

if TYPE_CHECKING:
    from core.setup.hardware import Gpu
    from core.training.config import TrainingSettings

BF16_CAPABILITY = 8.0
"""Compute capability from which a GPU computes bf16 itself: Ampere (CUDA C++ Programming Guide, table of arithmetic throughput)."""
ADAMW = "Set 'Optimizer' (optimizer_type) to AdamW, which learns the same."
CHECKOUT_REMEDY = ("Install it again (python3 installer.py --trainer {}), use the built-in trainer, or a machine with a newer "
                     "driver.")
_ANSWERS: dict[tuple[object, ...], dict[str, Any]] = {}
"""What the torch of each environment said of itself, as long as nothing was installed there."""


def check_machine(settings: TrainingSettings, backend: str, project_folder: Path, deep: bool = True) -> list[Finding]:
    """What this machine does otherwise than the settings ask for, and how long the training takes on it.

    With a GPU that the trainer's torch computes on: whether it computes in the precision. Else: that, the optimizer, and an estimate of
    the time, which is left out for models so small that they take minutes. An Apple GPU, which sd-scripts can use and nvidia-smi does
    not see, is not judged.

    Args: deep: start the trainer's torch in a process of its own to ask whether it sees the GPU (some seconds, once for an
        environment); False goes by what was asked before, else by nvidia-smi alone.
    """
    report = read_gpus()
    trouble = _torch_trouble(backend, report, deep) if report.gpus else None
    told = [trouble] if trouble is not None else []
    if report.gpus and (trouble is None or trouble.level == "error"):
        on_gpu, reason, found = True, "", [*check_gpus(report.gpus, settings), *_precision_of(report.gpus, settings)]
    elif not report.gpus and sys.platform == "darwin" and backend != "builtin":
        return []
    else:
        on_gpu, reason = False, "" if trouble else report.problem or "No NVIDIA GPU was found on this machine."
        lack = "torch does not see the GPU" if trouble else "no NVIDIA GPU was found"
        found = [*_processes_without_gpu(settings, lack), *_precision_without_gpu(settings, backend, lack),
                 *_optimizer_without_gpu(settings, lack)]
    return [*told, *how_long(settings, backend, project_folder, on_gpu, reason), *found, *_optimizer_package(settings, backend)]


def _torch_trouble(backend: str, report: GpuReport, deep: bool) -> Finding | None:
    """Why the trainer does not compute on the GPU that is there: it takes the processor (a warning), or ends (an error).

    None: it computes there, or is not known: a torch that does not start ends the training at once and is told then.
    """
    from core.setup.doctor import torch_remedy, torch_trouble
    from core.setup.environment import find_environment
    from core.training.backends.checkouts import interpreter_of

    python = Path(sys.executable) if backend == "builtin" else interpreter_of(backend)
    answer = _torch_of(python, report, deep) if python is not None else None
    if answer is None:
        return None
    remedy = CHECKOUT_REMEDY.format(backend)
    if backend == "builtin":
        with contextlib.suppress(StudioError):
            remedy = torch_remedy(find_environment(ROOT), report)
    trouble = torch_trouble(answer, report, remedy)
    if trouble is None or answer["sees"]:
        return trouble
    return Finding("warning", f"A GPU is there, but torch does not see it: {trouble.what} So the training would run on the processor.",
                   trouble.remedy)


def _torch_of(python: Path, report: GpuReport, deep: bool) -> dict[str, Any] | None:
    """What a Python's torch says of itself, asked once until something is installed there or another driver is loaded."""
    from core.setup.doctor import ask_torch

    folders = sorted(python.parent.parent.glob("lib/python3*/site-packages"))
    mark = (python, os.environ.get("CUDA_VISIBLE_DEVICES"), report.cuda, tuple((gpu.name, gpu.driver) for gpu in report.gpus),
            tuple(folder.stat().st_mtime_ns for folder in folders))
    if mark not in _ANSWERS and deep and (answer := ask_torch(python)) is not None:
        _ANSWERS[mark] = answer
    return _ANSWERS.get(mark)


def check_gpus(gpus: Sequence[Gpu], settings: TrainingSettings) -> list[Finding]:
    """Are the GPUs there that are to train? Args: gpus: of this machine, as nvidia-smi numbers them."""
    machines, there = settings.machines, counted(len(gpus), "GPU")
    if missing := [number for number in machines.gpus if number >= len(gpus)]:
        return [finding("error", f"GPU {missing[0]} is chosen, but this machine has {there}, numbered from 0.",
                        "Choose from those that nvidia-smi shows (gpu_ids), or empty the choice.", "", gpu_ids=None)]
    if machines.num_processes > 1 and machines.processes_here > len(gpus):
        return [finding("error", f"{machines.processes_here} GPUs of this machine are to train together, but it has {there}.",
                        f"Set num_processes to {len(gpus) * machines.machines}, or rent a machine with more GPUs.", "",
                        num_processes=len(gpus) * machines.machines)]
    names = {gpus[number].name for number in machines.gpus or range(machines.processes_here)}
    if machines.num_processes > 1 and len(names) > 1:
        return [Finding("warning", f"The GPUs that train together are not alike ({', '.join(sorted(names))}): each step waits for the "
                        "slowest, and all have to bear what the smallest bears.", "Choose GPUs of one kind (gpu_ids).")]
    return []


def _processes_without_gpu(settings: TrainingSettings, lack: str) -> list[Finding]:
    count = settings.machines.processes_here
    if settings.machines.num_processes == 1:
        return []
    return [finding("warning", f"{count} processes are to train together on this machine, and {lack}: they would share its processor and "
                    "its memory, each with a model of its own.", "Set num_processes to 1.", "", num_processes=1)]


def _precision_of(gpus: tuple[Gpu, ...], settings: TrainingSettings) -> list[Finding]:
    """Does the best GPU compute in the precision that is asked for?

    Without bf16 of its own, accelerate (sd-scripts) refuses it or torch imitates it, many times slower than fp16.
    """
    if settings.memory.mixed_precision != "bf16" or any(_capability(gpu) >= BF16_CAPABILITY for gpu in gpus):
        return []
    full = settings.memory.full_bf16
    also, fix = (" and switch 'All in bf16' (full_bf16) off", {"full_bf16": False}) if full else ("", {})
    return [finding("error", f"The precision is bf16, which {gpus[0].name} does not compute itself: training would be refused, or many "
                    "times slower.", f"Set 'Precision' (mixed_precision) to fp16{also}.", "", mixed_precision="fp16", **fix)]


def _capability(gpu: Gpu) -> float:
    """Its compute capability; one that is not told counts as new, so that nobody is stopped for it."""
    with contextlib.suppress(ValueError):
        return float(gpu.capability)
    return BF16_CAPABILITY


def _precision_without_gpu(settings: TrainingSettings, backend: str, lack: str) -> list[Finding]:
    precision = settings.memory.mixed_precision
    if precision == "no":
        return []
    does = "the built-in trainer computes in full precision instead"
    if backend != "builtin":
        # fp16: accelerate's own check ("fp16 mixed precision requires a GPU"); bf16 is imitated by most processors.
        does = f"{backend} refuses to train" if precision == "fp16" else f"{backend} imitates it, slower than full precision"
    memory = settings.memory
    halves = ("full_fp16", "full_bf16", "fp8_base", "fp8_base_unet", "fp8_scaled")
    also: dict[str, Any] = {name: False for name in halves if getattr(memory, name)}
    return [finding("warning", f"The precision is {precision}, which is for a GPU, and {lack}: {does}.",
                    "Set 'Precision' (mixed_precision) to no, or train on a machine with a GPU.", "", mixed_precision="no", **also)]


def _optimizer_without_gpu(settings: TrainingSettings, lack: str) -> list[Finding]:
    """bitsandbytes works on a processor only since its pull request 1901 (March 2026)."""
    if settings.optimizer.optimizer_type != "AdamW8bit":
        return []
    return [finding("warning", f"The optimizer is AdamW8bit, which saves memory of a GPU, and {lack}: it gains nothing, "
                    "and older versions of its package, bitsandbytes, refuse to work without one.", ADAMW, optimizer_type="AdamW")]


def _optimizer_package(settings: TrainingSettings, backend: str) -> list[Finding]:
    """Whether the environment of sd-scripts has bitsandbytes; the built-in trainer looks after its own (`BuiltinBackend.check`)."""
    from core.training.backends.checkouts import interpreter_of

    python = interpreter_of(backend) if backend != "builtin" else None
    if settings.optimizer.optimizer_type != "AdamW8bit" or python is None:
        return []
    environment = python.parent.parent
    packages = list(environment.glob("lib/python3*/site-packages"))
    if not packages or any((folder / "bitsandbytes").is_dir() for folder in packages):
        return []
    return [finding("warning", f"The optimizer is AdamW8bit, but its package, bitsandbytes, is not in the environment {environment}.",
                    f"{ADAMW} Or run: {python} -m pip install bitsandbytes", optimizer_type="AdamW")]
