"""Numbers in sentences."""

from core.base.words import counted


def test_one_thing_is_told_without_an_s():
    assert [counted(number, "picture") for number in (0, 1, 2)] == ["0 pictures", "1 picture", "2 pictures"]
