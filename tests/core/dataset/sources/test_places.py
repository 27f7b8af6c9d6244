"""Looking for pictures on this machine."""

import os

import pytest

from core.dataset.sources import places
from core.dataset.sources.places import drive_hint, known_places, list_folder
from tests.core.dataset.small_things import picture


def test_a_folder_tells_what_can_be_imported_from_it(tmp_path):
    picture(tmp_path / "a.png")
    for name in ("a.txt", "b.tar.gz", "c.ZIP", "notes.md", ".hidden"):
        (tmp_path / name).write_text("x")
    for name in ("10", "2", "__MACOSX"):
        (tmp_path / name).mkdir()
    listing = list_folder(tmp_path / "10" / "..")
    assert (listing.folder, listing.folders, listing.archives) == (tmp_path, ["2", "10"], ["b.tar.gz", "c.ZIP"])
    assert listing.sentence() == "1 picture, 1 caption, 2 folders, 2 archives."
    assert list_folder(tmp_path / "2").sentence() == "nothing to import."


def test_a_huge_folder_is_looked_at_in_part(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "MOST", 5)
    for number in range(9):
        (tmp_path / f"{number}.png").write_bytes(b"")
    assert list_folder(tmp_path).sentence() == "More than 5 pictures."


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_without_permission_says_so(tmp_path):
    tmp_path.chmod(0)
    assert "cannot be read" in list_folder(tmp_path).sentence()


def test_a_missing_folder_and_a_link_to_nowhere_do_no_harm(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert list_folder(tmp_path).folders == []
    assert list_folder(tmp_path / "gone").sentence().endswith("cannot be read (No such file or directory).")


def test_google_drive_is_offered_where_it_is_mounted_and_explained_where_it_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "DRIVE", tmp_path / "MyDrive")
    assert "connect it" in drive_hint(True) and drive_hint(False) == "" and "Google Drive" not in dict(known_places())
    (tmp_path / "MyDrive").mkdir()
    assert drive_hint(True) == "" and known_places()[0] == ("Google Drive", tmp_path / "MyDrive")
