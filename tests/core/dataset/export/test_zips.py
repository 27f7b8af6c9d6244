"""Zips of an export: whole each, small enough each, the export again when unpacked into one place, and not packed twice."""

import zipfile
from pathlib import Path

import pytest

from core.base.errors import Cancelled, DatasetError
from core.base.progress import Progress
from core.dataset.export import zips
from core.dataset.export.exporting import export_dataset
from core.dataset.export.manifest import MANIFEST
from tests.core.dataset.export.exports import caption, drawn, export, fill, settings, tree

pytestmark = pytest.mark.slow


@pytest.fixture
def filled(project):
    fill(project)
    for number in range(12):
        drawn(project.images / f"more_{number}.png", (400, 400), seed=number + 20)
        caption(project, f"more_{number}", f"mychar, number {number}")
    return project


def unpacked(places, folder: Path) -> dict[str, bytes]:
    for place in places:
        with zipfile.ZipFile(place) as archive:
            assert archive.testzip() is None
            archive.extractall(folder)
    return {name: data for name, (data, _) in tree(folder).items()}


def exported(root) -> dict[str, bytes]:
    return {name: data for name, (data, _) in tree(Path(root)).items() if name != MANIFEST}


def test_one_zip_is_the_export_and_a_second_export_leaves_it_alone(filled, tmp_path):
    report = export(filled, zip=True)
    assert report.zips == [str(filled.folder / "export" / "Test_kohya.zip")]
    assert unpacked(report.zips, tmp_path / "out") == {f"Test_kohya/{name}": data for name, data in exported(report.folder).items()}
    before = tree(filled.folder / "export")
    export(filled, zip=True)
    assert tree(filled.folder / "export") == before


def test_parts_are_small_whole_and_together_the_export_and_a_pictures_files_stay_together(filled, tmp_path):
    report = export(filled, layout="onetrainer", zip=True, part_size=1, sheets=False)
    assert len(report.zips) == 1 or all(Path(place).stat().st_size <= 2**20 for place in report.zips)
    zips_made = zips_of(filled, report, 300_000)
    assert len(zips_made) > 2 and all(place.stat().st_size <= 300_000 for place in zips_made)
    whole = unpacked(zips_made, tmp_path / "out")
    assert whole == {f"Test_onetrainer/{name}": data for name, data in exported(report.folder).items()}
    for place in zips_made:
        names = set(zipfile.ZipFile(place).namelist())
        for name in names:
            if name.endswith("-masklabel.png"):
                assert name.replace("-masklabel", "") in names
            elif name.endswith(".png"):
                assert name.replace(".png", ".txt") in names


def zips_of(project, report, most):
    """The zips with a bound in bytes instead of MiB."""
    from core.dataset.export.manifest import read_manifest

    parts = zips._parts(read_manifest(Path(report.folder)), most)
    made = []
    for number, part in enumerate(parts):
        made.append(project.folder / f"part{number}.zip")
        zips._pack(made[-1], "Test_onetrainer", Path(report.folder), part, Progress())
    return made


def test_zips_that_are_not_wanted_any_more_go_and_somebody_elses_stay(filled):
    folder = filled.folder / "export"
    export(filled, zip=True)
    other = export(filled, layout="onetrainer", zip=True).zips[0]
    (folder / "mine.zip").write_bytes(b"mine")
    assert export(filled).zips == []
    assert not (folder / "Test_kohya.zip").exists() and Path(other).exists() and (folder / "mine.zip").exists()


def test_a_zip_of_somebody_else_in_its_place_is_not_written_over(filled):
    folder = filled.folder / "export"
    folder.mkdir()
    (folder / "Test_kohya.zip").write_bytes(b"mine")
    with pytest.raises(DatasetError, match="is there, and no export made it"):
        export(filled, zip=True)
    assert (folder / "Test_kohya.zip").read_bytes() == b"mine"


def test_a_cancel_while_packing_leaves_no_half_zip(filled):
    class Stop(Progress):
        def report_step(self, item):
            if self.what == "Packing":
                self.cancel()

    with pytest.raises(Cancelled):
        export_dataset(filled, settings(zip=True), Stop())
    assert not list((filled.folder / "export").glob("*.zip*"))
    assert export(filled, zip=True).zips


def test_in_place_there_is_nothing_to_pack(filled):
    assert export(filled, layout="in_place", zip=True).zips == []
