"""The settings that a LoRA file tells of its own training: sd-scripts' `ss_` keys, which the built-in trainer writes too.

Source: kohya-ss/sd-scripts at 48d368fa, train_network.py (metadata) and update_metadata of the families' scripts. Facts about the
training that are no settings (dates, counts of pictures, tags, how far this file is) are read past. What is not in the file at all:
saving, samples, caches and attention; there Lorabook's own defaults hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError
from core.base.tensor_headers import Header, read_header
from core.training.config.reading import Imported, guess_family
from core.training.importing import sd_scripts
from core.training.importing.folders import Left
from core.training.importing.lora_dataset import dataset_of
from core.training.importing.lora_values import (
    FACTS,
    MODELSPEC,
    PREDICTIONS,
    SAID_OTHERWISE,
    SAME_NAMED,
    VERSIONS,
    optimizer_of,
    parts_of,
    precision_of,
    written_value,
)
from core.training.importing.model_files import model_named

TOLD = ("model", "data", "network", "optimizer", "schedule", "loss")
"""Parts of which the metadata speaks, so that what it leaves out was as sd-scripts takes it."""


def read(place: Path) -> Imported:
    """The settings that a LoRA file was trained with, as far as it says.

    Raises: ModelError: no safetensors file. ConfigError: it says nothing of its training, or is of a model that is not trained here.
    """
    header = read_header(place)
    metadata = header.metadata
    if "ss_network_module" not in metadata and "ss_base_model_version" not in metadata:
        raise ConfigError(f"{place.name} says nothing of its training.",
                          "Only files that sd-scripts, a GUI for it or Lorabook trained without 'No metadata' tell their settings.")
    return _Metadata(metadata, header, place).read()


class _Metadata:
    """Makes sd-scripts' arguments of what the file says."""

    def __init__(self, metadata: Mapping[str, str], header: Header, place: Path) -> None:
        self.rest = {name.removeprefix("ss_"): value for name, value in metadata.items() if name.startswith("ss_")}
        self.spec = {name.removeprefix("modelspec."): value for name, value in metadata.items() if name.startswith("modelspec.")}
        self.header, self.place = header, place
        self.arguments: dict[str, Any] = {}
        self.left: list[Left] = []

    def read(self) -> Imported:
        family = self._family()
        dataset, told = dataset_of(self.rest)
        self.left += told
        self._length()
        self._network()
        self._optimizer()
        self._models()
        self._spec()
        for name, text in self.rest.items():
            self._one(name, text)
        return sd_scripts.from_file(self.arguments, dataset, self.place, self.left, "a LoRA file", family, TOLD)

    def _family(self) -> str:
        version = self.rest.pop("base_model_version", "")
        family = next((family for start, family in VERSIONS if version.startswith(start)), "")
        if not family and version:
            raise ConfigError(f"{self.place.name} was trained for {version!r}, which is not trained here.",
                              "Its settings fit that model only.")
        self.rest.pop("v2", None)
        self.rest.pop("model_type", None)
        family = family or guess_family({"network_module": self.rest.get("network_module", "")})
        if family in PREDICTIONS and (version.endswith("_v") or self.spec.get("prediction_type") == "v"):
            self.arguments["v_parameterization"] = True
        return family

    def _length(self) -> None:
        """Epochs where the steps are a whole number of them, else steps."""
        epochs, steps, batches, together = (_whole(self.rest.get(name)) for name in (
            "num_epochs", "max_train_steps", "num_batches_per_epoch", "gradient_accumulation_steps"))
        for name in ("num_epochs", "max_train_steps", "num_batches_per_epoch"):
            self.rest.pop(name, None)
        in_one = -(-batches // max(1, together))
        if epochs and (not steps or epochs * in_one == steps):
            self.arguments["max_train_epochs"] = epochs
        elif steps:
            self.arguments["max_train_steps"] = steps

    def _network(self) -> None:
        """The arguments of the network, and which parts learned: the tensors tell."""
        text = self.rest.pop("network_args", "")
        try:
            args = json.loads(text) if text not in ("", "None") else {}
            self.arguments["network_args"] = [f"{name}={value}" for name, value in dict(args).items() if value is not None]
        except (ValueError, TypeError):
            self.left.append(("network_args", text, "it is no table of names and values"))
        self.arguments |= parts_of(self.header)
        if precision := precision_of(self.header):
            self.arguments["save_precision"] = precision

    def _optimizer(self) -> None:
        text = self.rest.pop("optimizer", "")
        if text in ("", "None"):
            return
        found = optimizer_of(text)
        if found is None:
            self.left.append(("optimizer", text, "no optimizer is known by that class"))
            return
        self.arguments["optimizer_type"], args = found
        if args:
            self.arguments["optimizer_args"] = args

    def _models(self) -> None:
        """The base model and the VAE by their names; where none of that name lies here, name and hash are told."""
        for argument, name in (("pretrained_model_name_or_path", "sd_model"), ("vae", "vae")):
            value = self.rest.pop(f"{name}_name", "None")
            digest = self.rest.pop(f"new_{name}_hash", "")
            self.rest.pop(f"{name}_hash", None)
            if value in ("", "None"):
                continue
            if found := model_named(value) or (value if _is_hub_name(value) else ""):
                self.arguments[argument] = found
                continue
            said = f"; its SHA-256 is {digest}" if digest not in ("", "None") else ""
            self.left.append((argument, value, f"no file of that name lies in the folder of models{said}"))

    def _spec(self) -> None:
        """What the file says of itself for people; a title that is only its name is none."""
        for name in MODELSPEC:
            value = self.spec.get(name, "")
            if value and not (name == "title" and value == self.rest.get("output_name")):
                self.arguments[f"metadata_{name}"] = value

    def _one(self, name: str, text: str) -> None:
        argument = SAID_OTHERWISE.get(name, name)
        if argument in SAME_NAMED:
            if text != "None":
                self.arguments.setdefault(argument, written_value(text) if argument not in ("training_comment", "output_name") else text)
        elif name not in FACTS and text not in ("None", "False", ""):
            self.left.append((f"ss_{name}", text, "nothing here is known by that name"))


def _whole(text: str | None) -> int:
    """A count; 0: there is none."""
    return int(text) if text is not None and text.isdecimal() else 0


def _is_hub_name(value: str) -> bool:
    """Whether a model's name is one of Hugging Face: sd-scripts keeps those whole, and of a file only its name."""
    return value.count("/") == 1 and not value.endswith((".safetensors", ".ckpt"))
