"""What this machine makes of a training: precision and optimizer of its GPU, what a machine without one does, and how long it takes."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, StudioError
from core.base.findings import Finding
from core.setup.hardware import GpuReport, read_gpus

if TYPE_CHECKING:
    from core.setup.hardware import Gpu
    from core.training.config import TrainingSettings

BF16_CAPABILITY = 8.0
"""Compute capability from which a GPU computes bf16 itself: Ampere (CUDA C++ Programming Guide, table of arithmetic throughput)."""
NEEDS_NO_GPU = 500_000_000
"""Bytes of a base model below which a processor trains it in minutes, as the demo's; the smallest that people use have 1.7e9."""
CORE_SPEED = 55e9
"""Floating point operations in a second of one core, as a step of Stable Diffusion 1.5 of full size reached it on two cores."""
WORTH_A_WARNING = 3600.0
"""Seconds above which a training without a GPU is worth a look."""
LATEST_RUNS = 20
"""Of a project's runs that are looked through for their speed."""
GPU_REMEDY = "Train on a machine with a GPU (README, 'Where it runs'); for a trial here lower the resolution, the repeats or the epochs."

ADAMW = "Set 'Optimizer' (optimizer_type) to AdamW, which learns the same."


@dataclass(frozen=True)
class Work:
    """Floating point operations of one pass forward; counted with torch's FlopCounterMode on the families' own layers."""

    pixel: float
    """Of the U-Net, for each pixel of the picture."""
    caption: float
    """Of the text encoders, for each caption of 225 tokens."""


WORK = {"sd15": Work(3.1e6, 4e10), "sdxl": Work(6.6e6, 3.3e11)}


def check_machine(settings: TrainingSettings, backend: str, project_folder: Path) -> list[Finding]:
    """What this machine does otherwise than the settings ask for, and how long the training takes on it.

    With a GPU: whether it computes in the precision. Without: that, the optimizer, and an estimate of the time, which is left out for
    models so small that they take minutes. An Apple GPU, which sd-scripts can use and nvidia-smi does not see, is not judged.
    """
    report = read_gpus()
    if report.gpus:
        found = _precision_of(report.gpus, settings)
    elif sys.platform == "darwin" and backend == "sd-scripts":
        return []
    else:
        found = [*_precision_without_gpu(settings, backend), *_optimizer_without_gpu(settings)]
    return [*_how_long(settings, backend, project_folder, report), *found, *_optimizer_package(settings, backend)]


def _precision_of(gpus: tuple[Gpu, ...], settings: TrainingSettings) -> list[Finding]:
    """Does the best GPU compute in the precision that is asked for?

    Without bf16 of its own, accelerate (sd-scripts) refuses it or torch imitates it, many times slower than fp16.
    """
    if settings.memory.mixed_precision != "bf16" or any(_capability(gpu) >= BF16_CAPABILITY for gpu in gpus):
        return []
    also = " and switch 'All in bf16' (full_bf16) off" if settings.memory.full_bf16 else ""
    return [Finding("error", f"The precision is bf16, which {gpus[0].name} does not compute itself: training would be refused, or many "
                    "times slower.", f"Set 'Precision' (mixed_precision) to fp16{also}.")]


def _capability(gpu: Gpu) -> float:
    """Its compute capability; one that is not told counts as new, so that nobody is stopped for it."""
    with contextlib.suppress(ValueError):
        return float(gpu.capability)
    return BF16_CAPABILITY


def _precision_without_gpu(settings: TrainingSettings, backend: str) -> list[Finding]:
    precision = settings.memory.mixed_precision
    if precision == "no":
        return []
    does = "the built-in trainer computes in full precision instead"
    if backend == "sd-scripts":
        # fp16: accelerate's own check ("fp16 mixed precision requires a GPU"); bf16 is imitated by most processors.
        does = "sd-scripts refuses to train" if precision == "fp16" else "sd-scripts imitates it, slower than full precision"
    return [Finding("warning", f"The precision is {precision}, which is for a GPU, and no NVIDIA GPU was found: {does}.",
                    "Set 'Precision' (mixed_precision) to no, or train on a machine with a GPU.")]


def _optimizer_without_gpu(settings: TrainingSettings) -> list[Finding]:
    """bitsandbytes works on a processor only since its pull request 1901 (March 2026)."""
    if settings.optimizer.optimizer_type != "AdamW8bit":
        return []
    return [Finding("warning", "The optimizer is AdamW8bit, which saves memory of a GPU, and no NVIDIA GPU was found: it gains nothing, "
                    "and older versions of its package, bitsandbytes, refuse to work without one.", ADAMW)]


def _optimizer_package(settings: TrainingSettings, backend: str) -> list[Finding]:
    """Whether the environment of sd-scripts has bitsandbytes; the built-in trainer looks after its own (`BuiltinBackend.check`)."""
    from core.training.backends.sd_scripts import interpreter

    python = interpreter()
    if settings.optimizer.optimizer_type != "AdamW8bit" or backend != "sd-scripts" or python is None:
        return []
    environment = python.parent.parent
    packages = list(environment.glob("lib/python3*/site-packages"))
    if not packages or any((folder / "bitsandbytes").is_dir() for folder in packages):
        return []
    return [Finding("warning", f"The optimizer is AdamW8bit, but its package, bitsandbytes, is not in the environment {environment}.",
                    f"{ADAMW} Or run: {python} -m pip install bitsandbytes")]


def _how_long(settings: TrainingSettings, backend: str, project_folder: Path, report: GpuReport) -> list[Finding]:
    """The time of the whole training: as fast as a former run like it, else, without a GPU, by the work of a step."""
    steps, has_gpu = _steps(settings), bool(report.gpus)
    former = _former_speed(settings, backend, project_folder, has_gpu)
    if former is None and (has_gpu or is_small(settings)):
        return []
    seconds, basis = former or (_seconds_by_work(settings), f"a rough estimate for {_cores_words()}")
    what = f"A step takes about {rough_time(seconds)}"
    if steps:
        what = f"This training takes about {rough_time(steps * seconds)}: {steps} steps of about {rough_time(seconds)}"
    if has_gpu or is_small(settings) or 0 < steps * seconds <= WORTH_A_WARNING:
        return [Finding("info", f"{what} ({basis}).")]
    return [Finding("warning", f"{report.problem or 'No NVIDIA GPU was found on this machine.'} {what} ({basis}).", GPU_REMEDY)]


def _steps(settings: TrainingSettings) -> int:
    """Steps of the whole training, 0 while there is no picture."""
    from core.training.config.counting import count_steps
    from core.training.config.sources import image_counts

    try:
        return count_steps(settings, image_counts(settings)).steps
    except ConfigError:
        return 0


def is_small(settings: TrainingSettings) -> bool:
    """Whether the base model is so small that a processor trains it in minutes; one that is not here counts as of full size."""
    path = Path(settings.model.pretrained_model_name_or_path or "").expanduser()
    if path.is_file():
        return path.stat().st_size < NEEDS_NO_GPU
    weights = [file for ending in ("safetensors", "bin") for file in path.glob(f"unet/*.{ending}")]
    return bool(settings.model.pretrained_model_name_or_path and weights) and sum(file.stat().st_size for file in weights) < NEEDS_NO_GPU


def _seconds_by_work(settings: TrainingSettings) -> float:
    """Seconds of a step on this machine's processor.

    A pass backward is about as much work as one forward, since only the LoRA's own weights get gradients; with gradient_checkpointing
    the pass forward is done twice.
    """
    work, (width, height) = WORK[settings.model.family], settings.data.size
    unet = work.pixel * width * height * (3 if settings.memory.gradient_checkpointing else 2)
    text = work.caption * (0 if settings.network.network_train_unet_only else 3)
    pictures = settings.data.batch_size * settings.schedule.gradient_accumulation_steps
    return pictures * (unet + text) / (CORE_SPEED * _cores())


def _former_speed(settings: TrainingSettings, backend: str, project_folder: Path, has_gpu: bool) -> tuple[float, str] | None:
    """Seconds of a step, and what they were read from: the project's newest run of the same work on the same kind of machine."""
    from core.training.config.pair import pair_in
    from core.training.config.presets import load_settings
    from core.training.monitor.events import EventsReader
    from core.training.run import Run

    for run in Run.list(project_folder)[:LATEST_RUNS]:
        try:
            alike = run.backend == backend and _work_of(load_settings(pair_in(run.folder).settings)) == _work_of(settings)
        except StudioError:
            continue  # a run of an older version: its settings cannot be read any more
        if not alike:
            continue
        events = EventsReader(run.folder)
        events.read()
        was_gpu = str(events.start.get("device", "")).startswith("cuda")
        if events.seconds_per_step and "device" in events.start and was_gpu == has_gpu:
            return events.seconds_per_step, f"as fast as the run {run.id}"
    return None


def _work_of(settings: TrainingSettings) -> tuple[Any, ...]:
    """What the time of a step depends on."""
    data, network = settings.data, settings.network
    return (settings.model.pretrained_model_name_or_path, data.size, data.batch_size, settings.schedule.gradient_accumulation_steps,
            settings.memory, network.network_train_unet_only, network.network_train_text_encoder_only)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cores_words() -> str:
    return f"this machine's {_cores()} cores" if _cores() > 1 else "this machine's one core"


def rough_time(seconds: float) -> str:
    """ "0.4 s", "50 s", "12 min", "20 hours", "3 days": no more exact than an estimate is."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 3 else f"{max(seconds, 0.01):.1g} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"
