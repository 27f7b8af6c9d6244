"""The optimizers that a name stands for, and the arguments that each takes, as read from sd-scripts' environment."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from core.base.files import read_json
from core.base.findings import Finding
from core.training.config.facts import DATA

USUAL = {
    "AdamW8bit": "AdamW8bit: saves memory", "AdamW": "AdamW: runs everywhere", "Prodigy": "Prodigy: finds the rate itself",
    "prodigyplus.ProdigyPlusScheduleFree": "Prodigy Plus, schedule-free", "Adafactor": "Adafactor: least memory",
    "pytorch_optimizer.CAME": "CAME", "Lion8bit": "Lion8bit", "Lion": "Lion", "PagedAdamW8bit": "PagedAdamW8bit",
    "pytorch_optimizer.StableAdamW": "StableAdamW", "AdamWScheduleFree": "AdamW, schedule-free",
    "RAdamScheduleFree": "RAdam, schedule-free",
    "DAdaptAdam": "DAdaptAdam: finds the rate itself", "DAdaptLion": "DAdaptLion", "DAdaptAdan": "DAdaptAdan", "DAdaptSGD": "DAdaptSGD",
    "SGDNesterov": "SGD with momentum", "SGDNesterov8bit": "SGD with momentum, 8 bit",
}
"""What a person chooses from; any other class is named with its package."""
OWN_RATE = frozenset({"prodigy", "prodigyplusschedulefree", "dadaptation", "dadaptadampreprint", "dadaptadagrad", "dadaptadam",
                      "dadaptadan", "dadaptadanip", "dadaptlion", "dadaptsgd"})
"""Classes, whichever package they come from, that find the rate themselves: a factor near 1 is set, the same for all parts."""
OF_NO_SCHEDULE = frozenset({"schedulefreeadamw", "schedulefreeradam", "schedulefreesgd"})
"""Classes of pytorch_optimizer that want no schedule, and that sd-scripts does not know for such."""


@cache
def known_optimizers() -> Mapping[str, Mapping[str, Any]]:
    """Every optimizer by the name that sd-scripts takes: class, arguments with their defaults."""
    return dict(read_json(DATA / "optimizers.json")["optimizers"])


def find_optimizer(name: str) -> str:
    """The name as it is known, whatever its capitals where sd-scripts does not mind; empty: it is not known."""
    if "." in name:
        return name if name in known_optimizers() else ""
    return next((known for known in known_optimizers() if known.lower() == name.lower()), "")


def class_name(name: str) -> str:
    """The class alone, in small letters: sd-scripts does not mind the spelling of the names that it knows itself."""
    return name.rpartition(".")[2].lower()


def finds_its_rate(name: str) -> bool:
    """Whether the optimizer finds the learning rate itself."""
    return class_name(name) in OWN_RATE


def leaves_schedule_out(name: str) -> bool:
    """Whether sd-scripts makes no schedule for it (`is_schedulefree_optimizer` in library/train_util.py)."""
    return name.lower().endswith("schedulefree")


def wants_no_schedule(name: str) -> bool:
    """Whether it is made to be used without one, though sd-scripts would lay one over it."""
    return class_name(name) in OF_NO_SCHEDULE


def check_optimizer(name: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with an optimizer's name and arguments, as sd-scripts would say after minutes of loading.

    Args: options: optimizer_args by name.
    """
    known = find_optimizer(name)
    if not known:
        yield _unknown(name)
        return
    takes = known_optimizers()[known]["arguments"]
    for option, value in options.items():
        if option == "lr":
            yield Finding("error", f"The optimizer argument lr is given, but {name} gets its rate from the learning rates.",
                          "Take lr out, and set the learning rates.")
        elif option not in takes:
            near = difflib.get_close_matches(option, takes, n=1)
            yield Finding("error", f"{name} takes no argument {option!r}.",
                          f"Did you mean {near[0]!r}?" if near else f"It takes {', '.join(one for one in takes if one != 'lr')}.")
        elif wanted := _wanted_instead(value, takes[option]):
            yield Finding("error", f"The optimizer argument {option} is {value!r}, but {name} takes {wanted}.",
                          f"Its own value is {_shown(takes[option])}.")


def _wanted_instead(value: Any, usual: Any) -> str:
    """What kind of value is wanted, in words; empty where it may be right. Args: usual: what holds where none is given."""
    if value is None or usual is None:
        return ""
    if isinstance(usual, list):
        fits = isinstance(value, (list, tuple)) and all(_is_number(one) for one in value) and len(value) <= len(usual)
        return "" if fits else f"{len(usual)} numbers, such as {_shown(usual)}"
    if _is_number(usual):
        return "" if isinstance(value, (int, float)) else "a number"
    return ("" if isinstance(value, (bool, int)) else "True or False") if isinstance(usual, bool) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _unknown(name: str) -> Finding:
    names = {one.rpartition(".")[2].lower(): one for one in known_optimizers()}
    near = names.get(name.rpartition(".")[2].lower()) or next(
        (names[one] for one in difflib.get_close_matches(name.rpartition(".")[2].lower(), names, n=1)), "")
    remedy = f"Did you mean {near!r}?" if near else "Choose one from the list, or a class of pytorch_optimizer with its package."
    if "." in name:  # it may be installed by hand
        return Finding("warning", f"Nothing is known of the optimizer {name!r}; it must be installed where the trainer runs.", remedy)
    return Finding("error", f"sd-scripts knows no optimizer {name!r}.", remedy)
