"""How long it learns, and how the rate changes on the way."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import field_validator

from core.base.settings import setting
from core.training.config.part import Part

Scheduler = Literal["linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup"]


class ScheduleSettings(Part):
    """How long it learns, and how the learning rate changes on the way."""

    title: ClassVar[str] = "Length and schedule"
    section: ClassVar[str] = "schedule"

    max_train_epochs: int | None = setting(10, "Epochs", "How often the whole dataset is seen. It goes before the number of steps.", ge=1,
                                           le=10000, source="training-reference: 10 epochs / about 2000 steps")
    max_train_steps: int | None = setting(None, "Steps", "Length in steps instead of epochs; used when epochs are empty.", level="advanced",
                                          unit="steps", ge=1)
    lr_scheduler: Scheduler = setting("cosine_with_restarts", "Schedule", "How the learning rate goes from start to end.",
                                      source="training-reference: cosine_with_restarts 3, warm-up 5 %")
    lr_warmup_steps: int | float = setting(0.05, "Warm-up", "Steps at the start in which the rate rises; below 1 a share of all steps.",
                                           level="advanced", ge=0)
    lr_scheduler_num_cycles: int = setting(3, "Restarts", "Number of cycles of cosine with restarts.", level="advanced", ge=1)
    lr_scheduler_power: float = setting(1.0, "Power", "Exponent of the polynomial schedule.", level="expert", gt=0)
    gradient_accumulation_steps: int = setting(1, "Accumulate", "Batches that make one step: a larger batch without more memory.",
                                               level="advanced", unit="batches", ge=1)

    @field_validator("lr_warmup_steps")
    @classmethod
    def _share_or_count(cls, value: float) -> float:
        """A float is a share of all steps for sd-scripts, so that a count must be an int."""
        return int(value) if value >= 1 else value
