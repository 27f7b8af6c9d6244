"""The dataset in one file: every picture and caption is in it as it is, rejected ones are not, and a full disk is told before."""

import shutil
import zipfile
from collections import namedtuple

import pytest

from core.base import zipping
from core.base.errors import Cancelled, DatasetError, DiskError
from core.base.progress import Progress
from core.dataset.packing import PackSettings, pack_dataset
from core.dataset.rejecting import RejectSettings, reject_images
from core.stages import run_stage
from tests.core.dataset.small_things import picture


@pytest.fixture
def filled(project):
    for name in ("a.png", "b.jpg", "b.png", "c.webp"):
        picture(project.images / name)
    (project.images / "a.txt").write_text("mychar, ミカ", encoding="utf-8")
    (project.images / "b.txt").write_bytes("café".encode("cp1252"))
    picture(project.images / "gone.png")
    (project.images / "gone.txt").write_text("rejected")
    reject_images(project, RejectSettings(images=("gone.png",)))
    return project


def test_everything_is_in_it_as_it_is(filled):
    report = run_stage("pack", filled.folder, {})
    place = next(filled.folder.glob("*_dataset.zip"))
    assert report["place"] == str(place) and (report["pictures"], report["captions"], report["skipped"]) == (4, 2, [])
    with zipfile.ZipFile(place) as archive:
        assert archive.testzip() is None
        inside = {name: archive.read(name) for name in archive.namelist()}
    assert inside == {path.name: path.read_bytes() for path in filled.images.iterdir()} and "gone.png" not in inside


def test_captions_alone_are_a_small_file_and_an_older_one_is_replaced(filled):
    for _ in range(2):
        report = pack_dataset(filled, PackSettings(what="captions"))
    assert report.sentence().startswith("2 captions are in ") and report.pictures == 0
    with zipfile.ZipFile(report.place) as archive:
        assert sorted(archive.namelist()) == ["a.txt", "b.txt"]
    assert len(list(filled.folder.glob("*.zip"))) == 1


def test_a_cancelled_packing_leaves_no_half_file(filled):
    class Stop(Progress):
        def report_step(self, item: str) -> None:
            self.cancel()

    with pytest.raises(Cancelled):
        pack_dataset(filled, PackSettings(), Stop())
    assert [path.name for path in filled.folder.iterdir() if "zip" in path.name] == []


def test_a_full_disk_and_an_empty_project_are_told(filled, project, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(zipping.shutil, "disk_usage", lambda _: usage(1, 1, 1000))
    with pytest.raises(DiskError, match="pack the captions alone"):
        pack_dataset(filled, PackSettings())
    monkeypatch.undo()
    shutil.rmtree(project.images)
    project.images.mkdir()
    with pytest.raises(DatasetError, match="nothing to pack"):
        pack_dataset(project, PackSettings())
