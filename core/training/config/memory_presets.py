"""Settings for the memory of a GPU: by family and size, and nothing but what memory hangs on; the effective batch stays as it is.

The values stand in `presets/memory/FAMILY.toml`, each with its source; a size without a published figure says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from core.base.errors import ConfigError
from core.training.config.applying import why_not
from core.training.config.checks import new_errors
from core.training.config.families import trained_model
from core.training.config.pair import read_tables
from core.training.config.presets import FOLDER
from core.training.config.training import PARTS, TrainingSettings

SIZES = (8, 12, 16, 24, 48, 80)
"""GiB of GPU memory for which there are values."""
SMALL = {"AdamW": "AdamW8bit", "Lion": "Lion8bit", "SGDNesterov": "SGDNesterov8bit"}
"""Optimizers that also come with a state of a quarter the size, and the same arguments."""
CACHES = ("cache_latents", "cache_text_encoder_outputs")
"""Only ever switched on: what is cached takes no GPU memory, whatever its size."""
ABOUT = ("published", "needs", "at_most", "batch_size", "half_precision", "small_optimizer")
"""Keys of a table that are no setting of that name."""


@dataclass
class MemoryChange:
    """Settings fitted to a GPU, and what is to be said of it."""

    settings: TrainingSettings
    gib: int
    changed: list[str] = field(default_factory=list)
    """A sentence for each setting that is another one now."""
    doubts: list[str] = field(default_factory=list)
    """What may not fit all the same, or could not be changed, and why."""
    published: str = ""
    """Where the values are published; empty: they are reasoned, and were not measured."""

    def sentence(self) -> str:
        """What was done, in a line."""
        done = f"{len(self.changed)} setting{'s' if len(self.changed) != 1 else ''} changed" if self.changed else "nothing needs changing"
        basis = f"published by {self.published}" if self.published else "reasoned, not measured"
        return f"{self.gib} GB: {done} (values {basis}). The batch of a step stays at {effective_batch(self.settings)}."


def effective_batch(settings: TrainingSettings) -> int:
    """Pictures of one step: the batch times the batches that are accumulated."""
    return settings.data.batch_size * settings.schedule.gradient_accumulation_steps


def apply_memory(settings: TrainingSettings, gib: float) -> MemoryChange:
    """The settings for a GPU with so much memory; only what memory hangs on is changed.

    Args: gib: GPU memory; the values of the next smaller size of `SIZES` are taken.
    Raises: ConfigError: there is too little memory for any known values.
    """
    size = next((one for one in reversed(SIZES) if one <= gib), 0)
    if not size:
        raise ConfigError(f"There are no values for {gib:g} GB of GPU memory.", f"The least is {SIZES[0]} GB: rent a larger GPU.")
    change = MemoryChange(settings, size)
    if settings.model.method == "full":
        change.doubts.append("The whole model is trained, for which no values are known; they are for a LoRA.")
        return change
    tables = memory_tables(settings.model.family)
    table = tables[f"gb{size}"]
    change.published = table["published"]
    for values in _wanted(settings, table, tables["about"]["resolution"]):
        _try(change, values)
    change.changed = list(_differences(settings, change.settings))
    change.doubts += _doubts(change.settings, table, tables["about"]["resolution"], size)
    return change


@cache
def memory_tables(family: str) -> Mapping[str, Any]:
    """The values of a family by size: "gb8" … "gb80", and "about". Raises: ConfigError: its file is missing or wrong."""
    return read_tables(FOLDER / "memory" / f"{trained_model(family).name}.toml")


def _wanted(settings: TrainingSettings, table: Mapping[str, Any], resolution: int) -> Iterator[dict[str, Any]]:
    """One group of settings after the other that go together."""
    if settings.memory.mixed_precision == "no":
        yield {"mixed_precision": table["half_precision"]}
    if table["small_optimizer"] and settings.optimizer.optimizer_type in SMALL:
        yield {"optimizer_type": SMALL[settings.optimizer.optimizer_type]}
    for name, value in table.items():
        if name not in ABOUT and (name not in CACHES or value) and not why_not(settings, name):
            yield {name: None if value == 0 and not isinstance(value, bool) else value}
    width, height = settings.data.size
    most = max(1, int(table["batch_size"] * min(1.0, resolution ** 2 / (width * height))))
    whole = effective_batch(settings)
    batch = next(count for count in range(min(most, whole), 0, -1) if whole % count == 0)
    yield {"batch_size": batch, "gradient_accumulation_steps": whole // batch}


def _try(change: MemoryChange, values: dict[str, Any]) -> None:
    """Take a change over, unless it makes an error that was not there."""
    made = change.settings.with_fields(values)
    if made == change.settings:
        return
    wrong = new_errors(change.settings, made)
    if not wrong:
        change.settings = made
        return
    names = " and ".join(_title(name) for name in values)
    change.doubts.append(f"{names} would save memory, but stays as it is: {wrong[0].what}")


def _differences(before: TrainingSettings, after: TrainingSettings) -> Iterator[str]:
    for part, cls in PARTS.items():
        for name in cls.fields():
            old, new = getattr(getattr(before, part), name), getattr(getattr(after, part), name)
            if old != new:
                yield f"{_title(name)}: {_shown(old)} → {_shown(new)}."


def _doubts(settings: TrainingSettings, table: Mapping[str, Any], resolution: int, gib: int) -> Iterator[str]:
    """What the values take for granted and these settings do not have."""
    values = {name: value for part in PARTS for name, value in dict(getattr(settings, part)).items()}
    for name, wanted in table.get("needs", {}).items():
        if values[name] != wanted:
            yield f"The values for {gib} GB are for {_title(name)} {_shown(wanted)}, which is {_shown(values[name])}: it may not fit."
    for name, most in table.get("at_most", {}).items():
        if values[name] > most:
            yield f"The values for {gib} GB are for {_title(name)} up to {most}, which is {values[name]}: it may not fit."
    width, height = settings.data.size
    if width * height > resolution ** 2:
        yield f"The values are for {resolution} x {resolution} px; {width} x {height} takes more."
    if settings.optimizer.optimizer_type not in (*SMALL.values(), "PagedAdamW8bit", "PagedLion8bit", "Adafactor"):
        yield f"The optimizer {settings.optimizer.optimizer_type} stays, for another one learns otherwise; it takes more than 8-bit ones."
    if settings.network.train_t5xxl and not why_not(settings, "train_t5xxl"):
        yield "T5 is taught too, which takes far more than these values allow for."


def _title(name: str) -> str:
    """A setting as it is called on screen, with its name."""
    title = next(cls.fields()[name].title for cls in PARTS.values() if name in cls.fields())
    return f"'{title}' ({name})"


def _shown(value: Any) -> str:
    return {True: "on", False: "off", None: "none"}.get(value, str(value)) if isinstance(value, bool) or value is None else str(value)
