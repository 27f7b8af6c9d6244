"""The calculator counts as one types; only its button changes the settings, which the form above then shows."""

from core.training.kept import read_kept
from widgets.session import Session
from widgets.training.calculator import CalculatorPanel
from widgets.training.settings import SettingsPanel


def write(panel, **values):
    for name, value in values.items():
        panel.form.control(name).widget.value = str(value)


def test_a_projects_own_numbers_stand_there_before_anything_is_typed(session):
    panel = CalculatorPanel(session)
    assert panel.status.text.startswith("Preview: 1,010 steps in 10 epochs") and "201" in panel._lines.value
    assert panel.form.control("images").widget.placeholder == "3" and panel.form.control("num_repeats").widget.placeholder == "67"
    assert panel.form.control("images").widget.continuous_update
    assert panel.main.disabled and "differs from the settings" in panel.main.tooltip


def test_it_counts_as_one_types_and_changes_nothing(session, project):
    panel = CalculatorPanel(session)
    write(panel, images="20", num_repeats="10", max_train_epochs="5", batch_size="4")
    assert panel.status.text == f"Preview: {panel.report.headline()}" and panel.report.plan.totals.steps == 250
    assert "20 × 10 = 200" in panel._lines.value and not panel.main.disabled
    assert not (project.folder / "training.toml").exists()
    write(panel, batch_size="")
    assert panel.report.plan.totals.steps == 500
    write(panel, batch_size="many")
    assert panel.status.text.startswith("Needs attention: Batch size must be a whole number")
    write(panel, batch_size="5")
    assert panel.report.plan.totals.steps == 200 and panel.status.text.startswith("Preview: ")


def test_a_way_to_a_target_comes_into_the_form_and_then_into_the_settings(session, project):
    form, panel = SettingsPanel(session), CalculatorPanel(session)
    panel.form.control("target").widget.value = "steps"
    assert "How much it is to come to is not said yet." in panel._notes.value and panel.ways.rows == []
    write(panel, goal="600")
    ways = [row[0] for row in panel.ways.rows]
    assert "6 epochs" in ways and panel.ways.head[-1] == "Beside the target" and "Time" in panel.ways.head
    panel._take_way(ways.index("6 epochs"))
    assert panel.form.control("max_train_epochs").widget.value == "6" and panel.report.plan.totals.steps in range(590, 611)
    assert not (project.folder / "training.toml").exists()
    panel.main.click()
    assert panel.status.text == "Done: Taken into the settings: Epochs 10 → 6."
    assert read_kept(project).schedule.max_train_epochs == 6 and panel.form.control("max_train_epochs").widget.value == ""
    assert panel.form.control("max_train_epochs").widget.placeholder == "6"
    form.refresh()
    assert form.form.value().schedule.max_train_epochs == 6


def test_without_a_project_everything_is_typed(projects):
    panel = CalculatorPanel(Session())
    assert panel.status.text.startswith("Ready as soon as it is typed how many pictures there are")
    write(panel, images="12, 8", num_repeats="10")
    assert panel.report.plan.totals.images == 200 and panel.main.disabled and "No project is open" in panel.main.tooltip


def test_settings_that_are_changed_elsewhere_count_at_once(session, project):
    form, panel = SettingsPanel(session), CalculatorPanel(session)
    form.form.control("data.num_repeats").widget.value = "5"
    assert panel.report.plan.totals.images == 15 and panel.form.control("num_repeats").widget.placeholder == "5"


def test_empty_all_brings_the_settings_numbers_back(session):
    panel = CalculatorPanel(session)
    before = panel.report.plan.totals
    write(panel, images="9", max_train_epochs="3")
    assert panel.report.plan.totals != before
    next(button for button, _, _ in panel._actions if button.description == "Empty all").click()
    assert panel.report.plan.totals == before
