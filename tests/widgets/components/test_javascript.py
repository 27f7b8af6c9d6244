"""The components' pure JavaScript, run in node."""


import pytest

from core.base.paths import ROOT
from tests.widgets.components.node import NODE, evaluated
from widgets.components.assembling import module_text

COMPONENTS = ROOT / "widgets" / "components"
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


def js(tmp_path, component: str, expression: str):
    """The value of an expression in which the component's exports are in reach as `m`."""
    return evaluated(component, expression)


@pytest.mark.parametrize("component", sorted(path.stem for path in COMPONENTS.glob("*.js")))
def test_every_component_is_a_module_with_a_render_hook_and_imports_nothing(tmp_path, component):
    assert js(tmp_path, component, "typeof m.default.render") == "function"
    assert not any(line.startswith("import ") for line in module_text(component).splitlines())


def test_ticks_are_round_and_inside(tmp_path):
    assert js(tmp_path, "chart", "m.ticks(0.07, 0.35, 4)") == pytest.approx([0.1, 0.2, 0.3])
    assert js(tmp_path, "chart", "m.ticks(0, 100, 5)") == [0, 20, 40, 60, 80, 100]
    assert js(tmp_path, "chart", "m.ticks(3, 3, 5)") == [3]
    assert js(tmp_path, "chart", "m.ticks(0, 12, 5)") == [0, 2.5, 5, 7.5, 10]
    assert js(tmp_path, "chart", "m.ticks(0, 12, 5, true)") == [0, 5, 10]
    assert js(tmp_path, "chart", "m.ticks(1, 3, 8, true)") == [1, 2, 3]


def test_numbers_are_shown_in_few_characters(tmp_path):
    assert js(tmp_path, "chart", "[0, 0.0001, 0.03125, 12000].map(m.words)") == ["0", "1e-4", "0.0313", "12,000"]


def test_a_path_has_a_gap_where_a_value_is_missing(tmp_path):
    assert js(tmp_path, "chart", "m.path([0, 1, 2], [1, NaN, 3], x => x, y => y)") == "M0.0,1.0M2.0,3.0"


def test_the_nearest_point_is_found_at_both_ends_and_between(tmp_path):
    assert js(tmp_path, "chart", "[-5, 1.4, 1.6, 99].map(x => m.nearest([0, 1, 2, 3], x))") == [0, 1, 2, 3]


def test_pictures_are_arranged_and_those_outside_are_left_out(tmp_path):
    assert js(tmp_path, "samples", "m.arrange(1, 2, [{row: 0, column: 1}, {row: 3, column: 0}])") == [[None, {"row": 0, "column": 1}]]


def test_pictures_that_left_the_grid_are_let_go(tmp_path):
    assert js(tmp_path, "samples", 'm.stale(["a|1", "b|1"], [{key: "a|2"}, {key: "b|1"}])') == ["a|1"]


def test_columns_that_are_whole_in_sight_are_counted(tmp_path):
    edges = "[[0, 130], [135, 265], [270, 400]]"
    assert js(tmp_path, "samples", f"[m.inSight({edges}, 0, 300), m.inSight({edges}, 120, 401), m.inSight({edges}, 20, 100)]") == [
        [1, 2], [2, 3], None]
    moves = f"[m.towards({edges}, 0, 300, 1), m.towards({edges}, 100, 300, -1), m.towards({edges}, 0, 400, 1)]"
    assert js(tmp_path, "samples", moves) == [270, -170, 0]


def test_fields_of_blocks_stand_at_their_part_and_an_empty_text_is_none(tmp_path):
    parts = 'm.byPart([["text 1", "Text"], ["down", "Down"]], [["1", "down 1.0", "1.0"], ["0", "text 1", ""]])'
    assert [[part["name"], [name for _, name, _ in part["blocks"]]] for part in js(tmp_path, "block_weights", parts)] == [
        ["text 1", ["text 1"]], ["down", ["down 1.0"]]]
    assert js(tmp_path, "block_weights", '[m.withText({a: "1"}, "b", " 0.5 "), m.withText({a: "1"}, "a", " ")]') == [
        {"a": "1", "b": "0.5"}, {}]


def test_what_is_searched_for_is_marked_in_every_place_and_in_any_case(tmp_path):
    assert js(tmp_path, "run_log", 'm.hits("Loss and loss", "LOSS")') == ["", "Loss", " and ", "loss", ""]
    assert js(tmp_path, "run_log", '[m.hits("a.b", "."), m.hits("text", " ")]') == [["a", ".", "b"], ["text"]]
    assert js(tmp_path, "run_log", 'm.hits("\u0130 loss", "loss")') == ["\u0130 loss"]  # its small letter is longer: nothing is marked


def test_a_pressed_level_goes_or_comes_in_the_usual_order(tmp_path):
    assert js(tmp_path, "run_log", 'm.turned(["error", "info"], "warning")') == ["error", "warning", "info"]
    assert js(tmp_path, "run_log", 'm.turned(["error", "info"], "error")') == ["info"]


def test_a_difference_of_captions_keeps_what_stays(tmp_path):
    found = js(tmp_path, "changes", 'm.difference("a, red hat, c", "a, blue hat, c, d")')
    assert found == [["same", "a"], ["gone", "red hat"], ["new", "blue hat"], ["same", "c"], ["new", "d"]]
    assert js(tmp_path, "changes", 'm.difference("", "a, b")') == [["new", "a"], ["new", "b"]]


def test_prose_is_compared_word_by_word(tmp_path):
    found = js(tmp_path, "changes", 'm.difference("the girl with the red hat smiles", "the girl with the blue hat smiles")')
    assert [part for kind, part in found if kind == "gone"] == ["red"] and [part for kind, part in found if kind == "new"] == ["blue"]
    assert js(tmp_path, "changes", 'm.joint("", "the girl with the blue hat smiles")') == " "


def test_long_stretches_that_stay_are_cut_and_counted(tmp_path):
    text = ", ".join(f"tag {number}" for number in range(20))
    found = js(tmp_path, "changes", f'm.shortened(m.difference("{text}", "{text}, new"))')
    assert found[3] == ["cut", 14] and len(found) == 8 and found[-1] == ["new", "new"]
    assert js(tmp_path, "changes", 'm.shortened(m.difference("a, b", "a"))') == [["same", "a"], ["gone", "b"]]


def test_tags_are_searched_and_ordered(tmp_path):
    tags = '["red hair", "hat", "long hair"], [5, 9, 5]'
    assert js(tmp_path, "tag_bars", f'm.arranged({tags}, "", "many")') == [1, 0, 2]
    assert js(tmp_path, "tag_bars", f'm.arranged({tags}, "hair lo", "many")') == [2]
    assert js(tmp_path, "tag_bars", f'm.arranged({tags}, "", "name")') == [1, 2, 0]
    assert js(tmp_path, "tag_bars", f'm.arranged({tags}, "", "rare")') == [0, 2, 1]


def test_shares_are_shown_in_few_signs(tmp_path):
    shares = "[m.percent(24, 24), m.percent(1, 300), m.percent(0, 5), m.percent(1, 0)]"
    assert js(tmp_path, "tag_bars", shares) == ["100 %", "0.3 %", "0 %", ""]


def test_of_a_panels_keys_the_notebook_gets_only_those_that_change_no_cell_by_themselves(tmp_path):
    keys = "[{key: 'd'}, {key: 'x'}, {key: 'Enter'}, {key: 'D', shiftKey: true}, {key: 'Enter', shiftKey: true}, {key: 's', ctrlKey: true}]"
    assert js(tmp_path, "status", f"{keys}.map((key) => Boolean(m.forNotebook(key)))") == [False, False, False, False, True, True]


@pytest.mark.parametrize(("low", "high", "told"), [
    (59.28, 59.33, ["59.28", "59.30", "59.32"]), (1000.2, 1000.9, ["1,000.2", "1,000.4", "1,000.6", "1,000.8"]),
    (0, 12000, ["0", "5,000", "10,000"]), (59.2, 59.3, ["59.200", "59.225", "59.250", "59.275", "59.300"])])
def test_neighbours_at_an_axis_are_told_apart(tmp_path, low, high, told):
    assert js(tmp_path, "chart", f"m.tickWords(m.ticks({low}, {high}, 4))") == told
