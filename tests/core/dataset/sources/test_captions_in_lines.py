"""A caption file of several lines keeps them on its way into the project where that is asked for; it is compared as one line."""

import json

import pytest

from core.dataset.captions.files import one_line
from core.dataset.items import list_items
from core.dataset.manager import DatasetManager
from core.dataset.sources.captions import clean_lines
from core.dataset.sources.importer import Importer
from tests.core.dataset.small_things import picture
from tests.core.dataset.sources import test_importing

LINES = "﻿a cat, red hat\r\n\r\n  a cat\tsitting \x00 \n\n"


def bring(project, source):
    return test_importing.bring(project, source, keep_lines=True)


@pytest.fixture
def source(tmp_path):
    picture(tmp_path / "source" / "a.png")
    (tmp_path / "source" / "a.txt").write_bytes(LINES.encode())
    return tmp_path / "source"


@pytest.mark.parametrize("text", [LINES, "a\r\rb", "a,\nb\u2028c\x0bd", "one", "\n\n one \n", "", "\x85a\x85\nb", "a \x1f\n\x00\n\ufeffb."])
def test_cleaned_lines_say_the_same_in_one_line(text):
    lines = clean_lines(text)
    assert one_line(lines) == one_line(text) and clean_lines(lines) == lines
    assert all(line and line == line.strip() and line.isprintable() for line in lines.split("\n") if lines)


def test_the_lines_come_as_they_stood_and_the_report_says_so(project, source):
    report = bring(project, source)
    assert (project.images / "a.txt").read_bytes() == b"a cat, red hat\na cat sitting"
    assert [item.caption for item in list_items(project)] == ["a cat, red hat, a cat sitting"]
    assert report.sentence() == "1 image imported, 1 caption. 1 caption keeps its several lines."


def test_they_are_no_news_until_they_say_something_else(project, source):
    manager = DatasetManager.open(project.folder)
    bring(project, source)
    assert (bring(project, source).differ, manager.find_source_captions().found) == (0, [])
    (source / "a.txt").write_text("a cat, red hat\na cat sitting\n")  # the same in other bytes
    assert (bring(project, source).differ, manager.find_source_captions().found) == (0, [])
    (source / "a.txt").write_text("a cat, red hat\na dog\n")
    assert bring(project, source).differ == 1
    found = manager.find_source_captions().found
    assert [one.found for one in found] == ["a cat, red hat, a dog"]
    manager.take_source_captions(found)
    assert (project.images / "a.txt").read_bytes() == b"a cat, red hat, a dog"
    manager.undo()
    assert (project.images / "a.txt").read_bytes() == b"a cat, red hat\na cat sitting"


def test_a_caption_that_came_later_keeps_its_lines_and_is_no_news(project, source):
    text = (source / "a.txt").read_bytes()
    (source / "a.txt").unlink()
    bring(project, source)
    (source / "a.txt").write_bytes(text)
    report = bring(project, source)
    assert (report.captions, report.in_lines, report.differ) == (1, 1, 0)
    assert (project.images / "a.txt").read_bytes() == b"a cat, red hat\na cat sitting"
    (project.images / "a.txt").write_text("mine")
    assert DatasetManager.open(project.folder).find_source_captions().found == [] and bring(project, source).differ == 0


def test_an_import_that_broke_off_between_caption_and_image_goes_on(project, source, monkeypatch):
    import core.dataset.sources.importer as importer

    def no_power(path, data):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(importer, "write_new", no_power)
        with pytest.raises(KeyboardInterrupt):
            bring(project, source)
    assert [path.name for path in project.images.iterdir()] == ["a.txt"]
    bring(project, source)
    assert sorted(path.name for path in project.images.iterdir()) == ["a.png", "a.txt"]
    assert (project.images / "a.txt").read_bytes() == b"a cat, red hat\na cat sitting"


def test_a_caption_of_lines_makes_way_with_its_image_when_another_took_the_name(project, source, monkeypatch):
    write, met = Importer._bring_caption, []

    def and_then_another(self, words, image):
        caption = write(self, words, image)
        if not met:
            met.append(picture(image, (9, 9, 9)))
        return caption

    monkeypatch.setattr(Importer, "_bring_caption", and_then_another)
    report = bring(project, source)
    assert sorted(path.name for path in project.images.iterdir()) == ["a-2.png", "a-2.txt", "a.png"]
    assert (report.captions, report.in_lines) == (1, 1)


def test_paragraphs_of_a_table_or_a_json_are_no_lines_to_choose_from(project, tmp_path):
    source = tmp_path / "source"
    picture(source / "a.png")
    picture(source / "b.png", (9, 9, 9))
    (source / "metadata.jsonl").write_text(json.dumps({"file_name": "a.png", "text": "A cat.\n\nIt sits."}) + "\n")
    (source / "b.json").write_text(json.dumps({"caption": "A dog.\n\nIt runs."}))
    report = bring(project, source)
    assert [(project.images / name).read_bytes() for name in ("a.txt", "b.txt")] == [b"A cat. It sits.", b"A dog. It runs."]
    assert report.in_lines == 0
