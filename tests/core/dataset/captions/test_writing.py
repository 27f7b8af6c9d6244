"""Captions of a model on their way into the files: what could not be written does not count as written, in the history either."""

import errno
import os

import pytest

from core.base.errors import DiskError
from core.base.progress import SILENT
from core.dataset.captions import swapping
from core.dataset.captions.tagging import TagReport
from core.dataset.captions.writing import CaptionWriter
from core.dataset.history import Change, History, Recorder, undo_last
from core.dataset.items import list_items
from core.dataset.rejecting import RejectSettings, reject_images
from tests.core.dataset.small_things import picture


def test_a_caption_that_a_person_changed_at_the_last_moment_is_not_held_for_the_models(project):
    for name in ("a", "b"):
        picture(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text("old", encoding="utf-8")
    history, report = History.of(project), TagReport()

    def change(item, tags):
        if item.id == "a":
            (project.images / "a.txt").write_text("hat", encoding="utf-8")  # typed between the look and the writing
        return Change(item.id, item.caption_name, "old", f"old, {tags}", (tags,), item.sha256)

    with history.entry("Tagged") as record:
        CaptionWriter(change, report, record, SILENT).take([[(item, "hat")] for item in list_items(project)])
    assert (report.written, [skipped.name for skipped in report.skipped]) == (1, ["a.png"])
    assert history.authored({item.id: item.sha256 for item in list_items(project)}) == {"b": {"hat"}}
    (entry,) = history.entries()
    assert [one.image for one in entry.changes] == ["b"] and entry.count == 1
    with open(history.path, "rb") as file:
        assert [one.image for one in entry.newest_changes(file, lambda line: True)] == ["b"]
    assert undo_last(project).restored == 1
    assert {path.stem: path.read_text() for path in project.images.glob("*.txt")} == {"a": "hat", "b": "old"}


def test_of_two_images_that_share_a_caption_only_one_is_written_for_and_it_can_be_undone(project):
    for name in ("a.png", "a.jpg"):
        picture(project.images / name)
    (project.images / "a.txt").write_text("mine", encoding="utf-8")
    history, report = History.of(project), TagReport()

    def change(item, tags):
        return Change(item.id, item.caption_name, "mine", f"mine, {tags} of {item.name}", (tags,), item.sha256)

    with history.entry("Tagged") as record:
        CaptionWriter(change, report, record, SILENT).take([[(item, "hat") for item in list_items(project)]])
    assert (project.images / "a.txt").read_text() == "mine, hat of a.png"
    assert (report.written, [skipped.name for skipped in report.skipped]) == (1, ["a.jpg"])
    assert report.skipped[0].reason == "Another image shares its caption a.txt."
    assert undo_last(project).restored == 1 and (project.images / "a.txt").read_text() == "mine"


def test_nothing_is_written_for_a_picture_that_was_put_aside_or_replaced_meanwhile(project):
    for name in ("aside", "other", "stays", "touched"):
        picture(project.images / f"{name}.png")
    history, report, items = History.of(project), TagReport(), list_items(project)
    reject_images(project, RejectSettings(images=("aside",)))
    picture(project.images / "other.png", size=(40, 50))
    os.utime(project.images / "touched.png", (1, 1))

    def change(item, tags):
        return Change(item.id, item.caption_name, None, tags, (tags,), item.sha256)

    with history.entry("Tagged") as record:
        CaptionWriter(change, report, record, SILENT).take([[(item, "hat") for item in items]])
    assert sorted(path.name for path in project.images.glob("*.txt")) == ["stays.txt", "touched.txt"]
    assert (report.written, [skipped.name for skipped in report.skipped]) == (2, ["aside.png", "other.png"])


def tags_of_the_models(project):
    return History.of(project).authored({item.id: item.sha256 for item in list_items(project)})


def test_what_a_kill_left_unwritten_is_not_taken_for_a_persons_choice(project):
    for name in ("a", "b"):
        picture(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text("mine", encoding="utf-8")
    shas = {item.id: item.sha256 for item in list_items(project)}
    record = Recorder(History.of(project).path, "Tagged")
    record.changes([Change(name, f"{name}.txt", "mine", "mine, hat", ("hat",), sha) for name, sha in shas.items()])
    (project.images / "b.txt").write_text("mine, hat", encoding="utf-8")  # the kill came here
    assert tags_of_the_models(project) == {"b": {"hat"}}
    (project.images / "a.txt").write_text("mine, bow", encoding="utf-8")
    record.end()
    assert tags_of_the_models(project) == {"a": {"hat"}, "b": {"hat"}}


def test_what_a_full_disk_left_unwritten_is_not_taken_for_a_persons_choice(project, monkeypatch):
    picture(project.images / "a.png")
    (project.images / "a.txt").write_text("mine", encoding="utf-8")
    history, items = History.of(project), list_items(project)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(swapping, "_write", full)
    with pytest.raises(DiskError), history.entry("Tagged") as record:
        CaptionWriter(lambda item, tags: Change(item.id, item.caption_name, "mine", f"mine, {tags}", (tags,), item.sha256), TagReport(),
                      record, SILENT).take([[(item, "hat") for item in items]])
    assert (project.images / "a.txt").read_text() == "mine" and tags_of_the_models(project) == {}


def test_what_a_failing_drive_left_unwritten_is_not_taken_for_a_persons_choice(project, monkeypatch):
    for name in ("a", "b", "c"):
        picture(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text("mine", encoding="utf-8")
    history, items, rename = History.of(project), list_items(project), os.rename

    def fail(source, target, **more):
        if target == "b.txt":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(source, target, **more)

    monkeypatch.setattr(swapping.os, "rename", fail)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), history.entry("Tagged") as record:
        CaptionWriter(lambda item, tags: Change(item.id, item.caption_name, "mine", f"mine, {tags}", (tags,), item.sha256), TagReport(),
                      record, SILENT).take([[(item, "hat") for item in items]])
    monkeypatch.undo()
    assert tags_of_the_models(project) == {"a": {"hat"}} and [entry.what for entry in history.interrupted()] == ["Tagged"]
    assert undo_last(project).restored == 1
    assert {path.read_text() for path in project.images.glob("*.txt")} == {"mine"}
