"""Sample prompts that are proposed from the project's own words."""

import sys

import pytest

from core.base.files import write_text
from core.dataset.project import Project
from core.training.config import SamplingSettings
from core.training.config.presets import load_preset
from core.training.fitting import fit_to_project
from core.training.prompts import MOST_TAGS, prompts_for, propose_prompts, read_captions
from tests.core.training.test_fitting import make_pictures

EVERY = "abcdefghij"
TAGS = {"mochi": EVERY, "cat": EVERY[:9], "white fur": EVERY[:6], "sitting": EVERY[:4], "hat": "ab", "window": "abz", "snow": "ab"}


def test_the_trigger_word_comes_with_the_most_frequent_tags_and_once_alone():
    assert propose_prompts("mochi", TAGS) == ["mochi, cat, white fur, sitting, window, hat", "mochi"]
    assert len(propose_prompts("mochi", TAGS)[0].split(", ")) == MOST_TAGS + 1


def test_tags_that_never_stand_together_are_not_asked_for_at_once():
    tags = {"cat": "abcdefg", "smile": "abc", "frown": "de", "hat": "bc"}
    assert propose_prompts("mochi", tags)[0] == "mochi, cat, smile, hat"


def test_the_trigger_word_is_not_said_twice_however_it_is_written():
    assert propose_prompts("my cat", {"My_cat": "abc", "long_hair": "abc"})[0] == "my cat, long_hair"


def test_without_tags_there_is_the_trigger_word_and_without_both_nothing():
    assert propose_prompts("mochi", {}) == ["mochi"]
    assert propose_prompts("", {"1girl": "abc", "hat": "ab"}) == ["1girl, hat"]
    assert propose_prompts("", {}) == []


def test_what_stands_in_one_caption_only_or_is_a_sentence_is_no_usual_tag():
    assert propose_prompts("mochi", {"hat": "a", "a cat sitting on a red mat in the sun": EVERY}) == ["mochi"]


@pytest.mark.parametrize("tag", ["miku (vocaloid)", "hat --n", "[x]", "#1", "{a|b}"])
def test_what_a_trainer_would_read_as_weight_or_flag_is_left_out(tag):
    assert propose_prompts("", {tag: EVERY, "cat": "abc"}) == ["cat"]


def test_every_proposal_is_a_prompt_that_the_settings_take():
    for trigger, tags in (("mochi", TAGS), ("", {"w 5": "abc", "cat": "ab"}), ("", {"n x": "abc"})):
        SamplingSettings.make(sample_prompts=propose_prompts(trigger, tags))


@pytest.mark.parametrize("trigger", ["# x", "w 3", "n a", "l .5", "mochi --n dog", "--x"])
def test_a_trigger_word_that_a_prompt_cannot_begin_with_leads_to_no_proposal_and_to_no_failure(trigger, tmp_path):
    assert propose_prompts(trigger, TAGS) == []
    project = Project.create(tmp_path / "cats", "cats", trigger=trigger)
    make_pictures(project.images, 3)
    assert fit_to_project(load_preset("sd15_character"), project, propose=True).sampling.sample_prompts == []


def test_captions_are_read_again_only_when_the_folder_changed(tmp_path):
    project = Project.create(tmp_path / "cats", "cats", trigger="mochi")
    make_pictures(project.images, 3)
    assert prompts_for(project) == ["mochi, cat", "mochi"]
    opened = []
    sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" and str(tmp_path) in str(given[0]) else None)
    assert prompts_for(project) == ["mochi, cat", "mochi"] and prompts_for(Project(project.folder)) == ["mochi, cat", "mochi"]
    assert not [path for path in opened if path.endswith(".txt")]
    for number in range(3):
        write_text(project.images / f"{number}.txt", "mochi, dog")
    assert prompts_for(project) == ["mochi, dog", "mochi"]
    for number in range(3, 7):
        (project.images / f"{number}.png").write_bytes(b"x")
        (project.images / f"{number}.txt").write_text("mochi, hat")
    assert prompts_for(project) == ["mochi, hat", "mochi"]
    project.write_info(project.info().changed(trigger_word="kitty"))
    assert prompts_for(project)[1] == "kitty"
    assert prompts_for(Project.create(tmp_path / "dogs", "dogs", trigger="wuff")) == ["wuff"]


def test_captions_are_read_without_opening_a_picture_and_what_cannot_be_read_is_passed_over(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    (tmp_path / "a.txt").write_text("mochi, cat", encoding="utf-8")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    assert read_captions(tmp_path) == {"a.png": "mochi, cat"}
    assert read_captions(tmp_path / "gone") == {}
