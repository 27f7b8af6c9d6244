"""The pair: every setting that is shown is written, and what is written reads back the same."""

from pathlib import Path
from typing import Any

import pytest
import toml

from core.base.errors import ConfigError
from core.training.config import SamplePrompt, Subset, TrainingSettings, for_run
from core.training.config.pair import pair_in, read_pair, write_pair
from core.training.config.presets import load_settings
from core.training.config.toml_text import read_toml, toml_text
from tests.core.training.values import another_value


def settings_with_folder(**changes: Any) -> TrainingSettings:
    folder = {"subsets": [{"image_dir": "/pictures/mine"}], "enable_bucket": False}
    settings = TrainingSettings().with_values(data=folder, sampling={"sample_prompts": ["a girl"]})
    return settings.with_values(**changes) if changes else settings


@pytest.mark.parametrize("name", Subset.fields())
def test_every_setting_of_a_folder_is_written(name, tmp_path):
    value = another_value(name, Subset.fields()[name], Subset.fields()[name].default)
    subset = {"image_dir": "/pictures/mine", name: value}
    family = "flux1_kontext" if name == "control_directory" else "sd15"
    pair = write_pair(settings_with_folder(data={"subsets": [subset]}, loss={"masked_loss": True}, model={"family": family}), tmp_path)
    written = read_pair(pair.config, pair.dataset)[1]["datasets"][0]["subsets"][0]
    assert written[name] == value


def test_the_pair_holds_what_sd_scripts_reads(tmp_path):
    settings = settings_with_folder(
        data={"subsets": [{"image_dir": "/p/girl", "num_repeats": 10}, {"image_dir": "/p/reg", "is_reg": True, "class_tokens": "1girl"}],
              "resolution": 512, "resolution_height": 768},
        network={"conv_dim": 8, "conv_alpha": 4}, optimizer={"optimizer_args": ["betas=0.9,0.99"]}, saving={"output_name": "miko"})
    pair = write_pair(for_run(settings, tmp_path), tmp_path)
    config, dataset = read_pair(pair.config, pair.dataset)
    assert config["network_args"] == ["conv_dim=8", "conv_alpha=4.0"]
    assert config["optimizer_args"] == ["betas=0.9,0.99"]
    assert config["text_encoder_lr"] == [1e-4]
    assert config["output_dir"] == str(tmp_path / "checkpoints")
    assert config["logging_dir"] == str(tmp_path / "logs")
    assert config["sample_prompts"] == str(tmp_path / "sample_prompts.txt")
    assert (tmp_path / "sample_prompts.txt").read_text() == "a girl --w 512 --h 768 --d 42 --l 7 --s 28\n"
    assert "vae" not in config
    assert "family" not in config
    assert dataset["datasets"][0]["resolution"] == [512, 768]
    girl, reg = dataset["datasets"][0]["subsets"]
    assert girl == {"image_dir": "/p/girl", "num_repeats": 10, "caption_extension": ".txt"}
    assert reg["is_reg"] is True
    assert reg["class_tokens"] == "1girl"


def test_a_square_resolution_is_one_whole_number(tmp_path):
    pair = write_pair(settings_with_folder(), tmp_path)
    assert read_pair(pair.config, pair.dataset)[1]["datasets"][0]["resolution"] == 512


def test_the_caption_cache_is_said_only_where_the_script_knows_it(tmp_path):
    sd15 = write_pair(settings_with_folder(), tmp_path / "a")
    sdxl = write_pair(settings_with_folder(model={"family": "sdxl"}), tmp_path / "b")
    assert "cache_text_encoder_outputs" not in sd15.config.read_text()
    assert read_pair(sdxl.config, sdxl.dataset)[0]["cache_text_encoder_outputs"] is False


def test_a_model_on_disk_is_made_absolute_and_a_hub_name_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("model.safetensors").write_bytes(b"x")
    local = write_pair(settings_with_folder(model={"pretrained_model_name_or_path": "model.safetensors"}), tmp_path / "a")
    hub = write_pair(settings_with_folder(model={"pretrained_model_name_or_path": "someone/some-model"}), tmp_path / "b")
    key = "pretrained_model_name_or_path"
    assert read_pair(local.config, local.dataset)[0][key] == str(tmp_path / "model.safetensors")
    assert read_pair(hub.config, hub.dataset)[0][key] == "someone/some-model"


def test_settings_are_read_back_from_the_runs_folder(tmp_path):
    settings = settings_with_folder(model={"clip_skip": None}, loss={"min_snr_gamma": None}, schedule={"max_train_epochs": None})
    write_pair(settings, tmp_path)
    assert load_settings(pair_in(tmp_path).settings) == settings


def test_a_second_write_into_the_folder_leaves_nothing_of_the_first(tmp_path):
    write_pair(settings_with_folder(model={"vae": "someone/vae"}, saving={"training_comment": "first"}), tmp_path)
    pair = write_pair(settings_with_folder(sampling={"sample_prompts": []}), tmp_path)
    config, _ = read_pair(pair.config, pair.dataset)
    assert not {"vae", "training_comment", "sample_prompts"} & set(config)


def test_without_prompts_nothing_asks_for_samples(tmp_path):
    """sd-scripts ends with a TypeError at its first samples, before the file is saved, where it is to draw but has no prompts."""
    pair = write_pair(settings_with_folder(sampling={"sample_prompts": [], "sample_every_n_epochs": 1, "sample_at_first": True}), tmp_path)
    config, _ = read_pair(pair.config, pair.dataset)
    assert not [name for name in config if name.startswith("sample_")]


@pytest.mark.parametrize("value", [
    "C:\\Users\\new\\x", "D:\\train\\Übung 日本 ☆", "it's \"so\"", "a # b = [1, 2]", "tab\there", "trailing\\", "", "two\nlines",
    "\U0001f431",
])
def test_texts_survive_the_toml_package(value):
    assert toml.loads(toml_text({"s": {"comment": value}}))["s"]["comment"] == value


@pytest.mark.parametrize("value",
                         [0.0, 1.0, 1e-5, 5e-4, 1e-7, 123456.0, 0, -3, True, ["betas=0.9,0.99", "a=1"], ["C:\\x y"], [0.1, 1e-6], []])
def test_values_keep_their_type(value):
    back = toml.loads(toml_text({"s": {"v": value}}))["s"]["v"]
    assert back == value
    assert type(back) is type(value)


def test_a_mixed_list_is_refused_with_its_name():
    with pytest.raises(ConfigError, match=r"s\.v is \[1, 2\.5\]"):
        toml_text({"s": {"v": [1, 2.5]}}, "")


def test_a_file_that_is_no_toml_is_named():
    with pytest.raises(ConfigError, match="my.toml is no TOML"):
        read_toml('path = "C:\\Users"', "my.toml")


def test_a_missing_pair_is_named(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        read_pair(tmp_path / "config.toml", tmp_path / "dataset.toml")


def test_a_prompt_line_reads_back_as_the_prompt():
    prompt = SamplePrompt.make(prompt="mikoneko, 1girl", negative_prompt="bad hands, text", seed=7, scale=5.5, sample_steps=12, width=640)
    line = prompt.line((512, 768))
    assert line == "mikoneko, 1girl --n bad hands, text --w 640 --h 768 --d 7 --l 5.5 --s 12"
    assert SamplePrompt.from_line(line) == prompt.changed(height=768)


@pytest.mark.parametrize("prompt", ["", "   ", "# a comment", "a girl --n bad", "n white hair", "D 5 dice", "--w 5"])
def test_a_prompt_that_sd_scripts_would_misread_is_refused(prompt):
    with pytest.raises(ConfigError):
        SamplePrompt.make(prompt=prompt)
