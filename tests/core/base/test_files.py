"""Files are whole or as they were; names are safe everywhere."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from core.base.errors import DatasetError, DiskError
from core.base.files import atomic_write, read_text, safe_stem, write_new, write_text
from core.base.paths import ROOT


def test_a_failed_write_leaves_the_old_text_and_no_rest(tmp_path):
    file = tmp_path / "a.txt"
    write_text(file, "old")
    with pytest.raises(RuntimeError), atomic_write(file) as out:
        out.write(b"half")
        raise RuntimeError
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_never_replaces_one_that_is_there(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "Operation not permitted")))
    write_new(tmp_path / "a.png", b"mine")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "a.png", b"theirs")
    assert (tmp_path / "a.png").read_bytes() == b"mine" and (tmp_path / "a.png").stat().st_nlink == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.slow
def test_kill_9_in_a_loop_never_leaves_an_empty_or_half_file(tmp_path):
    file = tmp_path / "caption.txt"
    write_text(file, "x" * 50_000)
    code = ("import sys; from pathlib import Path; from core.base.files import write_text\n"
            "print('ready', flush=True)\n"
            "while True:\n for c in 'abc': write_text(Path(sys.argv[1]), c * 50_000)")
    for round_ in range(8):
        child = subprocess.Popen([sys.executable, "-c", code, str(file)], cwd=ROOT, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.02 + 0.013 * round_)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        text = file.read_text()
        assert len(text) == 50_000 and len(set(text)) == 1


def test_text_that_is_not_utf8_says_where(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"caf\xe9")
    with pytest.raises(DatasetError, match="byte 3 is 0xe9"):
        read_text(file)


def test_a_byte_order_mark_is_dropped(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbf1girl")
    assert read_text(file) == "1girl"


def test_a_folder_in_the_way_of_a_file_is_explained(tmp_path):
    (tmp_path / "full").mkdir()
    device = tmp_path / "full" / "a.txt"
    with pytest.raises(DiskError, match="No space left"), atomic_write(device):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("name", "wanted"), [
    ("a/b\\c", "a_b_c"), ("..", "image"), (".hidden", "hidden"), ("con", "_con"), ("NUL.tar", "_NUL.tar"), ("name. ", "name"),
    ("猫 耳", "猫 耳"), ("a[1]", "a_1_"), ("e\u0301", "\xe9"), ("", "image"), ("a...b", "a.b")])
def test_names_are_made_safe(name, wanted):
    assert safe_stem(name) == wanted


def test_long_names_are_cut_between_characters():
    assert len(safe_stem("猫" * 200).encode()) <= 80
