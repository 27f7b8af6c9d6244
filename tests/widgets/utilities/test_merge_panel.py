"""Merge: each file is told as soon as it is chosen, what does not fit is told at once, and the file is the one that was asked for."""

import re

import pytest
import torch
from safetensors.torch import load_file

from tests.core.utilities.layers import layer, update_of, write
from tests.widgets.utilities.conftest import finish, press
from widgets.session import Session
from widgets.utilities.inspect import InspectPanel
from widgets.utilities.merge import MergePanel
from widgets.utilities.weighted_files import fields_of

UNET = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
TEXT = "lora_te_text_model_encoder_layers_3_mlp_fc1"


def style(place, said=None, **kinds):
    """A second file of two of the first one's layers."""
    layers = {UNET: layer(kinds.get("kind", "linear"), 30)[0], TEXT: layer("linear", 31)[0]}
    return write(place, layers, said or {"ss_base_model_version": "sd_v1"})


@pytest.fixture
def panel(session, lora):
    made = MergePanel(session)
    yield made
    made.close()


def fill(panel, number, path, weight=None):
    line = panel.files.rows[number]
    line.control.widget.value = str(path)
    if weight is not None:
        line.amount.widget.value = weight


def test_it_says_what_is_missing_and_offers_the_projects_files(panel, lora):
    assert panel.status.text == "Ready as soon as two LoRA files are chosen." and panel.main.disabled
    assert [words for words, _ in panel.files.rows[1].control.list.options] == ["choose a file", "mika.safetensors (finished)"]
    fill(panel, 0, lora)
    assert "LoRA for Stable Diffusion 1.x, rank 4" in panel.files.rows[0].control._note.value
    assert panel.status.text == "Ready as soon as two LoRA files are chosen."


def test_two_files_with_weights_become_their_sum(panel, lora):
    other = style(lora.with_name("style.safetensors"))
    fill(panel, 0, lora)
    fill(panel, 1, other, -0.5)
    assert panel.status.text == "Ready"
    press(panel.main)
    finish(panel)
    made = lora.with_name("mika-merged.safetensors")
    assert panel.status.text.startswith("Done: mika-merged.safetensors: sum of 1 × mika.safetensors, -0.5 × style.safetensors; ")
    one, two, sums = load_file(lora), load_file(other), load_file(made)
    torch.testing.assert_close(update_of(sums, UNET), update_of(one, UNET) - 0.5 * update_of(two, UNET), atol=1e-5, rtol=1e-5)
    assert str(made) in panel.made.facts.value and "1 × mika.safetensors, -0.5 × style.safetensors" in panel.made.facts.value
    assert "Nothing is lost by the rank." in panel.made.map.value and panel.made.view.layout.display == ""


@pytest.mark.slow
def test_a_low_rank_shows_what_each_block_loses_and_another_file_takes_that_away(panel, lora):
    fill(panel, 0, lora)
    fill(panel, 1, style(lora.with_name("style.safetensors")))
    panel.form.control("new_rank").widget.value = "2"
    press(panel.main)
    finish(panel)
    assert "Loses most: " in panel.made.map.value and '<span class="lb-heat-place">1.0</span>' in panel.made.map.value
    fill(panel, 1, style(lora.with_name("third.safetensors")))
    assert panel.made.view.layout.display == "none" and panel.status.text == "Ready"


@pytest.mark.slow
def test_weights_of_blocks_are_offered_by_name_and_count(panel, lora):
    other = style(lora.with_name("style.safetensors"))
    fill(panel, 0, lora)
    fill(panel, 1, other)
    weights = panel.files.rows[1].weights
    assert weights.parts == [["text 1", "Text encoder 1"], ["down", "Down"]]
    assert weights.blocks == [["0", "text 1, layer 3", "3"], ["1", "down 1.0", "1.0"]]
    weights.values = {"text 1": "0", "down 1.0": "0,5"}
    assert panel.files.blocks == ("2: text 1=0", "2: down 1.0=0.5")
    assert panel.files.rows[1].fold.button.description == "Show weights of blocks of file 2 (2)"
    press(panel.main)
    finish(panel)
    one, two, sums = load_file(lora), load_file(other), load_file(lora.with_name("mika-merged.safetensors"))
    torch.testing.assert_close(update_of(sums, UNET), update_of(one, UNET) + 0.5 * update_of(two, UNET), atol=1e-5, rtol=1e-5)
    assert float(update_of(sums, TEXT).norm()) == 0
    assert "<th>Weights of blocks</th><td>text 1 × 0 of style.safetensors, down 1.0 × 0.5 of style.safetensors</td>" in \
        panel.made.facts.value
    assert "(weights of blocks 2: text 1=0, 2: down 1.0=0.5)" in panel.status.text
    weights.values = {"down": "much"}
    assert "LoRA file 2: 'much' is no weight of down." in panel.status.text and panel.main.disabled


@pytest.mark.parametrize(("made", "said"), [
    (lambda place: style(place, {"ss_base_model_version": "sdxl_base_v1-0"}),
     "style.safetensors for Stable Diffusion XL: their layers belong to different models"),
    (lambda place: style(place, kind="dora"), "is DoRA"),
    (lambda place: place.with_name("gone.safetensors"), "LoRA file 2: .*gone.safetensors is no file on this machine"),
    (lambda place: (place.write_bytes(b"<html></html>"), place)[1], "LoRA file 2: style.safetensors is not a safetensors file")])
def test_what_does_not_fit_is_told_at_once_with_the_files_name(panel, lora, made, said):
    fill(panel, 0, lora)
    fill(panel, 1, made(lora.with_name("style.safetensors")))
    assert panel.status.text.startswith("Needs attention: ") and re.search(said, panel.status.text), panel.status.text
    assert panel.main.disabled and panel.job is None
    fill(panel, 1, style(lora.with_name("good.safetensors")))
    assert panel.status.text == "Ready"


def test_files_are_added_and_taken_out_and_those_below_move_up(panel, lora):
    others = [style(lora.with_name(f"{name}.safetensors")) for name in ("b", "c")]
    fill(panel, 0, lora)
    fill(panel, 1, others[0], 0.25)
    press(panel.files.add)
    fill(panel, 2, others[1], 0.75)
    panel.files.rows[2].weights.values = {"text 1": "0.5"}
    press(panel.files.rows[1].out)
    assert panel.files.files == (str(lora), str(others[1])) and panel.files.weights == (1.0, 0.75)
    assert panel.files.blocks == ("2: text 1=0.5",) and len(panel.files.rows) == 2
    assert panel.files.rows[0].out.layout.display == "none"


def test_weights_that_are_all_0_and_a_rule_with_ties_are_sentences(panel, lora):
    fill(panel, 0, lora, 0)
    fill(panel, 1, style(lora.with_name("style.safetensors")), 0)
    assert "Every weight is 0" in panel.status.text and panel.main.disabled
    fill(panel, 0, lora, 1)
    panel.form.control("merge_method").widget.value = "ties"
    panel.form.open_folds()
    panel.form.control("dynamic_method").widget.value = "sv_fro"
    press(panel.main)
    assert "TIES needs a fixed rank" in panel.status.text and panel.job is None
    panel.form.control("dynamic_method").widget.value = "fixed"
    assert panel.status.text == "Ready"


@pytest.mark.slow
def test_a_restart_brings_files_weights_and_result_back(panel, session, lora):
    fill(panel, 0, lora, 0.5)
    fill(panel, 1, style(lora.with_name("style.safetensors")))
    panel.files.rows[0].weights.values = {"text 1": "0"}
    press(panel.main)
    finish(panel)
    again = MergePanel(Session())
    assert again.files.files == panel.files.files and again.files.weights == (0.5, 1.0) and again.files.blocks == ("1: text 1=0",)
    assert "mika-merged.safetensors" in again.made.facts.value and "mika-merged.safetensors: sum of" in again.status.text


def test_the_file_that_is_looked_at_elsewhere_is_the_first(session, lora):
    inspect = InspectPanel(session)
    inspect.form.control("file").widget.value = str(lora)
    assert MergePanel(session).files.files == (str(lora),)


def test_blocks_stand_at_their_part():
    parts, blocks = fields_of(["text 1", "text 2, layer 11", "down 1.0", "down 1.1", "double 7", "other"])
    assert parts == [("text 1", "Text encoder 1"), ("text 2", "Text encoder 2"), ("down", "Down"), ("double", "Double"), ("other", "Other")]
    assert blocks[1] == (1, "text 2, layer 11", "11") and blocks[3] == (2, "down 1.1", "1.1")


@pytest.mark.slow
def test_the_same_file_twice_is_told_and_is_no_error(panel, lora):
    fill(panel, 0, lora)
    fill(panel, 1, lora)
    assert "It is LoRA file 1 again, and counts twice." in panel.files.rows[1].control._note.value
    assert "again" not in panel.files.rows[0].control._note.value and panel.status.text == "Ready"
    press(panel.main)
    finish(panel)
    assert "mika.safetensors is given 2 times, and counts as often." in panel.made.facts.value and panel.status.state == "done"
    fill(panel, 1, style(lora.with_name("style.safetensors")))
    assert "again" not in panel.files.rows[1].control._note.value
