"""Housekeeping: a look first, what costs nothing is ticked, and nothing goes that was not shown."""

import pytest

from core.dataset.project import Project, folder_for
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


def test_it_looks_before_it_deletes(panel, cats):
    assert panel.status.text == "Ready" and panel.delete.disabled and "Look first" in panel.delete.tooltip
    look(panel)
    assert panel.status.text == "Preview: 2.9 MiB could be freed. Nothing is deleted yet."
    assert {name: tick.value for name, tick in panel._ticks.items()} == {"caches": True, "rejected": False}
    assert panel._ticks["rejected"].description == "Rejected pictures: 2 KiB in 1 file" and "cannot be restored" in panel._table.value
    assert panel.delete.tooltip == "2.9 MiB in 1 file; for good" and len(list(cats.images.iterdir())) == 1


def test_what_is_ticked_goes_and_is_named(panel, cats):
    look(panel)
    panel._ticks["caches"].value, panel._ticks["rejected"].value = False, True
    press(panel.delete)
    finish(panel)
    assert "2 KiB are free again: 1 file deleted" in panel.status.text and "Rejected pictures" in panel._gone.value
    assert list(cats.rejected.iterdir()) == [] and len(list(cats.images.iterdir())) == 1 and panel.delete.disabled


def test_what_came_after_the_look_stays_with_all_of_its_heap(panel, cats):
    look(panel)
    panel._ticks["rejected"].value = True
    (cats.images / "new_0512x0512_sd.npz").write_bytes(b"x")
    press(panel.delete)
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
