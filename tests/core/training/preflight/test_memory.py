"""The estimate of GPU memory: against published measurements, against the families' real layers, and in how it answers a change.

What was published (GB of 10^9 bytes, as nvidia-smi or the author gave it):
- FLUX.1 dev, QLoRA nf4, rank 4, 512 x 768, checkpointed, captions cached: about 9 GB; LoRA in bf16: 26 GB (Hugging Face, "(LoRA)
  Fine-Tuning FLUX.1-dev on Consumer Hardware", 2025).
- SDXL, LoKr, 1024 x 1024, bf16, one picture: 13 GB, checkpointed 6.5 GB.
- sd-scripts, FLUX.1 with fp8_base, 1024 x 1024: fits into 24 GB with two pictures, 12 GB with 16 swapped blocks, 8 GB with 28 (README);
  the last is taken with a T5 in fp8.
"""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from core.base.errors import ConfigError
from core.setup.hardware import GIB
from core.training.preflight.facts import FAMILIES, facts_of
from core.training.preflight.memory import ABOVE, BELOW, MemoryPlan, adapter_numbers, check_memory, estimate_memory

GB = 1e9
CACHED = {"cache_text": True, "samples": False}


def gb(**given):
    """The training stage itself, in GB."""
    plan = MemoryPlan(**given)
    return next(stage for stage in estimate_memory(plan).stages if stage.name == "training").gib * GIB / GB


MEASURED = {
    "flux1_qlora": (9, {"family": "flux1", "resolution": (512, 768), "network_dim": 4, "precision": "nf4", **CACHED}),
    "flux1_lora_bf16": (26, {"family": "flux1", "resolution": (512, 768), "network_dim": 4, "optimizer": "AdamW", **CACHED}),
    "sdxl_lokr": (13, {"family": "sdxl", "adapter_numbers": 5_000_000, "gradient_checkpointing": False, **CACHED}),
    "sdxl_lokr_checkpointed": (6.5, {"family": "sdxl", "adapter_numbers": 5_000_000, **CACHED}),
}


@pytest.mark.parametrize("name", MEASURED)
def test_the_estimate_agrees_with_what_was_measured_within_the_stated_error(name):
    measured, given = MEASURED[name]
    assert BELOW * gb(**given) <= measured <= ABOVE * gb(**given), gb(**given)


@pytest.mark.parametrize(("card", "given"), [
    (24, {"batch_size": 2}), (12, {"blocks_to_swap": 16}), (8, {"blocks_to_swap": 28, "text_precision": "fp8"})])
def test_what_sd_scripts_says_to_fit_is_not_called_too_much(card, given):
    plan = MemoryPlan("flux1", precision="fp8", **CACHED, **given)
    assert estimate_memory(plan).least * GIB / GB < card
    assert not [finding for finding in check_memory(estimate_memory(plan), card * GB / GIB, plan) if finding.level == "error"]


@pytest.mark.parametrize("given", [{}, {"blocks_to_swap": 8}])
def test_what_cannot_fit_is_an_error_with_remedies(given):
    plan = MemoryPlan("flux1", samples=False, **given)
    (found,) = check_memory(estimate_memory(plan), 12, plan)
    assert found.level == "error" and "base model" in found.what and "fp8_base" in found.remedy


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_its_numbers(family):
    facts, plan = facts_of(family), MemoryPlan(family)
    assert facts.parameters > 5e8 and facts.texts > 1e8 and facts.lora_unet > 1e5
    assert all(slope > 0 for _, slope in facts.kept.values())
    assert facts.kept["mixed_checkpointed"][1] < facts.kept["mixed"][1] < facts.kept["full"][1]
    assert estimate_memory(plan).peak.gib > facts.parameters * 2 / GIB


@pytest.mark.parametrize(("family", "billions"), [
    ("sd15", 0.86), ("sd2", 0.866), ("sdxl", 2.567), ("sd3_medium", 2.03), ("sd35_medium", 2.24), ("sd35_large", 8.06), ("flux1", 11.9),
    ("chroma", 8.9), ("lumina2", 2.61), ("hunyuan_image", 17.45), ("anima", 2.09), ("flux2_dev", 32.2), ("flux2_klein_4b", 3.88),
    ("flux2_klein_9b", 9.08), ("qwen_image", 20.4), ("z_image", 6.15)])
def test_the_counted_sizes_are_the_published_ones(family, billions):
    assert facts_of(family).parameters == pytest.approx(billions * 1e9, rel=0.02)


@pytest.mark.parametrize(("family", "text", "unet", "small", "convolutions"), [
    ("sd15", 165_888, 423_936, 82_880, 544_000), ("sdxl", 903_168, 2_659_840, 58_560, 355_840)])
def test_the_adapters_numbers_are_those_of_the_real_layers(family, text, unet, small, convolutions):
    facts = facts_of(family)
    assert (facts.lora_text, facts.lora_unet, facts.lora_small, facts.lora_convolutions) == (text, unet, small, convolutions)
    plan = MemoryPlan(family, network_dim=8, conv_dim=4, train_text_encoders=True)
    assert adapter_numbers(plan) == 8 * (unet + text + small) + 4 * convolutions


def test_of_a_whole_model_its_own_weights_learn_and_gradients_may_go_at_once():
    numbers = facts_of("sdxl").parameters
    whole = MemoryPlan("sdxl", adapter_numbers=numbers, whole_model=True, cache_text=True, optimizer="Adafactor", full_half=True)
    parts = {part.name: part.size for part in estimate_memory(whole).peak.parts}
    assert parts["base model"] == 2 * numbers and parts["gradients"] == 2 * numbers and not parts["adapter"]
    training, fused, full = (next(stage.gib for stage in estimate_memory(plan).stages if stage.name == "training")
                             for plan in (whole, replace(whole, fused_backward=True), replace(whole, full_half=False)))
    assert fused == pytest.approx(training - 2 * numbers / GIB) and full > 1.8 * training


@pytest.mark.parametrize(("change", "part"), [
    ({"gradient_checkpointing": False}, "activations"), ({"batch_size": 4}, "activations"), ({"resolution": (1536, 1536)}, "activations"),
    ({"network_dim": 128}, "optimizer"), ({"optimizer": "Prodigy"}, "optimizer"), ({"mixed": False, "precision": "float"}, "base model"),
    ({"cache_latents": False}, "VAE"), ({"train_text_encoders": True}, "activations of the text encoders")])
def test_each_change_that_costs_memory_shows_in_its_part(change, part):
    before, after = (sum(one.size for stage in estimate_memory(MemoryPlan("sdxl", **given)).stages if stage.name == "training"
                         for one in stage.parts if one.name == part) for given in ({}, change))
    assert after > before


@pytest.mark.parametrize("change", [{"precision": "fp8"}, {"blocks_to_swap": 10}, {"cache_text": True}, {"optimizer": "Adafactor"}])
def test_each_way_to_save_saves(change):
    assert gb(family="flux1", **change) < gb(family="flux1")


def test_the_largest_stage_decides_and_is_told_with_its_parts():
    estimate = estimate_memory(MemoryPlan("sd15", resolution=(512, 512), sample_size=(2048, 2048)))
    assert estimate.peak.name == "drawing samples" and "while drawing samples: " in estimate.sentence()
    assert estimate.least < estimate.peak.gib < estimate.most
    assert [stage.name for stage in estimate.stages] == ["encoding the pictures", "training", "drawing samples"]


def test_a_family_that_is_not_known_is_named():
    with pytest.raises(ConfigError, match="No model family is called 'sd9'"):
        estimate_memory(MemoryPlan("sd9"))


def test_no_torch_is_needed():
    code = ("import sys, json; from core.training.preflight.memory import MemoryPlan, estimate_memory; "
            "estimate_memory(MemoryPlan('flux1')); print(json.dumps([name for name in ('torch', 'diffusers') if name in sys.modules]))")
    assert json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout) == []
