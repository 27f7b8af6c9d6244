"""The calculator on a project: what its numbers come to, ways to a target, and taking them into the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, StudioError
from core.dataset.project import Project
from core.training.calculating.back import TO_TARGET, Goal, Offer, find_offers, goal_of
from core.training.calculating.counted import Basis, Calculator, Plan, mark_of, shapes_of, spread, tried_values
from core.training.calculating.explained import Line, explain, joined_words, many, notes_on, price_words
from core.training.calculating.settings import CalculateSettings
from core.training.duration import rough_time

if TYPE_CHECKING:
    from core.training.config import TrainingSettings


@dataclass(frozen=True)
class CalculateReport:
    """What came out."""

    plan: Plan
    lines: tuple[Line, ...]
    offers: tuple[Offer, ...] = ()
    target: str = ""
    """What the offers come near to, in words."""
    notes: tuple[str, ...] = ()
    taken: str = ""
    """What became of the project's settings."""
    own: Plan | None = None
    """The same numbers with the project's own pictures, which are what is trained; None: they are those of the plan, or there are none."""

    def headline(self) -> str:
        """Steps, time and price in one line."""
        return _headline(self.plan)

    def own_words(self) -> str:
        """What the numbers come to with the project's own pictures; empty: to the same."""
        if self.own is None or self.own.totals.steps == self.plan.totals.steps:
            return ""
        pictures = sum(count for count, _, _ in self.own.learned)
        return f"With your project's own {many(pictures, 'picture')} these numbers give {_headline(self.own)}"

    def sentence(self) -> str:
        """The headline, and what is worth a word."""
        return " ".join(filter(None, [self.headline(), *self.notes, self.taken, self.own_words()]))

    def as_dict(self) -> dict[str, Any]:
        """For JSON and the terminal."""
        totals, plan = self.plan.totals, self.plan
        offers = [{"change": offer.what, "steps": offer.plan.totals.steps, "off": offer.off, "seconds": offer.plan.seconds,
                   "price": offer.plan.price, **{name: value for name, value in offer.values.items() if value}}
                  for offer in self.offers]
        rows = [{"": line.what, "amount": line.value, "how": line.how} for line in self.lines]
        rows += [{"": f"To {self.target}", "amount": offer.what, "how": _told_row(offer)} for offer in self.offers]
        own_steps = self.own.totals.steps if self.own is not None else totals.steps
        return {"images": totals.images, "batches_per_epoch": totals.batches_per_epoch, "steps_per_epoch": totals.steps_per_epoch,
                "steps": totals.steps, "own_steps": own_steps, "epochs": totals.epochs, "saves": totals.saves, "seen": list(plan.seen),
                "seconds": plan.seconds, "price": plan.price, "offers": offers, "notes": list(self.notes), "table": rows}


def _headline(plan: Plan) -> str:
    time = f", about {rough_time(plan.seconds)}" if plan.seconds else ""
    price = f", about {price_words(plan.price)}" if plan.price is not None else ""
    return f"{many(plan.totals.steps, 'step')} in {many(plan.totals.epochs, 'epoch')}{time}{price}."


def _told_row(offer: Offer) -> str:
    told = offer.told()
    steps, seen = many(offer.plan.totals.steps, "step"), f"each picture {told['Each picture']}"
    return ", ".join(filter(None, [steps, seen, told["Time"], told["Price"], told[TO_TARGET]]))


def basis_of(project: Project, settings: TrainingSettings, on_gpu: bool, before: Basis | None = None) -> Basis:
    """The project as it is now.

    Args:
        settings: with its own folder as it is learned from (`learned.learn_versions`).
        before: the one that was made last; the sizes of its pictures are not read again where none came, went or was replaced.
    """
    from core.training.config.sources import image_counts
    from core.training.finish.kept import price_of_hour

    counts = tuple(image_counts(settings))
    mark: tuple[Any, ...] = ()
    try:
        mark = mark_of(settings)
        shapes = before.shapes if before is not None and before.mark == mark else shapes_of(settings)
    except StudioError:  # told by the check; the sum is made without the shapes
        shapes = ()
    whole = tuple(map(len, shapes)) == counts
    return Basis(settings, counts, shapes if whole else (), project.folder, price_of_hour(project.folder), on_gpu,
                 settings.data.num_repeats is None, mark if whole else ())


def no_basis() -> Basis:
    """The usual settings, for numbers that are all typed."""
    from core.training.config import TrainingSettings

    return Basis(TrainingSettings(), fitted=True)


def calculate(basis: Basis, wanted: CalculateSettings) -> CalculateReport:
    """What the numbers come to, each with its sum, and ways to the target.

    Raises: ConfigError: no pictures, or numbers that do not fit each other. What is wrong with the target alone is a note.
    """
    calculator = Calculator(basis, wanted)
    plan, several = calculator.plan, len({shape for folder in basis.shapes for shape in folder if shape}) > 1
    notes, offers, target = list(notes_on(plan, calculator.typed, several)), list[Offer](), ""
    own, doubt = _of_own_pictures(basis, wanted)
    notes += [doubt] if doubt else []
    try:
        goal = goal_of(wanted, calculator)
        if goal is not None:
            offers, target = find_offers(calculator, goal), goal.words
            notes += _notes_on_target(calculator, goal, offers)
    except ConfigError as error:
        notes.append(str(error))
    return CalculateReport(plan, tuple(explain(plan, calculator.price_of_hour)), tuple(offers), target, tuple(notes),
                           own=own)


def _of_own_pictures(basis: Basis, wanted: CalculateSettings) -> tuple[Plan | None, str]:
    """What numbers for typed pictures come to with the project's own, or why they do not fit these."""
    if not wanted.images or not sum(basis.counts):
        return None, ""
    try:
        return Calculator(basis, wanted.changed(images=(), regularisation_images=None)).plan, ""
    except ConfigError as error:
        return None, f"These numbers do not fit your project's own pictures: {error}"


def _notes_on_target(calculator: Calculator, goal: Goal, offers: list[Offer]) -> list[str]:
    """What a person should know where the target is out of reach, or less than one epoch."""
    if not offers:
        least = goal.measure(calculator.with_numbers(steps=1))
        return [f"Even one step takes about {rough_time(least)}, more than {goal.words} allow."]
    epoch = goal.measure(calculator.with_numbers(1))
    if epoch > goal.value * 1.000001:
        return [f"The target ({goal.words}) is less than one epoch with these repeats, which has "
                f"{many(calculator.plan.totals.steps_per_epoch, 'step')}: lower the repeats, else some pictures are never seen."]
    return []


def with_taken(settings: TrainingSettings, project: Project, wanted: CalculateSettings) -> TrainingSettings:
    """The project's settings with the numbers that were tried, as far as they are settings. Raises: ConfigError: repeats that fit not."""
    from core.training.fitting import is_own

    changes = tried_values(wanted)
    if wanted.num_repeats:
        subsets = settings.data.subsets
        left = iter(spread(wanted.num_repeats, sum(not subset.is_reg for subset in subsets)))
        new = [subset if subset.is_reg else subset.changed(num_repeats=next(left)) for subset in subsets]
        own = [subset.num_repeats for subset in new if is_own(subset, project)]
        changes["data"] = {**changes.get("data", {}), "subsets": new, **({"num_repeats": own[0]} if own else {})}
    return settings.with_values(**changes)


def change_words(before: TrainingSettings, after: TrainingSettings) -> str:
    """What changed: "Epochs 10 → 8, Repeats 10 → 12"; empty: nothing did."""
    fields = {"data": ("batch_size", "validation_split"), "machines": ("num_processes",),
              "schedule": ("max_train_epochs", "max_train_steps", "gradient_accumulation_steps")}
    found = [f"Repeats {old.num_repeats} → {new.num_repeats}" for old, new in zip(before.data.subsets, after.data.subsets, strict=True)
             if old.num_repeats != new.num_repeats]
    for part, names in fields.items():
        for name in names:
            old_value, new_value = getattr(getattr(before, part), name), getattr(getattr(after, part), name)
            if old_value != new_value:
                title = type(getattr(before, part)).fields()[name].title
                found.append(f"{title} {_or_empty(old_value)} → {_or_empty(new_value)}")
    return joined_words(found)


def _or_empty(value: object) -> str:
    return "empty" if value is None else str(value)
