"""The GUI's JSON: its own names, texts for numbers, 0 for off, and one network of many."""

import pytest

from core.base.errors import ConfigError
from core.training.importing import read_settings_file
from tests.core.training.importing.files import reasons, write_gui


def read(folder, **values):
    return read_settings_file(write_gui(folder / "gui.json", **values))


def test_names_types_percent_and_zeros_are_translated(tmp_path):
    found = read(tmp_path)
    made = found.settings
    assert made.data.size == (768, 512) and made.data.batch_size == 2 and made.data.keep_tokens == 1 and made.data.shuffle_caption
    assert (made.schedule.max_train_epochs, made.schedule.lr_warmup_steps, made.schedule.gradient_accumulation_steps) == (8, 0.1, 2)
    assert (made.optimizer.optimizer_type, made.optimizer.optimizer_args) == ("AdamW8bit", ["weight_decay=0.1", "betas=0.9,0.99"])
    assert (made.loss.min_snr_gamma, made.loss.noise_offset, made.loss.multires_noise_iterations) == (None, None, 6)
    assert (made.model.clip_skip, made.model.max_token_length, made.saving.seed, made.network.conv_dim) == (2, None, None, None)
    assert (made.optimizer.unet_lr, made.optimizer.text_encoder_lr) == (1e-4, 5e-5)
    assert made.memory.sdpa and made.memory.mixed_precision == "bf16"
    assert reasons(found) == {"logging_dir": "each run has a folder of its own"}


@pytest.mark.parametrize(("values", "family"), [
    ({}, "sd15"), ({"v2": True}, "sd2"), ({"sdxl": True}, "sdxl"), ({"sdxl": "True"}, "sdxl"), ({"flux1_checkbox": True}, "flux1"),
    ({"flux1_checkbox": True, "model_type": "chroma"}, "chroma"), ({"sd3_checkbox": True}, "sd3"), ({"lumina_checkbox": True}, "lumina2"),
    ({"hunyuan_image_checkbox": True}, "hunyuan_image"), ({"anima_checkbox": True}, "anima"),
])
def test_the_boxes_tell_the_family(tmp_path, values, family):
    assert read(tmp_path, **values).settings.model.family == family


def test_a_familys_own_fields_count_and_those_of_others_are_listed(tmp_path):
    found = read(tmp_path, flux1_checkbox=True, LoRA_type="Flux1", flux1_cache_text_encoder_outputs=True, timestep_sampling="shift",
                 discrete_flow_shift=3.1, guidance_scale=1, lumina_ae="/ae.safetensors", train_blocks="single", split_qkv=True,
                 blocks_to_swap=18, text_encoder_lr=0, shuffle_caption=False, noise_offset=0.05, noise_offset_type="Original")
    made = found.settings
    assert made.data.cache_text_encoder_outputs and made.network.network_train_unet_only and made.memory.blocks_to_swap == 18
    assert (made.loss.timestep_sampling, made.loss.discrete_flow_shift, made.loss.guidance_scale) == ("shift", 3.1, 1.0)
    assert (made.network.train_blocks, made.network.split_qkv) == ("single", True)
    assert reasons(found)["lumina_ae"] == "they belong to other model families" and "does nothing here" in reasons(found)["noise_offset"]
    assert reasons(found)["multires_noise_iterations"].startswith("the other kind of noise")


@pytest.mark.parametrize(("kind", "fields", "made"), [
    ("Kohya LoCon", {"conv_dim": 8, "conv_alpha": 4}, {"network_type": "lora", "conv_dim": 8, "conv_alpha": 4.0}),
    ("LyCORIS/LoCon", {"conv_dim": 8, "conv_alpha": 4, "dora_wd": True}, {"network_type": "dora", "conv_dim": 8}),
    ("LyCORIS/LoKr", {"factor": 8, "decompose_both": True}, {"network_type": "lokr", "factor": 8, "decompose_both": True}),
    ("LyCORIS/LoHa", {"use_tucker": True}, {"network_type": "loha", "use_tucker": True, "lycoris_preset": "full"}),
    ("LyCORIS/iA3", {}, {"network_type": "ia3"}), ("LyCORIS/GLoRA", {}, {"network_type": "glora"}),
    ("LyCORIS/Diag-OFT", {"constrain": 0.001}, {"network_type": "diag-oft", "constraint": 0.001}),
    ("LyCORIS/BOFT", {}, {"network_type": "boft"}), ("LyCORIS/Native Fine-Tuning", {}, {"network_type": "full"}),
    ("Kohya DyLoRA", {"unit": 4}, {"network_type": "dylora", "unit": 4}), ("LoRA-FA", {}, {"network_type": "lora_fa"}),
    ("Standard", {"rank_dropout": 0.1, "block_dims": "4,4", "loraplus_lr_ratio": 4}, {"rank_dropout": 0.1, "block_dims": "4,4",
                                                                                     "loraplus_lr_ratio": 4.0}),
])
def test_types_of_networks(tmp_path, kind, fields, made):
    found = read(tmp_path, LoRA_type=kind, **fields)
    assert {name: getattr(found.settings.network, name) for name in made} == made
    assert not set(fields) & set(reasons(found))


def test_what_is_not_surely_the_same_is_listed_and_not_guessed(tmp_path):
    found = read(tmp_path, LoRA_type="LyCORIS/DyLoRA", conv_dim=8, stop_text_encoder_training=30, num_processes=4, something_new=3,
                 wandb_api_key="secret-key", additional_parameters="--ddp_timeout 30 --no_metadata --wrong=1 loose")
    told = reasons(found)
    assert {"LoRA_type", "conv_dim", "stop_text_encoder_training", "num_processes", "something_new", "additional_parameters"} <= set(told)
    assert found.settings.network.network_type == "lora" and found.settings.saving.no_metadata
    assert found.settings.extra.extra_options == ["ddp_timeout = 30"]
    assert "secret-key" not in str(found.unmapped)


def test_length_by_steps_or_by_the_other_epochs(tmp_path):
    by_steps = read(tmp_path, max_train_steps="1500", lr_warmup_steps=50)
    assert (by_steps.settings.schedule.max_train_epochs, by_steps.settings.schedule.max_train_steps) == (None, 1500)
    assert by_steps.settings.schedule.lr_warmup_steps == 50 and "epoch" in reasons(by_steps)
    assert read(tmp_path, max_train_epochs="12", max_train_steps=3).settings.schedule.max_train_epochs == 12


def test_a_rate_of_0_leaves_a_part_out(tmp_path):
    assert read(tmp_path, text_encoder_lr=0).settings.network.network_train_unet_only
    assert read(tmp_path, unet_lr=0).settings.network.network_train_text_encoder_only
    both = read(tmp_path, unet_lr=0, text_encoder_lr=0).settings
    assert not both.network.network_train_unet_only and (both.optimizer.unet_lr, both.optimizer.text_encoder_lr) == (None, None)


def test_prompts_and_folders_of_the_gui(tmp_path):
    (tmp_path / "train" / "5_miko").mkdir(parents=True)
    found = read(tmp_path, train_data_dir=str(tmp_path / "train"), sample_prompts="miko --w 512\nmiko, smile",
                 caption_extension=".none-use-foldername")
    assert [one.num_repeats for one in found.settings.data.subsets] == [5]
    assert [one.prompt for one in found.settings.sampling.sample_prompts] == ["miko", "miko, smile"]
    assert "no ending" in reasons(found)["caption_extension"]


def test_files_of_the_other_tabs_are_refused_in_words(tmp_path):
    import json

    (tmp_path / "a.json").write_text(json.dumps({"max_resolution": "512,512", "train_batch_size": 1, "learning_rate": 1e-5}))
    with pytest.raises(ConfigError, match="whole model"):
        read_settings_file(tmp_path / "a.json")
    (tmp_path / "a.json").write_text(json.dumps({"max_resolution": "512,512", "train_batch_size": 1, "num_vectors_per_token": 8}))
    with pytest.raises(ConfigError, match="textual inversion"):
        read_settings_file(tmp_path / "a.json")
