"""The rename panel: nothing is renamed that was not shown, and it can be taken back."""

import time

from core.dataset.items import list_items
from tests.core.dataset.small_things import picture
from widgets.dataset.renaming import RenamePanel


def wait(panel, seconds=60.0):
    deadline = time.monotonic() + seconds
    while panel.status.state == "working" and time.monotonic() < deadline:
        time.sleep(0.05)
        panel.refresh()
    return panel.status.text


def names(project) -> list[str]:
    return [item.id for item in list_items(project)]


def press(panel, words):
    next(button for button, *_ in panel._actions if button.description.startswith(words)).click()
    return wait(panel)


def test_names_are_shown_then_given_then_taken_back(session, project):
    before = names(project)
    panel = RenamePanel(session)
    panel.form.control("name").widget.value = "cat"
    assert panel.apply.disabled and "preview" in panel.apply.tooltip
    assert press(panel, "Preview").startswith(
        f"Preview: would give {len(before)} of {len(before)} images another name. Nothing is renamed yet.")
    assert panel.changes.rows[0] == {"name": f"{before[0]} → cat_0001", "before": "", "after": ""} and names(project) == before
    assert panel.apply.description == f"Rename {len(before)} pictures"
    assert "renamed" in press(panel, "Rename")
    assert names(project) == [f"cat_{number:04}" for number in range(1, len(before) + 1)]
    assert "old names back" in press(panel, "Take back")
    assert names(project) == before


def test_a_preview_is_forgotten_when_a_field_changes_and_refused_when_the_pictures_do(session, project):
    panel = RenamePanel(session)
    press(panel, "Preview")
    panel.form.control("name").widget.value = "dog"
    assert panel.apply.disabled and panel.changes.total == 0
    press(panel, "Preview")
    picture(project.images / "000.png", colour=(9, 8, 7))
    assert "nothing was renamed" in press(panel, "Rename")
    assert "dog_0001" not in names(project)


def test_a_preview_of_fields_that_were_changed_while_it_was_made_is_not_shown(session, project, monkeypatch):
    panel = RenamePanel(session)
    plan = panel.plan

    def slowly(manager, settings):
        panel.form.control("name").widget.value = "dog"
        return plan(manager, settings)

    monkeypatch.setattr(panel, "plan", slowly)
    assert "changed meanwhile" in press(panel, "Preview")
    assert panel.apply.disabled and panel.changes.total == 0


def test_there_must_be_something_to_take_back(session):
    panel = RenamePanel(session)
    button = next(button for button, *_ in panel._actions if button.description.startswith("Take back"))
    assert button.disabled and button.tooltip == "No renaming can be taken back."
