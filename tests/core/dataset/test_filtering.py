"""The gallery's small grammar, and its errors in words."""

import time

import pytest

from core.dataset.filtering import FilterError, choose, mistyped, parse_filter, prepare, sort_needs
from core.dataset.listing import Listing, read_captions, scan, tag_counts
from core.dataset.project import Project
from core.dataset.rejecting import RejectSettings, reject_images
from tests.core.dataset.small_things import picture

CAPTIONS = {"a": "mychar, long hair, blue eyes", "b": "mychar, Long_Hair, hat, red dress", "c": "a girl sitting on a chair", "d": None,
            "e": "mychar, long hair ornament, ^_^"}


@pytest.fixture
def listing(project) -> Listing:
    for number, (name, caption) in enumerate(CAPTIONS.items()):
        picture(project.images / f"{name}.png", size=(100 * (number + 1), 400))
        if caption:
            (project.images / f"{name}.txt").write_text(caption, encoding="utf-8")
    picture(project.images / "scan_old.png", size=(900, 900))
    reject_images(project, RejectSettings(images=("scan_old",), reason="old"))
    return read_captions(scan(project))


def shown(listing, text, sort="name"):
    wanted = parse_filter(text)
    prepare(listing, wanted, sort)
    return "".join(listing.names[row].split(".")[0][0] for row in choose(listing, wanted, sort))


@pytest.mark.parametrize(("text", "names"), [
    ("", "abcde"), ("long_hair", "ab"), ("LONG_HAIR -hat", "a"), ("-mychar", "cd"), ('tag:"long hair"', "ab"), ('-tag:"blue eyes"', "bcde"),
    ("long*", "abe"), ('"sitting on"', "c"), ('"long hair"', "ae"), ("tags:>3", "b"), ("tags:1..3", "ace"), ("tags:0", "d"),
    ("tags:4", "b"), ("untagged", "d"), ("tagged hat", "b"), ("size:<300", "ab"), ("width:>=500", "e"), ("height:<400", ""),
    ("rejected", "s"), ("-rejected", "abcde"), ("rejected | hat", "bs"), ("rejected name:scan", "s"), ("name:SCAN", ""),
    ("hat | untagged", "bd"), ("mychar hat | blue_eyes", "ab"), ("^_^", "e"), ("  hat   ", "b"), ("file:>10000", ""),
    ("text:dress", "b"), ("-untagged -mychar", "c")])
def test_the_grammar(listing, text, names):
    assert shown(listing, text) == names


@pytest.mark.parametrize(("text", "words"), [
    ("size:<abc", "the shortest side in pixels and needs a number, but is '<abc'"), ("tags:>", "needs a number"),
    ("tags:", "nothing to look for"), ("cat |", "between two conditions"), ("| cat", "between two conditions"),
    ('""', "nothing to look for"), ('name:""', "nothing to look for")])
def test_what_cannot_be_understood_is_told_in_words(text, words):
    with pytest.raises(FilterError, match=words) as problem:
        parse_filter(text)
    assert problem.value.hint


def test_a_quote_that_is_still_being_typed_and_a_tag_with_a_colon_are_understood(listing):
    assert shown(listing, '"sitting on') == "c"
    assert parse_filter("artist:someone").terms()[0].value == "artist:someone"


def test_images_are_sorted(listing):
    assert shown(listing, "", "most")[0] == "b"
    assert shown(listing, "", "fewest")[0] == "d"
    assert shown(listing, "", "largest") == "edcba" and shown(listing, "", "smallest") == "abcde"
    assert sort_needs("most") == (True, False) and sort_needs("largest") == (False, True)
    with pytest.raises(FilterError, match="sorted by 'luck'"):
        shown(listing, "", "luck")


def test_a_hundred_thousand_captions_are_filtered_in_no_time_that_a_person_notices(tmp_path):
    project = Project(tmp_path)
    count = 100_000
    captions = [", ".join(["mychar", *(f"tag {(number * 7 + place) % 900}" for place in range(20))]) for number in range(count)]
    listing = Listing(project, [f"{number}.png" for number in range(count)], [(1, 1)] * count, count, {}, [(1, 1)] * count, captions)
    start = time.process_time()
    rows = choose(listing, parse_filter("mychar tag_5 -tag_9 tags:>10"))
    seconds = time.process_time() - start
    assert 0 < len(rows) < count and seconds < 2.5, seconds


def test_tags_in_weighted_brackets_and_with_escaped_ones_are_tags_of_their_own(project):
    for name, caption in {"a": "mychar, (blue sky, grass:1.2)", "b": r"mychar, miku \(vocaloid\)", "c": "mychar, sky"}.items():
        picture(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text(caption, encoding="utf-8")
    listing = read_captions(scan(project))
    assert shown(listing, "grass") == "a" and shown(listing, 'tag:"blue sky"') == "a" and shown(listing, "sky") == "c"
    assert shown(listing, 'tag:"miku (vocaloid)"') == "b" == shown(listing, r"miku_\(vocaloid\)")
    assert shown(listing, "tags:2") == "abc"
    assert tag_counts(listing) == [("mychar", 3), ("blue sky", 1), ("grass", 1), (r"miku \(vocaloid\)", 1), ("sky", 1)]


@pytest.mark.parametrize(("text", "words"), [
    ("tags<6", "Did you mean tags:<6?"), ("-hat size>=512", "Did you mean size:>=512?"), ("no:caption", "'untagged' finds"),
    ("tags:<6", ""), (":d", ""), ("hat -dog", ""), ("1girl:2", ""), ('"tags<6"', "")])
def test_what_was_probably_mistyped_gets_a_word(text, words):
    said = mistyped(parse_filter(text))
    assert words in said if words else not said
