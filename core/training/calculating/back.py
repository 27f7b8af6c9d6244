"""Back from a target: which epochs, repeats or steps come nearest to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from core.base.errors import ConfigError
from core.training.calculating.counted import Calculator, Plan
from core.training.calculating.explained import many, number_words, price_words, times_words
from core.training.calculating.settings import CalculateSettings
from core.training.duration import rough_time

MOST = {"max_train_epochs": 10_000, "num_repeats": 10_000, "max_train_steps": 10**7}
"""Bounds of the settings themselves."""
TO_TARGET = "Compared with the target"
"""The heading above how far a way is from it."""
NEAR = 2.0
"""Epochs and repeats together: epochs are looked for within half and twice as many as there are."""


@dataclass(frozen=True)
class Goal:
    """What is to be come to."""

    words: str
    value: float
    measure: Callable[[Plan], float]
    is_most: bool
    """Whether it must not be passed, as hours and money must not."""


@dataclass(frozen=True)
class Offer:
    """One way to it."""

    what: str
    """ "8 epochs", "12 repeats"."""
    plan: Plan
    off: float
    """What is missing (below 0) or too much, as a share of the target."""
    max_train_epochs: int | None = None
    max_train_steps: int | None = None
    num_repeats: tuple[int, ...] = ()
    """Empty: as they are."""
    is_present: bool = False
    """Whether it is what stands there already."""

    @property
    def values(self) -> dict[str, object]:
        """What of `CalculateSettings` it changes."""
        return {"max_train_epochs": self.max_train_epochs, "max_train_steps": self.max_train_steps,
                **({"num_repeats": self.num_repeats} if self.num_repeats else {})}

    def told(self) -> dict[str, str]:
        """What it gives, in words."""
        plan = self.plan
        low, high = number_words(min(plan.seen)), number_words(max(plan.seen))
        seen = low if low == high else f"{low} to {high}"
        change = f"{self.what}, as it is" if self.is_present else self.what
        return {"Change": change, "Steps": f"{plan.totals.steps:,}", "Epochs": number_words(plan.rounds), "Each picture": f"{seen} ×",
                "Time": rough_time(plan.seconds) if plan.seconds else "", "Price": price_words(plan.price) if plan.price else "",
                TO_TARGET: off_words(self.off)}


def off_words(off: float) -> str:
    """ "exactly", "1.2 % less", "twice as much"."""
    if abs(off) < 5e-4:
        return "exactly" if abs(off) < 1e-9 else "less than 0.1 % off"
    if off >= 1:
        return f"{1 + off:.3g} times as much"
    return f"{100 * abs(off):.2g} % {'more' if off > 0 else 'less'}"


def goal_of(wanted: CalculateSettings, calculator: Calculator) -> Goal | None:
    """The target; None: there is none. Raises: ConfigError: it is not said how much, or time or price are not known."""
    if wanted.target == "none":
        return None
    if wanted.goal is None:
        raise ConfigError("How much it is to come to is not said yet.", "Type it under How much.")
    value = wanted.goal
    if wanted.target == "steps":
        return Goal(many(math.ceil(value), "step"), value, lambda plan: plan.totals.steps, False)
    if wanted.target == "seen":
        return Goal(f"each picture seen {times_words(value)}", value, lambda plan: plan.seen[0], False)
    if not calculator.plan.seconds:
        raise ConfigError("How long a step takes is not known yet.",
                          "Type the seconds of a step, or measure a short run in the panel Check.")
    if wanted.target == "hours":
        return Goal(f"at most {value:g} hours", value * 3600, lambda plan: plan.seconds or 0.0, True)
    if not (hour := calculator.price_of_hour):
        raise ConfigError("The price of an hour is not known yet.", "Type it under Price of an hour.")
    return Goal(f"at most {price_words(value)}", value / hour * 3600, lambda plan: plan.seconds or 0.0, True)


def find_offers(calculator: Calculator, goal: Goal) -> list[Offer]:
    """Ways to the target, the nearest first; other epochs, other repeats, both, and a number of steps. Empty: the least is too much."""
    alone = [*_by_epochs(calculator, goal), *_by_repeats(calculator, goal)]
    best = min((abs(offer.off) for offer in alone), default=math.inf)
    found = [*alone, *(offer for offer in _by_both(calculator, goal) if abs(offer.off) < best - 1e-9), *_by_steps(calculator, goal)]
    return _present_once(sorted(found, key=lambda offer: abs(offer.off)), calculator.plan)


def _present_once(offers: Sequence[Offer], plan: Plan) -> list[Offer]:
    """What stands there already is one way at most, and called so."""
    there = [offer for offer in offers if offer.plan.settings == plan.settings]
    return [replace(offer, is_present=offer in there) for offer in offers if offer not in there[1:]]


def nearest(measure: Callable[[int], float], goal: float, most: int, is_most: bool = False) -> int | None:
    """The whole number from 1 on for which a measure that never falls comes nearest to the goal; of two as near the smaller.

    Args: is_most: the goal must not be passed. Returns: None: it is passed by 1 already.
    """
    if measure(1) > goal:
        return None if is_most else 1
    low, high = 1, 2
    while high < most and measure(high) <= goal:
        low, high = high, high * 2
    high = min(high, most)
    if measure(high) <= goal:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if measure(middle) <= goal else (low, middle)
    if is_most or goal - measure(low) <= measure(high) - goal:
        return _first_like(measure, low)
    return high


def _first_like(measure: Callable[[int], float], number: int) -> int:
    """The smallest number that measures the same: repeats that only fill a batch up give no more steps."""
    value, low = measure(number), 0
    while number - low > 1:
        middle = (low + number) // 2
        low, number = (middle, number) if measure(middle) < value else (low, middle)
    return number


def _offer(calculator: Calculator, goal: Goal, what: str, epochs: int | None = None, repeats: tuple[int, ...] = (),
           steps: int | None = None) -> Offer:
    plan = calculator.with_numbers(epochs, repeats or None, steps)
    return Offer(what, plan, goal.measure(plan) / goal.value - 1, epochs, steps, repeats)


def _by_epochs(calculator: Calculator, goal: Goal) -> Iterator[Offer]:
    epochs = nearest(lambda number: goal.measure(calculator.with_numbers(number)), goal.value, MOST["max_train_epochs"], goal.is_most)
    if epochs is not None:
        yield _offer(calculator, goal, many(epochs, "epoch"), epochs)


def _by_repeats(calculator: Calculator, goal: Goal) -> Iterator[Offer]:
    """The repeats of all folders in their proportions; the epochs stay. Not where a number of steps is what counts."""
    epochs = calculator.settings.schedule.max_train_epochs
    if epochs is None:
        return
    unit, most = _unit(calculator.repeats)
    times = nearest(lambda number: goal.measure(calculator.with_numbers(epochs, _times(unit, number))), goal.value, most, goal.is_most)
    if times is not None:
        repeats = _times(unit, times)
        yield _offer(calculator, goal, _repeats_words(repeats), epochs, repeats)


def _by_both(calculator: Calculator, goal: Goal) -> Iterator[Offer]:
    """The best pair of epochs near those that there are, and the repeats that go with them."""
    present = calculator.settings.schedule.max_train_epochs or calculator.plan.totals.epochs
    unit, most = _unit(calculator.repeats)
    tried = []
    for epochs in range(max(1, math.ceil(present / NEAR)), min(MOST["max_train_epochs"], math.floor(min(present, 25) * NEAR)) + 1):
        def measure(number: int, epochs: int = epochs) -> float:
            return goal.measure(calculator.with_numbers(epochs, _times(unit, number)))

        times = nearest(measure, goal.value, most, goal.is_most)
        if times is not None:
            tried.append(((abs(measure(times) - goal.value), abs(epochs - present)), epochs, _times(unit, times)))
    if tried:
        _, epochs, repeats = min(tried)
        yield _offer(calculator, goal, f"{many(epochs, 'epoch')}, {_repeats_words(repeats)}", epochs, repeats)


def _by_steps(calculator: Calculator, goal: Goal) -> Iterator[Offer]:
    steps = nearest(lambda number: goal.measure(calculator.with_numbers(steps=number)), goal.value, MOST["max_train_steps"], goal.is_most)
    if steps is not None:
        yield _offer(calculator, goal, f"{many(steps, 'step')} instead of epochs", steps=steps)


def _unit(repeats: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """The smallest repeats in the same proportions, and how many times as many there may be."""
    shared = math.gcd(*repeats)
    unit = tuple(number // shared for number in repeats)
    return unit, MOST["num_repeats"] // max(unit)


def _times(unit: Sequence[int], number: int) -> tuple[int, ...]:
    return tuple(number * one for one in unit)


def _repeats_words(repeats: Sequence[int]) -> str:
    return many(repeats[0], "repeat") if len(repeats) == 1 else f"{' and '.join(map(str, repeats))} repeats"
