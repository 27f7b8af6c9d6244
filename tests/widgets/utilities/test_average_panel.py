"""Average: the project's runs are offered, the later half of one is ticked, and the file is the mean of the updates that are ticked."""

import pytest
from safetensors.torch import load_file

from tests.core.training.fakes import make_run
from tests.core.utilities.layers import layer, update_of, write
from tests.widgets.utilities.conftest import finish, press
from widgets.session import Session
from widgets.utilities.average import AveragePanel

LAYER = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"


@pytest.fixture
def run(session):
    """A run of four checkpoints in the open project."""
    made = make_run(session.folder.parent)
    place = session.folder / "runs" / made.id
    made.folder.rename(place)
    for number, name in enumerate(("mika-000001", "mika-000002", "mika-000010", "mika"), 1):
        write(place / "checkpoints" / f"{name}.safetensors", {LAYER: layer("linear", number)[0]}, {"ss_base_model_version": "sd_v1"})
    return type(made)(place)


@pytest.fixture
def panel(session, run):
    made = AveragePanel(session)
    yield made
    made.close()


def choose(panel, place):
    panel.run_folder.widget.value = str(place)


def ticked(panel):
    return [path.rsplit("/")[-1] for path in panel.chosen()]


def test_runs_are_offered_and_the_later_half_is_ticked(panel, run):
    assert panel.status.text == "Ready as soon as a run is chosen." and panel.main.disabled
    assert [words for words, _ in panel.run_folder.list.options] == ["choose a run", f"{run.id} (4 LoRA files)"]
    choose(panel, run.checkpoints)
    assert [tick.description for tick in panel.ticks.values()] == [
        "mika-000001.safetensors", "mika-000002.safetensors", "mika-000010.safetensors", "mika.safetensors"]
    assert ticked(panel) == ["mika-000010.safetensors", "mika.safetensors"] and panel.status.text == "Ready"
    assert "4 checkpoints: LoRA for Stable Diffusion 1.x, rank 4" in panel.run_folder._note.value
    next(reversed(panel.ticks.values())).value = False
    assert panel.status.text == "Ready as soon as two checkpoints are ticked." and panel.main.disabled


def test_what_is_ticked_is_averaged_into_the_projects_finished_files(panel, run, session):
    choose(panel, run.checkpoints)
    assert panel.form.present("save_to") == ""
    place = session.folder / "output" / f"{run.output_name}-mean.safetensors"
    assert f"Next to be written: {place}." in panel.form.control("save_to")._note.value
    press(panel.main)
    finish(panel)
    made = session.folder / "output" / f"{run.output_name}-mean.safetensors"
    parts = [update_of(load_file(file), LAYER) for file in panel.chosen()]
    best = update_of(load_file(made), LAYER)
    report = panel.job.status().report
    off = float((best - sum(parts) / 2).norm() / (sum(parts) / 2).norm())
    assert report["error"] == pytest.approx(off, rel=1e-3) and 0 < off < 0.9
    assert "50 % mika-000010.safetensors, 50 % mika.safetensors" in panel.made.facts.value and "Loses most" not in panel.made.map.value
    assert panel.save_as.place().endswith("-mean-2.safetensors")  # the next one does not stand in its way


def test_what_was_made_of_checkpoints_and_lies_beside_them_is_none_of_them(panel, run):
    write(run.checkpoints / "mika-mean.safetensors", {LAYER: layer("linear", 9)[0]}, {"ss_base_model_version": "sd_v1"})
    choose(panel, run.checkpoints)
    assert len(panel.ticks) == 4 and "1 file beside them of another name" in panel.run_folder._note.value


def test_a_moving_average_has_a_name_of_its_own_and_a_name_that_was_typed_stays(panel, run):
    choose(panel, run.checkpoints)
    panel.form.control("average_method").widget.value = "ema"
    assert panel.save_as.place().endswith("-ema.safetensors") and panel.form.present("save_to") == ""
    panel.form.control("save_to").widget.value = "/tmp/mine.safetensors"
    panel.form.control("average_method").widget.value = "mean"
    assert panel.form.present("save_to") == panel.save_as.place() == "/tmp/mine.safetensors"


def test_folders_without_two_checkpoints_and_those_of_two_models_are_told_at_once(panel, run, tmp_path):
    choose(panel, tmp_path / "nowhere")
    assert panel.status.text.startswith(f"Needs attention: {tmp_path / 'nowhere'} is no folder on this machine.")
    (tmp_path / "empty").mkdir()
    choose(panel, tmp_path / "empty")
    assert "empty has no LoRA files" in panel.status.text and panel.main.disabled and not panel.ticks
    write(tmp_path / "empty" / "one.safetensors", {LAYER: layer("linear", 9)[0]})
    panel.session.tell()
    assert "an average needs two" in panel.status.text and panel.main.disabled
    write(run.checkpoints / "mika-000011.safetensors", {LAYER: layer("linear", 9)[0]}, {"ss_base_model_version": "sdxl_base_v1-0"})
    choose(panel, run.checkpoints)
    assert "their layers belong to different models" in panel.status.text and panel.main.disabled


def test_checkpoints_that_come_meanwhile_are_shown_and_the_choice_stays(panel, run, session):
    choose(panel, run.checkpoints)
    panel.ticks[str(run.checkpoints / "mika-000001.safetensors")].value = True
    write(run.checkpoints / "mika-000012.safetensors", {LAYER: layer("linear", 9)[0]}, {"ss_base_model_version": "sd_v1"})
    session.tell()
    assert len(panel.ticks) == 5 and "mika-000001.safetensors" in ticked(panel)


@pytest.mark.slow
def test_a_restart_brings_run_ticks_and_result_back_and_another_run_hides_it(panel, run, tmp_path, session):
    choose(panel, run.checkpoints)
    next(iter(panel.ticks.values())).value = True
    press(panel.main)
    finish(panel)
    again = AveragePanel(Session())
    assert ticked(again) == ["mika-000001.safetensors", "mika-000010.safetensors", "mika.safetensors"]
    assert "33.3 % mika.safetensors" in again.made.facts.value and "-mean.safetensors" in again.status.text
    next(iter(again.ticks.values())).value = False
    assert again.made.view.layout.display == "none" and again.status.text == "Ready"
