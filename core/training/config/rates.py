"""Which learning rates take part: by the parts of the model that learn, as the trainer's script reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.training.config.applying import FULL, why_not
from core.training.config.families import trained_model

if TYPE_CHECKING:
    from core.training.config.training import TrainingSettings

ALWAYS_TAUGHT = ("sd15", "sd2")
"""Families of which the whole model is never trained without its text encoder (train_db.py)."""
TEXT_RATES = {"lora": ("text_encoder_lr", "text_encoder_lr2", "text_encoder_lr3"),
              FULL: ("learning_rate_te", "learning_rate_te1", "learning_rate_te2", "learning_rate_te3")}
LAYER_RATES = ("self_attn_lr", "cross_attn_lr", "mlp_lr", "mod_lr", "llm_adapter_lr")
"""Of Anima's layers, where the whole model is trained."""
RATES = ("learning_rate", "unet_lr", *TEXT_RATES["lora"], *TEXT_RATES[FULL], *LAYER_RATES)
"""Every setting that is a learning rate."""


@dataclass(frozen=True)
class Rates:
    """Names of settings and the rates that hold, for each part that learns; a part that does not learn has none."""

    unet: Mapping[str, float]
    text: Mapping[str, float]

    @property
    def all(self) -> dict[str, float]:
        """Both parts together."""
        return {**self.unet, **self.text}


def learning_rates(settings: TrainingSettings) -> Rates:
    """The rates of a run of these settings; one that is not given is the one that it falls back to."""
    optimizer, network, method = settings.optimizer, settings.network, settings.model.method
    if trained_model(settings.model.family).trainer == "musubi":
        return Rates({"learning_rate": optimizer.learning_rate}, {})
    if method == FULL:
        taught = optimizer.train_text_encoder or settings.model.family in ALWAYS_TAUGHT
        layers = {name: rate for name in LAYER_RATES if (rate := getattr(optimizer, name)) is not None and not why_not(settings, name)}
        return Rates({"learning_rate": optimizer.learning_rate, **layers}, _text(settings, optimizer.learning_rate) if taught else {})
    unet = {"unet_lr": optimizer.learning_rate if optimizer.unet_lr is None else optimizer.unet_lr}
    usual = optimizer.learning_rate if optimizer.text_encoder_lr is None else optimizer.text_encoder_lr
    return Rates({} if network.network_train_text_encoder_only else unet,
                 {} if network.network_train_unet_only else {"text_encoder_lr": usual, **_text(settings, usual)})


def _text(settings: TrainingSettings, usual: float) -> dict[str, float]:
    """The rates of the text encoders that act."""
    names = [name for name in TEXT_RATES[settings.model.method] if not why_not(settings, name)]
    given = {name: getattr(settings.optimizer, name) for name in names}
    return {name: usual if rate is None else rate for name, rate in given.items()}
