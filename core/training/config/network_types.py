"""Kinds of networks: which module makes them, and with which arguments.

LyCORIS makes most of them. With sd-scripts' own networks.lora an argument such as `dora_wd` or `algo` is read past without a word, so
that a plain LoRA would be trained: the module and its arguments belong together and are written from one row.
Source: kohya-ss/sd-scripts at 48d368fa (networks/*.py), lycoris-lora 3.4.0 (lycoris/kohya.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from core.training.config.families import MUSUBI, TRAINED_MODELS, UNET, trained_model

NetworkName = Literal["lora", "locon", "dora", "loha", "lokr", "ia3", "glora", "dylora", "lora_fa", "oft", "diag-oft", "boft", "full"]
LYCORIS = "lycoris.kohya"
LYCORIS_TYPES = ("locon", "dora", "loha", "lokr", "ia3", "glora", "diag-oft", "boft", "full")
"""Made by LyCORIS for a U-Net; its package must be in the trainer's environment. musubi-tuner has a LoHa and a LoKr of its own."""


@dataclass(frozen=True)
class NetworkType:
    """One kind of network."""

    title: str
    about: str
    """One sentence for a person."""
    module: str = ""
    """`network_module`; empty: the family's own LoRA."""
    args: tuple[str, ...] = ()
    """`network_args` that make it what it is."""
    families: tuple[str, ...] = UNET
    modules: Mapping[str, str] | None = None
    """Where a family needs another module than `module`, which then takes none of `args`."""

    def module_for(self, family: str) -> str:
        """`network_module` for a family."""
        return (self.modules or {}).get(family) or self.module or trained_model(family).network_module


    def args_for(self, family: str) -> tuple[str, ...]:
        """The `network_args` that make it what it is, for a family."""
        return () if family in (self.modules or {}) else self.args


def _lycoris(title: str, about: str, algo: str, *args: str, of_musubi: str = "") -> NetworkType:
    """Args: of_musubi: the module of musubi-tuner that makes the same; empty: there is none."""
    families = (*UNET, *MUSUBI) if of_musubi else UNET
    return NetworkType(title, about, LYCORIS, (f"algo={algo}", *args), families, dict.fromkeys(MUSUBI, of_musubi) if of_musubi else None)


NETWORK_TYPES: Mapping[str, NetworkType] = {
    "lora": NetworkType("LoRA", "The usual one; every program reads it.", families=tuple(TRAINED_MODELS)),
    "locon": _lycoris("LoCon", "LoRA that also teaches the convolutions: good for styles.", "locon"),
    "dora": _lycoris("DoRA", "LoRA that learns direction and strength apart: closer to full training, slower.", "locon", "dora_wd=True"),
    "loha": _lycoris("LoHa", "Products of two small pairs: much in little room; for styles and concepts.", "loha",
                     of_musubi="networks.loha"),
    "lokr": _lycoris("LoKr", "Kronecker products: very small files, quick to learn.", "lokr", of_musubi="networks.lokr"),
    "ia3": _lycoris("(IA)³", "Scales what is there: tiny files; wants a rate of about 5e-3.", "ia3", "preset=ia3"),
    "glora": _lycoris("GLoRA", "A LoRA that also reshapes what is there.", "glora"),
    "dylora": NetworkType("DyLoRA", "Trains every rank up to its own at once; cut to the best one later.", "networks.dylora"),
    "lora_fa": NetworkType("LoRA-FA", "LoRA with one half frozen: less memory.", "networks.lora_fa"),
    "oft": NetworkType("OFT", "Turns what is there without stretching it.", "networks.oft", families=("sdxl", "flux1", "chroma"),
                       modules={"flux1": "networks.oft_flux", "chroma": "networks.oft_flux"}),
    "diag-oft": _lycoris("Diag-OFT", "OFT in blocks; the rank is the size of a block.", "diag-oft"),
    "boft": _lycoris("BOFT", "OFT in butterflies; the rank is the size of a block.", "boft"),
    "full": _lycoris("Full", "Whole layers as a difference: as large as the model.", "full"),
}
assert tuple(NETWORK_TYPES) == get_args(NetworkName)
