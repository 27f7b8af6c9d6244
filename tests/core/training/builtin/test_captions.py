"""What becomes of a caption."""

import random

import pytest

from core.base.errors import DatasetError
from core.training.builtin.captions import CaptionRule, make_caption, read_caption

TAGS = "mikoneko, 1girl, red hair, cat ears, smile"


def made(caption=TAGS, seed=1, epoch=1, **settings):
    return make_caption(caption, CaptionRule(**settings), random.Random(seed), epoch)


def test_nothing_is_changed_without_settings():
    assert made() == TAGS


def test_shuffling_keeps_the_first_tags_in_place_and_loses_none():
    results = {made(shuffle_caption=True, keep_tokens=2, seed=seed) for seed in range(20)}
    assert len(results) > 1
    for result in results:
        assert result.startswith("mikoneko, 1girl, ") and sorted(result.split(", ")) == sorted(TAGS.split(", "))


def test_the_same_seed_gives_the_same_caption():
    assert made(shuffle_caption=True, seed=4) == made(shuffle_caption=True, seed=4)


def test_the_separator_marks_what_stays_in_front_and_behind():
    result = made("a, b ||| c, d, e ||| z", shuffle_caption=True, keep_tokens_separator="|||")
    assert result.startswith("a, b, ") and result.endswith(", z")


def test_dropout_empties_about_the_asked_share():
    empty = sum(made(caption_dropout_rate=0.3, seed=seed) == "" for seed in range(1000))
    assert 240 < empty < 360
    assert made(caption_dropout_every_n_epochs=2, epoch=2) == "" and made(caption_dropout_every_n_epochs=2, epoch=3) == TAGS


def test_tag_dropout_never_takes_a_kept_tag():
    results = [made(caption_tag_dropout_rate=0.5, keep_tokens=1, seed=seed) for seed in range(50)]
    assert all(result.startswith("mikoneko") for result in results) and min(len(result.split(", ")) for result in results) < 4


def test_prefix_suffix_wildcards_and_second_separator():
    assert made("cat", caption_prefix="a", caption_suffix="b") == "a cat b"
    assert {made("{x|y} {{z}}", enable_wildcard=True, seed=seed) for seed in range(20)} == {"x {z}", "y {z}"}
    assert made("a;b, c", secondary_separator=";") == "a,b, c"
    assert made("first\nsecond") == "first"


def test_caption_files_are_read_by_extension(tmp_path):
    (tmp_path / "a.txt").write_text("\ufeffred\nsecond\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("")
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe")
    assert read_caption(tmp_path / "a.png", ".txt", False) == "red"
    assert read_caption(tmp_path / "a.png", ".txt", True) == "red\nsecond"
    assert read_caption(tmp_path / "b.png", ".txt", False) == ""
    assert read_caption(tmp_path / "d.png", ".txt", False) is None
    with pytest.raises(DatasetError, match="not UTF-8"):
        read_caption(tmp_path / "c.png", ".txt", False)
