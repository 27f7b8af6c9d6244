"""What a measurement hangs on: the settings that time and memory depend on, the model's files, and the machine."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from core.base.paths import place_of
from core.base.words import value_words
from core.setup.hardware import cpu_cores, read_gpus
from core.training.config import PARTS
from core.training.config.rates import RATES
from core.training.measuring.shortened import heaviest_prompt, own_options, saves_states

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

DATA = ("resolution", "resolution_height", "batch_size", "enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps",
        "bucket_no_upscale", "color_aug", "random_crop", "cache_latents", "cache_latents_to_disk", "cache_text_encoder_outputs",
        "cache_text_encoder_outputs_to_disk", "max_data_loader_n_workers", "persistent_data_loader_workers")
"""Of the dataset's settings those that matter; captions, repeats and validation do not change what a step takes."""
ONLY = {"data": DATA, "schedule": ("gradient_accumulation_steps",), "saving": ("save_precision",), "sampling": ("sample_sampler",),
        "logging": (), "extra": ()}
"""Of these parts nothing else matters; of the others everything."""
WISHES = {"saving.save_state": "Save to go on", "sampling.sample_prompts": "Sample prompts"}
"""What a measurement without it cannot tell of; one with it can tell of a run without."""


def marks_of(settings: TrainingSettings, backend: str) -> dict[str, Any]:
    """What matters, as values that JSON can hold: "part.field" → value."""
    found: dict[str, Any] = {"backend": backend, "machine": machine_mark(), "model": _file_mark(settings)}
    for part in PARTS:
        values = getattr(settings, part).model_dump(mode="json")
        names = ONLY.get(part, tuple(values))
        found |= {f"{part}.{name}": bool(values[name]) if name in RATES and values[name] is not None else values[name] for name in names}
    return found | {"extra.extra_options": own_options(settings), "saving.save_state": saves_states(settings),
                    "sampling.sample_prompts": heaviest_prompt(settings) is not None}


def differing(measured: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is not as it was measured, in words; empty: the measurement holds."""
    found = []
    for name in dict.fromkeys([*now, *measured]):
        was, is_now = measured.get(name), now.get(name)
        if was != is_now and not (name in WISHES and was):
            found.append(_words(name, was, is_now))
    return found


@cache
def machine_mark() -> str:
    """By what another machine is told from this one: its name, its GPUs, its cores. Asked once: the driver takes up to a second."""
    gpus = ", ".join(gpu.name for gpu in read_gpus().gpus) or "no GPU"
    return f"{socket.gethostname()}, {gpus}, {cpu_cores():g} cores"


def _file_mark(settings: TrainingSettings) -> list[Any]:
    """Size and time of the base model, which may be replaced under its name; of a folder its own time."""
    name = settings.model.pretrained_model_name_or_path
    path = place_of(name) if name else None
    if path is None or not path.exists():
        return []
    facts = path.stat()
    return [facts.st_size if path.is_file() else 0, facts.st_mtime]


def _words(name: str, was: Any, is_now: Any) -> str:
    own = {"backend": "the trainer", "machine": "the machine", "model": "the model's file"}
    if name in own:
        return f"{own[name]} ({was} then)" if name != "model" else own[name]
    part, _, field = name.partition(".")
    title = WISHES.get(name) or (PARTS[part].fields()[field].title if part in PARTS and field in PARTS[part].fields() else name)
    return f"{title} ({value_words(was)} then, {value_words(is_now)} now)"
