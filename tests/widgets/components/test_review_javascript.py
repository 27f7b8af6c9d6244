"""The review's pure JavaScript, run in node."""

import pytest

from tests.widgets.components.node import NODE
from tests.widgets.components.test_javascript import js

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


def test_keys_mean_the_same_whatever_their_case(tmp_path):
    assert js(tmp_path, "review", "['K', 'k', 'ArrowRight', 'd', 'ArrowLeft', 'Z', 'Enter', 'x', 'Tab'].map(m.meaning)") == [
        "keep", "keep", "keep", "drop", "drop", "undo", "next", None, None]


def test_the_next_undecided_tag_is_found_going_round(tmp_path):
    tags = "[{name: 'a'}, {name: 'b'}, {name: 'c'}]"
    assert js(tmp_path, "review", f"m.undecided({tags}, {{b: 'keep'}}, 1)") == 2
    assert js(tmp_path, "review", f"m.undecided({tags}, {{b: 'keep', c: 'drop'}}, 1)") == 0
    assert js(tmp_path, "review", f"m.undecided({tags}, {{a: 'keep', b: 'keep', c: 'drop'}}, 0)") == -1


def test_decisions_are_sent_as_two_lists(tmp_path):
    assert js(tmp_path, "review", "m.sorted({hat: 'keep', bow: 'drop', cap: 'keep'})") == {"keep": ["hat", "cap"], "drop": ["bow"]}


def test_a_score_is_told_in_words(tmp_path):
    tag = "{name: 'hat', score: 0.312, threshold: 0.35, present: false}"
    assert js(tmp_path, "review", f"m.inWords({tag}, undefined)") == "hat: scored 0.31, threshold 0.35, not in the caption"
    assert js(tmp_path, "review", f"m.inWords({tag}, 'keep')").endswith("kept")
