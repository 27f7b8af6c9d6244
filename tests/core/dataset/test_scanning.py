"""Captions are read again where their files changed, and only there."""

import os
import time

import pytest

from core.dataset import scanning
from core.dataset.index import Index
from core.dataset.items import list_items
from tests.core.dataset.small_things import picture


def old(path, seconds=60):
    """As if it had been written a minute ago, so that its time can be trusted."""
    past = time.time_ns() - seconds * 1_000_000_000
    os.utime(path, ns=(past, past))


def captions(project):
    return {item.id: item.caption for item in list_items(project)}


def test_an_unchanged_caption_is_not_read_again(project, monkeypatch):
    monkeypatch.setattr(scanning, "SETTLED_NS", -1)
    picture(project.images / "a.png")
    (project.images / "a.txt").write_text("hat")
    assert captions(project) == {"a": "hat"}
    monkeypatch.setattr(scanning, "read_caption_text", lambda path: pytest.fail(f"{path} was read again"))
    assert captions(project) == {"a": "hat"}


def test_a_caption_of_the_same_length_and_time_is_seen_by_the_time_of_its_change(project, monkeypatch):
    monkeypatch.setattr(scanning, "SETTLED_NS", -1)
    picture(project.images / "a.png")
    caption = project.images / "a.txt"
    caption.write_text("hat")
    old(caption)
    assert captions(project) == {"a": "hat"}
    facts = caption.stat()
    caption.write_text("cap")
    os.utime(caption, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert captions(project) == {"a": "cap"}


@pytest.mark.parametrize(("age_ns", "end_ns", "settled"), [
    (1_000_000_000, 0, False), (3_000_000_000, 0, True),  # full milliseconds: a clock that may tick every two seconds
    (1_000_000_000, 123_457, True), (1_000_000, 123_457, False),
    (-5_000_000_000, 123_457, False), (10**20, 0, False)])
def test_how_long_a_time_is_not_trusted_depends_on_the_file_systems_clock(monkeypatch, age_ns, end_ns, settled):
    now = 1_800_000_000_000_000_000
    monkeypatch.setattr(scanning.time, "time_ns", lambda: now)
    assert scanning.is_settled(max(0, now - age_ns) // 1_000_000 * 1_000_000 + (end_ns if age_ns < now else 0)) is settled


def test_a_caption_that_was_written_just_now_is_read_again_as_its_clock_may_not_have_ticked(project, monkeypatch):
    monkeypatch.setattr(scanning, "SETTLED_NS", 10**13)
    monkeypatch.setattr(scanning, "FINE_SETTLED_NS", 10**13)
    picture(project.images / "a.png")
    (project.images / "a.txt").write_text("hat")
    assert captions(project) == {"a": "hat"}
    with Index(project.hidden / "index.sqlite") as index:
        assert index.captions() == {}


def test_captions_that_are_gone_or_cannot_be_read_are_none(project, monkeypatch):
    monkeypatch.setattr(scanning, "SETTLED_NS", -1)
    for name in ("a", "b", "c"):
        picture(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text(name)
    assert captions(project) == {"a": "a", "b": "b", "c": "c"}
    (project.images / "a.txt").unlink()
    (project.images / "b.txt").write_bytes(b"caf\xe9")
    assert captions(project) == {"a": None, "b": None, "c": "c"}
    with Index(project.hidden / "index.sqlite") as index:
        assert "a.txt" not in index.captions()
