"""Images as a stage sees them."""

import contextlib
import os
import sqlite3
import time

import pytest

from core.base.errors import DatasetError
from core.dataset import items as items_module
from core.dataset.items import caption_path_of, folder_items, list_items
from core.dataset.renaming import RenameSettings, rename_images
from core.dataset.scanning import ImageMark
from core.dataset.sources.import_settings import ImportSettings
from core.dataset.sources.importing import import_images
from core.dataset.sources.ledger import LEDGER_FILE
from tests.core.dataset.small_things import picture


def test_items_come_in_natural_order_with_size_hash_and_caption(project):
    for name in ("10.png", "2.jpg", "A.webp"):
        picture(project.images / name, size=(50, 30))
    (project.images / "2.txt").write_text("a hat")
    items = list_items(project)
    assert [item.id for item in items] == ["2", "10", "A"]
    assert (items[0].width, items[0].height, items[0].caption, len(items[0].sha256)) == (50, 30, "a hat", 64)
    assert items[1].caption is None


def test_a_changed_file_is_looked_at_again(project):
    path = picture(project.images / "a.png", size=(50, 30))
    first = list_items(project)[0]
    picture(path, colour=(1, 2, 3), size=(70, 30))
    second = list_items(project)[0]
    assert second.width == 70 and first.sha256 != second.sha256


def settle(project) -> None:
    """Make captions older than the grain of the clock, as they are when a person comes back to them."""
    for path in project.images.glob("*.txt"):
        os.utime(path, ns=(time.time_ns() - 10**10,) * 2)
    time.sleep(0.15)


def same(first, second) -> bool:
    return len(first) == len(second) and all(one is other for one, other in zip(first, second, strict=True))


def test_an_unchanged_folder_gives_the_same_list_and_any_change_a_new_one(project):
    for name in ("a", "b"):
        picture(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text("hat")
    settle(project)
    first = list_items(project)
    first.reverse()
    assert same(list_items(project), first[::-1]), "what a caller does with its list must not show in the next"
    (project.images / "a.txt").write_text("cap")
    settle(project)
    second = list_items(project)
    assert [item.caption for item in second] == ["cap", "hat"]
    (project.images / "b.txt").unlink()
    third = list_items(project)
    assert [item.caption for item in third] == ["cap", None]
    picture(project.images / "a.png", size=(90, 30))
    fourth = list_items(project)
    assert fourth[0].width == 90
    picture(project.images / "c.png")
    assert len(list_items(project)) == 3


def test_a_caption_that_was_written_in_this_moment_is_read_again(project, monkeypatch):
    picture(project.images / "a.png")
    caption = project.images / "a.txt"
    caption.write_text("hat")
    before = caption.stat()
    assert list_items(project)[0].caption == "hat"
    caption.write_text("cap")
    monkeypatch.setattr("core.dataset.items.scan_folder", lambda folder: (
        {"a.png": ImageMark((image := (folder / "a.png").stat()).st_mtime_ns, image.st_size, image.st_ctime_ns, image.st_ino)},
        {"a.txt": (before.st_mtime_ns, before.st_ctime_ns, before.st_size)}))  # a clock that did not tick between the two
    assert list_items(project)[0].caption == "cap"


def test_a_caption_that_was_written_and_removed_in_this_moment_is_gone(project):
    picture(project.images / "a.png")
    (project.images / "a.txt").write_text("hat")
    assert list_items(project)[0].caption == "hat"
    (project.images / "a.txt").unlink()
    assert list_items(project)[0].caption is None


def test_a_name_that_passed_to_another_picture_gives_no_old_hash(project):
    """Frames of one second and one size, as BMPs from an archive are: only the change of the name tells them apart."""
    for number in (1, 2):
        os.utime(picture(project.images / f"{number}.bmp", colour=(number, 0, 0)), ns=(10**18, 10**18))
    first = list_items(project)
    (project.images / "1.bmp").unlink()
    (project.images / "2.bmp").rename(project.images / "1.bmp")
    (project.hidden / "index.sqlite").unlink()
    assert [item.sha256 for item in list_items(project)] == [first[1].sha256]


def test_a_name_that_the_renaming_gave_to_another_picture_gives_no_old_hash(project):
    for number in (1, 2, 3):
        os.utime(picture(project.images / f"p_{number:04}.bmp", colour=(number, 0, 0)), ns=(10**18, 10**18))
    hashes = [item.sha256 for item in list_items(project)]
    (project.images / "p_0001.bmp").unlink()
    list_items(project)
    rename_images(project, RenameSettings(name="p"))
    assert [(item.id, item.sha256) for item in list_items(project)] == [("p_0001", hashes[1]), ("p_0002", hashes[2])]


def test_a_caption_that_could_not_be_read_for_a_moment_is_read_again(project, monkeypatch):
    picture(project.images / "a.png")
    (project.images / "a.txt").write_text("hat")
    settle(project)
    with monkeypatch.context() as patch:
        patch.setattr("core.dataset.scanning.read_caption_text", lambda path: None)
        assert list_items(project)[0].caption is None
    assert list_items(project)[0].caption == "hat"


@pytest.mark.slow
def test_an_index_that_was_locked_or_deleted_is_filled_again(project):
    def rows() -> int:
        with contextlib.closing(sqlite3.connect(project.hidden / "index.sqlite")) as db:
            return db.execute("SELECT count(*) FROM images").fetchone()[0]

    picture(project.images / "a.png")
    list_items(project)
    picture(project.images / "b.png")
    with contextlib.closing(sqlite3.connect(project.hidden / "index.sqlite", isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        assert len(list_items(project)) == 2
        lock.execute("ROLLBACK")
    assert len(list_items(project)) == 2 and rows() == 2
    (project.hidden / "index.sqlite").unlink()
    assert len(list_items(project)) == 2 and rows() == 2


def test_an_image_that_went_away_for_a_moment_is_listed_again(project, monkeypatch):
    for name in ("a", "b", "c"):
        picture(project.images / f"{name}.png")
    away, real = project.folder / "away.png", items_module._row

    def look(path, hashed=True):
        if path.name == "a.png":
            path.rename(away)
        return real(path, hashed)
    with monkeypatch.context() as patch:
        patch.setattr(items_module, "_row", look)
        assert [item.id for item in list_items(project)] == ["b", "c"]
    away.rename(project.images / "a.png")
    (project.images / "b.png").unlink()
    assert [item.id for item in list_items(project)] == ["a", "c"]


def test_where_an_image_came_from_is_read_anew_with_each_list(project, tmp_path):
    (tmp_path / "from").mkdir()
    picture(tmp_path / "from" / "a.png")
    import_images(project, ImportSettings(source=str(tmp_path / "from")))
    settle(project)
    assert list_items(project)[0].source
    (project.hidden / LEDGER_FILE).unlink()
    assert not list_items(project)[0].source


def test_a_broken_image_is_listed_with_size_zero(project):
    (project.images / "a.png").write_bytes(b"<html>")
    assert (list_items(project)[0].width, list_items(project)[0].height) == (0, 0)


def test_hidden_files_and_other_files_are_passed_over(project):
    picture(project.images / ".a.png")
    (project.images / "film.mp4").write_bytes(b"x")
    assert list_items(project) == []


def test_names_with_brackets_and_any_script_are_found(project):
    picture(project.images / "[a] ミカ 😺.png")
    assert [item.id for item in list_items(project)] == ["[a] ミカ 😺"]
    assert caption_path_of(project, "[a] ミカ 😺").name == "[a] ミカ 😺.txt"


def test_an_image_of_an_old_archive_whose_name_is_no_utf8_does_not_stop_the_others(project):
    name = os.fsdecode(b"\x83\x7e\x83J")  # "Mika" in Shift-JIS
    picture(project.images / "a.png")
    picture(project.images / f"{name}.png")
    (project.images / f"{name}.txt").write_text("a hat")
    for _ in range(2):
        assert {item.id: item.caption for item in list_items(project)} == {"a": None, name: "a hat"}
    (project.images / f"{name}.png").unlink()
    assert [item.id for item in list_items(project)] == ["a"]


def test_a_caption_is_found_without_listing_the_folder_and_never_outside_of_it(project, tmp_path):
    picture(project.images / "a.PNG")
    picture(tmp_path / "secret.png")
    assert caption_path_of(project, "a") == project.images / "a.txt"
    for wrong in ("../secret", "b", "", ".", ".."):
        with pytest.raises(DatasetError, match="No image is called"):
            caption_path_of(project, wrong)


def test_a_link_that_leads_nowhere_is_listed_without_a_size_like_any_image_that_cannot_be_read(project, tmp_path):
    picture(project.images / "a.png")
    (project.images / "b.png").symlink_to(tmp_path / "nowhere.png")
    (project.images / "c.png").symlink_to(project.images / "c.png")
    for items in (list_items(project), list_items(project), folder_items(project.images)):
        assert [(item.id, item.width) for item in items] == [("a", 64), ("b", 0), ("c", 0)]


def test_an_image_whose_name_was_given_to_another_does_not_keep_its_source(project, tmp_path):
    picture(tmp_path / "source" / "a.png")
    import_images(project, ImportSettings(source=str(tmp_path / "source")))
    assert list_items(project)[0].source == str(tmp_path / "source" / "a.png")
    picture(project.images / "a.png", colour=(1, 1, 1))
    assert list_items(project)[0].source == ""


def test_a_plain_folder_is_read_with_its_subfolders_only_when_asked(tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "sub" / "a.png")
    assert [item.id for item in folder_items(tmp_path)] == ["a"]
    assert [item.id for item in folder_items(tmp_path, recursive=True)] == ["a", "sub/a"]
    assert folder_items(tmp_path, caption_extension=".caption")[0].caption_path.name == "a.caption"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DatasetError, match="nowhere does not exist"):
        folder_items(tmp_path / "nowhere")


def test_an_unknown_id_is_named(project):
    with pytest.raises(DatasetError, match="'../x'"):
        caption_path_of(project, "../x")


def test_numbers_in_names_are_ordered_as_numbers_also_very_long_ones(project):
    for name in ("b", "a 10", "a 9", f"a {'1' * 30}", "10 a", "9 a", "A 2"):
        picture(project.images / f"{name}.png")
    assert [item.id for item in list_items(project)] == ["9 a", "10 a", "A 2", "a 9", "a 10", f"a {'1' * 30}", "b"]
