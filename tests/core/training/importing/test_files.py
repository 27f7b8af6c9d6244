"""Which kind of file it is, told by its content; broken ones are told in a sentence."""

import pytest

from core.base.errors import ConfigError
from core.training.config import TrainingSettings
from core.training.config.presets import apply_preset, load_preset, save_settings
from core.training.importing import read_settings_file, take_over
from tests.core.training.importing.files import write_gui, write_lora


def test_lorabooks_own_settings_come_back_whole_whatever_the_file_is_called(tmp_path):
    settings = load_preset("sdxl_style").with_values(data={"subsets": [{"image_dir": str(tmp_path)}]})
    save_settings(settings, tmp_path / "settings")
    found = read_settings_file(tmp_path / "settings")
    assert found.settings == settings and found.unmapped == [] and found.source == "settings of Lorabook"


def test_a_shipped_preset_is_read_as_a_file_too():
    from core.training.config.presets import FOLDER

    assert read_settings_file(FOLDER / "sd15_style.toml").settings == load_preset("sd15_style")


@pytest.mark.parametrize(("content", "words"), [
    (b"", "holds no training settings"), (b"hello there", "no TOML"), (b"[a\n", "no TOML"), (b"{\"a\": ", "is no JSON"),
    (b"[1, 2]", "no TOML|no training settings"), (b"{\"a\": 1}", "no settings file of kohya_ss"),
    (b"title = 'a song'\n", "no training settings"),
    (b"\x00\x01\x02\x03", "no settings file"), (b"model = 5\n", "no training settings"), (b"name = \"\xff\xfe\"\n", "UTF-8"),
    (b"\x10\x00\x00\x00\x00\x00\x00\x00{\"a\"", "cut off within its header"),
    (b"[[datasets]]\nsubsets = 5\nresolution = 512\n", "wrong|no TOML"), (b"datasets = [1]\n", "stands where a table belongs"),
    (b"[model]\nfamily = \"sd99\"\n", "sd99"), (b"[preset]\ntitle = \"x\"\n[data]\nresolutoin = 5\n", "resolutoin"),
])
def test_a_file_that_is_none_is_told_in_a_sentence(tmp_path, content, words):
    (tmp_path / "file.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        read_settings_file(tmp_path / "file.txt")


def test_a_missing_file_and_a_cut_off_lora_are_told(tmp_path):
    with pytest.raises(ConfigError, match="There is no file"):
        read_settings_file(tmp_path / "nothing.toml")
    (tmp_path / "a.safetensors").write_bytes(b"abc")
    with pytest.raises(ConfigError, match="cut off"):
        read_settings_file(tmp_path / "a.safetensors")


@pytest.mark.parametrize("present", ["sd15_character", "sdxl_vpred_character", "flux1_style"])
def test_an_import_leaves_nothing_of_the_settings_before_behind(tmp_path, present):
    found = read_settings_file(write_gui(tmp_path / "a.json"))
    mine = {"saving": {"output_name": "other"}, "network": {"network_weights": "/old.safetensors"}, "model": {"vae": "/v.safetensors"}}
    assert take_over(found, load_preset(present).with_values(**mine)) == take_over(found, TrainingSettings())


def test_an_import_keeps_what_is_a_persons_own_where_it_says_nothing(tmp_path):
    mine = TrainingSettings().with_values(
        model={"pretrained_model_name_or_path": "/m.safetensors"}, data={"subsets": [{"image_dir": "/p"}]},
        sampling={"sample_prompts": ["miko"]}, saving={"training_comment": "trigger word: miko"})
    found = read_settings_file(write_lora(tmp_path / "a.safetensors", {"ss_network_module": "networks.lora", "ss_network_dim": "4"}))
    made = take_over(found, mine)
    assert made.model.pretrained_model_name_or_path == "/m.safetensors" and made.data.subsets == mine.data.subsets
    assert made.sampling.sample_prompts == mine.sampling.sample_prompts and made.saving.training_comment == "trigger word: miko"
    assert made.network.network_dim == 4
    of_sdxl = apply_preset("sdxl_character", mine)
    assert take_over(found, of_sdxl).model.pretrained_model_name_or_path is None  # a model of another family fits no more
