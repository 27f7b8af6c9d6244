"""The JSON that the kohya_ss GUI saves: its own names, numbers as texts, 0 for off, and settings of every model family side by side.

It is translated into sd-scripts' arguments as the GUI itself does when it starts a training. Source of every name and rule:
bmaltais/kohya_ss at 45088f04, train_model in kohya_gui/lora_gui.py (the table of its config TOML), update_my_data and
resolve_lr_warmup_steps in kohya_gui/common_gui.py. What could not be told from there for certain is listed instead of guessed.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError
from core.training.config.facts import known_arguments
from core.training.config.families import script_for
from core.training.config.reading import Imported
from core.training.config.training import PARTS
from core.training.importing import sd_scripts
from core.training.importing.folders import Left
from core.training.importing.kohya_network import network_of
from core.training.importing.kohya_values import FAMILIES, GUI_ONLY, PREFIXES, RENAMED, SAYS_NOTHING, USUAL, ZERO_IS_OFF, number

SAYS_ENOUGH = ("LoRA_type", "max_resolution", "train_batch_size", "network_dim", "pretrained_model_name_or_path", "learning_rate",
               "optimizer")
"""Two of these, and it is a file of the GUI."""
OFF: tuple[Any, ...] = (None, "", False, 0, "0", [], "None", "none")
"""What an empty field, an open box and a slider at its end give."""


def read(values: Mapping[str, Any], place: Path, family: str = "") -> Imported:
    """The settings of a file of the GUI. Args: family: empty: as its boxes say. Raises: ConfigError: it is of another program or tab."""
    if sum(name in values for name in SAYS_ENOUGH) < 2:
        raise ConfigError(f"{place.name} is no settings file of kohya_ss.", "Choose the JSON file that its Configuration field saves.")
    if "LoRA_type" not in values:
        kind = "a textual inversion" if "num_vectors_per_token" in values else "training the whole model (Dreambooth or Finetuning)"
        raise ConfigError(f"{place.name} is for {kind}.", "Only files of the GUI's LoRA tab are read.")
    return _Gui(values, place, family).read()


class _Gui:
    """Takes one value after the other out of the file."""

    def __init__(self, values: Mapping[str, Any], place: Path, family: str) -> None:
        self.rest, self.place = dict(values), place
        self.arguments: dict[str, Any] = {}
        self.left: list[Left] = []
        self.family = family or family_of(values)

    def read(self) -> Imported:
        self._own_family()
        self._network()
        self._length()
        self._noise()
        self._rates()
        self._attention()
        self._prompts()
        self._further()
        for name, value in self.rest.items():
            self._one(name, value)
        dataset, told = sd_scripts.dataset_of(self.arguments, self.place, None)
        return sd_scripts.from_file(self.arguments, dataset, self.place, [*self.left, *told], "settings of kohya_ss", self.family)

    def _own_family(self) -> None:
        """What is said of the family under a name with its prefix; what is said of other families is listed in one line."""
        others = []
        own = "flux1" if self.family == "chroma" else self.family
        for name in list(self.rest):
            prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")
            if not prefix or name in FAMILIES:
                continue
            value = self.rest.pop(name)
            if PREFIXES[prefix] == own:
                self.rest[name.removeprefix(prefix)] = value
            elif value not in OFF:
                others.append(name)
        if others:
            self.left.append((", ".join(others), "", "they belong to other model families"))
        for name in (*FAMILIES, "v2"):
            self.rest.pop(name, None)
        if self.family != "chroma":
            self.rest.pop("model_type", None)

    def _network(self) -> None:
        found, told = network_of(self.rest, self.family)
        self.arguments |= found
        self.left += told

    def _length(self) -> None:
        """Epochs or steps, and the warm-up in percent."""
        epochs, steps, most = (int(number(self.rest.pop(name, 0)) or 0) for name in ("epoch", "max_train_steps", "max_train_epochs"))
        if most:
            self.arguments["max_train_epochs"] = most
        elif steps:
            self.arguments["max_train_steps"] = steps
            if epochs > 1:
                self.left.append(("epoch", epochs, "the number of steps goes before it"))
        elif epochs and not self.rest.get("dataset_config"):
            self.arguments["max_train_epochs"] = epochs
        elif epochs:
            self.left.append(("epoch", epochs, "the GUI does not use it with a dataset file, and trains 1600 steps"))
        percent, count = number(self.rest.pop("lr_warmup", 0)) or 0, number(self.rest.pop("lr_warmup_steps", 0)) or 0
        self.arguments["lr_warmup_steps"] = int(count) if count else percent / 100
        if self.rest.get("lr_scheduler_num_cycles") in ("", None) and epochs and self.rest.get("lr_scheduler") == "cosine_with_restarts":
            self.rest["lr_scheduler_num_cycles"] = epochs
        if stop := number(self.rest.pop("stop_text_encoder_training", 0)):
            self.left.append(("stop_text_encoder_training", stop, "the text encoder cannot be stopped on the way; the GUI says so too"))

    def _noise(self) -> None:
        """One of the two kinds of noise, as chosen."""
        multires = str(self.rest.pop("noise_offset_type", "Original")) == "Multires"
        for name in ("noise_offset", "noise_offset_random_strength", "adaptive_noise_scale") if multires else \
                ("multires_noise_iterations", "multires_noise_discount"):
            value = self.rest.pop(name, None)
            if value not in OFF and name != "multires_noise_discount":
                self.left.append((name, value, "the other kind of noise is chosen (noise_offset_type)"))

    def _rates(self) -> None:
        """Rates of the parts; a rate of 0 leaves the part out, unless both are 0."""
        text, unet, t5 = (float(number(self.rest.pop(name, 0)) or 0) for name in ("text_encoder_lr", "unet_lr", "t5xxl_lr"))
        if text:
            self.arguments["text_encoder_lr"] = [text, t5] if t5 else [text]
        if unet:
            self.arguments["unet_lr"] = unet
        if self.family == "hunyuan_image" or (unet and not text):
            self.arguments["network_train_unet_only"] = True
        elif text and not unet:
            self.arguments["network_train_text_encoder_only"] = True

    def _attention(self) -> None:
        chosen = self.rest.pop("xformers", None)
        if chosen in ("sdpa", "xformers", True):
            self.arguments["sdpa" if chosen == "sdpa" else "xformers"] = True
            self.arguments.setdefault("sdpa", False)

    def _prompts(self) -> None:
        lines = self.rest.pop("sample_prompts", "")
        if isinstance(lines, str) and lines.strip():
            self.arguments["sample_prompts"] = lines.splitlines()

    def _further(self) -> None:
        """What was typed as additional parameters: options of the script's command line."""
        text = str(self.rest.pop("additional_parameters", "") or "")
        try:
            words = shlex.split(text)
        except ValueError as error:
            self.left.append(("additional_parameters", text, f"it cannot be read: {error}"))
            return
        known = known_arguments(script_for(self.family))
        while words:
            name, equals, value = words.pop(0).partition("=")
            bare, values = name.removeprefix("--"), [value] if equals else []
            while words and not words[0].startswith("--"):
                values.append(words.pop(0))
            if not name.startswith("--") or bare not in known:
                self.left.append(("additional_parameters", " ".join([name, *values]), "sd-scripts knows no such option"))
            elif known[bare]["action"] in ("StoreTrue", "StoreFalse"):
                self.arguments[bare] = known[bare]["action"] == "StoreTrue"
            else:
                self.arguments[bare] = values if known[bare]["nargs"] else _typed(values[0] if values else "", known[bare]["type"])

    def _one(self, name: str, value: Any) -> None:
        argument = RENAMED.get(name, name)
        if (argument in ZERO_IS_OFF and not number(value)) or number(value) == SAYS_NOTHING.get(argument, ...):
            return
        if name in GUI_ONLY:
            if value not in OFF and str(value) not in (str(usual) for usual in USUAL.get(name, ())):
                self.left.append((name, value, GUI_ONLY[name]))
        elif _has_place(argument, self.family):
            if value not in ("", None) and argument not in self.arguments:
                self.arguments[argument] = self._as_number(argument, value)
        elif value not in OFF:
            self.left.append((name, value, "nothing here is known by that name"))


    def _as_number(self, argument: str, value: Any) -> Any:
        """Texts as numbers, where the script's parser wants one."""
        kind = known_arguments(script_for(self.family)).get(argument, {}).get("type") or ""
        return _typed(value, kind) if isinstance(value, str) else value


def family_of(values: Mapping[str, Any]) -> str:
    """The model family that the boxes of the GUI choose, in its own order."""
    for box, family in FAMILIES.items():
        if _is_on(values.get(box)):
            return "chroma" if family == "flux1" and str(values.get("model_type") or "").lower() == "chroma" else family
    return "sd2" if _is_on(values.get("v2")) else "sd15"


def _is_on(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "1", "yes")


def _has_place(argument: str, family: str) -> bool:
    """Whether there is a setting, or the script knows it."""
    fields = {name for cls in PARTS.values() for name in cls.fields()}
    return argument in fields or argument in known_arguments(script_for(family)) or argument in ("dataset_config", "caption_extension")


def _typed(text: str, kind: str) -> Any:
    if kind in ("int", "float", "int_or_float"):
        found = number(text)
        return text if found is None else found
    return text
