"""The grid beside the workbench: what it says of the pictures that its filter shows, run in node."""

from functools import partial

import pytest

from tests.widgets.components.node import NODE, evaluated

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


@pytest.fixture
def js():
    """The value of an expression in which the module's exports are in reach as `m`."""
    return partial(evaluated, "strip")


def test_where_no_picture_fits_it_says_what_was_probably_meant(js):
    assert js('m.stripWords({total: 14, all: 14, meant: ""})') == "14 pictures"
    assert js('m.stripWords({total: 2, all: 14, meant: ""})') == "2 of 14 pictures"
    meant = "No caption has the tag 'flower'. For a file's name: name:flower."
    assert js(f'm.stripWords({{total: 0, all: 14, meant: "{meant}"}})') == f"0 of 14 pictures. {meant}"
