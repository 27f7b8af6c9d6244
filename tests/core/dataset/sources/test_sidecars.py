"""Captions in .json files come along; what is neither picture nor caption is told."""

import json
import zipfile

import pytest

from core.dataset.items import list_items
from core.dataset.manager import DatasetManager
from core.dataset.sources.import_report import words_of_others
from tests.core.dataset.small_things import picture
from tests.core.dataset.sources.test_importing import bring


def captions(project) -> dict[str, str | None]:
    return {item.path.name: item.caption for item in list_items(project)}


def test_files_of_other_kinds_are_told_with_number_and_endings(project, tmp_path):
    source = tmp_path / "source"
    picture(source / "a.png")
    (source / "a.json").write_text('{"seed": 5}')
    for name in ("settings.json", "a.tags", "README"):
        (source / name).write_text("{}")
    report = bring(project, source)
    assert report.others == {".json": 2, ".tags": 1, "": 1}
    assert report.sentence() == "1 image imported. 4 files of other kinds were left out: 2 .json, 1 without an ending, 1 .tags."
    assert words_of_others({".csv": 1}) == "1 file of another kind was left out: 1 .csv." and words_of_others({}) == ""


@pytest.mark.parametrize(("values", "caption"), [
    ({"caption": "a girl\n\nin a hat"}, "a girl, in a hat"), ({"tags": ["hat", "long hair", 5]}, "hat, long hair"),
    ({"prompt": "", "tag_string": "1girl long_hair ^_^"}, "1girl, long hair, ^_^"), ({"tags": "solo red_hat"}, "solo, red hat"),
    ({"tags": "a red hat"}, "a red hat"), ({"text": 5, "prompt": "x"}, "x"),
    ({"text": "hat \ud800"}, "hat ?"), ({"title": "x"}, None), (["x"], None)])
def test_a_json_beside_a_picture_gives_the_caption_under_a_usual_key(project, tmp_path, values, caption):
    source = tmp_path / "source"
    picture(source / "a.png")
    (source / "a.json").write_text(json.dumps(values))
    report = bring(project, source)
    assert captions(project) == {"a.png": caption} and report.from_json == (caption is not None)
    assert report.others == ({".json": 1} if caption is None else {})
    assert ("1 of the captions stood in a .json file." in report.sentence()) == (caption is not None)


def test_a_text_file_goes_before_a_json_and_a_damaged_one_is_told(project, tmp_path):
    source = tmp_path / "source"
    for number, name in enumerate(("a.png", "b.png", "c.png", "d.png")):
        picture(source / name, (number, 0, 0))
    (source / "a.txt").write_text("mine")
    for name, text in (("a.json", '{"tags": "theirs"}'), ("b.json", '{"tags": "x'), ("c.png.json", '{"tags": "hat"}'), ("d.txt", " "),
                       ("d.JSON", '{"caption": "full"}')):
        (source / name).write_text(text)
    report = bring(project, source)
    assert captions(project) == {"a.png": "mine", "b.png": None, "c.png": "hat", "d.png": "full"}
    assert [(item.name, item.reason) for item in report.skipped] == [
        ("b.json", "b.json is damaged: it is no JSON. The image came in without it.")]
    assert report.others == {".json": 1} and report.from_json == 2


def test_kohyas_meta_gives_caption_and_tags_by_the_names_of_pictures(project, tmp_path):
    source = tmp_path / "source"
    for number, name in enumerate(("a.png", "sub/b.jpg", "x/c.png", "y/c.png", "d.png", "e.png")):
        picture(source / name, (number * 9, 0, 0))
    (source / "d.txt").write_text("mine")
    (source / "e.json").write_text('{"caption": "own"}')
    meta = {"a": {"caption": "a cat", "tags": "cat, solo"}, "/elsewhere/train/sub/b.jpg": {"tags": "dog"}, "x\\c": {"caption": "third"},
            "c": {"caption": "whose?"}, "d": {"caption": "theirs"}, "e": {"caption": "theirs"}, "nobody": {"caption": "x"}, "odd": 5}
    (source / "meta_cap.json").write_text(json.dumps(meta))
    report = bring(project, source)
    assert captions(project) == {"a.png": "a cat, cat, solo", "b.jpg": "dog", "c.png": "third", "c-2.png": None, "d.png": "mine",
                                 "e.png": "own"}
    assert (report.from_json, report.others, report.skipped) == (4, {}, [])


def test_a_damaged_meta_is_skipped_and_the_pictures_come(project, tmp_path):
    picture(tmp_path / "source" / "a.png")
    (tmp_path / "source" / "meta.json").write_text('{"a": {')
    report = bring(project, tmp_path / "source")
    assert len(report.imported) == 1 and report.others == {}
    assert [item.reason for item in report.skipped] == ["Its captions could not be read (meta.json is damaged: it is no JSON)."]


def test_a_caption_of_a_json_is_no_news_later_and_comes_out_of_a_zip_too(project, tmp_path):
    source = tmp_path / "source"
    picture(source / "a.png")
    (source / "a.json").write_text('{"caption": "a cat"}')
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("b.png", picture(tmp_path / "b.png", (9, 9, 9)).read_bytes())
        archive.writestr("b.json", '{"caption": "a dog"}')
    bring(project, source)
    bring(project, tmp_path / "b.zip")
    assert captions(project) == {"a.png": "a cat", "b.png": "a dog"}
    (project.images / "a.txt").write_text("mine")
    manager = DatasetManager.open(project.folder)
    for _ in range(2):
        again = bring(project, source)
        assert (again.differ, again.others, manager.find_source_captions().found) == (0, {}, [])
    (project.images / "a.txt").unlink()
    assert bring(project, source).from_json == 1 and captions(project)["a.png"] == "a cat"


def test_without_captions_a_json_is_only_counted(project, tmp_path):
    picture(tmp_path / "source" / "a.png")
    (tmp_path / "source" / "a.json").write_text('{"caption": "a cat"}')
    report = bring(project, tmp_path / "source", captions=False)
    assert captions(project) == {"a.png": None} and report.others == {".json": 1}


def test_a_meta_json_speaks_of_its_own_folder_and_two_of_one_picture_are_joined(project, tmp_path):
    source = tmp_path / "source"
    for place in ("a", "b"):
        picture(source / place / "1.png", (9, 9, ord(place)))
        (source / place / "meta_cap.json").write_text(json.dumps({"1": {"caption": f"caption of {place}"}}))
    (source / "b" / "meta_tag.json").write_text(json.dumps({"1": {"tags": "hat, bow"}}))
    bring(project, source)
    assert sorted(captions(project).values()) == ["caption of a", "caption of b, hat, bow"]


def test_words_to_the_visitors_of_a_site_are_no_caption_and_a_damaged_text_is_not_replaced(project, tmp_path):
    source = tmp_path / "source"
    for number, name in enumerate("ab"):
        picture(source / f"{name}.png", (number, 9, 9))
    (source / "a.png.json").write_text(json.dumps({"caption": "Thanks!<br />My shop: https://x.y", "tags": ["hat", "bow"]}))
    (source / "b.txt").write_bytes(b"caf\xe9")
    (source / "b.json").write_text('{"caption": "another one"}')
    report = bring(project, source)
    assert captions(project) == {"a.png": "hat, bow", "b.png": None} and [item.name for item in report.skipped] == ["b.txt"]
