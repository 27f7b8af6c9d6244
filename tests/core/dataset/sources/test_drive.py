"""Google Drive on Colab: connected once, then a source like a folder or archive."""

import sys
import zipfile

import pytest

from core.base.errors import DatasetError
from core.dataset.items import list_items
from core.dataset.manager import DatasetManager
from core.dataset.sources import places
from core.dataset.sources.drive import DriveSource, connect_drive, is_colab, on_drive
from tests.core.dataset.small_things import picture, png_bytes
from tests.core.dataset.sources.colab import make_colab


def calls():
    return sys.modules["google.colab.drive"].CALLS


def test_connecting_mounts_once_and_gives_the_folder_of_my_drive(tmp_path, monkeypatch):
    drive = make_colab(tmp_path, monkeypatch)
    assert is_colab() and not drive.exists()
    assert connect_drive() == drive and drive.is_dir()
    assert connect_drive() == drive and calls() == [str(drive.parent)]


@pytest.mark.parametrize(("variable", "words"), [("REFUSED", "credential propagation"), ("FAILED", "mount failed"),
                                                 ("EMPTY", "is not there")])
def test_a_refusal_is_a_sentence(tmp_path, monkeypatch, variable, words):
    make_colab(tmp_path, monkeypatch)
    monkeypatch.setenv(variable, "1")
    with pytest.raises(DatasetError, match=words):
        connect_drive()


def test_outside_of_colab_it_says_why_it_cannot_be_used(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "DRIVE", tmp_path / "MyDrive")
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    with pytest.raises(DatasetError, match="only be connected in a notebook on Google Colab"):
        connect_drive()
    with pytest.raises(DatasetError, match="not connected"):
        DatasetManager.create("Cats", parent=tmp_path).import_from("cats", kind="drive")


def test_a_folder_of_drive_is_imported_by_its_path_inside_my_drive_and_stays_as_it_is(tmp_path, monkeypatch):
    drive = make_colab(tmp_path, monkeypatch)
    connect_drive()
    picture(drive / "cats" / "a.png", (1, 2, 3))
    (drive / "cats" / "a.txt").write_text("cat")
    manager = DatasetManager.create("Cats", parent=tmp_path / "projects")
    report = manager.import_from("cats", kind="drive")
    assert len(report.imported) == 1 and report.captions == 1
    assert manager.project.info().sources == (str(drive / "cats"),)
    assert sorted(path.name for path in drive.rglob("*")) == ["a.png", "a.txt", "cats"]
    assert len(manager.import_from(drive / "cats", kind="drive").already) == 1
    (drive / "cats" / "a.txt").write_text("cat, hat")
    assert [one.found for one in manager.find_source_captions().found] == ["cat, hat"]


def test_an_archive_on_drive_is_unpacked_elsewhere(tmp_path, monkeypatch):
    drive = make_colab(tmp_path, monkeypatch)
    connect_drive()
    with zipfile.ZipFile(drive / "cats.zip", "w") as archive:
        archive.writestr("b.png", png_bytes())
    manager = DatasetManager.create("Cats", parent=tmp_path / "projects")
    assert len(manager.import_from("cats.zip", kind="drive").imported) == 1
    assert [item.id for item in list_items(manager.project)] == ["b"] and [path.name for path in drive.iterdir()] == ["cats.zip"]


def test_a_path_that_leads_away_from_drive_is_refused_and_a_shortcut_inside_is_not(tmp_path, monkeypatch):
    drive = make_colab(tmp_path, monkeypatch)
    connect_drive()
    (tmp_path / "elsewhere").mkdir()
    for path in ("../../../elsewhere", str(tmp_path / "elsewhere")):
        with pytest.raises(DatasetError, match="does not lie on Google Drive"):
            on_drive(path)
    picture(drive.parent / ".shortcut-targets-by-id" / "x" / "a.png", (1, 2, 3))
    (drive / "shared").symlink_to(drive.parent / ".shortcut-targets-by-id" / "x")
    with DriveSource("shared", tmp_path) as source:
        assert [file.name for part in source.parts() for file in part.images] == ["a.png"]


def test_a_folder_that_is_not_on_drive_says_so(tmp_path, monkeypatch):
    make_colab(tmp_path, monkeypatch)
    connect_drive()
    with pytest.raises(DatasetError, match="does not exist"):
        DriveSource("nothing", tmp_path)
