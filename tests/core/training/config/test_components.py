"""Files beside the base model: there, whole, and the part that their field is for."""

import json
from pathlib import Path

import pytest

from core.diffusion.kinds import read_header
from core.diffusion.parts import ModelPart, part_of
from core.training.config.components import check_components
from core.training.config.families import TRAINED_MODELS
from core.training.config.presets import load_preset

SHAPES = {"clip_l": {"text_model.encoder.layers.0.mlp.fc1.weight": [3072, 768],
                     "text_model.embeddings.token_embedding.weight": [49408, 768]},
          "clip_g": {"text_model.encoder.layers.0.mlp.fc1.weight": [5120, 1280],
                     "text_model.embeddings.token_embedding.weight": [49408, 1280]},
          "t5xxl": {"encoder.block.0.layer.0.SelfAttention.q.weight": [4096, 4096], "shared.weight": [32128, 4096]},
          "qwen_4b": {"model.layers.0.self_attn.q_proj.weight": [4096, 2560], "model.embed_tokens.weight": [151936, 2560]},
          "ae": {"decoder.conv_in.weight": [512, 16, 3, 3], "decoder.up.0.block.0.conv1.weight": [128, 256, 3, 3]},
          "sdxl_vae": {"decoder.conv_in.weight": [512, 4, 3, 3]}, "flux": {"double_blocks.0.img_attn.qkv.weight": [9216, 3072]},
          "lora": {"lora_unet_x.lora_down.weight": [8, 320]}, "strange": {"x": [1]}}


def weights(path: Path, shapes: dict[str, list[int]]) -> Path:
    """A safetensors file with these tensors, of the smallest type; what lies behind the header is a hole."""
    header, place = {}, 0
    for name, shape in shapes.items():
        size = 1
        for side in shape:
            size *= side
        header[name] = {"dtype": "F8_E4M3", "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with open(path, "ab") as file:
        file.truncate(8 + len(text) + place)
    return path


@pytest.fixture
def files(tmp_path):
    return {name: weights(tmp_path / f"{name}.safetensors", shapes) for name, shapes in SHAPES.items()}


def found(family, **components):
    settings = load_preset("sd15_character").with_values(model={"family": family, **{name: str(path) for name, path in components.items()}})
    return list(check_components(settings))


@pytest.mark.parametrize(("name", "part"), [
    ("clip_l", ModelPart("clip", 768)), ("clip_g", ModelPart("clip", 1280)), ("t5xxl", ModelPart("t5", 4096)),
    ("qwen_4b", ModelPart("llm", 2560)), ("ae", ModelPart("vae", 16)), ("lora", ModelPart("lora")), ("flux", None), ("strange", None)])
def test_a_part_is_told_by_names_and_shapes(files, name, part):
    assert part_of(read_header(files[name])) == part


def test_the_right_files_are_left_in_peace(files):
    assert found("flux1", clip_l=files["clip_l"], t5xxl=files["t5xxl"], ae=files["ae"]) == []
    assert found("z_image", text_encoder=files["qwen_4b"], vae=files["ae"]) == [] and found("sdxl", vae=files["sdxl_vae"]) == []
    assert found("flux1", clip_l=files["strange"]) == []  # nothing can be told


@pytest.mark.parametrize(("field", "file", "level", "words"), [
    ("clip_l", "t5xxl", "error", "t5xxl.safetensors is the text encoder T5-XXL, but is chosen as CLIP-L (clip_l) of FLUX.1"),
    ("clip_l", "clip_g", "warning", "is the text encoder CLIP-G, but is chosen as CLIP-L"),
    ("t5xxl", "ae", "error", "is a VAE with 16 channels"), ("ae", "sdxl_vae", "warning", "a VAE with 4 channels"),
    ("ae", "lora", "error", "is a LoRA, but is chosen as Autoencoder"),
    ("ae", "flux", "error", "is a whole model of the family FLUX.1, but is chosen as Autoencoder")])
def test_a_file_in_the_wrong_field_is_named(files, field, file, level, words):
    (one,) = found("flux1", **{field: files[file]})
    assert one.level == level and words in one.what and one.remedy


def test_a_missing_and_a_broken_file_are_errors(files, tmp_path):
    (one,) = found("flux1", ae=tmp_path / "none.safetensors")
    assert one.level == "error" and "does not exist" in one.what and "The Autoencoder" in one.what
    files["ae"].write_bytes(files["ae"].read_bytes()[:200])
    (one,) = found("flux1", ae=files["ae"])
    assert (one.level == "error" and "cut off" in one.what) or "not a safetensors" in one.what


def test_what_the_family_does_not_read_is_not_judged(files):
    assert found("sdxl", t5xxl=files["lora"]) == []


def test_every_component_of_every_family_has_an_expectation(files):
    for family, model in TRAINED_MODELS.items():
        for name in model.components:
            (one,) = found(family, **{name: files["lora"]})
            assert one.level == "error" and "is a LoRA" in one.what
