"""What is written for a publication reaches the published copy's header, what is left empty comes from the file; yours stays."""

import pytest
from safetensors.torch import load_file

from core.base.errors import ConfigError
from core.base.tensor_headers import read_header
from core.utilities.files.hashing import hashes_of
from core.utilities.publishing.checking import check_publish
from core.utilities.publishing.report import NO_PICTURE
from tests.core.utilities.publishing.conftest import SAID, make, publish, settings

WRITTEN = {"name": "Mika the cat", "trigger": "mika  cat", "author": "anna b", "description": "Draws **Mika**.\n\nAnd rain.",
           "tags": "anime, cat", "licence": "mit"}


def told(check, level):
    return [finding.what for finding in check.findings if finding.level == level]


def test_the_published_copy_says_what_was_written_and_has_the_same_tensors(mika):
    before = mika.read_bytes()
    publish(mika, to="folder", further=(str(make(mika.with_name("mika-000005.safetensors"))),), **WRITTEN)
    copy = mika.parent / "mika-civitai" / "mika.safetensors"
    said = read_header(copy).metadata
    assert {key.removeprefix("modelspec."): value for key, value in said.items() if key.startswith("modelspec.")} == {
        "title": "Mika the cat", "trigger_phrase": "mika cat", "author": "anna b", "description": "Draws **Mika**.\n\nAnd rain.",
        "tags": "anime, cat", "license": "MIT", "sai_model_spec": "1.0.1"}
    assert said["ss_learning_rate"] == SAID["ss_learning_rate"] and mika.read_bytes() == before
    assert hashes_of(copy).tensors == hashes_of(mika).tensors
    own, published = load_file(mika), load_file(copy)
    assert own.keys() == published.keys() and all((own[name] == published[name]).all() for name in own)
    epoch = read_header(copy.with_name("mika-000005.safetensors")).metadata
    assert epoch["modelspec.title"] == "Mika" and epoch["modelspec.author"] == "anna b"


def test_the_check_list_tells_what_the_copy_will_say_and_nothing_where_it_is_the_same(mika):
    check = check_publish(settings(mika, to="zip", **WRITTEN))
    assert ("The published copy of mika.safetensors says what stands here: Title, Trigger words, Author, Description, Tags, Licence of the "
            "LoRA.") in told(check, "info")
    check = check_publish(settings(mika, to="zip", name="Mika", trigger=" mika "))
    assert not any("published copy" in one for one in told(check, "info"))
    publish(mika, to="folder", name="Mika")
    assert (mika.parent / "mika-civitai" / "mika.safetensors").read_bytes() == mika.read_bytes()


def test_an_empty_description_and_empty_tags_are_those_of_the_file(mika):
    make(mika, {**SAID, "modelspec.description": "A girl of the <rain>.", "modelspec.tags": "anime, rain"})
    check = check_publish(settings(mika))
    assert "A girl of the <rain>." in check.card and '"anime", "rain"' in check.card
    assert "The description is that of the file." in check.fine and "It has no description." not in told(check, "info")
    check = check_publish(settings(mika, description="Another.", tags="own"))
    assert "Another." in check.card and "<rain>" not in check.card and '"anime"' not in check.card
    publish(mika, to="folder")
    folder = mika.parent / "mika-civitai"
    assert "A girl of the &lt;rain&gt;." in (folder / "description.html").read_text()
    assert "Tags: anime, rain" in (folder / "checklist.txt").read_text()


def test_other_words_for_the_same_tensors_replace_what_we_published_without_being_asked(mika, hub):
    publish(mika, trigger="mika")
    report = publish(mika, trigger="mika cat")
    assert {file.name for file in report.files if file.state == "sent"} == {"README.md", "mika.safetensors"}
    make(mika, seed=5)
    with pytest.raises(ConfigError, match="has another mika.safetensors already"):
        publish(mika, trigger="mika cat")


def test_words_that_tell_a_token_or_a_home_never_reach_the_copy(mika):
    for words in ({"author": "hf_abcdefghijklmnopqrst"}, {"tags": "/home/anna/x, cat"}):
        with pytest.raises(ConfigError, match="The page tells"):
            publish(mika, to="folder", **words)


@pytest.mark.parametrize("to", ["folder", "zip"])
def test_without_a_picture_it_is_said_and_what_to_do(mika, to):
    report = publish(mika, to=to, samples_from="none")
    assert report.lacks_pictures and report.sentence().endswith(NO_PICTURE) and report.as_dict()["lacks_pictures"]
    again = publish(mika, to=to, save_to=str(mika.parent / f"again{'.zip' if to == 'zip' else ''}"))
    assert not again.lacks_pictures and "No picture" not in again.sentence()
