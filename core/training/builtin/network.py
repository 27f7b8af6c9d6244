"""The LoRA that is trained: layers on the base model, parameter groups, kohya's state dict, moving average."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from core.base.errors import ConfigError, ModelError
from core.diffusion.lora import LoraLayer, find_targets, read_lora
from core.training.builtin.options import TrainOptions

if TYPE_CHECKING:
    from pathlib import Path

    from core.diffusion.model import DiffusionModel


class LoraNetwork(nn.Module):
    """Every LoRA layer of a run under sd-scripts' names; parameters are float32 whatever the base is.

    Args: model: its modules compute with the layers from now on.
    """

    def __init__(self, model: DiffusionModel, options: TrainOptions) -> None:
        super().__init__()
        arguments = options.network
        rank, conv_rank = options.network_dim or 4, arguments.get("conv_dim")
        alpha, conv_alpha = options.network_alpha or 0.0, arguments.get("conv_alpha", 1.0)
        chances = (arguments.get("dropout") or options.network_dropout or 0.0, arguments.get("rank_dropout", 0.0),
                   arguments.get("module_dropout", 0.0))
        self.with_chance = any(chances)
        self.layers: Any = nn.ModuleDict()
        self.parts: dict[str, list[str]] = {"text_encoder": [], "unet": []}
        self._other_names: dict[str, str] = {}
        for target in find_targets(model, convolutions=conv_rank is not None):
            if options.network_train_text_encoder_only if target.part == "unet" else options.network_train_unet_only:
                continue
            size, strength = (conv_rank, conv_alpha) if target.large_kernel else (rank, alpha)
            if not size or target.name in self.layers:
                continue
            self._other_names[target.name] = target.other_name
            self.layers[target.name] = LoraLayer(target.module, int(size), strength, *chances)
            self.parts[target.part].append(target.name)
        if not len(self.layers):
            raise ConfigError("There is no layer to train.", "Set network_dim to at least 1.")
        self.to(model.device, torch.float32)
        layers: list[Any] = list(self.layers.values())
        for layer in layers:
            layer.attach()
        self.ema_decay = float(arguments.get("ema_decay", 0.0))
        if not 0 <= self.ema_decay < 1:
            raise ConfigError(f"ema_decay must be at least 0 and less than 1, but is {self.ema_decay}.", "0.99 to 0.9999 is usual.")
        self._average: dict[str, torch.Tensor] = {}

    def detach(self) -> None:
        """Take the layers off the model; its base computes alone again."""
        for layer in reversed(list(self.layers.values())):
            layer.detach()

    def groups(self, options: TrainOptions) -> list[dict[str, Any]]:
        """Parameter groups with `lr` and `name`, text encoder first; a part whose rate is 0 is not trained, but saved.

        Raises: ConfigError: every rate is 0.
        """
        rates = {"text_encoder": options.te_lr, "unet": options.unet_lr if options.unet_lr is not None else options.learning_rate}
        found = []
        for part, names in self.parts.items():
            parameters = [parameter for name in names for parameter in self.layers[name].parameters()]
            trained = bool(rates[part]) and bool(parameters)
            for parameter in parameters:
                parameter.requires_grad_(trained)
            if trained:
                name = "textencoder" if part == "text_encoder" else part
                found.append({"params": parameters, "lr": float(rates[part]), "name": name})
        if not found:
            raise ConfigError("Every learning rate is 0, so nothing would be learned.", "Set unet_lr or learning_rate.")
        return found

    def trained_layers(self) -> list[tuple[str, list[nn.Parameter]]]:
        """Name and parameters of each layer that learns; known after `groups`."""
        found = [(name, [parameter for parameter in layer.parameters() if parameter.requires_grad]) for name, layer in self.layers.items()]
        return [(name, parameters) for name, parameters in found if parameters]

    def state(self, dtype: torch.dtype | None = None) -> dict[str, torch.Tensor]:
        """kohya's keys on the CPU: <name>.lora_down.weight, <name>.lora_up.weight, <name>.alpha; the average if there is one."""
        found = {}
        for name, value in self.layers.state_dict().items():
            found[name] = self._average.get(name, value).detach().to("cpu", dtype or value.dtype, copy=True).contiguous()
        return found

    def raw_state(self) -> dict[str, torch.Tensor]:
        """What training goes on from: the parameters themselves, and the average under `ema.`."""
        found = {name: value.detach().cpu().clone().contiguous() for name, value in self.layers.state_dict().items()}
        return found | {f"ema.{name}": value.cpu().clone().contiguous() for name, value in self._average.items()}

    def load_raw_state(self, state: dict[str, torch.Tensor]) -> None:
        """Back to what `raw_state` gave. Raises: ModelError: it belongs to another network."""
        own = {name: value for name, value in state.items() if not name.startswith("ema.")}
        present = self.layers.state_dict()
        if set(own) != set(present) or any(own[name].shape != present[name].shape for name in own):
            raise ModelError("The saved state belongs to a LoRA of another shape.",
                             "Resume with the network_dim and network_args of that run.")
        self.layers.load_state_dict(own)
        device = next(self.parameters()).device
        self._average = {name[4:]: value.to(device) for name, value in state.items() if name.startswith("ema.")}

    def load_weights(self, path: Path, warn: Callable[[str], None] = lambda message: None) -> int:
        """Start from a LoRA file (network_weights); returns how many layers were found in it.

        The layers keep the alpha of the settings. Where the file's alpha / rank is another, lora_up is multiplied so that the layer
        changes the model exactly as the file does. (sd-scripts computes with the settings' scale but saves the file's alpha.)

        Args: warn: receives a sentence about modules that only the file or only this network has.
        Raises: ModelError: none fits, or a rank or a size differs.
        """
        modules, _ = read_lora(path)
        unused, missing = set(modules), []
        with torch.no_grad():
            for name, layer in self.layers.items():
                found = name if name in modules else self._other_names.get(name, "")
                values = modules.get(found, {})
                if not {"lora_down.weight", "lora_up.weight"} <= set(values):
                    missing.append(name)
                    continue
                _fill_layer(layer, values, found, path)
                unused.discard(found)
        if len(missing) == len(self.layers):
            raise ModelError(f"Nothing in {path} fits this network.", "Choose a LoRA of the same base model.")
        if unused:
            warn(f"{len(unused)} of the {len(modules)} modules in {path.name} are not used, since this network has no such layers "
                 f"({_some(sorted(unused))}).")
        if missing:
            warn(f"{len(missing)} of the {len(self.layers)} layers begin anew, since {path.name} does not have them ({_some(missing)}).")
        return len(self.layers) - len(missing)

    def update_average(self) -> None:
        """After each step, if ema_decay is set: average = decay * average + (1 - decay) * parameters."""
        if not self.ema_decay:
            return
        values = {name: value for name, value in self.layers.state_dict().items() if not name.endswith("alpha")}
        if not self._average:
            self._average = {name: value.detach().clone() for name, value in values.items()}
            return
        torch._foreach_lerp_(list(self._average.values()), [values[name] for name in self._average], 1 - self.ema_decay)

    @contextmanager
    def for_drawing(self) -> Iterator[None]:
        """Without dropout and with the averaged weights, as the saved file will compute."""
        was_training = self.training
        self.eval()
        kept = {name: value.clone() for name, value in self.layers.state_dict().items()} if self._average else {}
        if self._average:
            self.layers.load_state_dict({**kept, **self._average})
        try:
            yield
        finally:
            if kept:
                self.layers.load_state_dict(kept)
            self.train(was_training)


def _fill_layer(layer: Any, values: dict[str, torch.Tensor], name: str, path: Path) -> None:
    """Take over a module of a file. Raises: ModelError: its rank or its size is another."""
    down, up = values["lora_down.weight"], values["lora_up.weight"]
    rank = down.shape[0]
    if rank != layer.rank:
        raise ModelError(f"{name} in {path} has rank {rank}, but network_dim makes {layer.rank}.",
                         "Set network_dim (or conv_dim) to the file's rank.")
    wanted = layer.lora_down.weight, layer.lora_up.weight
    if down.numel() != wanted[0].numel() or up.numel() != wanted[1].numel():
        raise ModelError(f"{name} in {path} has the shapes {tuple(down.shape)} and {tuple(up.shape)} where "
                         f"{tuple(wanted[0].shape)} and {tuple(wanted[1].shape)} are needed.", "Choose a LoRA of the same base model.")
    scale = (float(values["alpha"]) or rank) / rank if "alpha" in values else 1.0
    wanted[0].copy_(down.reshape(wanted[0].shape))
    wanted[1].copy_(up.reshape(wanted[1].shape).float() * (scale / layer.scale))


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
