"""Memory presets: only memory changes, the effective batch stays, and what was right stays right."""

import pytest

from core.base.errors import ConfigError
from core.training.config import TrainingSettings
from core.training.config.applying import all_values
from core.training.config.checks import check_settings
from core.training.config.families import TRAINED_MODELS
from core.training.config.memory_presets import ABOUT, CACHES, SIZES, apply_memory, effective_batch, memory_tables
from core.training.config.presets import load_preset, preset_names

MAY_CHANGE = {"batch_size", "gradient_accumulation_steps", "gradient_checkpointing", "mixed_precision", "optimizer_type", "fp8_base",
              "fp8_scaled", "fp8_vl", "blocks_to_swap", "text_encoder_cpu", "vae_chunk_size", *CACHES}


def errors(settings: TrainingSettings) -> set[str]:
    return {one.what for one in check_settings(settings) if one.level == "error"}


@pytest.mark.parametrize("family", TRAINED_MODELS)
def test_every_family_has_every_size_with_the_same_settings(family):
    tables = memory_tables(family)
    assert set(tables) == {"about", *(f"gb{size}" for size in SIZES)}
    names = [set(tables[f"gb{size}"]) - {"needs", "at_most"} for size in SIZES]
    assert all(one == names[0] for one in names) and names[0] - set(ABOUT) <= MAY_CHANGE


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_with_every_size_is_valid_and_changes_memory_only(name):
    preset = load_preset(name)
    for size in SIZES:
        made = apply_memory(preset, size)
        assert errors(made.settings) <= errors(preset)
        before, after = all_values(preset), all_values(made.settings)
        assert {one for one in after if after[one] != before[one]} <= MAY_CHANGE
        assert effective_batch(made.settings) == effective_batch(preset)
        assert made.doubts or made.published or "not measured" in made.sentence()


@pytest.mark.parametrize("family", TRAINED_MODELS)
def test_a_size_leaves_nothing_of_another_behind(family):
    preset = load_preset(preset_names(family)[0])
    small = apply_memory(preset, 8).settings
    for size in (24, 80):
        after, at_once = apply_memory(small, size).settings, apply_memory(preset, size).settings
        kept = {name: value for name, value in all_values(after).items() if name not in CACHES}  # caches stay on
        assert kept == {name: value for name, value in all_values(at_once).items() if name not in CACHES}
        assert apply_memory(after, size).changed == []


def test_published_values_are_those_of_the_pages():
    flux, hunyuan = load_preset("flux1_character"), load_preset("hunyuan_image_character")
    assert [apply_memory(flux, size).settings.memory.blocks_to_swap for size in SIZES] == [28, 16, 18, None, None, None]
    assert [apply_memory(hunyuan, size).settings.memory.blocks_to_swap for size in SIZES] == [37, 32, 32, 9, None, None]
    assert [apply_memory(flux, size).settings.memory.fp8_base for size in SIZES] == [True, True, True, True, False, False]
    assert not apply_memory(hunyuan, 48).settings.memory.fp8_scaled


def test_the_batch_is_divided_and_accumulated():
    sdxl = load_preset("sdxl_character")
    small = apply_memory(sdxl, 8).settings
    assert (small.data.batch_size, small.schedule.gradient_accumulation_steps) == (1, 4)
    large = sdxl.with_values(data={"resolution": 1536})
    assert apply_memory(large, 24).settings.data.batch_size == 1
    odd = sdxl.with_values(data={"batch_size": 6})
    assert apply_memory(odd, 24).settings.data.batch_size == 3


def test_what_does_not_go_together_is_said_and_left_alone():
    made = apply_memory(load_preset("sdxl_character"), 8)
    assert made.settings.data.shuffle_caption and not made.settings.data.cache_text_encoder_outputs
    said = " ".join(made.doubts)
    assert "shuffled" in said and "network_train_unet_only" in said
    assert not any("network_dim" in one for one in made.doubts)  # 8 is what is published
    wide = load_preset("sdxl_character").with_values(network={"network_dim": 32}, optimizer={"optimizer_type": "Prodigy"})
    assert "up to 8" in " ".join(apply_memory(wide, 8).doubts) and "Prodigy stays" in " ".join(apply_memory(wide, 8).doubts)
    calm = load_preset("sdxl_character").with_values(data={"shuffle_caption": False}, network={"network_train_unet_only": True})
    assert apply_memory(calm, 8).settings.data.cache_text_encoder_outputs and apply_memory(calm, 8).doubts == []


def test_words_and_what_cannot_be():
    plain = load_preset("sd15_character").with_values(memory={"mixed_precision": "no"}, optimizer={"optimizer_type": "AdamW"})
    made = apply_memory(plain, 10)
    assert made.gib == 8 and "'Optimizer' (optimizer_type): AdamW → AdamW8bit." in made.changed
    assert made.sentence() == "8 GB: 2 settings changed (values reasoned, not measured). The batch of a step stays at 2."
    with pytest.raises(ConfigError, match="no values for 6 GB"):
        apply_memory(plain, 6)
    full = apply_memory(load_preset("sdxl_style").with_values(model={"method": "full"}), 24)
    assert full.changed == [] and "whole model" in full.doubts[0]
