"""How fast it learns."""

from __future__ import annotations

import ast
from typing import Any, ClassVar, Literal

from core.base.settings import setting
from core.training.config.part import Family, Part


class OptimizerSettings(Part):
    """How fast it learns, and with which optimizer."""

    title: ClassVar[str] = "Optimizer"
    section: ClassVar[str] = "optimizer"
    elsewhere: ClassVar[tuple[str, ...]] = ("text_encoder_lr", "optimizer_args")

    optimizer_type: Literal["AdamW", "AdamW8bit", "Prodigy", "Adafactor"] = setting(
        "AdamW8bit", "Optimizer", "AdamW8bit saves memory; Prodigy finds the rate itself; AdamW runs everywhere.",
        source="training-reference: AdamW8bit for both families")
    unet_lr: float | None = setting(5e-4, "Learning rate, U-Net", "How fast the picture side learns.", ge=0, le=10,
                                    source="training-reference: SD 1.5 5e-4, SDXL 3e-4")
    text_encoder_lr: float | None = setting(1e-4, "Learning rate, text encoder", "How fast the text side learns; 0 leaves it as it is.",
                                            ge=0, le=10, source="training-reference: SD 1.5 1e-4, SDXL 6e-5")
    learning_rate: float = setting(5e-4, "Learning rate", "Used where no rate of its own is given above.", level="advanced", ge=0, le=10)
    optimizer_args: list[str] = setting([], "More optimizer arguments", "Each as name=value, e.g. weight_decay=0.1 or betas=0.9,0.99.",
                                        level="advanced")
    max_grad_norm: float = setting(1.0, "Gradient limit", "Longer gradients are cut to this length; 0 means no limit.", level="expert",
                                   ge=0)

    def arguments(self, family: Family) -> dict[str, Any]:
        """As `Part.arguments`; `text_encoder_lr` is a list, as sd-scripts' parser makes it."""
        values = super().arguments(family)
        if self.text_encoder_lr is not None:
            values["text_encoder_lr"] = [self.text_encoder_lr]
        if self.optimizer_args:
            values["optimizer_args"] = list(self.optimizer_args)
        return values

    def options(self) -> dict[str, Any]:
        """`optimizer_args` as names and Python values, read as sd-scripts reads them.

        Raises: ValueError: an argument is no `name=value`, or its value is no Python literal.
        """
        found: dict[str, Any] = {}
        for argument in self.optimizer_args:
            name, equals, value = argument.partition("=")
            if not equals or "=" in value or not name.strip():
                raise ValueError(f"{argument!r} is not name=value")
            try:
                found[name] = ast.literal_eval(value)
            except (SyntaxError, ValueError, TypeError) as error:
                raise ValueError(f"the value of {argument!r} is no number, True, False or quoted text") from error
        return found
