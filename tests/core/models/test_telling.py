"""What a file is, told from its header; and the table of named models."""

import re

import pytest

from core.base.errors import ConfigError, ModelError
from core.base.families import CAPTION_FAMILIES
from core.base.paths import ROOT
from core.models.addresses import read_address
from core.models.catalog import CATALOG, named_model, with_parts
from core.models.sites import CIVITAI, HUB
from core.models.telling import what_is
from tests.core.models.fake_sites import SDXL, weights

SD15 = ("model.diffusion_model.input_blocks.0.0.weight", "cond_stage_model.transformer.text_model.embeddings.weight")
DOCS = (ROOT / "docs" / "models.md").read_text(encoding="utf-8") if (ROOT / "docs" / "models.md").exists() else ""


@pytest.mark.parametrize(("names", "words", "family"), [
    (SDXL, "a base model of the family Stable Diffusion XL", "sdxl"), (SD15, "a base model of the family Stable Diffusion 1.x", "sd15"),
    ((*SDXL, "v_pred"), "a base model of the family Stable Diffusion XL with v-prediction", "sdxl"),
    (("double_blocks.0.img_attn.qkv.weight",), "a base model of the family FLUX.1", "flux1"),
    (("double_blocks.0.img_attn.qkv.weight", "double_stream_modulation_img.lin.weight"), "a base model of the family FLUX.2 dev",
     "flux2_dev"),
    (("model.diffusion_model.joint_blocks.0.x",), "a base model of the family Stable Diffusion 3", "sd3"),
    (("lora_unet_down.lora_down.weight",), "a LoRA, not a base model", ""),
    (("encoder.block.0.layer.0.SelfAttention.q.weight",), "a T5 text encoder, not a base model", ""),
    (("text_model.encoder.layers.0.mlp.fc1.weight",), "a CLIP text encoder, not a base model", ""),
    (("decoder.conv_in.weight",), "a VAE with 4 channels, not a base model", ""), (("x",), "no base model that Lorabook knows", "")])
def test_a_file_is_told_by_its_header(tmp_path, names, words, family):
    (tmp_path / "x.safetensors").write_bytes(weights(names))
    told = what_is(tmp_path / "x.safetensors")
    assert (told.words, told.family) == (words, family)


def test_a_broken_file_and_one_of_an_older_format_are_told(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(weights(SDXL)[:-4])
    with pytest.raises(ModelError, match="cut off"):
        what_is(tmp_path / "x.safetensors")
    (tmp_path / "x.ckpt").write_bytes(b"PK")
    assert "nothing can be told" in what_is(tmp_path / "x.ckpt").words


@pytest.mark.parametrize("model", CATALOG.values(), ids=lambda model: model.name)
def test_each_named_model_can_be_asked_for_and_is_documented(model):
    wanted = read_address(model.address)
    assert wanted.site in (HUB, CIVITAI) and (wanted.is_file or wanted.version) and model.family in CAPTION_FAMILIES
    assert model.size > 10**8 and model.licence and re.fullmatch("([0-9a-f]{64})?", model.sha256)
    assert all(CATALOG[part].kind != "base" for part in model.needs) and (model.kind == "base" or not model.needs)
    assert f"`{model.name}`" in DOCS


def test_parts_that_share_a_file_name_lie_side_by_side():
    places = [(model.folder, model.save_as or model.address.rsplit("/", 1)[-1]) for model in CATALOG.values()]
    assert len(set(places)) == len(places)
    assert [model.name for model in with_parts("flux1-dev")] == ["flux1-dev", "clip_l", "t5xxl", "flux1-ae"]
    with pytest.raises(ConfigError, match="No model is called 'sdxl'"):
        named_model("sdxl")
