"""The pure JavaScript of cards, histogram and matrix, run in node."""

import pytest

from tests.widgets.components.node import NODE
from tests.widgets.components.test_javascript import js

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


def test_only_seen_pictures_without_a_thumbnail_are_asked_for(tmp_path):
    assert js(tmp_path, "cards", "m.wanted(['a', 'b', 'a', 'c', 'd'], new Set(['b']), new Set(['d']))") == ["a", "c"]


def test_the_page_says_where_it_stands(tmp_path):
    assert js(tmp_path, "cards", "m.whereabouts(0, 10, 42, 'group')") == "1–10 of 42 groups"
    assert js(tmp_path, "cards", "m.whereabouts(40, 10, 42, 'group')") == "41–42 of 42 groups"
    assert js(tmp_path, "cards", "[m.whereabouts(0, 1, 1, 'group'), m.whereabouts(0, 0, 0, 'group')]") == ["1–1 of 1 group", ""]


def test_arrows_lead_to_the_neighbours_and_no_further(tmp_path):
    keys = "['ArrowLeft', 'ArrowRight', 'Home', 'End', 'x']"
    assert js(tmp_path, "cards", f"{keys}.map(key => m.neighbour(1, 3, key))") == [0, 2, 0, 2, -1]
    assert js(tmp_path, "cards", f"{keys}.map(key => m.neighbour(2, 3, key))") == [1, -1, 0, 2, -1]


def test_a_picture_of_a_group_is_looked_at_beside_the_one_that_is_kept(tmp_path):
    cards = "[{chosen: false}, {chosen: true}, {chosen: false}, {chosen: false}]"
    assert js(tmp_path, "cards", f"[0, 1, 2, 3].map(at => m.besides({cards}, at, true))") == [[1, 0], [1, 0], [1, 2], [1, 3]]
    assert js(tmp_path, "cards", f"[0, 1, 2, 3].map(at => m.onward({cards}, at, 1, true))") == [2, 2, 3, -1]
    assert js(tmp_path, "cards", f"[0, 1, 2, 3].map(at => m.onward({cards}, at, -1, true))") == [-1, -1, 0, 2]
    assert js(tmp_path, "cards", "m.besides([{chosen: true}, {}], 0, true)") == [0, 1]
    assert js(tmp_path, "cards", "[m.besides([{}], 0, true), m.onward([{}], 0, 1, true)]") == [[0], -1]


def test_where_there_are_no_groups_pictures_are_looked_at_one_after_the_other(tmp_path):
    cards = "[{chosen: true}, {chosen: true}, {chosen: false}]"
    assert js(tmp_path, "cards", f"[0, 2].map(at => m.besides({cards}, at, false))") == [[0], [2]]
    assert js(tmp_path, "cards", f"[0, 1, 2].map(at => [m.onward({cards}, at, -1, false), m.onward({cards}, at, 1, false)])") == [
        [-1, 1], [0, 2], [1, -1]]


def test_a_bar_with_one_picture_can_be_seen(tmp_path):
    assert js(tmp_path, "histogram", "m.heights([0, 1, 1000])") == [0, 0.03, 1]
    assert js(tmp_path, "histogram", "m.heights([0, 0])") == [0, 0]


def test_bars_beyond_the_cut_are_on_the_bad_side(tmp_path):
    assert js(tmp_path, "histogram", "[0, 1, 2, 3].map(bar => m.beyond(bar, 4, 0.5, 'low'))") == [True, True, False, False]
    assert js(tmp_path, "histogram", "[0, 1, 2, 3].map(bar => m.beyond(bar, 4, 0.5, 'high'))") == [False, False, True, True]


def test_a_cell_tells_its_number_in_words(tmp_path):
    assert js(tmp_path, "matrix", "m.label('behind', 'full body', 1, 2)") == "behind, full body: 1 picture, few. Show them in the gallery."
    assert js(tmp_path, "matrix", "m.label('front', 'wide', 0, 2)") == "front, wide: 0 pictures, none. Show them in the gallery."
    assert js(tmp_path, "matrix", "[m.strength(0, 9), m.strength(9, 9), m.strength(1, 4), m.strength(0, 0)]") == [0, 1, 0.5, 0]


def test_the_chosen_button_stands_out_and_where_there_is_no_choice_the_first(tmp_path):
    names = "['take', 'leave'].map((name, place) => m.isMain({pressed: %s}, name, place))"
    assert js(tmp_path, "cards", names % "'leave'") == [False, True] and js(tmp_path, "cards", names % "'take'") == [True, False]
    assert js(tmp_path, "cards", names % "''") == [False, False] and js(tmp_path, "cards", names % "null") == [True, False]
