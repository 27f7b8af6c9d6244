"""A project has one name on screen, and its folder is told before it is made or opened."""

import pytest

from core.base.errors import DatasetError
from core.dataset.manager import DatasetManager
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
    name.value = "Mika: the <cat>"
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


def test_opening_reports_what_the_project_holds_and_leaves_out_what_is_zero(project):
    (project.images / "3.txt").unlink()
    (project.variants / "1_mask.png").write_bytes(b"x")
    session = Session()
    panel = ProjectPanel(session)
    session.open(project.folder)
    for name, words in (("Pictures", "3"), ("Captions", "2 saved, 1 picture without one"), ("Masks", "1")):
        assert f"<tr><th>{name}</th><td>{words}</td></tr>" in panel._facts.value
    assert "Rejected" not in panel._facts.value and "Variants" not in panel._facts.value
    assert "0" not in panel._facts.value.split("Folder")[0]


def test_a_complaint_about_the_pictures_goes_when_they_can_be_read_again(project, monkeypatch):
    session = Session()
    panel = ProjectPanel(session)
    with monkeypatch.context() as patch:
        patch.setattr(DatasetManager, "opening", lambda *given: (_ for _ in ()).throw(DatasetError("No permission to read /drive.")))
        session.open(project.folder)
        assert panel.status.text == "Needs attention: No permission to read /drive."
    session.tell()
    assert (panel.status.text, panel._report.images) == ("Ready", 3)


def test_opening_tells_of_captions_beside_the_sources_and_where_they_are_shown(projects, tmp_path):
    from core.dataset.manager import DatasetManager
    from tests.core.dataset.small_things import picture

    picture(tmp_path / "source" / "a.png")
    manager = DatasetManager.create("Cats")
    manager.import_from(tmp_path / "source")
    (tmp_path / "source" / "a.txt").write_text("late")
    session = Session()
    panel = ProjectPanel(session)
    session.open(manager.project.folder)
    assert "captions for 1 picture without one" in panel._facts.value and "in the panel Captions beside the sources" in panel._facts.value
    manager.take_source_captions(manager.find_source_captions().found)
    session.tell()
    assert "1 saved" in panel._facts.value and "Captions beside the sources" not in panel._facts.value


def test_opening_tells_what_can_be_gone_on_with(project):
    from core.dataset.history import History

    history = History.of(project)
    with history.entry("Sorted <the> tags") as record:
        record.change("1", "1.txt", "mychar, red background", "red background, mychar")
    path = project.hidden / "history.jsonl"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if '"end"' not in line))
    session = Session()
    panel = ProjectPanel(session)
    session.open(project.folder)
    assert "&#x27;Sorted &lt;the&gt; tags&#x27; of captions was interrupted half-way." in panel._facts.value
    assert "in the panel History of captions" in panel._facts.value


def test_the_form_of_a_project_that_was_made_is_empty_for_the_next_one(projects):
    panel = ProjectPanel(Session())
    for name, words in (("name", "First"), ("trigger_word", "mychar")):
        panel.form.control(name).widget.value = words
    panel.main.click()
    assert panel.status.text.startswith("Done: First is created.")
    assert [panel.form.control(name).widget.value for name in ("name", "trigger_word")] == ["", ""]
