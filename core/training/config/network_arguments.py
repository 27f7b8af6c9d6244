"""network_args as the module of the network reads them: a name that it does not know is read past without a word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from core.base.findings import Finding
from core.training.config.facts import network_arguments
from core.training.config.finding import finding
from core.training.config.network import NetworkSettings
from core.training.config.network_types import NETWORK_TYPES

OF_LYCORIS = ("algo", "preset", "use_tucker", "dora_wd")
"""Names without which LyCORIS would not be LyCORIS."""


def check_network_arguments(trainer: str, module: str, arguments: Sequence[Any], when: str, never: str, is_plain: bool = False
                            ) -> Iterator[Finding]:
    """What is wrong with them.

    Args:
        trainer: "sd-scripts" or "musubi". module: `network_module`.
        when, never: when the trainer notices what it refuses, and that it notices nothing, in words.
        is_plain: only their form is looked at; another one's network reads them.
    """
    known, given = network_arguments(trainer, module), set()
    for argument in arguments:
        name, equals, value = (part.strip() for part in str(argument).partition("="))
        if not equals or not name or not value or (trainer == "musubi" and "=" in value):
            yield finding("error", f"The network argument {argument!r} is not name=value.", "Write it like loraplus_lr_ratio=4.", when)
        elif name in given:
            yield finding("error", f"The network argument {name!r} is given twice; only the last would count.", "Leave one of them.", never)
        elif known and name not in known and not is_plain:
            yield _unknown(module, name, value, [one for one in arguments if one is not argument], never)
        given.add(name)


def _unknown(module: str, name: str, value: str, others: Sequence[Any], never: str) -> Finding:
    if name in OF_LYCORIS and module == "networks.lora":
        algorithm = "locon" if value.lower() == "lora" else value.lower()  # LyCORIS' own LoRA teaches the convolutions too
        meant = algorithm if name == "algo" else "dora" if name == "dora_wd" and value == "True" else ""
        fix: dict[str, Any] = {"network_type": meant, "network_args": list(others)} if meant in NETWORK_TYPES else {}
        return finding("error", f"The network argument {name}={value} is for LyCORIS; networks.lora reads past it and trains a plain LoRA.",
                       f"Choose the type {NETWORK_TYPES[meant].title}, and take the argument out." if fix else
                       "Choose a type that LyCORIS makes.", never, **fix)
    idle: dict[str, Any] = {name: None} if name in NetworkSettings.in_args and NetworkSettings.fields()[name].default is None else {}
    what = f"The network argument {name} is not known to {module}, which reads past it."
    return finding("warning", what, f"Take {name} out.", never, **idle)
