"""What is found before an export, and the change of the settings that mends it: after pressing it is gone."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from PIL import Image

from core.base.errors import ConfigError, DatasetError
from core.dataset.export import checking
from core.dataset.export.checking import check_export
from core.dataset.images.variants import Made, Step, save_variant
from core.dataset.rejecting import RejectSettings, reject_images
from core.stages import run_stage
from tests.core.dataset.export.exports import bytes_of, caption, drawn, export, fill, note_of, settings, tree
from tests.core.dataset.small_things import picture


@pytest.fixture
def filled(project):
    fill(project)
    return project


def found(project, **values):
    return {finding.what.partition(":")[0]: finding for finding in check_export(project, settings(**values)).findings}


def pressed(project, finding, **values):
    """What is found after its button was pressed."""
    assert finding.press and finding.fix
    return found(project, **{**values, **finding.fix})


def test_nothing_is_written_by_a_check(filled):
    check_export(filled, settings())
    assert not (filled.folder / "export").exists()


def test_pictures_without_a_caption_stop_it_and_can_be_left_out_or_called_by_the_trigger_word(filled):
    (filled.images / "plain.txt").unlink()
    (filled.images / "lying.txt").write_text("  \n")
    finding = found(filled)["Pictures without a caption"]
    assert finding.level == "error" and "plain.png" in finding.what and "lying.jpg" in finding.what
    with pytest.raises(DatasetError, match="Nothing was exported. Pictures without a caption"):
        export(filled)
    assert not (filled.folder / "export").exists()
    assert "Pictures without a caption" not in pressed(filled, finding)
    report = export(filled, **finding.fix)
    assert report.pictures == 2 and {one.name for one in report.skipped} == {"plain.png", "lying.jpg"}
    assert "Left out: " in report.sentence()
    root = Path(export(filled, without_caption="trigger").folder)
    assert (root / "img" / "50_mychar" / "plain.txt").read_text() == "mychar"


def test_a_caption_that_is_not_utf8_stops_it(filled):
    (filled.images / "plain.txt").write_bytes("café".encode("cp1252"))
    names = found(filled)
    assert names["Captions that are not UTF-8 text"].level == "error" and "Pictures without a caption" in names


def test_versions_of_an_older_picture_are_named_and_passed_over_for_the_next_best(filled):
    save_variant(filled, "girl", "upscaled", bytes_of("old", filled, (192, 128), Made("0" * 64, (Step("upscale"),)).text()), ".png")
    finding = found(filled)["Versions and masks that are passed over, as they were made of another picture than the one that is there now"]
    assert finding.what.endswith(": girl_upscaled.png.")
    root = Path(export(filled, without_caption="trigger", masks="none").folder)
    assert (root / "img" / "50_mychar" / "girl.png").read_bytes() == (filled.images / "girl.png").read_bytes()
    save_variant(filled, "girl", "upscaled", bytes_of("a", filled, (192, 128), note_of(filled, "girl")), ".png")
    assert not [what for what in found(filled) if what.startswith("Versions")]
    export(filled, without_caption="trigger", masks="none")
    assert Image.open(root / "img" / "50_mychar" / "girl.png").size == (192, 128)
    drawn(filled.images / "girl.png", seed=99)
    assert [what for what in found(filled) if what.startswith("Versions")]


@pytest.mark.parametrize(("mask", "words"), [
    (Image.new("L", (50, 50), 255), "Masks that cannot be used"), (Image.new("L", (96, 64), 0), "Masks in which nothing counts"),
    (Image.new("L", (96, 64), 255), "Masks in which everything counts")])
def test_masks_of_the_wrong_size_empty_ones_and_full_ones_are_named(filled, mask, words):
    mask.save(filled.variants / "girl_mask.png")
    finding = next(one for what, one in found(filled).items() if what.startswith(words))
    assert "girl_mask.png" in finding.what
    if finding.fix:
        assert not [what for what in pressed(filled, finding) if what.startswith(words)]


def test_a_mask_within_a_pixel_of_the_proportions_is_scaled(filled):
    Image.new("L", (95, 64), 128).save(filled.variants / "girl_mask.png")
    assert not [what for what in found(filled) if what.startswith("Masks")]


def test_training_sizes_are_those_of_trainer(filled):
    picture(filled.images / "large.png", size=(512, 512))
    caption(filled, "large", "mychar")
    small = found(filled)["Pictures that are enlarged in training"]
    assert "large.png" not in small.what and "plain.png" in small.what
    (filled.folder / "training.toml").write_text("[data]\nresolution = 64\nmin_bucket_reso = 64\n")
    assert "Pictures that are enlarged in training" not in found(filled)
    (filled.folder / "training.toml").write_text("[data]\nresolution = 512\nbucket_no_upscale = true\nbucket_reso_steps = 128\n")
    assert found(filled)["Pictures that fit no training size"].level == "error"


def test_what_a_copy_mends_is_worth_a_look_only_without_one(filled):
    (filled.images / "plain.txt").write_bytes(b"\xef\xbb\xbfmychar")
    copy, place = found(filled), found(filled, layout="in_place")
    for what in ("Pictures that are stored lying", "Pictures with transparency", "Captions that begin with an invisible mark (BOM)"):
        assert copy[what].level == "info" and place[what].level == "warning" and place[what].fix == {"layout": "kohya"}
    assert (Path(export(filled).folder) / "img" / "50_mychar" / "plain.txt").read_bytes() == b"mychar"


def test_where_a_picture_was_taken_is_told_before_it_is_published(filled):
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    drawn(filled.images / "plain.png", exif=exif.tobytes())
    finding = found(filled, layout="imagefolder")["Pictures that say where they were taken"]
    assert finding.level == "warning" and found(filled)["Pictures that say where they were taken"].level == "info"
    assert "Pictures that say where they were taken" not in pressed(filled, finding, layout="imagefolder")


def test_a_disk_that_is_too_full_is_told_before_and_the_zip_can_be_left_away(filled, monkeypatch):
    usage = namedtuple("usage", "total used free")
    size = sum(path.stat().st_size for path in filled.images.glob("*.[jp]*g")) + checking.SPARE
    monkeypatch.setattr(checking.shutil, "disk_usage", lambda _: usage(1, 1, size + 40_000))
    finding = next(one for one in check_export(filled, settings(zip=True)).findings if one.level == "error")
    assert "The export takes" in finding.what and finding.fix == {"zip": False}
    assert not [one for one in check_export(filled, settings()).findings if one.level == "error"]
    monkeypatch.setattr(checking.shutil, "disk_usage", lambda _: usage(1, 1, 1000))
    with pytest.raises(DatasetError, match="The export takes .* but only 1 KiB are free"):
        export(filled)


def test_what_is_there_already_needs_no_room(filled, monkeypatch):
    export(filled)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(checking.shutil, "disk_usage", lambda _: usage(1, 1, checking.SPARE + 1))
    assert "nothing changed" in export(filled).sentence()


def test_somebody_elses_pictures_in_the_folder_are_named(filled):
    root = Path(export(filled).folder)
    picture(root / "img" / "50_mychar" / "stranger.png")
    finding = next(one for what, one in found(filled).items() if what.startswith("Files of somebody else"))
    assert "img/50_mychar/stranger.png" in finding.what and finding.level == "warning"


def test_a_damaged_picture_stops_it(filled):
    path = filled.images / "plain.png"
    path.write_bytes(path.read_bytes()[:-80])
    assert found(filled)["Pictures that are damaged or cut off"].level == "error"
    report = export(filled, anyway=True)
    assert report.pictures >= 3


def test_a_project_without_pictures_says_so(project):
    assert "There are no pictures to export." in found(project)
    for values in ({}, {"anyway": True}):
        with pytest.raises(DatasetError, match="There are no pictures to export"):
            export(project, **values)
    picture(project.images / "a.png")
    with pytest.raises(DatasetError, match="none is left to export"):
        export(project, without_caption="leave_out")


def test_the_check_as_a_command_ends_with_1_where_something_must_be_mended(filled, capsys):
    from core.cli import main

    assert main(["check-export", str(filled.folder), "--json"]) == 0
    (filled.images / "plain.txt").unlink()
    assert main(["check-export", str(filled.folder), "--json"]) == 1
    assert '"press": "Leave them out"' in capsys.readouterr().out
    assert main(["export", str(filled.folder), "--without_caption", "leave_out", "--layout", "onetrainer"]) == 0
    assert (filled.folder / "export" / "onetrainer" / "images" / "girl.txt").exists()


def test_wrong_sizes_of_trainer_are_told(filled):
    (filled.folder / "training.toml").write_text("[data]\nresolution = 64\nbucket_reso_steps = 512\nmin_bucket_reso = 256\n")
    with pytest.raises(ConfigError):
        export(filled)


def test_only_some_pictures_and_names_that_are_not_there(filled):
    report = export(filled, images=("girl", "nobody"))
    assert report.pictures == 1 and [one.name for one in report.skipped] == ["nobody"]


def test_the_numbers_and_the_contact_sheet_say_what_was_exported(filled):
    report = run_stage("export", filled.folder, {"parts": True})
    rows = dict(report["rows"])
    assert (rows["Pictures"], rows["Masks"], rows["Repeats"], rows["Steps of an epoch"]) == ("5", "1", "40", "200 (5 x 40)")
    assert rows["Trigger word"] == "mychar, in 5 of 5 captions" and report["tags"][0] == ["mychar", 5]
    page = Image.open(Path(report["folder"]) / report["sheets"][0])
    assert report["sheets"] == ["contact_sheet.png"] and page.width == 5 * 168 + 8 and page.height == 168 + 8 + 18
    assert "| Pictures | 5 |" in (Path(report["folder"]) / "statistics.md").read_text()
    (filled.folder / "training.toml").write_text("[data]\nbatch_size = 3\n")
    assert dict(run_stage("export", filled.folder, {"parts": True})["rows"])["Steps of an epoch"] == "67 (5 x 40, 3 at once)"


def test_many_pictures_come_on_pages_of_bounded_number(monkeypatch, filled):
    from core.dataset.export import sheets

    monkeypatch.setattr(sheets, "COLUMNS", 2)
    monkeypatch.setattr(sheets, "ROWS", 1)
    monkeypatch.setattr(sheets, "MOST_PAGES", 2)
    report = export(filled, parts=True)
    assert report.sheets == ["contact_sheet_01.png", "contact_sheet_02.png"]
    shown = [sheets.Shown(Path(str(number)), str(number), "") for number in range(100)]
    assert [one.words for page in sheets.choose(shown) for one in page] == ["0", "25", "50", "75"]
    before = tree(Path(report.folder))
    assert not export(filled, parts=True).written and tree(Path(report.folder)) == before
    reject_images(filled, RejectSettings(images=("plain.png", "girl.png", "clear.png")))
    assert export(filled, parts=True).sheets == ["contact_sheet.png"]
    assert not (Path(report.folder) / "contact_sheet_02.png").exists()
    shutil.rmtree(filled.folder / "export")
