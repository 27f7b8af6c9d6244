"""Convert: what a file is now, what it becomes, and pickled checkpoints, which are never run."""

import pytest
import torch
from safetensors.torch import load_file

from tests.core.utilities.layers import layer, write
from tests.widgets.utilities.conftest import choose, finish, press
from widgets.session import Session
from widgets.utilities.convert import ConvertPanel
from widgets.utilities.inspect import InspectPanel
from widgets.utilities.resize import ResizePanel

LAYER = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"


@pytest.fixture
def panel(session, lora):
    made = ConvertPanel(session)
    yield made
    made.close()


def want(panel, **values):
    for name, value in values.items():
        panel.form.control(name).widget.value = value


def shown(widget):
    return widget.layout.display != "none"


def test_it_says_what_the_file_is_and_that_something_must_change(panel, lora):
    assert panel.status.text == "Ready as soon as a LoRA file is chosen."
    choose(panel, lora)
    for words in ("sd-scripts, A1111, Forge (kohya)", "lora_te_text_model_encoder", "<td>LoRA</td>", "F32"):
        assert words in panel._now.value
    assert panel.status.text.startswith("Ready as soon as something is to change") and panel.main.disabled
    want(panel, naming="diffusers")
    assert panel.status.text == "Ready" and shown(panel.form.control("fold_alpha").view)


def test_other_names_and_another_precision_are_told_before_and_after(panel, lora):
    choose(panel, lora)
    want(panel, naming="diffusers", save_precision="fp16")
    press(panel.main)
    finish(panel)
    made = lora.with_name("mika-diffusers.safetensors")
    state = load_file(made)
    assert "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight" in state
    assert {value.dtype for value in state.values()} == {torch.float16}
    assert panel.status.text.startswith("Done: mika-diffusers.safetensors: 9 layers under the names of diffusers, rounding changed")
    assert "<th>Renamed</th><td>9 layers</td>" in panel.made.facts.value and "0.0" in panel.made.facts.value
    assert "<th scope=\"row\">A layer is called</th><td>lora_" in panel._compared.value
    assert "<td>diffusers, PEFT</td>" in panel._compared.value
    assert not shown(panel.made.lists["Names that stayed"].view) and not shown(panel.made.blocks)


@pytest.mark.slow
def test_names_that_nobody_knows_are_listed_and_loha_becomes_lora(panel, lora):
    odd = write(lora.with_name("odd.safetensors"), {LAYER: layer("loha")[0], "lora_unet_my_own": layer("linear", 3)[0]},
                {"ss_base_model_version": "sd_v1"})
    choose(panel, odd)
    want(panel, naming="comfy", to_lora=True)
    press(panel.main)
    finish(panel)
    report = panel.job.status().report
    assert report["made_lora"] == 1 and report["kept"] == ["lora_unet_my_own"]
    assert shown(panel.made.lists["Names that stayed"].view) and "lora_unet_my_own" in panel.made._names["Names that stayed"].value
    assert "<td>LoHa (1), LoRA (1)</td><td>LoRA</td>" in panel._compared.value
    assert panel.status.state == "blocked" and "1 layer kept its name, such as lora_unet_my_own" in panel.status.text  # no plain green Done
    assert "0 %: not a bit was changed" not in panel.made.facts.value


def test_a_model_whose_names_are_not_known_is_told_before(panel, lora):
    other = write(lora.with_name("other.safetensors"), {"lora_unet_x": layer("linear")[0]}, {"ss_base_model_version": "lumina2"})
    choose(panel, other)
    want(panel, naming="diffusers")
    assert "Names are converted for Stable Diffusion 1.x" in panel.status.text and panel.main.disabled
    want(panel, naming="same", save_precision="bf16")
    assert panel.status.text == "Ready"


def test_a_file_of_the_demo_model_is_told_before(panel, lora):
    choose(panel, write(lora.with_name("demo.safetensors"), {LAYER: layer("linear")[0]}, {"ss_base_model_version": "lorabook_demo"}))
    want(panel, naming="diffusers")
    assert "demo.safetensors was made with Lorabook's demo model, whose layers have no other names." in panel.status.text
    assert panel.main.disabled
    want(panel, naming="same", save_precision="fp16")
    assert panel.status.text == "Ready"


@pytest.mark.slow
def test_of_a_pickled_checkpoint_a_safetensors_file_is_made_and_other_panels_keep_their_file(panel, session, lora):
    inspect = InspectPanel(session)
    choose(panel, lora)
    old = lora.with_name("old.pt")
    torch.save({"a": torch.ones(3), "step": 7}, old)
    choose(panel, old)
    assert panel.status.text == "Ready" and "pickled checkpoint" in panel._now.value and not shown(panel.form.control("naming").view)
    assert inspect.file == str(lora) and panel.file == str(old)
    press(panel.main)
    finish(panel)
    made = lora.with_name("old.safetensors")
    assert list(load_file(made)) == ["a"] and "<th>Left out</th><td>step</td>" in panel.made.facts.value
    assert panel.file == str(old) and panel.status.text.startswith("Done: old.safetensors: 1 tensor.")
    choose(panel, lora)
    assert shown(panel.form.control("naming").view) and not shown(panel.made.view)


@pytest.mark.slow
def test_a_pickled_file_with_a_program_in_it_is_refused_by_name(panel, lora, tmp_path):
    class Program:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    bad = lora.with_name("bad.ckpt")
    torch.save({"a": Program()}, bad)
    choose(panel, bad)
    press(panel.main)
    finish(panel)
    assert panel.status.state == "attention" and "bad.ckpt holds more than tensors and is not opened" in panel.status.text
    assert not (tmp_path / "ran").exists() and not shown(panel.made.view)


@pytest.mark.parametrize(("content", "said"), [
    (None, "no file on this machine"), (b"<html></html>", "bad.safetensors is not a safetensors")])
def test_a_file_that_is_none_is_told_at_once(panel, lora, content, said):
    bad = lora.with_name("bad.safetensors")
    if content:
        bad.write_bytes(content)
    choose(panel, bad)
    assert panel.status.state == "blocked" and said in panel.status.text and panel.main.disabled and panel._now.value == ""


@pytest.mark.slow
def test_a_restart_brings_the_result_back(panel, lora):
    choose(panel, lora)
    want(panel, save_precision="bf16")
    press(panel.main)
    finish(panel)
    again = ConvertPanel(Session())
    assert again.file == str(lora) and again.form.present("save_precision") == "bf16"
    assert "mika-bf16.safetensors" in again.made.facts.value and "BF16" in again._compared.value


def test_names_that_a_file_has_already_are_nothing_to_do(panel, lora):
    choose(panel, lora)
    want(panel, naming="kohya")
    assert panel.status.text == "Ready as soon as something is to change: the layers have these names already." and panel.main.disabled
    want(panel, save_precision="bf16")
    assert panel.status.text == "Ready" and "mika-kohya.safetensors" in panel.form.control("save_to")._note.value


@pytest.mark.parametrize(("typed", "said"), [("x.pt", "x.pt does not end in .safetensors."), ("a name", "does not end in"),
                                             ("", "is a folder. Write the name of the new file behind it.")])
def test_a_place_that_the_tool_would_refuse_is_not_promised(panel, lora, typed, said):
    choose(panel, lora)
    want(panel, save_precision="fp16", save_to=str(lora.parent / typed))
    note = panel.form.control("save_to")._note.value
    assert said in note and said in panel.status.text and "Next to be written" not in note and panel.main.disabled


@pytest.mark.parametrize("of", [ConvertPanel, ResizePanel])
def test_the_root_of_the_disk_is_no_file_and_no_fault_of_lorabook(session, of):
    panel = of(session)
    choose(panel, "/")
    assert panel.main.disabled and "bug in Lorabook" not in panel.status.text and panel.save_as.place() == ""
    panel.close()
