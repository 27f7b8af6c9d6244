"""The trigger word of the project stands in the form of the Tag panel."""

import pytest

from core.base.jobs import write_order
from core.dataset.project import Project
from widgets.dataset.tagging import TaggingPanel
from widgets.session import Session


@pytest.fixture
def other(projects):
    return Project.create(projects / "other", "other", trigger="mika")


def trigger(panel) -> str:
    return panel.form.value().trigger_word


def test_the_form_takes_over_the_trigger_word_of_the_project_that_is_opened(project, other):
    session = Session()
    panel = TaggingPanel(session)
    assert trigger(panel) == ""
    for opened, word in ((project, "mychar"), (other, "mika")):
        session.open(opened.folder)
        assert trigger(panel) == word
    assert trigger(TaggingPanel(session)) == "mika"


def test_the_form_follows_when_the_trigger_word_of_the_project_changes(session, project):
    panel = TaggingPanel(session)
    project.write_info(project.info().changed(trigger_word="newchar"))
    session.tell()
    assert trigger(panel) == "newchar"


def test_what_a_person_wrote_or_emptied_stays_when_the_panels_hear_news(session, project):
    panel = TaggingPanel(session)
    for written in ("mine", ""):
        panel.form.control("trigger_word").widget.value = written
        project.write_info(project.info().changed(trigger_word=f"after{written}"))
        session.tell()
        assert trigger(panel) == written


def test_a_word_that_was_written_before_a_project_was_opened_stays(project):
    session = Session()
    panel = TaggingPanel(session)
    panel.form.control("trigger_word").widget.value = "mine"
    session.open(project.folder)
    assert trigger(panel) == "mine"


def test_a_project_that_gets_its_first_trigger_word_fills_the_empty_field(projects):
    made = Project.create(projects / "bare", "bare")
    session = Session()
    session.open(made.folder)
    panel = TaggingPanel(session)
    assert trigger(panel) == ""
    made.write_info(made.info().changed(trigger_word="mika"))
    session.tell()
    assert trigger(panel) == "mika"


def test_the_help_says_what_empty_means(session):
    assert "empty takes the project's" in TaggingPanel(session).form.control("trigger_word").help.lower()


def test_the_settings_of_the_newest_job_come_back_with_its_project(project, other):
    jobs = {"20260101-100000-tag": {"general_threshold": 0.2}, "20260102-100000-tag": {
        "general_threshold": 0.6, "tagger": "wd-vit-v3", "undesired_tags": "hat", "existing": "replace", "device": "cpu",
        "trigger_word": "once", "which": "untagged", "force_download": True, "of_an_older_version": 1}}
    for name, settings in jobs.items():
        (project.folder / "jobs" / name).mkdir(parents=True)
        write_order(project.folder / "jobs" / name, {"stage": "tag", "project": str(project.folder), "settings": settings})
    session = Session()
    panel = TaggingPanel(session)
    for opened, threshold, tagger in ((project, 0.6, "wd-vit-v3"), (other, 0.35, "wd-eva02-large-v3"), (project, 0.6, "wd-vit-v3")):
        session.open(opened.folder)
        value = panel.form.value()
        assert (value.general_threshold, value.tagger) == (threshold, tagger)
        assert value.trigger_word == opened.trigger_word and not value.force_download and value.which == "all"
    assert (value.undesired_tags, value.existing, value.device) == ("hat", "replace", "cpu")
    assert any("1 changed" in fold.button.description for fold in panel.form._level_folds)
    (project.folder / "jobs" / "20260102-100000-tag" / "settings.json").write_text('{"stage": "tag", "settings": {"tagger": "gone"}}')
    assert TaggingPanel(session).form.value().tagger == "wd-eva02-large-v3"
