"""Optimizers and learning rate schedules by sd-scripts' names."""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, require
from core.training.builtin.options import TrainOptions, read_arguments

if TYPE_CHECKING:
    import torch

KNOWN = ("AdamW", "AdamW8bit", "PagedAdamW8bit", "Prodigy", "Adafactor")
CLASSES = {"adamw": ("torch.optim", "AdamW"), "adamw8bit": ("bitsandbytes.optim", "AdamW8bit"),
           "pagedadamw8bit": ("bitsandbytes.optim", "PagedAdamW8bit"), "prodigy": ("prodigyopt", "Prodigy"),
           "adafactor": ("transformers.optimization", "Adafactor")}
"""sd-scripts' names in small letters: module and class."""


def make_optimizer(options: TrainOptions, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The optimizer of optimizer_type with optimizer_args.

    A name with a dot is imported as a class: "pytorch_optimizer.CAME", "lion_pytorch.Lion".

    Raises: ConfigError: unknown name or arguments. MissingDependency: its package is not installed.
    """
    name = options.optimizer_type or "AdamW"
    arguments = read_arguments(options.optimizer_args, "optimizer_args")
    kind = _class_of(name)
    _check_names(name, kind, arguments)
    if name.lower() == "adafactor":
        groups, arguments = _adafactor(options, groups, arguments)
    elif name.lower() == "adamw":
        # The fused kernel takes over unless another one is asked for: torch refuses both at once.
        arguments.setdefault("fused", not any(arguments.get(other) for other in ("foreach", "capturable", "differentiable")))
    try:
        return kind(groups, **arguments)
    except (TypeError, ValueError, AttributeError, RuntimeError, AssertionError) as error:
        said = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ConfigError(f"The optimizer {name} cannot be made with {said or 'its defaults'}: {error}", "Check optimizer_args.") from error


def _class_of(name: str) -> Any:
    """The optimizer's class. Raises: ConfigError, MissingDependency."""
    lowered = name.lower()
    package, _, attribute = name.rpartition(".")
    if lowered in CLASSES:
        package, attribute = CLASSES[lowered]
    if not package:
        raise ConfigError(f"The built-in trainer knows no optimizer {name!r}.", f"Known: {', '.join(KNOWN)}, or a class with its module.")
    for part in (package.partition(".")[0], package):
        module = require(part, needed_for=f"The optimizer {name}")
    if not callable(getattr(module, attribute, None)):
        raise ConfigError(f"The package {package} has no optimizer {attribute!r}.", "Check the spelling of optimizer_type.")
    return getattr(module, attribute)


def _check_names(name: str, kind: Any, arguments: dict[str, Any]) -> None:
    """Raises: ConfigError: the optimizer takes no argument of that name."""
    parameters = inspect.signature(kind).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [key for key in parameters if key not in ("params", "lr")]
    for key in arguments:
        if key not in parameters or key == "params":
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.7)
            raise ConfigError(f"The optimizer {name} takes no {key!r} in optimizer_args.",
                              f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}.")


def _adafactor(options: TrainOptions, groups: list[dict[str, Any]], arguments: dict[str, Any]
               ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Groups and arguments for Adafactor; relative_step is on unless said otherwise, and then it finds its own rate, as in sd-scripts."""
    arguments.setdefault("relative_step", True)
    if arguments["relative_step"]:
        arguments.setdefault("warmup_init", False)
        options.warnings.append("Adafactor with relative_step finds its own learning rate; unet_lr, text_encoder_lr and lr_scheduler "
                                "are not used. Set optimizer_args relative_step=False to use them.")
        options.lr_scheduler, options.lr_warmup_steps = f"adafactor:{options.learning_rate}", 0
        groups = [{**group, "lr": None} for group in groups]
    return groups, arguments


def make_schedule(options: TrainOptions, optimizer: torch.optim.Optimizer, total_steps: int) -> Any:
    """The learning rate schedule of lr_scheduler; its `step` is called once per optimizer step.

    lr_warmup_steps below 1 is a share of all steps.
    """
    name = options.lr_scheduler
    if name.split(":")[0] == "adafactor":
        from transformers.optimization import Adafactor, AdafactorSchedule

        if not isinstance(optimizer, Adafactor):
            raise ConfigError("lr_scheduler 'adafactor' needs optimizer_type Adafactor.", "Choose another lr_scheduler.")
        _, _, rate = name.partition(":")
        return AdafactorSchedule(optimizer, float(rate or options.learning_rate))
    get_scheduler = importlib.import_module("diffusers.optimization").get_scheduler
    warmup = options.lr_warmup_steps
    warmup = int(warmup * total_steps) if isinstance(warmup, float) and warmup < 1 else int(warmup)
    if name == "rex":
        from core.training.backends.inside.lorabook_schedules import Rex

        return Rex(optimizer, total_steps, warmup, options.lr_scheduler_min_lr_ratio or 0.0)
    if name in ("cosine_with_min_lr", "warmup_stable_decay", "inverse_sqrt", "piecewise_constant"):
        return _transformers_schedule(options, optimizer, warmup, total_steps)
    if name == "cosine":  # one half wave; lr_scheduler_num_cycles does not act on it, as in sd-scripts
        return importlib.import_module("diffusers.optimization").get_cosine_schedule_with_warmup(optimizer, warmup, total_steps)
    return get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=total_steps,
                         num_cycles=options.lr_scheduler_num_cycles, power=options.lr_scheduler_power)


def _transformers_schedule(options: TrainOptions, optimizer: torch.optim.Optimizer, warmup: int, total_steps: int) -> Any:
    """Schedules that diffusers lacks, told as sd-scripts tells them (get_scheduler_fix in its library/train_util.py)."""
    make = importlib.import_module("transformers.optimization")
    more, lowest = read_arguments(options.lr_scheduler_args, "lr_scheduler_args"), options.lr_scheduler_min_lr_ratio
    if options.lr_scheduler == "piecewise_constant":
        return importlib.import_module("diffusers.optimization").get_piecewise_constant_schedule(optimizer, **more)
    if options.lr_scheduler == "inverse_sqrt":
        return make.get_inverse_sqrt_schedule(optimizer, warmup, timescale=options.lr_scheduler_timescale, **more)
    cycles = options.lr_scheduler_num_cycles / 2
    if options.lr_scheduler == "cosine_with_min_lr":
        return make.get_cosine_with_min_lr_schedule_with_warmup(optimizer, warmup, total_steps, num_cycles=cycles, min_lr_rate=lowest,
                                                                **more)
    decay = options.lr_decay_steps
    decay = int(decay * total_steps) if isinstance(decay, float) else int(decay)
    return make.get_wsd_schedule(optimizer, warmup, decay, num_stable_steps=total_steps - warmup - decay, num_cycles=cycles,
                                 min_lr_ratio=lowest or 0.0, **more)


def present_rates(optimizer: torch.optim.Optimizer, schedule: Any) -> dict[str, float]:
    """Each group's rate by its name; for Prodigy and its like the rate times its own estimate."""
    rates = {}
    for index, group in enumerate(optimizer.param_groups):
        rate = group["lr"] if group["lr"] is not None else schedule.get_last_lr()[index]
        rate = float(rate) if rate is not None else 0.0
        rates[group.get("name", f"group{index}")] = rate * float(group["d"]) if "d" in group else rate
    return rates
