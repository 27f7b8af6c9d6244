"""Keeping one's own text over another's loses neither."""

import errno
import os

import pytest

from core.base import files as base_files
from core.base.errors import DatasetError, DiskError
from core.dataset.captions import files
from core.dataset.captions.files import NO_FILE, CaptionConflict, read_caption
from core.dataset.captions.overwriting import overwrite_caption, save_caption, take_caption_away
from core.dataset.history import History, Recorder, redo_last, undo_last
from tests.core.dataset.small_things import picture


@pytest.fixture
def caption(project):
    picture(project.images / "a.png")
    path = project.images / "a.txt"
    path.write_text("theirs")
    return path


def test_my_text_is_written_and_an_undo_brings_theirs_back(project, caption):
    saved = overwrite_caption(project, "a", "mine,\n", read_caption(caption).revision)
    assert caption.read_text() == saved.text == "mine," and read_caption(caption).revision == saved.revision
    assert undo_last(project).restored == 1 and caption.read_text() == "theirs"


def test_a_caption_that_was_taken_away_is_written_anew(project, caption):
    caption.unlink()
    overwrite_caption(project, "a", "mine", NO_FILE)
    assert caption.read_text() == "mine"
    undo_last(project)
    assert not caption.exists()


def test_a_text_that_was_not_seen_is_not_overwritten_and_nothing_is_noted(project, caption):
    seen = read_caption(caption).revision
    caption.write_text("changed once more")
    with pytest.raises(CaptionConflict):
        overwrite_caption(project, "a", "mine", seen)
    with pytest.raises(DatasetError, match="would be empty"):
        overwrite_caption(project, "a", " \n", read_caption(caption).revision)
    assert caption.read_text() == "changed once more" and History.of(project).entries() == []


def test_what_is_no_text_is_not_overwritten(project, caption):
    caption.write_bytes(b"caf\xe9")
    with pytest.raises(DatasetError, match="not UTF-8"):
        overwrite_caption(project, "a", "mine", "any")
    assert caption.read_bytes() == b"caf\xe9"


@pytest.mark.parametrize("text", ["theirs", "theirs,\nin lines"])
def test_what_could_not_be_written_is_no_change(project, caption, monkeypatch, text):
    caption.write_text(text)
    seen = read_caption(caption).revision
    monkeypatch.setattr(files, "write_text", lambda *given, **more: (_ for _ in ()).throw(DiskError("No space is left.", "Free some.")))
    with pytest.raises(DiskError):
        (overwrite_caption if text == "theirs" else save_caption)(project, "a", "mine", seen)
    assert caption.read_text() == text and [(entry.count, entry.unfinished) for entry in History.of(project).entries()] == [(0, "")]
    monkeypatch.undo()
    undo_last(project)
    assert caption.read_text() == text


@pytest.mark.parametrize("act", [save_caption, overwrite_caption, take_caption_away])
def test_where_the_lines_cannot_be_noted_nothing_is_changed(project, caption, monkeypatch, act):
    caption.write_text("theirs,\nin lines")
    seen = read_caption(caption).revision
    monkeypatch.setattr(Recorder, "lines", lambda *given: (_ for _ in ()).throw(DiskError("No space is left.", "Free some.")))
    with pytest.raises(DiskError):
        act(project, "a", *(["mine"] if act is not take_caption_away else []), seen)
    assert caption.read_text() == "theirs,\nin lines"
    assert [(entry.count, entry.unfinished) for entry in History.of(project).entries()] == [(0, "")]


@pytest.mark.parametrize("text", ["theirs", "red {a|b}\nblue hair\n"])
def test_a_caption_that_was_removed_comes_back_letter_by_letter(project, caption, text):
    caption.write_text(text)
    seen = read_caption(caption).revision
    assert take_caption_away(project, "a", seen).revision == NO_FILE and not caption.exists()
    assert undo_last(project).restored == 1 and caption.read_text() == text
    assert redo_last(project).restored == 1 and not caption.exists()
    undo_last(project)
    assert read_caption(caption).revision == seen


def test_only_the_text_that_was_seen_is_removed(project, caption):
    seen = read_caption(caption).revision
    caption.write_text("changed once more")
    with pytest.raises(CaptionConflict):
        take_caption_away(project, "a", seen)
    assert caption.read_text() == "changed once more"
    caption.unlink()
    with pytest.raises(DatasetError, match="a has no caption"):
        take_caption_away(project, "a", NO_FILE)
    assert History.of(project).entries() == []


def test_tags_that_went_with_a_removed_caption_may_come_again(project, caption):
    caption.write_text("hat, bow", encoding="utf-8")
    history = History.of(project)
    with history.entry("Tagged") as record:
        record.change("a", "a.txt", None, "hat, bow", ["hat", "bow"])
    seen = read_caption(caption, "a").revision
    assert history.authored({"a": ""}) == {"a": {"hat", "bow"}}
    take_caption_away(project, "a", seen)
    caption.write_text("mine", encoding="utf-8")
    assert history.authored({"a": ""}) == {"a": set()}
    caption.unlink()
    undo_last(project)
    assert history.authored({"a": ""}) == {"a": {"hat", "bow"}} and caption.read_text(encoding="utf-8") == "hat, bow"


@pytest.mark.parametrize("text", ["theirs", "theirs,\nin lines"])
@pytest.mark.parametrize("act", [save_caption, overwrite_caption])
def test_what_was_written_is_no_error_though_the_history_has_no_room_for_its_end_and_a_second_try_no_conflict(
        project, caption, monkeypatch, act, text):
    caption.write_text(text)
    seen, write = read_caption(caption).revision, os.write

    def full(handle, data):
        if b'"event": "end"' in data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, data)

    with monkeypatch.context() as patch:
        patch.setattr(base_files.os, "write", full)
        first = act(project, "a", "mine", seen)
    assert caption.read_text() == "mine" and act(project, "a", "mine", seen) == first
    assert len(History.of(project).entries()) == (0 if act is save_caption and text == "theirs" else 1)
