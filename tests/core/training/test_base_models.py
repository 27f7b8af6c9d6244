"""Which base models are there, and what is said of the one that is written in the field."""

import os
from pathlib import Path

import pytest

from core.base.paths import DEMO_ASSETS
from core.training.base_models import about_model, find_models, is_demo_model
from core.training.config import TrainingSettings
from core.training.config.model import ModelSettings
from core.training.config.sources import check_sources
from tests.tensor_files import write_tensors

SD15 = ("model.diffusion_model.input_blocks.0.0.weight", "cond_stage_model.transformer.text_model.embeddings.weight")
SDXL = ("model.diffusion_model.input_blocks.0.0.weight", "conditioner.embedders.1.model.token_embedding.weight")
SD2 = ("model.diffusion_model.input_blocks.0.0.weight", "cond_stage_model.model.transformer.resblocks.0.weight")
LORA = ("lora_unet_down.lora_down.weight",)


def write_header(path, names, cut=0, channels=4):
    """A safetensors file of small tensors: what a look at the header sees. Args: cut: bytes that are missing at its end."""
    write_tensors(path, dict.fromkeys(names, (4, channels)))
    os.truncate(path, path.stat().st_size - cut)
    return path


@pytest.fixture
def models(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv("LORABOOK_MODELS", str(folder))
    return folder


def about(path, **values):
    return about_model(ModelSettings.make(pretrained_model_name_or_path=str(path) if path else None, **values))


def test_without_a_models_folder_only_the_demo_model_is_there(models):
    assert find_models() == [("Demo model (tiny, for trying out)", str(DEMO_ASSETS / "model"))]
    assert is_demo_model(str(DEMO_ASSETS / "model")) and not is_demo_model(None) and not is_demo_model("/models/x.safetensors")


def test_the_demo_model_is_known_also_by_a_link_and_a_relative_path(models, monkeypatch):
    models.mkdir()
    link = models / "linked"
    link.symlink_to(DEMO_ASSETS / "model")
    monkeypatch.chdir(DEMO_ASSETS)
    assert is_demo_model(str(link)) and is_demo_model("model") and not is_demo_model(str(models)) and not is_demo_model("")
    told = about(link, family="sdxl")
    assert told.what.startswith("The demo model is made for") and about(link).remedy == "Use the preset Demo with it."


def test_checkpoints_and_diffusers_folders_are_found_also_one_folder_down(models):
    write_header(models / "sd_xl.safetensors", SDXL)
    write_header(models / "civitai" / "pony.safetensors", SDXL)
    (models / "anything" / "unet").mkdir(parents=True)
    (models / "anything" / "model_index.json").write_text("{}")
    write_header(models / "anything" / "unet.safetensors", SD15)
    write_header(models / "hub" / "cached.safetensors", SDXL)
    write_header(models / ".part.safetensors", SDXL)
    (models / "notes.txt").write_text("x")
    found = find_models()
    assert [label for label, _ in found[:-1]] == ["anything", "civitai/pony.safetensors", "sd_xl.safetensors"]
    assert [path for _, path in found[:-1]] == [str(models / label) for label, _ in found[:-1]]


def test_a_model_that_was_fetched_meanwhile_is_found_at_the_next_look(models):
    before = find_models()
    write_header(models / "new.safetensors", SD15)
    assert [label for label, _ in find_models()] == ["new.safetensors", *(label for label, _ in before)]


def test_no_model_is_no_fault_yet_and_tells_where_one_belongs(models):
    assert about(None).level == "info" and str(models) in about(None).remedy


def test_a_path_that_does_not_exist_is_told_with_its_whole_place(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = about("models/gone.safetensors")
    assert found.level == "error" and found.what == f"There is no {tmp_path}/models/gone.safetensors."


@pytest.mark.skipif(os.name == "nt", reason="there it is an ordinary path")
def test_a_path_of_the_persons_own_computer_is_told_as_such(models):
    found = about("C:\\models\\a.safetensors")
    assert found.level == "error" and "Windows" in found.what and str(models) in found.remedy


def test_the_family_of_the_file_is_told(models):
    path = write_header(models / "a.safetensors", SDXL)
    assert str(about(path, family="sdxl")) == "a.safetensors is made for SDXL."
    assert about(path, family="sdxl").level == "info"


def test_a_family_that_the_settings_do_not_expect_is_told_with_what_to_do(models):
    found = about(write_header(models / "a.safetensors", SDXL), family="sd15")
    assert found.level == "error" and "is made for SDXL, but the settings are for Stable Diffusion 1.5" in found.what
    assert "preset" in found.remedy


@pytest.mark.parametrize(("names", "cut", "words"), [(LORA, 0, "is a LoRA, not a base model"), (SDXL, 4, "is cut off"),
                                                     (("double_blocks.0.weight",), 0, "is made for FLUX")])
def test_a_file_that_cannot_be_trained_is_told(models, names, cut, words):
    found = about(write_header(models / "a.safetensors", names, cut))
    assert found.level == "error" and words in found.what and found.remedy


def test_an_inpainting_model_is_told_though_its_family_fits(models):
    path = write_header(models / "a.safetensors", (*SD15, "model.diffusion_model.out.2.weight"), channels=9)
    assert about(path).level == "error" and "inpainting" in about(path).what


@pytest.mark.parametrize(("names", "values"), [(SD2, {}), (SD2, {"family": "sd2"}), (SD15, {"family": "sd2"}), (SDXL, {}), (LORA, {}),
                                               (("double_blocks.0.weight",), {}), (SD15, {})])
def test_the_field_and_the_check_judge_a_file_alike(models, names, values):
    path = write_header(models / "a.safetensors", names)
    said, made = about(path, **values), TrainingSettings().with_values(model={"pretrained_model_name_or_path": str(path), **values})
    checked = [finding for finding in check_sources(made) if "a.safetensors" in finding.what]
    assert checked == ([said] if said.level == "error" else [])
    if names == SD2:
        assert said.level == ("warning" if values else "error") and ("sd-scripts" if values else "preset") in said.remedy


def test_a_name_on_hugging_face_is_left_to_sd_scripts(models):
    found = about("owner/name")
    assert found.level == "warning" and "sd-scripts" in found.remedy


def test_of_an_older_format_nothing_is_claimed(models, tmp_path):
    (tmp_path / "old.ckpt").write_bytes(b"x")
    assert about(tmp_path / "old.ckpt").level == "warning" and "sd-scripts" in about(tmp_path / "old.ckpt").remedy


def test_the_demo_model_comes_with_its_preset(models):
    found = about(DEMO_ASSETS / "model", v_parameterization=True)
    assert found.level == "info" and "preset Demo" in found.remedy


FLUX = ("double_blocks.0.img_attn.qkv.weight", "single_blocks.0.linear1.weight")


@pytest.mark.parametrize(("names", "family"), [
    (FLUX, "flux1"), ((*FLUX, "distilled_guidance_layer.in_proj.weight"), "chroma"), (("joint_blocks.0.x_block.attn.qkv.weight",), "sd3"),
    (("cap_embedder.0.weight", "noise_refiner.0.attention.qkv.weight"), "lumina2"), ((*FLUX, "byt5_in.fc1.weight"), "hunyuan_image"),
    (("net.blocks.0.adaln_modulation_cross_attn.1.weight", "net.llm_adapter.blocks.0.norm.weight"), "anima")])
def test_every_family_is_known_by_its_header(models, names, family):
    found = about(write_header(models / "a.safetensors", names), family=family)
    assert found.level == "warning" and "sd-scripts" in found.remedy
    assert about(write_header(models / "a.safetensors", names), family="sdxl").level == "error"


@pytest.mark.parametrize(("names", "words"), [
    (("text_model.encoder.layers.0.self_attn.k_proj.weight",), "a CLIP text encoder"), (("decoder.up.0.block.0.conv1.weight",), "a VAE"),
    (("encoder.block.0.layer.0.SelfAttention.k.weight",), "a T5 text encoder"), (("lora_unet_x.hada_w1_a",), "a LoRA")])
def test_parts_of_models_are_no_base_models(models, names, words):
    found = about(write_header(models / "a.safetensors", names))
    assert found.level == "error" and f"is {words}, not a base model" in found.what


def test_sd_scripts_must_be_told_that_a_model_predicts_v(models):
    marked = write_header(models / "v.safetensors", (*SD15, "v_pred"))
    made = TrainingSettings().with_values(model={"pretrained_model_name_or_path": str(marked)})
    assert [one.level for one in check_sources(made, "sd-scripts") if "predicts v" in one.what] == ["error"]
    assert not [one for one in check_sources(made, "builtin") if "predicts v" in one.what]


def test_a_model_that_predicts_v_wants_it_said_and_one_that_does_not_wants_it_off(models):
    marked = write_header(models / "v.safetensors", (*SDXL, "v_pred"))
    found = about(marked, family="sdxl")
    assert found.level == "warning" and "predicts v" in found.what and dict(found.fix) == {"v_parameterization": True}
    assert about(marked, family="sdxl", v_parameterization=True).level == "info"
    assert about(write_header(models / "e.safetensors", SDXL), family="sdxl", v_parameterization=True).level == "info"  # it does not say
