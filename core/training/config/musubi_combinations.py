"""Combinations of arguments that musubi-tuner refuses, changes or passes over: found in the pair, before anything is encoded.

Most of them it finds in its third stage only, when every picture and caption was encoded and the model is loaded.
Source: kohya-ss/musubi-tuner at 30c658c4 (training/trainer_base.py, the scripts of the families, docs/*.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from core.base.findings import Finding
from core.training.config.combinations import NEVER, Pair
from core.training.config.data import sides_in_steps
from core.training.config.families import KLEIN_VERSION, TRAINED_MODELS
from core.training.config.finding import finding
from core.training.config.musubi import check_folders
from core.training.config.network_arguments import check_network_arguments

CACHING = "musubi-tuner stops there while it encodes the pictures."
TRAINING = "musubi-tuner stops there only when everything is encoded, before the training."
ATTENTION = ("sdpa", "use_flash_attn", "xformers")
OPTIMIZERS = ("AdamW", "AdamW8bit", "Adafactor", "Adadelta", "Adagrad", "Adamax", "ASGD", "LBFGS", "NAdam", "RAdam", "RMSprop", "Rprop",
              "SGD")
"""What it finds without a package's name: its own three, and torch.optim's."""
PACKAGES = {"prodigy": "prodigyopt.Prodigy", "lion": "pytorch_optimizer.Lion", "lion8bit": "bitsandbytes.optim.Lion8bit",
            "pagedadamw8bit": "bitsandbytes.optim.PagedAdamW8bit", "adamwschedulefree": "schedulefree.AdamWScheduleFree",
            "radamschedulefree": "schedulefree.RAdamScheduleFree", "dadaptadam": "dadaptation.DAdaptAdam"}
"""Where sd-scripts' short names live."""
SHIFTS = {"flux2_dev": "flux2_shift", "flux2_klein": "flux2_shift", "qwen_image": "qwen_shift", "z_image": "shift",
          "flux1_kontext": "flux_shift"}
"""The noise levels that its documents advise for each family."""
VERSIONS = {"flux2_dev": ("dev",), "flux2_klein": ("klein-base-4b", "klein-base-9b"),
            "qwen_image": ("original", "edit", "edit-2509", "edit-2511")}
MOST_SWAPPED = {"dev": 29, "klein-base-4b": 13, "klein-base-9b": 16, "z_image": 28, "qwen_image": 59}
"""Blocks that may wait in main memory, by version or family (docs/flux_2.md, docs/zimage.md, qwen_image_model.py)."""
STEP = 16


def check_musubi_combinations(pair: Pair) -> list[Finding]:
    """What musubi-tuner would refuse, change or pass over."""
    return [found for rule in RULES for found in rule(pair)]


def _attention(pair: Pair) -> Iterator[Finding]:
    chosen = [name for name in ATTENTION if pair.arguments.get(name)]
    if not chosen and not pair.arguments.get("flash3"):
        yield finding("error", "No kind of attention is chosen.", "Switch sdpa on.", TRAINING, sdpa=True)
    elif len(chosen) > 1:
        yield finding("warning", f"{' and '.join(chosen)} are all on; musubi-tuner takes {chosen[0]}.", "Leave one of them.", NEVER,
                      **dict.fromkeys(chosen[1:], False))
    if pair.arguments.get("sage_attn"):
        yield finding("error", "SageAttention cannot be trained with.", "Take sage_attn out of the further options.", TRAINING)


def _memory(pair: Pair) -> Iterator[Finding]:
    arguments = pair.arguments
    if arguments.get("fp8_scaled") and not arguments.get("fp8_base"):
        yield finding("error", "The base model is to be in scaled fp8 (fp8_scaled), which needs fp8_base too.", "Switch fp8_base on.",
                      TRAINING, fp8_base=True)
    elif arguments.get("fp8_base") and not arguments.get("fp8_scaled"):
        yield finding("info", "The base model is in plain fp8; scaled fp8 loses less.", "Switch fp8_scaled on.", NEVER, fp8_scaled=True)
    most = MOST_SWAPPED.get(str(_version(pair)), MOST_SWAPPED.get(pair.family))
    if most and (arguments.get("blocks_to_swap") or 0) > most:
        yield finding("error", f"{arguments['blocks_to_swap']} blocks are to wait in main memory, but at most {most} can.",
                      f"Set blocks_to_swap to {most}.", TRAINING, blocks_to_swap=most)
    if arguments.get("persistent_data_loader_workers") and not arguments.get("max_data_loader_n_workers"):
        yield finding("error", "Loader processes are to be kept, but there are none (max_data_loader_n_workers is 0).",
                      "Switch persistent_data_loader_workers off.", TRAINING, persistent_data_loader_workers=False)
    if pair.family.startswith("flux2") and arguments.get("mixed_precision") == "fp16":
        yield finding("warning", "The precision is fp16; FLUX.2 is made for bf16.", "Set mixed_precision to bf16, on a GPU that computes "
                      "it itself.", NEVER)


def _version(pair: Pair) -> Any:
    return pair.arguments.get("model_version")


def _versions(pair: Pair) -> Iterator[Finding]:
    known, version = VERSIONS.get(pair.family, ()), _version(pair)
    if str(version).startswith("klein-") and "base" not in str(version):
        base = str(version).replace("klein-", "klein-base-")
        yield finding("error", f"{version} is the distilled klein, which collapses or turns grey when it is trained.",
                      f"Train {base}; the LoRA then works on {version} too.", NEVER, model_version=base)
    elif version is not None and known and version not in known:
        default = KLEIN_VERSION if pair.family == "flux2_klein" else None
        yield finding("error", f"{TRAINED_MODELS[pair.family].title} has no version {version!r}.",
                      f"Choose one of {', '.join(known)}.", CACHING, model_version=default)


def _folders(pair: Pair) -> Iterator[Finding]:
    yield from check_folders(pair.dataset)
    learned = [subset for subset in pair.subsets if not subset.get("is_reg")]
    without = [subset for subset in learned if not subset.get("control_directory")]
    edits = pair.family == "flux1_kontext" or (pair.family == "qwen_image" and str(_version(pair)).startswith("edit"))
    if edits and without:
        yield finding("error", f"{without[0].get('image_dir')} has no folder of first pictures (control_directory), which "
                      f"{TRAINED_MODELS[pair.family].title} learns to change.", "Give each folder its first pictures, of the same names.",
                      CACHING)
    elif len(without) < len(learned) and not edits and not pair.family.startswith("flux2"):
        yield finding("warning", f"A folder has first pictures (control_directory), but this {TRAINED_MODELS[pair.family].title} does not "
                      "look at them.", "Take them out, or choose an edit model.", NEVER)
    for dataset in pair.datasets:
        resolution = dataset.get("resolution", 1024)
        width, height = resolution if isinstance(resolution, list) else (resolution, resolution)
        if width % STEP or height % STEP:
            fitting = sides_in_steps((width, height), STEP)
            words = " x ".join(str(side) for side in fitting.values() if side)
            yield finding("error", f"The resolution {width} x {height} is no multiple of {STEP}.", f"Set it to {words}.", CACHING,
                          **fitting)


def _optimizer(pair: Pair) -> Iterator[Finding]:
    name = str(pair.arguments.get("optimizer_type") or "AdamW")
    own = {one.lower() for one in OPTIMIZERS[:3]}
    if "." in name or name.lower() in own or name in OPTIMIZERS:
        return
    full = PACKAGES.get(name.lower())
    remedy = f"Write {full}; its package must be in musubi-tuner's environment." if full else "Write it with its package, as package.Class."
    yield finding("error", f"musubi-tuner knows no optimizer {name} without its package.", remedy, TRAINING,
                  **({"optimizer_type": full} if full else {}))


def _noise(pair: Pair) -> Iterator[Finding]:
    sampling, advised = pair.arguments.get("timestep_sampling"), SHIFTS[pair.family]
    if sampling in ("nextdit_shift", "krea2_shift", "ideogram4_shift") or (str(sampling).endswith("_shift") and sampling != advised):
        yield finding("warning", f"The noise levels are drawn by {sampling}, which is another model's.",
                      f"Set timestep_sampling to {advised}.", NEVER, timestep_sampling=advised)
    low, high = pair.arguments.get("min_timestep"), pair.arguments.get("max_timestep")
    if low is not None and high is not None and low >= high:
        yield finding("error", f"The lowest noise level ({low}) is not below the highest ({high}).", "Empty both to train all levels.",
                      NEVER, min_timestep=None, max_timestep=None)


def _network(pair: Pair) -> Iterator[Finding]:
    module, own = pair.arguments.get("network_module"), TRAINED_MODELS[pair.family].network_module
    others = module in ("networks.lora", "networks.dylora", "networks.lora_fa", None)
    if others or (str(module).startswith("networks.lora_") and module != own):
        yield finding("error", f"{TRAINED_MODELS[pair.family].title} is to be trained with {module}, which finds none of its layers.",
                      f"Use {own}.", TRAINING, network_type="lora")
    if pair.arguments.get("scale_weight_norms") and module in ("networks.loha", "networks.lokr"):
        yield finding("warning", f"The limit of weights (scale_weight_norms) is for LoRA; {module} reads past it.",
                      "Empty scale_weight_norms.", NEVER, scale_weight_norms=None)
    if pair.arguments.get("dim_from_weights"):
        yield finding("error", "dim_from_weights ends musubi-tuner, which takes it for a file's name.", "Take it out and set the rank.",
                      TRAINING, dim_from_weights=False)
    yield from check_network_arguments("musubi", str(module), pair.arguments.get("network_args") or [], TRAINING, NEVER)
    if pair.arguments.get("show_timesteps"):
        yield finding("error", "show_timesteps is on: musubi-tuner only draws a curve and ends as if all were well.", "Take it out.", NEVER)


RULES: tuple[Callable[[Pair], Iterator[Finding]], ...] = (_versions, _folders, _attention, _memory, _optimizer, _noise, _network)


def is_distilled_klein(name: str, metadata: Mapping[str, Any]) -> bool:
    """Whether a file is the distilled klein, by its name or its metadata; neither says more than that it is not the base."""
    told = " ".join([name, *(str(value) for key, value in metadata.items() if key.endswith((".title", ".architecture", "name")))]).lower()
    return "klein" in told and "base" not in told
