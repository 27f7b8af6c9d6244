"""Settings read from what another program wrote for sd-scripts: flat arguments, and the tables of a dataset file.

What has a field is put there, what only the script's parser knows goes into the further options, and everything else is listed with the
reason: nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.base.errors import ConfigError
from core.training.config.data import DataSettings, Subset
from core.training.config.facts import known_arguments
from core.training.config.families import TRAINED_MODELS, script_for
from core.training.config.network import NetworkSettings
from core.training.config.network_types import LYCORIS, NETWORK_TYPES
from core.training.config.toml_text import toml_text
from core.training.config.training import PARTS, TrainingSettings

TRUE_WORDS, FALSE_WORDS = ("true", "1", "yes"), ("false", "0", "no", "none", "")
PLACES = {"output_dir": "each run has a folder of its own", "dataset_config": "the dataset file is read beside it",
          "config_file": "it names the file itself", "train_batch_size": "", "huggingface_token": "tokens are never taken over",
          "wandb_api_key": "keys are never taken over"}
"""Arguments that are settled otherwise, and why."""
RENAMED = {"train_batch_size": "batch_size", "caption_extention": "caption_extension", "dataset_repeats": "num_repeats"}


@dataclass
class Imported:
    """What was made of another program's settings."""

    settings: TrainingSettings
    unmapped: list[tuple[str, Any, str]] = field(default_factory=list)
    """Name, value and reason of everything that was not taken over."""
    source: str = ""
    """What was read, for a person: "sd-scripts' config file"."""
    parts: tuple[str, ...] = tuple(PARTS)
    """The parts of the settings that it speaks of; the others are as they are without it."""

    def words(self) -> list[str]:
        """A line for each reason, with everything that was left out for it."""
        by_reason: dict[str, list[str]] = {}
        for name, value, reason in self.unmapped:
            by_reason.setdefault(reason, []).append(name if value in (None, "") else f"{name} = {value}")
        return [f"{', '.join(names)}: {reason}." if reason else f"{', '.join(names)}." for reason, names in by_reason.items()]


def from_arguments(arguments: Mapping[str, Any], dataset: Mapping[str, Any] | None = None, family: str = "") -> Imported:
    """Settings from sd-scripts' arguments, by their names.

    Args: dataset: the tables of a dataset file. family: empty: as the arguments tell.
    Raises: ConfigError: the family is not known.
    """
    return _Reader(arguments, dataset or {}, family).read()


def guess_family(arguments: Mapping[str, Any]) -> str:
    """The family that the arguments are for."""
    module = str(arguments.get("network_module", ""))
    if arguments.get("v2"):
        return "sd2"
    if arguments.get("model_type") == "chroma":
        return "chroma"
    if module == "networks.lora_flux" and arguments.get("dit"):
        return "flux1_kontext"
    if str(arguments.get("model_version")).startswith("klein"):
        return "flux2_klein"
    for name, model in TRAINED_MODELS.items():
        if model.network_module != "networks.lora" and module == model.network_module:
            return name
    for name, wanted in (("sd3", "clip_g"), ("lumina2", "gemma2"), ("hunyuan_image", "byt5"), ("anima", "qwen3"), ("flux1", "ae")):
        if arguments.get(wanted):
            return name
    only_sdxl = arguments.get("cache_text_encoder_outputs") or arguments.get("cache_text_encoder_outputs_to_disk")
    return "sdxl" if only_sdxl or arguments.get("sdxl") else "sd15"


class _Reader:
    """Puts each argument where it belongs."""

    def __init__(self, arguments: Mapping[str, Any], dataset: Mapping[str, Any], family: str) -> None:
        self.dataset = dataset
        self.family = family or guess_family(arguments)
        names = {own: name for name, own in TRAINED_MODELS[self.family].names.items()} if self.family in TRAINED_MODELS else {}
        self.left = {names.get(name, name): value for name, value in arguments.items()}
        self.values: dict[str, dict[str, Any]] = {name: {} for name in PARTS}
        self.unmapped: list[tuple[str, Any, str]] = []
        self.extra: list[str] = []

    def read(self) -> Imported:
        self.values["model"]["family"] = self.family
        for name in ("sdxl", "sample_prompts", *(key for key in self.left if self._is_fixed(key))):
            self.left.pop(name, None)
        self._network()
        self._rates()
        self._data()
        for name, value in self.left.items():
            self._one(name, value)
        if self.extra:
            self.values["extra"]["extra_options"] = self.extra
        return Imported(self._made(), self.unmapped)

    def _is_fixed(self, name: str) -> bool:
        fixed = TRAINED_MODELS[self.family].fixed if self.family in TRAINED_MODELS else {}
        return name in fixed and self.left[name] == fixed[name]

    def _network(self) -> None:
        """The type from module and arguments, and the arguments that have a field."""
        module, given = str(self.left.pop("network_module", "") or ""), self.left.pop("network_args", None) or []
        args = dict(_name_and_value(one) for one in given)
        kind = _type_of(module, args)
        if kind is None:
            self.unmapped.append(("network_module", module, "no type of network here is made by it"))
            kind = "lora"
        self.values["network"]["network_type"] = kind
        for one in NETWORK_TYPES[kind].args_for(self.family):
            args.pop(one.partition("=")[0], None)
        if module == LYCORIS:
            args.pop("algo", None)
        rest = []
        fields = {own: name for name, own in NetworkSettings.names_in_args.items()}
        for key, text in args.items():
            name = fields.get(key, key)
            if name in NetworkSettings.in_args and self._take("network", name, text):
                continue
            rest.append(f"{key}={text}")
        if rest:
            self.values["network"]["network_args"] = rest

    def _rates(self) -> None:
        rates = self.left.pop("text_encoder_lr", None)
        if rates is None:
            self.values["optimizer"]["text_encoder_lr"] = None
            return
        for name, rate in zip(("text_encoder_lr", "text_encoder_lr2", "text_encoder_lr3"), rates if isinstance(rates, list) else [rates],
                              strict=False):
            self._take("optimizer", name, rate)

    def _data(self) -> None:
        general = dict(self.dataset.get("general", {}))
        datasets = [dict(one) for one in self.dataset.get("datasets", [])]
        for number, dataset in enumerate(datasets):
            subsets = dataset.pop("subsets", [])
            for name, value in dataset.items():
                if number == 0:
                    general[name] = value
                elif general.get(name) != value:
                    self.unmapped.append((f"{name} of dataset {number + 1}", value, "all folders share the values of the first dataset"))
            self.values["data"].setdefault("subsets", []).extend(self._subset(subset) for subset in subsets)
        for key, value in {**{old: self.left.pop(old) for old in list(self.left) if old in _DATASET_KEYS}, **general}.items():
            name = RENAMED.get(key, key)
            if name == "resolution":
                self._resolution(value)
            elif name in DataSettings.fields():
                self._take("data", name, value)
            elif name in ("caption_extension", "class_tokens"):
                for subset in self.values["data"].get("subsets", []):
                    subset.setdefault(name, value)
            else:
                self.unmapped.append((name, value, "the dataset settings here have no such key"))

    def _subset(self, table: Mapping[str, Any]) -> dict[str, Any]:
        known = {name: value for name, value in table.items() if name in Subset.fields()}
        self.unmapped += [(f"{name} of {table.get('image_dir', 'a folder')}", value, "a folder here has no such setting")
                          for name, value in table.items() if name not in known]
        return known

    def _resolution(self, value: Any) -> None:
        try:
            sides = [int(side) for side in (value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value])]
            DataSettings.make(resolution=sides[0], resolution_height=sides[-1])
        except (ValueError, TypeError, IndexError, ConfigError):
            self.unmapped.append(("resolution", value, "it is no width and height in pixels"))
            return
        self.values["data"]["resolution"] = sides[0]
        self.values["data"]["resolution_height"] = sides[1] if len(sides) > 1 and sides[1] != sides[0] else None

    def _one(self, name: str, value: Any) -> None:
        part = next((part for part, cls in PARTS.items() if name in cls.fields()), "")
        if name in PLACES:
            self.unmapped.append((name, "***" if "token" in name or "key" in name else value, PLACES[name]))
        elif part:
            self._take(part, name, value)
        elif name in known_arguments(script_for(self.family)):
            self._further(name, value)
        else:
            self.unmapped.append((name, value, "the trainer knows no such argument"))

    def _further(self, name: str, value: Any) -> None:
        """An argument without a field, unless it says what the parser takes anyway."""
        if value in (None, "", []) or value == known_arguments(script_for(self.family))[name]["default"]:
            return
        try:
            self.extra.append(toml_text({name: value}).strip())
        except ConfigError as error:
            self.unmapped.append((name, value, error.message.rstrip(".")))

    def _take(self, part: str, name: str, value: Any) -> bool:
        """Put a value into its field, brought to its kind; whether it fits there."""
        try:
            made = PARTS[part].make(**{name: _fitting(part, name, value)})
        except ConfigError as error:
            self.unmapped.append((name, value, error.message.rstrip(".")))
            return False
        self.values[part][name] = getattr(made, name)
        return True

    def _made(self) -> TrainingSettings:
        """The settings; where a folder is wrong, without it."""
        subsets = []
        for table in self.values["data"].pop("subsets", []):
            try:
                subsets.append(Subset.make(**table))
            except ConfigError as error:
                self.unmapped.append(("folder", table.get("image_dir", ""), error.message.rstrip(".")))
        return TrainingSettings.from_values({**self.values, "data": {**self.values["data"], "subsets": subsets}})


_DATASET_KEYS = {*DataSettings.general, *DataSettings.dataset, "resolution", "train_batch_size", "caption_extension", "caption_extention",
                 "dataset_repeats"}
"""Arguments of the command line that stand in the dataset file here."""


def _name_and_value(argument: str) -> tuple[str, str]:
    name, _, value = str(argument).partition("=")
    return name.strip(), value.strip()


def _type_of(module: str, args: Mapping[str, str]) -> str | None:
    """The type that a module with these arguments makes; None: none here."""
    if not module or module in {model.network_module for model in TRAINED_MODELS.values()}:
        return "lora"
    if module != LYCORIS:
        return next((name for name, kind in NETWORK_TYPES.items() if module in (kind.module, *(kind.modules or {}).values())), None)
    algo = args.get("algo", "lora").lower()
    if algo in ("lora", "locon"):
        return "dora" if _truth(args.get("dora_wd", "False")) else "locon"
    return algo if algo in NETWORK_TYPES else None


def _truth(text: str) -> bool:
    return str(text).strip().lower() in TRUE_WORDS


def _fitting(part: str, name: str, value: Any) -> Any:
    """A value of an argument list, which is text, as the field wants it; anything else as it is."""
    if not isinstance(value, str):
        return value
    for kind, read in _READERS.items():
        if kind in str(PARTS[part].fields()[name].annotation):
            return read(value) if "str" not in str(PARTS[part].fields()[name].annotation) else value
    return value


def _bool(text: str) -> bool:
    if text.strip().lower() not in (*TRUE_WORDS, *FALSE_WORDS):
        raise ConfigError(f"{text!r} is neither true nor false.")
    return _truth(text)


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


_READERS: Mapping[str, Callable[[str], Any]] = {"bool": _bool, "int": _number, "float": _number}
