"""Metadata: the fields are what the file says, and only what was changed is written."""

import re

import pytest
from PIL import Image

from core.base.tensor_headers import read_header
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
