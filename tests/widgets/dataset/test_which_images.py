"""Which pictures the Tag, Caption and Bulk edit panels work on: the gallery's selection and filter, and those without a caption."""

import pytest

from core.base.jobs import Job
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.operations import AddLast
from widgets.dataset.describing import CaptionPanel
from widgets.dataset.editing import EditPanel
from widgets.dataset.gallery import GalleryPanel
from widgets.dataset.tagging import TaggingPanel


@pytest.fixture
def gallery(session):
    made = session.panels["gallery"] = GalleryPanel(session)
    yield made
    made.close()


@pytest.fixture(params=[TaggingPanel, CaptionPanel])
def panel(session, request):
    made = session.panels[request.param.name] = request.param(session)
    yield made
    made.close()


def select(gallery, *rows):
    ranges = [[row, row + 1] for row in rows]
    gallery.gallery._heard(gallery.gallery, {"kind": "select", "version": gallery.shelf.view.version, "ranges": ranges}, [])


def look_for(gallery, text):
    gallery.gallery._heard(gallery.gallery, {"kind": "filter", "text": text, "sort": "name"}, [])


def words(panel) -> list[str]:
    return [label for label, _ in panel.which.list.options]


def chosen(panel):
    settings = panel.which.put_into(panel.form.value())
    return settings.which, settings.ids


def test_the_numbers_follow_the_gallery_and_the_choice_stays(gallery, panel):
    assert words(panel) == ["All", "Without a caption", "Selected in the gallery (0)", "Shown in the gallery (3)"]
    panel.which.list.value = "selected"
    select(gallery, 0, 2)
    assert "Selected in the gallery (2)" in words(panel) and panel.which.list.value == "selected"
    look_for(gallery, "green_background")
    assert words(panel)[2:] == ["Selected in the gallery (0)", "Shown in the gallery (1, filter: green_background)"]
    assert panel.which.list.value == "selected"


def test_each_choice_becomes_the_settings_of_the_job(gallery, panel):
    assert chosen(panel) == ("all", ())
    panel.which.list.value = "missing"
    assert chosen(panel) == ("missing", ())
    panel.which.list.value = "selected"
    select(gallery, 0, 2)
    assert chosen(panel) == ("all", ("1", "3"))
    panel.which.list.value = "shown"
    assert chosen(panel) == ("all", ())
    look_for(gallery, "-green_background")
    assert chosen(panel) == ("all", ("1", "3"))


def test_where_nothing_is_selected_the_button_says_why_and_never_means_all(gallery, panel):
    panel.which.list.value = "selected"
    assert panel.main.disabled and "No picture is selected in the gallery" in panel.main.tooltip
    panel.guard(panel.run)
    assert panel.job is None and "No picture is selected" in panel.status.text
    select(gallery, 1)
    assert not panel.main.disabled
    select(gallery)
    assert panel.main.disabled


def test_rejected_pictures_are_no_part_of_it(gallery, panel, session):
    select(gallery, 0)
    gallery._asked("reject", {"version": gallery.shelf.view.version, "ranges": [[0, 1]], "reason": ""})
    look_for(gallery, "rejected")
    select(gallery, 0)
    assert gallery.shelf.selected() == ["rejected/1.png"]
    assert words(panel)[2:] == ["Selected in the gallery (0)", "Shown in the gallery (0, filter: rejected)"]


def test_a_gallery_that_is_closed_has_nothing_selected(gallery, panel):
    select(gallery, 0)
    gallery.close()
    assert words(panel)[2:] == ["Selected in the gallery (0)", "Shown in the gallery (0)"]


def test_a_panel_that_is_closed_hears_no_more(gallery, session):
    panel = TaggingPanel(session)
    panel.close()
    select(gallery, 0)
    assert "Selected in the gallery (0)" in words(panel)


def test_another_project_begins_with_all(gallery, panel, session, projects):
    from core.dataset.project import Project

    select(gallery, 0)
    panel.which.list.value = "selected"
    session.open(Project.create(projects / "other", "other").folder)
    assert panel.which.list.value == "all" and "Selected in the gallery (0)" in words(panel)


def test_the_job_gets_the_chosen_pictures_alone(gallery, session, monkeypatch):
    panel = TaggingPanel(session)
    started = []
    monkeypatch.setattr("widgets.panel.start_job", lambda folder, stage, settings: started.append((stage, settings)))
    select(gallery, 1)
    panel.which.list.value = "selected"
    panel.guard(panel.run)
    panel.run_one("3")
    assert [(stage, given["which"], given["ids"]) for stage, given in started] == [("tag", "all", ["2"]), ("tag", "all", ["3"])]
    panel.close()


def test_one_picture_is_looked_at_where_captions_are_kept_too(session, monkeypatch):
    panel = CaptionPanel(session)
    started = []
    monkeypatch.setattr("widgets.panel.start_job", lambda folder, stage, settings: started.append(settings) or Job(folder))
    panel.form.control("captioner").write("server")
    panel.form.control("server_url").write("http://localhost:1/v1")
    panel.form.control("server_model").write("tiny")
    panel.run_one("3")
    assert started[0]["existing"] == "replace" and panel.form.value().existing == "keep"
    panel.close()


@pytest.fixture
def edit(session):
    made = session.panels["edit"] = EditPanel(session)
    made.choice.value = "add_last"
    made.form.control("tags").widget.value = "smile"
    yield made
    made.close()


def smiling(project) -> list[str]:
    return sorted(path.stem for path in project.images.glob("*.txt") if "smile" in path.read_text(encoding="utf-8"))


def test_a_bulk_edit_changes_the_pictures_alone_that_are_selected_in_the_gallery(gallery, edit, project):
    assert words(edit) == ["All", "Selected in the gallery (0)", "Shown in the gallery (3)"]
    edit.which.list.value = "selected"
    assert edit.main.disabled and "No picture is selected in the gallery" in edit.main.tooltip
    select(gallery, 0, 2)
    edit.main.click()
    assert "of 2 captions" in edit.status.text
    edit.apply.click()
    assert smiling(project) == ["1", "3"]


def test_a_preview_is_forgotten_when_the_choice_or_the_selection_changes(gallery, edit):
    edit.main.click()
    assert not edit.apply.disabled
    edit.which.list.value = "selected"
    assert edit.apply.disabled and edit.changes.total == 0
    select(gallery, 0)
    edit.main.click()
    select(gallery, 0)
    assert not edit.apply.disabled, "the same pictures are selected"
    select(gallery, 1)
    assert edit.apply.disabled and edit.changes.total == 0, "as many, but another one"


def test_what_a_finding_laid_out_is_not_narrowed_by_the_gallery_and_has_a_way_back(gallery, edit):
    select(gallery, 0)
    edit.which.list.value = "selected"
    edit.guard(lambda: edit.take(EditSettings(operations=(AddLast(tags="hat"),), ids=("2", "3"))))
    assert "Only the captions of 2 chosen images." in edit._only.value and edit.which.view.layout.display == "none"
    assert "of 2 captions" in edit.status.text and not edit.apply.disabled
    select(gallery, 1)
    assert not edit.apply.disabled, "the finding's pictures stay"
    edit._all.click()
    assert edit._only.value == "" and edit.which.view.layout.display == "" and edit.which.list.value == "all" and edit.apply.disabled
