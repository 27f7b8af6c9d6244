"""What a project holds when it is opened."""

import os
import time

import pytest

from core.base.errors import DatasetError
from core.base.files import write_json
from core.base.jobs import append_event, start_job
from core.dataset.history import History
from core.dataset.manager import DatasetManager
from core.dataset.opening_report import OpeningSettings, look_at_project
from core.dataset.project import PENDING
from core.dataset.rejecting import RejectSettings
from core.dataset.sources.upload import UploadSettings
from core.dataset.sources.upload_parts import Offer, block_digests
from core.stages import run_stage
from tests.core.dataset.small_things import picture


@pytest.fixture
def manager(tmp_path):
    manager = DatasetManager.create("Cats", parent=tmp_path / "projects")
    for number in range(4):
        picture(manager.project.images / f"{number}.png", (number, 9, 9))
    return manager


def begin_job(project, stage, number=1, **last):
    folder = project.jobs / f"20260101-00000{number}-{stage}"
    folder.mkdir(parents=True)
    write_json(folder / "settings.json", {"stage": stage, "project": str(project.folder), "settings": {}})
    append_event(folder, "start", what=stage, total=100)
    append_event(folder, "step", done=30)
    if last:
        append_event(folder, **last)


def remarks(manager):
    return [finding.what for finding in manager.opening().unfinished]


def test_an_empty_project_has_no_pictures_and_nothing_else_to_tell(tmp_path):
    report = DatasetManager.create("Empty", parent=tmp_path).opening()
    assert report.rows() == [("Pictures", "0")] and report.unfinished == [] and report.sentence() == "Pictures: 0."


def test_saved_captions_are_counted_and_an_empty_one_is_none(manager):
    images = manager.project.images
    (images / "0.txt").write_text("a cat")
    (images / "1.txt").write_text("")
    (images / "2.txt").write_bytes(b"\xef\xbb\xbf\n")
    (images / "of nothing.txt").write_text("x")
    report = manager.opening()
    assert (report.images, report.captioned, report.uncaptioned) == (4, 1, 3)
    assert report.rows() == [("Pictures", "4"), ("Captions", "1 saved, 3 pictures without one")]


def test_masks_and_variants_are_told_apart_by_their_names(manager):
    for name in ("0_mask.png", "1_face_mask.png", "0_resized.png", "1_resized.jpg", "0_upscaled.png", "0_inpainted.jpg", "0_face.png",
                 "0_transparent.png", "0_repaint_mask.png", "notes.txt", ".hidden_mask.png"):
        (manager.project.variants / name).write_bytes(b"x")
    report = manager.opening()
    assert report.masks == 2
    assert report.variants == {"resized": 2, "upscaled": 1, "inpainted": 1, "transparent": 1, "cropped": 1, "marked to repaint": 1}
    assert ("Variants", "2 resized, 1 upscaled, 1 inpainted, 1 transparent, 1 cropped, 1 marked to repaint") in report.rows()


def test_rejected_and_broken_pictures_are_counted_as_far_as_they_are_known(manager):
    (manager.project.images / "broken.png").write_bytes(b"no picture")
    assert manager.opening().unreadable == 0  # nothing was opened yet, and nothing is opened for the report
    manager.items()
    manager.reject(RejectSettings(images=("0",)))
    report = manager.opening()
    assert (report.images, report.unreadable, report.rejected) == (4, 1, 1)
    assert report.rows()[0] == ("Pictures", "4, of which 1 cannot be opened") and ("Rejected", "1") in report.rows()
    picture(manager.project.images / "broken.png")
    assert manager.opening().unreadable == 0


def test_no_picture_is_opened_for_it(manager, monkeypatch):
    from PIL import Image

    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("a picture was opened"))
    assert manager.opening().images == 4


def test_captions_beside_the_sources_are_counted_apart(tmp_path):
    for number in range(3):
        picture(tmp_path / "source" / f"{number}.png", (number, 9, 9))
    (tmp_path / "source" / "0.txt").write_text("a")
    manager = DatasetManager.create("Cats", parent=tmp_path / "projects")
    manager.import_from(tmp_path / "source")
    (tmp_path / "source" / "0.txt").write_text("a, b")
    (tmp_path / "source" / "1.txt").write_text("one")
    report = manager.opening()
    assert (report.captioned, report.uncaptioned) == (1, 2)
    assert ("Beside the sources", "captions for 1 picture without one, 1 caption changed since the import") in report.rows()
    assert manager.opening(OpeningSettings(sources=False)).found is None
    (tmp_path / "source").rename(tmp_path / "unplugged")
    assert ("Sources not there now", str(tmp_path / "source")) in manager.opening().rows()


def test_an_interrupted_change_of_captions_is_told_and_one_under_way_is_not(manager):
    (manager.project.images / "0.txt").write_text("a cat")
    history = History.of(manager.project)
    with history.entry("Sorted the tags") as record:
        record.change("0", "0.txt", "a cat", "cat, a")
        assert remarks(manager) == []
    path = manager.project.hidden / "history.jsonl"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if '"end"' not in line))
    assert remarks(manager) == ["The change 'Sorted the tags' of captions was interrupted half-way."]


def test_uploads_that_came_in_part_or_were_not_imported_are_told(manager, tmp_path):
    receiver = manager.receive("", UploadSettings(where="project"))
    data = memoryview(b"x" * 10)
    receiver.take_small([(Offer("a.txt", len(data)), data, block_digests(data))])
    parts = manager.project.folder / "uploads" / ".lorabook-upload"
    parts.mkdir(parents=True, exist_ok=True)
    (parts / "k.part").write_bytes(b"half")
    write_json(parts / "k.json", {"path": "cats/b.png", "size": 100})
    assert remarks(manager) == ["1 file was uploaded only in part.", "1 upload has not been imported yet."]


def test_a_renaming_that_cannot_be_finished_now_is_told(manager):
    (manager.project.hidden / PENDING).write_text("x")
    assert remarks(manager) == ["A renaming of images is not finished, and some are missing until then."]
    assert [finding.what for finding in DatasetManager.open(manager.project.folder).opening().unfinished] == []


@pytest.mark.parametrize(("last", "words"), [
    ({}, "The last import was interrupted after 30 of 100."),
    ({"event": "cancelled", "message": "Stopped."}, "The last import was cancelled after 30 of 100."),
    ({"event": "failed", "message": "No space."}, "The last import failed after 30 of 100."),
    ({"event": "done", "message": "Fine."}, None)])
def test_an_import_that_broke_off_is_told_and_one_that_ended_well_is_not(manager, last, words):
    begin_job(manager.project, "import", **last)
    assert remarks(manager) == ([words] if words else [])


def test_an_upload_in_which_nothing_could_be_used_is_told_as_what_it_was(manager):
    receiver = manager.receive("", UploadSettings(where="project"))
    data = memoryview(b"a dog")
    receiver.take_small([(Offer("dog.txt", len(data)), data, block_digests(data))])
    receiver.end()
    job = start_job(manager.project.folder, "import", {"source": str(receiver.record.path)})
    deadline = time.monotonic() + 60
    while not job.status().ended and time.monotonic() < deadline:
        time.sleep(0.05)
    assert remarks(manager) == ["The last import brought nothing. What was uploaded holds no images, and its 1 caption fits no picture of "
                                "this project: dog.txt. A caption fits where it is called like its picture."]
    assert manager.opening().sentence().endswith("4 pictures without one.")  # nothing that could be gone on with
    append_event(job.folder, "step", done=1)
    assert "failed" not in remarks(manager)[0]


def test_only_the_last_job_of_a_stage_counts(manager):
    begin_job(manager.project, "tag", 1)
    assert remarks(manager) == ["The last tagging was interrupted after 30 of 100."]
    begin_job(manager.project, "tag", 2, event="done", message="")
    begin_job(manager.project, "caption", 3)
    assert remarks(manager) == ["The last captioning was interrupted after 30 of 100."]


def test_a_damaged_job_does_not_spoil_the_report(manager):
    folder = manager.project.jobs / "20260101-000001-import"
    folder.mkdir()
    (folder / "settings.json").write_text("{")
    assert remarks(manager) == []


def test_the_second_look_reads_no_caption(manager, monkeypatch):
    for number in range(4):
        caption = manager.project.images / f"{number}.txt"
        caption.write_text("a")
        os.utime(caption, (time.time() - 60,) * 2)
    monkeypatch.setattr("core.dataset.scanning.SETTLED_NS", -10**12)
    assert manager.opening().captioned == 4
    monkeypatch.setattr("core.dataset.scanning.read_caption_text", lambda path: pytest.fail(f"{path} was read"))
    assert manager.opening().captioned == 4


def test_a_folder_of_images_that_went_away_is_a_sentence(manager):
    manager.project.images.rename(manager.project.folder / "elsewhere")
    with pytest.raises(DatasetError, match="does not exist"):
        look_at_project(manager.project)


def test_as_a_stage_it_gives_plain_values(manager):
    values = run_stage("opening", manager.project.folder, {})
    assert values["images"] == 4 and values["beside_sources"] == {"missing": 0, "changed": 0, "gone": []} and values["summary"]
