"""Each number of a plan with the sum that it comes from, in words for people who have never worked it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.base.words import counted
from core.training.calculating.counted import Plan
from core.training.config.counting import DEFAULT_STEPS
from core.training.config.sources import LONGEST
from core.training.duration import rough_time

MOST_SHAPES = 6
"""Training sizes whose sums are written out."""


@dataclass(frozen=True)
class Line:
    """One number."""

    what: str
    value: str
    how: str
    """The sum, with the numbers put in."""


def explain(plan: Plan, hour: float = 0.0) -> list[Line]:
    """From the pictures to the price. Args: hour: the price of one; 0: not known."""
    return [_epoch(plan), _batches(plan), _steps_of_epoch(plan), _steps(plan), _seen(plan), *_at_once(plan), _saves(plan), _time(plan),
            *_price(plan, hour)]


def _epoch(plan: Plan) -> Line:
    learned, images = plan.learned, plan.totals.images
    sums = " + ".join(f"{kept:,} × {repeats:,}" for _, kept, repeats in learned)
    of_learned = sum(kept * repeats for _, kept, repeats in learned)
    words = "pictures × repeats" if len(learned) == 1 else "pictures × repeats of each folder"
    how = f"{words}: {sums} = {of_learned:,}."
    if held := sum(count - kept for count, kept, _ in learned):
        how += f" {many(held, 'picture')} of {sum(count for count, _, _ in learned):,} {_is(held)} kept for validation and not learned."
    if images > of_learned:
        how += (f" As many regularisation pictures come beside them: {images - of_learned:,}, taken again and again where there are fewer.")
    return Line("Pictures of an epoch", f"{images:,}", f"{how[:1].upper()}{how[1:]} An epoch goes through all of them once.")


def _batches(plan: Plan) -> Line:
    size, sizes, batches = plan.settings.data.batch_size, plan.buckets, plan.totals.batches_per_epoch
    value = f"{batches:,}"
    if size == 1:
        return Line("Batches of an epoch", value, "One picture is a batch.")
    if len(sizes) == 1:
        if sizes[0] < size:
            return Line("Batches of an epoch", value, f"All {sizes[0]:,} are in one batch, which has room for {size}.")
        rest = sizes[0] % size
        last = "" if not rest else f", rounded up: the last one has {rest}"
        return Line("Batches of an epoch", value, f"{sizes[0]:,} pictures ÷ {size} in a batch{last}.")
    how = f"Pictures of a batch must have one shape, and yours have {len(sizes)}, each with batches of {size} and a last one with the rest"
    if len(sizes) <= MOST_SHAPES:
        how += ": " + " + ".join(f"{number:,} ÷ {size}" for number in sizes)
        how += " = " + " + ".join(f"{-(-number // size):,}" for number in sizes)
    short = sum(number % size > 0 for number in sizes)
    return Line("Batches of an epoch", value, f"{how}. {short} of {batches:,} {_is(short)} not full." if short else f"{how}.")


def _steps_of_epoch(plan: Plan) -> Line:
    totals, gpus = plan.totals, plan.settings.machines.num_processes
    accumulated, mine = plan.settings.schedule.gradient_accumulation_steps, plan.totals.batches_of_process
    parts = []
    if gpus > 1:
        parts.append(f"{totals.batches_per_epoch:,} batches ÷ {gpus} GPUs = {mine:,} for each"
                     f"{', rounded up' if totals.batches_per_epoch % gpus else ''}.")
    if accumulated > 1:
        rest = mine % accumulated
        parts.append(f"{mine:,} batches ÷ {accumulated} that are added up for a step"
                     f"{f', rounded up: the last step of an epoch has {rest}' if rest else ''}.")
    return Line("Steps of an epoch", f"{totals.steps_per_epoch:,}", " ".join(parts) or "Each batch is one step.")


def _steps(plan: Plan) -> Line:
    totals, schedule = plan.totals, plan.settings.schedule
    if schedule.max_train_epochs is not None:
        how = f"{many(totals.steps_per_epoch, 'step')} × {many(schedule.max_train_epochs, 'epoch')}."
        return Line("Steps in all", f"{totals.steps:,}", how)
    unsaid = f"Neither epochs nor steps are given, so it is sd-scripts' own length, {DEFAULT_STEPS:,}"
    asked = "As asked" if schedule.max_train_steps else unsaid
    rest = totals.steps % totals.steps_per_epoch
    ends = f"the last epoch ends after {rest:,} of its {totals.steps_per_epoch:,} steps" if rest else "all of them whole"
    return Line("Steps in all", f"{totals.steps:,}", f"{asked}. That is {many(totals.epochs, 'epoch')}; {ends}.")


def _seen(plan: Plan) -> Line:
    epochs = number_words(plan.rounds)
    each = [f"{many(repeats, 'repeat')} × {epochs} epoch{'s' if epochs != '1' else ''}" for _, _, repeats in plan.learned]
    several = len(set(each)) > 1
    how = "; ".join(f"{words} = {number_words(times)}" for words, times in zip(each, plan.seen, strict=True)) if several else each[0]
    low, high = min(plan.seen), max(plan.seen)
    value = times_words(low) if number_words(low) == number_words(high) else f"{number_words(low)} to {times_words(high)}"
    return Line("Each picture is seen", value, f"{how}{' (of each folder)' if several else ''}.")


def _at_once(plan: Plan) -> Iterator[Line]:
    size, gpus = plan.settings.data.batch_size, plan.settings.machines.num_processes
    accumulated = plan.settings.schedule.gradient_accumulation_steps
    if gpus * accumulated > 1:
        how = [f"{size} in a batch", *([f"{gpus} GPUs"] if gpus > 1 else []), *([f"{accumulated} added up"] if accumulated > 1 else [])]
        yield Line("Pictures of a step", f"{size * gpus * accumulated:,}", f"{' × '.join(how)} (the effective batch).")


def _saves(plan: Plan) -> Line:
    saving, parts = plan.settings.saving, ["one at the end"]
    if saving.save_every_n_steps:
        parts.insert(0, f"one every {counted(saving.save_every_n_steps, 'step')}")
    if saving.save_every_n_epochs:
        often = "after each epoch" if saving.save_every_n_epochs == 1 else f"every {saving.save_every_n_epochs} epochs"
        parts.insert(0, f"one {often} but the last")
    words = ", ".join(parts)
    return Line("LoRA files saved", f"{plan.totals.saves:,}", f"{words[:1].upper()}{words[1:]}.")


def _time(plan: Plan) -> Line:
    expected = plan.expected
    if expected is None or not expected.whole:
        return Line("Time", "not known yet", "Measure a short run in the panel Check, or type the seconds of a step.")
    steps = expected.step * plan.totals.steps
    how = f"{many(plan.totals.steps, 'step')} × {expected.step:.3g} s ({expected.basis}) = {rough_time(steps)}"
    beside = expected.whole - steps
    if beside >= 0.005 * expected.whole:
        how += f", and {rough_time(beside)} for what comes beside them (loading, encoding, sample pictures, saving)"
    return Line("Time", f"about {rough_time(expected.whole)}", f"{how}.")


def _price(plan: Plan, hour: float) -> Iterator[Line]:
    if plan.price is not None and plan.expected is not None:
        hours = plan.expected.whole / 3600
        yield Line("Price", f"about {price_words(plan.price)}", f"{hours:.3g} hours × {hour:g} an hour.")


def notes_on(plan: Plan, typed: bool, several: bool) -> Iterator[str]:
    """What is worth a word. Args: typed: pictures were typed. several: the project's own have several shapes."""
    size, largest = plan.settings.data.batch_size, max(plan.buckets)
    if size > largest:
        of = "an epoch" if len(plan.buckets) == 1 else "any one shape"
        yield (f"The batch of {size} is larger than the {many(largest, 'picture')} of {of}, so that none is ever full: lower it, or raise "
               "the repeats.")
    if typed and several:
        yield "Typed pictures count as of one shape. Yours have several, which makes a few more batches: empty Pictures to count those."
    gpus, batches = plan.settings.machines.num_processes, plan.totals.batches_per_epoch
    if twice := plan.totals.batches_of_process * gpus - batches:
        yield f"{'1 batch' if twice == 1 else f'{twice:,} batches'} of an epoch {_is(twice)} seen twice, so that all GPUs get as many."
    if plan.totals.steps > LONGEST:
        yield f"{plan.totals.steps:,} steps are many: a LoRA seldom needs {LONGEST:,}."


def many(number: int, thing: str) -> str:
    """ "1 step", "1,200 steps"."""
    return counted(number, thing) if number == 1 else f"{number:,} {thing}s"


def number_words(number: float) -> str:
    """ "12", "1,200", "about 3.4": whole where it is."""
    return f"{number:,.0f}" if abs(number - round(number)) < 1e-9 else f"about {number:,.1f}"


def times_words(number: float) -> str:
    """ "once", "12 times"."""
    return "once" if number_words(number) == "1" else f"{number_words(number)} times"


def price_words(price: float) -> str:
    """Two digits behind the point, more where it would read as nothing."""
    return f"{price:,.2f}" if price >= 0.01 or not price else f"{price:.2g}"


def joined_words(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
