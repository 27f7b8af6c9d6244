"""A project on disk."""

from threading import Thread

import pytest

from core.base.errors import ConfigError, DatasetError
from core.base.progress import SILENT
from core.dataset.project import (
    FAMILIES,
    Project,
    folder_for,
    known_projects,
    named_projects,
    project_of_images,
    shown_name,
    trained_on,
)


def test_a_project_remembers_what_it_was_made_with(tmp_path):
    made = Project.create(tmp_path / "p", "Mika, the cat", trigger="mikacat", family="sdxl")
    opened = Project.open(made.folder)
    assert (opened.name, opened.trigger_word, opened.family) == ("Mika, the cat", "mikacat", "sdxl")
    assert all(place.is_dir() for place in (opened.images, opened.variants, opened.rejected, opened.runs, opened.output, opened.jobs))


def test_a_folder_with_something_in_it_is_not_made_into_a_project(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(DatasetError, match="not empty"):
        Project.create(tmp_path, "Test")
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_making_a_project_twice_says_to_open_it(project):
    with pytest.raises(DatasetError, match="Open it instead"):
        Project.create(project.folder, "Test")


def test_opening_what_is_no_project_names_those_beside_it(project):
    with pytest.raises(DatasetError, match="Projects beside it: project"):
        Project.open(project.folder.parent / "other")


def test_opening_a_folder_that_is_not_there_says_so(project):
    with pytest.raises(DatasetError, match="other does not exist"):
        Project.open(project.folder.parent / "other")
    with pytest.raises(DatasetError, match="images is not a Lorabook project"):
        Project.open(project.images)


def test_a_bare_name_is_answered_with_the_project_of_that_name(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path / "projects"))
    monkeypatch.chdir(tmp_path)
    made = Project.create(folder_for("mika"), "mika")
    with pytest.raises(DatasetError, match=f"mika does not exist. Did you mean {made.folder}"):
        Project.open("mika")


def test_what_two_write_into_the_project_at_once_is_all_there(project):
    def add(number):
        for round_ in range(20):
            source = f"{number}-{round_}"
            project.change_info(lambda info, source=source: info.changed(sources=(*info.sources, source)))

    threads = [Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(project.info().sources) == sorted(f"{number}-{round_}" for number in range(4) for round_ in range(20))


def test_a_folder_belongs_to_the_project_whose_images_lie_in_it(project, tmp_path):
    inside, link = project.images / "sub", tmp_path / "link"
    inside.mkdir()
    link.symlink_to(project.images)
    assert [project_of_images(folder) for folder in (project.images, inside, link, project.variants)] == [project] * 4
    assert [project_of_images(folder) for folder in (project.folder, project.rejected, tmp_path, tmp_path / "gone")] == [None] * 4


def test_a_training_that_ended_is_not_named_to_who_is_refused(project):
    with trained_on([project.images], "first", SILENT):
        pass
    refused = pytest.raises(DatasetError, match=r"'Test' are being trained on \(second, third\), so nothing was moved")
    with (trained_on([project.images], "second", SILENT), trained_on([project.images], "third", SILENT), refused,
          project.not_in_training("moved")):
        pass
    with project.not_in_training("moved"):
        pass


def test_a_path_of_windows_is_not_glued_to_the_present_folder():
    for act in (Project.open, lambda folder: Project.create(folder, "Test")):
        with pytest.raises(ConfigError, match=r"^C:.Users.me is a path of Windows"):
            act("C:\\Users\\me")


@pytest.mark.parametrize("name", ["/home/me/pics", "~/pics", "../pics", "C:\\Users\\me\\pics", " C:/pics"])
def test_a_path_is_no_name(name):
    with pytest.raises(ConfigError, match="is a path, but a project's name is a word or two"):
        folder_for(name)


def test_a_project_is_called_by_its_own_name_and_those_called_alike_by_their_folder_too(tmp_path):
    for folder, name in (("b", "My Character"), ("a", "mika"), ("c", "mika")):
        Project.create(tmp_path / folder, name)
    Project.create(tmp_path / "d", "x").folder.joinpath("project.toml").write_text("name = ")
    assert shown_name(tmp_path / "b") == "My Character"
    assert named_projects(tmp_path) == [("d", tmp_path / "d"), ("mika (folder a)", tmp_path / "a"), ("mika (folder c)", tmp_path / "c"),
                                        ("My Character", tmp_path / "b")]


def test_a_misspelt_key_in_project_toml_is_named(project):
    (project.folder / "project.toml").write_text('name = "x"\ntriger_word = "y"\n')
    with pytest.raises(ConfigError, match="Did you mean 'trigger_word'"):
        Project.open(project.folder)


@pytest.mark.parametrize("text", ["name = \n", 'name = "x"\nsources = [{a="b", =1}]\n'])
def test_a_broken_project_toml_is_named_with_its_place(project, text):
    (project.folder / "project.toml").write_text(text)
    with pytest.raises(ConfigError, match="project.toml is not valid TOML"):
        project.info()


def test_a_trigger_word_with_a_comma_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="one tag without commas"):
        Project.create(tmp_path / "p", "Test", trigger="a, b")


@pytest.mark.parametrize("family", ["flux", "SDXL", ""])
def test_a_family_that_is_not_known_makes_no_project_and_the_known_ones_are_named(tmp_path, family):
    with pytest.raises(ConfigError, match=f"called {family!r}.* sd15, sd2, sdxl"):
        Project.create(tmp_path / "p", "Test", family=family)
    assert not (tmp_path / "p").exists()


def test_a_project_of_an_unknown_family_opens_and_says_what_to_mend_where_the_family_is_needed(project):
    path = project.folder / "project.toml"
    path.write_text(path.read_text().replace('"sd15"', '"Flux 1"'))
    opened = Project.open(project.folder)
    assert opened.name == "Test" and opened.info().family == "Flux 1"
    with pytest.raises(ConfigError, match=r"project\.toml names the model family 'Flux 1', which is not known.*sd15, sd2, sdxl"):
        _ = opened.family


def test_the_known_families_are_those_that_can_be_trained_and_drawn():
    from typing import get_args

    from core.diffusion import FAMILIES as DRAWN
    from core.training.config import Family
    from core.training.config.families import TRAINED_MODELS

    assert FAMILIES == get_args(Family) == tuple(TRAINED_MODELS)
    assert set(DRAWN.names()) < set(FAMILIES)


def test_a_folder_that_went_missing_is_made_again_on_opening(project):
    project.output.rmdir()
    assert Project.open(project.folder).output.is_dir()


def test_names_become_safe_folders_and_projects_are_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    Project.create(folder_for("b: ミカ/../x"), "b")
    Project.create(folder_for("A"), "A")
    assert [path.name for path in known_projects()] == ["A", "b_ ミカ_._x"]
