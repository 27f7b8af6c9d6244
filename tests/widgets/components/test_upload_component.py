"""The upload's Python side: what it hands on, and what it refuses to hear."""

import pytest

from widgets.components.upload import Upload

KINDS = {"endings": (".png",), "tables": (), "junk": (), "videos": ()}


@pytest.fixture
def heard():
    return []


@pytest.fixture
def zone(heard):
    return Upload(lambda *given: heard.append(given), lambda home, place: heard.append((home, place)), KINDS, 2**20)


def test_pieces_are_handed_on_as_they_lie_in_memory(zone, heard):
    data = bytearray(b"0123")
    zone._heard(zone, {"kind": "piece", "client": "c", "serial": 1, "path": "a", "offset": 0}, [memoryview(data), b""])
    kind, asked, buffers = heard[0]
    data[0] = 65
    assert kind == "piece" and asked["path"] == "a" and bytes(buffers[0]) == b"A123"


@pytest.mark.parametrize("message", [
    {"kind": "delete", "client": "c", "serial": 1}, {"kind": "hello", "serial": 1}, {"kind": "hello", "client": "c"}, {},
    {"kind": "piece", "client": "c", "serial": 1, "path": "a", "offset": "0"}, {"kind": "open", "client": "c", "serial": 1, "size": 1.5}])
def test_what_no_page_of_ours_says_is_not_heard(zone, heard, message):
    zone._heard(zone, message, [])
    assert heard == []


def test_an_answer_carries_the_marks_of_its_question(zone):
    sent = []
    zone.send = lambda content, buffers=(): sent.append((content, buffers))
    asked = {"client": "c", "serial": 7}
    zone.answer(asked, {"have": 5}, [b"x"])
    zone.refuse(asked, "No space left.", "all")
    assert sent == [({"have": 5, "client": "c", "serial": 7}, [b"x"]),
                    ({"trouble": "No space left.", "scope": "all", "client": "c", "serial": 7}, [])]


def test_each_one_has_a_key_of_its_own_in_the_page(zone):
    assert Upload(print, print, KINDS, 1).key != zone.key
