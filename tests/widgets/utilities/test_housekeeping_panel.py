"""Housekeeping: a look first, what costs nothing is ticked, a question before it goes, and nothing goes that was not shown."""

import pytest

from core.dataset.project import Project, folder_for
from core.training.config import TrainingSettings
from core.training.run import Run
from tests.widgets.utilities.conftest import finish, press
from widgets.session import Session
from widgets.utilities.housekeeping import HousekeepingPanel


@pytest.fixture
def cats(projects):
    project = Project.create(folder_for("Cats"), "Cats", trigger="mochi")
    (project.images / "a_0512x0512_sd.npz").write_bytes(b"x" * 3_000_000)
    project.rejected.mkdir(exist_ok=True)
    (project.rejected / "b.png").write_bytes(b"x" * 2048)
    return project


@pytest.fixture
def panel(cats):
    made = HousekeepingPanel(Session())
    yield made
    made.close()


def look(panel):
    press(panel.main)
    finish(panel)


def words(panel):
    """All that stands at the ticks."""
    found, left = [], list(panel._tick_box.children)
    while left:
        widget = left.pop()
        left += getattr(widget, "children", ())
        found.append(str(getattr(widget, "value", "")))
    return " ".join(found)


def test_it_looks_before_it_deletes(panel, cats):
    assert panel.status.text == "Ready" and panel.delete.disabled and "Look first" in panel.delete.tooltip
    look(panel)
    assert panel.status.text == "Preview: 2.9 MiB could be freed. Nothing is deleted yet."
    assert {name: tick.value for name, tick in panel._ticks.items()} == {"caches": True, "rejected": False}
    assert panel._ticks["rejected"].description == "Rejected pictures: 2 KiB in 1 file" and "cannot be restored" in words(panel)
    assert panel.delete.tooltip == "2.9 MiB in 1 file; it asks once more" and len(list(cats.images.iterdir())) == 1


@pytest.mark.slow
def test_what_would_go_is_told_by_name_and_many_names_are_folded(panel, cats):
    for number in range(8):
        (cats.images / f"{number}_0512x0512_sd.npz").write_bytes(b"x" * 1024)
    look(panel)
    assert "rejected/b.png (2 KiB)" in words(panel) and "images/7_0512x0512_sd.npz (1 KiB)" in words(panel)
    fold = next(inside for line in panel._tick_box.children for inside in getattr(line, "children", ()) if hasattr(inside, "children"))
    assert fold.children[0].description == "Show what these 9 files are" and fold.children[1].layout.display == "none"


def test_a_press_asks_and_deletes_nothing_before_the_second_press(panel, cats):
    look(panel)
    assert panel.confirm.view.layout.display == "none"
    panel._ticks["rejected"].value = True
    press(panel.delete)
    assert panel.confirm.yes.description == "Delete 2 files, 2.9 MiB" and panel.confirm.view.layout.display == ""
    assert "They cannot be restored any more" in panel.confirm._about.value and "Is lost for good" in panel.confirm._about.value
    assert panel.status.state == "blocked" and len(list(cats.rejected.iterdir())) == len(list(cats.images.iterdir())) == 1
    panel._ticks["rejected"].value = False  # another choice is another question
    assert panel.confirm.view.layout.display == "none" and panel.status.text.startswith("Preview: 2.9 MiB could be freed")
    press(panel.delete)
    press(panel.confirm.no)
    assert panel.confirm.view.layout.display == "none" and panel.status.text == "Done: everything is as it was."
    assert len(list(cats.images.iterdir())) == 1 and not panel.delete.disabled


def test_states_and_epochs_are_a_decision_of_their_own(panel, cats):
    run = Run.create(cats.folder, TrainingSettings(), "builtin")
    folder = run.checkpoints / f"{run.output_name}-000001-state"
    folder.mkdir(parents=True)
    (folder / "random_states_0.pkl").write_bytes(b"x")
    (folder / "train_state.json").write_text('{"current_step": 4, "current_epoch": 1}', encoding="utf-8")
    look(panel)
    assert not panel._ticks["last-states"].value and "These runs can then not be gone on with" in words(panel)
    assert f"{run.folder.name}/checkpoints/{folder.name}/" in words(panel)


def test_what_is_ticked_goes_and_is_named(panel, cats):
    look(panel)
    panel._ticks["caches"].value, panel._ticks["rejected"].value = False, True
    press(panel.delete)
    press(panel.confirm.yes)
    finish(panel)
    assert "2 KiB are free again: 1 file deleted" in panel.status.text and "Rejected pictures" in panel._gone.value
    assert list(cats.rejected.iterdir()) == [] and len(list(cats.images.iterdir())) == 1 and panel.delete.disabled


def test_what_came_after_the_look_stays_with_all_of_its_heap(panel, cats):
    look(panel)
    panel._ticks["rejected"].value = True
    press(panel.delete)
    (cats.images / "new_0512x0512_sd.npz").write_bytes(b"x")
    press(panel.confirm.yes)
    finish(panel)
    assert len(list(cats.images.iterdir())) == 2 and list(cats.rejected.iterdir()) == []
    assert panel.status.state == "blocked" and "1 stayed" in panel.status.text and "changed since it was shown" in panel._gone.value


def test_one_project_and_an_age_can_be_chosen_and_another_choice_takes_the_table_away(panel, cats, project):
    (project.images / "z_0512x0512_sd.npz").write_bytes(b"x")
    panel.refresh()
    assert [words for words, _ in panel.project.options] == ["all projects", "Cats", "Small"]
    panel.project.value = project.folder.name
    look(panel)
    assert {heap["project"] for heap in panel._heaps} == {"Small"}
    panel.form.control("days").widget.value = 5
    assert panel._heaps == [] and panel.delete.disabled and panel.status.text == "Ready"
    look(panel)
    assert panel.status.text == "Done: there is nothing that could be deleted." and panel.delete.disabled


def test_a_restarted_kernel_shows_the_last_look(panel, cats):
    look(panel)
    again = HousekeepingPanel(Session())
    assert set(again._ticks) == {"caches", "rejected"} and not again.delete.disabled
