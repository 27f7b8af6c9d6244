"""Each operation does what it says to one caption, and leaves weights, prose and signs alone."""

import time

import pytest

from core.base.errors import ConfigError
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.editing import caption_change
from core.dataset.captions.operation import Context, Operation
from core.dataset.captions.operations import OPERATIONS, make_operation
from core.dataset.captions.texts import compile_pattern

CASES = [
    ({"op": "add_first", "tags": "1girl"}, "mika, hat", "mika, 1girl, hat"),
    ({"op": "add_first", "tags": "hat"}, "mika, red, hat", "mika, hat, red"),
    ({"op": "add_last", "tags": "hat, smile"}, "mika, hat", "mika, hat, smile"),
    ({"op": "add_last", "tags": "smile"}, "", "smile"),
    ({"op": "insert", "tags": "smile", "position": 2}, "mika, hat, red", "mika, smile, hat, red"),
    ({"op": "insert", "tags": "smile", "position": 99}, "mika, hat", "mika, hat, smile"),
    ({"op": "remove", "tags": "hat, Red_Hair"}, "mika, hat, red hair, red hat", "mika, red hat"),
    ({"op": "remove", "tags": "* hair"}, "mika, long hair, hair bow, red hair", "mika, hair bow"),
    ({"op": "remove", "tags": "hat"}, "mika, (hat:1.2), (red, hat:0.8)", "mika, (red:0.8)"),
    ({"op": "replace_tags", "search": "hat; cap", "replacement": "cap; hat"}, "hat, x, cap", "cap, x, hat"),
    ({"op": "replace_tags", "search": "hat", "replacement": "hat"}, "mika, hat", "mika, hat"),
    ({"op": "replace_tags", "search": "hat", "replacement": "red"}, "hat, red", "red"),
    ({"op": "replace_tags", "search": "red hair", "replacement": "blue hair"}, "((red hair:1.3)), hat", "((blue hair:1.3)), hat"),
    ({"op": "replace_tags", "search": "hat; cap"}, "hat, x, cap", "x"),
    ({"op": "replace_text", "search": "hat", "replacement": "cap"}, "mika, hats", "mika, caps"),
    ({"op": "replace_text", "search": "a;b", "replacement": "b;a"}, "a, b", "b, a"),
    ({"op": "replace_text", "search": "HAT", "replacement": "cap", "match_case": False}, "Hat", "cap"),
    ({"op": "replace_text", "search": "x\\;y", "replacement": "z"}, "x;y", "z"),
    ({"op": "replace_pattern", "pattern": r"(\d+)girls?", "replacement": r"\1 girl"}, "2girls, hat", "2 girl, hat"),
    ({"op": "put_trigger"}, "hat, Mika, red", "mika, hat, red"),
    ({"op": "put_trigger"}, "hat, (mika:1.1), red", "(mika:1.1), hat, red"),
    ({"op": "put_trigger"}, "(mika:1.1), hat", "(mika:1.1), hat"),
    ({"op": "put_trigger"}, "hat, ((Mika:1.2)), mika", "((mika:1.2)), hat"),
    ({"op": "put_trigger"}, "hat, (mika, red:1.2)", "(mika, red:1.2), hat"),
    ({"op": "put_trigger"}, "hat, (red, mika:1.2)", "(mika:1.2), hat, (red:1.2)"),
    ({"op": "put_trigger", "instead_of": "rin"}, "hat, (rin:1.2), rin", "(mika:1.2), hat"),
    ({"op": "replace_tags", "search": "\\;d", "replacement": "smile"}, "mika, ;d", "mika, smile"),
    ({"op": "fix_format"}, "He paid 1,000 dollars, and left.", "He paid 1,000 dollars, and left."),
    ({"op": "fix_format"}, "mika,1,234,567 birds,2,5 m", "mika, 1,234,567 birds, 2,5 m"),
    ({"op": "fix_format"}, "score_9,1girl,(hat, 1,000 birds:1.2)", "score_9, 1girl, (hat, 1,000 birds:1.2)"),
    ({"op": "add_last", "tags": "1,000 birds"}, "mika, 1,000 birds", "mika, 1,000 birds"),
    ({"op": "sort", "by": "name"}, "mika, zebra, hat", "mika, hat, zebra"),
    ({"op": "sort", "by": "name", "keep_first": 2}, "mika, zebra, hat, apple", "mika, zebra, apple, hat"),
    ({"op": "sort"}, "mika, rare, hat", "mika, hat, rare"),
    ({"op": "deduplicate"}, "mika, hat, Hat, (hat:1.2), red_hair, red hair", "mika, hat, red_hair"),
    ({"op": "deduplicate"}, "mika, (hat, Hat, bow:1.2), [bow], cap", "mika, (hat, bow:1.2), cap"),
    ({"op": "fix_format", "underscores": True}, "mika, score_9, long_hair", "mika, score_9, long hair"),
    ({"op": "fix_format"}, " mika,,  hat ,\u200bred\u3001blue, ", "mika, hat, red, blue"),
    ({"op": "fix_format", "underscores": True, "lower": True}, "mika, Long_Hair, ^_^", "mika, long hair, ^_^"),
    ({"op": "rating", "action": "remove"}, "mika, general, hat, rating:safe", "mika, hat"),
    ({"op": "rating", "action": "first"}, "mika, hat, explicit", "mika, explicit, hat"),
    ({"op": "rating", "action": "last"}, "mika, safe, hat", "mika, hat, safe"),
    ({"op": "shorten", "max_tags": 2, "max_tokens": 0}, "mika, hat, red", "mika, hat"),
    ({"op": "shorten", "max_tokens": 3}, "mika, hat, red", "mika, hat"),
    ({"op": "shorten", "max_tokens": 3, "sentences": True}, "mika, hat, red", "mika, hat"),
    ({"op": "shorten", "max_tokens": 9, "sentences": True}, "A cat sits on a mat. It looks up. It runs.", "A cat sits on a mat."),
    ({"op": "shorten", "max_tokens": 2, "sentences": True}, "A cat sits on a mat. It looks up.", "A cat sits on a mat. It looks up."),
    ({"op": "rating"}, "mika, rating_safe, nsfw, rating:e, hat", "mika, hat"),
]
PROSE = "mika, the photo of a girl who wears a hat and looks at 1,000 birds, and one dog. She smiles."


def changed(operations, text, trigger="mika"):
    steps = [make_operation(one) for one in operations]
    return caption_change(steps, Context(trigger, {"hat": 5, "rare": 1}))(text)


@pytest.mark.parametrize(("operation", "before", "after"), CASES, ids=lambda case: case["op"] if isinstance(case, dict) else None)
def test_an_operation_does_what_it_says(operation, before, after):
    assert changed([operation], before) == (after, "")


@pytest.mark.parametrize("trigger", ["my_char", "My_Char", "my char"])
def test_mending_the_format_leaves_the_trigger_word(trigger):
    operation = {"op": "fix_format", "underscores": True, "lower": True}
    assert changed([operation], f"{trigger}, Red_Hair", trigger)[0] == f"{trigger}, red hair"
    assert changed([operation], f"({trigger.replace(' ', '_')}:1.2), x_y hat", trigger)[0] == f"({trigger}:1.2), x y hat"


def test_every_operation_has_an_example_and_comes_back_from_its_plain_values():
    assert {case[0]["op"] for case in CASES} == set(OPERATIONS.names())
    settings = EditSettings(operations=tuple(make_operation(case[0]) for case in CASES))
    assert EditSettings.make(**settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize("operation", [{"op": "sort", "by": "name"}, {"op": "insert", "tags": "x"}, {"op": "shorten", "max_tags": 1}],
                         ids=lambda one: one["op"])
def test_prose_is_not_torn_apart_and_it_is_said_why(operation):
    text, reason = changed([operation], PROSE)
    assert text == PROSE and "sentences" in reason


def test_an_operation_that_does_nothing_cannot_be_made():
    with pytest.raises(TypeError, match="Idle gives neither on_tags nor on_text"):
        class Idle(Operation):
            op = "idle"


def test_prose_keeps_its_numbers_and_its_full_stops():
    assert changed([{"op": "add_last", "tags": "smile"}], PROSE)[0] == f"{PROSE} smile"
    assert changed([{"op": "replace_text", "search": "hat", "replacement": "cap"}], PROSE)[0] == PROSE.replace("hat", "cap")
    assert changed([{"op": "put_trigger"}], PROSE)[0] == PROSE


@pytest.mark.parametrize("text", ["mika,hat , red", "miku (vocaloid), :(, a\\b",
                                  r"miku \(vocaloid\), {red|blue, green} hat", "^_^, (o)_(o)"])
def test_what_is_not_changed_stays_as_it_is_written(text):
    for operation in ({"op": "remove", "tags": "nothing"}, {"op": "replace_tags", "search": "nothing", "replacement": "x"},
                      {"op": "rating"}, {"op": "deduplicate"}):
        assert changed([operation], text) == (text, "")


def test_operations_are_done_in_their_order():
    assert changed([{"op": "add_last", "tags": "b"}, {"op": "replace_text", "search": "b", "replacement": "c"},
                    {"op": "remove", "tags": "c"}], "mika, a")[0] == "mika, a"


@pytest.mark.parametrize(("values", "words"), [
    ({"op": "replace_pattern", "pattern": "(a"}, "a bracket ( is not closed"),
    ({"op": "replace_pattern", "pattern": "a", "replacement": r"\2"}, "names brackets that the pattern does not have"),
    ({"op": "replace_pattern", "pattern": ""}, "pattern is empty"),
    ({"op": "replace_tags", "search": "a; b; c", "replacement": "x; y"}, "3 tags are to be replaced by 2"),
    ({"op": "replace_text", "search": "a;;b", "replacement": ""}, "empty part between semicolons"),
    ({"op": "remove", "tags": " , "}, "no tag was given"),
    ({"op": "fly"}, "No operation is called 'fly'"),
    ({"op": "insert", "tags": "a", "position": 0}, "must be at least 1"),
])
def test_what_cannot_be_done_is_said_in_words(values, words):
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        changed([values], "a")


def test_a_pattern_that_runs_away_is_stopped():
    change, started = compile_pattern(r"(a|a|b?a)+$", "", True), time.monotonic()
    with pytest.raises(ConfigError, match="took more than"):
        change("a" * 60 + "!")
    assert time.monotonic() - started < 5


def test_emoji_and_scripts_keep_their_joiners():
    family = "👩‍👩‍👧, می‌خواهم"
    assert changed([{"op": "fix_format"}], family)[0] == family
