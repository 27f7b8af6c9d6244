"""Combinations of settings that a trainer refuses, ignores or silently changes, found before anything is loaded.

Each rule names the cost that it saves: sd-scripts finds some of these only after minutes of loading and caching, and
some never. What single values may be is said by the settings classes; what the files must be, by `sources`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError
from core.base.findings import Finding
from core.models.catalog import PARTS_FOLDER
from core.training.config.applying import idle, idle_of_folders, why_not
from core.training.config.combinations import Pair, check_combinations
from core.training.config.components import find_parts, parts_here
from core.training.config.data import Subset, sides_in_steps
from core.training.config.families import SD_SCRIPTS, TRAINER_TITLES, script_for, trained_model
from core.training.config.finding import SettingFinding, finding
from core.training.config.machine_combinations import check_machines
from core.training.config.musubi_combinations import check_musubi_combinations
from core.training.config.network_types import NETWORK_TYPES
from core.training.config.optimizers import check_optimizer, finds_its_rate, leaves_schedule_out, wants_no_schedule
from core.training.config.pair import config_tables, dataset_tables, flatten
from core.training.config.rates import learning_rates
from core.training.config.schedule_arguments import check_schedule_arguments
from core.training.config.training import PARTS, TrainingSettings

Rule = Callable[[TrainingSettings, str], Iterable[Finding]]
MOST_OFT_ALPHA = 0.1
"""Above it the turning is hardly limited. Source: sd-scripts' networks/oft.py, which speaks of 1e-2 to 1e-4."""


def check_settings(settings: TrainingSettings, backend: str = "sd-scripts") -> list[Finding]:
    """What is wrong with a combination of settings, errors first.

    Args: backend: "sd-scripts", "musubi" or "builtin"; the built-in trainer can do some things that sd-scripts cannot.
    """
    found = _judged(settings, backend)
    before = {one.what for one in found if one.level == "error"}
    order = ("error", "warning", "info")
    return sorted((_with_fix_that_mends(one, settings, backend, before) for one in found), key=lambda one: order.index(one.level))


def without_harmful_fixes(findings: Iterable[Finding], settings: TrainingSettings, backend: str) -> list[Finding]:
    """Findings of another place: a fix is left out where it would bring an error. Args: settings: those that were looked at."""
    def harms(fix: Sequence[tuple[str, Any]]) -> bool:
        return bool(new_errors(settings, settings.with_fields(dict(fix)), backend))

    return [replace(one, fix=()) if isinstance(one, SettingFinding) and one.fix and harms(one.fix) else one for one in findings]


def new_errors(before: TrainingSettings, after: TrainingSettings, backend: str = "sd-scripts") -> list[Finding]:
    """Errors that a change of settings brings."""
    known = {one.what for one in _judged(before, backend) if one.level == "error"}
    return [one for one in _judged(after, backend) if one.level == "error" and one.what not in known]


def _with_fix_that_mends(found: Finding, settings: TrainingSettings, backend: str, errors: Collection[str]) -> Finding:
    """A fix is offered only if it does away with what was found and brings no error: else a person must decide."""
    if not isinstance(found, SettingFinding) or not found.fix:
        return found
    try:
        after = _judged(settings.with_fields(dict(found.fix)), backend)
    except ConfigError:
        return replace(found, fix=())
    mends = found.what not in {one.what for one in after} and {one.what for one in after if one.level == "error"} <= set(errors)
    return found if mends else replace(found, fix=())


def _judged(settings: TrainingSettings, backend: str) -> list[Finding]:
    """What every rule says; one that cannot read the settings says so, and the others are heard all the same."""
    found: list[Finding] = []
    for rule in (*RULES, _of_the_pair):
        try:
            found += rule(settings, backend)
        except ConfigError as error:
            found.append(Finding("error", error.message, error.hint))
    return list(dict.fromkeys(found))


def _of_the_pair(settings: TrainingSettings, backend: str) -> Iterable[Finding]:
    """What sd-scripts would refuse or pass over; the built-in trainer bears some of it."""
    model, config = settings.model, flatten(config_tables(settings, Path()))
    try:
        script = script_for(model.family, model.method)
    except ConfigError as error:
        return [Finding("error", error.message, error.hint)]
    pair = Pair(model.family, script, config, dataset_tables(settings), backend == "builtin")
    return check_musubi_combinations(pair) if trained_model(model.family).trainer == "musubi" else check_combinations(pair)


def _trainer(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    """Families that another trainer trains than the one that is chosen."""
    model = trained_model(settings.model.family)
    if (backend in TRAINER_TITLES and model.trainer != backend) or (backend == "builtin" and model.trainer == "musubi"):
        yield Finding("error", f"{model.title} is trained by {model.trainer_title}, but the trainer that is chosen is {backend}.",
                      f"Choose the trainer {model.trainer}.")


def _idle(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    """Settings that somebody set and that do nothing with the others as they are."""
    for part, name, reason in idle(settings):
        field = PARTS[part].fields()[name]
        value = getattr(getattr(settings, part), name)
        if value not in (None, field.get_default(call_default_factory=True)):
            shown = "on" if value is True else value
            yield Finding("info", f"{field.title} ({name}) is {shown}, but does nothing: {reason[:1].lower()}{reason[1:]}")
    for name, reason in idle_of_folders(settings).items():
        field = Subset.fields()[name]
        folder = next((subset.image_dir for subset in settings.data.subsets if getattr(subset, name) != field.default), None)
        if folder is not None:
            yield Finding("info", f"{field.title} ({name}) of the folder {folder} does nothing: {reason[:1].lower()}{reason[1:]}")


def _components(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    """Files beside the base model without which the script cannot begin."""
    missing = [name for name in trained_model(settings.model.family).components if not getattr(settings.model, name)]
    here = parts_here() if missing else []
    for name in missing:
        title, there = settings.model.fields()[name].title, find_parts(settings.model.family, name, here)
        fix = {name: str(there[0])} if len(there) == 1 else {}
        remedy = f"{there[0].name} lies in models/{PARTS_FOLDER}: choose it." if fix else \
            "Choose it in the panel Model and settings, or get it in the panel Get a model."
        yield finding("error", f"{trained_model(settings.model.family).title} needs the file {title} ({name}), which is not chosen.",
                      remedy, **fix)


def _resolution(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    data = settings.data
    width, height = data.size
    if width % 8 or height % 8:
        yield finding("error", f"The resolution {width} x {height} is no multiple of 8.", "512, 768 and 1024 are usual.", "",
                      **sides_in_steps(data.size, 8))
    if data.enable_bucket and settings.model.family in SD_SCRIPTS and min(width, height) < data.bucket_reso_steps:
        yield Finding("error", f"The bucket step ({data.bucket_reso_steps}) is larger than the resolution ({min(width, height)}).",
                      "Raise 'Resolution' (resolution), or lower 'Bucket step' (bucket_reso_steps).")


def _model(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    model = settings.model
    if not model.pretrained_model_name_or_path:
        title = model.fields()["pretrained_model_name_or_path"].title
        yield Finding("error", f"No model is chosen: the setting {title!r} is empty.",
                      "Choose the model that is to learn in the panel Model and settings.")
    if model.no_half_vae and model.family == "sd15":
        yield Finding("info", "The full-precision VAE is meant for SDXL; for SD 1.5 it only costs memory.")


def _network(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    network, family = settings.network, settings.model.family
    kind = NETWORK_TYPES[network.network_type]
    if settings.model.method == "lora" and family not in kind.families:
        yield finding("error", f"{kind.title} is not made for {trained_model(family).title}.", "Choose the type LoRA.", network_type="lora")
    if network.network_train_unet_only and network.network_train_text_encoder_only:
        yield Finding("error", "Only the U-Net and only the text encoder are both chosen.", "Switch one of them off.")
    if network.dim_from_weights and not network.network_weights:
        yield finding("error", "The rank is to come from a LoRA, but none is chosen (network_weights).",
                      "Choose the LoRA, or switch dim_from_weights off.", dim_from_weights=False)
    if why_not(settings, "network_alpha"):
        return
    if network.network_type == "oft":
        if network.network_alpha > MOST_OFT_ALPHA:
            yield finding("warning", f"Alpha is {network.network_alpha:g}, which for OFT is the limit of turning: so large it limits "
                          "nothing.", "0.001 is usual.", network_alpha=0.001)
    elif network.network_alpha > network.network_dim and not why_not(settings, "network_dim"):
        yield finding("warning",
                      f"Alpha ({network.network_alpha:g}) is larger than the rank ({network.network_dim}): learning is amplified.",
                      "Half the rank to the rank is usual.", network_alpha=float(network.network_dim))


def _optimizer(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    optimizer = settings.optimizer
    try:
        options = optimizer.options()
    except ValueError as error:
        yield Finding("error", f"An optimizer argument cannot be read: {error}.", "Write it like weight_decay=0.1 or betas=0.9,0.99.")
        return
    if len(options) < len(optimizer.optimizer_args):
        yield Finding("error", "An optimizer argument is given twice; only the last would count.", "Leave one of them.")
    if settings.model.family in SD_SCRIPTS:
        yield from check_optimizer(optimizer.optimizer_type, options)
    yield from _rates_of(settings)
    yield from _schedule(settings, options)


def _rates_of(settings: TrainingSettings) -> Iterator[Finding]:
    """Rates that teach nothing, or too much."""
    name, rates = settings.optimizer.optimizer_type, learning_rates(settings).all
    if not rates:
        return  # nothing learns at all, which is said elsewhere
    highest, ones = max(rates.values()), {one: 1.0 for one, rate in rates.items() if rate}
    if not highest:
        yield Finding("error", "Every learning rate in use is 0: nothing would be learned.", f"Set {' or '.join(rates)}.")
    elif finds_its_rate(name):
        if len({rate for rate in rates.values() if rate}) > 1:
            shown = ", ".join(f"{one} {rate:g}" for one, rate in rates.items())
            yield finding("error", f"{name} takes one learning rate for all parts, but they are {shown}.",
                          "Set all of them to 1, or one of them to 0.", "", **ones)
        if highest < 0.1:
            yield finding("warning", f"{name} finds the rate itself and takes a factor near 1, but it is {highest:g}.",
                          "Set it to 0.5 to 1.", "", **ones)
    elif highest > 0.05:
        yield Finding("warning", f"A learning rate of {highest:g} is very high for {name}.", "1e-4 to 5e-4 is usual.")


def _schedule(settings: TrainingSettings, options: Mapping[str, Any]) -> Iterator[Finding]:
    """Schedules that the optimizer or sd-scripts does not take as they are."""
    optimizer, schedule = settings.optimizer, settings.schedule
    if optimizer.optimizer_type == "Adafactor" and options.get("relative_step", True):
        own = {"relative_step", "scale_parameter", "warmup_init"}
        kept = [argument for argument in optimizer.optimizer_args if argument.partition("=")[0].strip() not in own]
        yield finding("warning",
                      "Adafactor sets its rate itself (relative_step), so that the learning rates and the schedule do not count.",
                      "Add relative_step=False, scale_parameter=False and warmup_init=False to use yours.",
                      optimizer_args=[*kept, "relative_step=False", "scale_parameter=False", "warmup_init=False"])
        if schedule.lr_warmup_steps:
            yield finding("error", f"Adafactor with relative_step takes no warm-up, but it is {schedule.lr_warmup_steps}.",
                          "Set the warm-up to 0.", lr_warmup_steps=0)
    elif leaves_schedule_out(optimizer.optimizer_type):
        if schedule.lr_scheduler != "constant":
            yield finding("info", f"{optimizer.optimizer_type} needs no schedule, so that {schedule.lr_scheduler} does not count.",
                          "Choose constant and a warm-up of 0 to say so.", lr_scheduler="constant", lr_warmup_steps=0)
    elif wants_no_schedule(optimizer.optimizer_type) and (schedule.lr_scheduler != "constant" or schedule.lr_warmup_steps):
        yield finding("warning", f"{optimizer.optimizer_type} is made to learn without a schedule, but sd-scripts lays "
                      f"{schedule.lr_scheduler} over it.", "Choose constant and a warm-up of 0.", lr_scheduler="constant",
                      lr_warmup_steps=0)
    elif schedule.lr_scheduler == "constant" and schedule.lr_warmup_steps:
        yield finding("error", f"The schedule 'constant' takes no warm-up, but it is {schedule.lr_warmup_steps}.",
                      "Choose constant_with_warmup, or set the warm-up to 0.", lr_scheduler="constant_with_warmup")
    yield from check_schedule_arguments(schedule)
    if schedule.lr_scheduler == "piecewise_constant" and not any(one.startswith("step_rules=") for one in schedule.lr_scheduler_args):
        yield Finding("error", "The schedule piecewise_constant has no rules.",
                      "Add the schedule argument step_rules='1:1000,0.1:2000,0.01': factors, each until its step.")
    if schedule.lr_scheduler == "cosine_with_min_lr" and schedule.lr_scheduler_min_lr_ratio is None:
        yield finding("error", "The schedule cosine_with_min_lr is told no lowest rate, which ends sd-scripts.",
                      "Set lr_scheduler_min_lr_ratio, such as 0.1.", lr_scheduler_min_lr_ratio=0.1)


def _length(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    schedule = settings.schedule
    if schedule.max_train_epochs is None and schedule.max_train_steps is None:
        yield Finding("warning", "No length is given, so that the default of 1600 steps is trained.", "Set the epochs or the steps.")
    if schedule.max_train_epochs is not None and schedule.max_train_steps is not None:
        yield Finding("info", f"Epochs ({schedule.max_train_epochs}) go before steps ({schedule.max_train_steps}), which do not count.")
    if schedule.max_train_epochs is None and schedule.max_train_steps and schedule.lr_warmup_steps >= schedule.max_train_steps \
            and not why_not(settings, "lr_warmup_steps"):
        yield finding("warning", f"The warm-up of {schedule.lr_warmup_steps} steps is as long as the whole training.",
                      "5 % is usual: 0.05.", lr_warmup_steps=0.05)


def _captions(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    data = settings.data
    for name, value in (("caption_dropout_rate", data.caption_dropout_rate),
                        ("caption_dropout_every_n_epochs", data.caption_dropout_every_n_epochs)):
        if value == 1:
            yield finding("warning", f"No caption is ever learned ({name} is 1): the trigger word will call nothing.",
                          f"Set {name} to 0, or to {'0.1' if name.endswith('rate') else 'a larger number'}.", "", **{name: 0})


def _faces(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    sizes = settings.data.face_crop_aug_range
    if sizes and not why_not(settings, "face_crop_aug_range") and (len(sizes) != 2 or sizes[0] > sizes[1]):
        yield finding("error", f"'Crop around faces' (face_crop_aug_range) is {', '.join(f'{one:g}' for one in sizes)}, but must be two "
                      "numbers, the smaller one first.", "Write 2 and 4, or empty it.", face_crop_aug_range=[])


def _samples(settings: TrainingSettings, backend: str) -> Iterator[Finding]:
    sampling = settings.sampling
    how_often = sampling.sample_every_n_epochs or sampling.sample_every_n_steps
    if sampling.sample_prompts and not how_often and not sampling.sample_at_first:
        yield finding("warning", "There are sample prompts, but nothing says when to draw them.", "Set sample_every_n_epochs to 1.",
                      sample_every_n_epochs=1)
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
        yield finding("warning", "States to resume from are on, but nothing is saved on the way.",
                      "Set save_every_n_epochs or save_every_n_steps.", save_every_n_epochs=1)
    if saving.output_name.strip(" .") != saving.output_name:
        named = {"output_name": saving.output_name.strip(" .")} if saving.output_name.strip(" .") else {}
        yield finding("error", f"The name {saving.output_name!r} begins or ends with a space or a dot.", "Take it away.", **named)


RULES: tuple[Rule, ...] = (_trainer, _model, _components, _network, _optimizer, _length, _resolution, _captions, _faces, check_machines,
                           _samples, _saving, _idle)
"""In the order in which a person meets the settings."""
