"""The panels of Dataset_Maker on real projects."""

import time
import zipfile

import pytest
from PIL import Image

from core.dataset.project import Project
from widgets.dataset import PANELS
from widgets.dataset.check import CheckPanel
from widgets.dataset.gallery import GalleryPanel
from widgets.dataset.handover import HandoverPanel
from widgets.dataset.importing import ImportPanel
from widgets.dataset.project import ProjectPanel
from widgets.dataset.tagging import TaggingPanel
from widgets.session import Session
from widgets.training import NOTEBOOK as TRAINER


def wait(panel, seconds=120.0):
    deadline = time.monotonic() + seconds
    while panel.status.state == "working" and time.monotonic() < deadline:
        time.sleep(0.1)
        panel.refresh()
    return panel.status.text


def test_a_project_is_made_and_opened_and_others_hear_of_it(projects):
    session = Session()
    panel, other = ProjectPanel(session, 2), CheckPanel(session)
    panel.form.control("name").widget.value = "New one"
    panel.form.control("trigger_word").widget.value = "mychar"
    panel.main.click()
    assert panel.status.text.startswith("Done: New one is created")
    assert Project.open(projects / "New one").trigger_word == "mychar"
    assert "mychar" in panel._facts.value and other.status.text == "Ready"


def test_a_project_without_a_name_is_asked_for_one(projects):
    panel = ProjectPanel(Session())
    panel.main.click()
    assert panel.status.text == "Needs attention: Name must be given."
    assert list(projects.iterdir()) == []


def test_known_projects_are_offered_and_one_is_opened(project):
    session = Session()
    panel = ProjectPanel(session)
    assert [value for _, value in panel.picker.list.options] == [str(project.folder)]
    panel.guard(panel._open)
    assert session.folder == project.folder


@pytest.mark.slow
def test_an_import_is_a_job_whose_report_is_shown(session, project, tmp_path):
    source = tmp_path / "new.zip"
    Image.new("RGB", (64, 64), "white").save(tmp_path / "white.png")
    with zipfile.ZipFile(source, "w") as archive:
        archive.write(tmp_path / "white.png", "white.png")
        archive.writestr("broken.png", b"no picture")
    panel = ImportPanel(session)
    panel.form.control("source").widget.value = str(source)
    panel.main.click()
    assert wait(panel).startswith("Done: 1 image imported")
    assert (project.images / "white.png").is_file()
    assert "broken.png" in panel._skipped.value
    assert ImportPanel(session).status.text == panel.status.text


def test_tagging_waits_for_pictures(projects):
    session = Session()
    session.open(Project.create(projects / "empty", "empty").folder)
    panel = TaggingPanel(session)
    assert panel.main.disabled and "no pictures yet" in panel.main.tooltip


def test_the_check_says_what_to_mend(session, project):
    (project.images / "2.txt").write_text("", encoding="utf-8")
    panel = CheckPanel(session)
    panel.main.click()
    assert panel.status.text == "Needs attention: 1 thing must be mended before training; the list says how."
    assert "2.png" in panel._findings.value


def test_the_handed_over_project_is_open_in_trainer(session, project):
    HandoverPanel(session).main.click()
    later = TRAINER._begin()
    assert later.folder == project.folder


@pytest.mark.slow
def test_the_dataset_is_packed_in_a_job_and_the_way_home_is_told(session, project):
    panel = HandoverPanel(session)
    pack = next(button for button, *_ in panel._actions if button.description == "Pack pictures and captions")
    pack.click()
    assert wait(panel).startswith("Done: 3 pictures and 3 captions are in ") and "Download" in panel._where.value
    with zipfile.ZipFile(next(project.folder.glob("*_dataset.zip"))) as archive:
        assert sorted(archive.namelist()) == sorted(path.name for path in project.images.iterdir())
    assert HandoverPanel(session).status.text == panel.status.text


@pytest.mark.parametrize("name", PANELS.names())
def test_every_panel_can_be_made_with_and_without_a_project(session, name):
    for open_session in (Session(), session):
        panel = PANELS.load(name)(open_session, 1)
        assert panel.log.text == "" and panel.title and panel.purpose


@pytest.fixture
def demo(projects):
    """A project that passes for the demo, with a picture."""
    made = Project.create(projects / "shown", "shown")
    Image.new("RGB", (64, 64), "white").save(made.images / "1.png")
    (made.hidden / "demo").write_text("x")
    return made


def test_after_another_project_is_opened_nothing_of_the_demo_stays_in_the_forms(session, project, demo):
    tag, bring = TaggingPanel(session), ImportPanel(session)
    usual = tag.form.value().tagger
    session.open(demo.folder)
    assert tag.form.value().tagger == "demo" and bring.form.control("source").widget.value.endswith("pictures")
    tag.form.control("undesired_tags").widget.value = "hat"
    session.open(project.folder)
    assert (tag.form.value().tagger, tag.form.value().undesired_tags) == (usual, "")
    assert bring.form.control("source").widget.value == ""


def test_what_a_person_chose_in_the_demo_stays_when_the_panels_hear_news(session, demo):
    session.open(demo.folder)
    tag, bring = TaggingPanel(session), ImportPanel(session)
    tag.form.control("tagger").widget.value = "wd-vit-v3"
    bring.form.control("source").widget.value = ""
    session.tell()
    assert tag.form.value().tagger == "wd-vit-v3" and bring.form.control("source").widget.value == ""


def test_what_was_filled_in_before_a_project_was_opened_stays(project):
    session = Session()
    tag, bring = TaggingPanel(session), ImportPanel(session)
    tag.form.control("undesired_tags").widget.value = "hat"
    bring.form.control("source").widget.value = "/pictures"
    session.open(project.folder)
    assert tag.form.value().undesired_tags == "hat" and bring.form.control("source").widget.value == "/pictures"


@pytest.mark.slow
def test_undo_cannot_be_pressed_while_a_tag_job_runs(session, project):
    from core.base.jobs import append_event, write_own_mark

    job = project.jobs / "20260101-000000-tag"
    job.mkdir()
    (job / "settings.json").write_text('{"stage": "tag", "project": "x", "settings": {}}')
    write_own_mark(job)
    append_event(job, "start", what="Tagging", total=3)
    panel = TaggingPanel(session)
    undo = next(button for button, *_ in panel._actions if button.description.startswith("Undo"))
    assert undo.disabled and "tagger is at work" in undo.tooltip
    append_event(job, "done", message="3 captions written.")
    panel.refresh()
    assert not undo.disabled


@pytest.mark.slow
def test_the_demo_project_is_ready_to_work_with_and_opened_again_the_next_time(projects):
    session = Session()
    panel = ProjectPanel(session)
    panel.guard(panel._open_demo)
    assert panel.status.text.startswith("Done: demo-")
    folder = session.folder
    assert len(list((folder / "images").glob("*.png"))) >= 12
    assert GalleryPanel(session).gallery.shown["caption"].startswith("mikoneko")
    assert TaggingPanel(session).form.value().tagger == "demo"
    assert ImportPanel(session).form.control("source").widget.value.endswith("pictures")
    panel.guard(panel._open_demo)
    assert session.folder == folder
