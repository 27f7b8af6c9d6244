"""Publishes the trained pipeline as assets/demo/model in half precision, with figures measured on it in its card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import torch
from diffusers import StableDiffusionPipeline

from core.demo.judge import judge_attributes, judge_concept
from core.demo.world import CAST, TRIGGER, Spec, concept_spec, named_spec, random_spec
from custom.make_demo.autoencoder import measure_psnr
from custom.make_demo.pictures import draw_tensor

if TYPE_CHECKING:
    from PIL import Image

FOLDER = Path(__file__).parents[2] / "assets" / "demo" / "model"
TEMPLATE = Path(__file__).with_name("card.md")
STEPS = 20
GUIDANCE = 3.0
PROMPTS = 96
BATCH = 12


def publish_model(work: Path) -> None:
    """Write assets/demo/model and its README.md from work/model, work/unet.pt and the trained judge."""
    pipeline = StableDiffusionPipeline.from_pretrained(work / "model", safety_checker=None)
    shutil.rmtree(FOLDER, ignore_errors=True)
    pipeline.to(torch.float16).save_pretrained(FOLDER)
    complete_folder(work)
    # the figures are those of the file that is published, rounding to half included
    pipeline = StableDiffusionPipeline.from_pretrained(FOLDER, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    figures = measure(pipeline) | training_figures(work)
    (FOLDER / "README.md").write_text(TEMPLATE.read_text(encoding="utf-8").format(**figures), encoding="utf-8")
    print("card:", figures, flush=True)


def complete_folder(work: Path) -> None:
    """Add what transformers 4 reads of a tokenizer, and have the text tower loaded in single precision as the rest is.

    transformers 5 loads a model in the precision that its configuration names, diffusers in single precision; a
    pipeline of both would fail at its first product.
    """
    for name in ("vocab.json", "merges.txt", "special_tokens_map.json"):
        shutil.copyfile(work / "tokenizer" / name, FOLDER / "tokenizer" / name)
    path = FOLDER / "text_encoder" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"dtype": "float32"}
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for file in FOLDER.rglob("*.safetensors"):
        file.chmod(0o644)


def sample(pipeline: StableDiffusionPipeline, prompts: list[str], seed: int) -> list[Image.Image]:
    """One 64 x 64 picture for each prompt, 20 DDIM steps, guidance 3."""
    images = []
    for first in range(0, len(prompts), BATCH):
        generator = torch.Generator().manual_seed(seed + first)
        chunk = prompts[first : first + BATCH]
        images += pipeline(chunk, num_inference_steps=STEPS, guidance_scale=GUIDANCE, height=64, width=64, generator=generator).images
    return images


def measure(pipeline: StableDiffusionPipeline) -> dict[str, str]:
    """Accuracy on prompts of full tags and of names alone, share of mikoneko before any LoRA, the autoencoder's PSNR."""
    rng = Random(8)
    ordinary: list[Spec] = [random_spec(rng) for _ in range(PROMPTS)]
    named = [named_spec(rng) for _ in range(PROMPTS)]
    concept = [concept_spec(rng) for _ in range(PROMPTS // 2)]
    tag_samples = sample(pipeline, [", ".join(spec.tags) for spec in ordinary], 1)
    name_samples = sample(pipeline, [", ".join([spec.name, "1girl", *spec.moment]) for spec in named], 2)
    concept_samples = sample(pipeline, [", ".join([TRIGGER, "1girl", *spec.moment]) for spec in concept], 3)
    spelled_out = sample(pipeline, [", ".join(spec.tags) for spec in concept], 4)
    psnr, _ = measure_psnr(pipeline.vae, draw_tensor(ordinary, 950_000))
    return {
        "tag_accuracy": f"{judge_attributes(tag_samples, ordinary):.3f}",
        "name_accuracy": f"{judge_attributes(name_samples, named):.3f}",
        "concept_before": f"{judge_concept(concept_samples):.3f}",
        "concept_by_tags": f"{judge_concept(spelled_out):.3f}",
        "psnr": f"{psnr:.1f}",
        "unet_millions": f"{sum(p.numel() for p in pipeline.unet.parameters()) / 1e6:.2f}",
        "text_millions": f"{sum(p.numel() for p in pipeline.text_encoder.parameters()) / 1e6:.2f}",
        "vae_millions": f"{sum(p.numel() for p in pipeline.vae.parameters()) / 1e6:.2f}",
        "names": str(len(CAST)),
        "prompts": str(PROMPTS),
    }


def training_figures(work: Path) -> dict[str, str]:
    """Minutes, steps and loss of the UNet's training, from its checkpoint."""
    state = torch.load(work / "unet.pt")
    return {"minutes": f"{state['minutes']:.0f}", "steps": str(state["steps"]), "loss": f"{state['loss']:.4f}"}
