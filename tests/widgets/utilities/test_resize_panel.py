"""Resize: sizes first, a pressed target is exactly what was told, and no file is written over."""

import pytest

from core.base.tensor_headers import read_header
from tests.widgets.utilities.conftest import choose, finish, press
from widgets.session import Session
from widgets.utilities.inspect import InspectPanel
from widgets.utilities.resize import ResizePanel


@pytest.fixture
def panel(session, lora):
    made = ResizePanel(session)
    choose(made, lora)
    yield made
    made.close()


def look(panel, targets="4\n2\nsv_fro=0.9"):
    panel.compared.control("targets").widget.value = targets
    press(panel.look)
    finish(panel)


def test_sizes_are_shown_and_nothing_is_written(panel, lora):
    look(panel)
    assert panel.status.text.startswith("Preview: sizes of mika.safetensors") and list(lora.parent.iterdir()) == [lora]
    rows = panel.sizes.rows
    assert [row[0] for row in rows] == ["rank 4", "rank 2", "sv_fro 0.9"]
    assert rows[0][2:4] == ["92 %", "0 %"]  # a layer that does nothing shrinks
    assert rows[0][4] == "100 %" and rows[0][6] == "none" and rows[1][5] == "1 to 2, mostly about 2" and "%" in rows[1][6]
    lost, kept = (float(word.removesuffix(" %")) / 100 for word in rows[2][3:5])  # the two measures agree
    assert kept >= 0.9 ** 2 and abs(kept + lost ** 2 - 1) < 0.01 and "98 % of the energy is" in panel._lost.value


@pytest.mark.slow
def test_a_pressed_target_gives_the_very_ranks_that_were_told(panel, lora):
    look(panel)
    told = panel._rows[2]
    panel.sizes._heard(panel.sizes, {"row": 2}, [])
    settings = panel.form.value()
    assert (settings.dynamic_method, settings.dynamic_param, settings.new_rank) == ("sv_fro", 0.9, told["highest_rank"])
    assert panel.sizes.chosen == 2
    press(panel.main)
    finish(panel)
    report = panel.job.status().report
    highest = max(layer["new_rank"] for layer in report["layers"])
    assert report["error"] == pytest.approx(told["error"]) and highest == told["highest_rank"]
    assert report["file"] in panel._made.facts.value and "Nothing is lost by the rank." in panel._made.map.value
    assert panel.sizes.rows and read_header(lora.with_name(report["file"].rsplit("/")[-1])).metadata["ss_network_dim"] == "Dynamic"
    panel.sizes._heard(panel.sizes, {"row": 1}, [])
    assert (panel.form.value().dynamic_method, panel.form.value().new_rank) == ("fixed", 2)
    press(panel.main)
    finish(panel)
    assert "Loses most: " in panel._made.map.value and panel._made.view.layout.display == ""


@pytest.mark.slow
def test_where_the_file_will_be_is_told_and_nothing_is_written_over(panel, lora):
    taken = lora.with_name("mika-r2.safetensors")
    taken.write_bytes(b"mine")
    panel.form.control("new_rank").widget.value = 2
    field = panel.form.control("save_to")
    assert panel.form.present("save_to") == "" and f"Next to be written: {lora.with_name('mika-r2-2.safetensors')}." in field._note.value
    field.widget.value = str(taken)
    assert f"{taken} is there already. Choose another name" in panel.status.text and panel.main.disabled and not panel.look.disabled
    field.widget.value = "C:\\loras\\mika.safetensors"
    assert "is a path of Windows on your own computer" in panel.status.text and panel.main.disabled
    field.widget.value = ""
    press(panel.main)
    finish(panel)
    assert read_header(lora.with_name("mika-r2-2.safetensors")).metadata["ss_network_dim"] == "2" and taken.read_bytes() == b"mine"
    assert panel.save_as.place() == str(lora.with_name("mika-r2-3.safetensors"))
    field.widget.value = str(lora.with_name("mine.safetensors"))
    press(panel.main)
    finish(panel)
    assert lora.with_name("mine.safetensors").is_file() and field.widget.value == "" and panel.status.state == "done"
    assert "is there already" not in field._note.value


@pytest.mark.parametrize(("name", "content", "said"), [
    ("notes.txt", b"hello", "notes.txt is not a safetensors file"), ("cut.safetensors", b"\xff" * 40, "cut.safetensors"),
    ("C:\\loras\\mika.safetensors", None, "is a path of Windows on your own computer")])
@pytest.mark.parametrize("kind", [ResizePanel, InspectPanel])
def test_a_file_that_is_none_is_told_before_anything_is_pressed(session, lora, kind, name, content, said):
    made = kind(session)
    path = lora.with_name(name) if content is not None else name
    if content is not None:
        path.write_bytes(content)
    choose(made, path)
    assert made.status.state == "blocked" and said in made.status.text and made.main.disabled
    assert said in made.form.control("file")._note.value
    choose(made, lora)
    assert made.status.text == "Ready" and "LoRA for Stable Diffusion 1.x" in made.form.control("file")._note.value
    made.close()


def test_wrong_targets_and_rules_are_sentences_and_start_nothing(panel):
    panel.compared.control("targets").widget.value = "many"
    press(panel.look)
    assert panel.status.state == "attention" and "'many' is no rank" in panel.status.text and panel.job is None
    panel.form.control("dynamic_method").widget.value = "sv_fro"
    press(panel.main)
    assert "sv_fro needs a share between 0 and 1" in panel.status.text and panel.job is None


@pytest.mark.slow
def test_another_file_takes_the_sizes_away_and_a_restart_brings_them_back(panel, lora):
    look(panel)
    again = ResizePanel(Session())
    assert again.file == str(lora) and [row[0] for row in again.sizes.rows] == ["rank 4", "rank 2", "sv_fro 0.9"]
    choose(panel, lora.with_name("other.safetensors"))
    assert panel.sizes.rows == []
