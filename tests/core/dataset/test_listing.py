"""The quick list of a project: in natural order, kept for the next session, and never out of date after a scan."""

import pytest

from core.base.errors import DatasetError
from core.dataset import listing as module
from core.dataset.listing import find_sizes, read_captions, remember, remembered, scan
from core.dataset.rejecting import RejectSettings, reject_images
from tests.core.dataset.small_things import picture


def make(project, *names):
    for name in names:
        picture(project.images / f"{name}.png", size=(50, 30))
        (project.images / f"{name}.txt").write_text(f"{name}, hat", encoding="utf-8")


def test_images_come_in_natural_order_and_rejected_ones_behind(project):
    make(project, "10", "2", "x")
    reject_images(project, RejectSettings(images=("2",), reason="blurred"))
    found = scan(project)
    assert found.names == ["10.png", "x.png", "2.png"] and found.kept == 2 and found.reasons == {"2.png": "blurred"}
    assert found.is_rejected(2) and found.path(2) == project.rejected / "2.png" and found.key(2) == "rejected/2.png"
    assert read_captions(found).captions == ["10, hat", "x, hat", "2, hat"]


def test_what_was_kept_is_the_same_in_the_next_session(project):
    make(project, "a", "b")
    (project.images / "b.txt").unlink()
    found = find_sizes(scan(project))
    remember(found)
    again = remembered(project)
    assert (again.names, again.marks, again.kept, again.caption_marks) == (found.names, found.marks, found.kept, found.caption_marks)
    assert list(again.widths) == [50, 50] and again.captions is None and again.caption(0) == "a, hat" and again.caption(1) is None


def test_a_kept_listing_that_is_damaged_is_passed_over(project):
    make(project, "a")
    assert remembered(project) is None
    remember(scan(project))
    file = project.hidden / module.LISTING_FILE
    whole = file.read_bytes()
    for damaged in (b"", b"{}\n", whole[:30], whole[:-3] + b"\0x\0"):
        file.write_bytes(damaged)
        assert remembered(project) is None or damaged == whole


def test_only_captions_that_changed_are_read_again(project, monkeypatch):
    make(project, "a", "b")
    first = read_captions(scan(project))
    (project.images / "b.txt").write_text("b, another hat", encoding="utf-8")
    make(project, "0")
    read = []
    plain = module.read_caption_text
    monkeypatch.setattr(module, "read_caption_text", lambda path: read.append(path.name) or plain(path))
    second = read_captions(scan(project, first), first)
    assert second.captions == ["0, hat", "a, hat", "b, another hat"] and read == ["0.txt", "b.txt"]


def test_sizes_stay_with_unchanged_files_when_others_come_and_go(project):
    make(project, "a", "b")
    (project.images / "c.png").write_bytes(b"<html>")
    first = find_sizes(scan(project))
    assert list(first.widths) == [50, 50, -1]
    make(project, "0")
    picture(project.images / "b.png", size=(80, 80))
    second = scan(project, first)
    assert list(second.widths) == [0, 50, 0, -1]
    assert list(find_sizes(second).widths) == [50, 50, 80, -1]


def test_a_drive_that_went_away_is_a_sentence_and_nothing_is_made_in_its_place(project):
    make(project, "a")
    found = scan(project)
    project.folder.rename(project.folder.with_name("elsewhere"))
    with pytest.raises(DatasetError, match="does not exist"):
        scan(project, found)
    remember(found)
    assert remembered(project) is None and not project.folder.exists()
