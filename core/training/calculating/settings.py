"""What the calculator is asked: numbers to try beside those of the project, and a target to work back from."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import field_validator

from core.base.settings import SET, Settings, setting

Target = Literal["none", "steps", "seen", "hours", "price"]
AS_KEPT = "Empty: as in the settings."


class CalculateSettings(Settings):
    """Numbers to try. What is empty is taken from the project's settings and pictures."""

    title: ClassVar[str] = "Calculator"

    images: tuple[int, ...] = setting((), "Pictures", "How many; with several folders a number for each. Empty: those of the project.")
    num_repeats: tuple[int, ...] = setting((), "Repeats", f"How often each is seen in one epoch; one number, or one for each folder. "
                                           f"{AS_KEPT}")
    max_train_epochs: int | None = setting(None, "Epochs", f"How often all of them are gone through. {AS_KEPT}", ge=1, le=10000)
    batch_size: int | None = setting(None, "Batch size", f"Pictures in one batch. {AS_KEPT}", ge=1, le=512)
    target: Target = setting("none", "Work back from", "What the training is to come to: ways that come nearest are offered.")
    goal: float | None = setting(None, "How much", "Steps, times, hours, or money in the currency of the price.", gt=0, le=1e9,
                                 only={"target": ("steps", "seen", "hours", "price")})
    gradient_accumulation_steps: int | None = setting(None, "Accumulate", f"Batches that make one step. {AS_KEPT}", level="advanced",
                                                      unit="batches", ge=1, le=10000)
    max_train_steps: int | None = setting(None, "Steps", f"A length in steps instead of epochs; used where Epochs is empty. {AS_KEPT}",
                                          level="advanced", ge=1, le=10**7)
    seconds_per_step: float | None = setting(None, "Seconds of a step", "Empty: as measured in the panel Check, else as fast as the "
                                             "project's last run like it.", level="advanced", unit="s", gt=0, le=1e6)
    price_per_hour: float | None = setting(None, "Price of an hour", "Empty: as told in After the run.", level="advanced", ge=0, le=1e6)
    num_processes: int | None = setting(None, "GPUs that train together", AS_KEPT, level="advanced", ge=1, le=1024)
    validation_split: float | None = setting(None, "Kept for validation", f"Share of the pictures that is only measured. {AS_KEPT}",
                                             level="advanced", ge=0, lt=1)
    regularisation_images: int | None = setting(None, "Regularisation pictures", "Beside the pictures that are typed above. Empty: none.",
                                                level="advanced", ge=0, le=10**6, only={"images": SET})
    backend: str = setting("builtin", "Trainer", "Whose speed counts: builtin, sd-scripts or musubi.", level="expert")
    take: bool = setting(False, "Take into the settings", "Also make these numbers the project's settings.", level="expert")

    @field_validator("images", "num_repeats")
    @classmethod
    def _at_least_one(cls, value: tuple[int, ...], info: object) -> tuple[int, ...]:
        name = getattr(info, "field_name", "")
        most = 10**6 if name == "images" else 10000
        if wrong := [number for number in value if not 1 <= number <= most]:
            raise ValueError(f"{cls.model_fields[name].title} must be numbers from 1 to {most:,}, but one is {wrong[0]:,}.")
        return value
