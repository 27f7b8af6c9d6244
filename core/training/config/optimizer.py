"""How fast it learns."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import field_validator

from core.base.settings import setting
from core.training.config.families import SD_SCRIPTS
from core.training.config.optimizers import find_optimizer
from core.training.config.part import Part

if TYPE_CHECKING:
    from core.training.config.training import TrainingSettings

LORA = {"method": ("lora",)}


class OptimizerSettings(Part):
    """How fast it learns, and with which optimizer."""

    title: ClassVar[str] = "Optimizer"
    section: ClassVar[str] = "optimizer"
    elsewhere: ClassVar[tuple[str, ...]] = ("text_encoder_lr", "text_encoder_lr2", "text_encoder_lr3", "optimizer_args")

    optimizer_type: str = setting(
        "AdamW8bit", "Optimizer", "AdamW8bit saves memory; Prodigy finds the rate itself; AdamW runs everywhere. Any class of "
        "pytorch_optimizer may be named, as pytorch_optimizer.CAME.", min_length=1, pattern=r"^[A-Za-z_][\w.]*$",
        also=("use_8bit_adam", "use_lion_optimizer"),
        source="training-reference: AdamW8bit for both families")
    unet_lr: float | None = setting(5e-4, "Learning rate, U-Net", "How fast the picture side learns.", ge=0, le=10, only=LORA,
                                    source="training-reference: SD 1.5 5e-4, SDXL 3e-4")
    text_encoder_lr: float | None = setting(1e-4, "Learning rate, text encoder", "How fast the text side learns; 0 leaves it as it is.",
                                            ge=0, le=10, only={**LORA, "family": SD_SCRIPTS},
                                            source="training-reference: SD 1.5 1e-4, SDXL 6e-5")
    text_encoder_lr2: float | None = setting(None, "Learning rate, second text encoder", "Of SDXL the larger one, of SD 3 CLIP-G, of "
                                             "FLUX.1 T5. Empty: as the first.", level="advanced", ge=0, le=10,
                                             only={**LORA, "family": ("sdxl", "sd3", "flux1")})
    text_encoder_lr3: float | None = setting(None, "Learning rate, third text encoder", "Of SD 3 T5. Empty: as the first.",
                                             level="expert", ge=0, le=10, only={**LORA, "family": ("sd3",)})
    learning_rate: float = setting(5e-4, "Learning rate", "Used where no rate of its own is given above; of the whole model, where that is "
                                   "trained, and of all that musubi-tuner trains (FLUX.2, Qwen-Image, Z-Image, Kontext).",
                                   level="advanced", ge=0, le=10)
    train_text_encoder: bool = setting(False, "Text encoders too", "Also train the text encoders of the whole model; of SD 1.5 and 2 they "
                                       "always are.", level="advanced", only={"method": ("full",)})
    learning_rate_te: float | None = setting(None, "Rate of the text encoder", "Empty: the learning rate above.", level="advanced", ge=0,
                                             le=10, only={"method": ("full",), "family": ("sd15", "sd2")})
    learning_rate_te1: float | None = setting(None, "Rate of the first text encoder", "Empty: the learning rate above.", level="advanced",
                                              ge=0, le=10, only={"method": ("full",), "family": ("sdxl", "sd3")})
    learning_rate_te2: float | None = setting(None, "Rate of the second text encoder", "Empty: the learning rate above.", level="advanced",
                                              ge=0, le=10, only={"method": ("full",), "family": ("sdxl", "sd3")})
    learning_rate_te3: float | None = setting(None, "Rate of the third text encoder", "Empty: the learning rate above.", level="expert",
                                              ge=0, le=10, only={"method": ("full",), "family": ("sd3",)})
    self_attn_lr: float | None = setting(None, "Rate of self-attention", "Empty: the U-Net's rate; 0 leaves it alone.", level="expert",
                                         ge=0, le=10, only={"family": ("anima",)})
    cross_attn_lr: float | None = setting(None, "Rate of cross-attention", "Empty: the U-Net's rate; 0 leaves it alone.", level="expert",
                                          ge=0, le=10, only={"family": ("anima",)})
    mlp_lr: float | None = setting(None, "Rate of the feed-forward layers", "Empty: the U-Net's rate; 0 leaves them alone.", level="expert",
                                   ge=0, le=10, only={"family": ("anima",)})
    mod_lr: float | None = setting(None, "Rate of modulation", "Empty: the U-Net's rate; 0 leaves it alone.", level="expert", ge=0, le=10,
                                   only={"family": ("anima",)})
    llm_adapter_lr: float | None = setting(None, "Rate of the LLM adapter", "Empty: the U-Net's rate; 0 leaves it alone.", level="expert",
                                           ge=0, le=10, only={"family": ("anima",)})
    optimizer_args: list[str] = setting([], "More optimizer arguments", "Each as name=value, e.g. weight_decay=0.1 or betas=0.9,0.99.",
                                        level="advanced")
    max_grad_norm: float = setting(1.0, "Gradient limit", "Longer gradients are cut to this length; 0 means no limit.", level="expert",
                                   ge=0)
    fused_backward_pass: bool = setting(False, "Update while going back", "Each layer is updated as soon as its gradient is known: "
                                        "far less memory, with Adafactor and one batch a step only.", level="expert",
                                        only={"method": ("full",)})

    @field_validator("optimizer_type")
    @classmethod
    def _as_it_is_called(cls, value: str) -> str:
        """sd-scripts minds no capitals: "prodigy" is Prodigy, for everybody who asks what it is."""
        return find_optimizer(value) or value

    def arguments(self, whole: TrainingSettings) -> dict[str, Any]:
        """As `Part.arguments`; `text_encoder_lr` is a list, as sd-scripts' parser makes it."""
        values, acting = super().arguments(whole), self.acting(whole)
        if "text_encoder_lr" in acting:
            more = [acting.get(f"text_encoder_lr{number}") for number in (2, 3)]
            last = max((number for number, rate in enumerate(more, start=1) if rate is not None), default=0)
            values["text_encoder_lr"] = [self.text_encoder_lr, *(self.text_encoder_lr if rate is None else rate for rate in more[:last])]
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
