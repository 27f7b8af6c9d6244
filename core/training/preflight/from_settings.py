"""The training settings as preflight's functions take them; the only place of preflight that reads more of them than folders and sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.buckets import Size
from core.base.errors import ConfigError
from core.base.findings import Finding
from core.base.paths import place_of
from core.dataset.project import Project
from core.setup.hardware import GIB
from core.training.config.finding import finding
from core.training.outputs import state_in
from core.training.preflight.buckets import BucketPlan, check_buckets, plan_buckets
from core.training.preflight.caches import check_caches, find_stale
from core.training.preflight.disk import Need, cache_needs, check_disk, sample_bytes
from core.training.preflight.facts import facts_name
from core.training.preflight.memory import MemoryPlan, Precision, check_memory, estimate_memory
from core.training.preflight.pictures import Picture, pictures_of
from core.training.preflight.trained import trained_numbers
from core.training.room import room_of

if TYPE_CHECKING:
    from core.training.config import TrainingSettings
    from core.training.config.counting import Totals


def check_run(settings: TrainingSettings, project: Project, gpu_gib: float | None = None) -> list[Finding]:
    """Everything that preflight can say of a run without starting it, errors first.

    Args: gpu_gib: free memory of the GPU; None where there is none, and nothing is said of memory.
    Raises: DatasetError: the project's folder cannot be read.
    """
    pictures = pictures_of(settings.data.subsets)
    try:
        plan = plan_buckets(settings, pictures)
    except ConfigError as error:
        return [Finding("error", error.message, error.hint)]
    found = [*check_buckets(plan), *_state(settings, plan.totals), *_caches(settings, pictures),
             *check_disk(disk_needs(settings, plan, pictures, project))]
    if gpu_gib is not None:
        memory = memory_plan(settings, plan.largest())
        found += check_memory(estimate_memory(memory), gpu_gib, memory)
    return sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.level))


def memory_plan(settings: TrainingSettings, largest: Size) -> MemoryPlan:
    """What the memory of a run of these settings depends on. Args: largest: the largest bucket, px (`BucketPlan.largest`)."""
    optimizer, memory, data = settings.optimizer, settings.memory, settings.data
    trained = trained_numbers(settings)
    mixed, prompts = memory.mixed_precision != "no", settings.sampling.sample_prompts
    sizes = [(prompt.width or data.size[0], prompt.height or data.size[1]) for prompt in prompts]
    return MemoryPlan(
        facts_name(settings.model.family), largest, data.batch_size,
        adapter_numbers=trained.numbers, whole_model=trained.whole, train_text_encoders=trained.text > 0,
        optimizer=optimizer.optimizer_type, fused_backward=optimizer.fused_backward_pass, precision=_precision(settings), mixed=mixed,
        full_half=memory.full_fp16 or memory.full_bf16, gradient_checkpointing=memory.gradient_checkpointing,
        blocks_to_swap=settings.memory.blocks_to_swap or 0, vae_batch_size=settings.memory.vae_batch_size,
        cache_latents=data.cache_latents or data.cache_latents_to_disk, no_half_vae=settings.model.no_half_vae,
        cache_text=data.cache_text_encoder_outputs or data.cache_text_encoder_outputs_to_disk, samples=bool(sizes),
        sample_size=max(sizes, key=lambda size: size[0] * size[1]) if sizes else None)


def _precision(settings: TrainingSettings) -> Precision:
    """Of the base model's weights on the GPU."""
    memory = settings.memory
    if memory.fp8_base or memory.fp8_base_unet or memory.fp8_scaled:
        return "fp8"
    return "float" if memory.mixed_precision == "no" else "half"


def disk_needs(settings: TrainingSettings, plan: BucketPlan, pictures: Sequence[Sequence[Picture]], project: Project) -> list[Need]:
    """What a run of these settings writes, folder by folder. Args: pictures: of each folder, as they went into `plan`."""
    data, sampling = settings.data, settings.sampling
    latents, texts = data.cache_latents_to_disk, data.cache_text_encoder_outputs_to_disk
    needs = [Need("LoRA files and states", project.runs, round(room_of(settings).kept * GIB))]
    if sampling.sample_prompts:
        every = sampling.sample_every_n_epochs
        times = plan.totals.epochs // every if every else plan.totals.steps // (sampling.sample_every_n_steps or plan.totals.steps)
        needs.append(Need("samples", project.runs, sample_bytes(data.size, times * len(sampling.sample_prompts))))
    buckets = {(fate.folder, fate.name): fate.fit.bucket for fate in plan.fates if fate.repeats}
    for number, subset in enumerate(data.subsets):
        sizes = [buckets[number, picture.name] for picture in pictures[number] if (number, picture.name) in buckets]
        family = facts_name(settings.model.family)
        needs += cache_needs(family, place_of(subset.image_dir), sizes, latents, texts, data.flip_aug)
    return needs


def _state(settings: TrainingSettings, totals: Totals) -> Iterator[Finding]:
    """Whether the state to go on from is one, and lies before the end: trainers stop there only after everything is loaded and cached."""
    folder = place_of(settings.saving.resume) if settings.saving.resume else None
    if folder is None or not folder.exists():
        return
    state = state_in(folder)
    if state is None:
        yield finding("error", f"The state to resume from, {folder}, is not whole: a file of it is missing, empty or cut off.",
                      "Choose another state, or empty the setting 'Resume from' (resume).", resume=None)
    elif state.step >= totals.steps:
        yield finding("error", f"The state to resume from, {folder.name}, was saved at step {state.step}, but this run ends at step "
                      f"{totals.steps}.", "Train more epochs (max_train_epochs), or empty 'Resume from' (resume).", resume=None)


def _caches(settings: TrainingSettings, pictures: Sequence[Sequence[Picture]]) -> list[Finding]:
    """Of the folders whose caches the run would read."""
    data, found = settings.data, []
    if not (data.cache_latents_to_disk or data.cache_text_encoder_outputs_to_disk):
        return []
    for subset, folder in zip(data.subsets, pictures, strict=True):
        place: Path = place_of(subset.image_dir)
        if place.is_dir():
            known = {picture.name: picture.size for picture in folder if all(picture.size)}
            found += check_caches(find_stale(place, known, subset.caption_extension))
    return found
