"""A filter that shows nothing says what was probably meant."""

import pytest

from core.dataset.filter_hints import meant_by
from core.dataset.filtering import choose, parse_filter
from core.dataset.listing import read_captions, scan
from tests.core.dataset.small_things import picture

CAPTIONS = {"a": "mychar, long hair, hat", "b": "mychar, blonde hair", "c": "A girl is sitting on a bench, looking up.", "photo_7": ""}


@pytest.fixture
def listing(project):
    for name, caption in CAPTIONS.items():
        picture(project.images / f"{name}.png")
        if caption:
            (project.images / f"{name}.txt").write_text(caption, encoding="utf-8")
    return read_captions(scan(project))


@pytest.mark.parametrize(("text", "words"), [
    ("long hair", 'Did you mean long_hair, or "long hair" in quotes?'), ("mychar Long Hair", "Long_Hair"),
    ("sitting on", 'Did you mean "sitting on" in quotes?'),
    ("hair", "No caption has the tag 'hair'. Some have it in a longer one (blonde hair, long hair): blonde_hair, or *hair* for all"),
    ("bench", 'Some say it in a sentence: "bench" in quotes.'), ("a.png", "name:a.png"), ("photo_7", "name:photo_7"),
    ("zzz.jpg", "name:zzz.jpg"), ("untaged", "Did you mean untagged?"), ("lomg_hair", "Did you mean long_hair?"),
    ("mychr", "Did you mean mychar?"), ("tags<6", "tags:<6"),
    ("hat blonde_hair", ""), ("zebra", ""), ("-zebra rejected", ""), ("*zebra*", ""), ("name:zebra", ""), ("tags:>50", "")])
def test_what_was_probably_meant(listing, text, words):
    wanted = parse_filter(text)
    assert not choose(listing, wanted)
    said = meant_by(wanted, listing)
    assert words in said if words else not said


@pytest.mark.parametrize("caption", ["a big flower", "a flower, hat", "She holds a flower in her hand, smiling."])
def test_a_files_name_is_thought_of_also_where_captions_say_the_word(listing, project, caption):
    for name in ("flower", "flower_2"):
        picture(project.images / f"{name}.png")
    (project.images / "a.txt").write_text(caption, encoding="utf-8")
    found = read_captions(scan(project))
    assert meant_by(parse_filter("flower"), found).endswith("For a file's name: name:flower.")
    assert len(choose(found, parse_filter("name:flower"))) == 2


def test_what_a_hint_says_finds_something(listing):
    for text in ("long_hair", '"long hair"', "*hair*", "name:a.png", '"bench"', "untagged"):
        assert choose(listing, parse_filter(text)), text
