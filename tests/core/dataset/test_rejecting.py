"""Rejected images are moved with all that is theirs, keep the reason, and come back under a free name."""

import json
import os
import random
from pathlib import Path

import pytest

from core.base.errors import Cancelled, DatasetError
from core.base.locks import locked
from core.base.progress import Progress
from core.dataset import rejecting
from core.dataset.images.variants import list_variants
from core.dataset.images.writing import LOCK as VERSIONS_LOCK
from core.dataset.items import list_items
from core.dataset.rejected import rejected_images
from core.dataset.rejecting import RejectSettings, RestoreSettings, reject_images, restore_images
from core.dataset.sources.ledger import fold
from core.stages import run_stage
from tests.core.dataset.small_things import picture
from tests.dying import killed


def reject(project, *names, reason=""):
    return reject_images(project, RejectSettings(images=names, reason=reason))


def restore(project, *names):
    return restore_images(project, RestoreSettings(images=names))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def forget_the_end(project):
    """As if a kill had come before the last word on each rejection."""
    record = project.hidden / "rejected.jsonl"
    record.write_text("".join(line for line in record.read_text().splitlines(keepends=True) if '"moved"' not in line))


@pytest.fixture
def images(project):
    for name in ("a", "b"):
        picture(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text(f"{name}, hat", encoding="utf-8")
    (project.images / "a_0512x0768_sd.npz").write_bytes(b"latents")
    (project.images / "a_te_outputs.npz").write_bytes(b"text")
    return project.images


def test_an_image_goes_with_its_caption_and_caches_and_comes_back_with_them(project, images):
    before = names(images)
    report = reject(project, "a", reason="blurred")
    assert report.sentence() == "1 image rejected." and report.done == ["a.png"]
    assert names(images) == ["b.png", "b.txt"]
    assert names(project.rejected) == ["a.png", "a.txt", "a_0512x0768_sd.npz", "a_te_outputs.npz"]
    (aside,) = rejected_images(project)
    assert (aside.name, aside.reason) == ("a.png", "blurred") and aside.time > 0
    assert restore(project, "a").sentence() == "1 image put back."
    assert names(images) == before and names(project.rejected) == [] and rejected_images(project) == []


def test_what_cannot_be_found_is_named_and_the_rest_goes_on(project, images):
    report = reject(project, "nothing", "a.png")
    assert report.done == ["a.png"] and [item.name for item in report.skipped] == ["nothing"]
    assert restore(project, "x").skipped[0].reason == "No rejected image has that name."


def test_a_name_that_was_taken_meanwhile_is_not_written_over(project, images):
    reject(project, "a")
    picture(images / "a.jpg", colour=(1, 2, 3))
    (images / "a.txt").write_text("another", encoding="utf-8")
    assert restore(project, "a").done == ["a-2.png"]
    assert (images / "a.txt").read_text(encoding="utf-8") == "another"
    assert (images / "a-2.txt").read_text(encoding="utf-8") == "a, hat"
    assert "a-2_0512x0768_sd.npz" in names(images)


def test_the_captions_of_others_are_not_looked_through_for_each_image_that_moves(project, monkeypatch):
    for number in range(60):
        (project.images / f"other {number}.txt").write_text("hat")
        (project.rejected / f"another {number}.txt").write_text("hat")
    for number in range(10):
        picture(project.images / f"{number}.png")
        (project.images / f"{number}.txt").write_text("hat")
    looks = []
    monkeypatch.setattr(rejecting, "fold", lambda name: looks.append(name) or fold(name))
    assert len(reject(project, *(str(number) for number in range(10))).done) == len(restore(project).done) == 10
    assert len(looks) < 4 * 60 + 20 * 10


def test_a_caption_that_came_back_without_its_image_is_not_given_to_the_next_of_its_name(project, images, monkeypatch):
    reject(project, "a")
    picture(images / "a.png", colour=(9, 9, 9))
    (images / "a.txt").write_text("another", encoding="utf-8")
    reject(project, "a")
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda path, place: locked() if path == project.rejected / "a.png" else rename(path, place))

    def locked():
        raise PermissionError(13, "Permission denied")

    report = restore(project)
    assert report.done == ["a-2.png"] and (images / "a-2.txt").read_text(encoding="utf-8") == "another"
    monkeypatch.undo()
    assert restore(project).done == ["a.png"] and (images / "a.txt").read_text(encoding="utf-8") == "a, hat"


def test_two_images_of_one_name_are_rejected_one_after_the_other(project, images):
    reject(project, "a", reason="first")
    picture(images / "a.png", colour=(9, 9, 9))
    reject(project, "a", reason="second")
    assert [(item.path.name, item.reason) for item in rejected_images(project)] == [("a.png", "first"), ("a-2.png", "second")]
    assert restore(project).done == ["a.png", "a-2.png"]


def test_a_caption_that_two_images_share_stays_with_the_other(project, images):
    picture(images / "a.jpg")
    reject(project, "a.png")
    assert (images / "a.txt").read_text(encoding="utf-8") == (project.rejected / "a.txt").read_text(encoding="utf-8") == "a, hat"


def test_a_kill_between_image_and_caption_is_mended_by_the_next_move(project, images):
    reject(project, "a")
    forget_the_end(project)
    (project.rejected / "a.txt").rename(images / "a.txt")
    assert restore(project, "a").done == ["a.png"]
    assert (images / "a.txt").read_text(encoding="utf-8") == "a, hat"


def test_every_rejection_that_was_interrupted_is_mended_and_not_only_the_last(project, images):
    reject(project, "a", "b")
    forget_the_end(project)
    for name in ("a.txt", "b.txt"):
        (project.rejected / name).rename(images / name)
    picture(images / "c.png")
    reject(project, "c")
    assert names(images) == [] and restore(project).done == ["a.png", "b.png", "c.png"]
    assert [item.caption for item in list_items(project)] == ["a, hat", "b, hat", None]


def test_a_rejection_that_ended_takes_nothing_along_of_an_image_that_has_the_name_later(project, images):
    reject(project, "a")
    (project.rejected / "a.txt").unlink()
    picture(images / "a.png", colour=(9, 9, 9))
    (images / "a.txt").write_text("of the new one", encoding="utf-8")
    reject(project, "b")
    assert [item.caption for item in list_items(project)] == ["of the new one"]


@pytest.mark.parametrize("shared", [False, True])
def test_an_image_whose_caption_cannot_go_along_stays_with_it(project, images, shared):
    stem = "x" * 240  # with a number, the trainer's cache of it has a longer name than a file can have
    picture(project.rejected / f"{stem}.png")
    picture(images / f"{stem}.png")
    if shared:
        picture(images / f"{stem}.jpg")
    for ending in (".txt", "_te_outputs.npz"):
        (images / f"{stem}{ending}").write_text("hat", encoding="utf-8")
    before = names(images), names(project.rejected)
    report = reject(project, f"{stem}.png", "b")
    assert report.done == ["b.png"] and [(item.name, item.reason) for item in report.skipped] == [(f"{stem}.png", "File name too long")]
    assert restore(project, "b").done == ["b.png"]
    assert (names(images), names(project.rejected)) == before


def test_a_return_that_was_interrupted_goes_on_under_the_same_name(project, images):
    reject(project, "a")
    record = project.hidden / "rejected.jsonl"
    act = json.loads(record.read_text().splitlines()[0])["act"]
    with open(record, "a") as file:
        file.write(json.dumps({"event": "restoring", "act": act, "stored": "a.png", "stem": "a"}) + "\n")
    (project.rejected / "a.txt").rename(images / "a.txt")
    assert restore(project, "a").done == ["a.png"] and [item.caption for item in list_items(project)] == ["a, hat", "b, hat"]


def test_images_that_a_person_put_aside_by_hand_come_back_too(project, images):
    for name in ("b.png", "b.txt"):
        (images / name).rename(project.rejected / name)
    (aside,) = rejected_images(project)
    assert aside.reason == ""
    assert restore(project).done == ["b.png"] and (images / "b.txt").exists()


def test_an_image_whose_name_is_no_utf8_goes_and_comes_back_with_its_caption(project, images):
    name = os.fsdecode(b"\x83\x7e\x83J")
    picture(images / f"{name}.png")
    (images / f"{name}.txt").write_text("a hat")
    assert reject(project, name, reason="blurred").done == [f"{name}.png"]
    assert [(item.name, item.reason) for item in rejected_images(project)] == [(f"{name}.png", "blurred")]
    assert restore(project).done == [f"{name}.png"] and (images / f"{name}.txt").read_text() == "a hat"


def test_cancel_keeps_what_was_moved(project, images):
    progress = Progress()
    progress.report_step = lambda item: progress.cancel()
    with pytest.raises(Cancelled):
        reject_images(project, RejectSettings(images=("a", "b")), progress)
    assert len(rejected_images(project)) == 1 and (images / "b.png").exists()


def test_a_rejected_image_is_not_imported_again(project, tmp_path):
    from core.dataset.sources.import_settings import ImportSettings
    from core.dataset.sources.importing import import_images

    picture(tmp_path / "source" / "a.png")
    import_images(project, ImportSettings(source=str(tmp_path / "source")))
    reject(project, "a")
    import_images(project, ImportSettings(source=str(tmp_path / "source")))
    assert list_items(project) == []


def test_it_is_a_stage_like_any_other(project, images):
    report = run_stage("reject", project.folder, {"images": ["a"], "reason": "blurred"})
    assert report["summary"] == "1 image rejected." and report["places"] == ["a.png"]
    assert run_stage("restore", project.folder, {})["summary"] == "1 image put back."


BACK_AND_FORTH = """
import sys
from pathlib import Path
from core.dataset.project import Project
from core.dataset.rejecting import RejectSettings, RestoreSettings, reject_images, restore_images
from tests.dying import begin
project = Project(Path(sys.argv[1]))
begin()
while True:
    reject_images(project, RejectSettings(images=tuple(path.name for path in project.images.glob("*.png"))))
    restore_images(project, RestoreSettings())
"""


@pytest.mark.slow
def test_however_often_it_is_killed_each_image_keeps_its_caption(project):
    random.seed(4)
    for number in range(12):
        picture(project.images / f"{number}.png", colour=(number, 2, 3))
        (project.images / f"{number}.txt").write_text(f"caption of {number}", encoding="utf-8")
    halves = 0
    for turn in range(20):
        step, seconds = (random.randrange(1, 80), 0) if turn % 2 else (0, random.uniform(0.0, 0.12))
        assert killed(BACK_AND_FORTH, project.folder, step=step, seconds=seconds)
        halves += 0 < len(list(project.rejected.glob("*.png"))) < 12
        restore_images(project, RestoreSettings())
        assert {item.id: item.caption for item in list_items(project)} == {str(number): f"caption of {number}" for number in range(12)}
    assert halves >= 5  # kills where it matters
    assert list(project.rejected.iterdir()) == []


VERSIONS = ("a_upscaled.png", ".replaced/a_upscaled.png", "a_mask.png", "a_face.png", "a_face_mask.png", "a_2_upscaled.png")


@pytest.fixture
def versions(project, images):
    """Of a, and one of a_2."""
    picture(images / "a_2.png")
    (project.variants / ".replaced").mkdir()
    for name in VERSIONS:
        (project.variants / name).write_text(name)
    return project.variants


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_versions_of_a_picture_go_with_it_and_come_back(project, versions):
    before = tree(versions)
    reject(project, "a")
    assert tree(versions) == {"a_2_upscaled.png": "a_2_upscaled.png"} and [one.name for one in rejected_images(project)] == ["a.png"]
    picture(project.images / "a.png", colour=(1, 2, 3))
    assert list_variants(project, {"a", "a_2"}).keys() == {"a_2"}
    reject(project, "a")
    assert restore(project, "a").done == ["a.png"] and tree(versions) == before and not (project.rejected / ".versions").exists()


def test_versions_come_back_under_the_name_that_their_picture_has_then(project, versions):
    reject(project, "a")
    picture(project.images / "a.png", colour=(1, 2, 3))
    (versions / "a_mask.png").write_text("of the new one")
    assert restore(project, "a").done == ["a-2.png"]
    assert tree(versions) == {"a_mask.png": "of the new one", "a_2_upscaled.png": "a_2_upscaled.png",
                              **{name.replace("a_", "a-2_", 1): name for name in VERSIONS[:5]}}


def test_versions_of_a_name_that_pictures_share_stay_with_the_other_one(project, versions):
    picture(project.images / "a.jpg")
    before = tree(versions)
    reject(project, "a.png")
    assert tree(versions) == before
    reject(project, "a.jpg")
    assert tree(versions).keys() == {"a_2_upscaled.png"}


def test_a_kill_between_image_and_versions_is_mended_by_the_next_move(project, versions):
    before = tree(versions)
    reject(project, "a")
    forget_the_end(project)
    (project.rejected / ".versions" / "a" / "a_mask.png").rename(versions / "a_mask.png")
    reject(project, "b")
    assert "a_mask.png" not in tree(versions)
    assert restore(project).sentence() == "2 images put back." and tree(versions) == before


def test_versions_that_cannot_go_along_keep_their_picture(project, versions):
    before = tree(versions), names(project.images)
    (project.rejected / ".versions").write_text("no folder")
    assert [item.name for item in reject(project, "a").skipped] == ["a.png"]
    assert (tree(versions), names(project.images)) == before


@pytest.mark.slow
def test_nothing_is_rejected_or_put_back_while_a_tool_makes_versions(project, images):
    reject(project, "b")
    with locked(project.hidden / VERSIONS_LOCK):
        with pytest.raises(DatasetError, match="Versions .+ nothing was rejected"):
            reject(project, "a")
        with pytest.raises(DatasetError, match="Versions .+ nothing was put back"):
            restore(project)
    assert [item.id for item in list_items(project)] == ["a"] and restore(project).done == ["b.png"]


def test_a_picture_can_have_the_name_of_a_rejected_version(project, versions, tmp_path):
    from core.dataset.sources.import_settings import ImportSettings
    from core.dataset.sources.importing import import_images

    reject(project, "a")
    picture(tmp_path / "source" / "a_upscaled.png", colour=(7, 8, 9))
    import_images(project, ImportSettings(source=str(tmp_path / "source")))
    assert "a_upscaled.png" in names(project.images)
