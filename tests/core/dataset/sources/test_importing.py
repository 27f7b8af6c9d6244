"""Images and captions come in; the source stays as it is."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest

from core.base.errors import Cancelled, ConfigError, DatasetError, DiskError
from core.base.jobs import start_job
from core.base.locks import locked
from core.base.paths import ROOT
from core.base.progress import Progress
from core.dataset import moving
from core.dataset.items import list_items
from core.dataset.rejecting import RejectSettings, RestoreSettings, reject_images, restore_images
from core.dataset.renaming_steps import giving_names
from core.dataset.sources import SourceContent, SourceFile
from core.dataset.sources.import_report import ImportReport
from core.dataset.sources.import_settings import ImportSettings
from core.dataset.sources.importer import Importer
from core.dataset.sources.importing import import_images
from core.dataset.sources.ledger import ImportRecord, Ledger, read_ledger
from tests.core.dataset.small_things import picture


def bring(project, source: Path, **settings):
    return import_images(project, ImportSettings.make(source=str(source), **settings))


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    return {str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
            for path in sorted(folder.rglob("*")) if path.is_file()}


def names(project) -> list[str]:
    return sorted(path.name for path in project.images.iterdir())


def test_images_come_with_their_captions_and_the_source_stays_as_it_is(project, tmp_path):
    source = tmp_path / "source"
    picture(source / "a.png")
    (source / "a.txt").write_bytes(b"\xef\xbb\xbfred hat,\r\nblue eyes\r\n")
    picture(source / "sub" / "b.jpg", colour=(1, 2, 3))
    (source / "sub" / "b.caption").write_text("a girl")
    before = fingerprint(source)
    report = bring(project, source)
    assert names(project) == ["a.png", "a.txt", "b.jpg", "b.txt"]
    assert (project.images / "a.txt").read_bytes() == b"red hat, blue eyes"
    assert (project.images / "a.png").read_bytes() == (source / "a.png").read_bytes()
    assert (len(report.imported), report.captions, report.skipped) == (2, 2, [])
    assert report.sentence() == ("2 images imported, 2 captions. 1 caption of several lines is one line now "
                                 "('Keep the lines of captions' leaves them).")
    assert fingerprint(source) == before
    assert project.info().sources == (str(source),)
    assert {item.source for item in list_items(project)} == {str(source / "a.png"), str(source / "sub" / "b.jpg")}


def test_captions_whose_names_differ_in_case_only_stay_with_their_own_image(project, tmp_path):
    source = tmp_path / "source"
    for stem, colour, words in (("A", (1, 2, 3), "large"), ("a", (4, 5, 6), "small")):
        picture(source / f"{stem}.png", colour=colour)
        (source / f"{stem}.txt").write_text(words)
    if len(list(source.iterdir())) < 4:
        pytest.skip("this file system does not tell A from a")
    bring(project, source)
    found = {item.caption: item.path.read_bytes() for item in list_items(project)}
    assert found == {"large": (source / "A.png").read_bytes(), "small": (source / "a.png").read_bytes()}


def test_a_caption_in_other_letters_still_belongs_to_its_image(project, tmp_path):
    source = tmp_path / "source"
    picture(source / "IMG.PNG")
    (source / "img.txt").write_text("a cat")
    bring(project, source)
    assert [item.caption for item in list_items(project)] == ["a cat"]


def test_two_images_never_share_a_stem(project, tmp_path):
    source = tmp_path / "source"
    for number, name in enumerate(("a.png", "a.jpg", "A.webp", "sub/a.png", "é.png", unicodedata.normalize("NFD", "sub/é.png"))):
        picture(source / name, colour=(number * 9, 0, 0))
    (source / "a.txt").write_text("shared")
    bring(project, source)
    items = list_items(project)
    assert len({unicodedata.normalize("NFC", item.id).casefold() for item in items}) == 6
    assert sorted(item.path.name for item in items) == ["A-3.webp", "a-2.jpg", "a-4.png", "a.png", "é-2.png", "é.png"]
    assert sorted(item.id for item in items if item.caption == "shared") == ["A-3", "a", "a-2"]


@pytest.mark.parametrize(("name", "becomes"), [
    ("con.png", "_con.png"), ("x[1].png", "x_1_.png"), ("dots....png", "dots.png"), ("日本語 😺.png", "日本語 _.png"),
    ("a" * 200 + ".png", "a" * 80 + ".png"), ("a.jpg.png", "a.jpg.png")])
def test_names_become_safe(project, tmp_path, name, becomes):
    picture(tmp_path / "source" / name)
    bring(project, tmp_path / "source")
    assert names(project) == [becomes]


def test_names_that_are_no_utf8_come_in_are_known_again_and_can_be_told(project, tmp_path):
    source, name = tmp_path / "source", os.fsdecode(b"\x83\x7e\x83J")  # as unzip leaves Japanese names of an old archive
    picture(source / f"{name}.png")
    (source / f"{name}.txt").write_text("a hat")
    (source / f"{name}2.png").write_bytes(b"<html>")
    job = start_job(project.folder, "import", {"source": str(source)})
    deadline = time.monotonic() + 60
    while not job.status().ended:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    status = job.status()
    assert (status.state, status.message) == ("done", "1 image imported, 1 caption, 1 skipped.")
    assert status.report["skipped"][0]["name"] == "?~?J2.png"
    assert names(project) == ["___J.png", "___J.txt"]
    assert [image.name for image in bring(project, source).already] == ["___J.png"]
    assert read_ledger(project)[0].source == str(source / f"{name}.png")


def test_each_broken_file_is_skipped_with_its_reason_and_the_rest_goes_on(project, tmp_path):
    source = tmp_path / "source"
    picture(source / "good.png")
    whole = picture(source / "whole.png", size=(300, 300)).read_bytes()
    (source / "cut.png").write_bytes(whole[:len(whole) // 2])
    (source / "page.jpg").write_bytes(b"<!doctype html><html>")
    (source / "film.mp4").write_bytes(b"x")
    (source / "pack.zip").write_bytes(b"x")
    (source / "notes.md").write_text("x")
    (source / "gone.png").symlink_to(tmp_path / "nowhere.png")
    picture(source / "thin.png", size=(1, 400))
    report = bring(project, source)
    reasons = {item.name: item.reason for item in report.skipped}
    assert sorted(image.name for image in report.imported) == ["good.png", "whole.png"]
    assert "damaged" in reasons["cut.png"] and "web page" in reasons["page.jpg"] and "video" in reasons["film.mp4"]
    assert "by itself" in reasons["pack.zip"] and "not there" in reasons["gone.png"] and "at least 32" in reasons["thin.png"]
    assert report.others == {".md": 1}


def test_a_caption_that_is_not_utf8_is_left_out_and_its_image_is_not(project, tmp_path):
    picture(tmp_path / "source" / "a.png")
    (tmp_path / "source" / "a.txt").write_bytes("café".encode("cp1252"))
    report = bring(project, tmp_path / "source")
    assert names(project) == ["a.png"]
    assert report.skipped[0].name == "a.txt" and "not UTF-8" in report.skipped[0].reason and "0xe9" in report.skipped[0].reason


def test_an_empty_caption_is_left_out(project, tmp_path):
    picture(tmp_path / "source" / "a.png")
    (tmp_path / "source" / "a.txt").write_text(" \n")
    assert "empty" in bring(project, tmp_path / "source").skipped[0].reason
    assert names(project) == ["a.png"]


@pytest.mark.parametrize(("empty", "full"), [
    ("a.txt", "a.caption"), ("a.caption", "a.txt"), ("a.txt", "a.png.txt"), ("a.txt", "A.caption")])
def test_an_empty_caption_does_not_hide_a_full_one(project, tmp_path, empty, full):
    picture(tmp_path / "source" / "a.png")
    (tmp_path / "source" / empty).write_text(" \n")
    (tmp_path / "source" / full).write_text("a hat")
    report = bring(project, tmp_path / "source")
    assert (project.images / "a.txt").read_text() == "a hat"
    assert (report.captions, report.skipped) == (1, [])


def test_a_caption_that_is_not_utf8_does_not_hide_another_and_is_named(project, tmp_path):
    picture(tmp_path / "source" / "a.png")
    (tmp_path / "source" / "a.txt").write_bytes("café".encode("cp1252"))
    (tmp_path / "source" / "a.caption").write_text("a hat")
    report = bring(project, tmp_path / "source")
    assert (project.images / "a.txt").read_text() == "a hat" and [item.name for item in report.skipped] == ["a.txt"]


def test_captions_can_be_left_behind(project, tmp_path):
    picture(tmp_path / "source" / "a.png")
    (tmp_path / "source" / "a.txt").write_text("x")
    bring(project, tmp_path / "source", captions=False)
    assert names(project) == ["a.png"]


def test_the_same_content_comes_in_once(project, tmp_path):
    source = tmp_path / "source"
    first = picture(source / "a.png")
    (source / "copy.png").write_bytes(first.read_bytes())
    report = bring(project, source)
    assert names(project) == ["a.png"] and [(image.source, image.name) for image in report.already] == [("copy.png", "a.png")]
    again = bring(project, source)
    assert again.imported == [] and len(again.already) == 2 and names(project) == ["a.png"]


def test_what_was_converted_is_known_again_even_without_the_index(project, tmp_path):
    picture(tmp_path / "source" / "a.gif")
    bring(project, tmp_path / "source")
    list_items(project)
    (project.hidden / "index.sqlite").unlink()
    assert bring(project, tmp_path / "source").imported == []
    assert names(project) == ["a.png"]


def test_an_image_that_was_deleted_comes_back_with_its_own_caption(project, tmp_path):
    source = tmp_path / "source"
    picture(source / "a.png", colour=(1, 2, 3))
    (source / "a.txt").write_text("first")
    bring(project, source)
    for path in project.images.iterdir():
        path.unlink()
    assert len(bring(project, source).imported) == 1
    assert {item.id: item.caption for item in list_items(project)} == {"a": "first"}


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_a_name_that_is_used_again_gives_no_old_caption_to_a_new_image(project, tmp_path, suffix):
    """Both as the bytes are (PNG) and converted (GIF becomes PNG, so that its hash is another)."""
    old, new = tmp_path / "old", tmp_path / "new"
    picture(old / f"a{suffix}", colour=(1, 2, 3))
    bring(project, old)
    (project.images / "a.png").unlink()
    picture(new / f"a{suffix}", colour=(200, 5, 6))
    bring(project, new)
    (old / "a.txt").write_text("old words")
    report = bring(project, old)
    assert [image.name for image in report.imported] == ["a-2.png"]
    assert {item.id: item.caption for item in list_items(project)} == {"a": None, "a-2": "old words"}


@pytest.mark.parametrize("later", ["a.png", "a.jpg"])
def test_an_old_name_whose_caption_belongs_to_a_later_image_is_not_taken_again(project, tmp_path, later):
    old, new = tmp_path / "old", tmp_path / "new"
    picture(old / "a.png", colour=(1, 2, 3))
    bring(project, old)
    (project.images / "a.png").unlink()
    picture(new / later, colour=(200, 5, 6))
    (new / "a.txt").write_text("new words")
    bring(project, new)
    (project.images / later).unlink()  # its caption stays
    bring(project, old)
    assert {item.id: item.caption for item in list_items(project)} == {"a-2": None}


def test_what_a_trainer_kept_of_an_old_image_is_not_taken_for_a_new_one_of_its_name(project, tmp_path):
    """sd-scripts knows its caches by name and size only: it would train the deleted picture."""
    picture(tmp_path / "old" / "a.png", colour=(1, 2, 3))
    picture(tmp_path / "old" / "a_b.png", colour=(3, 2, 1))
    bring(project, tmp_path / "old")
    for name in ("a_0064x0048_sd.npz", "a_te_outputs.npz", "a_b_0064x0048_sd.npz"):
        (project.images / name).write_bytes(b"x")
    (project.images / "a.png").unlink()
    picture(tmp_path / "new" / "a.png", colour=(200, 5, 6))
    bring(project, tmp_path / "new")
    assert names(project) == ["a.png", "a_b.png", "a_b_0064x0048_sd.npz"]


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_an_image_that_was_replaced_in_the_project_is_another_one(project, tmp_path, suffix):
    source = tmp_path / "source"
    picture(source / f"a{suffix}", colour=(1, 2, 3))
    bring(project, source)
    picture(project.images / "a.png", colour=(9, 9, 9))
    (source / "a.txt").write_text("of the source")
    bring(project, source)
    assert {item.id: item.caption for item in list_items(project)} == {"a": None, "a-2": "of the source"}
    assert bring(project, source).imported == []


def test_an_image_that_was_renamed_in_the_project_is_known_whatever_it_was_made_from(project, tmp_path):
    picture(tmp_path / "source" / "a.gif")
    bring(project, tmp_path / "source")
    (project.images / "a.png").rename(project.images / "better name.png")
    report = bring(project, tmp_path / "source")
    assert report.imported == [] and report.already[0].name == "better name.png"


def test_two_sources_with_the_same_names_keep_their_own_captions_whatever_the_order(project, tmp_path):
    for number, folder in enumerate(("one", "two"), 1):
        picture(tmp_path / folder / "a.png", colour=(number * 50, 0, 0))
        (tmp_path / folder / "a.txt").write_text(f"of {folder}")
    for folder in ("one", "two", "one", "two"):
        bring(project, tmp_path / folder)
    own = {(tmp_path / folder / "a.png").read_bytes(): f"of {folder}" for folder in ("one", "two")}
    assert {item.path.read_bytes(): item.caption for item in list_items(project)} == own


def test_records_of_an_older_version_still_count_by_their_name(project, tmp_path):
    import json

    picture(tmp_path / "source" / "a.gif")
    bring(project, tmp_path / "source")
    ledger = project.hidden / "imports.jsonl"
    record = json.loads(ledger.read_text())
    del record["written"]
    ledger.write_text(json.dumps(record) + "\n")
    assert bring(project, tmp_path / "source").imported == []


def test_the_caption_of_what_was_put_aside_is_not_given_to_the_image_that_has_its_name_now(project, tmp_path):
    picture(tmp_path / "source" / "a.png", colour=(1, 2, 3))
    bring(project, tmp_path / "source")
    (project.images / "a.png").rename(project.rejected / "a.png")
    picture(project.images / "a.png", colour=(9, 9, 9))
    (tmp_path / "source" / "a.txt").write_text("of what was put aside")
    assert len(bring(project, tmp_path / "source").already) == 1
    assert names(project) == ["a.png"]


def test_another_picture_that_was_put_aside_under_the_name_does_not_keep_this_one_out(project, tmp_path):
    picture(tmp_path / "source" / "a.png", colour=(1, 2, 3))
    bring(project, tmp_path / "source")
    (project.images / "a.png").unlink()
    picture(project.rejected / "a.png", colour=(9, 9, 9))
    assert len(bring(project, tmp_path / "source").imported) == 1
    assert names(project) == ["a-2.png"]


def test_what_was_put_aside_does_not_come_back(project, tmp_path):
    picture(tmp_path / "source" / "a.png")
    bring(project, tmp_path / "source")
    (project.images / "a.png").rename(project.rejected / "a.png")
    assert len(bring(project, tmp_path / "source").already) == 1
    picture(tmp_path / "source" / "other" / "a.png", colour=(7, 7, 7))
    bring(project, tmp_path / "source")
    assert names(project) == ["a-2.png"]


def test_a_caption_that_is_in_the_project_is_never_overwritten(project, tmp_path):
    picture(tmp_path / "source" / "a.png")
    bring(project, tmp_path / "source")
    (project.images / "a.txt").write_text("mine")
    (tmp_path / "source" / "a.txt").write_text("theirs")
    bring(project, tmp_path / "source")
    assert (project.images / "a.txt").read_text() == "mine"


class StopAfter(Progress):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def report_step(self, item: str) -> None:
        if self.done == self.count:
            self.cancel()


def test_a_cancelled_import_keeps_what_is_done_and_continues(project, tmp_path):
    for number in range(6):
        picture(tmp_path / "source" / f"{number}.png", colour=(number, 0, 0))
    with pytest.raises(Cancelled):
        import_images(project, ImportSettings(source=str(tmp_path / "source")), StopAfter(3))
    assert names(project) == ["0.png", "1.png", "2.png"]
    report = bring(project, tmp_path / "source")
    assert (len(report.imported), len(report.already)) == (3, 3)


def test_a_file_that_a_person_puts_there_during_an_import_is_not_overwritten(project, tmp_path):
    class PutThere(Progress):
        def report_step(self, item: str) -> None:
            if item == "0.png":
                picture(project.images / "1.png", colour=(200, 200, 200))
                (project.images / "2.txt").write_text("mine")

    for number in range(3):
        picture(tmp_path / "source" / f"{number}.png", colour=(number, 0, 0))
        (tmp_path / "source" / f"{number}.txt").write_text(f"tag {number}")
    import_images(project, ImportSettings(source=str(tmp_path / "source")), PutThere())
    from PIL import Image

    assert Image.open(project.images / "1.png").getpixel((0, 0)) == (200, 200, 200)
    assert (project.images / "2.txt").read_text() == "mine"
    assert names(project) == ["0.png", "0.txt", "1-2.png", "1-2.txt", "1.png", "2-2.png", "2-2.txt", "2.txt"]


def test_a_file_that_comes_at_the_very_moment_of_writing_stays_and_keeps_its_caption_to_itself(project, tmp_path, monkeypatch):
    def put_there(caption: Path) -> None:
        if caption.name == "1.txt" and not caption.with_suffix(".png").exists():
            picture(project.images / "1.png", colour=(200, 200, 200))

    for number in range(3):
        picture(tmp_path / "source" / f"{number}.png", colour=(number, 0, 0))
        (tmp_path / "source" / f"{number}.txt").write_text(f"tag {number}")
    monkeypatch.setattr("core.dataset.sources.importer.forget_caches", put_there)
    report = bring(project, tmp_path / "source")
    assert (len(report.imported), report.captions) == (3, 3)
    assert names(project) == ["0.png", "0.txt", "1-2.png", "1-2.txt", "1.png", "2.png", "2.txt"]
    assert {item.id: item.caption for item in list_items(project)} == {"0": "tag 0", "1": None, "1-2": "tag 1", "2": "tag 2"}
    assert len(bring(project, tmp_path / "source").already) == 3


class Waits(Progress):
    """Cancels when it is told that it waits."""

    def report_start(self) -> None:
        if self.what == "Waiting for another import into this project":
            self.cancel()


def test_an_import_that_waits_for_another_one_says_so_and_can_be_cancelled(project, tmp_path):
    picture(tmp_path / "source" / "a.png")
    with locked(project.hidden / "import.lock"), pytest.raises(Cancelled):
        import_images(project, ImportSettings(source=str(tmp_path / "source")), Waits())
    assert names(project) == []
    assert len(import_images(project, ImportSettings(source=str(tmp_path / "source")), Waits()).imported) == 1


def test_what_is_rejected_and_put_back_during_an_import_is_known_to_it(project, tmp_path):
    """Else the caption of the second file would stand alone among the images, and the fourth come in once more."""
    class Moves(Progress):
        def report_step(self, item: str) -> None:
            if item == "0.png":
                reject_images(project, RejectSettings(images=("0.png",)))
            if item == "1.png":
                restore_images(project, RestoreSettings())

    for number, colour in enumerate((0, 0, 5, 0)):
        picture(tmp_path / "source" / f"{number}.png", colour=(colour, 0, 0))
    (tmp_path / "source" / "1.txt").write_text("the same picture")
    report = import_images(project, ImportSettings(source=str(tmp_path / "source"), workers=1), Moves())
    assert names(project) == ["0.png", "2.png"] and [(one.name, one.source) for one in report.already] == [("0.png", "1.png"),
                                                                                                           ("0.png", "3.png")]


@pytest.mark.slow
def test_an_import_killed_in_the_middle_continues_with_the_same_names(project, tmp_path):
    source = tmp_path / "source"
    for number in range(60):
        picture(source / f"{number}.gif", colour=(number, 0, 0), size=(200, 200))
        (source / f"{number}.txt").write_text(f"tag {number}")
    code = ("import sys; from pathlib import Path; from core.dataset.manager import DatasetManager; "
            "DatasetManager.open(sys.argv[1]).import_from(sys.argv[2])")
    for wait in (3, 10):
        process = subprocess.Popen([sys.executable, "-c", code, str(project.folder), str(source)], cwd=ROOT)
        deadline = time.monotonic() + 60
        while len(names(project)) < wait * 2 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    bring(project, source)
    items = list_items(project)
    assert [item.id for item in items] == [str(number) for number in range(60)]
    assert all(item.width == 200 and item.caption == f"tag {item.id}" for item in items)


def test_a_missing_an_empty_and_an_own_folder_are_refused_in_words(project, tmp_path):
    with pytest.raises(DatasetError, match="nowhere does not exist"):
        bring(project, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="empty holds no images"):
        bring(project, tmp_path / "empty")
    with pytest.raises(DatasetError, match="inside the project itself"):
        bring(project, project.images)
    picture(project.folder.parent / "a.png")
    for around in (project.folder, project.folder.parent):
        with pytest.raises(DatasetError, match="project itself"):
            bring(project, around)
    (tmp_path / "link").symlink_to(project.folder.parent)
    with pytest.raises(DatasetError, match="holds the project itself"):
        bring(project, tmp_path / "link")
    assert names(project) == []
    (tmp_path / "text.md").write_text("x")
    with pytest.raises(DatasetError, match="neither a folder nor"):
        bring(project, tmp_path / "text.md")


def test_a_wrong_setting_is_named():
    with pytest.raises(ConfigError, match="Smallest side"):
        ImportSettings.make(source="x", min_side=0)
    with pytest.raises(ConfigError, match="Did you mean 'recursive'"):
        ImportSettings.make(source="x", recursiv=True)


def test_subfolders_can_be_left_out(project, tmp_path):
    picture(tmp_path / "source" / "a.png")
    picture(tmp_path / "source" / "sub" / "b.png", colour=(1, 1, 1))
    bring(project, tmp_path / "source", recursive=False)
    assert names(project) == ["a.png"]


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/full").exists(), reason="needs a small file system")
def test_a_full_disk_is_a_sentence_and_what_came_in_is_whole(project, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        from core.dataset.project import Project

        tight = Project.create(small / "p", "Tight")
        import numpy
        from PIL import Image

        (tmp_path / "source").mkdir()
        for number in range(8):
            noise = numpy.random.default_rng(number).integers(0, 255, (150, 150, 3), dtype="uint8")
            Image.fromarray(noise).save(tmp_path / "source" / f"{number}.png")
        with pytest.raises(DiskError, match="No space left"):
            bring(tight, tmp_path / "source")
        items = list_items(tight)
        assert items and all(item.width == 150 for item in items)
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


def test_half_a_record_does_not_swallow_the_next(project):
    (project.hidden / "imports.jsonl").write_text('{"name": "a.p')
    record = ImportRecord("b.png", "f" * 64, "/b.png", 1, 1, "f" * 64)
    Ledger(project, []).record(record)
    assert read_ledger(project) == [record]


@pytest.mark.parametrize("kind", ["auto", "folder", "archive"])
def test_a_path_of_windows_is_answered_and_not_glued_to_the_present_folder(project, kind):
    with pytest.raises(ConfigError, match=r"^C:.Users.me.pics is a path of Windows.*Upload it to this machine"):
        import_images(project, ImportSettings.make(source="C:\\Users\\me\\pics", kind=kind))


def test_names_and_captions_with_line_separators_of_unicode_cut_no_line(project, tmp_path):
    picture(tmp_path / "source" / "a\u2028b\x85.png")
    picture(tmp_path / "source" / "c.png", colour=(1, 2, 3))
    rows = [{"file_name": "c.png", "text": "hat\u2028red\x85"}, {"file_name": "a\u2028b\x85.png", "text": "tall"}]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "source" / "metadata.jsonl").write_text(lines, encoding="utf-8")
    assert bring(project, tmp_path / "source").skipped == []
    assert len(read_ledger(project)) == 2
    assert sorted(item.caption for item in list_items(project)) == ["hat, red", "tall"]


def take(project, images: list[SourceFile], captions: list[SourceFile]) -> ImportReport:
    """Bring in one part of a source that fetches its files."""
    report = ImportReport()
    ledger = Ledger(project, [(item.path.name, item.sha256) for item in list_items(project)])
    with giving_names(project):
        Importer(project, ImportSettings(source="x"), "x", ledger, report, Progress()).take(SourceContent(images, captions))
    return report


def fetched(path: Path, before) -> SourceFile:
    """A file that comes from elsewhere. Args: before: called when it is asked for, with the place where it will lie; gives its content."""
    def fetch(place: Path) -> None:
        place.write_bytes(before(place))

    return SourceFile(path.name, path, (1, 1), fetch)


def test_a_picture_can_be_rejected_while_the_caption_of_another_is_fetched(project, tmp_path, monkeypatch):
    monkeypatch.setattr(moving, "PATIENCE", 0.3)
    picture(tmp_path / "first" / "a.png")
    import_images(project, ImportSettings(source=str(tmp_path / "first")))

    def slow(_: Path) -> bytes:
        reject_images(project, RejectSettings(images=("a.png",)))
        return b"from afar"

    picture(tmp_path / "b.png", colour=(9, 0, 0))
    report = take(project, [SourceFile("b.png", tmp_path / "b.png")], [fetched(tmp_path / "b.txt", slow)])
    assert (len(report.imported), report.captions, report.skipped) == (1, 1, []) and names(project) == ["b.png", "b.txt"]
    assert [path.name for path in project.rejected.glob("*.png")] == ["a.png"]


def test_a_caption_that_two_pictures_share_is_fetched_by_one_at_a_time(project, tmp_path):
    def alone(place: Path) -> bytes:
        assert not place.exists() and not marker.exists()
        marker.touch()
        time.sleep(0.1)
        marker.unlink()
        return b"both"

    marker = tmp_path / "marker"
    images = []
    for number, ending in enumerate((".png", ".webp", ".bmp")):
        picture(tmp_path / f"a{ending}", colour=(number, 0, 0))
        images.append(SourceFile(f"a{ending}", tmp_path / f"a{ending}"))
    report = take(project, images, [fetched(tmp_path / "a.txt", alone)])
    assert (len(report.imported), report.captions, report.skipped) == (3, 3, [])


def test_a_caption_is_not_fetched_for_a_picture_that_has_one(project, tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("mine")
    images = [SourceFile("a.png", tmp_path / "a.png")]
    take(project, images, [SourceFile("a.txt", tmp_path / "a.txt")])
    report = take(project, images, [fetched(tmp_path / "a.txt", lambda _: pytest.fail("fetched"))])
    assert len(report.already) == 1 and report.skipped == []


def test_who_rejects_while_another_import_holds_the_images_is_told_of_imports_too(project, monkeypatch):
    monkeypatch.setattr(moving, "PATIENCE", 0.2)
    picture(project.images / "a.png")
    with locked(project.hidden / moving.LOCK), pytest.raises(DatasetError, match="being rejected, put back or imported"):
        reject_images(project, RejectSettings(images=("a.png",)))
