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
    assert panel.status.text == f"Preview: {panel.report.headline()} {panel.report.own_words()}" and panel.report.plan.totals.steps == 250
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
    assert "6 epochs" in ways and panel.ways.head[-1] == "Compared with the target" and "Time" in panel.ways.head
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


def button(panel, words):
    return next(found for found, _, _ in panel._actions if found.description == words)


def test_that_the_project_has_other_pictures_is_said_before_and_after_numbers_are_taken(session, project):
    panel = CalculatorPanel(session)
    write(panel, images="20", num_repeats="10", max_train_epochs="30", batch_size="2")
    own = panel.report.own_words()
    assert own.startswith("With your project's own 3 pictures these numbers give 450 steps in 30 epochs")
    assert panel.status.text == f"Preview: {panel.report.headline()} {own}" and panel.main.tooltip == own
    panel.main.click()
    assert panel.status.text.startswith("Done: Taken into the settings: ") and panel.status.text.endswith(own)
    write(panel, images="")
    assert panel.report.plan.totals.steps == 450


def test_what_was_taken_is_taken_back_with_one_press_also_by_a_restarted_kernel(session, project):
    panel = CalculatorPanel(session)
    assert button(panel, "Take back").disabled
    write(panel, max_train_epochs="3", num_repeats="7")
    panel.main.click()
    again = CalculatorPanel(session)
    button(again, "Take back").click()
    assert again.status.text == "Done: The former numbers are back: Repeats 7 → 67 and Epochs 3 → 10."
    assert read_kept(project).schedule.max_train_epochs == 10 and button(again, "Take back").disabled
    form = SettingsPanel(session)
    write(panel, max_train_epochs="3")
    panel.main.click()
    form.form.control("data.num_repeats").widget.value = "5"
    panel.refresh()
    assert button(panel, "Take back").disabled and "changed since" in button(panel, "Take back").tooltip


def test_whole_numbers_stand_there_without_a_point(session):
    panel = CalculatorPanel(session)
    panel.form.control("target").widget.value = "steps"
    write(panel, goal="1500.0")
    panel._take_way(0)
    assert panel.form.control("goal").widget.value == "1500"


def test_the_way_that_stands_there_is_marked_and_not_offered_twice(session):
    panel = CalculatorPanel(session)
    write(panel, images="20", num_repeats="10", max_train_epochs="30", batch_size="2", goal="3000")
    panel.form.control("target").widget.value = "steps"
    assert [row[0] for row in panel.ways.rows] == ["30 epochs, as it is", "3,000 steps instead of epochs"] and panel.ways.chosen == 0
