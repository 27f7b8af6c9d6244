"""Files that the built-in trainer wrote, through every tool, and loaded by diffusers and PEFT."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.base.tensor_headers import read_header
from core.training.builtin.main import train
from core.utilities.checkpoints.baking import BakeSettings, bake_loras
from core.utilities.inspecting.inspecting import InspectSettings, inspect_lora
from core.utilities.names.converting import ConvertSettings, convert_lora
from tests.core.utilities.in_diffusers import Bench, added, check_every_tool, updates_of
from tests.tiny_models import make_model_folder, make_pictures, make_single_file, write_training_pair

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """With every block of SD 1.x, for its names tell where in a checkpoint they belong."""
    return make_model_folder(tmp_path_factory.mktemp("thin"), all_blocks=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, model):
    """The first epoch's file and the last one's, with convolutions and the text encoder."""
    folder = tmp_path_factory.mktemp("trained")
    images = make_pictures(folder / "images", [(64, 64)] * 4)
    pair = write_training_pair(folder, model, images, max_train_epochs=3, save_every_n_epochs=1, network_dim=4, network_alpha=2,
                               network_args=["conv_dim=4", "conv_alpha=1"], learning_rate=0.05, text_encoder_lr=0.05)
    last = train(*pair, run_dir=folder, say=lambda line: None, device="cpu")
    return last.with_name("tiny-000001.safetensors"), last


def test_every_tools_file_is_loaded_and_draws_as_weights_changed_by_hand(trained, model, tmp_path):
    base = make_single_file(model, tmp_path / "base" / "model.safetensors")
    assert check_every_tool(Bench(model), *trained, 4, base, tmp_path / "out") == 11


def test_a_model_with_a_trained_file_in_it_has_the_weights_that_are_changed_by_hand(trained, model, tmp_path):
    base = make_single_file(model, tmp_path / "base" / "model.safetensors")
    bake_loras(BakeSettings.make(base=str(base), files=(str(trained[1]),), weights=(0.8,), device="cpu",
                                 save_to=str(tmp_path / "baked.safetensors")))
    bench = Bench(model)
    with bench.changed(added([(updates_of(trained[1]), 0.8)])):
        bench.pipe.save_pretrained(tmp_path / "wanted")
    wanted = make_single_file(tmp_path / "wanted", tmp_path / "single" / "model.safetensors")
    baked, right, before = (load_file(path) for path in (tmp_path / "baked.safetensors", wanted, base))
    assert baked.keys() == right.keys() and sum(not torch.equal(baked[name], before[name]) for name in baked) > 50
    for name, value in baked.items():
        torch.testing.assert_close(value, right[name], atol=1e-6, rtol=1e-5)


def test_what_a_trained_file_is_is_told(trained):
    report = inspect_lora(InspectSettings.make(file=str(trained[1]), device="cpu"))
    assert report.family.name == "sd15" and [finding.level for finding in report.findings if finding.level == "error"] == []


def test_a_strength_that_stands_in_diffusers_settings_counts_there_for_text_encoders_too(trained, model, tmp_path):
    """Of CLIP some versions of transformers call the layers text_model.encoder…, others encoder…; the settings must fit both."""
    state = {name: torch.tensor(3.0) if name.endswith(".alpha") else value for name, value in load_file(trained[1]).items()}
    save_file(state, tmp_path / "a.safetensors", {"ss_base_model_version": "sd_v1"})
    convert_lora(ConvertSettings.make(file=str(tmp_path / "a.safetensors"), naming="diffusers", save_to=str(tmp_path / "b.safetensors")))
    assert "lora_adapter_metadata" in read_header(tmp_path / "b.safetensors").metadata
    bench = Bench(model)
    for drawn, wanted in zip(bench.with_file(tmp_path / "b.safetensors"), bench.with_updates(updates_of(tmp_path / "a.safetensors")),
                             strict=True):
        torch.testing.assert_close(drawn, wanted, atol=1e-5, rtol=1e-4)
