"""The panels of Trainer on real projects and run folders."""

import pytest
from PIL import Image

from core.base.jobs import append_event
from core.dataset.project import Project
from core.training.config.presets import load_settings
from core.training.run import Run
from widgets.session import Session
from widgets.training import PANELS
from widgets.training.check import TrainingCheckPanel
from widgets.training.choice import read_settings, settings_file
from widgets.training.evaluation import EvaluationPanel
from widgets.training.launch import TrainPanel
from widgets.training.monitor import MonitorPanel
from widgets.training.project import TrainerProjectPanel
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


def test_the_first_settings_come_from_a_preset_of_the_projects_family(session):
    panel = SettingsPanel(session)
    settings = panel.value()
    assert settings.model.family == "sd15" and settings.saving.output_name == "Small"
    assert settings.data.subsets[0].image_dir == str(session.training.project.images)
    assert panel.prompts.value == "mychar"


def test_a_change_is_saved_at_once_and_every_panel_reads_it(session):
    panel = SettingsPanel(session)
    panel.form.control("network.network_dim").widget.value = 24
    assert panel.status.text == "Done: saved."
    assert load_settings(settings_file(session.folder)).network.network_dim == 24
    assert SettingsPanel(session).form.control("network.network_dim").widget.value == 24


def test_a_wrong_value_is_told_not_saved_and_stops_the_launch(session):
    panel, train = SettingsPanel(session), TrainPanel(session)
    panel.form.control("network.network_dim").widget.value = 24
    panel.form.control("network.network_dim").widget.value = 0
    assert panel.status.text.startswith("Needs attention: Rank (network_dim) must be at least 1")
    assert read_settings(session).network.network_dim == 24
    train.refresh()
    assert train.main.disabled and "Rank" in train.main.tooltip
    panel.form.control("network.network_dim").widget.value = 8
    assert "Rank" not in (train.main.tooltip or "")


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


def test_the_check_names_the_missing_model(session):
    panel = TrainingCheckPanel(session)
    panel.main.click()
    assert "must be mended before training" in panel.status.text
    assert "No model is chosen" in panel._findings.value


def test_the_monitor_shows_figures_curves_and_samples_of_a_run(session, run):
    panel = MonitorPanel(session)
    assert panel.picker.chosen == run.id
    assert "4 of 4" in panel._facts.value and "2 of 2" in panel._facts.value
    assert [curve["label"] for curve in panel.chart.curves] == ["loss", "smoothed loss", "rate of unet"]
    assert panel.samples.columns == ["Epoch 1", "Epoch 2"] and panel.samples.rows == ["mychar"]
    assert panel.samples._load(panel.samples.pictures[0]["key"]).startswith(b"\x89PNG")


def test_a_run_that_was_killed_is_lost_in_every_panel(session, run):
    (run.folder / "supervisor.json").write_text('{"attempt": 1, "host": "", "mark": {"pid": 1, "started": "never"}}', encoding="utf-8")
    (run.folder / "log.txt").write_text("last words\n", encoding="utf-8")
    panel = MonitorPanel(session)
    assert panel.status.state == "attention" and "last words" in panel.log.text


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
    assert panel.status.text.startswith("Done: the report is ")
    assert (run.folder / "report.html").is_file()
    assert "report.html" in ReportPanel(session)._place.value


@pytest.mark.parametrize("name", PANELS.names())
def test_every_panel_can_be_made_with_and_without_a_project(session, name):
    for open_session in (Session(), session):
        panel = PANELS.load(name)(open_session, 1)
        assert panel.log.text == "" and panel.title and panel.purpose
