"""What would go wrong in training is found before."""

from core.dataset.checking import check_dataset
from tests.core.dataset.small_things import picture


def found(project) -> dict[str, str]:
    return {finding.what: finding.level for finding in check_dataset(project)}


def level_of(project, words: str) -> str:
    return next((level for what, level in found(project).items() if words in what), "")


def test_a_good_dataset_has_nothing_to_say(project):
    for number in range(12):
        picture(project.images / f"{number}.png", colour=(number, 0, 0))
        (project.images / f"{number}.txt").write_text("hat")
    assert check_dataset(project) == []


def test_an_empty_project_is_an_error(project):
    assert list(found(project).values()) == ["error"]


def test_every_caption_fault_is_found_and_its_file_named(project):
    contents = {"empty": b"", "wrong": "café".encode("cp1252"), "lines": b"a\nb", "marked": b"\xef\xbb\xbfa",
                "good": b"a", "utf16": "a".encode("utf-16")}
    for number, (name, data) in enumerate(contents.items()):
        picture(project.images / f"{name}.png", colour=(number, 0, 0))
        (project.images / f"{name}.txt").write_bytes(data)
    picture(project.images / "bare.png")
    (project.images / "orphan.txt").write_text("x")
    (project.images / "bare.caption").write_text("x")
    assert level_of(project, "empty: empty.png") == "error"
    assert level_of(project, "not UTF-8 text: utf16.png, wrong.png") == "error"
    assert level_of(project, "several lines, of which trainers read only the first: lines.png") == "warning"
    assert level_of(project, "(BOM)") == "warning"
    assert level_of(project, "without a caption: bare.png") == "warning"
    assert level_of(project, "without an image: orphan.txt") == "info"
    assert level_of(project, ".caption, which is not read: bare.caption") == "info"


def test_images_that_share_a_caption_are_found(project):
    for name in ("a.png", "a.jpg", "B.png", "b.jpg"):
        picture(project.images / name)
    assert level_of(project, "share one caption file") == "error"


def test_broken_and_lying_images_are_found(project):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    picture(project.images / "lying.jpg", exif=exif)
    (project.images / "broken.png").write_bytes(b"x")
    assert level_of(project, "cannot be opened: broken.png") == "error"
    assert level_of(project, "stored lying") == "warning"


def test_a_missing_caption_that_sd_scripts_may_borrow_is_named(project):
    picture(project.images / "a_b_c_d_e.png")
    assert level_of(project, "four or more underscores") == "warning"


def test_captions_without_the_trigger_word_in_front_are_found(project):
    project.write_info(project.info().changed(trigger_word="mika"))
    for name, caption in (("a", "mika, hat"), ("b", "hat, mika")):
        picture(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text(caption)
    assert level_of(project, "do not begin with the trigger word: b.png") == "warning"


def test_long_lists_are_cut(project):
    for number in range(9):
        picture(project.images / f"{number}.png", colour=(number, 0, 0))
    assert any("4.png and 4 more" in what for what in found(project))
