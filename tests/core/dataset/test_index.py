"""The index is a cache: gone, broken or locked, the work goes on."""

import sqlite3

import pytest

from core.dataset.index import ImageRow, Index
from core.dataset.items import list_items
from tests.core.dataset.small_things import picture

ROW = ImageRow("a.png", 1, 2, 3, 4, "f" * 64)


def test_what_was_stored_is_found_again(tmp_path):
    with Index(tmp_path / "i.sqlite") as index:
        index.remember_images([ROW])
    with Index(tmp_path / "i.sqlite") as index:
        assert index.images() == {"a.png": ROW}


def test_contents_that_decode_whole_are_known_again(tmp_path):
    with Index(tmp_path / "i.sqlite") as index:
        index.remember_whole(["f" * 64, ""])
    with Index(tmp_path / "i.sqlite") as index:
        assert index.whole(["f" * 64, "0" * 64, ""]) == {"f" * 64}


def test_files_that_are_gone_are_forgotten(tmp_path):
    with Index(tmp_path / "i.sqlite") as index:
        index.remember_images([ROW])
        index.remember_images([], gone=["a.png"])
        assert index.images() == {}


def test_a_broken_index_is_replaced(tmp_path):
    path = tmp_path / "i.sqlite"
    path.write_bytes(b"this is no database" * 500)
    with Index(path) as index:
        index.remember_images([ROW])
        assert index.images() == {"a.png": ROW}


def test_it_may_be_deleted_while_it_is_open(tmp_path):
    with Index(tmp_path / "i.sqlite") as index:
        index.remember_images([ROW])
        (tmp_path / "i.sqlite").unlink()
        assert index.images() == {}
        index.remember_images([ROW])
        assert index.images() == {"a.png": ROW}


@pytest.mark.slow
def test_a_locked_index_is_done_without_and_kept(project):
    picture(project.images / "a.png")
    list_items(project)
    path = project.hidden / "index.sqlite"
    before = path.stat().st_ino
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert [item.id for item in list_items(project)] == ["a"]
    finally:
        other.close()
    assert path.stat().st_ino == before  # locked is not broken


def test_more_images_than_sqlite_takes_variables(tmp_path):
    hashes = [f"{number:064}" for number in range(2500)]
    with Index(tmp_path / "i.sqlite") as index:
        index.remember_whole(hashes)
        assert len(index.whole(hashes)) == 2500
