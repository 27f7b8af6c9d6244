"""sd-scripts' TOML: what stands there is taken, what it does not say is what sd-scripts takes, what has no place is listed."""

from pathlib import Path

import pytest

from core.base.errors import ConfigError
from core.training.config.families import TRAINED_MODELS
from core.training.config.pair import config_tables, write_pair
from core.training.config.presets import load_preset, preset_names
from core.training.importing import read_settings_file
from tests.core.training.importing.files import reasons
from tests.core.training.test_base_models import SD15, SDXL, write_header

CONFIG = """
[model]
pretrained_model_name_or_path = "someone/model"
[train]
network_module = "networks.lora"
network_dim = 32
unet_lr = 0.0002
text_encoder_lr = [1e-5]
max_train_epochs = 6
optimizer_type = "prodigy"
optimizer_args = ["d_coef=0.8"]
"""


def written(folder: Path, text: str, name: str = "config.toml") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_what_it_says_is_taken_and_what_it_does_not_say_is_as_sd_scripts_takes_it(tmp_path):
    found = read_settings_file(written(tmp_path, CONFIG)).settings
    assert (found.network.network_dim, found.network.network_alpha, found.optimizer.unet_lr) == (32, 1.0, 2e-4)
    assert (found.optimizer.optimizer_type, found.optimizer.optimizer_args) == ("Prodigy", ["d_coef=0.8"])
    assert (found.optimizer.text_encoder_lr, found.schedule.max_train_epochs, found.schedule.max_train_steps) == (1e-5, 6, None)
    assert found.model.clip_skip is None and found.loss.min_snr_gamma is None and found.schedule.lr_scheduler == "constant"
    assert (found.data.shuffle_caption, found.data.keep_tokens, found.data.enable_bucket, found.data.batch_size) == (False, 0, False, 1)
    assert found.memory.mixed_precision == "no" and found.schedule.lr_warmup_steps == 0


def test_a_dataset_file_is_found_where_it_is_named_beside_it_or_where_it_is_given(tmp_path):
    (tmp_path / "pictures").mkdir()
    dataset = written(tmp_path, "[general]\nshuffle_caption = true\n[[datasets]]\nresolution = [640, 832]\nbatch_size = 3\n"
                      "[[datasets.subsets]]\nimage_dir = \"pictures\"\nnum_repeats = 4\n", "data.toml")
    for named, given in ((str(dataset), None), ("/workspace/elsewhere/data.toml", None), ("", dataset)):
        line = f'dataset_config = "{named}"\n' if named else ""
        found = read_settings_file(written(tmp_path, line + CONFIG), given).settings.data
        assert [(one.image_dir, one.num_repeats, one.caption_extension) for one in found.subsets] == [
            (str(tmp_path / "pictures"), 4, ".caption")]
        assert (found.size, found.batch_size, found.shuffle_caption) == ((640, 832), 3, True)
    lost = read_settings_file(written(tmp_path, 'dataset_config = "/gone/other.toml"\n' + CONFIG))
    assert "no such file" in reasons(lost)["dataset_config"]
    with pytest.raises(ConfigError, match="no dataset file"):
        read_settings_file(written(tmp_path, CONFIG), tmp_path / "config.toml")


def test_a_dataset_file_alone_changes_the_dataset_only(tmp_path):
    text = "[[datasets]]\nresolution = 768\n[[datasets.subsets]]\nimage_dir = \"/gone\"\nnum_repeats = 7\n"
    found = read_settings_file(written(tmp_path, text))
    assert found.parts == ("data",) and found.settings.data.resolution == 768
    assert found.settings.data.num_repeats == 7 and "repeats hold for the project's own" in reasons(found)["folder"]


def test_folders_of_folders_become_folders_with_repeats(tmp_path):
    for name in ("train/10_miko", "train/3_other girl", "train/notes", "reg/1_1girl"):
        (tmp_path / name).mkdir(parents=True)
    found = read_settings_file(written(tmp_path, f'train_data_dir = "{tmp_path}/train"\nreg_data_dir = "reg"\n' + CONFIG))
    assert [(Path(one.image_dir).name, one.num_repeats, one.class_tokens, one.is_reg) for one in found.settings.data.subsets] == [
        ("10_miko", 10, "miko", False), ("3_other girl", 3, "other girl", False), ("1_1girl", 1, "1girl", True)]
    assert "10_name" in reasons(found)["folder in train_data_dir"]
    lost = read_settings_file(written(tmp_path, 'train_data_dir = "/workspace/train"\n' + CONFIG))
    assert lost.settings.data.subsets == [] and "no such folder" in reasons(lost)["train_data_dir"]


def test_prompts_are_read_from_their_file_and_odd_lines_are_listed(tmp_path):
    written(tmp_path, "# mine\nmiko, smile --w 640 --d 5 --g 3\n\nw 512 wide\n", "prompts.txt")
    found = read_settings_file(written(tmp_path, 'sample_prompts = "prompts.txt"\n' + CONFIG))
    assert [(one.prompt, one.width, one.seed) for one in found.settings.sampling.sample_prompts] == [("miko, smile", 640, 5)]
    assert [value for name, value, _ in found.unmapped if name == "sample prompt"] == ["--g 3", "w 512 wide"]
    lost = read_settings_file(written(tmp_path, 'sample_prompts = "/gone/lost.txt"\n' + CONFIG))
    assert "no such file" in reasons(lost)["sample_prompts"]


def test_nothing_is_dropped_without_a_word(tmp_path):
    odd = {"huggingface_token": '"hf_secret"', "huggingface_repo_id": '"me/lora"', "debug_dataset": "true", "resume": '"/gone-state"',
           "network_dimm": "8", "vae": '"/gone/vae.safetensors"', "resolution": '"big"', "noise_offset": '"much"',
           "save_model_as": '"ckpt"',
           "guidance_scale": "4.5", "caption_extension": '".cap"', "ddp_timeout": "30"}
    found = read_settings_file(written(tmp_path, "".join(f"{name} = {value}\n" for name, value in odd.items()) + CONFIG))
    told = reasons(found)
    assert set(odd) - set(told) == {"ddp_timeout"} and found.settings.extra.extra_options == ["ddp_timeout = 30"]
    assert "secret" not in "".join(found.words()) and found.settings.model.vae is None
    assert "no such argument" in told["network_dimm"] and "does nothing here" not in told["network_dimm"]


def test_older_switches_and_texts_for_lists_are_understood(tmp_path):
    found = read_settings_file(written(tmp_path, 'network_module = "networks.lora"\nuse_8bit_adam = true\n'
                                       'network_args = "conv_dim=8 conv_alpha=4"\nmax_token_length = 75\n'
                                       'face_crop_aug_range = "2.0,4.0"\n')).settings
    assert found.optimizer.optimizer_type == "AdamW8bit" and (found.network.conv_dim, found.network.conv_alpha) == (8, 4.0)
    assert found.model.max_token_length is None and found.data.face_crop_aug_range == [2.0, 4.0]


def test_a_config_without_a_network_trains_the_whole_model(tmp_path):
    text = 'pretrained_model_name_or_path = "a/sdxl"\nlearning_rate = 1e-5\nlearning_rate_te1 = 2e-6\n'
    found = read_settings_file(written(tmp_path, text))
    assert (found.settings.model.family, found.settings.model.method) == ("sdxl", "full")
    assert found.settings.optimizer.learning_rate_te1 == 2e-6
    assert read_settings_file(written(tmp_path, CONFIG)).settings.model.method == "lora"


def test_the_family_is_told_by_the_model_itself_or_said_to_be_supposed(tmp_path):
    for header, family in ((SD15, "sd15"), (SDXL, "sdxl")):
        write_header(tmp_path / "model.safetensors", header)
        found = read_settings_file(written(tmp_path, CONFIG.replace("someone/model", "/workspace/model.safetensors")))
        assert found.settings.model.family == family and "model family" not in reasons(found)
    for name, family in (("someone/model", "sd15"), ("someone/ponyXL", "sdxl")):
        found = read_settings_file(written(tmp_path, CONFIG.replace("someone/model", name)))
        assert found.settings.model.family == family and "supposed" in reasons(found)["model family"]
    assert read_settings_file(written(tmp_path, CONFIG), family="sdxl").settings.model.family == "sdxl"


@pytest.mark.parametrize("name", preset_names())
def test_what_lorabook_wrote_for_sd_scripts_comes_back_as_the_same_pair(name, tmp_path):
    family = load_preset(name).model.family
    files = {component: str(written(tmp_path, "", f"{component}.safetensors")) for component in TRAINED_MODELS[family].components}
    (tmp_path / "images").mkdir()
    settings = load_preset(name).with_values(model={"pretrained_model_name_or_path": "a/b", **files},
                                             data={"subsets": [{"image_dir": str(tmp_path / "images"), "num_repeats": 5}]},
                                             sampling={"sample_prompts": ["a girl --w 64"]})
    pair = write_pair(settings, tmp_path / "pair")
    again = read_settings_file(pair.config, pair.dataset, family)
    assert config_tables(again.settings, tmp_path / "pair") == config_tables(settings, tmp_path / "pair")
    assert again.settings.data.tables(again.settings) == settings.data.tables(settings)
