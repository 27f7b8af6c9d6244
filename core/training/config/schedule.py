"""How long it learns, and how the rate changes on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import field_validator

from core.base.settings import setting
from core.training.config.part import Part

if TYPE_CHECKING:
    from core.training.config.training import TrainingSettings

Scheduler = Literal["linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "cosine_with_min_lr",
                    "warmup_stable_decay", "inverse_sqrt", "piecewise_constant", "rex"]
WITH_WARMUP = tuple(name for name in ("linear", "cosine", "cosine_with_restarts", "polynomial", "constant_with_warmup",
                                      "cosine_with_min_lr", "warmup_stable_decay", "inverse_sqrt", "rex"))


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
                                           level="advanced", ge=0, only={"lr_scheduler": (*WITH_WARMUP, "constant")})
    lr_decay_steps: int | float = setting(0.1, "Decay", "Steps at the end in which the rate falls; below 1 a share of all steps.",
                                          level="advanced", ge=0, only={"lr_scheduler": ("warmup_stable_decay",)})
    lr_scheduler_num_cycles: int = setting(3, "Restarts", "Number of cycles of cosine with restarts.", level="advanced", ge=1,
                                           only={"lr_scheduler": ("cosine_with_restarts", "cosine_with_min_lr", "warmup_stable_decay")})
    lr_scheduler_power: float = setting(1.0, "Power", "Exponent of the polynomial schedule.", level="expert", gt=0,
                                        only={"lr_scheduler": ("polynomial",)})
    lr_scheduler_min_lr_ratio: float | None = setting(None, "Lowest rate", "Where the rate ends, as a share of the full one. Empty: 0.",
                                                      level="advanced", ge=0, le=1,
                                                      only={"lr_scheduler": ("cosine_with_min_lr", "warmup_stable_decay", "rex")})
    lr_scheduler_timescale: int | None = setting(None, "Time scale", "Of inverse_sqrt: after so many steps the rate begins to fall. Empty: "
                                                 "the warm-up, or 10,000.", level="expert", ge=1, only={"lr_scheduler": ("inverse_sqrt",)})
    lr_scheduler_args: list[str] = setting([], "More schedule arguments", "Each as name=value; piecewise_constant needs "
                                           "step_rules='1:1000,0.1:2000,0.01'.", level="expert")
    gradient_accumulation_steps: int = setting(1, "Accumulate", "Batches that make one step: a larger batch without more memory.",
                                               level="advanced", unit="batches", ge=1)

    @field_validator("lr_warmup_steps", "lr_decay_steps")
    @classmethod
    def _share_or_count(cls, value: float) -> float:
        """A float is a share of all steps for sd-scripts, so that a count must be an int."""
        return int(value) if value >= 1 else value

    def arguments(self, whole: TrainingSettings) -> dict[str, Any]:
        """As `Part.arguments`; an empty list of arguments is not written."""
        values = super().arguments(whole)
        if not values.get("lr_scheduler_args"):
            values.pop("lr_scheduler_args", None)
        return values
