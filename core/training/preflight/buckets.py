"""What training makes of the real pictures: which size each gets, full and cut batches, steps by bucket; and what of it is worth a word."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.base.buckets import BucketRule, Fit, Fitter, Size
from core.base.errors import ConfigError
from core.base.findings import Finding
from core.base.words import counted
from core.training.config.counting import Totals, count_steps, held_back, repeats_of_images, split_of
from core.training.preflight.pictures import Picture

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

MUCH_CROPPED = 0.2
"""Share of the area above which it is named that a picture is cut."""
MUCH_ENLARGED = 1.5
"""Factor above which it is named that a picture is enlarged."""
MANY_IN_SHORT = 0.1
"""Share of an epoch's pictures that stand in batches that are not full, above which it is a warning."""
MANY_TWICE = 0.1
"""Share of an epoch's batches that are seen twice on several GPUs, above which it is a warning."""
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Fate:
    """What training makes of one picture."""

    name: str
    size: Size
    fit: Fit
    repeats: int
    """How often it comes up in one epoch; 0: a regularisation picture that is left out."""
    is_beyond: bool
    """It is longer or taller than any bucket."""
    folder: int = 0
    """Place of its folder among the settings' folders."""


@dataclass(frozen=True)
class BucketPlan:
    """The pictures of a run in their buckets."""

    rule: BucketRule
    batch_size: int
    processes: int
    fates: tuple[Fate, ...]
    unfit: tuple[tuple[str, str], ...]
    """Name of a picture that gets no size, and why."""
    held_back: int
    """Pictures that are only measured."""
    buckets: dict[Size, int]
    """Pictures with repeats in each training size, by size."""
    totals: Totals

    def batches(self) -> dict[Size, tuple[int, int]]:
        """Full batches of each bucket, and how many pictures its last, smaller batch has (0: there is none)."""
        return {size: divmod(count, self.batch_size) for size, count in self.buckets.items()}

    def too_small(self) -> dict[Size, int]:
        """Buckets that do not fill a single batch, with their pictures."""
        return {size: count for size, count in self.buckets.items() if count < self.batch_size}

    def twice(self) -> int:
        """Batches that are seen twice in an epoch, so that every process has as many."""
        return self.totals.batches_of_process * self.processes - self.totals.batches_per_epoch

    def largest(self) -> Size:
        """The bucket with the most pixels, which decides how much memory a step takes."""
        return max(self.buckets, key=lambda size: (size[0] * size[1], size))

    def sentence(self) -> str:
        """Buckets, batches, steps and epochs in one line."""
        low, high = min(self.buckets, key=lambda size: size[0] * size[1]), self.largest()
        sizes = _px(high) if low == high else f"{_px(low)} to {_px(high)}"
        shared = f", {self.totals.batches_of_process} for each of {self.processes} processes" if self.processes > 1 else ""
        totals, pictures = self.totals, counted(sum(self.buckets.values()), "picture")
        return (f"{pictures} with repeats in {counted(len(self.buckets), 'training size')} ({sizes}). In an epoch: "
                f"{totals.batches_per_epoch} batches{shared}, {counted(totals.steps_per_epoch, 'step')}; "
                f"in all {counted(totals.steps, 'step')}, {counted(totals.epochs, 'epoch')}.")


def plan_buckets(settings: TrainingSettings, pictures: Sequence[Sequence[Picture]], processes: int | None = None) -> BucketPlan:
    """Work out what a run of these settings makes of the pictures.

    Args:
        pictures: of each folder of `settings.data.subsets`, in the trainer's order: `preflight.pictures.pictures_of`.
        processes: GPUs that share the batches, over all machines; None: as the settings say.

    Raises: ConfigError: the resolution lies outside the limits, or there is no picture that can be trained.
    """
    processes = settings.machines.num_processes if processes is None else processes
    subsets, rule, (share, seed) = settings.data.subsets, rule_of(settings), held_back(settings)
    kept, measured = [], 0
    for subset, folder in zip(subsets, pictures, strict=True):
        split = split_of(len(folder), 0.0 if subset.is_reg else share, seed)
        kept.append([folder[place] for place in split.learned])
        measured += len(split.validated)
    repeats = repeats_of_images(subsets, [len(folder) for folder in kept])
    fates: list[Fate] = []
    unfit: list[tuple[str, str]] = []
    for number, (folder, times) in enumerate(zip(kept, repeats, strict=True)):
        more, without = fates_of(zip(folder, times, strict=True), rule, number)
        fates, unfit = fates + more, unfit + without
    buckets: dict[Size, int] = {}
    for fate in fates:
        if fate.repeats:
            buckets[fate.fit.bucket] = buckets.get(fate.fit.bucket, 0) + fate.repeats
    totals = count_steps(settings, [len(folder) for folder in pictures], list(buckets.values()), processes)
    return BucketPlan(rule, settings.data.batch_size, processes, tuple(fates), tuple(unfit), measured, dict(sorted(buckets.items())),
                      totals)


def rule_of(settings: TrainingSettings) -> BucketRule:
    """The settings' bucket rule. Raises: ConfigError: the resolution lies outside the limits."""
    data = settings.data
    return BucketRule(data.size, data.enable_bucket, data.min_bucket_reso, data.max_bucket_reso, data.bucket_reso_steps,
                      data.bucket_no_upscale).checked()


def fates_of(pictures: Iterable[tuple[Picture, int]], rule: BucketRule, folder: int = 0) -> tuple[list[Fate], list[tuple[str, str]]]:
    """What training makes of each picture of a folder with its repeats, and those that get no size, with the reason."""
    fates, unfit, fitter = [], [], Fitter(rule)
    ratios = [width / height for width, height in fitter.sizes]
    low, high = (min(ratios), max(ratios)) if rule.enable_bucket and not rule.bucket_no_upscale else (0.0, math.inf)
    for picture, repeats in pictures:
        size = picture.size
        try:
            fit = fitter.fit(size)
        except ConfigError as error:
            unfit.append((picture.name, str(error)))
        else:
            fates.append(Fate(picture.name, size, fit, repeats, not low <= size[0] / size[1] <= high, folder))
    return fates, unfit


def check_buckets(plan: BucketPlan) -> list[Finding]:
    """What of it is worth a word, errors first. The last finding says what the run amounts to."""
    found = [*_unfit(plan), *_short_batches(plan), *_beyond(plan), *_cropped(plan), *_enlarged(plan), *_processes(plan), *_left_out(plan)]
    return [*found, Finding("info", plan.sentence())]


def _unfit(plan: BucketPlan) -> list[Finding]:
    if not plan.unfit:
        return []
    name, reason = plan.unfit[0]
    return [Finding("error", f"{counted(len(plan.unfit), 'picture')} cannot be trained ({_some([one for one, _ in plan.unfit])}). "
                    f"{name}: {reason}", "Take them out of the folder, or mend them; the trainer would stop on them.")]


def _short_batches(plan: BucketPlan) -> list[Finding]:
    """sd-scripts, musubi-tuner and the built-in trainer all cut a bucket into batches, the last one smaller; none leaves a picture out."""
    size, rest = plan.batch_size, {bucket: left for bucket, (_, left) in plan.batches().items() if left}
    if size == 1 or not rest:
        return []
    in_short, all_pictures = sum(rest.values()), sum(plan.buckets.values())
    level: Literal["warning", "info"] = "warning" if in_short > MANY_IN_SHORT * all_pictures and len(plan.buckets) > 1 else "info"
    small = plan.too_small()
    lonely = f" {len(small)} of {len(plan.buckets)} buckets never fill one ({_some([f'{_px(one)}: {n}' for one, n in small.items()])})." \
        if small else ""
    return [Finding(level, f"{len(rest)} of {plan.totals.batches_per_epoch} batches of an epoch are smaller than the batch size of {size}."
                    f"{lonely} No picture is left out or doubled, but one in a small batch weighs more.",
                    "Crop those pictures to the proportions of the others, raise their repeats, or lower the batch size."
                    if level == "warning" else "")]


def _beyond(plan: BucketPlan) -> list[Finding]:
    return _named([fate for fate in plan.fates if fate.fit.cropped > MUCH_CROPPED and fate.is_beyond],
                  "is longer than any training size", "are longer than any training size", lambda fate: fate.fit.cropped,
                  lambda fate: f"{_px(fate.size)}, of which {fate.fit.cropped:.0%} is cut off",
                  "Crop them yourself, raise the longest side (max_bucket_reso), or lower the shortest (min_bucket_reso).")


def _cropped(plan: BucketPlan) -> list[Finding]:
    remedy = "Crop them yourself, so that what matters stays." if plan.rule.enable_bucket else \
        "Switch 'Keep proportions' (enable_bucket) on, or crop them yourself."
    return _named([fate for fate in plan.fates if fate.fit.cropped > MUCH_CROPPED and not fate.is_beyond],
                  f"loses more than {MUCH_CROPPED:.0%} of its area", f"lose more than {MUCH_CROPPED:.0%} of their area",
                  lambda fate: fate.fit.cropped, lambda fate: f"{fate.fit.cropped:.0%}", remedy)


def _enlarged(plan: BucketPlan) -> list[Finding]:
    found = [fate for fate in plan.fates if fate.fit.scale > MUCH_ENLARGED]
    return _named(found, f"is enlarged more than {MUCH_ENLARGED:g} times", f"are enlarged more than {MUCH_ENLARGED:g} times",
                  lambda fate: fate.fit.scale, lambda fate: f"{_px(fate.size)}, {fate.fit.scale:.1f} times",
                  "Upscale or reject them, lower the resolution, or switch 'Never enlarge' (bucket_no_upscale) on.")


def _named(fates: list[Fate], one: str, several: str, amount: Callable[[Fate], float], words: Callable[[Fate], str], remedy: str
           ) -> list[Finding]:
    """A warning that names the worst."""
    if not fates:
        return []
    worst = max(fates, key=amount)
    return [Finding("warning", f"{counted(len(fates), 'picture')} {one if len(fates) == 1 else several} "
                    f"(most: {worst.name}, {words(worst)}).", remedy)]


def _processes(plan: BucketPlan) -> list[Finding]:
    if not (twice := plan.twice()):
        return []
    batches, share = plan.totals.batches_per_epoch, twice / plan.totals.batches_per_epoch
    told = f"{batches} batches do not come out even on {plan.processes} GPUs: {twice} of them {_are(twice)} seen twice in an epoch."
    if batches < plan.processes:
        told = f"The batches of an epoch ({batches}) are fewer than the GPUs ({plan.processes}): some learn the same pictures."
    if share <= MANY_TWICE:
        return [Finding("info", told)]
    return [Finding("warning", told, "Raise the repeats (num_repeats), lower the batch size (batch_size), or train on fewer GPUs "
                    "(num_processes).")]


def _left_out(plan: BucketPlan) -> list[Finding]:
    found, left = [], sum(not fate.repeats for fate in plan.fates)
    if left:
        found.append(Finding("info", f"{counted(left, 'regularisation picture')} {_are(left)} left out: there are more of them than "
                             "pictures to learn, with their repeats.", "Raise the repeats of the pictures to learn, or take some away."))
    if plan.held_back:
        found.append(Finding("info", f"{counted(plan.held_back, 'picture')} {_are(plan.held_back)} held back for validation."))
    return found


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _px(size: Size) -> str:
    return f"{size[0]} x {size[1]}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
