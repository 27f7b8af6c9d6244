"""Models and LoRA files: what fits is told by headers alone, the room before, and what was extracted makes the model again."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

from core.base.tensor_headers import read_header
from tests.core.utilities.layers import layer, write
from tests.core.utilities.test_extracting import models
from tests.widgets.utilities.conftest import finish, press
from widgets.session import Session
from widgets.utilities.bake import BakePanel
from widgets.utilities.extract import ExtractPanel


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """A base model and what it became, in the folder of models."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("LORABOOK_MODELS", str(folder))
    return models(folder, "sd15")


@pytest.fixture
def extract(session, pair):
    made = ExtractPanel(session)
    yield made
    made.close()


@pytest.fixture
def bake(session, pair):
    made = BakePanel(session)
    yield made
    made.close()


def choose(panel, base, tuned):
    panel.form.control("base").widget.value, panel.form.control("tuned").widget.value = str(base), str(tuned)


def fill(panel, base, *files):
    panel.base.widget.value = str(base)
    for number, (path, weight) in enumerate(files):
        panel.files.rows[number].control.widget.value, panel.files.rows[number].amount.widget.value = str(path), weight


def test_the_models_of_this_machine_are_offered_and_told(extract, pair):
    assert [words for words, _ in extract.form.control("tuned").list.options] == ["choose a model", "base.safetensors", "tuned.safetensors"]
    assert extract.status.text == "Ready as soon as both models are chosen." and extract.main.disabled
    choose(extract, *pair)
    assert "Stable Diffusion 1.x, " in extract.form.control("base")._note.value and extract.status.text == "Ready"
    assert "The LoRA takes up to about " in extract.form.control("save_to")._note.value


@pytest.mark.slow
def test_a_lora_is_extracted_and_what_it_cannot_hold_is_listed(extract, pair, session):
    choose(extract, *pair)
    extract.form.control("new_rank").widget.value = 2
    press(extract.main)
    finish(extract)
    made = session.folder / "output" / "tuned-lora.safetensors"
    assert extract.form.present("save_to") == "" and extract.save_as.place() == str(made.with_name("tuned-lora-2.safetensors"))
    assert read_header(made).metadata["ss_network_dim"] == "2"
    assert extract.status.text.startswith("Done: tuned-lora.safetensors: 4 layers")
    assert "Loses most: " in extract.made.map.value and "listed below" in extract.made.facts.value
    assert "model.diffusion_model.out.2.weight" in extract.made._names["What the LoRA cannot hold"].value
    told = [line for line in extract.form.control("save_to")._note.value.split("<") if "up to about" in line]
    assert f"Next to be written: {made.with_name('tuned-lora-2.safetensors')}. The LoRA takes up to about" in told[0]
    assert "KiB there; " in told[0]
    again = ExtractPanel(Session())
    assert again.chosen() == (str(pair[0]), str(pair[1])) and "tuned-lora.safetensors" in again.made.facts.value
    again.form.control("tuned").widget.value = str(pair[0])
    assert again.made.view.layout.display == "none"
    assert again.status.text == "Needs attention: Base model and trained model are the same file. Choose two that differ."


def test_models_that_do_not_go_together_are_told_at_once(extract, pair, tmp_path, lora):
    (tmp_path / "sdxl").mkdir()
    other = models(tmp_path / "sdxl", "sdxl")[1]
    choose(extract, pair[0], other)
    assert "base.safetensors is Stable Diffusion 1.x, tuned.safetensors is Stable Diffusion XL. Choose two" in extract.status.text
    choose(extract, pair[0], lora)
    assert extract.status.text.startswith("Needs attention: Trained model: mika.safetensors is a LoRA") and extract.main.disabled
    choose(extract, pair[0], pair[1])
    extract.form.control("new_rank").widget.value = 0
    assert "Rank must be at least 1" in extract.status.text


@pytest.mark.slow
def test_what_was_extracted_is_baked_and_taken_out_again(extract, bake, pair, session):
    choose(extract, *pair)
    extract.form.open_folds()
    extract.form.control("save_precision").widget.value = "float"
    press(extract.main)
    finish(extract)
    lora = session.folder / "output" / "tuned-lora.safetensors"
    assert bake.status.text == "Ready as soon as a base model and a LoRA file are chosen."
    fill(bake, pair[0], (lora, 1.0))
    assert "LoCon for Stable Diffusion 1.x" in bake.files.rows[0].control._note.value
    assert "The new model takes about " in bake.form.control("save_to")._note.value and bake.status.text == "Ready"
    press(bake.main)
    finish(bake)
    made = pair[0].with_name("base-baked.safetensors")
    assert bake.status.text.startswith("Done: base-baked.safetensors: 4 tensors changed") and str(made) in bake.made.facts.value
    assert "<th>Made of</th><td>1 × tuned-lora.safetensors</td>" in bake.made.facts.value
    key = "model.diffusion_model.output_blocks.3.1.transformer_blocks.0.attn2.to_k.weight"
    torch.testing.assert_close(load_file(made)[key], load_file(pair[1])[key], atol=2e-6, rtol=1e-5)
    fill(bake, made, (lora, -1.0))
    assert bake.made.view.layout.display == "none"
    press(bake.main)
    finish(bake)
    out = load_file(made.with_name("base-baked-baked.safetensors"))
    torch.testing.assert_close(out[key], load_file(pair[0])[key], atol=2e-6, rtol=1e-5)


def test_another_family_a_kind_that_cannot_be_added_and_no_room_are_told_before(bake, pair, lora, monkeypatch):
    xl = write(lora.with_name("xl.safetensors"), {"lora_unet_x": layer("linear")[0]}, {"ss_base_model_version": "sdxl_base_v1-0"})
    fill(bake, pair[0], (xl, 1.0))
    assert "xl.safetensors was made for Stable Diffusion XL, but base.safetensors is Stable Diffusion 1.x" in bake.status.text
    fill(bake, pair[0], (write(lora.with_name("d.safetensors"), {"lora_unet_x": layer("dora")[0]}, {}), 1.0))
    assert "in d.safetensors is DoRA" in bake.status.text and bake.main.disabled
    fill(bake, pair[0], (lora, 0.0))
    assert "Every weight is 0" in bake.status.text and bake.main.disabled
    usage = shutil.disk_usage(pair[0])
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=100))
    bake.files.rows[0].amount.widget.value = 1.0
    assert "there; 0 KiB are free. Choose another place under Save as" in bake.status.text and bake.main.disabled


@pytest.mark.slow
def test_a_file_that_does_not_fit_is_told_before_and_layers_without_a_place_are_listed(bake, pair, lora):
    fill(bake, pair[0], (lora, 1.0))
    assert "has the shape [24, 36] in mika.safetensors, but " in bake.status.text and bake.main.disabled and bake.job is None
    none = write(lora.with_name("none.safetensors"), {"lora_unet_my_own": layer("linear")[0]}, {"ss_base_model_version": "sd_v1"})
    fill(bake, pair[0], (none, 1.0))
    assert "No layer of none.safetensors has a place in base.safetensors. They belong" in bake.status.text and bake.main.disabled
    parts = {"lora_unet_up_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k": layer("linear", 1, out=24, wide=32)[0],
             "lora_unet_my_own": layer("linear", 2)[0]}
    fill(bake, pair[0], (write(lora.with_name("part.safetensors"), parts, {"ss_base_model_version": "sd_v1"}), 1.0))
    press(bake.main)
    finish(bake)
    assert "lora_unet_my_own" in bake.made._names["Layers without a place"].value and "1, listed below" in bake.made.facts.value
