"""Combinations of arguments that sd-scripts refuses, changes or passes over: found in the pair itself, before anything is loaded.

They are looked for in what is written, so that further options, imported files and files written by hand are judged like the form.
Each says when sd-scripts would have noticed. Source: kohya-ss/sd-scripts at 48d368fa (library/train_util.py, train_network.py and the
scripts of the families), each tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from core.base.findings import Finding
from core.training.config.facts import known_arguments
from core.training.config.families import TRAINED_MODELS
from core.training.config.finding import finding
from core.training.config.network_arguments import check_network_arguments

AT_ONCE = "sd-scripts refuses it at its start."
LATE = "sd-scripts stops there only after models and caches are loaded, minutes later."
NEVER = "sd-scripts says nothing."
NO_LATENTS: Mapping[str, Any] = {"cache_latents": False, "cache_latents_to_disk": False}
NO_CAPTIONS: Mapping[str, Any] = {"cache_text_encoder_outputs": False, "cache_text_encoder_outputs_to_disk": False}
"""Without the caches nothing else is learned, only more slowly; the other way out would change the training."""
MOST_SWAPPED = {"flux1": 35, "chroma": 35, "hunyuan_image": 37, "sd3": 36, "anima": 26}
"""Blocks that may wait in main memory (enable_block_swap in library/*_models.py); of SD 3.5 medium 22."""
CACHES_DROPOUT = "anima"
"""The family whose cached captions may still be left out."""


@dataclass(frozen=True)
class Pair:
    """A pair as a script reads it."""

    family: str
    script: str
    arguments: Mapping[str, Any]
    """config.toml, flattened."""
    dataset: Mapping[str, Any]
    """dataset.toml."""
    built_in: bool = False
    """For the built-in trainer, which caches captions of every family and takes any bucket step."""

    def get(self, name: str) -> Any:
        """An argument's value; the parser's own default where nothing is said, None where the script does not know it."""
        if name in self.arguments:
            return self.arguments[name]
        return known_arguments(self.script).get(name, {}).get("default")

    @cached_property
    def subsets(self) -> list[dict[str, Any]]:
        """Every folder with what holds for it: its own values before the dataset's, the general ones and the arguments."""
        return [{**self.arguments, **self.dataset.get("general", {}), **_own(dataset), **subset}
                for dataset in self.dataset.get("datasets", []) for subset in dataset.get("subsets", [])]

    @cached_property
    def datasets(self) -> list[dict[str, Any]]:
        """Every dataset with what holds for it."""
        return [{**self.dataset.get("general", {}), **_own(dataset)} for dataset in self.dataset.get("datasets", [])]

    def any_folder(self, name: str) -> Any:
        """The first value of a key that is set for a folder, or None."""
        values = [subset.get(name) for subset in self.subsets] or [self.dataset.get("general", {}).get(name), self.get(name)]
        return next((value for value in values if value), None)


def check_combinations(pair: Pair) -> list[Finding]:
    """What sd-scripts would refuse, change or pass over; in the order of the time that it would cost."""
    return [found for rule in RULES for found in rule(pair)]


def _own(dataset: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in dataset.items() if name != "subsets"}


def _error(what: str, remedy: str, why: str, **fix: Any) -> Finding:
    return finding("error", what, remedy, why, **fix)


def _warning(what: str, remedy: str, why: str, **fix: Any) -> Finding:
    return finding("warning", what, remedy, why, **fix)


def _noise(pair: Pair) -> Iterator[Finding]:
    if pair.get("adaptive_noise_scale") is not None and pair.get("noise_offset") is None:
        yield _error("An adaptive noise offset is set, but no noise offset.", "Set noise_offset, such as 0.05, or empty "
                     "adaptive_noise_scale.", AT_ONCE, adaptive_noise_scale=None)
    v_prediction = pair.get("v_parameterization")
    if pair.get("v_pred_like_loss") and v_prediction:
        yield _error("A v-prediction-like loss is added, but the model predicts v itself.", "Empty v_pred_like_loss.", AT_ONCE,
                     v_pred_like_loss=None)
    if pair.get("scale_v_pred_loss_like_noise_pred") and not v_prediction:
        yield _error("The v-prediction loss is scaled, but v-prediction is off.", "Switch v_parameterization on if the model is a "
                     "v-prediction model, else scale_v_pred_loss_like_noise_pred off.", AT_ONCE, scale_v_pred_loss_like_noise_pred=False)
    if pair.get("zero_terminal_snr") and not v_prediction:
        yield _warning("Zero terminal SNR is on, but v-prediction is off: the result will be poor.",
                       "Use it for v-prediction models only.", NEVER, zero_terminal_snr=False)
    if pair.get("loss_type") in ("huber", "smooth_l1") and pair.get("huber_schedule") == "snr" and _is_flow(pair):
        yield _error("Huber's schedule is snr, which models with a transformer do not have.", "Set huber_schedule to exponential or "
                     "constant.", LATE, huber_schedule="exponential")
    low, high = pair.get("min_timestep"), pair.get("max_timestep")
    if low is not None and high is not None and low >= high:
        yield _error(f"The lowest noise level ({low}) is not below the highest ({high}).", "Empty both to train all levels.", LATE,
                     min_timestep=None, max_timestep=None)


def _latents(pair: Pair) -> Iterator[Finding]:
    for name in ("cache_latents", "cache_latents_to_disk"):
        if not pair.get(name):
            continue
        for change in ("color_aug", "random_crop"):
            if pair.any_folder(change):
                yield _error(f"Latents are cached, but {change} changes the picture at each step.",
                             f"Switch cache_latents or {change} off.", AT_ONCE, **NO_LATENTS)
        break
    if pair.get("cache_latents_to_disk") and not pair.get("cache_latents"):
        yield finding("info", "Latents to disk switches the caching of latents on.", "", NEVER, cache_latents=True)


def _captions_cached(pair: Pair) -> Iterator[Finding]:
    to_disk = pair.get("cache_text_encoder_outputs_to_disk")
    if not (pair.get("cache_text_encoder_outputs") or to_disk):
        return
    if to_disk and not pair.get("cache_text_encoder_outputs"):
        yield finding("info", "Captions to disk switches the caching of captions on.", "", NEVER, cache_text_encoder_outputs=True)
    changes = {"shuffle_caption": "their tags are shuffled at each step",
               "caption_tag_dropout_rate": "a share of {} of their tags is left out",
               "token_warmup_step": "they grow at the start"}
    if pair.family != CACHES_DROPOUT:
        changes["caption_dropout_rate"] = "a share of {} is to be shown empty"
    for name, change in changes.items():
        if value := pair.any_folder(name):
            yield _error(f"Captions are cached, but {change.format(value)}.", f"Set {name} to {'off' if value is True else 0}, or "
                         "switch cache_text_encoder_outputs off.", AT_ONCE, **NO_CAPTIONS)
    for name, change in (("enable_wildcard", "their wildcards are drawn at each step"),
                         ("caption_dropout_every_n_epochs", "they are left out in some epochs")):
        if pair.any_folder(name):
            yield _error(f"Captions are cached, but {change}, which the caches would keep from changing.", f"Switch {name} off, or "
                         "switch cache_text_encoder_outputs off.", NEVER, **NO_CAPTIONS)
    stands_still = ("sdxl", "anima", "sd15") if pair.built_in else ("sdxl", "anima")
    if pair.family in stands_still and not pair.get("network_train_unet_only") and _is_lora(pair):
        yield _error("Captions are cached, but the text encoder is trained too, which would change them.",
                     "Switch network_train_unet_only on, or cache_text_encoder_outputs off.", AT_ONCE, **NO_CAPTIONS)
    if pair.family in ("sd15", "sd2") and not pair.built_in:
        yield _error(f"sd-scripts does not cache captions for {TRAINED_MODELS[pair.family].title}.",
                     "Switch cache_text_encoder_outputs off, or use the built-in trainer.", NEVER, **NO_CAPTIONS)
    if _network_arg(pair, "train_t5xxl") == "True":
        yield _error("Captions are cached, but T5 is taught too, which would change them.", "Switch train_t5xxl off, or "
                     "cache_text_encoder_outputs off.", LATE, train_t5xxl=False)


def _memory(pair: Pair) -> Iterator[Finding]:
    if pair.get("blocks_to_swap") and pair.get("cpu_offload_checkpointing"):
        yield _error("Blocks wait in main memory (blocks_to_swap), and so do the checkpoints (cpu_offload_checkpointing): the two do not "
                     "go together.", "Switch cpu_offload_checkpointing off.", AT_ONCE, cpu_offload_checkpointing=False)
    if pair.get("unsloth_offload_checkpointing"):
        for name in ("cpu_offload_checkpointing", "blocks_to_swap"):
            if pair.get(name):
                yield _error(f"unsloth_offload_checkpointing and {name} do not go together.", f"Empty {name}.", AT_ONCE,
                             **{name: None if name == "blocks_to_swap" else False})
    precision = pair.get("mixed_precision")
    if pair.get("full_fp16") and pair.get("full_bf16"):
        yield _error("All is to be in fp16 (full_fp16) and in bf16 (full_bf16) at once.", "Switch one of them off.", LATE,
                     **{"full_fp16" if precision == "bf16" else "full_bf16": False})
    for name, wanted in (("full_fp16", "fp16"), ("full_bf16", "bf16")):
        if pair.get(name) and precision != wanted:
            yield _error(f"{name} needs the precision {wanted}, but it is {precision}.",
                         f"Set mixed_precision to {wanted}, or switch {name} off.", LATE, mixed_precision=wanted)
    if (pair.get("fp8_base") or pair.get("fp8_base_unet")) and precision == "no":
        yield _error("The base model is to be in fp8, but the precision is no.", "Set mixed_precision to bf16.", LATE,
                     mixed_precision="bf16")
    most = MOST_SWAPPED.get(pair.family)
    if most and (pair.get("blocks_to_swap") or 0) > most:
        yield _error(f"{pair.get('blocks_to_swap')} blocks are to wait in main memory (blocks_to_swap), but at most {most} can.",
                     f"Set blocks_to_swap to {most}.", LATE, blocks_to_swap=most)
    if pair.get("persistent_data_loader_workers") and not pair.get("max_data_loader_n_workers"):
        yield _error("Loader processes are to be kept, but there are none (max_data_loader_n_workers is 0).",
                     "Switch persistent_data_loader_workers off.", LATE, persistent_data_loader_workers=False)
    if pair.get("fused_backward_pass"):
        if str(pair.get("optimizer_type")).lower() != "adafactor":
            yield _error(f"fused_backward_pass works with Adafactor only, but the optimizer is {pair.get('optimizer_type')}.",
                         "Choose Adafactor, or switch fused_backward_pass off.", LATE, fused_backward_pass=False)
        elif pair.get("gradient_accumulation_steps") not in (None, 1):
            yield _error("fused_backward_pass does not accumulate batches.", "Set gradient_accumulation_steps to 1.", LATE,
                         gradient_accumulation_steps=1)
    if pair.get("attn_mode") == "xformers" and not pair.get("split_attn"):
        yield _error("Attention by xformers needs split_attn.", "Switch split_attn on.", LATE, split_attn=True)
    if pair.get("xformers") and pair.get("sdpa"):
        yield _warning("xformers and PyTorch attention are both on; sd-scripts takes xformers.", "Leave one of them.", NEVER, sdpa=False)


def _buckets(pair: Pair) -> Iterator[Finding]:
    multiple = TRAINED_MODELS[pair.family].bucket_multiple if pair.family in TRAINED_MODELS else 1
    for dataset in pair.datasets:
        if not dataset.get("enable_bucket"):
            continue
        steps = dataset.get("bucket_reso_steps", 64)
        if steps % multiple and not pair.built_in:
            yield _error(f"The bucket step is {steps}, but must be a multiple of {multiple} for {TRAINED_MODELS[pair.family].title}.",
                         f"Set bucket_reso_steps to {multiple}.", AT_ONCE, bucket_reso_steps=multiple)
        yield from _bucket_sides(dataset, steps)


def _bucket_sides(dataset: Mapping[str, Any], steps: int) -> Iterator[Finding]:
    resolution = dataset.get("resolution", 512)
    sides = resolution if isinstance(resolution, list) else [resolution, resolution]
    low, high = dataset.get("min_bucket_reso", 256), dataset.get("max_bucket_reso", 1024)
    if low - low % steps > min(sides):
        least = min(sides) // 2 // steps * steps or steps
        yield _error(f"The shortest side of a bucket ({low}) is longer than the resolution ({min(sides)}).",
                     f"Set 'Shortest side' (min_bucket_reso) to {least}, or raise the resolution.", AT_ONCE, min_bucket_reso=least)
    if high + -high % steps < max(sides):
        yield _error(f"The longest side of a bucket ({high}) is shorter than the resolution ({max(sides)}).",
                     f"Set 'Longest side' (max_bucket_reso) to {2 * max(sides)}, or lower the resolution.", AT_ONCE,
                     max_bucket_reso=2 * max(sides))


def _folders(pair: Pair) -> Iterator[Finding]:
    for name, words in (("flip_aug", "mirrored"), ("alpha_mask", "masked by their transparency"), ("random_crop", "cut at random")):
        values = {bool(subset.get(name)) for subset in pair.subsets}
        if len(values) > 1:
            yield _error(f"Pictures of one folder are {words}, those of another are not ({name}): they cannot share a batch.",
                         f"Give {name} the same value for all folders.", AT_ONCE)
    yield from _masks(pair)


def _masks(pair: Pair) -> Iterator[Finding]:
    """Folders of masks have a schema of their own, which holds for all folders or for none."""
    with_masks = [subset for subset in pair.subsets if subset.get("conditioning_data_dir")]
    masked = pair.get("masked_loss")
    if with_masks and not masked:
        yield _error("A folder has masks, but the masked loss is off.", "Switch masked_loss on, or take the folder of masks out.", AT_ONCE,
                     masked_loss=True)
    if with_masks and len(with_masks) < len(pair.subsets):
        yield _error("Some folders have a folder of masks and others have none, which sd-scripts does not take.", "Give each one masks, or "
                     "draw the masks as the pictures' transparency (alpha_mask).", AT_ONCE)
    for name in ("is_reg", "alpha_mask", "class_tokens"):
        if any(subset.get(name) for subset in with_masks):
            yield _error(f"A folder with masks has {name} too, which sd-scripts does not take.", f"Take {name} out of that folder.",
                         AT_ONCE)
    if masked and not _is_lora(pair) and pair.family in ("sd15", "sd2") and len(with_masks) < len(pair.subsets):
        yield _error(f"Where the whole model of {TRAINED_MODELS[pair.family].title} is trained, the masked loss needs a folder of masks "
                     "for each folder.", "Give each one masks, or switch masked_loss off.", AT_ONCE, masked_loss=False)


def _network(pair: Pair) -> Iterator[Finding]:
    if not _is_lora(pair):
        return
    module = pair.get("network_module")
    if not module:
        yield _error("No network is named (network_module), so that there is nothing to train.", "Choose a type of network.", LATE,
                     network_type="lora")
    elif module == "networks.lora" and pair.family not in ("sd15", "sd2", "sdxl"):
        yield _error(f"{TRAINED_MODELS[pair.family].title} is to be trained with networks.lora, which finds none of its layers: only the "
                     "text encoder would learn.", f"Use {TRAINED_MODELS[pair.family].network_module}.", NEVER, network_type="lora")
    yield from check_network_arguments("sd-scripts", str(module), pair.get("network_args") or [], LATE, NEVER, pair.built_in)
    if pair.get("scale_weight_norms") and module == "networks.lora_hunyuan_image":
        yield _warning("The limit of weights (scale_weight_norms) is not known to this network and would be dropped.",
                       "Empty scale_weight_norms.", NEVER, scale_weight_norms=None)


def _never(pair: Pair) -> Iterator[Finding]:
    for name, words in (("debug_dataset", "only shows the dataset"), ("output_config", "only writes its settings")):
        if pair.get(name):
            yield _error(f"{name} is on: sd-scripts {words} and ends as if all were well, without a training.", f"Take {name} out.", NEVER)
    for name in ("train_data_dir", "reg_data_dir", "in_json"):
        if pair.arguments.get(name):
            yield _warning(f"{name} is given, but does not count beside a dataset file.", f"Take {name} out, and add its folder.", NEVER)
    if pair.get("log_with") in ("tensorboard", "all") and not pair.get("logging_dir"):
        yield _error(f"It is to log with {pair.get('log_with')}, but no folder is named (logging_dir).", "Each run names its own; or empty "
                     "log_with.", AT_ONCE, log_with=None)


def _is_lora(pair: Pair) -> bool:
    return "network_module" in known_arguments(pair.script)


def _is_flow(pair: Pair) -> bool:
    return pair.family not in ("sd15", "sd2", "sdxl")


def _network_arg(pair: Pair, name: str) -> str:
    for argument in pair.get("network_args") or []:
        key, _, value = str(argument).partition("=")
        if key.strip() == name:
            return value.strip()
    return ""


RULES: tuple[Callable[[Pair], Iterator[Finding]], ...] = (_noise, _latents, _captions_cached, _buckets, _folders, _memory, _network, _never)
