"""Numbers in sentences."""

from datetime import datetime

from core.base.words import counted, told_moment, told_size, value_words


def test_one_thing_is_told_without_an_s():
    assert [counted(number, "picture") for number in (0, 1, 2)] == ["0 pictures", "1 picture", "2 pictures"]


def test_a_value_is_told_as_the_form_tells_it():
    assert [value_words(value) for value in (True, False, None, "", [], 0, 0.5, "adamw")] == \
        ["on", "off", "nothing", "nothing", "nothing", "0", "0.5", "adamw"]


def test_a_size_is_told_in_the_unit_that_fits():
    assert [told_size(size) for size in (700, 72_700, 3_565_158, 2**30 - 1, 6_979_321_856)] == \
        ["1 KiB", "71 KiB", "3.4 MiB", "1,024.0 MiB", "6.5 GiB"]


def test_a_moment_is_told_as_one_speaks_of_it():
    now = datetime(2026, 3, 4, 9, 0).timestamp()
    moments = (datetime(2026, 3, 4, 0, 5), datetime(2026, 3, 3, 23, 59), datetime(2026, 1, 20, 7, 3), datetime(2025, 12, 31, 14, 5))
    assert [told_moment(moment.timestamp(), now) for moment in moments] == [
        "today at 00:05", "yesterday at 23:59", "on 20 January at 07:03", "on 31 December 2025 at 14:05"]
