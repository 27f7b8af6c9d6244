"""A LoRA file's own metadata: of sd-scripts, of the built-in trainer, of models that are not trained here."""

import json

import pytest

from core.base.errors import ConfigError
from core.training.config.optimizers import USUAL, known_optimizers
from core.training.importing import read_settings_file
from core.training.importing.lora_values import optimizer_of
from tests.core.training.builtin.making import make_trainer
from tests.core.training.importing.files import reasons, write_lora

PLAIN = {"ss_network_module": "networks.lora", "ss_base_model_version": "sd_v1", "ss_network_dim": "16", "ss_network_alpha": "8.0"}
SD_SCRIPTS = {
    **PLAIN, "ss_base_model_version": "sdxl_base_v1-0", "ss_v2": "False", "ss_learning_rate": "0.0003",
    "ss_text_encoder_lr": "[6e-05, 6e-05]",
    "ss_unet_lr": "0.0003", "ss_num_epochs": "10", "ss_max_train_steps": "500", "ss_num_batches_per_epoch": "100",
    "ss_gradient_accumulation_steps": "2", "ss_gradient_checkpointing": "True", "ss_lr_warmup_steps": "25", "ss_lr_scheduler": "cosine",
    "ss_optimizer": "bitsandbytes.optim.adamw.AdamW8bit(weight_decay=0.1,betas=(0.9, 0.99))", "ss_mixed_precision": "bf16",
    "ss_full_fp16": "False", "ss_clip_skip": "None", "ss_max_token_length": "225", "ss_seed": "42", "ss_noise_offset": "None",
    "ss_min_snr_gamma": "8.0", "ss_multires_noise_iterations": "6", "ss_multires_noise_discount": "0.3", "ss_cache_latents": "True",
    "ss_network_args": json.dumps({"conv_dim": "8", "conv_alpha": "4", "dropout": None}), "ss_output_name": "miko",
    "ss_sd_model_name": "noobaiXL.safetensors", "ss_new_sd_model_hash": "abc123", "ss_sd_model_hash": "12ab", "ss_training_comment": "None",
    "ss_steps": "500", "ss_epoch": "10", "ss_session_id": "1", "ss_tag_frequency": "{}", "ss_zero_terminal_snr": "True",
    "modelspec.prediction_type": "v", "modelspec.title": "miko", "modelspec.author": "Me",
    "ss_datasets": json.dumps([{"is_dreambooth": True, "batch_size_per_device": 4, "resolution": [1024, 1024], "enable_bucket": True,
                                "min_bucket_reso": 256, "max_bucket_reso": 2048, "bucket_info": {}, "tag_frequency": {},
                                "subsets": [{"img_count": 20, "num_repeats": 10, "shuffle_caption": True, "keep_tokens": 1,
                                             "flip_aug": False,
                                             "color_aug": False, "random_crop": False, "image_dir": "10_miko", "class_tokens": "miko",
                                             "is_reg": False, "caption_prefix": None}]}])}


def test_the_settings_of_a_file_of_sd_scripts(tmp_path):
    found = read_settings_file(write_lora(tmp_path / "a.safetensors", SD_SCRIPTS, ("lora_unet_a.alpha", "lora_te1_a.alpha")))
    made = found.settings
    assert (made.model.family, made.model.v_parameterization, made.model.max_token_length) == ("sdxl", True, 225)
    assert (made.network.network_dim, made.network.network_alpha, made.network.conv_dim, made.network.conv_alpha) == (16, 8.0, 8, 4.0)
    assert (made.optimizer.optimizer_type, made.optimizer.optimizer_args) == ("AdamW8bit", ["weight_decay=0.1", "betas=0.9,0.99"])
    assert (made.optimizer.unet_lr, made.optimizer.text_encoder_lr, made.optimizer.text_encoder_lr2) == (3e-4, 6e-5, 6e-5)
    assert (made.schedule.max_train_epochs, made.schedule.max_train_steps, made.schedule.lr_warmup_steps) == (10, None, 25)
    assert (made.data.batch_size, made.data.size, made.data.max_bucket_reso, made.data.keep_tokens) == (4, (1024, 1024), 2048, 1)
    assert made.data.shuffle_caption and made.loss.zero_terminal_snr and made.loss.min_snr_gamma == 8.0
    assert made.saving.save_precision == "fp16"
    assert (made.saving.output_name, made.saving.metadata_author, made.saving.metadata_title) == ("miko", "Me", None)
    assert made.data.num_repeats == 10 and made.data.subsets == []
    assert set(reasons(found)) == {"folder", "pretrained_model_name_or_path"}
    assert "abc123" in reasons(found)["pretrained_model_name_or_path"]


def test_which_parts_learned_is_told_by_the_tensors(tmp_path):
    unet = read_settings_file(write_lora(tmp_path / "a.safetensors", PLAIN, ("lora_unet_a.alpha",), "BF16")).settings
    text = read_settings_file(write_lora(tmp_path / "a.safetensors", PLAIN, ("lora_te_a.alpha",), "F32")).settings
    assert unet.network.network_train_unet_only and unet.saving.save_precision == "bf16"
    assert text.network.network_train_text_encoder_only and text.saving.save_precision == "float"


def test_the_older_form_with_bare_folders_and_a_length_in_steps(tmp_path):
    flat = {**PLAIN, "ss_resolution": "(512, 768)", "ss_batch_size_per_device": "3", "ss_shuffle_caption": "True", "ss_keep_tokens": "2",
            "ss_enable_bucket": "True", "ss_max_bucket_reso": "1024", "ss_num_epochs": "4", "ss_max_train_steps": "350",
            "ss_num_batches_per_epoch": "100", "ss_gradient_accumulation_steps": "1", "ss_optimizer": "somewhere.else.Own(a=1)",
            "ss_dataset_dirs": json.dumps({"10_a": {"n_repeats": 10, "img_count": 3}, "5_b": {"n_repeats": 5, "img_count": 9}}),
            "ss_reg_dataset_dirs": json.dumps({"1_girl": {"n_repeats": 1, "img_count": 30}}), "ss_brand_new": "7"}
    found = read_settings_file(write_lora(tmp_path / "a.safetensors", flat))
    made = found.settings
    assert made.data.size == (512, 768) and made.data.batch_size == 3 and made.data.keep_tokens == 2 and made.data.num_repeats is None
    assert (made.schedule.max_train_epochs, made.schedule.max_train_steps) == (None, 350)
    told = [(name, value) for name, value, _ in found.unmapped]
    assert ("folder", "10_a (num_repeats 10)") in told and ("regularisation folder", "1_girl (num_repeats 1, is_reg True)") in told
    assert {"optimizer", "ss_brand_new"} <= set(reasons(found))


@pytest.mark.parametrize("name", USUAL)
def test_every_usual_optimizer_is_known_again_by_its_class(name):
    known = str(known_optimizers()[name]["class"])
    inside = f"{known.rpartition('.')[0]}.some_module.{known.rpartition('.')[2]}"
    assert known_optimizers()[optimizer_of(f"{inside}(weight_decay=0.1)")[0]]["class"] == known
    assert optimizer_of(inside)[1] == []


@pytest.mark.parametrize(("version", "family"), [("sd_v1", "sd15"), ("sd_v2_v", "sd2"), ("flux1", "flux1"), ("chroma", "chroma"),
                                                 ("5-large", "sd3"),
                                                 ("sd3m", "sd3"), ("lumina2", "lumina2"), ("hunyuan-image-2.1", "hunyuan_image"),
                                                 ("anima", "anima"), ("lorabook_demo", "sd15")])
def test_the_base_models_version_tells_the_family(tmp_path, version, family):
    found = read_settings_file(write_lora(tmp_path / "a.safetensors", {**PLAIN, "ss_base_model_version": version})).settings
    assert found.model.family == family and found.model.v_parameterization == version.endswith("_v")


def test_files_that_say_nothing_or_are_for_other_models_are_told(tmp_path):
    with pytest.raises(ConfigError, match="says nothing of its training"):
        read_settings_file(write_lora(tmp_path / "a.safetensors", {"format": "pt"}))
    with pytest.raises(ConfigError, match="'flux2', which is not trained here"):
        read_settings_file(write_lora(tmp_path / "a.safetensors", {**PLAIN, "ss_base_model_version": "flux2"}))
    broken = read_settings_file(write_lora(tmp_path / "a.safetensors", {**PLAIN, "ss_datasets": "{no", "ss_network_args": "[5"}))
    assert {"ss_datasets", "network_args"} <= set(reasons(broken))


@pytest.mark.slow
def test_a_lora_of_the_built_in_trainer_comes_back_as_what_trained_it(sd_folder, tmp_path):
    """Everything that the pair said and that metadata tells; the folder is of another machine."""
    from core.training.builtin.loop import Trainer

    trainer: Trainer = make_trainer(tmp_path, sd_folder, network_args=["conv_dim=2", "conv_alpha=1"], optimizer_args=["weight_decay=0.05"],
                                    lr_scheduler="cosine", lr_warmup_steps=1, min_snr_gamma=5.0, noise_offset=0.04, max_train_epochs=2,
                                    save_precision="fp16", unet_lr=2e-3, text_encoder_lr=[1e-4], clip_skip=2,
                                    subset={"shuffle_caption": True, "keep_tokens": 1, "num_repeats": 3})
    path = trainer.run()
    made = read_settings_file(tmp_path / "checkpoints" / "tiny.safetensors" if path is None else path)
    found = made.settings
    assert (found.model.family, found.model.clip_skip, found.network.network_dim, found.network.network_alpha) == ("sd15", 2, 4, 2.0)
    assert (found.network.conv_dim, found.network.conv_alpha) == (2, 1.0)
    assert (found.optimizer.unet_lr, found.optimizer.text_encoder_lr) == (2e-3, 1e-4)
    assert (found.optimizer.optimizer_type, found.schedule.lr_scheduler, found.schedule.lr_warmup_steps) == ("AdamW", "cosine", 1)
    assert "weight_decay=0.05" in found.optimizer.optimizer_args and found.loss.min_snr_gamma == 5.0 and found.loss.noise_offset == 0.04
    assert (found.schedule.max_train_epochs, found.schedule.max_train_steps, found.saving.seed) == (2, None, 7)
    assert (found.data.size, found.data.batch_size, found.data.num_repeats, found.data.keep_tokens) == ((64, 64), 2, 3, 1)
    assert found.data.shuffle_caption and found.memory.mixed_precision == "no" and found.saving.save_precision == "fp16"
    assert found.saving.output_name == "tiny"
    assert set(reasons(made)) <= {"folder", "pretrained_model_name_or_path"}, made.words()
