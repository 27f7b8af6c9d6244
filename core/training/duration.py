"""How long a training takes: as fast as a former run like it, else, without a GPU, by the work of its steps and sample pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, StudioError
from core.base.findings import Finding
from core.base.paths import place_of
from core.setup.hardware import cpu_cores

if TYPE_CHECKING:
    from core.training.config import TrainingSettings
    from core.training.config.counting import Totals

NEEDS_NO_GPU = 500_000_000
"""Bytes of a base model below which a processor trains it in minutes, as the demo's; the smallest that people use have 1.7e9."""
CORE_SPEED = 64e9
"""Floating point operations in a second of one core: a step of Stable Diffusion 1.5 of full size (128 px, batch 2, with checkpointing:
5.4e11 by `WORK`) takes 4.25 s on two cores, as `benchmarks/trainer.py` trains it beside sd-scripts."""
WORTH_A_WARNING = 3600.0
"""Seconds above which a training without a GPU is worth a look."""
LATEST_RUNS = 20
"""Of a project's runs that are looked through for their speed."""
SEEN_REMEDY = "Let torch see the GPU first, which takes a small part of that time."
GPU_REMEDY = "Train on a machine with a GPU (README, 'Where it runs'); for a trial here lower the resolution, the repeats or the epochs."


@dataclass(frozen=True)
class Work:
    """Floating point operations of one pass forward; counted with torch's FlopCounterMode on the families' own layers."""

    pixel: float
    """Of the U-Net, for each pixel of the picture."""
    caption: float
    """Of the text encoders, for each caption of 225 tokens."""


WORK = {"sd15": Work(3.1e6, 4e10), "sdxl": Work(6.6e6, 3.3e11)}
ENCODE_PIXEL, DECODE_PIXEL = 4.3e6, 9.6e6
"""Of the VAE, which both families have alike, for each pixel; counted in the same way at 512 px."""


def how_long(settings: TrainingSettings, backend: str, project_folder: Path, on_gpu: bool, reason: str) -> list[Finding]:
    """The time of the whole training with its sample pictures; nothing where there is nothing to go by, or no need.

    Args: on_gpu: whether the trainer computes on a GPU. reason: that there is none, as a sentence before a warning; empty: there is one,
        which torch does not see, and that is told already.
    """
    from core.training.measuring.outlook import measured_time

    if measured := measured_time(settings, backend, project_folder):
        what = f"{reason} This training takes about {rough_time(measured.whole)} ({measured.basis})."
        return [Finding("info", what.lstrip())]
    former = _former_speed(settings, backend, project_folder, on_gpu)
    if former is None and (on_gpu or settings.model.family not in WORK):
        return []
    if former is None and is_small(settings):
        return [Finding("info", f"{reason} The base model is so small that a processor is enough.")] if reason else []
    expected = expect(settings, former)
    what = f"A step takes about {rough_time(expected.step)}"
    if expected.steps:
        drawn = f", and {expected.pictures} sample picture{'s' if expected.pictures > 1 else ''}" if expected.pictures else ""
        what = (f"This training takes about {rough_time(expected.whole)}: {expected.steps} steps of about {rough_time(expected.step)}"
                f"{drawn}")
    if on_gpu or is_small(settings) or 0 < expected.whole <= WORTH_A_WARNING:
        return [Finding("info", f"{what} ({expected.basis}).")]
    return [Finding("warning", f"{reason} {what} ({expected.basis}).".lstrip(), GPU_REMEDY if reason else SEEN_REMEDY)]


@dataclass(frozen=True)
class Expected:
    """How long a training will take."""

    step: float
    """Seconds of a step."""
    basis: str
    """What it was worked out from."""
    steps: int = 0
    """0 while there is no picture."""
    pictures: int = 0
    """Sample pictures that are drawn."""
    whole: float = 0.0
    """Seconds of all steps and sample pictures; 0 while there is no picture."""


def expected_time(settings: TrainingSettings, backend: str, project_folder: Path, on_gpu: bool) -> Expected | None:
    """How long a training will take; None where there is nothing to go by: on a GPU that has not trained the like yet."""
    former = _former_speed(settings, backend, project_folder, on_gpu)
    if former is None and (on_gpu or settings.model.family not in WORK or is_small(settings)):
        return None
    return expect(settings, former)


def expect(settings: TrainingSettings, former: tuple[float, str] | None, totals: Totals | None = None) -> Expected:
    """As `expected_time`.

    Args:
        former: seconds of a step and what they were read from; None: by the work, on this machine's cores.
        totals: what the settings come to; None: with the pictures as they lie in their folders, as if all had one shape.
    """
    seconds, basis = former or (step_work(settings) / (CORE_SPEED * cpu_cores()), f"a rough estimate for {_cores_words()}")
    totals = totals or _totals(settings)
    if totals is None:
        return Expected(seconds, basis)
    if settings.model.family not in WORK:
        return Expected(seconds, basis, totals.steps, 0, seconds * totals.steps)
    beside, pictures = _work_beside_steps(settings, totals)
    return Expected(seconds, basis, totals.steps, pictures, seconds * (totals.steps + beside / step_work(settings)))


def _totals(settings: TrainingSettings) -> Totals | None:
    """What the whole training amounts to, None while there is no picture."""
    from core.training.config.sources import totals_of

    try:
        return totals_of(settings)
    except ConfigError:
        return None


def is_small(settings: TrainingSettings) -> bool:
    """Whether the base model is so small that a processor trains it in minutes; one that is not here counts as of full size."""
    if not settings.model.pretrained_model_name_or_path:
        return False
    path = place_of(settings.model.pretrained_model_name_or_path)
    if path.is_file():
        return path.stat().st_size < NEEDS_NO_GPU
    weights = [file for ending in ("safetensors", "bin") for file in path.glob(f"unet/*.{ending}")]
    return bool(weights) and sum(file.stat().st_size for file in weights) < NEEDS_NO_GPU


def step_work(settings: TrainingSettings) -> float:
    """Floating point operations of a step.

    A pass backward is about as much work as one forward, since only the LoRA's own weights get gradients; with gradient_checkpointing
    the pass forward is done twice. Latents that are not cached are encoded in each step.
    """
    work, (width, height) = WORK[settings.model.family], settings.data.size
    unet = work.pixel * (3 if settings.memory.gradient_checkpointing else 2)
    encode = 0 if settings.data.cache_latents else ENCODE_PIXEL
    text = work.caption * (0 if settings.network.network_train_unet_only else 3)
    pictures = settings.data.batch_size * settings.schedule.gradient_accumulation_steps
    return pictures * ((unet + encode) * width * height + text)


def _work_beside_steps(settings: TrainingSettings, totals: Totals) -> tuple[float, int]:
    """Floating point operations of the sample pictures, and of encoding each picture once where latents are cached; how many samples.

    A sample takes two passes of the U-Net a step, with its prompt and with the negative one, and at the end the VAE.
    """
    from core.training.config.sources import image_counts

    pixel, (width, height), times = WORK[settings.model.family].pixel, settings.data.size, times_drawn(settings, totals)
    prompts = settings.sampling.sample_prompts
    drawn = sum((prompt.width or width) * (prompt.height or height) * (2 * pixel * prompt.sample_steps + DECODE_PIXEL)
                for prompt in prompts)
    encoded = sum(image_counts(settings)) * width * height * ENCODE_PIXEL if settings.data.cache_latents else 0.0
    return times * drawn + encoded, times * len(prompts)


def times_drawn(settings: TrainingSettings, totals: Totals) -> int:
    """How often the samples are drawn, by sd-scripts' rules: the steps count only where no epochs are given."""
    sampling = settings.sampling
    first = int(sampling.sample_at_first)
    if sampling.sample_every_n_epochs:
        return first + totals.epochs // sampling.sample_every_n_epochs
    return first + (totals.steps // sampling.sample_every_n_steps if sampling.sample_every_n_steps else 0)


def _former_speed(settings: TrainingSettings, backend: str, project_folder: Path, on_gpu: bool) -> tuple[float, str] | None:
    """Seconds of a step, and what they were read from: the project's newest run of the same work on the same kind of machine.

    One that is at work is passed over: it tells another pace at every look, and is not at its usual one when it begins.
    """
    from core.training.run import Run

    wanted = _work_of(settings)
    for run in Run.list(project_folder)[:LATEST_RUNS]:
        if run.backend != backend or _work_written(run.folder, _stamps(run.folder, "settings.toml")) != wanted or run.is_active():
            continue
        seconds, was_gpu = _pace_of(run.folder, _stamps(run.folder, "events.jsonl", "log.txt"))
        if seconds and was_gpu == on_gpu:
            return seconds, f"as fast as the run {run.id}"
    return None


def _stamps(folder: Path, *names: str) -> tuple[tuple[int, int], ...]:
    """Size and time of files: only what has changed is read again, for this is asked at every change of the form."""
    stamps = []
    for name in names:
        try:
            told = (folder / name).stat()
            stamps.append((told.st_size, told.st_mtime_ns))
        except OSError:
            stamps.append((0, 0))
    return tuple(stamps)


@lru_cache(maxsize=4 * LATEST_RUNS)
def _work_written(folder: Path, stamps: tuple[tuple[int, int], ...]) -> tuple[Any, ...]:
    """The work of a run's steps; empty where its settings cannot be read any more. Args: stamps: of its file."""
    from core.training.run import Run

    try:
        return _work_of(Run(folder).written_settings())
    except StudioError:
        return ()  # a run of an older version


@lru_cache(maxsize=4 * LATEST_RUNS)
def _pace_of(folder: Path, stamps: tuple[tuple[int, int], ...]) -> tuple[float, bool]:
    """Seconds of a step of a run that has ended, 0 where it never told, and whether a GPU trained it. Args: stamps: of its files."""
    from core.training.monitor import read_status
    from core.training.monitor.events import EventsReader
    from core.training.run import Run

    run, events = Run(folder), EventsReader(folder)
    events.read()
    device = str(events.start.get("device", ""))
    try:
        seconds = events.seconds_per_step or read_status(run).seconds_per_step or 0.0
    except StudioError:
        seconds = 0.0
    return seconds, device.startswith("cuda") if device else bool(run.heartbeat().get("gpus"))


def _work_of(settings: TrainingSettings) -> tuple[Any, ...]:
    """What the time of a step depends on."""
    data, network = settings.data, settings.network
    return (settings.model.pretrained_model_name_or_path, data.size, data.batch_size, settings.schedule.gradient_accumulation_steps,
            settings.memory, data.cache_latents, network.network_type, network.network_train_unet_only,
            network.network_train_text_encoder_only)


def _cores_words() -> str:
    cores = cpu_cores()
    return "this machine's one core" if cores == 1 else f"this machine's {round(cores, 1):g} cores"


def rough_time(seconds: float) -> str:
    """ "0.4 s", "50 s", "12 min", "20 hours", "3 days": no more exact than an estimate is."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 3 else f"{max(seconds, 0.01):.1g} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"
