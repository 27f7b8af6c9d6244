"""A project has one name on screen, and its folder is told before it is made or opened."""

import pytest

from core.dataset.project import Project, folder_for
from widgets.dataset.handover import HandoverPanel
from widgets.dataset.project import ProjectPanel
from widgets.dataset.tagging import TaggingPanel
from widgets.session import Session
from widgets.training.project import TrainerProjectPanel


@pytest.fixture
def renamed(projects):
    """A project whose folder is called otherwise."""
    return Project.create(projects / "my-character", "My Character", trigger="mychar")


def test_every_panel_calls_a_project_by_its_name_not_by_its_folder(renamed, monkeypatch):
    from PIL import Image

    Image.new("RGB", (64, 64)).save(renamed.images / "1.png")
    session = Session()
    for panel in (ProjectPanel(session), TrainerProjectPanel(session)):
        assert list(panel.picker.list.options) == [("My Character", str(renamed.folder))]
        panel.guard(panel._open if isinstance(panel, ProjectPanel) else panel.run)
        assert panel.status.text.startswith("Done: My Character is open.")
        assert "<td>My Character</td>" in panel._facts.value and str(renamed.folder) in panel._facts.value
    panel = HandoverPanel(session)
    panel.main.click()
    assert panel.status.text.startswith("Done: Trainer works on My Character now.")


def test_a_project_that_lies_elsewhere_stands_in_the_list_with_its_name(projects, tmp_path):
    outside = Project.create(tmp_path / "elsewhere", "Mika")
    session = Session()
    session.open(outside.folder)
    panel = ProjectPanel(session)
    assert list(panel.picker.list.options) == [("Mika", str(outside.folder))]
    inside = Project.create(projects / "mika", "Mika")
    panel.refresh()
    assert list(panel.picker.list.options) == [("Mika", str(inside.folder)), (f"Mika ({outside.folder})", str(outside.folder))]


def test_the_folder_that_would_be_made_is_told_before(projects):
    panel = ProjectPanel(Session())
    name = panel.form.control("name").widget
    assert panel._place.value.count(f"Its folder is made in {projects}.") == 1
    name.value = "Mika: the <cat>"
    assert "It is made in the folder" in panel._place.value and f"{projects}/Mika_ the _cat_." in panel._place.value
    panel.main.click()
    assert (projects / "Mika_ the _cat_" / "project.toml").is_file()
    assert panel.status.text.startswith("Done: Mika: the <cat> is created.")
    assert "is the project that is open." in panel._place.value


def test_the_folder_that_would_be_opened_is_told_before(project):
    panel = ProjectPanel(Session())
    assert f"Opens the folder {project.folder}." in panel.picker.place.value
    panel.picker.list.options = [("none yet", "")]
    assert panel.picker.place.value == ""


def test_a_name_that_is_taken_is_told_before(project):
    panel = ProjectPanel(Session())
    panel.form.control("name").widget.value = "Small"
    assert f"The folder {project.folder} is a project already: open it above, or take another name." in panel._place.value


@pytest.mark.parametrize("name", ["/home/me/pics", r"C:\Users\me\pics"])
def test_a_path_in_the_place_of_a_name_is_answered_and_makes_nothing(projects, name):
    panel = ProjectPanel(Session())
    panel.form.control("name").widget.value = name
    assert "is a path, but a project" in panel._place.value
    panel.main.click()
    assert panel.status.state == "attention" and "is a path, but a project's name is a word or two" in panel.status.text
    assert list(projects.iterdir()) == []


def test_the_help_of_the_trigger_word_says_what_empty_means(projects):
    panel = ProjectPanel(Session())
    assert "Empty: none yet" in panel.form.control("trigger_word").help


def test_the_remembered_project_that_is_gone_is_named(projects, tmp_path):
    memory = tmp_path / "memory"
    memory.write_text(str(folder_for("Gone")))
    session = Session(memory)
    session.resume()
    for panel in (ProjectPanel(session), TrainerProjectPanel(session)):
        assert "Gone does not exist." in panel._facts.value
    assert TaggingPanel(session).main.disabled
