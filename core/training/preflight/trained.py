"""How many numbers a run trains and saves: those of its network, by kind and rank, or those of the whole model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.training.config.network_types import LYCORIS_TYPES
from core.training.config.rates import learning_rates
from core.training.preflight.facts import ModelFacts, facts_name, facts_of

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

TIMES_A_LORA: Mapping[str, float] = {"loha": 2, "glora": 2, "diag-oft": 0.5, "boft": 0.5, "oft": 0.5, "ia3": 0.01}
"""Numbers of a kind of network beside a LoRA of the same rank: LoHa and GLoRA have two pairs for each layer, those that turn one small
square for each part of a layer's outputs, (IA)³ one number for each output of some layers. Kinds that are not here have as many as a
LoRA."""
EVEN_FACTOR = 32
"""Into about how many parts LoKr splits a layer's sides where no factor is given: layers are 640 to 4096 wide."""


@dataclass(frozen=True)
class Trained:
    """Numbers that a run writes into its file, and those of them that learn."""

    unet: int
    text: int
    learning: int
    """Those that the optimizer keeps something of: with a learning rate that is not 0."""
    whole: bool = False
    """The model itself learns: there is no network beside it."""

    @property
    def numbers(self) -> int:
        """All of the network, or of the parts of the model that learn."""
        return self.unet + self.text


def trained_numbers(settings: TrainingSettings) -> Trained:
    """What a run of these settings trains; exact for LoRA and LoCon, near it for other kinds of networks.

    Raises: ConfigError: the model family is not known.
    """
    facts = facts_of(facts_name(settings.model.family))
    rates = learning_rates(settings)
    if settings.model.method == "full":
        unet, text = facts.parameters, facts.texts * bool(rates.text)
    else:
        unet = _of_network(settings, facts) * bool(rates.unet)
        text = settings.network.network_dim * facts.lora_text * bool(rates.text)
    learning = unet * any(rates.unet.values()) + text * any(rates.text.values())
    return Trained(unet, text, learning, settings.model.method == "full")


def _of_network(settings: TrainingSettings, facts: ModelFacts) -> int:
    network = settings.network
    dim, kind = network.network_dim, network.network_type
    lora = dim * facts.lora_unet
    if conv_dim := network.conv_dim or (dim if kind in LYCORIS_TYPES else 0):  # LyCORIS teaches the convolutions, unless told otherwise
        lora += dim * facts.lora_small + conv_dim * facts.lora_convolutions
    if kind == "full":
        return facts.parameters
    if kind == "lokr":
        factor = network.factor if network.factor and network.factor > 0 else EVEN_FACTOR
        return round(min(lora / factor, facts.parameters / factor**2))
    return round(lora * TIMES_A_LORA.get(kind, 1))
