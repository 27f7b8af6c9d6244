"""What lies beside the files of a source."""

import os
import time
from pathlib import Path

from core.dataset.index import Index
from core.dataset.project import Project
from core.dataset.sources.beside import Home, SourceTexts, homes_of
from core.dataset.sources.captions import read_words


def words(folder, image, images=None):
    with Index(folder / ".index.sqlite") as index:
        beside = SourceTexts(index).look(Home(str(folder), folder), images or [image])
    return read_words(beside.captions, image).text, beside


def test_only_captions_of_the_images_that_are_asked_for_are_read(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a/x.txt", "a/y.txt", "a/.x.txt", "a/x.png.caption"):
        (tmp_path / name).write_text(name)
    text, beside = words(tmp_path, "a/x.png")
    assert text == "a/x.txt" and set(beside.texts) == {"a/x.txt", "a/x.png.caption"}


def test_capitals_count_only_where_two_differ_by_them(tmp_path):
    (tmp_path / "img.txt").write_text("small")
    assert words(tmp_path, "IMG.PNG")[0] == "small"
    (tmp_path / "IMG.txt").write_text("large")
    assert words(tmp_path, "IMG.PNG")[0] == "large" and words(tmp_path, "img.png")[0] == "small"


def test_a_text_file_goes_before_a_table_above(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "metadata.csv").write_text("file_name,text\ntrain/a.png,table\ntrain/b.png,table\n")
    (tmp_path / "train" / "a.txt").write_text("file")
    assert words(tmp_path, "train/a.png")[0] == "file" and words(tmp_path, "train/b.png")[0] == "table"


def test_what_is_no_file_is_passed_over(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    (tmp_path / "b.txt").mkdir()
    (tmp_path / "c.txt").symlink_to(tmp_path / "gone")
    assert words(tmp_path, "a.png", ["a.png", "b.png", "c.png"])[0] == ""


def test_a_broken_table_or_a_missing_folder_is_named_and_the_rest_is_read(tmp_path):
    (tmp_path / "metadata.jsonl").write_text("{no json\n")
    (tmp_path / "a.txt").write_text("there")
    text, beside = words(tmp_path, "a.png", ["a.png", "gone/b.png"])
    assert text == "there"
    assert {item.name for item in beside.skipped} == {"metadata.jsonl", str(tmp_path / "gone")}


def test_the_innermost_source_comes_first_and_archives_and_addresses_are_none(tmp_path):
    (tmp_path / "home" / "cats").mkdir(parents=True)
    project = Project.create(tmp_path / "project", "Cats")
    places = (str(tmp_path / "home"), str(tmp_path / "home" / "cats"), str(tmp_path / "cats.zip"), "https://example.org/a.zip",
              str(tmp_path / "unplugged"))
    project.change_info(lambda info: info.changed(sources=places))
    homes, gone = homes_of(project)
    assert [home.folder for home in homes] == [tmp_path / "home" / "cats", tmp_path / "home"] and gone == [str(tmp_path / "unplugged")]


def test_texts_that_are_gone_are_forgotten_only_where_every_source_was_there(tmp_path):
    with Index(tmp_path / "index.sqlite") as index:
        index.remember_source_captions([("/gone/a.txt", (1, 1, 1), "a")])
        SourceTexts(index).remember(all_seen=False)
        assert list(index.source_captions()) == ["/gone/a.txt"]
        SourceTexts(index).remember(all_seen=True)
        assert index.source_captions() == {}


def test_a_caption_that_may_have_changed_while_it_was_read_is_not_kept(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("one")
    read = Path.read_bytes

    def slowly(path):
        data = read(path)
        time.sleep(0.15)
        return data

    monkeypatch.setattr(Path, "read_bytes", slowly)
    with Index(tmp_path / ".index.sqlite") as index:
        texts = SourceTexts(index)
        texts.look(Home(str(tmp_path), tmp_path), ["a.png"])
        texts.remember(all_seen=True)
        assert index.source_captions() == {}
