"""Combinations of settings that a trainer refuses, ignores or silently changes, found before anything is loaded.

Each rule names the cost that it saves: sd-scripts finds some of these only after minutes of loading and caching, and
some never. What single values may be is said by the settings classes; what the files must be, by `sources`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from core.base.findings import Finding
from core.training.config.training import TrainingSettings

Rule = Callable[[TrainingSettings, str], Iterator[Finding]]
BUCKET_MULTIPLE = {"sd15": 64, "sdxl": 32}
"""What sd-scripts asserts of bucket_reso_steps, per family."""


def check_settings(settings: TrainingSettings, backend: str = "sd-scripts") -> list[Finding]:
    """What is wrong with a combination of settings, errors first.

    Args: backend: "sd-scripts" or "builtin"; the built-in trainer can do some things that sd-scripts cannot.
    """
    found = [finding for rule in RULES for finding in rule(settings, backend)]
    order = ("error", "warning", "info")
    return sorted(found, key=lambda finding: order.index(finding.level))


def _model(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    model = settings.model
    if not model.pretrained_model_name_or_path:
        title = model.fields()["pretrained_model_name_or_path"].title
        yield Finding("error", f"No model is chosen: the setting {title!r} is empty.",
                      "Choose the model that is to learn in the panel Model and settings.")
    if model.v2 and model.family == "sdxl":
        yield Finding("error", "Stable Diffusion 2 (v2) is on for an SDXL model.", "Switch v2 off, or choose the family SD 1.5.")
    if model.clip_skip is not None and (model.family == "sdxl" or model.v2):
        kind = "SDXL" if model.family == "sdxl" else "SD 2"
        yield Finding("warning", f"CLIP skip is {model.clip_skip}, but {kind} is not trained with it.", "Leave CLIP skip empty.")
    if model.no_half_vae and model.family == "sd15":
        yield Finding("info", "The full-precision VAE is meant for SDXL; for SD 1.5 it only costs memory.")


def _v_prediction(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    loss = settings.loss
    if settings.model.v_parameterization:
        return
    if loss.scale_v_pred_loss_like_noise_pred:
        yield Finding("error", "The v-prediction loss is scaled, but v-prediction is off.",
                      "Switch v_parameterization on if the model is a v-prediction model, else scale_v_pred_loss_like_noise_pred off.")
    if loss.zero_terminal_snr:
        yield Finding("warning", "Zero terminal SNR is on, but v-prediction is off: the result will be poor.",
                      "Use it for v-prediction models only.")


def _network(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    network = settings.network
    if network.network_train_unet_only and network.network_train_text_encoder_only:
        yield Finding("error", "Only the U-Net and only the text encoder are both chosen.", "Switch one of them off.")
    if network.dim_from_weights and not network.network_weights:
        yield Finding("error", "The rank is to come from a LoRA, but none is chosen (network_weights).",
                      "Choose the LoRA, or switch dim_from_weights off.")
    if network.conv_alpha is not None and network.conv_dim is None:
        yield Finding("warning", f"Convolution alpha is {network.conv_alpha:g}, but there is no convolution rank.",
                      "Set conv_dim, or leave both empty.")
    if network.network_alpha > network.network_dim:
        yield Finding("warning",
                      f"Alpha ({network.network_alpha:g}) is larger than the rank ({network.network_dim}): learning is amplified.",
                      "Half the rank to the rank is usual.")
    names: list[str] = [name for name in ("conv_dim", "conv_alpha", "ema_decay") if getattr(network, name) is not None]
    for argument in network.network_args:
        name, equals, value = argument.partition("=")
        if not equals or not name.strip() or not value.strip():
            yield Finding("error", f"The network argument {argument!r} is not name=value.", "Write it like conv_dim=8.")
        elif name in names:
            yield Finding("error", f"The network argument {name!r} is given twice.", "Leave one of them.")
        names.append(name)
    if network.ema_decay is not None and backend == "sd-scripts":
        yield Finding("warning", "Averaged weights (ema_decay) are not known to sd-scripts, which reads past them.",
                      "Use the built-in trainer for them.")


def _optimizer(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    optimizer, schedule = settings.optimizer, settings.schedule
    try:
        options = optimizer.options()
    except ValueError as error:
        yield Finding("error", f"An optimizer argument cannot be read: {error}.", "Write it like weight_decay=0.1 or betas=0.9,0.99.")
        return
    if len(options) < len(optimizer.optimizer_args):
        yield Finding("error", "An optimizer argument is given twice; only the last would count.", "Leave one of them.")
    rates = _rates(settings)
    if not any(rates.values()):
        yield Finding("error", "Every learning rate in use is 0: nothing would be learned.", "Set unet_lr or text_encoder_lr.")
    if optimizer.optimizer_type == "Prodigy" and len({rate for rate in rates.values() if rate}) > 1:
        shown = ", ".join(f"{name} {rate:g}" for name, rate in rates.items())
        yield Finding("error", f"Prodigy takes one learning rate for all parts, but they are {shown}.",
                      "Set all of them to 1, or one of them to 0.")
    if optimizer.optimizer_type == "Prodigy" and 0 < max(rates.values()) < 0.1:
        yield Finding("warning", f"Prodigy finds the rate itself and takes a factor near 1, but it is {max(rates.values()):g}.",
                      "Set it to 0.5 to 1.")
    if optimizer.optimizer_type != "Prodigy" and max(rates.values()) > 0.05:
        yield Finding("warning", f"A learning rate of {max(rates.values()):g} is very high for {optimizer.optimizer_type}.",
                      "1e-4 to 5e-4 is usual.")
    if optimizer.optimizer_type == "Adafactor" and options.get("relative_step", True):
        yield Finding("warning",
                      "Adafactor sets its rate itself (relative_step), so that the learning rates and the schedule do not count.",
                      "Add relative_step=False, scale_parameter=False and warmup_init=False to use yours.")
        if schedule.lr_warmup_steps:
            yield Finding("error", f"Adafactor with relative_step takes no warm-up, but it is {schedule.lr_warmup_steps}.",
                          "Set the warm-up to 0.")
    elif schedule.lr_scheduler == "constant" and schedule.lr_warmup_steps:
        yield Finding("error", f"The schedule 'constant' takes no warm-up, but it is {schedule.lr_warmup_steps}.",
                      "Choose constant_with_warmup, or set the warm-up to 0.")


def _rates(settings: TrainingSettings) -> dict[str, float]:
    """The learning rates that take part, by part."""
    optimizer, network = settings.optimizer, settings.network
    rates = {}
    if not network.network_train_text_encoder_only:
        rates["unet_lr"] = optimizer.learning_rate if optimizer.unet_lr is None else optimizer.unet_lr
    if not network.network_train_unet_only:
        rates["text_encoder_lr"] = optimizer.learning_rate if optimizer.text_encoder_lr is None else optimizer.text_encoder_lr
    return rates or {"unet_lr": optimizer.learning_rate}


def _length(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    schedule = settings.schedule
    if schedule.max_train_epochs is None and schedule.max_train_steps is None:
        yield Finding("warning", "No length is given, so that the default of 1600 steps is trained.", "Set the epochs or the steps.")
    if schedule.max_train_epochs is not None and schedule.max_train_steps is not None:
        yield Finding("info", f"Epochs ({schedule.max_train_epochs}) go before steps ({schedule.max_train_steps}), which do not count.")
    if schedule.max_train_epochs is None and schedule.max_train_steps and schedule.lr_warmup_steps >= schedule.max_train_steps:
        yield Finding("warning", f"The warm-up of {schedule.lr_warmup_steps} steps is as long as the whole training.",
                      "5 % is usual: 0.05.")


def _buckets(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    data = settings.data
    width, height = data.size
    if width % 8 or height % 8:
        yield Finding("error", f"The resolution {width} x {height} is no multiple of 8.", "512, 768 and 1024 are usual.")
    if not data.enable_bucket:
        return
    steps, multiple = data.bucket_reso_steps, BUCKET_MULTIPLE[settings.model.family]
    if backend == "sd-scripts" and steps % multiple:
        yield Finding("error", f"The bucket step is {steps}, but must be a multiple of {multiple} for {settings.model.family}.",
                      f"Set bucket_reso_steps to {multiple}.")
    lowest = data.min_bucket_reso - data.min_bucket_reso % steps
    highest = data.max_bucket_reso + -data.max_bucket_reso % steps
    if lowest > min(width, height):
        yield Finding("error",
                      f"The shortest side of a bucket ({data.min_bucket_reso}) is longer than the resolution ({min(width, height)}).",
                      f"Set 'Shortest side' (min_bucket_reso) to {min(width, height) // 2 // steps * steps or steps}, or raise the "
                      "resolution.")
    if highest < max(width, height):
        yield Finding("error",
                      f"The longest side of a bucket ({data.max_bucket_reso}) is shorter than the resolution ({max(width, height)}).",
                      f"Set 'Longest side' (max_bucket_reso) to {2 * max(width, height)}, or lower the resolution.")
    if min(width, height) < steps:
        yield Finding("error", f"The bucket step ({steps}) is larger than the resolution ({min(width, height)}).",
                      "Lower bucket_reso_steps.")


def _caches(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    data, network = settings.data, settings.network
    if data.cache_latents or data.cache_latents_to_disk:
        for name, on in (("color_aug", data.color_aug), ("random_crop", data.random_crop)):
            if on:
                yield Finding("error", f"Latents are cached, but {name} changes the picture at each step.",
                              f"Switch cache_latents or {name} off.")
    if data.cache_latents_to_disk and not data.cache_latents:
        yield Finding("info", "Latents to disk switches the caching of latents on.")
    if not (data.cache_text_encoder_outputs or data.cache_text_encoder_outputs_to_disk):
        return
    if backend == "sd-scripts" and settings.model.family == "sd15":
        yield Finding("error", "sd-scripts does not cache captions for SD 1.5.",
                      "Switch cache_text_encoder_outputs off, or use the built-in trainer.")
    if not network.network_train_unet_only:
        yield Finding("error", "Captions are cached, but the text encoder is trained too, which would change them.",
                      "Switch network_train_unet_only on, or cache_text_encoder_outputs off.")
    for name, change in (("shuffle_caption", "their tags are shuffled at each step"),
                         ("caption_dropout_rate", f"a share of {data.caption_dropout_rate:g} is to be shown empty"),
                         ("caption_dropout_every_n_epochs", "they are left out in some epochs"),
                         ("caption_tag_dropout_rate", f"a share of {data.caption_tag_dropout_rate:g} of their tags is left out"),
                         ("enable_wildcard", "their wildcards are drawn at each step")):
        value = getattr(data, name)
        if value:
            remedy = f"Switch {name} off" if value is True else f"Set {name} to 0"
            yield Finding("error", f"Captions are cached, but {change}.", f"{remedy}, or switch cache_text_encoder_outputs off.")


def _captions(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    data = settings.data
    for name, value in (("caption_dropout_rate", data.caption_dropout_rate),
                        ("caption_dropout_every_n_epochs", data.caption_dropout_every_n_epochs)):
        if value == 1:
            yield Finding("warning", f"No caption is ever learned ({name} is 1): the trigger word will call nothing.",
                          f"Set {name} to 0, or to {'0.1' if name.endswith('rate') else 'a larger number'}.")


def _precision(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    memory = settings.memory
    for name, wanted in (("full_fp16", "fp16"), ("full_bf16", "bf16")):
        if getattr(memory, name) and memory.mixed_precision != wanted:
            yield Finding("error", f"{name} needs the precision {wanted}, but it is {memory.mixed_precision}.",
                          f"Set mixed_precision to {wanted}, or switch {name} off.")
    if memory.xformers and memory.sdpa:
        yield Finding("warning", "xformers and PyTorch attention are both on; sd-scripts takes xformers.", "Leave one of them.")


def _samples(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    sampling = settings.sampling
    how_often = sampling.sample_every_n_epochs or sampling.sample_every_n_steps
    if sampling.sample_prompts and not how_often and not sampling.sample_at_first:
        yield Finding("warning", "There are sample prompts, but nothing says when to draw them.", "Set sample_every_n_epochs to 1.")
    if not sampling.sample_prompts:
        yield Finding("info", "There are no sample prompts: nothing is drawn during training.",
                      "Add a prompt with the trigger word to see it learn.")
    if sampling.sample_every_n_epochs and sampling.sample_every_n_steps:
        yield Finding("info", "Samples are drawn by epochs; the number of steps does not count.")


def _saving(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    saving = settings.saving
    if saving.save_last_n_epochs and not saving.save_every_n_epochs:
        yield Finding("info", "Keeping the last epochs does nothing, since no epoch is saved.")
    if saving.save_state and not (saving.save_every_n_epochs or saving.save_every_n_steps):
        yield Finding("warning", "States to resume from are on, but nothing is saved on the way.",
                      "Set save_every_n_epochs or save_every_n_steps.")
    if saving.output_name.strip(" .") != saving.output_name:
        yield Finding("error", f"The name {saving.output_name!r} begins or ends with a space or a dot.", "Take it away.")


RULES: tuple[Rule, ...] = (_model, _v_prediction, _network, _optimizer, _length, _buckets, _caches, _captions, _precision, _samples,
                           _saving)
"""In the order in which a person meets the settings."""
