"""The panels of Dataset_Maker on real projects."""

import time
import zipfile

import pytest
from PIL import Image

from core.dataset.project import Project
from widgets.components.caption_editor import Wish
from widgets.dataset import PANELS
from widgets.dataset.captions import CaptionsPanel
from widgets.dataset.check import CheckPanel
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
    assert panel.status.text == "Needs attention: Name (name) must be given."
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
    assert wait(panel).startswith("Done: 1 images imported")
    assert (project.images / "white.png").is_file()
    assert "broken.png" in panel._skipped.value
    assert ImportPanel(session).status.text == panel.status.text


def test_tagging_waits_for_pictures(projects):
    session = Session()
    session.open(Project.create(projects / "empty", "empty").folder)
    panel = TaggingPanel(session)
    assert panel.main.disabled and "no pictures yet" in panel.main.tooltip


def wish(panel, kind, text=None):
    shown = panel.editor.shown
    words = shown["caption"] if text is None else text
    panel._wished(Wish(kind, shown["id"], shown["revision"], words, words != shown["caption"], shown["home"]))


def test_save_and_next_writes_the_caption_and_shows_the_next_picture(session, project):
    panel = CaptionsPanel(session)
    assert panel.editor.shown["place"] == "1 of 3"
    wish(panel, "next", "mychar, hat")
    assert (project.images / "1.txt").read_text(encoding="utf-8") == "mychar, hat"
    assert panel.editor.shown["id"] == "2" and panel.editor.note == "Saved 1. Now 2."
    wish(panel, "previous")
    assert panel.editor.shown["caption"] == "mychar, hat"
    wish(panel, "previous")
    assert "first picture" in panel.editor.note


def test_a_caption_that_changed_on_disk_is_not_overwritten_and_the_text_stays(session, project):
    panel = CaptionsPanel(session)
    (project.images / "1.txt").write_text("by another program", encoding="utf-8")
    shown = panel.editor.shown
    panel.guard(lambda: panel._wished(Wish("next", shown["id"], shown["revision"], "mine", True, shown["home"])))
    assert (project.images / "1.txt").read_text(encoding="utf-8") == "by another program"
    assert panel.editor.shown["id"] == "1" and panel.editor.wrong
    assert "was changed by something else" in panel.editor.note and "was changed" in panel.status.text


def test_a_text_written_for_one_project_never_lands_in_another(session, project, projects):
    panel = CaptionsPanel(session)
    old = panel.editor.shown
    other = Project.create(projects / "other", "other", "otherword")
    (other.images / "1.png").write_bytes((project.images / "1.png").read_bytes())
    session.open(other.folder)
    panel.refresh()
    assert panel.editor.shown["home"] == str(other.folder) and panel.form.control("trigger_word").widget.value == "otherword"
    panel._wished(Wish("save", old["id"], panel.editor.shown["revision"], "of the first project", True, old["home"]))
    assert not (other.images / "1.txt").exists() and "Another project" in panel.editor.note


def test_pictures_that_sort_before_the_shown_one_do_not_move_the_editor(session, project):
    panel = CaptionsPanel(session)
    wish(panel, "next")
    (project.images / "0.png").write_bytes((project.images / "1.png").read_bytes())
    panel.refresh()
    assert panel.editor.shown["id"] == "2"
    wish(panel, "next")
    assert panel.editor.shown["id"] == "3"


def test_the_trigger_word_is_put_first_everywhere(session, project):
    panel = CaptionsPanel(session)
    assert panel.form.control("trigger_word").widget.value == "mychar"
    panel.form.control("trigger_word").widget.value = "otherchar"
    panel.main.click()
    assert panel.status.text.startswith("Done: 3 captions changed")
    assert (project.images / "2.txt").read_text(encoding="utf-8") == "otherchar, green background"
    assert panel.editor.shown["caption"] == "otherchar, red background"


def test_the_check_says_what_to_mend(session, project):
    (project.images / "2.txt").write_text("", encoding="utf-8")
    panel = CheckPanel(session)
    panel.main.click()
    assert panel.status.text == "Done: 1 thing must be mended before training; the list says how."
    assert "2.png" in panel._findings.value


def test_the_handed_over_project_is_open_in_trainer(session, project):
    HandoverPanel(session).main.click()
    later = TRAINER._begin()
    assert later.folder == project.folder


@pytest.mark.parametrize("name", PANELS.names())
def test_every_panel_can_be_made_with_and_without_a_project(session, name):
    for open_session in (Session(), session):
        panel = PANELS.load(name)(open_session, 1)
        assert panel.log.text == "" and panel.title and panel.purpose


@pytest.mark.slow
def test_the_demo_project_is_ready_to_work_with_and_opened_again_the_next_time(projects):
    session = Session()
    panel = ProjectPanel(session)
    panel.guard(panel._open_demo)
    assert panel.status.text.startswith("Done: demo-")
    folder = session.folder
    assert len(list((folder / "images").glob("*.png"))) >= 12
    assert CaptionsPanel(session).editor.shown["caption"].startswith("mikoneko")
    assert TaggingPanel(session).form.value().tagger == "demo"
    assert ImportPanel(session).form.control("source").widget.value.endswith("pictures")
    panel.guard(panel._open_demo)
    assert session.folder == folder
