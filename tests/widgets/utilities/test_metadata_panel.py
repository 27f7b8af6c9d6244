"""Metadata: the fields are what the file says, and only what was changed is written."""

import re

import pytest
from PIL import Image

from core.base.tensor_headers import read_header
from core.dataset.project import Project
from core.utilities.files.metadata import MetadataSettings, edit_metadata
from tests.widgets.utilities.conftest import SAID, choose, finish, press
from widgets.utilities.metadata import MetadataPanel


@pytest.fixture
def panel(session, lora):
    made = MetadataPanel(session)
    choose(made, lora)
    yield made
    made.close()


def fill(panel, **values):
    for name, value in values.items():
        panel.form.control(name).widget.value = value


def test_it_shows_what_the_file_says(panel):
    assert (panel.form.value().name, panel.form.value().author, panel.form.present("prompt_name")) == ("Mika", "me", "mika")
    press(panel.main)
    assert panel.status.text == "Done: the file says all of that already; nothing was written." and panel.job is None


def test_only_what_was_changed_is_written_and_an_emptied_field_goes(panel, lora, tmp_path):
    Image.new("RGB", (600, 300), "red").save(tmp_path / "small.png")
    edit_metadata(MetadataSettings.make(file=str(lora), usage_hint="by another program"))
    fill(panel, name="Mika 2", author="", description="two\nlines", thumbnail=str(tmp_path / "small.png"))
    press(panel.main)
    finish(panel)
    assert "4 entries changed" in panel.status.text and "Author</th><td>taken out" in panel._changes.value
    said = read_header(lora).metadata
    assert said["modelspec.title"] == "Mika 2" and said["modelspec.description"] == "two\nlines" and "modelspec.author" not in said
    assert said["modelspec.usage_hint"] == "by another program" and said["ss_tag_frequency"] == SAID["ss_tag_frequency"]
    assert panel.form.value().usage_hint == "by another program" and panel.form.value().thumbnail == ""
    assert '<img class="lb-thumbnail"' in panel._picture.value and "data:image/jpeg;base64," in panel._picture.value


def test_what_another_program_changed_is_shown_unless_something_was_typed(panel, lora, session):
    edit_metadata(MetadataSettings.make(file=str(lora), author="another"))
    session.tell()
    assert panel.form.value().author == "another"
    fill(panel, name="typed")
    edit_metadata(MetadataSettings.make(file=str(lora), author="a third"))
    session.tell()
    assert panel.form.value().name == "typed" and panel.form.value().author == "another"
    press(panel.main)
    finish(panel)
    said = read_header(lora).metadata
    assert said["modelspec.title"] == "typed" and said["modelspec.author"] == "a third" and panel.form.value().author == "a third"


@pytest.mark.parametrize(("content", "said"), [(None, "no file on this machine"), (b"<html>", "not a safetensors file"),
                                               (b"\x08\0\0\0\0\0\0\0{}", "cut off|header|not a safetensors")])
def test_a_file_that_is_none_is_a_sentence_and_nothing_can_be_saved(panel, lora, content, said):
    other = lora.with_name("other.safetensors")
    if content is not None:
        other.write_bytes(content)
    choose(panel, other)
    assert panel.status.state == "attention" and re.search(said, panel.status.text) and panel.main.disabled
    assert panel.form.value().name == ""


def test_what_was_typed_and_not_saved_is_not_swept_away_by_another_panels_choice(panel, lora, session):
    other = lora.with_name("other.safetensors")
    other.write_bytes(lora.read_bytes())
    fill(panel, description="an evening's work")
    session.chosen_lora = str(other)
    session.tell()
    assert panel.file == str(lora) and panel.form.present("description") == "an evening's work"
    press(panel.main)
    finish(panel)
    assert read_header(lora).metadata["modelspec.description"] == "an evening's work" and panel.file == str(lora)
    session.chosen_lora = str(lora.with_name("a third.safetensors"))
    session.tell()
    assert panel.file.endswith("a third.safetensors")  # nothing is unsaved any more


def test_what_was_typed_for_a_file_comes_back_with_it(panel, lora, tmp_path):
    other = lora.with_name("other.safetensors")
    other.write_bytes(lora.read_bytes())
    fill(panel, description="typed", thumbnail=str(tmp_path / "small.png"))
    choose(panel, other)
    assert panel.form.present("description") == "" and panel.form.present("thumbnail") == ""
    choose(panel, lora)
    assert panel.form.present("description") == "typed" and panel.form.present("thumbnail") == str(tmp_path / "small.png")
    assert "not saved" in panel.form.control("file").view.children[-1].value
    assert "modelspec.description" not in read_header(lora).metadata


def test_a_licence_is_chosen_from_the_same_list_as_in_publish_or_named(panel, lora):
    control = panel.form.control("license")
    assert ("MIT", "MIT") in control.list.options and control.list.value == ""
    control.list.value = "MIT"
    press(panel.main)
    finish(panel)
    assert read_header(lora).metadata["modelspec.license"] == "MIT"
    control.widget.value = "my own words"
    assert control.list.value == "my own words" and panel._typed() == {"license": "my own words"}


def test_after_a_copy_was_written_nothing_is_unsaved_and_the_next_copy_has_its_own_name(panel, lora, session):
    copy = lora.with_name("copy.safetensors")
    fill(panel, author="somebody", save_to=str(copy))
    assert f"Next to be written: {copy}." in panel.form.control("save_to")._note.value
    press(panel.main)
    finish(panel)
    assert read_header(copy).metadata["modelspec.author"] == "somebody" and read_header(lora).metadata["modelspec.author"] == "me"
    assert panel._typed() == {} and panel.is_free() and panel.form.present("author") == "me" and panel.status.state == "done"
    assert "Next to be written" not in panel.form.control("save_to")._note.value
    choose(panel, copy)
    choose(panel, lora)
    assert panel._typed() == {}


def test_a_copy_that_was_written_while_another_file_is_looked_at_leaves_no_draft(panel, lora):
    other = lora.with_name("other.safetensors")
    other.write_bytes(lora.read_bytes())
    fill(panel, author="somebody", save_to=str(lora.with_name("copy.safetensors")))
    press(panel.main)
    choose(panel, other)
    finish(panel)
    choose(panel, lora)
    assert lora.with_name("copy.safetensors").is_file() and panel._typed() == {}


@pytest.mark.parametrize(("typed", "said"), [("taken.safetensors", "is there already. Choose another name"), ("x.pt", "does not end in"),
                                             ("", "is a folder")])
def test_where_no_copy_can_be_written_is_told_before(panel, lora, typed, said):
    lora.with_name("taken.safetensors").write_bytes(b"mine")
    fill(panel, author="somebody", save_to=str(lora.parent / typed))
    assert said in panel.status.text and said in panel.form.control("save_to")._note.value and panel.main.disabled
    fill(panel, save_to=str(lora))
    assert not panel.main.disabled and "Next to be written" not in panel.form.control("save_to")._note.value
    press(panel.main)
    finish(panel)
    assert read_header(lora).metadata["modelspec.author"] == "somebody"


def test_what_was_typed_since_the_last_save_stays_when_another_project_is_opened(panel, lora, session, tmp_path):
    fill(panel, author="first")
    press(panel.main)
    finish(panel)
    fill(panel, author="second", description="an evening's work")
    another = Project.create(tmp_path / "another", "Another")
    session.open(another.folder)
    assert panel.file == str(lora) and panel._typed() == {"author": "second", "description": "an evening's work"}


def test_what_was_typed_and_not_saved_comes_back_after_the_cells_were_run_again(panel, lora, session):
    fill(panel, name="typed")
    panel.close()
    again = MetadataPanel(session)
    assert again.file == str(lora) and again.form.present("name") == "typed"
    again.close()
