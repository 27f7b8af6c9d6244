"""Tokens are counted with CLIP's vocabulary where it lies here, else estimated, and the answer says which."""

import json
from collections import Counter

import pytest

from core.base.paths import DEMO_ASSETS
from core.dataset.captions.tokens import VOCABULARY, estimate_tokens, read_counter
from core.dataset.listing import read_captions, scan, tag_counts
from tests.core.dataset.small_things import picture


def make_clip_folder(folder, entries=VOCABULARY):
    """A vocabulary of CLIP's size in which the merges make "hair" and "hat" one token each."""
    merges = ["h a", "i r</w>", "ha ir</w>", "ha t</w>"]
    words = ["h", "a", "i", "r</w>", "t</w>", "ha", "ir</w>", "hair</w>", "hat</w>", ",</w>", "l", "_</w>", "1</w>", "a</w>", "h</w>"]
    vocab = {word: number for number, word in enumerate(words)}
    vocab |= {f"filler{number}": number for number in range(len(vocab), entries - 1)} | {"<|endoftext|>": entries - 1}
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps(vocab))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    return folder


def test_a_vocabulary_that_is_clips_counts_exactly(tmp_path):
    counter = read_counter(make_clip_folder(tmp_path / "clip"))
    assert counter.exact
    assert counter.count("Hair,  HAT") == 3 and counter.count("hair_11") == 4 and counter.count("") == 0


def test_another_models_vocabulary_and_a_damaged_one_are_not_taken_for_clips(tmp_path):
    assert read_counter(make_clip_folder(tmp_path / "small", 500)) is None
    assert read_counter(DEMO_ASSETS / "model" / "tokenizer") is None
    assert read_counter(tmp_path / "nothing") is None
    (tmp_path / "small" / "tokenizer.json").write_text("{")
    assert read_counter(tmp_path / "small") is None


@pytest.mark.parametrize(("text", "low", "high"), [
    ("", 0, 0), ("1girl, solo, long hair, blue eyes", 10, 12), ("looking at viewer", 3, 3),
    ("school uniform, serafuku, pleated skirt", 8, 12),
    ("a photograph of an extraordinarily complicated contraption", 8, 13), ("^_^", 1, 3), ("黒髪", 2, 6)])
def test_an_estimate_is_near(text, low, high):
    assert low <= estimate_tokens(text) <= high


def test_tags_for_completion_come_by_frequency_with_their_usual_spelling(project):
    for number, caption in enumerate(["mychar, long hair", "mychar, Long_Hair, hat", "mychar, long hair"]):
        picture(project.images / f"{number}.png")
        (project.images / f"{number}.txt").write_text(caption, encoding="utf-8")
    counts = tag_counts(read_captions(scan(project)))
    assert Counter(dict(counts)) == Counter({"mychar": 3, "long hair": 3, "hat": 1}) and counts[-1] == ("hat", 1)
    assert tag_counts(read_captions(scan(project)), most=1) == counts[:1]
