"""What numbers come to, by the very counting that the trainers are held to: `config.counting`, buckets, the pace that was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.buckets import Fitter, Size, fitting_repeats
from core.base.errors import ConfigError, StudioError
from core.base.paths import place_of
from core.training.calculating.settings import CalculateSettings
from core.training.config.counting import Totals, count_steps, held_back, repeats_of_images, split_of
from core.training.duration import Expected, expect, expected_time

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

Pace = Callable[["TrainingSettings", Sequence[int], Totals], "Expected | None"]
"""How long settings take that come to these totals, with so many pictures in each folder; None: nobody knows."""
Shapes = tuple[tuple[Size | None, ...], ...]
"""The training size of each picture of each folder, in the trainer's order; None: it cannot be trained."""


@dataclass(frozen=True)
class Basis:
    """What the calculator begins from: a project as it is, or nothing but the usual settings."""

    settings: TrainingSettings
    counts: tuple[int, ...] = ()
    """Pictures in each folder of the settings."""
    shapes: Shapes = ()
    """Empty: not looked at, so that all count as of one shape."""
    folder: Path | None = None
    """The project's."""
    price: float = 0.0
    """Of an hour, as it was told; 0: nobody did."""
    on_gpu: bool = False
    fitted: bool = False
    """Whether the repeats of the project's own folder are fitted to its pictures."""
    mark: tuple[Any, ...] = ()
    """What the shapes hang on: they are found anew only where it is another."""


@dataclass(frozen=True)
class Plan:
    """A training with its numbers."""

    settings: TrainingSettings
    counts: tuple[int, ...]
    totals: Totals
    buckets: tuple[int, ...]
    """Pictures with repeats in each training size."""
    expected: Expected | None
    price: float | None
    """Of the whole; None: time or price of an hour is not known."""

    @cached_property
    def learned(self) -> tuple[tuple[int, int, int], ...]:
        """Of each folder to learn from: its pictures, how many of them are learned, their repeats."""
        share, _ = held_back(self.settings)
        return tuple((count, len(split_of(count, share).learned), subset.num_repeats)
                     for count, subset in zip(self.counts, self.settings.data.subsets, strict=True) if not subset.is_reg)

    @property
    def rounds(self) -> float:
        """Epochs; where the steps end within one, its share."""
        return self.totals.steps / self.totals.steps_per_epoch

    @property
    def seen(self) -> tuple[float, ...]:
        """How often each picture of each folder to learn from is seen in all."""
        return tuple(repeats * self.rounds for _, _, repeats in self.learned)

    @property
    def seconds(self) -> float | None:
        """Of the whole; None: not known."""
        return self.expected.whole if self.expected is not None and self.expected.whole else None


def bucket_sizes(settings: TrainingSettings, shapes: Shapes) -> dict[Size, int]:
    """Pictures with repeats in each training size, without those that are held back or cannot be trained."""
    if not shapes:
        return {}
    share, seed = held_back(settings)
    kept = [[shape[place] for place in split_of(len(shape), 0.0 if subset.is_reg else share, seed).learned]
            for subset, shape in zip(settings.data.subsets, shapes, strict=True)]
    sizes: dict[Size, int] = {}
    for folder, repeats in zip(kept, repeats_of_images(settings.data.subsets, [len(folder) for folder in kept]), strict=True):
        for size, times in zip(folder, repeats, strict=True):
            if size is not None and times:
                sizes[size] = sizes.get(size, 0) + times
    return dict(sorted(sizes.items()))


def shapes_of(settings: TrainingSettings) -> Shapes:
    """The training size of each picture as it lies in its folder; headers are read, no picture is decoded. Raises: DatasetError."""
    from core.training.preflight.buckets import rule_of
    from core.training.preflight.pictures import pictures_of

    fitter = Fitter(rule_of(settings))

    def fitted(size: Size) -> Size | None:
        try:
            return fitter.fit(size).bucket
        except ConfigError:
            return None

    return tuple(tuple(fitted(picture.size) for picture in folder) for folder in pictures_of(settings.data.subsets))


def mark_of(settings: TrainingSettings) -> tuple[Any, ...]:
    """Changes when pictures come, go or are replaced, or find other training sizes. Raises: ConfigError: wrong limits of the sizes."""
    from core.training.preflight.buckets import rule_of

    places = [place_of(subset.image_dir) for subset in settings.data.subsets]
    return rule_of(settings), *((place, place.stat().st_mtime_ns if place.is_dir() else 0) for place in places)


class Calculator:
    """Counts plans of one basis, each once.

    Args:
        basis: what is empty in `wanted` comes from it.
        wanted: the numbers to try.
    Raises: ConfigError: no pictures, or a number of repeats that fits no number of folders.
    """

    def __init__(self, basis: Basis, wanted: CalculateSettings) -> None:
        self.basis, self.wanted = basis, wanted
        self.typed = bool(wanted.images)
        self.counts, self.settings = _tried(basis, wanted)
        self._shapes = () if self.typed else basis.shapes
        self._pace = find_pace(basis, wanted, self.settings)
        self._known: dict[tuple[tuple[int, ...], int | None, int | None], Plan] = {}
        self.plan = self.with_numbers()

    @property
    def repeats(self) -> tuple[int, ...]:
        """Of the folders to learn from."""
        return tuple(subset.num_repeats for subset in self.settings.data.subsets if not subset.is_reg)

    def with_numbers(self, epochs: int | None = None, repeats: tuple[int, ...] | None = None, steps: int | None = None) -> Plan:
        """The plan with other numbers. Args: steps: the length instead of epochs. None for all: as it is."""
        schedule = self.settings.schedule
        if epochs is None and steps is None:
            epochs, steps = schedule.max_train_epochs, schedule.max_train_steps
        key = repeats or self.repeats, epochs, None if epochs else steps
        if key not in self._known:
            self._known[key] = self._count(with_repeats(self.settings, key[0]).with_values(
                schedule={"max_train_epochs": epochs, "max_train_steps": steps}))
        return self._known[key]

    def _count(self, settings: TrainingSettings) -> Plan:
        sizes = tuple(bucket_sizes(settings, self._shapes).values())
        totals = count_steps(settings, self.counts, sizes or None)
        expected = self._pace(settings, self.counts, totals)
        hour = self.price_of_hour
        price = hour * expected.whole / 3600 if hour and expected is not None and expected.whole else None
        return Plan(settings, self.counts, totals, sizes or (totals.images,), expected, price)

    @property
    def price_of_hour(self) -> float:
        """As typed, else as it was told; 0: not known."""
        return self.basis.price if self.wanted.price_per_hour is None else self.wanted.price_per_hour


def with_repeats(settings: TrainingSettings, repeats: Sequence[int]) -> TrainingSettings:
    """Args: repeats: of the folders to learn from, in their order."""
    left = iter(repeats)
    subsets = [subset if subset.is_reg else subset.changed(num_repeats=next(left)) for subset in settings.data.subsets]
    return settings.with_values(data={"subsets": subsets})


def _tried(basis: Basis, wanted: CalculateSettings) -> tuple[tuple[int, ...], TrainingSettings]:
    """Pictures in each folder, and the settings with the numbers that are tried. Raises: ConfigError."""
    from core.training.config import Subset

    settings, counts = basis.settings, basis.counts
    if wanted.images:
        had = [subset.num_repeats for subset in settings.data.subsets if not subset.is_reg]
        usual = had if len(had) == len(wanted.images) and not basis.fitted else [fitting_repeats(count) for count in wanted.images]
        subsets = [Subset(image_dir=f"folder {number}", num_repeats=repeats) for number, repeats in enumerate(usual, 1)]
        counts = wanted.images
        if wanted.regularisation_images:
            subsets.append(Subset(image_dir="regularisation", is_reg=True))
            counts = (*counts, wanted.regularisation_images)
        settings = settings.with_values(data={"subsets": subsets})
    if not sum(counts):
        raise ConfigError("There are no pictures to calculate with.", "Type how many there are under Pictures, or import some first.")
    if wanted.num_repeats:
        settings = with_repeats(settings, spread(wanted.num_repeats, sum(not subset.is_reg for subset in settings.data.subsets)))
    return tuple(counts), settings.with_values(**tried_values(wanted))


def spread(repeats: tuple[int, ...], folders: int) -> tuple[int, ...]:
    """One number for each folder. Raises: ConfigError: neither one for all nor one for each is given."""
    if len(repeats) not in (1, folders):
        raise ConfigError(f"There are {len(repeats)} numbers of repeats, but {folders} folders of pictures.",
                          "Give one number for all of them, or one for each.")
    return repeats if len(repeats) == folders else repeats * folders


def tried_values(wanted: CalculateSettings) -> dict[str, dict[str, object]]:
    """What `TrainingSettings.with_values` takes of the numbers that are tried, but repeats."""
    data: dict[str, object] = {name: value for name in ("batch_size", "validation_split") if (value := getattr(wanted, name)) is not None}
    schedule: dict[str, object] = {}
    if wanted.max_train_epochs:
        schedule["max_train_epochs"] = wanted.max_train_epochs
    elif wanted.max_train_steps:
        schedule |= {"max_train_epochs": None, "max_train_steps": wanted.max_train_steps}
    if wanted.gradient_accumulation_steps:
        schedule["gradient_accumulation_steps"] = wanted.gradient_accumulation_steps
    machines: dict[str, object] = {"num_processes": wanted.num_processes} if wanted.num_processes else {}
    return {part: values for part, values in (("data", data), ("schedule", schedule), ("machines", machines)) if values}


def find_pace(basis: Basis, wanted: CalculateSettings, settings: TrainingSettings) -> Pace:
    """How long steps of these settings take: as typed, as measured, else as fast as a former run like it, or an estimate."""
    from core.training.measuring.outlook import expected_of, fitting_measurement, outlook

    if (typed := wanted.seconds_per_step) is not None:
        return lambda settings, counts, totals: Expected(typed, "as typed", totals.steps, 0, typed * totals.steps)
    if basis.folder is None:
        return lambda settings, counts, totals: None
    measured = fitting_measurement(settings, wanted.backend, basis.folder)
    if measured is not None:
        def as_measured(settings: TrainingSettings, counts: Sequence[int], totals: Totals) -> Expected | None:
            found = outlook(measured, settings, counts, totals)
            return expected_of(found, measured) if found is not None else None

        return as_measured
    try:
        former = expected_time(settings, wanted.backend, basis.folder, basis.on_gpu)
    except StudioError:
        former = None
    if former is None:
        return lambda settings, counts, totals: None
    known = former.step, former.basis
    return lambda settings, counts, totals: expect(settings, known, totals)
