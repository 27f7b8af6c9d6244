"""The gallery's pure JavaScript, run in node: selection, the virtual grid, chips, completion, undo."""

import json
from functools import partial

import pytest

from core.dataset.captions.tags import parse_tags
from tests.widgets.components.node import NODE, evaluated
from widgets.components.assembling import module_text

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


@pytest.fixture
def js():
    """The value of an expression in which the module's exports are in reach as `m`."""
    return partial(evaluated, "gallery")


def test_the_parts_make_one_module_that_imports_nothing(js):
    assert js("typeof m.default.render") == "function"
    assert not any(line.startswith("import ") for line in module_text("gallery").splitlines())


def test_a_selection_is_ranges_that_join_and_split(js):
    assert js("m.withRange([[1, 3], [8, 9]], 3, 8)") == [[1, 9]]
    assert js("m.withoutRange([[0, 100000]], 5, 6)") == [[0, 5], [6, 100000]]
    assert js("m.toggled(m.toggled([[2, 4]], 3), 7)") == [[2, 3], [7, 8]]
    assert js("[0, 2, 3, 7, 8].map(row => m.isIn([[2, 3], [7, 8]], row))") == [False, True, False, True, False]
    assert js("m.sizeOf([[0, 5], [6, 100000]])") == 99_999


def test_clicks_with_shift_and_ctrl_select_as_everywhere(js):
    assert js("m.selectBy([[1, 2]], 1, 5, {shift: true})") == {"ranges": [[1, 6]], "anchor": 1}
    assert js("m.selectBy([[1, 6]], 1, 0, {shift: true})") == {"ranges": [[0, 2]], "anchor": 1}
    assert js("m.selectBy([[1, 2]], 1, 5, {command: true})") == {"ranges": [[1, 2], [5, 6]], "anchor": 5}
    assert js("m.selectBy([[1, 2]], 4, 6, {command: true, shift: true})") == {"ranges": [[1, 2], [4, 7]], "anchor": 4}
    assert js("m.selectBy([[1, 9]], 1, 5)") == {"ranges": [[5, 6]], "anchor": 5}


def test_only_lines_on_screen_are_drawn_however_many_pictures_there_are(js):
    assert js("m.linesOnScreen(0, 600, 200, 100000, 5)") == [0, 4]
    assert js("m.linesOnScreen(10000, 600, 200, 100000, 5)") == [49, 54]
    assert js("m.linesOnScreen(3999400, 600, 200, 99998, 5)") == [19996, 20000]
    assert js("m.linesOnScreen(0, 600, 200, 0, 5)") == [0, 0]
    assert js("m.measures(300, 168)")["columns"] == 2 and js("m.measures(60, 168)")["columns"] == 1


def test_keys_move_by_line_and_page_and_stop_at_the_ends(js):
    keys = '["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", "x"]'
    assert js(f"{keys}.map(key => m.goal(key, 7, 5, 2, 23))") == [6, 8, 2, 12, 0, 17, 0, 22, None]
    assert js(f"{keys}.map(key => m.goal(key, 0, 5, 2, 23))") == [0, 1, 0, 5, 0, 10, 0, 22, None]
    assert js(f"{keys}.map(key => m.goal(key, 19, 5, 2, 23))")[3] == 22
    assert js(f"{keys}.map(key => m.goal(key, 22, 5, 2, 23))")[1:4] == [22, 17, 22]


def test_what_is_on_screen_is_asked_for_first(js):
    assert js("m.urgent(0, 8, 2, 6)") == [2, 3, 4, 5, 6, 7, 1, 0]


def test_a_cell_is_read_out_with_what_matters(js):
    assert js("m.spoken({name: 'a.png', rejected: null, tags: 1})") == "a.png, 1 tag"
    assert js("m.spoken({name: 'a.png', rejected: 'blurred', tags: 0})") == "a.png, rejected: blurred, no caption"
    assert js("m.spoken(undefined)") == "A picture that is being fetched"


def test_counts_are_told_in_words(js):
    assert js("m.countWords({total: 1, all: 1}, 0)") == "1 picture"
    assert js("m.countWords({total: 312, all: 100000}, 3)") == "312 of 100,000 pictures, 3 selected"


def test_a_tag_is_moved_before_and_behind_others(js):
    assert js("m.moved(['a', 'b', 'c'], 0, 3)") == ["b", "c", "a"]
    assert js("m.moved(['a', 'b', 'c'], 2, 0)") == ["c", "a", "b"]
    assert js("m.moved(['a', 'b', 'c'], 1, 1)") == ["a", "b", "c"]


@pytest.mark.parametrize(("text", "tags"), [
    ("a, b,,c ,", ["a", "b", "c"]), ("(red hair, smile:1.2), hat", ["(red hair, smile:1.2)", "hat"]), (":(, ^_^", [":(", "^_^"]),
    ("a field of 1,000 flowers, 2girls,3boys", ["a field of 1,000 flowers", "2girls", "3boys"]),
    ("score_9,1girl,1,000 birds 2,5,x", ["score_9", "1girl", "1,000 birds 2,5", "x"]), ("1,2,3", ["1,2,3"]), ("5,a1,7b", ["5", "a1", "7b"]),
    (r"mika \(sea\), hat", [r"mika \(sea\)", "hat"]), ("", [])])
def test_a_caption_is_cut_into_tags_as_it_was_meant_and_as_the_kernel_cuts_it(js, text, tags):
    assert js(f"m.tagsOf({json.dumps(text)})") == tags == parse_tags(text)


def test_tags_are_added_once_and_kaomoji_are_no_underscores(js):
    assert js("m.added(['long hair'], 'Long_Hair, hat,, hat , ^_^')") == ["long hair", "hat", "^_^"]
    assert js("['A_b c', ' ^_^ ', 'x_x', 'a_b_c'].map(m.keyOf)") == ["a_b c", "^_^", "x_x", "a b c"]
    assert js("m.keyOf('Long_Hair')") == "long hair"


def test_completions_come_by_frequency_and_leave_out_what_is_there(js):
    known = '[["long hair", 9], ["blonde hair", 7], ["hair bow", 5], ["hat", 4], ["very long hair", 2]]'
    assert js(f"m.completions({known}, 'ha', ['hat'])") == [["hair bow", 5], ["long hair", 9], ["blonde hair", 7], ["very long hair", 2]]
    assert js(f"m.completions({known}, 'Long_h', [])") == [["long hair", 9], ["very long hair", 2]]
    assert js(f"m.completions({known}, ' ', [])") == [] and len(js(f"m.completions({known}, 'ha', [], 2)")) == 2


def test_tags_of_a_taggers_list_are_offered_behind_the_projects_own(js):
    known, listed = '[["very long hair", 9], ["hat", 4]]', '["hair bow", "long hair", "Hat", "hair ribbon", "hat ribbon"]'
    assert js(f"m.offered({known}, {listed}, 'ha', ['hair bow'])") == [
        ["hat", 4], ["very long hair", 9], ["hair ribbon", ""], ["hat ribbon", ""], ["long hair", ""]]
    assert js(f"m.offered({known}, {listed}, 'ha', [], 3)") == [["hat", 4], ["very long hair", 9], ["hair bow", ""]]
    assert js(f"m.offered({known}, {listed}, '', [])") == [] == js(f"m.offered({known}, [], 'x', [])")


def test_a_dragged_tag_falls_where_the_pointer_is(js):
    boxes = json.dumps([{"left": 0, "right": 50, "top": 0, "bottom": 20}, {"left": 60, "right": 120, "top": 0, "bottom": 20},
                        {"left": 0, "right": 50, "top": 26, "bottom": 46}])
    places = [(10, 10), (40, 10), (200, 10), (5, 30), (48, 30), (10, 99)]
    assert [js(f"m.dropPlace({boxes}, {x}, {y})") for x, y in places] == [0, 1, 2, 2, 3, 3]


def test_typing_is_undone_in_one_step_and_a_tag_in_one_of_its_own(js):
    script = """(() => { const steps = new m.Steps('a'); const seen = [];
      steps.note('ab', 'typing', 0); steps.note('abc', 'typing', 100); steps.note('abc, d', 'tag', 200);
      steps.note('abc, de', 'typing', 5000);
      for (let n = 0; n < 4; n += 1) seen.push(steps.undo());
      seen.push(steps.redo(), steps.redo()); steps.note('x', 'tag', 6000); seen.push(steps.redo(), steps.undo());
      return seen; })()"""
    assert js(script) == ["abc, d", "abc", "a", None, "abc", "abc, d", None, "abc, d"]


def test_after_a_rest_typing_is_a_new_step(js):
    script = """(() => { const steps = new m.Steps('a'); steps.note('ab', 'typing', 0); steps.note('abc', 'typing', 2000);
      return [steps.undo(), steps.undo(), steps.canUndo(), steps.canRedo()]; })()"""
    assert js(script) == ["ab", "a", False, True]


def test_the_steps_of_a_picture_that_was_left_come_back_with_it(js):
    script = """(() => { const kept = m.createStepsKept(2); let steps = kept.take('p:1', 'r1', 'a'); const seen = [];
      steps.note('ab', 'typing', 0); kept.keep('p:1', 'r2', steps);
      steps = kept.take('p:1', 'r2', 'ab'); seen.push(steps.undo()); kept.keep('p:1', 'r3', steps);
      steps = kept.take('p:1', 'r3', 'a'); seen.push(steps.redo(), steps.redo());
      steps.note('abc', 'typing', 100); kept.keep('p:1', 'r4', steps);
      steps = kept.take('p:1', 'r4', 'ab'); seen.push(steps.undo(), steps.undo(), steps.undo());
      kept.keep('p:1', 'r4', steps); seen.push(kept.take('p:1', 'by another', 'b').canUndo(), kept.take('p:1', 'r4', 'a').canRedo());
      for (const key of ['x', 'y', 'z']) { const one = new m.Steps('a'); one.note('b', 'tag', 0); kept.keep(key, 'r', one); }
      seen.push(['x', 'y', 'z'].map(key => kept.take(key, 'r', 'b').canUndo()));
      return seen; })()"""
    assert js(script) == ["a", "ab", None, "abc", "ab", "a", False, False, [False, True, True]]


def test_keys_of_the_editor(js):
    keys = ('[{ctrlKey: true, key: "Enter"}, {metaKey: true, key: "s"}, {altKey: true, key: "ArrowLeft"}, {key: "Enter"}, '
            '{ctrlKey: true, altKey: true, key: "ArrowLeft"}, {ctrlKey: true, key: "z"}, {ctrlKey: true, shiftKey: true, key: "Z"}]')
    assert js(f"{keys}.map(m.wish)") == ["next", "save", "previous", None, None, "undo", "redo"]


def test_tags_are_counted_as_trainers_split_them(js):
    assert js('["", "a", "a, , b,"].map(m.count)') == [0, 1, 2]


@pytest.mark.parametrize(("text", "shown", "sent", "fate"), [
    ("cat", {"revision": "r2", "caption": "by another"}, None, "show"),
    ("cat, hat", {"revision": "r2", "caption": "by another"}, None, "conflict"),
    ("cat, hat", {"revision": "r1", "caption": "cat"}, None, "stay"),
    ("cat, hat", {"revision": "r1", "caption": "cat", "id": "b"}, None, "show"),
    ("cat, hat", {"revision": "r2", "caption": "cat, hat", "after": "r1"}, {"text": "cat, hat", "revision": "r1"}, "show"),
    ("cat, hat, b", {"revision": "r2", "caption": "cat, hat", "after": "r1"}, {"text": "cat, hat", "revision": "r1"}, "adopt"),
])
def test_what_is_being_written_is_never_replaced_unless_it_is_saved(js, text, shown, sent, fate):
    box = {"key": "p:a", "text": text, "original": "cat", "revision": "r1"}
    shown = {"id": "a", "home": "p", "after": "", **shown}
    assert js(f"m.verdict({json.dumps(box)}, {json.dumps(shown)}, {json.dumps(sent)})") == fate
