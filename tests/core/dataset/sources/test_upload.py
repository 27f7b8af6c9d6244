"""Where uploads go, their records, and the import that reads them."""

import io
import shutil
import zipfile
from pathlib import Path

import pytest

from core.base.errors import DatasetError
from core.dataset.project import Project
from core.dataset.sources.found_captions import find_source_captions
from core.dataset.sources.import_settings import ImportSettings
from core.dataset.sources.importing import import_images
from core.dataset.sources.receiving import Receiver
from core.dataset.sources.upload import UploadRecord, UploadSettings, not_imported, own_folder
from core.dataset.sources.upload_parts import Offer, block_digests
from tests.core.dataset.small_things import png_bytes

UPLOAD = "upload_20260101-120000"
USUAL = UploadSettings()


def upload(project, files: dict[str, bytes], settings=USUAL, name=UPLOAD) -> Receiver:
    receiver = Receiver(project, name, settings)
    receiver.take_small([(Offer(path, len(data)), memoryview(data), block_digests(memoryview(data))) for path, data in files.items()])
    receiver.end()
    return receiver


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def images(project) -> dict[str, str]:
    return {path.name: path.with_suffix(".txt").read_text() if path.with_suffix(".txt").exists() else ""
            for path in sorted(project.images.glob("*.png"))}


def bring(project, record: UploadRecord):
    return import_images(project, ImportSettings(source=str(record.path)))


def test_an_upload_is_imported_with_its_captions_and_archives_each_apart(project):
    receiver = upload(project, {
        "x/a.png": png_bytes((1, 0, 0)), "x/a.txt": b"of x", "y/a.png": png_bytes((2, 0, 0)), "y/a.txt": b"of y",
        "pack.zip": zipped({"a.png": png_bytes((3, 0, 0)), "a.txt": b"of the archive"}), "broken.zip": b"no archive", "old.rar": b"Rar!"})
    assert [record.path for record in not_imported(project)] == [receiver.record.path]
    report = bring(project, receiver.record)
    assert sorted(images(project).values()) == ["of the archive", "of x", "of y"]
    assert {item.name for item in report.skipped} == {"broken.zip", "old.rar"} and not_imported(project) == []
    assert list((project.hidden / "unpacked").iterdir()) == []
    assert bring(project, receiver.record).imported == []


def test_captions_in_json_files_come_with_an_upload_and_stay_with_their_own_picture(project, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "a.png").write_bytes(png_bytes((9, 9, 9)))
    (own / "a.json").write_text('{"caption": "another one"}')
    project.write_info(project.info().changed(sources=(str(own),)))
    receiver = upload(project, {"a.png": png_bytes((1, 0, 0)), "a.json": b'{"caption": "red"}', "b.png": png_bytes((0, 1, 0)),
                                "b.png.json": b'{"tags": ["green", "small"]}', "settings.json": b'{"lr": 1}'})
    report = import_images(project, ImportSettings(source=str(receiver.record.path)))
    assert images(project) == {"a-2.png": "red", "b.png": "green, small"} and report.from_json == 2
    assert report.others == {".json": 1} and (own / "a.json").read_text() == '{"caption": "another one"}'


def test_a_mask_is_known_by_the_makers_names_though_its_picture_was_stored_under_another(project, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "a.png").write_bytes(png_bytes((9, 0, 0)))
    import_images(project, ImportSettings(source=str(own)))
    receiver = upload(project, {"a.png": png_bytes((1, 0, 0)), "a-masklabel.png": png_bytes((255, 255, 255)),
                                "pack.zip": zipped({"b.png": png_bytes((2, 0, 0)), "masks/b.png": png_bytes((255, 255, 254)),
                                                    "b.json": b'{"tags": ["hat"]}'})})
    assert {file.path: file.name for file in receiver.record.arrived()}["a.png"] == "a-2.png"
    report = bring(project, receiver.record)
    assert images(project) == {"a-2.png": "", "a.png": "", "b.png": "hat"} and (report.masks, report.skipped) == (2, [])
    assert sorted(path.name for path in project.variants.iterdir()) == ["a-2_mask.png", "b_mask.png"]


def test_what_was_taken_away_since_is_skipped_and_the_rest_comes_in(project):
    receiver = upload(project, {"a.png": png_bytes((1, 0, 0)), "b.png": png_bytes((2, 0, 0)), "c.zip": zipped({"c.png": png_bytes()})})
    for name in ("a.png", "c.zip"):
        (receiver.folder / name).unlink()
    report = bring(project, receiver.record)
    assert list(images(project)) == ["b.png"] and sorted(item.name for item in report.skipped) == ["a.png", "c.zip"]


def test_a_record_that_is_damaged_says_so(project, tmp_path):
    (tmp_path / "x.upload").write_text("nothing\n")
    with pytest.raises(DatasetError, match="no record of an upload"):
        bring(project, UploadRecord(tmp_path / "x.upload"))


def test_uploads_go_into_the_makers_own_folder_and_the_import_reads_only_what_came(project, tmp_path):
    own = tmp_path / "cats"
    own.mkdir()
    (own / "first.png").write_bytes(png_bytes((1, 1, 1)))
    import_images(project, ImportSettings(source=str(own)))
    receiver = upload(project, {"second.png": png_bytes((2, 2, 2))})
    assert (own / "second.png").is_file() and [path.name for path in (project.folder / "uploads").iterdir()] == [f"{UPLOAD}.upload"]
    assert [item.name for item in bring(project, receiver.record).imported] == ["second.png"]
    elsewhere = upload(project, {"third.png": png_bytes((3, 3, 3))}, UploadSettings(where="project"), "upload_20260101-120001")
    assert elsewhere.folder == project.folder / "uploads" / "upload_20260101-120001"


def test_folders_that_are_not_the_makers_own_take_no_uploads(project, tmp_path):
    from core.base.paths import DEMO_ASSETS

    inside, gone, locked = project.folder / "uploads" / "x", tmp_path / "gone", tmp_path / "a.zip"
    inside.mkdir(parents=True)
    locked.write_bytes(b"x")
    places = (str(tmp_path), str(inside), str(gone), str(locked), str(DEMO_ASSETS / "pictures"))
    project.write_info(project.info().changed(sources=places))
    assert own_folder(project) is None


def test_a_project_that_moved_finds_its_uploads(project, tmp_path):
    receiver = upload(project, {"a.png": png_bytes()})
    moved = tmp_path / "elsewhere"
    project.folder.rename(moved)
    record = UploadRecord(moved / "uploads" / f"{UPLOAD}.upload")
    assert record.folder() == moved / "uploads" / UPLOAD and record.arrived()[0].name == "a.png" and receiver.arrived == 1


@pytest.mark.parametrize("bring_over", [shutil.move, shutil.copytree])
def test_a_project_that_moved_knows_what_it_imported_and_what_lies_beside_it(project, tmp_path, bring_over):
    receiver = upload(project, {"a.png": png_bytes()})
    bring(project, receiver.record)
    moved = Project(tmp_path / "elsewhere")
    bring_over(project.folder, moved.folder)
    assert not_imported(moved) == []
    (moved.folder / "uploads" / UPLOAD / "a.txt").write_text("a cat")
    found = find_source_captions(moved)
    assert found.gone == [] and [one.found for one in found.found] == ["a cat"]


@pytest.mark.parametrize("name", ["../evil", "upload_1", "upload_20260101-120000/x", ""])
def test_an_upload_cannot_be_named_out_of_its_folder(project, name):
    with pytest.raises(DatasetError, match="No upload is called"):
        Receiver(project, name, UploadSettings())


def test_half_a_line_of_the_record_is_passed_over(project):
    receiver = upload(project, {"a.png": png_bytes()})
    with open(receiver.record.path, "a") as file:
        file.write('{"path": "b.png", "na')
    assert [file.name for file in UploadRecord(Path(receiver.record.path)).arrived()] == ["a.png"]


def test_names_with_line_separators_of_unicode_stay_one_line_of_the_record(project):
    receiver = upload(project, {"a\u2028b\x85c\u2029.png": png_bytes((1, 0, 0))})
    assert [file.path for file in UploadRecord(receiver.record.path).arrived()] == ["a\u2028b\x85c\u2029.png"]
