"""Impossible combinations: each is found before anything is loaded, and the sound ones pass."""

import pytest

from core.diffusion import FAMILIES
from core.training.config import TrainingSettings
from core.training.config.checks import check_settings
from core.training.config.families import TRAINED_MODELS
from core.training.config.finding import SettingFinding
from core.training.config.presets import load_preset, preset_names

SOUND = TrainingSettings().with_values(model={"pretrained_model_name_or_path": "someone/model"}, sampling={"sample_prompts": ["a girl"]})
SDXL = SOUND.with_values(model={"family": "sdxl", "clip_skip": None}, data={"resolution": 1024, "max_bucket_reso": 2048})


def found(settings, backend="sd-scripts", level="error"):
    return [finding for finding in check_settings(settings, backend) if finding.level == level]


def test_sound_settings_have_no_findings():
    assert check_settings(SOUND) == []
    assert check_settings(SDXL) == []


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("backend", ["sd-scripts", "builtin"])
def test_presets_are_sound(name, backend):
    preset = load_preset(name)
    if backend == "builtin" and preset.model.family not in FAMILIES:
        return
    model = TRAINED_MODELS[preset.model.family]
    backend = backend if backend == "builtin" else model.trainer
    files = {component: f"/m/{component}" for component in model.components}
    preset = preset.with_values(model={"pretrained_model_name_or_path": "someone/model", **files},
                                sampling={"sample_prompts": ["a girl"]})
    assert check_settings(preset, backend) == []


IMPOSSIBLE = [
    ({"model": {"pretrained_model_name_or_path": None}}, "No model is chosen"),
    ({"loss": {"scale_v_pred_loss_like_noise_pred": True}}, "v-prediction is off"),
    ({"network": {"network_train_unet_only": True, "network_train_text_encoder_only": True}}, "both chosen"),
    ({"network": {"dim_from_weights": True}}, "none is chosen"),
    ({"network": {"network_args": ["conv_dim"]}}, "not name=value"),
    ({"network": {"conv_dim": 8, "network_args": ["conv_dim=4"]}}, "given twice"),
    ({"optimizer": {"optimizer_args": ["betas=nine"]}}, "cannot be read"),
    ({"optimizer": {"optimizer_args": ["weight_decay=1", "weight_decay=2"]}}, "given twice"),
    ({"optimizer": {"unet_lr": 0, "text_encoder_lr": 0}}, "nothing would be learned"),
    ({"optimizer": {"text_encoder_lr": 1e-4, "unet_lr": 0}, "network": {"network_train_unet_only": True}}, "nothing would be learned"),
    ({"optimizer": {"optimizer_type": "Prodigy", "unet_lr": 1, "text_encoder_lr": 0.5}}, "one learning rate"),
    ({"optimizer": {"optimizer_type": "Adafactor"}}, "no warm-up"),
    ({"schedule": {"lr_scheduler": "constant"}}, "takes no warm-up"),
    ({"data": {"resolution": 500}}, "no multiple of 8"),
    ({"data": {"bucket_reso_steps": 32}}, "multiple of 64"),
    ({"data": {"resolution": 192, "max_bucket_reso": 256}}, "longer than the resolution"),
    ({"data": {"resolution": 1280}}, "shorter than the resolution"),
    ({"data": {"color_aug": True}}, "color_aug"),
    ({"data": {"random_crop": True}}, "random_crop"),
    ({"data": {"random_crop": True, "cache_latents": False, "cache_latents_to_disk": True}}, "random_crop"),
    ({"memory": {"full_fp16": True, "mixed_precision": "bf16"}}, "needs the precision fp16"),
    ({"memory": {"full_bf16": True}}, "needs the precision bf16"),
    ({"saving": {"output_name": " lora"}}, "space or a dot"),
    ({"schedule": {"lr_scheduler_args": ["foo=1"]}}, "takes no argument 'foo'"),
    ({"schedule": {"lr_scheduler": "piecewise_constant", "lr_warmup_steps": 0, "lr_scheduler_args": ["step_rules=1:10,0.1"]}},
     "quoted text"),
    ({"schedule": {"lr_scheduler": "piecewise_constant", "lr_warmup_steps": 0, "lr_scheduler_args": ["step_rules='1:x,0.1'"]}}, "rules of"),
    ({"schedule": {"lr_scheduler": "polynomial", "lr_scheduler_args": ["lr_end=0", "lr_end=1"]}}, "given twice"),
    ({"optimizer": {"optimizer_args": ["betas=0.9"]}}, "takes 2 numbers"),
    ({"optimizer": {"optimizer_args": ["weight_decay='x'"]}}, "takes a number"),
    ({"optimizer": {"optimizer_type": "prodigy", "unet_lr": 1, "text_encoder_lr": 0.5}}, "one learning rate"),
    ({"optimizer": {"optimizer_type": "prodigyopt.Prodigy", "unet_lr": 1, "text_encoder_lr": 0.5}}, "one learning rate"),
    ({"model": {"family": "anima", "method": "full"}, "optimizer": {"optimizer_type": "Prodigy", "learning_rate": 1, "self_attn_lr": 1e-4}},
     "one learning rate"),
    ({"model": {"family": "flux1"}, "memory": {"blocks_to_swap": 60}}, "at most 35 can"),
    ({"data": {"enable_bucket": False, "cache_latents": False, "cache_latents_to_disk": False, "face_crop_aug_range": [4.0, 2.0]}},
     "the smaller one first"),
    ({"memory": {"full_fp16": True, "full_bf16": True, "mixed_precision": "bf16"}}, "at once"),
    ({"extra": {"extra_options": ["no such thing"]}}, "further option"),
]


@pytest.mark.parametrize(("changes", "words"), IMPOSSIBLE)
def test_an_impossible_combination_is_found_with_a_remedy(changes, words):
    errors = found(SOUND.with_values(**changes))
    assert any(words in finding.what for finding in errors), [str(finding) for finding in errors]
    assert all(finding.remedy for finding in errors)


@pytest.mark.parametrize(("changes", "words"), [
    ({"shuffle_caption": True, "caption_dropout_rate": 0.0}, "shuffled"),
    ({"shuffle_caption": False, "caption_dropout_rate": 0.1}, "shown empty"),
    ({"shuffle_caption": False, "caption_dropout_every_n_epochs": 3}, "left out in some epochs"),
    ({"shuffle_caption": False, "caption_tag_dropout_rate": 0.2}, "0.2 of their tags"),
    ({"shuffle_caption": False, "enable_wildcard": True}, "wildcards"),
])
def test_cached_captions_exclude_what_varies_them(changes, words):
    settings = SDXL.with_values(data={"cache_text_encoder_outputs": True, **changes}, network={"network_train_unet_only": True})
    assert [words in finding.what for finding in found(settings)] == [True]


def test_cached_captions_need_the_text_encoder_to_stand_still():
    settings = SDXL.with_values(data={"cache_text_encoder_outputs_to_disk": True, "shuffle_caption": False})
    assert "text encoder is trained too" in found(settings)[0].what
    assert found(settings.with_values(network={"network_train_unet_only": True})) == []


def test_the_built_in_trainer_caches_captions_of_sd15_too_and_takes_smaller_bucket_steps():
    settings = SOUND.with_values(data={"cache_text_encoder_outputs": True, "shuffle_caption": False, "bucket_reso_steps": 32},
                                 network={"network_train_unet_only": True})
    assert len(found(settings, "sd-scripts")) == 2
    assert found(settings, "builtin") == []


def test_sdxl_takes_bucket_steps_of_32():
    assert found(SDXL.with_values(data={"bucket_reso_steps": 32})) == []
    assert "multiple of 32" in found(SDXL.with_values(data={"bucket_reso_steps": 16}))[0].what


def test_without_buckets_their_bounds_do_not_matter():
    assert found(SOUND.with_values(data={"resolution": 64, "enable_bucket": False})) == []


@pytest.mark.parametrize(("changes", "words"), [
    ({"loss": {"zero_terminal_snr": True}}, "Zero terminal SNR"),
    ({"network": {"network_alpha": 64}}, "larger than the rank"),
    ({"network": {"ema_decay": 0.99}}, "ema_decay"),
    ({"optimizer": {"optimizer_type": "pytorch_optimizer.ScheduleFreeAdamW"}}, "sd-scripts lays cosine"),
    ({"network": {"network_type": "oft", "network_alpha": 8}}, "limit of turning"),
    ({"optimizer": {"unet_lr": 1.0}}, "very high"),
    ({"optimizer": {"optimizer_type": "Prodigy", "unet_lr": 1e-4}}, "factor near 1"),
    ({"optimizer": {"optimizer_type": "Adafactor"}, "schedule": {"lr_warmup_steps": 0}}, "relative_step"),
    ({"schedule": {"max_train_epochs": None}}, "1600 steps"),
    ({"schedule": {"max_train_epochs": None, "max_train_steps": 50, "lr_warmup_steps": 100}}, "as long as the whole"),
    ({"sampling": {"sample_every_n_epochs": None}}, "when to draw"),
    ({"memory": {"xformers": True}}, "xformers"),
    ({"data": {"caption_dropout_rate": 1}}, "No caption is ever learned"),
    ({"data": {"caption_dropout_every_n_epochs": 1}}, "No caption is ever learned"),
    ({"saving": {"save_state": True, "save_every_n_epochs": None}}, "nothing is saved on the way"),
])
def test_what_is_likely_a_mistake_is_a_warning(changes, words):
    assert any(words in finding.what for finding in found(SOUND.with_values(**changes), level="warning"))


@pytest.mark.parametrize(("changes", "words"), [
    ({"schedule": {"max_train_steps": 100}}, "go before steps"),
    ({"data": {"cache_latents": False, "cache_latents_to_disk": True}}, "switches the caching"),
    ({"sampling": {"sample_prompts": []}}, "no sample prompts"),
    ({"sampling": {"sample_every_n_steps": 100}}, "drawn by epochs"),
    ({"saving": {"save_every_n_epochs": None}}, "does nothing"),
])
def test_what_sd_scripts_changes_without_a_word_is_said(changes, words):
    assert any(words in finding.what for finding in found(SOUND.with_values(**changes), level="info"))


def test_errors_come_first():
    levels = [finding.level for finding in check_settings(SOUND.with_values(memory={"xformers": True, "full_bf16": True},
                                                                            sampling={"sample_prompts": []}))]
    assert levels == ["error", "warning", "info"]


MENDED = [
    {"network": {"dim_from_weights": True}}, {"network": {"network_alpha": 64}}, {"memory": {"full_bf16": True}},
    {"optimizer": {"optimizer_type": "Prodigy", "unet_lr": 1e-4, "text_encoder_lr": 5e-5}},
    {"optimizer": {"optimizer_type": "DAdaptAdam", "unet_lr": 1e-4, "text_encoder_lr": 0.0}},
    {"optimizer": {"optimizer_type": "Adafactor", "optimizer_args": ["scale_parameter=True", "eps=(1e-30,1e-3)"]},
     "schedule": {"lr_warmup_steps": 20}},
    {"schedule": {"lr_scheduler": "constant", "lr_warmup_steps": 20}}, {"schedule": {"lr_scheduler": "cosine_with_min_lr"}},
    {"schedule": {"max_train_epochs": None, "max_train_steps": 50, "lr_warmup_steps": 100}},
    {"optimizer": {"optimizer_type": "pytorch_optimizer.ScheduleFreeAdamW"}, "schedule": {"lr_scheduler": "cosine"}},
    {"sampling": {"sample_every_n_epochs": None}}, {"data": {"caption_dropout_rate": 1}}, {"data": {"caption_dropout_every_n_epochs": 1}},
    {"saving": {"save_state": True, "save_every_n_epochs": None}}, {"saving": {"output_name": " lora. "}},
]


@pytest.mark.parametrize("changes", MENDED)
def test_what_one_press_changes_mends_the_finding_and_brings_no_new_one(changes):
    settings = SOUND.with_values(**changes)
    assert any(isinstance(one, SettingFinding) and one.fix for one in check_settings(settings))
    while offered := [one for one in check_settings(settings) if isinstance(one, SettingFinding) and one.fix]:
        one = offered[0]
        before = {finding.what for finding in check_settings(settings)}
        settings = settings.with_fields(dict(one.fix))
        after = {finding.what for finding in check_settings(settings) if finding.level != "info"}
        assert one.what not in after and after <= before, str(one)
