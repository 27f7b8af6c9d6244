"""How a LoRA is used, in words and code that fit its family.

Sources: https://huggingface.co/docs/diffusers/api/loaders/lora (load_lora_weights of each pipeline); the code is tried against diffusers'
own pipelines in the tests.
"""

from __future__ import annotations

import json

from core.base.cards import plain
from core.utilities.publishing.release import Release

PIPELINES = {"sd15": "StableDiffusionPipeline", "sd2": "StableDiffusionPipeline", "sdxl": "StableDiffusionXLPipeline",
             "sd3": "StableDiffusion3Pipeline", "flux1": "FluxPipeline", "flux2_dev": "Flux2Pipeline", "flux2_klein": "Flux2KleinPipeline"}
"""diffusers' pipelines of the families whose names of layers are known here."""
HALF = {"sd15": "float16", "sd2": "float16", "sdxl": "float16"}
"""The precision in which a family is usually run; the others in bfloat16."""


def diffusers_code(release: Release, repository: str) -> str:
    """Code that draws with it; empty where diffusers does not load the whole file, or the family is not known here.

    Args: repository: owner/name of the LoRA.
    """
    family, base = release.first.family.name, release.found_base.base
    pipeline = PIPELINES.get(family)
    if pipeline is None or not release.first.loads_in_diffusers:
        return ""
    file = f"{base.title if base is not None else 'base model'}.safetensors"
    model = f"from_pretrained({json.dumps(base.hub)}" if base is not None and base.hub else f"from_single_file({json.dumps(file)}"
    kind = HALF.get(family, "bfloat16")
    strength = release.settings.strength
    weight = "" if strength == 1 else f'pipe.set_adapters(["lora"], adapter_weights=[{strength:g}])\n'
    return (f"import torch\nfrom diffusers import {pipeline}\n\n"
            f'pipe = {pipeline}.{model}, torch_dtype=torch.{kind}).to("cuda")\n'
            f"pipe.load_lora_weights({json.dumps(repository)}, weight_name={json.dumps(release.first.name, ensure_ascii=False)}, "
            'adapter_name="lora")\n'
            f"{weight}image = pipe({json.dumps(prompt_of(release), ensure_ascii=False)}).images[0]\n")


def prompt_of(release: Release) -> str:
    """A prompt that shows it: the first sample's, else the trigger."""
    return next((sample.prompt for sample in release.samples if sample.prompt), release.trigger)


def in_words(release: Release) -> list[str]:
    """How A1111, Forge and ComfyUI take it, and what diffusers would leave out."""
    first, strength = release.first, release.settings.strength
    uses = [one.program for one in first.programs if one.loaded and one.program != "diffusers"]
    lines = []
    prompts = [name for name in uses if name in ("A1111", "Forge")]
    if prompts:
        lines.append(f"**{' and '.join(prompts)}**: put the file into `models/Lora`, and write `<lora:{first.stem}:{strength:g}>` into "
                     "the prompt.")
    if "ComfyUI" in uses or not uses:
        lines.append(f"**ComfyUI**: put the file into `models/loras`, and choose it in *Load LoRA* with the strength {strength:g}.")
    diffusers = next(one for one in first.programs if one.program == "diffusers")
    if diffusers.total > 0 and diffusers.loaded < diffusers.total:
        known = first.family.name in PIPELINES
        lines.append(f"**diffusers** loads {diffusers.loaded} of its {diffusers.total} layers. {plain(diffusers.reason)}" if known else
                     "**diffusers**: whether it loads this file was not looked at.")
    return lines
