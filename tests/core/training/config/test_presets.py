"""Presets: whole settings; none leaves anything of another behind."""

import itertools

import pytest

from core.base.errors import ConfigError
from core.training.config import TrainingSettings
from core.training.config.contract import check_pair
from core.training.config.families import TRAINED_MODELS, script_for
from core.training.config.pair import write_pair
from core.training.config.presets import KEPT, apply_preset, find_presets, load_preset, load_settings, preset_names, save_settings


def test_each_family_has_a_character_and_a_style_preset():
    for family in TRAINED_MODELS:
        purposes = {name.removeprefix(f"{family}_") for name in preset_names(family)}
        if family == "flux1_kontext":  # it changes pictures
            assert "edit" in purposes
            continue
        assert "character" in purposes and ("style" in purposes or family in ("sd2", "qwen_image", "z_image"))
    for family in ("sd15", "sdxl"):
        assert {"character", "style", "concept", "character_3d"} <= {name.removeprefix(f"{family}_") for name in preset_names(family)}
    assert "demo" in preset_names()


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_says_what_it_is_and_keeps_the_contract(name, tmp_path):
    preset = find_presets()[name]
    assert preset.title
    assert preset.purpose
    settings = preset.settings.with_values(data={"subsets": [{"image_dir": "/p"}]}, sampling={"sample_prompts": ["a girl"]})
    assert check_pair(write_pair(settings, tmp_path), script_for(preset.family)) == []


def test_community_values_are_in_the_presets():
    sd15, sdxl = load_preset("sd15_character"), load_preset("sdxl_character")
    assert (sd15.network.network_dim, sd15.network.network_alpha, sd15.optimizer.unet_lr, sd15.data.size) == (16, 8.0, 5e-4, (512, 512))
    assert (sdxl.network.network_dim, sdxl.network.network_alpha, sdxl.optimizer.text_encoder_lr) == (8, 4.0, 6e-5)
    assert (sdxl.loss.min_snr_gamma, sdxl.model.no_half_vae, sdxl.data.max_bucket_reso) == (8.0, True, 4096)


@pytest.mark.parametrize(("first", "second"), list(itertools.pairwise((*preset_names(), *preset_names()[::5], preset_names()[0]))))
def test_a_preset_leaves_nothing_of_another_behind(first, second):
    assert apply_preset(second, apply_preset(first, TrainingSettings())) == apply_preset(second, TrainingSettings())


def test_what_is_a_persons_own_stays():
    mine = TrainingSettings().with_values(
        model={"pretrained_model_name_or_path": "/m.safetensors"}, data={"subsets": [{"image_dir": "/p"}]}, saving={"output_name": "miko"},
        sampling={"sample_prompts": ["miko"]})
    changed = apply_preset("sdxl_style", mine)
    for part, names in KEPT.items():
        for name in names:
            assert getattr(getattr(changed, part), name) == getattr(getattr(mine, part), name)
    assert changed.network.conv_dim == 16


def test_an_unknown_preset_is_named():
    with pytest.raises(ConfigError, match="sd15_character"):
        load_preset("flux")


def test_saved_settings_are_read_back(tmp_path):
    settings = load_preset("demo").with_values(data={"subsets": [{"image_dir": "C:\\mine"}]}, sampling={"sample_prompts": ["a --n b"]})
    save_settings(settings, tmp_path / "mine.toml")
    assert load_settings(tmp_path / "mine.toml") == settings
