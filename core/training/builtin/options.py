"""The pair of TOML files that sd-scripts reads, as checked values for the built-in trainer."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError
from core.training.builtin.keys import HARMLESS, UNSUPPORTED
from core.training.config.pair import flatten, read_tables

NETWORK_ARGS = {"conv_dim": int, "conv_alpha": float, "rank_dropout": float, "module_dropout": float, "dropout": float, "ema_decay": float}
"""network_args that are honoured. `ema_decay` is ours: sd-scripts' networks.lora reads past it, so the pair stays one for both."""
SCHEDULERS = ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial", "cosine_with_min_lr",
              "warmup_stable_decay", "inverse_sqrt", "piecewise_constant", "rex", "adafactor")


@dataclass
class TrainOptions:
    """Flattened config.toml. Names and defaults are sd-scripts' own."""

    pretrained_model_name_or_path: str = ""
    output_dir: str = ""
    output_name: str = "last"
    vae: str | None = None
    tokenizer_cache_dir: str | None = None
    clip_skip: int | None = None
    max_token_length: int | None = None
    v_parameterization: bool = False
    zero_terminal_snr: bool = False
    no_half_vae: bool = False
    seed: int | None = None
    max_train_steps: int = 1600
    max_train_epochs: int | None = None
    gradient_accumulation_steps: int = 1
    gradient_checkpointing: bool = False
    mixed_precision: str = "no"
    max_grad_norm: float = 1.0
    network_module: str = "networks.lora"
    network_dim: int | None = None
    network_alpha: float = 1.0
    network_dropout: float | None = None
    network_args: list[str] = field(default_factory=list)
    network_weights: str | None = None
    network_train_unet_only: bool = False
    network_train_text_encoder_only: bool = False
    learning_rate: float = 2e-6
    unet_lr: float | None = None
    text_encoder_lr: Any = None
    optimizer_type: str = ""
    optimizer_args: list[str] = field(default_factory=list)
    lr_scheduler: str = "constant"
    lr_warmup_steps: float = 0
    lr_scheduler_num_cycles: int = 1
    lr_scheduler_power: float = 1.0
    lr_scheduler_min_lr_ratio: float | None = None
    lr_scheduler_timescale: int | None = None
    lr_scheduler_args: list[str] = field(default_factory=list)
    lr_decay_steps: float = 0
    min_snr_gamma: float | None = None
    scale_v_pred_loss_like_noise_pred: bool = False
    v_pred_like_loss: float | None = None
    debiased_estimation_loss: bool = False
    noise_offset: float | None = None
    noise_offset_random_strength: bool = False
    adaptive_noise_scale: float | None = None
    multires_noise_iterations: int | None = None
    multires_noise_discount: float = 0.3
    ip_noise_gamma: float | None = None
    ip_noise_gamma_random_strength: bool = False
    min_timestep: int | None = None
    max_timestep: int | None = None
    prior_loss_weight: float = 1.0
    cache_latents: bool = False
    cache_latents_to_disk: bool = False
    vae_batch_size: int = 1
    cache_text_encoder_outputs: bool = False
    cache_text_encoder_outputs_to_disk: bool = False
    save_precision: str | None = None
    save_model_as: str = "safetensors"
    save_every_n_epochs: int | None = None
    save_every_n_steps: int | None = None
    save_n_epoch_ratio: int | None = None
    save_last_n_epochs: int | None = None
    save_last_n_epochs_state: int | None = None
    save_last_n_steps: int | None = None
    save_last_n_steps_state: int | None = None
    save_state: bool = False
    save_state_on_train_end: bool = False
    resume: str | None = None
    sample_prompts: str | None = None
    sample_every_n_epochs: int | None = None
    sample_every_n_steps: int | None = None
    sample_at_first: bool = False
    sample_sampler: str = "ddim"
    logging_dir: str | None = None
    no_metadata: bool = False
    training_comment: str | None = None
    metadata_title: str | None = None
    metadata_author: str | None = None
    metadata_description: str | None = None
    metadata_license: str | None = None
    metadata_tags: str | None = None
    metadata_usage_hint: str | None = None
    metadata_trigger_phrase: str | None = None
    metadata_merged_from: str | None = None
    warnings: list[str] = field(default_factory=list)
    """Sentences about keys that are not honoured."""
    raw: dict[str, Any] = field(default_factory=dict)
    """Everything that config.toml said: fall-backs of dataset keys are read from it."""

    @property
    def network(self) -> dict[str, Any]:
        """network_args as numbers."""
        return read_arguments(self.network_args, "network_args", NETWORK_ARGS)

    @property
    def te_lr(self) -> float:
        """The text encoder's learning rate; of a list the first, as sd-scripts' networks.lora does."""
        value = self.text_encoder_lr
        if isinstance(value, list):
            value = value[0] if value else None
        return self.learning_rate if value is None else float(value)

    @property
    def trains_text_encoder(self) -> bool:
        """Whether the text encoder's LoRA layers exist."""
        return not self.network_train_unet_only


def read_arguments(items: list[str], what: str, kinds: dict[str, Any] | None = None) -> dict[str, Any]:
    """["key=value", …] as a dictionary. Args: kinds: allowed keys with their types; None takes any, as Python literals.

    Raises: ConfigError: not key=value, an unknown key, or a wrong type.
    """
    import ast

    found: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        key = key.strip()
        if not equals:
            raise ConfigError(f"{what} has {item!r}, but each entry must read key=value.")
        if kinds is not None and key not in kinds:
            raise ConfigError(f"The built-in trainer does not know {key!r} in {what}.",
                              f"Known: {', '.join(kinds)}. Or use the sd-scripts backend.")
        try:
            found[key] = kinds[key](text) if kinds is not None else ast.literal_eval(text)
        except (ValueError, SyntaxError) as error:
            raise ConfigError(f"{key} in {what} is {text!r}, which is no value that can be read.") from error
    return found


def read_options(path: Path) -> TrainOptions:
    """config.toml. Raises: ConfigError: a wrong type, an impossible combination, or a key that cannot be honoured."""
    return make_options(flatten(read_tables(path)))


def make_options(flat: dict[str, Any]) -> TrainOptions:
    """See read_options. Args: flat: keys as after `flatten`."""
    options = TrainOptions(raw=dict(flat))
    known = {item.name: str(item.type) for item in fields(TrainOptions) if item.name not in ("warnings", "raw")}
    from core.training.builtin.dataset import SUBSET_KEYS

    for key, value in flat.items():
        if key in known:
            if value is not None:
                setattr(options, key, _typed(key, value, known[key]))
        elif key in UNSUPPORTED:
            refuse_unsupported(key, value)
        elif key not in HARMLESS and key not in SUBSET_KEYS:
            near = difflib.get_close_matches(key, [*known, *SUBSET_KEYS, *HARMLESS], n=1)
            options.warnings.append(f"The setting {key!r} is not known and was left out." + (f" Did you mean {near[0]!r}?" if near else ""))
    if flat.get("loss_type", "l2") != "l2":
        raise ConfigError(f"The built-in trainer knows the loss_type 'l2', but it is {flat['loss_type']!r}.", "Use the sd-scripts backend.")
    _check(options)
    return options


def refuse_unsupported(key: str, value: Any) -> None:
    """Raises: ConfigError: the key would change the result, and the built-in trainer cannot honour it."""
    if value not in (None, False, 0, 0.0, "", [], {}):
        raise ConfigError(f"The built-in trainer cannot honour {key} = {value!r}.", UNSUPPORTED[key])


def _typed(key: str, value: Any, kind: str) -> Any:
    """The value if it fits the field's type. Raises: ConfigError."""
    kinds = {"bool": bool, "int": int, "float": (int, float), "str": str, "list": list}
    base = kind.split(" | ")[0].split("[")[0]
    if base not in kinds:
        return value
    wanted = kinds[base]
    if (isinstance(value, bool) and base != "bool") or not isinstance(value, wanted):  # type: ignore[arg-type]
        raise ConfigError(f"{key} must be {'a number' if base in ('int', 'float') else f'of type {base}'}, but is {value!r}.")
    return value


def _check(options: TrainOptions) -> None:
    """Combinations that sd-scripts refuses too, at once instead of after loading. Raises: ConfigError."""
    if not options.pretrained_model_name_or_path:
        raise ConfigError("pretrained_model_name_or_path is empty.", "Choose a base model.")
    if not options.output_dir:
        raise ConfigError("output_dir is empty.", "Choose where the LoRA is written.")
    if options.network_module != "networks.lora":
        raise ConfigError(f"The built-in trainer knows network_module 'networks.lora', but it is {options.network_module!r}.",
                          "Use the sd-scripts backend.")
    if options.save_model_as != "safetensors":
        raise ConfigError(f"The built-in trainer writes safetensors, but save_model_as is {options.save_model_as!r}.")
    if options.network_train_unet_only and options.network_train_text_encoder_only:
        raise ConfigError("network_train_unet_only and network_train_text_encoder_only are both set.", "Switch one of them off.")
    if options.lr_scheduler.split(":")[0] not in SCHEDULERS:
        raise ConfigError(f"The built-in trainer does not know the lr_scheduler {options.lr_scheduler!r}.",
                          f"Known: {', '.join(SCHEDULERS)}.")
    if options.lr_scheduler == "constant" and options.lr_warmup_steps:
        raise ConfigError(f"lr_scheduler 'constant' takes no warm-up, but lr_warmup_steps is {options.lr_warmup_steps}.",
                          "Choose constant_with_warmup, or set lr_warmup_steps to 0.")
    if options.adaptive_noise_scale and not options.noise_offset:
        raise ConfigError("adaptive_noise_scale needs noise_offset.", "Set noise_offset, or leave adaptive_noise_scale out.")
    if options.mixed_precision not in ("no", "fp16", "bf16"):
        raise ConfigError(f"mixed_precision must be no, fp16 or bf16, but is {options.mixed_precision!r}.")
    if options.save_precision not in (None, "float", "fp16", "bf16"):
        raise ConfigError(f"save_precision must be float, fp16 or bf16, but is {options.save_precision!r}.")
    if options.max_token_length not in (None, 75, 150, 225):
        raise ConfigError(f"max_token_length must be 75, 150 or 225, but is {options.max_token_length}.")
    if options.gradient_accumulation_steps < 1:
        raise ConfigError(f"gradient_accumulation_steps must be at least 1, but is {options.gradient_accumulation_steps}.")
    options.cache_latents = options.cache_latents or options.cache_latents_to_disk
    options.cache_text_encoder_outputs = options.cache_text_encoder_outputs or options.cache_text_encoder_outputs_to_disk
    if options.cache_text_encoder_outputs and not options.network_train_unet_only:
        raise ConfigError("cache_text_encoder_outputs needs network_train_unet_only: a trained text encoder changes its outputs.",
                          "Set network_train_unet_only, or switch the caching off.")
    if isinstance(options.text_encoder_lr, list) and len(set(options.text_encoder_lr)) > 1:
        options.warnings.append(f"text_encoder_lr has several rates {options.text_encoder_lr}; both text encoders are trained with "
                                "the first.")
    _ = options.network  # refuses unknown network_args now
