"""Captions beside the sources: found, kept apart, taken as one change, and never shown twice."""

import json
import os
import time

import pytest

from core.base.errors import DatasetError
from core.dataset.items import list_items
from core.dataset.manager import DatasetManager
from core.dataset.rejecting import RejectSettings
from core.dataset.renaming import RenameSettings
from core.dataset.sources.found_captions import FindSettings, TakeSettings
from core.dataset.sources.ledger import LEDGER_FILE
from tests.core.dataset.small_things import picture


@pytest.fixture
def source(tmp_path):
    """Four pictures, of which one has a caption."""
    for number in range(4):
        picture(tmp_path / "source" / "sub" / f"p{number}.png", (number, 0, 90))
    (tmp_path / "source" / "sub" / "p0.txt").write_text("a, b")
    return tmp_path / "source"


@pytest.fixture
def manager(tmp_path, source):
    manager = DatasetManager.create("Cats", parent=tmp_path / "projects")
    manager.import_from(source)
    return manager


def found(manager, **settings):
    return {one.id: (one.present, one.found) for one in manager.find_source_captions(FindSettings(**settings)).found}


def files_of(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*")) if path.is_file()}


def captions(manager):
    return {item.id: item.caption for item in list_items(manager.project)}


def test_what_came_along_with_the_import_is_not_found(manager):
    report = manager.find_source_captions()
    assert report.found == [] and report.sentence() == "No caption beside the sources is missing here."


def test_a_caption_that_was_written_beside_the_source_later_is_found_and_nothing_is_written(manager, source):
    (source / "sub" / "p1.txt").write_text("new, one\nsecond line")
    (source / "sub" / "p2.png.caption").write_text("new, two")
    (source / "sub" / "nobody.txt").write_text("of no picture")
    before, images = files_of(source), files_of(manager.project.images)
    assert found(manager) == {"p1": (None, "new, one, second line"), "p2": (None, "new, two")}
    assert files_of(source) == before and files_of(manager.project.images) == images
    assert manager.find_source_captions().found[1].place == "sub/p2.png.caption"


def test_an_empty_caption_here_counts_as_missing(manager, source):
    (manager.project.images / "p0.txt").write_text(" \n")
    assert found(manager) == {"p0": ("", "a, b")}
    manager.take_found(TakeSettings())
    assert captions(manager)["p0"] == "a, b"


def test_a_caption_that_changed_at_the_source_is_found_and_one_that_a_person_changed_here_is_not(manager, source):
    caption = manager.read_caption("p0")
    manager.save_caption("p0", "mine", caption.revision)
    assert found(manager) == {}
    (source / "sub" / "p0.txt").write_text("a, b, c")
    assert found(manager) == {"p0": ("mine", "a, b, c")}


def test_a_changed_source_with_an_old_date_is_found_too(manager, source):
    (source / "sub" / "p0.txt").write_text("from a backup")
    os.utime(source / "sub" / "p0.txt", (1_000_000, 1_000_000))
    assert found(manager) == {"p0": ("a, b", "from a backup")}


def test_where_an_earlier_version_noted_no_caption_only_what_is_newer_than_the_picture_here_is_news(manager, source):
    ledger = manager.project.hidden / LEDGER_FILE
    records = [{key: value for key, value in json.loads(line).items() if key != "caption"} for line in ledger.read_text().splitlines()]
    ledger.write_text("".join(json.dumps(record) + "\n" for record in records))
    manager.save_caption("p0", "mine", manager.read_caption("p0").revision)
    then = (manager.project.images / "p0.png").stat().st_mtime
    os.utime(source / "sub" / "p0.txt", (then - 10, then - 10))
    assert found(manager) == {}
    os.utime(source / "sub" / "p0.txt", (then + 10, then + 10))
    assert found(manager) == {"p0": ("mine", "a, b")}


def test_captions_that_were_left_out_at_the_import_are_found(tmp_path, source):
    manager = DatasetManager.create("Bare", parent=tmp_path / "projects")
    manager.import_from(source, captions=False)
    assert found(manager) == {"p0": (None, "a, b")}


def test_taking_is_one_entry_of_the_history_and_can_be_undone(manager, source):
    (source / "sub" / "p0.txt").write_text("a, b, c")
    (source / "sub" / "p1.txt").write_text("one")
    (source / "sub" / "p2.txt").write_text("two")
    first, second, third = manager.find_source_captions().found
    before = files_of(source)
    report = manager.take_source_captions([first, second], [third])
    assert report.sentence() == "2 captions taken from beside the sources, 1 left there."
    assert captions(manager) == {"p0": "a, b, c", "p1": "one", "p2": None, "p3": None}
    assert [step.what for step in manager.versions()] == ["2 captions taken from beside the sources"]
    manager.undo()
    assert captions(manager) == {"p0": "a, b", "p1": None, "p2": None, "p3": None}
    assert not (manager.project.images / "p1.txt").exists() and files_of(source) == before


def test_what_was_taken_or_left_is_not_shown_again_unless_it_changes(manager, source):
    (source / "sub" / "p1.txt").write_text("one")
    (source / "sub" / "p2.txt").write_text("two")
    taken, left = manager.find_source_captions().found
    manager.take_source_captions([taken], [left])
    assert found(manager) == {}
    manager.undo()
    assert found(manager) == {}
    assert manager.find_source_captions().sentence() == ("No other caption beside the sources is missing here. 2 captions that you decided "
                                                         "on before are not shown.")
    assert found(manager, decided=True) == {"p1": (None, "one"), "p2": (None, "two")}
    (source / "sub" / "p2.txt").write_text("two, and more")
    assert found(DatasetManager.open(manager.project.folder)) == {"p2": (None, "two, and more")}


def test_a_caption_that_was_changed_meanwhile_is_not_written_over_and_stays_open(manager, source):
    (source / "sub" / "p0.txt").write_text("a, b, c")
    (source / "sub" / "p1.txt").write_text("one")
    seen = manager.find_source_captions().found
    (manager.project.images / "p0.txt").write_text("by another hand")
    report = manager.take_source_captions(seen)
    assert report.taken == 1 and [item.name for item in report.skipped] == ["p0.txt"]
    assert captions(manager)["p0"] == "by another hand"
    assert found(manager) == {"p0": ("by another hand", "a, b, c")}


def test_a_picture_that_got_another_name_meanwhile_is_passed_over_and_found_under_its_new_one(manager, source):
    (source / "sub" / "p1.txt").write_text("one")
    (source / "sub" / "p2.txt").write_text("two")
    seen = manager.find_source_captions().found
    manager.rename(RenameSettings(how="numbered", name="cat", images=("p1",)))
    report = manager.take_source_captions(seen)
    assert report.taken == 1 and [item.name for item in report.skipped] == ["p1.png"]
    assert not (manager.project.images / "p1.txt").exists()
    assert found(manager) == {"cat_0001": (None, "one")}


def test_a_picture_that_was_replaced_after_the_look_gets_no_caption(manager, source):
    (source / "sub" / "p1.txt").write_text("one")
    seen = manager.find_source_captions().found
    picture(manager.project.images / "p1.png", (250, 250, 250))
    report = manager.take_source_captions(seen)
    assert report.taken == 0 and report.skipped[0].reason == "It is no longer the image that was shown."
    assert captions(manager)["p1"] is None and manager.versions() == []


def test_a_replaced_picture_does_not_get_the_caption_of_the_one_that_was_imported(manager, source):
    (source / "sub" / "p1.txt").write_text("one")
    picture(manager.project.images / "p1.png", (250, 250, 250))
    assert found(manager) == {}


def test_a_rejected_picture_is_passed_over_until_it_is_back(manager, source):
    (source / "sub" / "p1.txt").write_text("one")
    manager.reject(RejectSettings(images=("p1",)))
    assert found(manager) == {}


def test_what_is_named_twice_is_written_once(tmp_path):
    picture(tmp_path / "source" / "a.png", (1, 2, 3))
    manager = DatasetManager.create("Cats", parent=tmp_path / "projects")
    manager.import_from(tmp_path / "source")
    (tmp_path / "source" / "a.txt").write_text("of a")
    seen = manager.find_source_captions().found
    report = manager.take_source_captions([*seen, *seen])
    assert report.taken == 1 and "shares its caption" in report.skipped[0].reason


def test_a_table_beside_the_sources_holds_captions_too(tmp_path):
    picture(tmp_path / "source" / "train" / "a.png", (1, 2, 3))
    manager = DatasetManager.create("Cats", parent=tmp_path / "projects")
    manager.import_from(tmp_path / "source")
    (tmp_path / "source" / "metadata.jsonl").write_text('{"file_name": "train/a.png", "text": "from the table"}\n')
    assert found(manager) == {"a": (None, "from the table")}


def test_a_source_that_is_not_there_is_named_and_nothing_is_forgotten(manager, source):
    (source / "sub" / "p1.txt").write_text("one")
    source.rename(source.with_name("unplugged"))
    report = manager.find_source_captions()
    assert report.found == [] and report.gone == [str(source)]
    assert report.sentence().endswith("1 of the sources cannot be looked into now.")
    source.with_name("unplugged").rename(source)
    assert found(manager) == {"p1": (None, "one")}


def test_an_uploads_own_folder_is_a_source_and_an_archive_is_not(tmp_path):
    import zipfile

    from core.dataset.sources.upload import UploadSettings
    from core.dataset.sources.upload_parts import Offer, block_digests

    picture(tmp_path / "a.png", (1, 2, 3))
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(picture(tmp_path / "b.png", (9, 9, 9)), "b.png")
    manager = DatasetManager.create("Cats", parent=tmp_path / "projects")
    receiver = manager.receive("", UploadSettings(where="project"))
    data = memoryview((tmp_path / "a.png").read_bytes())
    receiver.take_small([(Offer("cats/a.png", len(data)), data, block_digests(data))])
    receiver.end()
    record = next((manager.project.folder / "uploads").glob("*.upload"))
    manager.import_from(record)
    manager.import_from(tmp_path / "more.zip")
    (record.with_suffix("") / "cats" / "a.txt").write_text("laid beside")
    assert found(manager) == {"a": (None, "laid beside")}
    assert manager.find_source_captions().gone == []


def test_a_caption_that_is_not_utf_8_is_named_and_the_rest_is_found(manager, source):
    (source / "sub" / "p1.txt").write_bytes(b"caf\xe9")
    (source / "sub" / "p2.txt").write_text("two")
    report = manager.find_source_captions()
    assert [one.id for one in report.found] == ["p2"]
    assert [item.name for item in report.skipped] == ["sub/p1.txt"]
    assert "is not UTF-8" in report.skipped[0].reason and "came in" not in report.skipped[0].reason


def test_a_caption_here_that_cannot_be_read_is_not_taken_for_a_missing_one(manager, source):
    (source / "sub" / "p1.txt").write_text("one")
    (manager.project.images / "p1.txt").write_bytes(b"caf\xe9")
    report = manager.find_source_captions()
    assert report.found == [] and [item.name for item in report.skipped] == ["p1.txt"]


def test_an_unchanged_text_is_not_read_from_the_source_again(manager, source, monkeypatch):
    from pathlib import Path

    text = source / "sub" / "p1.txt"
    text.write_text("one")
    old = time.time() - 60
    os.utime(text, (old, old))
    monkeypatch.setattr("core.dataset.scanning.SETTLED_NS", -10**12)
    assert found(manager) == {"p1": (None, "one")}
    read = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: (read.append(path), real(path))[1])
    assert found(manager) == {"p1": (None, "one")}
    assert text not in read
    text.write_text("changed")
    assert found(manager) == {"p1": (None, "changed")} and text in read


def test_what_is_named_and_not_found_is_refused(manager, source):
    (source / "sub" / "p1.txt").write_text("one")
    with pytest.raises(DatasetError, match="'p3'"):
        manager.take_found(TakeSettings(images=("p1", "p3")))
    assert captions(manager)["p1"] is None
    assert manager.take_found(TakeSettings(images=("p1",), decision="leave")).left == 1
    assert found(manager) == {}


def test_a_caption_that_a_second_import_brought_is_not_news(manager, source):
    (source / "sub" / "p1.txt").write_text("one")
    manager.import_from(source)
    assert captions(manager)["p1"] == "one"
    manager.save_caption("p1", "mine", manager.read_caption("p1").revision)
    assert found(manager) == {}
    (source / "sub" / "p1.txt").write_text("one, two")
    assert found(manager) == {"p1": ("mine", "one, two")}
