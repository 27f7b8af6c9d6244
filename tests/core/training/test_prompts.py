"""Sample prompts that are proposed from the project's own words."""

import pytest

from core.training.config import SamplingSettings
from core.training.prompts import MOST_TAGS, propose_prompts, read_captions

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


def test_captions_are_read_without_opening_a_picture_and_what_cannot_be_read_is_passed_over(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    (tmp_path / "a.txt").write_text("mochi, cat", encoding="utf-8")
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    assert read_captions(tmp_path) == {"a.png": "mochi, cat"}
    assert read_captions(tmp_path / "gone") == {}
