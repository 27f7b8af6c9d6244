"""Reading config.toml: what is honoured, what is told, what is refused."""

import pytest

from core.base.errors import ConfigError
from core.training.builtin.options import make_options, read_options
from core.training.config.pair import flatten

BASE = {"pretrained_model_name_or_path": "m", "output_dir": "o"}


def test_sections_are_flattened_as_sd_scripts_does():
    assert flatten({"a": 1, "model": {"b": 2}, "train": {"c": [3]}}) == {"a": 1, "b": 2, "c": [3]}


def test_rates_fall_back_on_the_learning_rate_and_lists_give_their_first():
    assert make_options({**BASE, "learning_rate": 1e-4}).te_lr == 1e-4
    options = make_options({**BASE, "text_encoder_lr": [5e-5, 1e-5]})
    assert options.te_lr == 5e-5 and "several rates" in options.warnings[0]


def test_an_unknown_key_is_told_with_the_nearest_one():
    assert "Did you mean 'network_dim'?" in make_options({**BASE, "netwrk_dim": 4}).warnings[0]


def test_keys_that_only_steer_logs_and_memory_are_taken_silently():
    assert make_options({**BASE, "xformers": True, "sdpa": True, "max_data_loader_n_workers": 2, "log_with": "tensorboard",
                         "train_batch_size": 2, "shuffle_caption": True, "color_aug": False}).warnings == []


@pytest.mark.parametrize(("values", "words"), [
    ({"network_module": "lycoris.kohya"}, "network_module"),
    ({"fp8_base": True}, "fp8_base"),
    ({"loss_type": "huber"}, "loss_type"),
    ({"cache_text_encoder_outputs": True}, "network_train_unet_only"),
    ({"network_args": ["block_dims=2"]}, "block_dims"),
    ({"network_args": ["conv_dim"]}, "key=value"),
    ({"network_args": ["conv_dim=four"]}, "no value"),
    ({"network_dim": "four"}, "network_dim must be a number"),
    ({"cache_latents": "false"}, "cache_latents must be of type bool"),
    ({"lr_scheduler": "cosinus"}, "cosinus"),
    ({"lr_scheduler": "constant", "lr_warmup_steps": 5}, "warm-up"),
    ({"adaptive_noise_scale": 0.1}, "noise_offset"),
    ({"max_token_length": 100}, "75, 150 or 225"),
    ({"save_model_as": "ckpt"}, "safetensors"),
    ({"output_dir": ""}, "output_dir"),
])
def test_what_cannot_be_honoured_is_refused_by_name(values, words):
    with pytest.raises(ConfigError, match=words):
        make_options({**BASE, **values})


def test_a_file_that_is_no_toml_is_refused_with_its_path(tmp_path):
    (tmp_path / "c.toml").write_text("a = = 1")
    with pytest.raises(ConfigError, match=r"c\.toml is no TOML"):
        read_options(tmp_path / "c.toml")
    with pytest.raises(ConfigError, match="does not exist"):
        read_options(tmp_path / "d.toml")
