"""The panels of Trainer on real projects and run folders."""

import asyncio
import os
import shutil

import pytest
from PIL import Image

from core.base.files import read_json
from core.base.jobs import append_event
from core.base.paths import DEMO_ASSETS
from core.dataset.project import Project
from core.training.run import Run
from tests.core.training.fake_trainer import write_state
from tests.core.training.test_base_models import LORA, SD15, SDXL, write_header
from widgets.session import Session
from widgets.training import PANELS
from widgets.training.check import TrainingCheckPanel
from widgets.training.choice import keep_settings, read_settings, settings_file
from widgets.training.evaluation import EvaluationPanel
from widgets.training.launch import TrainPanel
from widgets.training.monitor import MonitorPanel
from widgets.training.project import TrainerProjectPanel
from widgets.training.regularisation import RegularisationPanel
from widgets.training.report import ReportPanel
from widgets.training.settings import SettingsPanel, prompt_text


@pytest.fixture
def run(session, project) -> Run:
    """A run that was prepared and has the events of two epochs, as a trainer writes them."""
    run = Run.create(project.folder, read_settings(session), "builtin")
    run.note("launch", attempt=1, backend="builtin", resumed_from=0)
    run.note("start", total_steps=4, epochs=2, images=3, batches=2, buckets=1)
    for step in range(1, 5):
        append_event(run.folder, "step", step=step, epoch=(step + 1) // 2, loss=1 / step, average_loss=1 / step, lr={"unet": 1e-4},
                     seconds=0.5)
    for epoch in (1, 2):
        path = run.folder / "samples" / f"{epoch}.png"
        Image.new("RGB", (64, 64), "red").save(path)
        run.note("sample", path=str(path), step=epoch * 2, epoch=epoch, prompt="mychar", seed=42)
    return run


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def said_of_model(panel):
    return panel.model.view.children[2].value


def test_the_first_settings_come_from_a_preset_of_the_projects_family(session):
    panel = SettingsPanel(session)
    settings = panel.value()
    assert settings.model.family == "sd15" and settings.saving.output_name == "Small"
    assert settings.data.subsets[0].image_dir == str(session.training.project.images)
    assert panel.prompts.value == "mychar"


def test_sample_prompts_are_proposed_from_the_usual_tags_of_the_captions_and_can_be_changed(session):
    for name, more in (("1", "1girl, blue hair"), ("2", "1girl, Blue_hair"), ("3", "1girl")):
        (session.folder / "images" / f"{name}.txt").write_text(f"mychar, {more}", encoding="utf-8")
    panel = SettingsPanel(session)
    assert panel.prompts.value.splitlines() == ["mychar, 1girl, blue hair", "mychar"]
    assert len(read_settings(session).sampling.sample_prompts) == 2
    panel.prompts.value = "mychar, hat"
    (session.folder / "images" / "3.txt").write_text("mychar, 1girl, blue hair, hat", encoding="utf-8")
    panel.refresh()
    assert SettingsPanel(session).prompts.value == "mychar, hat"


def test_the_model_is_chosen_from_a_list_and_what_it_is_stands_at_its_field(session, models):
    write_header(models / "sd_xl.safetensors", SDXL)
    panel = SettingsPanel(session)
    assert [label for label, _ in panel.model.list.options] == ["choose one", "sd_xl.safetensors", "Demo model (tiny, for trying out)"]
    assert "No model is chosen yet." in said_of_model(panel)
    panel.model.list.value = str(models / "sd_xl.safetensors")
    assert read_settings(session).model.pretrained_model_name_or_path == str(models / "sd_xl.safetensors")
    assert "Needs attention: sd_xl.safetensors is made for SDXL, but the settings are for" in said_of_model(panel)
    panel.preset.value = "sdxl_style"
    panel.main.click()
    assert "sd_xl.safetensors is made for SDXL." in said_of_model(panel) and "Needs attention" not in said_of_model(panel)
    assert panel.model.list.label == "sd_xl.safetensors" and SettingsPanel(session).model.list.label == "sd_xl.safetensors"


def test_a_path_may_be_typed_and_one_that_does_not_exist_is_told_but_kept(session, models):
    panel = SettingsPanel(session)
    panel.model.widget.value = str(models / "gone.safetensors")
    assert f"Needs attention: There is no {models}/gone.safetensors." in said_of_model(panel)
    assert read_settings(session).model.pretrained_model_name_or_path == str(models / "gone.safetensors")
    write_header(models / "gone.safetensors", SD15)
    panel.refresh()
    assert "gone.safetensors is made for Stable Diffusion 1.5." in said_of_model(panel)


def test_what_the_model_is_stands_at_its_field_also_while_another_value_is_wrong(session, models):
    panel = SettingsPanel(session)
    panel.form.control("network.network_dim").widget.value = 0
    panel.model.widget.value = str(models / "gone.safetensors")
    assert f"There is no {models}/gone.safetensors." in said_of_model(panel) and "Rank" in panel.status.text


def test_a_model_that_was_fetched_meanwhile_is_offered_after_another_look(session, models):
    panel = SettingsPanel(session)
    write_header(models / "new.safetensors", SD15)
    panel.look_again.click()
    assert "new.safetensors" in [label for label, _ in panel.model.list.options]
    assert panel.status.text == f"Done: 1 model lies in {models}."


def test_the_demo_model_brings_its_preset_along(session, models):
    panel = SettingsPanel(session)
    panel.preset.value = "sd15_style"
    assert "Demo" not in [label for label, _ in panel.preset.options]
    panel.model.list.value = str(DEMO_ASSETS / "model")
    assert "Use the preset Demo with it." in said_of_model(panel)
    assert "Demo" in [label for label, _ in panel.preset.options] and panel.preset.value == "sd15_style"


def test_the_settings_begin_with_the_model_and_the_rest_is_folded(session):
    panel = SettingsPanel(session)
    assert "choose the model, then Check. Everything else may stay as it is." in panel._calm.value
    assert [fold.description for fold in panel.form.folds][:3] == ["Show Dataset", "Show LoRA", "Show Optimizer"]
    assert panel.form.section_box("model").layout.display != "none" and panel.form.section_box("data").layout.display == "none"


def test_a_change_is_saved_at_once_and_every_panel_reads_it(session):
    panel = SettingsPanel(session)
    panel.form.control("network.network_dim").widget.value = 24
    assert panel.status.text == "Done: saved."
    assert "network_dim = 24" in settings_file(session.folder).read_text()
    assert SettingsPanel(session).form.control("network.network_dim").widget.value == 24


def test_a_wrong_value_is_told_not_saved_and_stops_the_launch(session):
    panel, train = SettingsPanel(session), TrainPanel(session)
    panel.form.control("network.network_dim").widget.value = 24
    panel.form.control("network.network_dim").widget.value = 0
    assert panel.status.text.startswith("Needs attention: Rank must be at least 1")
    assert read_settings(session).network.network_dim == 24
    train.refresh()
    assert train.main.disabled and "Rank" in train.main.tooltip
    panel.form.control("network.network_dim").widget.value = 8
    assert "Rank" not in (train.main.tooltip or "")


def test_why_a_training_did_not_start_is_told_until_the_settings_change(session, models):
    settings, train = SettingsPanel(session), TrainPanel(session)
    train.main.click()
    assert train.status.state == "attention" and "No model is chosen" in train.status.text
    train.refresh()
    assert "No model is chosen" in train.status.text
    settings.model.list.value = settings.model.list.options[-1][1]
    assert train.status.state != "attention"


def test_prompts_that_were_emptied_stay_empty_whatever_is_pressed_after(session):
    panel = SettingsPanel(session)
    assert panel.prompts.value == "mychar"
    panel.prompts.value = ""
    panel.main.click()
    assert panel.prompts.value == "" and read_settings(session).sampling.sample_prompts == []
    assert session.training.configure(read_settings(session)).sampling.sample_prompts == []


def test_a_preset_leaves_model_name_and_prompts_alone(session):
    panel = SettingsPanel(session)
    panel.form.control("model.pretrained_model_name_or_path").widget.value = "/models/my.safetensors"
    panel.form.control("saving.output_name").widget.value = "mine"
    panel.prompts.value = "mychar, hat\nmychar --n bad"
    panel.preset.value = "sdxl_style"
    panel.main.click()
    settings = read_settings(session)
    assert settings.model.family == "sdxl"
    assert settings.model.pretrained_model_name_or_path == "/models/my.safetensors" and settings.saving.output_name == "mine"
    assert [prompt_text(prompt) for prompt in settings.sampling.sample_prompts] == ["mychar, hat", "mychar --n bad"]


def test_repeats_and_steps_follow_the_pictures_at_each_look(session):
    panel = SettingsPanel(session)
    panel.form.control("network.network_dim").widget.value = 24
    assert "3 × 67 = 201 in one epoch. Steps: about 101 in one epoch, 1010 in all (10 epochs)." in panel._length.value
    for number in range(4, 101):
        Image.new("RGB", (64, 64)).save(session.folder / "images" / f"{number}.png")
    panel.refresh()
    assert "100 × 2 = 200 in one epoch. Steps: about 100 in one epoch, 1000 in all (10 epochs)." in panel._length.value
    assert panel.form.control("data.num_repeats").widget.placeholder == "fitted to the pictures: 2"
    assert read_settings(session).data.subsets[0].num_repeats == 2


def test_repeats_can_be_chosen_in_the_form_and_left_to_the_pictures_again(session):
    panel = SettingsPanel(session)
    repeats = panel.form.control("data.num_repeats").widget
    assert repeats.value == ""
    repeats.value = "10"
    assert read_settings(session).data.subsets[0].num_repeats == 10 and "3 × 10 = 30" in panel._length.value
    panel.preset.value = "sdxl_style"
    panel.main.click()
    assert read_settings(session).data.subsets[0].num_repeats == 10 and repeats.value == "10"
    repeats.value = "0"
    assert panel.status.text.startswith("Needs attention: Repeats must be at least 1")
    repeats.value = ""
    assert read_settings(session).data.subsets[0].num_repeats == 67


def test_a_copied_project_trains_on_its_own_pictures(session, tmp_path):
    keep_settings(session, read_settings(session))
    copy = tmp_path / "projects" / "Copy"
    shutil.copytree(session.folder, copy)
    other = Session()
    other.open(copy)
    assert [subset.image_dir for subset in read_settings(other).data.subsets] == [str(copy / "images")]


def test_the_check_names_the_missing_model(session):
    panel = TrainingCheckPanel(session)
    panel.main.click()
    assert "must be mended before training" in panel.status.text and panel.status.state == "attention"
    assert "No model is chosen" in panel._findings.value and "pretrained_model_name_or_path" not in panel._findings.value
    assert panel._findings.value.count("Must be mended") == 1


def test_the_monitor_shows_figures_curves_and_samples_of_a_run(session, run):
    panel = MonitorPanel(session)
    assert panel.picker.chosen == run.id
    assert "4 of 4" in panel._facts.value and "2 of 2" in panel._facts.value
    assert [curve["label"] for curve in panel.chart.curves] == ["loss", "smoothed loss", "rate of U-Net"]
    assert panel.samples.columns == ["Epoch 1", "Epoch 2"] and panel.samples.rows == ["mychar"]
    assert panel.samples._load(panel.samples.pictures[0]["key"]).startswith(b"\x89PNG")


def test_a_run_that_was_killed_is_lost_in_every_panel(session, run):
    (run.folder / "supervisor.json").write_text('{"attempt": 1, "host": "", "mark": {"pid": 1, "started": "never"}}', encoding="utf-8")
    (run.folder / "log.txt").write_text("last words\n", encoding="utf-8")
    panel = MonitorPanel(session)
    panel.run_log.view.opened = True
    assert panel.status.state == "attention" and ["info", "last words"] in panel.run_log.view.lines


def test_running_the_project_cell_again_opens_what_was_handed_over_since(tmp_path, project):
    memory = tmp_path / "present"
    session = Session(memory)
    session.open(project.folder)
    other = Project.create(tmp_path / "second", "second")
    memory.write_text(str(other.folder))
    TrainerProjectPanel(session)
    assert session.folder == other.folder


def test_without_runs_the_panels_say_what_to_do(session):
    assert "Start one in the Train panel" in MonitorPanel(session).status.text
    for panel in (EvaluationPanel(session), ReportPanel(session)):
        assert panel.main.disabled and "Train first" in panel.main.tooltip


def test_the_report_is_written_and_found_again(session, run):
    panel = ReportPanel(session)
    panel.main.click()
    assert panel.status.text.startswith(f"Done: the report of {run.id} is ")
    assert (run.folder / "report.html").is_file()
    found = ReportPanel(session)
    assert "report.html" in found._place.value and found.page.name == f"{run.id}.html"
    sent = []
    found.page.send = lambda content, buffers=None: sent.append((content, buffers))
    found.page._asked(found.page, {"want": "open"}, [])
    assert sent == [({"page": "open", "there": True}, [(run.folder / "report.html").read_bytes()])]
    (run.folder / "report.html").unlink()
    found.page._asked(found.page, {"want": "download"}, [])
    assert sent[-1] == ({"page": "download", "there": False}, [b""])


def test_before_a_lora_is_finished_the_report_panel_tells_where_those_of_the_run_lie(session, run):
    assert "There are none yet.</p>" in ReportPanel(session)._files.value
    write_header(run.checkpoints / "Small-000001.safetensors", LORA)
    assert f"There are none yet. What this run has saved so far lies in {run.checkpoints}.</p>" in ReportPanel(session)._files.value


def test_without_a_report_there_is_nothing_to_open(session, run):
    assert ReportPanel(session).page.name == ""


def ended(run, state, **values):
    (run.folder / "supervisor.json").write_text('{"attempt": 1, "host": "", "mark": {"pid": 1, "started": "never"}}', encoding="utf-8")
    run.note("end", attempt=1, state=state, **values)


def test_after_a_stop_the_panel_says_what_is_kept_and_from_where_it_goes_on(session, run):
    ended(run, "cancelled", message="The last saved LoRA is Small-000001.safetensors. It can go on from step 2.")
    write_state(run.checkpoints / "Small-000001-state", 2)
    panel = TrainPanel(session)
    panel._look()
    assert panel.status.text.startswith("Done: stopped at step 4. The last saved LoRA is Small-000001")
    assert panel._go_on.description == "Go on from step 2" and not panel._go_on.disabled


def test_after_a_stop_both_panels_name_the_kept_file_and_what_can_be_done_with_it(session, run):
    ended(run, "cancelled", message="The last saved LoRA is Small-000001.safetensors. It can go on from step 2.")
    kept = write_header(run.checkpoints / "Small-000001.safetensors", LORA)
    train = TrainPanel(session)
    train._look()
    words = f"Done: stopped at step 4. The last saved LoRA is {kept}; you can use it as it is."
    assert train.status.text == f"{words} The run {run.id} saved no state to go on from."
    write_state(run.checkpoints / "Small-000001-state", 2)
    train, monitor = TrainPanel(session), MonitorPanel(session)
    train._look()
    for panel in (train, monitor):
        assert panel.status.text == f"{words} To train on, press \"Go on from step 2\" in the Train panel."
    assert "Small-000001.safetensors" in monitor._facts.value and f"<td>{kept.parent}</td>" in monitor._facts.value


def test_a_run_that_has_ended_is_looked_at_once_and_leaves_the_kernel_at_rest(session, run):
    ended(run, "cancelled", message="The last saved LoRA is Small-000001.safetensors.")

    async def show() -> tuple[TrainPanel, int]:
        told = []
        panel = TrainPanel(session)
        session.subscribe(lambda: told.append(1))
        await asyncio.sleep(0.5)
        panel.close()
        return panel, len(told)

    panel, told = asyncio.run(show())
    assert panel.status.text == "Done: stopped at step 4. The last saved LoRA is Small-000001.safetensors."
    assert told <= 2


def test_a_run_without_a_state_says_why_it_cannot_go_on(session, run):
    ended(run, "cancelled", message="It had saved no LoRA yet. There is no saved state to go on from.")
    panel = TrainPanel(session)
    assert panel._go_on.disabled and "saved no state to go on from. It ended before the first one." in panel._go_on.tooltip
    assert panel._go_on.description == "Go on with the last run"


def test_a_run_whose_settings_cannot_be_read_says_why_it_cannot_go_on_and_the_panel_works(session, run):
    """Written by another version of Lorabook, for example."""
    ended(run, "cancelled", message="It had saved no LoRA yet.")
    (run.folder / "settings.toml").write_text("[model]\nfrom_the_future = 1\n", encoding="utf-8")
    panel = TrainPanel(session)
    panel.refresh()
    assert panel._go_on.disabled and "from_the_future" in panel._go_on.tooltip
    assert panel.log.text == "" and "from_the_future" not in panel.status.text


def test_a_sample_that_a_resumed_run_draws_again_is_shown_anew(session, run):
    panel = MonitorPanel(session)
    before = panel.samples.pictures[1]
    path = run.folder / "samples" / "2.png"
    Image.new("RGB", (64, 64), "blue").save(path)
    os.utime(path, ns=(10**18, 10**18))
    panel.refresh()
    after = panel.samples.pictures[1]
    assert after["key"] != before["key"] and after["label"] == before["label"]
    assert panel.samples._load(after["key"]) == path.read_bytes()


def drawn(session, count=3):
    folder = session.folder / "regularisation"
    folder.mkdir()
    for number in range(count):
        Image.new("RGB", (64, 64), "green").save(folder / f"reg_{number}.png")
        (folder / f"reg_{number}.txt").write_text("1girl, standing")
    return folder


def test_regularisation_pictures_take_part_in_the_training_only_when_they_are_ticked(session):
    keep_settings(session, read_settings(session).with_values(model={"pretrained_model_name_or_path": "/models/x.safetensors"}))
    assert RegularisationPanel(session)._box.layout.display == "none"
    folder = drawn(session)
    panel = RegularisationPanel(session)
    assert panel.grid.rows == ["3 pictures"] and panel.grid.columns == ["1girl, standing"] * 3 and not panel.use.value
    panel.use.value = True
    own, ours = read_settings(session).data.subsets
    assert ours.is_reg and ours.image_dir == str(folder) and not own.is_reg
    assert RegularisationPanel(session).use.value
    settings = SettingsPanel(session)
    settings.form.control("network.network_dim").widget.value = 24
    assert len(read_settings(session).data.subsets) == 2
    panel.use.value = False
    assert read_settings(session).data.subsets == [own] and read_settings(session).network.network_dim == 24


def test_regularisation_pictures_are_drawn_in_a_job_with_model_and_size_of_the_settings(session):
    panel = RegularisationPanel(session)
    assert panel.status.text == "Ready"
    panel.main.click()
    assert "No model is chosen. Choose it" in panel.status.text
    keep_settings(session, read_settings(session).with_values(model={"pretrained_model_name_or_path": "/models/x.safetensors"},
                                                              data={"resolution": 640}))
    panel.main.click()
    assert "Write at least one" in panel.status.text and panel.job is None
    panel.form.control("prompts").widget.value = "1girl, standing\nmychar, standing"
    panel.main.click()
    assert "'mychar, standing' has the trigger word 'mychar' in it" in panel.status.text and panel.job is None
    panel.form.control("prompts").widget.value = "1girl, standing\n1boy"
    panel.count.value = 2
    keep_settings(session, read_settings(session).with_values(model={"vae": "/models/v.safetensors", "no_half_vae": True, "clip_skip": 2}))
    panel.main.click()
    order = read_json(panel.job.folder / "settings.json")
    panel.job.cancel(grace=20)
    assert order["stage"] == "regularise" and order["settings"]["prompts"] == ["1girl, standing"] * 2 + ["1boy"] * 2
    assert [order["settings"][name] for name in ("vae", "no_half_vae", "clip_skip")] == ["/models/v.safetensors", True, 2]
    assert order["settings"]["model"] == "/models/x.safetensors" and (order["settings"]["width"], order["settings"]["height"]) == (640, 640)


def test_a_regularisation_caption_that_is_not_utf8_is_told_in_its_place(session):
    folder = drawn(session)
    (folder / "reg_1.txt").write_bytes("caf\xe9".encode("latin-1"))
    panel = RegularisationPanel(session)
    assert panel.grid.columns[0] == "1girl, standing" and "reg_1.txt is not UTF-8" in panel.grid.columns[1]
    assert panel.status.text == "Ready"


def test_what_a_trainer_lacks_is_shown_as_text(session, monkeypatch):
    monkeypatch.setenv("SD_SCRIPTS_DIR", "/no/<b>such</b>")
    panel = TrainPanel(session)
    panel.backend.value = "sd-scripts"
    assert "/no/&lt;b&gt;such&lt;/b&gt;" in panel._note.value


@pytest.mark.parametrize("name", PANELS.names())
def test_every_panel_can_be_made_with_and_without_a_project(session, name):
    for open_session in (Session(), session):
        panel = PANELS.load(name)(open_session, 1)
        assert panel.log.text == "" and panel.title and panel.purpose
