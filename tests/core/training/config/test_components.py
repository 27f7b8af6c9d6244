"""Files beside the base model: there, whole, and the part that their field is for."""

import pytest

from core.base.tensor_headers import read_header
from core.diffusion.parts import ModelPart, part_of
from core.training.config.checks import check_settings
from core.training.config.components import check_components, find_parts, parts_here
from core.training.config.families import TRAINED_MODELS
from core.training.config.presets import load_preset
from tests.core.training.config.part_files import SHAPES, weights


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
    assert part_of(read_header(files[name]).shapes) == part


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


def test_what_lies_in_the_folder_of_parts_is_offered_to_the_fields_that_it_fits(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    assert parts_here() == []
    folder = tmp_path / "models" / "components" / "flux"
    folder.mkdir(parents=True)
    for name, shapes in SHAPES.items():
        weights(folder / f"{name}.safetensors", shapes)
    (folder / "broken.safetensors").write_bytes(b"x")

    def names(family, field):
        return {path.stem for path in find_parts(family, field, parts_here())} - {"strange", "flux"}  # of these nothing can be told

    assert names("flux1", "clip_l") == {"clip_l"} and names("flux1", "ae") == {"ae"} and names("sdxl", "vae") == {"sdxl_vae"}
    assert names("z_image", "text_encoder") == {"qwen_4b"} and names("flux2_dev", "text_encoder") == set()


def test_a_component_that_is_missing_is_put_in_at_one_press_where_one_fits(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    folder = tmp_path / "models" / "components"
    folder.mkdir(parents=True)
    for name in ("clip_l", "ae"):
        weights(folder / f"{name}.safetensors", SHAPES[name])
    settings = load_preset("sd15_character").with_values(model={"family": "flux1"})
    fixes = {finding.what: dict(finding.fix) for finding in check_settings(settings) if "which is not chosen" in finding.what}
    offered = sorted(value for fix in fixes.values() for value in fix.values())
    assert offered == [str(folder / "ae.safetensors"), str(folder / "clip_l.safetensors")]
    assert {} in fixes.values()  # T5-XXL lies nowhere


def test_a_whole_checkpoint_serves_as_a_vae_of_its_family_and_of_no_other(tmp_path):
    names = ("model.diffusion_model.input_blocks.0.0.weight", "conditioner.embedders.1.model.token_embedding.weight",
             "conditioner.embedders.0.transformer.text_model.encoder.layers.0.mlp.fc1.weight", "first_stage_model.decoder.conv_in.weight")
    whole = weights(tmp_path / "sdxl.safetensors", {name: [4, 4] for name in names})
    assert part_of(read_header(whole).shapes) is None and found("sdxl", vae=whole) == []
    (one,) = found("sd15", vae=whole)
    assert "is a whole model of the family" in one.what and "chosen as VAE" in one.what


def test_a_vae_in_the_wrong_field_can_be_taken_out_where_the_model_has_its_own(files):
    (one,) = found("sdxl", vae=files["clip_l"])
    assert one.level == "error" and dict(one.fix) == {"vae": None} and "leave it empty" in one.remedy
    (other,) = found("z_image", vae=files["clip_l"])
    assert dict(other.fix) == {} and "leave it empty" not in other.remedy
