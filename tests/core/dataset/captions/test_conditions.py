"""Which captions a change touches."""

import pytest

from core.base.errors import ConfigError
from core.dataset.captions.conditions import Condition


@pytest.mark.parametrize(("condition", "yes", "no"), [
    ({"has_all": "hat, red hair"}, "mika, Hat, red_hair", "mika, hat"),
    ({"has_any": "hat, cap"}, "mika, cap", "mika, red hat"),
    ({"has_none": "hat"}, "mika, red hat", "mika, (hat:1.2)"),
    ({"has_any": "* hair"}, "mika, long hair", "mika, hair bow"),
    ({"contains": "HAT"}, "mika, red hats", "mika"),
    ({"min_tags": 3}, "a, b, c", "a, b"),
    ({"max_tags": 2}, "a, b", "a, b, c"),
    ({"caption": "missing"}, "", "a"),
    ({"caption": "present"}, "a", ""),
    ({"has_all": "hat", "min_tags": 3}, "hat, b, c", "hat, b"),
    ({"has_all": "hat", "min_tags": 3, "match": "any"}, "hat, b", "a, b"),
    ({}, "", None),
])
def test_a_condition_takes_what_it_names(condition, yes, no):
    test = Condition.make(**condition).test()
    assert test(yes) and (no is None or not test(no))


def test_a_condition_that_can_hold_for_none_is_refused():
    with pytest.raises(ConfigError, match="No caption has at least 5 and at most 2"):
        Condition(min_tags=5, max_tags=2).test()


def test_a_condition_says_itself():
    assert Condition(has_all="hat", contains="x", match="any").sentence() == "hold hat or contain 'x'"
