"""Corrected captions that come once more, with their pictures or without: never written at once, never passed over in silence."""

import tarfile

import pytest
from PIL import Image

from core.base.errors import DatasetError
from core.dataset.items import list_items
from core.dataset.manager import DatasetManager
from core.dataset.renaming import RenameSettings
from core.dataset.sources.found_captions import FindSettings, TakeSettings
from core.dataset.sources.import_settings import ImportSettings
from core.dataset.sources.importing import import_images
from core.dataset.sources.ledger import PLACES_FILE
from core.dataset.sources.upload import UploadSettings, not_imported
from tests.core.dataset.small_things import picture, png_bytes
from tests.core.dataset.sources.test_upload import upload, zipped

LOOK = "look at it in the panel Captions beside the sources."
APART = UploadSettings(where="project")


@pytest.fixture
def source(tmp_path):
    for number in range(3):
        picture(tmp_path / "source" / "sub" / f"p{number}.png", (number, 0, 90))
        (tmp_path / "source" / "sub" / f"p{number}.txt").write_text(f"old {number}")
    return tmp_path / "source"


@pytest.fixture
def manager(tmp_path, source):
    manager = DatasetManager.create("Cats", parent=tmp_path / "projects")
    manager.import_from(source)
    return manager


def found(manager, **settings):
    return {one.id: (one.present, one.found) for one in manager.find_source_captions(FindSettings(**settings)).found}


def captions(manager):
    return {item.id: item.caption for item in list_items(manager.project)}


def bring(manager, receiver):
    return import_images(manager.project, ImportSettings(source=str(receiver.record.path)))


def brought(manager, tmp_path, kind, given):
    """The same files as a folder, in a zip, or uploaded."""
    if kind == "upload":
        return bring(manager, upload(manager.project, given, APART))
    if kind == "zip":
        (tmp_path / "more.zip").write_bytes(zipped(given))
        return manager.import_from(tmp_path / "more.zip")
    for name, data in given.items():
        (tmp_path / "more" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "more" / name).write_bytes(data)
    return manager.import_from(tmp_path / "more")


USUAL = {"p0": "old 0", "p1": "old 1", "p2": "old 2"}


def test_a_folder_of_captions_alone_is_matched_by_name_and_waits_for_review(manager, tmp_path):
    (tmp_path / "corrected").mkdir()
    (tmp_path / "corrected" / "P0.txt").write_text("new 0")
    (tmp_path / "corrected" / "p1.png.caption").write_text("new 1")
    (tmp_path / "corrected" / "nobody.txt").write_text("of none")
    report = manager.import_from(tmp_path / "corrected")
    assert report.sentence() == ("No pictures, but 2 captions that fit pictures of this project: look at them in the panel Captions beside "
                                 "the sources. 1 skipped.")
    assert captions(manager) == USUAL and report.skipped[0].name == "nobody.txt"
    assert found(manager) == {"p0": ("old 0", "new 0"), "p1": ("old 1", "new 1")}
    manager.take_found(TakeSettings())
    assert captions(manager) == {"p0": "new 0", "p1": "new 1", "p2": "old 2"} and found(manager) == {}
    again = manager.import_from(tmp_path / "corrected").sentence()
    assert again.startswith("No pictures, and nothing new: the project has these 2 captions already")


def test_captions_alone_in_an_upload_are_found_also_beside_the_makers_own_files_and_after_a_renaming(manager, source):
    manager.rename(RenameSettings(how="numbered", name="cat", plan=manager.plan_rename(RenameSettings(how="numbered", name="cat")).mark))
    receiver = upload(manager.project, {"sub/p1.txt": b"corrected one"})
    assert receiver.folder == source
    report = bring(manager, receiver)
    assert report.sentence() == f"No pictures, but 1 caption that fits a picture of this project: {LOOK}"
    (one,) = manager.find_source_captions().found
    assert one.found == "corrected one" and one.present == "old 1" and not_imported(manager.project) == []


def test_the_folder_tells_pictures_of_one_name_apart(tmp_path):
    for folder, shade in (("a", 1), ("b", 2)):
        picture(tmp_path / "source" / folder / "x.png", (shade, 0, 90))
        (tmp_path / "source" / folder / "x.txt").write_text(f"of {folder}")
    manager = DatasetManager.create("Cats", parent=tmp_path / "projects")
    manager.import_from(tmp_path / "source")
    bring(manager, upload(manager.project, {"b/x.txt": b"b corrected"}, APART))
    assert list(found(manager).values()) == [("of b", "b corrected")]


def test_captions_that_fit_no_picture_are_named_and_the_upload_is_not_offered_again(manager):
    receiver = upload(manager.project, {"cat.txt": b"x", "dog.txt": b"y"}, APART)
    with pytest.raises(DatasetError, match=r"holds no images, and its 2 captions fit no picture of this project: cat\.txt, dog\.txt\."):
        bring(manager, receiver)
    assert not_imported(manager.project) == [] and found(manager) == {}


@pytest.mark.parametrize("packed", [False, True])
def test_an_upload_of_pictures_that_are_there_with_other_captions_says_so_and_shows_them(manager, source, packed):
    files = {f"p{number}.png": (source / "sub" / f"p{number}.png").read_bytes() for number in range(3)}
    files |= {"p0.txt": b"old 0", "p1.txt": b"corrected", "p2.caption": b"old 2"}
    report = bring(manager, upload(manager.project, {"all.zip": zipped(files)} if packed else files, APART))
    assert report.sentence() == f"0 images imported, 3 already there. 1 caption differs from the project's: {LOOK}"
    assert found(manager) == {"p1": ("old 1", "corrected")} and captions(manager) == USUAL
    assert manager.find_source_captions().skipped == []


def test_corrected_captions_beside_new_pictures_are_counted_too(manager):
    report = bring(manager, upload(manager.project, {"new.png": png_bytes((200, 1, 1)), "p1.txt": b"corrected"}, APART))
    assert report.sentence() == f"1 image imported. 1 caption differs from the project's: {LOOK}"
    assert found(manager) == {"p1": ("old 1", "corrected")}


def test_a_folder_that_was_imported_as_already_there_is_looked_into(tmp_path, source):
    manager = DatasetManager.create("Cats", parent=tmp_path / "projects")
    files = {path.name: path.read_bytes() for path in sorted((source / "sub").iterdir())}
    bring(manager, upload(manager.project, files, APART))
    assert manager.import_from(source).sentence() == "0 images imported, 3 already there."
    assert found(manager) == {}
    (source / "sub" / "p2.txt").write_text("corrected later")
    assert found(manager) == {"p2": ("old 2", "corrected later")}
    assert manager.import_from(source).sentence() == f"0 images imported, 3 already there. 1 caption differs from the project's: {LOOK}"
    manager.take_found(TakeSettings(decision="leave"))
    assert manager.import_from(source).sentence() == "0 images imported, 3 already there."


def test_a_source_that_an_earlier_version_took_for_already_there_is_looked_into_too(tmp_path, source):
    manager = DatasetManager.create("Cats", parent=tmp_path / "projects")
    files = {f"up/sub/{path.name}": path.read_bytes() for path in sorted((source / "sub").iterdir())}
    bring(manager, upload(manager.project, files, APART))
    manager.import_from(source)
    (manager.project.hidden / PLACES_FILE).unlink()
    assert found(manager) == {}
    (source / "sub" / "p2.txt").write_text("corrected later")
    assert found(manager) == {"p2": ("old 2", "corrected later")}


def test_what_a_person_changed_here_alone_is_no_news(manager, source):
    manager.save_caption("p0", "mine", manager.read_caption("p0").revision)
    assert manager.import_from(source).sentence() == "0 images imported, 3 already there." and found(manager) == {}


def test_after_undo_what_was_decided_before_is_named(manager, source):
    (source / "sub" / "p0.txt").write_text("new 0")
    manager.take_found(TakeSettings())
    manager.undo()
    report = manager.find_source_captions()
    assert report.sentence() == "No other caption beside the sources is missing here. 1 caption that you decided on before is not shown."
    assert found(manager, decided=True) == {"p0": ("old 0", "new 0")}


def test_a_zip_is_looked_into_and_a_tar_is_named_calmly(tmp_path, source):
    manager = DatasetManager.create("Cats", parent=tmp_path / "projects")
    picture(tmp_path / "z.png", (77, 0, 0))
    (tmp_path / "z.zip").write_bytes(zipped({"in/z.png": (tmp_path / "z.png").read_bytes()}))
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        archive.add(source / "sub", "sub")
    manager.import_from(tmp_path / "z.zip")
    manager.import_from(tmp_path / "all.tar")
    assert found(manager) == {}
    (tmp_path / "z.zip").write_bytes(zipped({"in/z.png": (tmp_path / "z.png").read_bytes(), "in/z.txt": b"written later"}))
    report = manager.find_source_captions()
    assert [(one.id, one.found) for one in report.found] == [("z", "written later")] and report.skipped == []
    assert report.closed == [str(tmp_path / "all.tar")] and "1 archive is not looked into" in report.sentence()


@pytest.mark.parametrize("kind", ["folder", "zip", "upload"])
def test_a_caption_without_a_picture_is_named_beside_pictures_that_come(manager, tmp_path, kind):
    given = {"new.png": png_bytes((7, 7, 7)), "new.txt": b"new", "lost picture.txt": b"hours of work",
             "metadata.jsonl": b'{"file_name": "not there.png", "text": "of a table"}\n'}
    report = brought(manager, tmp_path, kind, given)
    assert [(one.name.rpartition("/")[2], one.reason) for one in report.skipped] == [
        ("lost picture.txt", "It is a caption, and no picture is called like it.")]
    assert report.sentence() == "1 image imported, 1 caption, 1 skipped." and captions(manager) == USUAL | {"new": "new"}


@pytest.mark.parametrize("captions_of", ["loose", "zipped"])
def test_captions_and_pictures_in_different_parts_of_one_upload_come_together(manager, captions_of):
    words, pictures = {"a.txt": b"of a", "b.txt": b"of b"}, {"a.png": png_bytes((3, 0, 0)), "b.png": png_bytes((4, 0, 0))}
    given = words if captions_of == "loose" else {"captions.zip": zipped(words)}
    report = bring(manager, upload(manager.project, {**given, "pictures.zip": zipped(pictures)}, APART))
    assert report.sentence() == "2 images imported, 2 captions." and captions(manager) == USUAL | {"a": "of a", "b": "of b"}


@pytest.mark.parametrize("beside", ["a picture of its folder", "captions beside the picture"])
def test_a_caption_of_a_folder_whose_picture_is_missing_goes_to_no_other_folders_picture(manager, tmp_path, beside):
    more = tmp_path / "more"
    picture(more / "rin" / "1.png", (7, 7, 7))
    (more / "mika").mkdir()
    (more / "mika" / "1.txt").write_text("mika")
    if beside == "a picture of its folder":
        picture(more / "mika" / "2.png", (8, 8, 8))
    else:
        picture(more / "rin" / "2.png", (8, 8, 8))
        (more / "rin" / "2.txt").write_text("rin")
    report = manager.import_from(more)
    assert captions(manager)["1"] is None and report.differ == 1 and found(manager) == {"1": (None, "mika")}


def test_captions_in_a_folder_of_their_own_go_to_the_pictures(manager, tmp_path):
    picture(tmp_path / "more" / "images" / "1.png", (7, 7, 7))
    (tmp_path / "more" / "captions").mkdir()
    (tmp_path / "more" / "captions" / "1.txt").write_text("one")
    assert manager.import_from(tmp_path / "more").sentence() == "1 image imported, 1 caption."
    assert captions(manager) == USUAL | {"1": "one"} and found(manager) == {}
    manager.save_caption("1", "one, and mine", manager.read_caption("1").revision)
    assert manager.import_from(tmp_path / "more").differ == 0 and found(manager) == {}
    (tmp_path / "more" / "captions" / "1.txt").write_text("newer")
    assert manager.import_from(tmp_path / "more").differ == 1 and found(manager) == {"1": ("one, and mine", "newer")}


def test_a_caption_that_fits_several_pictures_is_named_with_them(manager, tmp_path):
    picture(tmp_path / "more" / "other" / "p1.png", (9, 9, 9))
    manager.import_from(tmp_path / "more")
    report = bring(manager, upload(manager.project, {"p1.txt": b"which?", "new.png": png_bytes((7, 7, 7)), "README.txt": b"hello"}, APART))
    assert [(one.name, one.reason) for one in report.skipped] == [
        ("p1.txt", "It is a caption, and several pictures are called like it: p1-2.png, p1.png.")]
    assert report.others == {".txt": 1} and captions(manager)["p1"] == "old 1"


@pytest.mark.parametrize("kind", ["folder", "zip", "upload"])
def test_a_caption_whose_name_is_composed_otherwise_belongs_to_its_picture_and_to_no_other(manager, tmp_path, kind):
    composed, apart = "caf\u00e9", "cafe\u0301"
    given = {f"x/{apart}.png": png_bytes((7, 7, 7)), f"x/{composed}.txt": b"words", f"y/{apart}.png": png_bytes((8, 8, 8)),
             f"y/{composed}.png": png_bytes((9, 9, 9)), f"y/{composed}.txt": b"of the composed one"}
    report = brought(manager, tmp_path, kind, given)
    of = {picture_at(manager, item.path): item.caption for item in list_items(manager.project) if item.id not in USUAL}
    assert of == {(7, 7, 7): "words", (8, 8, 8): None, (9, 9, 9): "of the composed one"} and report.skipped == []


def picture_at(manager, path):
    with Image.open(path) as image:
        return image.convert("RGB").getpixel((0, 0))


def test_a_caption_in_a_json_file_for_a_picture_that_is_there_is_named(manager):
    known = (manager.project.images / "p0.png").read_bytes()
    newer = b'{"caption": "newer"}'
    given = {"p0.png": known, "p0.json": newer, "p1.json": newer, "p2.json": b'{"caption": "old 2"}', "other.json": b'{"prompt": "x"}'}
    report = bring(manager, upload(manager.project, given, APART))
    assert sorted((one.name, one.reason[:52]) for one in report.skipped) == [
        (f"{name}.json", f"Its caption was not taken: {name}.png is in the project.") for name in ("p0", "p1")]
    assert captions(manager) == USUAL and report.others == {".json": 2}


@pytest.fixture
def own(manager, source):
    """The maker's own folder, into which a new picture with its caption was uploaded."""
    report = bring(manager, upload(manager.project, {"sub/new.png": png_bytes((7, 7, 7)), "sub/new.txt": b"new"}))
    assert (source / "sub" / "new.txt").read_text() == "new" and report.sentence() == "1 image imported, 1 caption."
    return source / "sub"


def test_what_was_uploaded_into_the_own_folder_is_no_news_when_that_is_imported(manager, own):
    manager.save_caption("new", "new, and tagged", manager.read_caption("new").revision)
    report = manager.import_from(own.parent)
    assert (report.differ, len(report.already)) == (0, 4) and found(manager) == {}
    (own / "new.txt").write_text("changed there")
    assert manager.import_from(own.parent).differ == 1 and found(manager) == {"new": ("new, and tagged", "changed there")}


def test_a_decision_holds_whichever_name_the_file_goes_by(manager, own):
    manager.import_from(own.parent)
    (own / "p0.txt").write_text("changed 0")
    (own / "p1.txt").write_bytes(b"caf\xe9")
    report = manager.find_source_captions()
    assert [one.name for one in report.skipped] == ["sub/p1.txt"]
    assert manager.take_source_captions(leave=report.found, take=[]).left == 1
    bring(manager, upload(manager.project, {"sub/p0.png": (own / "p0.png").read_bytes(), "lone.txt": b"x", "n.png": png_bytes((3, 3, 9))},
                          name="upload_20260101-120001"))
    assert found(manager) == {} and manager.import_from(own.parent).differ == 0 and found(manager) == {}


def test_a_caption_fits_by_the_name_under_which_its_picture_came_once_more(manager, source, tmp_path):
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies" / "p0 copy.png").write_bytes((source / "sub" / "p0.png").read_bytes())
    manager.import_from(tmp_path / "copies")
    report = bring(manager, upload(manager.project, {"p0 copy.txt": b"newer"}, APART))
    assert report.differ == 1 and found(manager) == {"p0": ("old 0", "newer")}
