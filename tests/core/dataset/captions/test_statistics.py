"""Numbers of tags."""

from core.dataset.captions.statistics import cooccurrence, holding, tag_frequencies
from core.dataset.captions.tags import caption_keys, is_prose, parse_tags

CAPTIONS = {"a": "mika, red hair, Hat", "b": "mika, red_hair, (hat, bow:1.2)", "c": "mika, hat, hat, miku (vocaloid)", "d": "mika,, ^_^"}


def test_a_caption_counts_once_for_each_tag_however_it_is_written():
    counts = tag_frequencies(CAPTIONS)
    assert counts.most_common(3) == [("mika", 4), ("hat", 3), ("red hair", 2)]
    assert (counts["bow"], counts["miku (vocaloid)"], counts["^_^"], counts[""]) == (1, 1, 1, 0)
    assert counts.captions == 4 and counts.share("hat") == 0.75


def test_the_usual_spelling_is_shown():
    assert tag_frequencies(CAPTIONS).shown("hat") == "hat"
    assert dict(tag_frequencies(CAPTIONS).spellings["red hair"]) == {"red hair": 1, "red_hair": 1}


def test_tags_beside_a_tag_are_counted_in_its_captions_only():
    counts = cooccurrence(CAPTIONS, "Red hair")
    assert counts.captions == 2 and counts["hat"] == 2 and counts["bow"] == 1
    assert holding(CAPTIONS, "hat") == ["a", "b", "c"]


def test_brackets_hold_tags_together_and_drawings_do_not():
    assert parse_tags("(a, b:1.2), c") == ["(a, b:1.2)", "c"]
    assert parse_tags("1,000 birds, (a, 2,5 m:1.2),b") == ["1,000 birds", "(a, 2,5 m:1.2)", "b"]
    assert parse_tags(":(, a, b") == [":(", "a", "b"]
    assert parse_tags(r"a \(x, y\), b") == [r"a \(x", r"y\)", "b"]
    assert caption_keys("((a:1.2)), {b, C}") == {"a", "b", "c"}


def test_prose_is_told_from_tags():
    for text in ("a photo of a cat on a red chair", "mika, A girl stands by the sea and looks away.", "The cat sits on it."):
        assert is_prose(text), text
    for text in ("1girl, solo, looking at viewer", "cat", "mika", "holding hands with another, standing on one leg, arms at sides", ""):
        assert not is_prose(text), text
