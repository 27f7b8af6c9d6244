"""Which settings act, given the others: what does not act is neither written nor hidden without a word, but shown with the reason.

Three things decide, in this order: what a setting hangs on (`only` at its declaration), what the kind of network takes, and whether the
script of the family knows the argument at all, as its own parser says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from core.base.families import caption_family
from core.base.settings import SET, SEVERAL, Settings, field_extra
from core.diffusion import FAMILIES
from core.training.config.data import DataSettings, Subset
from core.training.config.facts import known_arguments, musubi_dataset_levels
from core.training.config.families import CACHE_ARGUMENTS, START_ARGUMENTS, script_for, trained_model
from core.training.config.network_types import NETWORK_TYPES

if TYPE_CHECKING:
    from core.training.config.training import TrainingSettings

FULL = "full"
"""The method that trains the whole model."""
NOT_USED, NOT_KNOWN = "does not use it.", "does not know it."
"""Ends of the reasons that the model family gives."""
ALWAYS_CACHED = ("cache_latents", "cache_latents_to_disk", "cache_text_encoder_outputs", "cache_text_encoder_outputs_to_disk")
"""What musubi-tuner's stages do before every training, asked or not."""
OF_A_MUSUBI_FOLDER = ("image_dir", "num_repeats", "is_reg", "caption_extension", "control_directory")
"""What musubi-tuner knows of a folder, and what its check must see."""
NO_SUCH_SETTING = "musubi-tuner's dataset file has no such setting."


def all_values(settings: TrainingSettings) -> dict[str, Any]:
    """Every setting's value by its name; no two parts share a name."""
    return {name: value for part in vars(settings).values() for name, value in vars(part).items()}


def why_not(settings: TrainingSettings, name: str, values: Mapping[str, Any] | None = None) -> str:
    """Why a setting does not act with the others as they are; empty where it does.

    Args: name: a field of any part. values: what `all_values` gives, where it is at hand.
    """
    values = all_values(settings) if values is None else values
    cls = _class_of(settings, name)
    for other, wanted in field_extra(cls.model_fields[name], "only", {}).items():
        if reason := _unmet(settings, values, other, wanted):
            return reason
    family, method = values["family"], values["method"]
    if cls.section == "network" and method == FULL:
        return "The whole model is trained: there is no network."
    if trained_model(family).trainer == "musubi" and (reason := _not_in_musubi(name)):
        return reason
    if name in cls.elsewhere or _script_knows(family, method, name):
        return ""
    if name in getattr(cls, "only_built_in", ()) and family in FAMILIES and method != FULL:
        return ""
    return f"The script that trains {caption_family(family).title} {NOT_KNOWN}"


def is_of_another_family(reason: str) -> bool:
    """Whether a reason will not change with other settings, but only with another model."""
    return reason.endswith((NOT_USED, NOT_KNOWN))


def acting(settings: TrainingSettings, part: Settings) -> dict[str, Any]:
    """The fields of a part that act and are given, by name."""
    values = all_values(settings)
    return {name: value for name, value in dict(part).items() if value is not None and not why_not(settings, name, values)}


def idle(settings: TrainingSettings) -> Iterator[tuple[str, str, str]]:
    """Part, name and reason of every setting that does not act."""
    values = all_values(settings)
    for part_name, part in dict(settings).items():
        for name in type(part).fields():
            if reason := why_not(settings, name, values):
                yield part_name, name, reason


def why_not_of_folder(settings: TrainingSettings, name: str, values: Mapping[str, Any] | None = None) -> str:
    """Why a setting of a single folder does not act, as `why_not`. Args: name: a field of `Subset`."""
    values = all_values(settings) if values is None else values
    for other, wanted in field_extra(Subset.fields()[name], "only", {}).items():
        if reason := _unmet(settings, values, other, wanted):
            return reason
    is_musubi = trained_model(values["family"]).trainer == "musubi"
    return NO_SUCH_SETTING if is_musubi and name not in OF_A_MUSUBI_FOLDER else ""


def acting_of_folder(settings: TrainingSettings, subset: Subset) -> dict[str, Any]:
    """The fields of a folder that act and are given, by name."""
    values = all_values(settings)
    return {name: value for name, value in dict(subset).items() if value is not None and not why_not_of_folder(settings, name, values)}


def idle_of_folders(settings: TrainingSettings) -> dict[str, str]:
    """Fields of single folders that do not act, with the reason."""
    values = all_values(settings)
    reasons = {name: why_not_of_folder(settings, name, values) for name in Subset.fields()}
    return {name: reason for name, reason in reasons.items() if reason}


def _class_of(settings: TrainingSettings, name: str) -> Any:
    """The part that has a field of that name."""
    return _classes(type(settings))[name]


@cache
def _classes(whole: type[TrainingSettings]) -> dict[str, Any]:
    """Every field's part, by the field's name."""
    parts: list[Any] = [field.annotation for field in whole.fields().values()]
    return {name: part for part in parts for name in part.fields()}


def _unmet(settings: TrainingSettings, values: Mapping[str, Any], other: str, wanted: list[Any]) -> str:
    """Why a condition does not hold; empty where it does, or where what it hangs on does not act itself for the same reason."""
    value = values[other]
    if other == "family":
        return "" if value in wanted else f"{caption_family(value).title} {NOT_USED}"
    if reason := why_not(settings, other, values):
        return reason
    title = _class_of(settings, other).fields()[other].title
    if tuple(wanted) == SET:
        return "" if value else f"It acts only where {title!r} is set."
    if tuple(wanted) == SEVERAL:
        return "" if value > 1 else f"It acts only where {title!r} is more than 1."
    if value in wanted:
        return ""
    shown = [NETWORK_TYPES[one].title if other == "network_type" else str(one) for one in wanted]
    return f"It acts only with {title} {_either(shown)}."


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _script_knows(family: str, method: str, argument: str) -> bool:
    model = trained_model(family)
    if method == FULL and not model.full_script:
        return True  # that there is none is an error of its own
    by_others = bool(model.cache_scripts) and argument in (*CACHE_ARGUMENTS, *START_ARGUMENTS)
    return by_others or model.names.get(argument, argument) in known_arguments(script_for(family, method))


def _not_in_musubi(name: str) -> str:
    """Why a setting of the dataset does nothing with musubi-tuner; empty where it does, or is no such setting."""
    if name in ALWAYS_CACHED:
        return "musubi-tuner always encodes pictures and captions before the training."
    of_dataset = name in (*DataSettings.general, *DataSettings.dataset)
    return NO_SUCH_SETTING if of_dataset and name not in musubi_dataset_levels()["dataset"] else ""

