"""Every combination that sd-scripts refuses, changes or passes over is found in the pair, with a remedy and, where there is one, a fix."""

import pytest

from core.training.config import TrainingSettings
from core.training.config.combinations import Pair, check_combinations
from core.training.config.families import SD_SCRIPTS, TRAINED_MODELS, script_for

SOUND = {"mixed_precision": "bf16", "network_module": "networks.lora", "optimizer_type": "AdamW", "max_data_loader_n_workers": 2}
FOLDER = {"image_dir": "/p"}


def pair(family="sdxl", dataset=None, subsets=None, **arguments):
    tables = {"general": dataset or {}, "datasets": [{"subsets": subsets or [FOLDER]}]}
    own = {"network_module": TRAINED_MODELS[family].network_module}
    return Pair(family, script_for(family), {**SOUND, **own, **arguments}, tables)


def words(given, level="error"):
    return [found.what for found in check_combinations(given) if found.level == level]


@pytest.mark.parametrize("family", SD_SCRIPTS)
def test_a_sound_pair_has_no_finding(family):
    assert check_combinations(pair(family, {"bucket_reso_steps": TRAINED_MODELS[family].bucket_multiple, "enable_bucket": True})) == []


AT_ONCE = [
    ({"adaptive_noise_scale": 0.1}, {}, "adaptive noise offset"),
    ({"v_pred_like_loss": 0.5, "v_parameterization": True}, {}, "predicts v itself"),
    ({"scale_v_pred_loss_like_noise_pred": True}, {}, "v-prediction is off"),
    ({"cache_latents": True}, {"color_aug": True}, "color_aug changes"),
    ({"cache_latents": True}, {"random_crop": True}, "random_crop changes"),
    ({"cache_latents_to_disk": True}, {"random_crop": True}, "random_crop changes"),
    ({"cache_text_encoder_outputs": True, "network_train_unet_only": True}, {"shuffle_caption": True}, "shuffled"),
    ({"cache_text_encoder_outputs": True, "network_train_unet_only": True}, {"caption_dropout_rate": 0.1}, "0.1 is to be shown empty"),
    ({"cache_text_encoder_outputs": True, "network_train_unet_only": True}, {"caption_tag_dropout_rate": 0.2}, "0.2 of their tags"),
    ({"cache_text_encoder_outputs": True, "network_train_unet_only": True}, {"token_warmup_step": 10}, "grow at the start"),
    ({"cache_text_encoder_outputs": True}, {}, "text encoder is trained too"),
    ({}, {"enable_bucket": True, "bucket_reso_steps": 48}, "multiple of 32"),
    ({}, {"enable_bucket": True, "bucket_reso_steps": 64, "resolution": 128, "min_bucket_reso": 256}, "longer than the resolution"),
    ({}, {"enable_bucket": True, "bucket_reso_steps": 64, "resolution": 1536}, "shorter than the resolution"),
    ({"log_with": "tensorboard"}, {}, "no folder is named"),
]


@pytest.mark.parametrize(("arguments", "dataset", "said"), AT_ONCE)
def test_what_sd_scripts_refuses_at_once_is_found(arguments, dataset, said):
    assert [said in what for what in words(pair("sdxl", dataset, **arguments))] == [True]


LATE = [
    ("sdxl", {"full_fp16": True}, "needs the precision fp16"),
    ("sdxl", {"full_bf16": True, "mixed_precision": "fp16"}, "needs the precision bf16"),
    ("sdxl", {"fp8_base": True, "mixed_precision": "no"}, "in fp8, but the precision is no"),
    ("sdxl", {"persistent_data_loader_workers": True, "max_data_loader_n_workers": 0}, "but there are none"),
    ("sdxl", {"fused_backward_pass": True}, "Adafactor only"),
    ("sdxl", {"fused_backward_pass": True, "optimizer_type": "Adafactor", "gradient_accumulation_steps": 2}, "does not accumulate"),
    ("sdxl", {"network_module": None}, "nothing to train"),
    ("sdxl", {"network_args": ["conv_dim"]}, "not name=value"),
    ("sdxl", {"min_timestep": 500, "max_timestep": 400}, "not below the highest"),
    ("flux1", {"blocks_to_swap": 18, "cpu_offload_checkpointing": True}, "do not go together"),
    ("anima", {"unsloth_offload_checkpointing": True, "blocks_to_swap": 4}, "do not go together"),
    ("anima", {"unsloth_offload_checkpointing": True, "cpu_offload_checkpointing": True}, "do not go together"),
    ("anima", {"attn_mode": "xformers"}, "needs split_attn"),
    ("anima", {"cache_text_encoder_outputs": True}, "text encoder is trained too"),
    ("flux1", {"loss_type": "huber"}, "Huber's schedule is snr"),
    ("flux1", {"network_args": ["train_t5xxl=True"], "cache_text_encoder_outputs": True}, "T5 is taught too"),
]


@pytest.mark.parametrize(("family", "arguments", "said"), LATE)
def test_what_it_refuses_after_minutes_is_found(family, arguments, said):
    assert [said in what for what in words(pair(family, **arguments))] == [True]


SILENT = [
    ("sdxl", {"debug_dataset": True}, "error", "only shows the dataset"),
    ("sdxl", {"output_config": True}, "error", "only writes its settings"),
    ("sdxl", {"train_data_dir": "/x"}, "warning", "does not count beside a dataset file"),
    ("sd3", {"network_module": "networks.lora"}, "error", "only the text encoder would learn"),
    ("sdxl", {"network_args": ["dora_wd=True"]}, "error", "trains a plain LoRA"),
    ("sdxl", {"network_args": ["algo=loha"]}, "error", "trains a plain LoRA"),
    ("hunyuan_image", {"scale_weight_norms": 1.0}, "warning", "would be dropped"),
    ("sdxl", {"cache_latents_to_disk": True}, "info", "switches the caching of latents on"),
    ("sdxl", {"cache_text_encoder_outputs_to_disk": True, "network_train_unet_only": True}, "info", "switches the caching of captions on"),
    ("sdxl", {"zero_terminal_snr": True}, "warning", "Zero terminal SNR"),
    ("sdxl", {"xformers": True, "sdpa": True}, "warning", "takes xformers"),
    ("sd15", {"cache_text_encoder_outputs": True}, "error", "does not cache captions"),
]


@pytest.mark.parametrize(("family", "arguments", "level", "said"), SILENT)
def test_what_it_never_says_is_said(family, arguments, level, said):
    assert [said in what for what in words(pair(family, **arguments), level)] == [True]


def test_folders_whose_pictures_cannot_share_a_batch_are_found():
    subsets = [{**FOLDER, "flip_aug": True}, {"image_dir": "/q"}]
    assert ["mirrored" in what for what in words(pair(subsets=subsets))] == [True]
    assert words(pair(dataset={"flip_aug": True}, subsets=[FOLDER, {"image_dir": "/q"}])) == []


def test_masks_without_the_masked_loss_are_found():
    subsets = [{**FOLDER, "conditioning_data_dir": "/masks"}]
    assert ["masked loss is off" in what for what in words(pair(subsets=subsets))] == [True]
    assert words(pair(subsets=subsets, masked_loss=True)) == []
    mixed = pair(subsets=[*subsets, {"image_dir": "/q"}], masked_loss=True)
    assert ["others have none" in what for what in words(mixed)] == [True]
    for name, value in (("is_reg", True), ("class_tokens", "girl"), ("alpha_mask", True)):
        assert [f"has {name} too" in what for what in words(pair(subsets=[{**subsets[0], name: value}], masked_loss=True))] == [True]
    whole = Pair("sd15", script_for("sd15", "full"), {**SOUND, "masked_loss": True}, {"datasets": [{"subsets": [FOLDER]}]})
    assert ["folder of masks for each folder" in what for what in words(whole)] == [True]


def test_anima_may_leave_out_cached_captions():
    cached = {"cache_text_encoder_outputs": True, "network_train_unet_only": True}
    assert words(pair("anima", {"caption_dropout_rate": 0.1}, **cached)) == []
    assert len(words(pair("sdxl", {"caption_dropout_rate": 0.1}, **cached))) == 1


def test_the_built_in_trainer_bears_what_it_can():
    tables = {"general": {"enable_bucket": True, "bucket_reso_steps": 8}, "datasets": [{"subsets": [FOLDER]}]}
    cached = {**SOUND, "cache_text_encoder_outputs": True, "network_train_unet_only": True}
    assert words(Pair("sd15", "train_network.py", cached, tables, built_in=True)) == []
    assert len(words(Pair("sd15", "train_network.py", cached, tables))) == 2


@pytest.mark.parametrize(("arguments", "said"), [
    ({"memory": {"full_fp16": True, "mixed_precision": "bf16"}}, "needs the precision"),
    ({"data": {"color_aug": True}}, "color_aug changes"),
    ({"data": {"bucket_reso_steps": 32}}, "multiple of 64"),
])
def test_a_fix_mends_what_was_found(arguments, said):
    from core.training.config.checks import check_settings

    settings = TrainingSettings().with_values(model={"pretrained_model_name_or_path": "someone/model"}, **arguments)
    found = next(one for one in check_settings(settings) if said in one.what)
    mended = settings.with_fields(dict(found.fix))
    assert not [one for one in check_settings(mended) if said in one.what]
