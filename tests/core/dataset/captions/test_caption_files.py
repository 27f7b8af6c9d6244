"""A caption file is never blanked, never mixed up, never overwritten unseen."""

import os
import subprocess
import sys
import time

import pytest

from core.base.errors import DatasetError, DiskError
from core.base.paths import ROOT
from core.base.progress import SILENT
from core.dataset.captions.files import (
    CaptionConflict,
    one_line,
    read_caption,
    read_caption_text,
    split_tags,
    tag_key,
    write_caption,
)
from core.dataset.captions.swapping import Swap, swap_captions
from core.dataset.manager import DatasetManager
from core.dataset.project import trained_on
from core.training.preflight.caches import find_stale, forget_stale


def test_what_is_written_is_utf8_without_mark_and_one_line(tmp_path):
    path = tmp_path / "a.txt"
    saved = write_caption(path, "\ufeffred hat,\r\nミカ\n\n1girl\x00 ", read_caption(path).revision)
    assert path.read_bytes() == "red hat, ミカ, 1girl".encode()
    assert saved.text == "red hat, ミカ, 1girl" and read_caption(path).revision == saved.revision


def test_a_save_over_a_file_that_changed_meanwhile_is_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("first")
    seen = read_caption(path, "a")
    path.write_text("by another program")
    with pytest.raises(CaptionConflict, match="was changed by something else"):
        write_caption(path, "mine", seen.revision, "a")
    assert path.read_text() == "by another program"


def test_a_caption_that_appeared_or_vanished_meanwhile_is_a_conflict_too(tmp_path):
    path = tmp_path / "a.txt"
    nothing = read_caption(path)
    path.write_text("new")
    with pytest.raises(CaptionConflict):
        write_caption(path, "mine", nothing.revision)
    seen = read_caption(path)
    path.unlink()
    with pytest.raises(CaptionConflict):
        write_caption(path, "mine", seen.revision)


def test_a_late_save_of_one_image_cannot_reach_another(tmp_path):
    (tmp_path / "a.txt").write_text("about a")
    (tmp_path / "b.txt").write_text("about b")
    seen = read_caption(tmp_path / "a.txt", "a")
    with pytest.raises(CaptionConflict):
        write_caption(tmp_path / "b.txt", "about a, more", seen.revision, "a")
    assert (tmp_path / "b.txt").read_text() == "about b"


@pytest.mark.parametrize("text", ["", "  \n", "\ufeff\x00"])
def test_an_empty_caption_is_refused_and_the_old_one_stays(tmp_path, text):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(DatasetError, match="would be empty"):
        write_caption(path, text, read_caption(path).revision)
    assert path.read_text() == "old"


def test_a_caption_that_is_not_utf8_is_named_and_stays(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("café".encode("cp1252"))
    with pytest.raises(DatasetError, match="0xe9"):
        read_caption(path)
    assert path.read_bytes() == "café".encode("cp1252")


def test_utf16_that_says_so_is_read(tmp_path):
    (tmp_path / "a.txt").write_bytes("ミカ".encode("utf-16"))
    assert read_caption(tmp_path / "a.txt").text == "ミカ"


def test_a_kill_in_the_middle_of_saving_leaves_one_whole_caption(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("start")
    code = ("import sys; from pathlib import Path; from core.dataset.captions.files import *\n"
            "p = Path(sys.argv[1]); n = 0\n"
            "while True:\n    n += 1; write_caption(p, 'word ' * 2000 + str(n), read_caption(p).revision)")
    for wait in (0.02, 0.05, 0.11):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT)
        before = path.read_text()
        deadline = time.monotonic() + 30
        while path.read_text() == before and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(wait)
        process.kill()
        process.wait()
        text = path.read_text()
        assert text.startswith("word " * 2000) and text.rsplit(" ", 1)[1].isdecimal()


def test_a_folder_without_permission_is_a_sentence(tmp_path, monkeypatch):
    import os

    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(DiskError, match="No permission"):
        write_caption(tmp_path / "a.txt", "x", "none")


def test_the_trainers_cache_of_an_old_caption_is_taken_away_and_others_stay(tmp_path):
    for name in ("a_te_outputs.npz", "a_flux_te.npz", "a_b_te_outputs.npz", "a_0512x0512_sd.npz"):
        (tmp_path / name).write_bytes(b"x")
    write_caption(tmp_path / "a.txt", "hat", "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "a_0512x0512_sd.npz", "a_b_te_outputs.npz"]


@pytest.mark.parametrize(("text", "line"), [("a\nb", "a, b"), ("A girl.\nShe sits.", "A girl. She sits."), ("a,\n\n b ", "a, b"),
                                            ("(red:1.2) hat\\", "(red:1.2) hat\\"), ("a\x85b\x9fc", "a b c"), ("a\u2028b\u2029", "a, b")])
def test_lines_become_one_and_no_sign_is_changed(text, line):
    assert one_line(text) == line


def test_tags_keep_their_order_and_empty_ones_go():
    assert split_tags("mika, zebra, , apple,Zebra,") == ["mika", "zebra", "apple", "Zebra"]


def test_spellings_of_one_tag_are_equal_and_faces_are_not_words():
    assert tag_key("Long_Hair ") == tag_key("long hair")
    assert tag_key("^_^") == "^_^" and tag_key("o_o") == "o_o"


def test_a_caption_that_cannot_be_read_is_a_sentence_with_its_path(tmp_path):
    path = tmp_path / "a.txt"
    path.mkdir()
    with pytest.raises(DatasetError, match="a.txt cannot be read .*[Dd]irectory"):
        read_caption(path)
    with pytest.raises(DatasetError, match="a.txt cannot be read"):
        write_caption(path, "hat", "none")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_caption(tmp_path / ("long" * 100 + ".txt"))
    assert read_caption_text(path) is None and list(path.iterdir()) == []


def test_a_save_of_what_the_disk_holds_already_is_saved_and_no_conflict(tmp_path):
    path = tmp_path / "a.txt"
    before = read_caption(path)
    first = write_caption(path, "hat,\n", before.revision, "a")
    assert write_caption(path, "hat, ", before.revision, "a") == first
    with pytest.raises(CaptionConflict):
        write_caption(path, "hat, bow", before.revision, "a")


def test_while_a_training_reads_them_text_encoder_outputs_stay_until_the_next_one_begins(tmp_path):
    project = DatasetManager.create("Cats", parent=tmp_path).project
    caption, cache, fresh = (project.images / name for name in ("a.txt", "a_te_outputs.npz", "b_te_outputs.npz"))
    for path in (caption, cache, fresh):
        path.write_bytes(b"mika")
    os.utime(caption, (1, 1))
    (project.images / "b.txt").write_text("hat")
    os.utime(project.images / "b.txt", (1, 1))
    with trained_on([project.images], "mika", SILENT):
        write_caption(caption, "mika, hat", read_caption(caption).revision)
        assert cache.exists()
        forget_stale(find_stale(project.images))
        assert not cache.exists() and fresh.exists()
        cache.write_bytes(b"x")
        swap_captions(project.images, [Swap("a.txt", "mika, hat", "mika")], SILENT)
        assert cache.exists()
    write_caption(caption, "mika, cat", read_caption(caption).revision)
    assert not cache.exists()
