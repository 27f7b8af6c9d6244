"""Inspect: the choice of a file, what is told of it, and that the map is read without colour."""

import pytest

from core.utilities.inspecting.told import energy_words
from tests.core.training.fakes import make_run
from tests.core.utilities.layers import layer, write
from tests.widgets.utilities.conftest import choose, finish, press
from widgets.session import Session
from widgets.utilities import showing
from widgets.utilities.inspect import InspectPanel
from widgets.utilities.resize import ResizePanel


@pytest.fixture
def panel(session, lora):
    made = InspectPanel(session)
    yield made
    made.close()


def shown(widget):
    return widget.layout.display != "none"


def test_without_a_project_it_says_what_to_do():
    panel = InspectPanel(Session())
    assert panel.status.text == "Ready as soon as a LoRA file is chosen." and panel.main.disabled
    assert [words for words, _ in panel.form.control("file").list.options] == ["choose a file"]


def test_finished_files_come_first_then_those_of_runs(panel, session, tmp_path):
    run = make_run(session.folder.parent)
    run.folder.rename(session.folder / "runs" / run.id)
    place = session.folder / "runs" / run.id / "checkpoints"
    place.mkdir(exist_ok=True)
    write(place / "mika-000001.safetensors", {"lora_unet_x": layer("linear")[0]})
    session.tell()
    words = [words for words, _ in panel.form.control("file").list.options]
    assert words[1:] == ["mika.safetensors (finished)", f"mika-000001.safetensors (run {run.id})"]


def test_everything_of_the_report_is_shown_and_what_is_dead_is_a_finding(panel, lora):
    choose(panel, lora)
    press(panel.main)
    finish(panel)
    assert panel.status.text.startswith("Done: mika.safetensors is a LoRA for Stable Diffusion 1.x, rank 4")
    assert panel.status.state == "blocked"
    assert "do nothing (1 of 6)" in panel._findings.value and "as strong as the middle one" in panel._findings.value
    for words in ("Stable Diffusion 1.x (by metadata)", "mika (probably: it stands at every picture)", "mika 12, smile 7", "F32"):
        assert words in panel._facts.value
    assert "<th scope=\"row\">ComfyUI</th><td>" in panel._programs.value
    assert [name for name, _ in panel.hashes.rows][:2] == ["AutoV3 (A1111, Forge, Civitai)", "AutoV2 (Civitai)"]
    assert len(panel.hashes.rows) == 6
    assert '<span class="lb-heat-place">1.0</span><b>' in panel._map.value and "Strongest: down 1.0 (" in panel._map.value
    assert [curve["label"] for curve in panel.chart.curves][:3] == ["all layers", "text encoders", "U-Net or transformer"]
    assert "<th>Epochs</th><td>10</td>" in panel._tables["Training settings"].value
    assert "down 1.0: 0 attn1_to_q" in panel._tables["Every layer"].value and not shown(panel.folds["Tensors of no layer"].view)


@pytest.mark.slow
def test_a_quick_look_shows_no_map_and_another_file_hides_what_stood_there(panel, lora):
    choose(panel, lora)
    for name in ("measured", "hashes"):
        panel.form.control(name).widget.value = False
    press(panel.main)
    finish(panel)
    assert shown(panel._shown) and not shown(panel._map_box) and not shown(panel._chart_box) and not shown(panel._hash_box)
    choose(panel, lora.with_name("other.safetensors"))
    assert not shown(panel._shown) and panel.main.disabled and "other.safetensors is no file on this machine" in panel.status.text


@pytest.mark.slow
def test_the_choice_is_one_for_all_panels_and_the_last_result_comes_back(panel, lora, session):
    other = ResizePanel(session)
    choose(panel, lora)
    assert other.file == str(lora) and not other.main.disabled
    press(panel.main)
    finish(panel)
    again = InspectPanel(Session())
    assert again.file == str(lora) and shown(again._shown) and "mika.safetensors is a LoRA" in again.status.text


def test_blocks_are_told_by_part_and_place():
    assert [showing.part_and_place(block) for block in ("text 2, layer 11", "down 1.0", "double 7", "other")] == [
        ("Text encoder 2", "11"), ("Down", "1.0"), ("Double", "7"), ("Other", "")]
    cells = [showing.Cell("down 0.0", 4.0, "4", "x"), showing.Cell("down 0.1", 1.0, "1", "x"),
             showing.Cell("up <b>", None, "not measured", "")]
    text = showing.heat_map(cells, "norm")
    assert "--lb-much: 70%" in text and "--lb-much: 35%" in text and "lb-heat-none" in text and "<b>not measured</b>" in text
    assert "up <b>" not in text
    assert [showing.share(value) for value in (0, 1e-8, 0.00123, 0.21)] == ["0 %", "0 %", "0.12 %", "21 %"]
    assert energy_words([0.5, 0.92, 1.0]) == "Of the update's energy are kept: 90 % at rank 2, 95 % at rank 3, 99 % at rank 3."
