"""How large the LoRA is, and which parts of the model it touches."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from core.base.settings import setting
from core.training.config.part import Family, Part


class NetworkSettings(Part):
    """How large the LoRA is, and which parts of the model it touches."""

    title: ClassVar[str] = "LoRA"
    section: ClassVar[str] = "network"
    elsewhere: ClassVar[tuple[str, ...]] = ("conv_dim", "conv_alpha", "ema_decay", "network_args")

    network_module: Literal["networks.lora"] = setting("networks.lora", "Network", "Plain LoRA; with a convolution rank it is LoCon.",
                                                       level="expert")
    network_dim: int = setting(16, "Rank", "How much the LoRA can hold. 8 to 32 is usual; more makes a larger file.", ge=1, le=1024,
                               source="training-reference: SD 1.5 16, SDXL 8")
    network_alpha: float = setting(8.0, "Alpha", "Scales what is learned by alpha / rank. Half the rank is usual; the rank for Prodigy.",
                                   gt=0, source="training-reference: SD 1.5 8, SDXL 4")
    conv_dim: int | None = setting(None, "Convolution rank", "Also teach the 3×3 convolutions (LoCon); good for styles. Empty: not.",
                                   level="advanced", ge=1, le=512, source="training-reference: SD 1.5 8, SDXL style 16")
    conv_alpha: float | None = setting(None, "Convolution alpha", "Alpha of the convolutions; empty means 1.", level="advanced", gt=0)
    network_dropout: float | None = setting(None, "Dropout",
                                            "Chance that a neuron is left out of a step; against overfitting. Empty: none.",
                                            level="advanced", ge=0, lt=1)
    network_train_unet_only: bool = setting(False, "Only the U-Net", "Leave the text encoder as it is: less memory, weaker trigger word.",
                                            level="advanced")
    network_train_text_encoder_only: bool = setting(False, "Only the text encoder", "Leave the U-Net as it is.", level="expert")
    network_weights: str | None = setting(None, "Continue from LoRA", "A LoRA file whose weights are the starting point.", level="advanced")
    dim_from_weights: bool = setting(False, "Rank from that LoRA", "Take rank and alpha from the LoRA that is continued.", level="advanced")
    ema_decay: float | None = setting(None, "Average the weights", "Save a running average (EMA) with this decay, e.g. 0.99; the built-in "
                                      "trainer only, sd-scripts reads past it. Empty: off.", level="expert", gt=0, lt=1)
    network_args: list[str] = setting([], "More network arguments", "Each as name=value, as sd-scripts takes them.", level="expert")

    def arguments(self, family: Family) -> dict[str, Any]:
        """As `Part.arguments`; the convolutions' rank and alpha and the average go into `network_args`."""
        named = {"conv_dim": self.conv_dim, "conv_alpha": self.conv_alpha, "ema_decay": self.ema_decay}
        given = [*(f"{name}={value!r}" for name, value in named.items() if value is not None), *self.network_args]
        return {**super().arguments(family), **({"network_args": given} if given else {})}
