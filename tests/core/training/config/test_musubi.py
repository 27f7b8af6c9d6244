"""What musubi-tuner refuses, changes or passes over is found in the pair; a pair in its words; the distilled klein; the wrong trainer."""

from pathlib import Path

import pytest

from core.training.config import TrainingSettings
from core.training.config.applying import why_not
from core.training.config.checks import check_settings
from core.training.config.combinations import Pair
from core.training.config.contract import check_pair
from core.training.config.families import MUSUBI, TRAINED_MODELS
from core.training.config.musubi import as_words, cache_arguments, musubi_arguments, musubi_dataset
from core.training.config.musubi_combinations import check_musubi_combinations
from core.training.config.pair import write_pair
from core.training.config.presets import find_presets
from core.training.config.reading import from_arguments
from core.training.config.sources import judge_model
from tests.tensor_files import write_tensors

SOUND = {"mixed_precision": "bf16", "optimizer_type": "AdamW8bit", "max_data_loader_n_workers": 2, "sdpa": True}


def pair(family="flux2_klein", subsets=None, resolution=1024, **arguments):
    model = TRAINED_MODELS[family]
    first = {"control_directory": "/before"} if family == "flux1_kontext" else {}
    tables = {"datasets": [{"resolution": resolution, "subsets": subsets or [{"image_dir": "/p", **first}]}]}
    return Pair(family, model.script, {**SOUND, **model.fixed, "network_module": model.network_module, **arguments}, tables)


@pytest.mark.parametrize("family", MUSUBI)
def test_a_sound_pair_has_no_finding(family):
    assert check_musubi_combinations(pair(family)) == []


FOUND = [
    ({"sdpa": False}, "No kind of attention", {"sdpa": True}),
    ({"xformers": True}, "sdpa and xformers are all on", {"xformers": False}),
    ({"fp8_scaled": True}, "needs fp8_base too", {"fp8_base": True}),
    ({"fp8_base": True}, "scaled fp8 loses less", {"fp8_scaled": True}),
    ({"blocks_to_swap": 17}, "at most 16", {"blocks_to_swap": 16}),
    ({"mixed_precision": "fp16"}, "made for bf16", {}),
    ({"model_version": "klein-9b"}, "distilled klein", {"model_version": "klein-base-9b"}),
    ({"model_version": "edit"}, "no version 'edit'", {"model_version": "klein-base-9b"}),
    ({"optimizer_type": "Prodigy"}, "no optimizer Prodigy", {"optimizer_type": "prodigyopt.Prodigy"}),
    ({"optimizer_type": "Lamb"}, "no optimizer Lamb", {}),
    ({"timestep_sampling": "qwen_shift"}, "another model's", {"timestep_sampling": "flux2_shift"}),
    ({"min_timestep": 500, "max_timestep": 400}, "not below the highest", {"min_timestep": None, "max_timestep": None}),
    ({"network_module": "networks.lora"}, "none of its layers", {"network_type": "lora"}),
    ({"network_module": "networks.lora_zimage"}, "none of its layers", {"network_type": "lora"}),
    ({"dim_from_weights": True}, "file's name", {"dim_from_weights": False}),
    ({"network_args": ["loraplus_lr_ratio"]}, "not name=value", {}),
    ({"show_timesteps": "image"}, "only draws a curve", {}),
    ({"sage_attn": True}, "SageAttention", {}),
    ({"persistent_data_loader_workers": True, "max_data_loader_n_workers": 0}, "there are none", {"persistent_data_loader_workers": False}),
    ({"resolution": 1000}, "no multiple of 16", {"resolution": 992, "resolution_height": None}),
    ({"subsets": [{"image_dir": "/p"}, {"image_dir": "/r", "is_reg": True}]}, "regularisation folder /r is left out", {}),
    ({"family": "flux1_kontext", "subsets": [{"image_dir": "/p"}]}, "no folder of first pictures", {}),
    ({"family": "qwen_image", "model_version": "edit-2509"}, "no folder of first pictures", {}),
    ({"family": "z_image", "subsets": [{"image_dir": "/p", "control_directory": "/c"}]}, "does not look at them", {}),
]


@pytest.mark.parametrize(("change", "words", "fix"), FOUND, ids=[words for _, words, _ in FOUND])
def test_a_combination_is_found_with_its_mend(change, words, fix):
    (found,) = check_musubi_combinations(pair(**change))
    assert words in found.what
    assert dict(getattr(found, "fix", {})) == fix
    TrainingSettings().with_fields(fix)


def test_the_words_are_its_own():
    model = TRAINED_MODELS["flux1_kontext"]
    ours = {"pretrained_model_name_or_path": "/m", "t5xxl": "/t5", "clip_l": "/clip", "ae": "/ae", "fp8_vl": True, "vae_batch_size": 4,
            "weighting_scheme": "uniform", "torch_compile": False, "text_encoder_batch_size": 9, "network_dim": 8}
    assert musubi_arguments(ours, model) == {"dit": "/m", "text_encoder1": "/t5", "text_encoder2": "/clip", "vae": "/ae", "fp8_t5": True,
                                             "weighting_scheme": "none", "compile": False, "network_dim": 8}
    latents, captions = cache_arguments(ours, model)
    assert latents == {"vae": "/ae", "batch_size": 4}
    assert as_words(captions) == ["--text_encoder1", "/t5", "--text_encoder2", "/clip", "--fp8_t5", "--batch_size", "9"]
    again = from_arguments({**musubi_arguments(ours, model), "network_module": "networks.lora_flux"}).settings
    assert again.model.family == "flux1_kontext" and again.model.t5xxl == "/t5" and again.model.ae == "/ae" and again.memory.fp8_vl


def test_each_folder_is_a_dataset_with_a_cache_of_its_own():
    tables = {"general": {}, "datasets": [{"resolution": 512, "subsets": [
        {"image_dir": "/a", "num_repeats": 2}, {"image_dir": "/r", "is_reg": True}, {"image_dir": "/b", "control_directory": "/c"}]}]}
    first, second = musubi_dataset(tables, Path("/run/cache"))["datasets"]
    assert first == {"resolution": 512, "image_directory": "/a", "num_repeats": 2, "cache_directory": "/run/cache/01"}
    assert second == {"resolution": 512, "image_directory": "/b", "control_directory": "/c", "cache_directory": "/run/cache/02"}


def test_what_it_does_not_know_says_why():
    settings = TrainingSettings().with_values(model={"family": "z_image"})
    assert why_not(settings, "flip_aug") == "musubi-tuner's dataset file has no such setting."
    assert why_not(settings, "cache_latents") == "musubi-tuner always encodes pictures and captions before the training."
    assert why_not(settings, "text_encoder_lr") and why_not(settings, "unet_lr") and not why_not(settings, "learning_rate")
    assert not why_not(settings, "vae_batch_size") and not why_not(settings, "bucket_no_upscale")
    shown = [found.what for found in check_settings(settings.with_values(data={"flip_aug": True}), "musubi")]
    assert any(what.startswith("Mirror pictures (flip_aug) is on, but does nothing") for what in shown)


def test_a_wrong_key_and_a_wrong_value_are_named_in_our_words(tmp_path):
    settings = TrainingSettings().with_values(
        model={"family": "flux2_klein", "pretrained_model_name_or_path": "/m"}, data={"subsets": [{"image_dir": "/p"}]},
        loss={"timestep_sampling": "nextdit_shift"}, extra={"extra_options": ["networkdim = 3", "num_timestep_buckets = 5"]})
    wrong = [found.what for found in check_pair(write_pair(settings, tmp_path), "flux_2_train_network.py")]
    assert len(wrong) == 2
    assert any("musubi-tuner knows no 'networkdim'" in what for what in wrong)
    assert any("timestep_sampling is 'nextdit_shift', but musubi-tuner knows only" in what for what in wrong)


def test_the_trainer_must_be_the_familys():
    klein = TrainingSettings().with_values(model={"family": "flux2_klein"})
    assert "is trained by musubi-tuner" in check_settings(klein, "builtin")[0].what
    assert "is trained by musubi-tuner" in check_settings(klein, "sd-scripts")[0].what
    assert "is trained by sd-scripts" in check_settings(TrainingSettings().with_values(model={"family": "flux1"}), "musubi")[0].what
    assert not any("is trained by" in found.what for found in check_settings(klein, "musubi"))


@pytest.mark.parametrize("name", [name for name, preset in find_presets().items() if preset.family in MUSUBI])
def test_its_presets_lack_only_what_is_a_persons_own(name):
    settings = find_presets()[name].settings.with_values(
        data={"subsets": [{"image_dir": "/p", "control_directory": "/c" if "kontext" in name else None}]})
    found = [one.what for one in check_settings(settings, "musubi") if one.level != "info"]
    assert all("is not chosen" in what or "No model is chosen" in what for what in found), found


def write_model(path, width, **metadata):
    return write_tensors(path, {"img_in.weight": (width, 1), "double_stream_modulation_img.lin.weight": (1,)}, "BF16", metadata)


@pytest.mark.parametrize(("name", "width", "family", "level", "words"), [
    ("flux-2-klein-base-9b.safetensors", 4096, "flux2_klein", "warning", "Only the musubi trainer"),
    ("flux-2-klein-base-4b.safetensors", 3072, "flux2_klein", "error", "Set 'Version' (model_version) to klein-base-4b"),
    ("flux-2-klein-9b.safetensors", 4096, "flux2_klein", "error", "distilled FLUX.2 klein"),
    ("mine.safetensors", 4096, "flux2_klein", "warning", "Only the musubi trainer"),
    ("flux2-dev.safetensors", 6144, "flux2_klein", "error", "made for FLUX.2 dev"),
    ("flux2-dev.safetensors", 6144, "flux2_dev", "warning", "Only the musubi trainer"),
    ("flux2-dev.safetensors", 6144, "z_image", "error", "made for FLUX.2 dev")])
def test_the_header_tells_which_flux2_it_is(tmp_path, name, width, family, level, words):
    model = TrainingSettings().with_values(model={"family": family}).model
    found = judge_model(write_model(tmp_path / name, width), model, "musubi")
    assert found.level == level and words in f"{found.what} {found.remedy}"


def test_the_metadata_tells_the_distilled_klein_too(tmp_path):
    path = write_model(tmp_path / "mine.safetensors", 4096, **{"modelspec.title": "FLUX.2 klein 9B"})
    found = judge_model(path, TrainingSettings().with_values(model={"family": "flux2_klein"}).model, "musubi")
    assert found.level == "error" and "distilled" in found.what
