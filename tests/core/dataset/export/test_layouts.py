"""Each layout by its reader's own rules. What sd-scripts itself reads is tested with it: tests/integration/test_sd_scripts_export.py."""

import importlib
import json
import os
from pathlib import Path

import numpy
import pytest
import yaml
from PIL import Image

from core.base.errors import ConfigError
from core.dataset.export.layouts import LAYOUTS
from core.dataset.export.settings import ExportSettings, export_folder
from core.dataset.images.variants import save_variant
from core.stages import run_stage
from tests.core.dataset.export.exports import caption, drawn, export, fill, names, settings
from tests.core.dataset.small_things import lying_with_mask, picture, png_bytes


@pytest.fixture
def filled(project):
    fill(project)
    return project


def test_every_layout_of_the_settings_has_an_entry():
    assert LAYOUTS.names() == ExportSettings.fields()["layout"].annotation.__args__


def test_kohya_names_repeats_trigger_and_class(filled):
    report = run_stage("export", filled.folder, {"class_word": "girl"})
    assert names(Path(report["folder"]), "img/50_mychar girl/") == [
        "clear.png", "clear.txt", "girl.png", "girl.txt", "lying.jpg", "lying.txt", "plain.png", "plain.txt"]
    assert (report["pictures"], report["captions"], report["masks"]) == (4, 4, 1)
    assert names(Path(run_stage("export", filled.folder, {"num_repeats": 7})["folder"]), "img/") == [
        f"7_mychar/{stem}.{kind}" for stem, kind in [("clear", "png"), ("clear", "txt"), ("girl", "png"), ("girl", "txt"), ("lying", "jpg"),
                                                     ("lying", "txt"), ("plain", "png"), ("plain", "txt")]]


def test_onetrainer_finds_a_caption_for_each_picture_and_no_picture_that_is_none(filled):
    drawn(filled.images / "odd-masklabel.png", seed=9)
    caption(filled, "odd-masklabel", "mychar, odd")
    folder = Path(export(filled, layout="onetrainer", parts=True).folder) / "images"
    stems = {path.stem for path in folder.iterdir() if path.suffix in (".png", ".jpg")}
    learned = {stem for stem in stems if not stem.endswith(("-masklabel", "-condlabel"))}  # CollectPaths(exclude_postfix=…)
    assert learned == {"plain", "lying", "clear", "girl", "girl_face_focus", "odd-masklabel_"}
    assert all((folder / f"{stem}.txt").read_text() for stem in learned) and stems - learned == {"girl-masklabel"}
    with Image.open(folder / "girl-masklabel.png") as mask, Image.open(folder / "girl.png") as girl:
        assert mask.mode == "L" and mask.size == girl.size == (192, 128) and mask.getextrema() == (0, 255)


def test_ai_toolkit_reads_its_config_its_pictures_and_the_place_of_the_trigger_word(filled):
    picture(filled.images / "old.bmp")
    caption(filled, "old", "a mychar. mycharacter\nsecond line")
    root = Path(export(filled, layout="ai_toolkit").folder)
    process = yaml.safe_load((root / "config.yaml").read_text())["config"]["process"][0]
    data = process["datasets"][0]
    assert (process["trigger_word"], data["caption_ext"], data["resolution"], data["num_repeats"]) == ("mychar", "txt", [512], 40)
    walked = [Path(folder) / name for folder, _, files in os.walk(data["folder_path"]) for name in files
              if name.lower().endswith((".jpg", ".jpeg", ".png", ".webp")) and not name.startswith(".")]  # toolkit/data_loader.py
    assert {path.name for path in walked} == {"plain.png", "lying.jpg", "clear.png", "girl.png", "old.png"}
    assert (root / "images" / "plain.txt").read_text() == "[trigger], plain, red hair"
    assert (root / "images" / "old.txt").read_text() == "a [trigger]. mycharacter, second line"
    assert [path.name for path in walked if (Path(data["mask_path"]) / f"{path.stem}.png").exists()] == ["girl.png"]
    report = export(filled, layout="ai_toolkit", masks="alpha")
    assert yaml.safe_load((root / "config.yaml").read_text())["config"]["process"][0]["datasets"][0]["alpha_mask"] is True
    assert report.removed == ["masks/girl.png"] and not (root / "masks").exists()


@pytest.mark.slow
def test_the_library_datasets_reads_the_imagefolder_with_its_masks(filled, tmp_path):
    datasets = importlib.import_module("datasets") if os.environ.get("CI") else pytest.importorskip("datasets")
    root = Path(export(filled, layout="imagefolder", parts=True).folder)
    table = datasets.load_dataset("imagefolder", data_dir=str(root), split="train", cache_dir=str(tmp_path / "cache"))
    assert set(table.column_names) == {"image", "text", "mask"} and len(table) == 5
    rows = {(row["text"].split(", ")[1], row["image"].size): row for row in table}
    assert rows.keys() == {("plain", (96, 64)), ("lying", (64, 96)), ("clear", (64, 64)), ("girl", (192, 128)), ("girl", (64, 64))}
    assert {row["text"] for row in table} == {f"mychar, {stem}, red hair" for stem in ("plain", "lying", "clear", "girl")}
    assert {key for key, row in rows.items() if row["mask"] is not None} == {("girl", (192, 128))}
    girl = rows["girl", (192, 128)]
    with Image.open(filled.variants / "girl_upscaled.png") as source, Image.open(filled.variants / "girl_mask.png") as mask:
        assert girl["image"].tobytes() == source.tobytes()
        assert girl["mask"].tobytes() == mask.resize(source.size, Image.Resampling.BILINEAR).tobytes()


def test_the_imagefolders_metadata_names_what_is_there(filled):
    caption(filled, "plain", "first\nsecond")
    root = Path(export(filled, layout="imagefolder", masks="none").folder)
    lines = [json.loads(line) for line in (root / "train" / "metadata.jsonl").read_text().splitlines()]
    assert {line["file_name"] for line in lines} | {"metadata.jsonl"} == set(names(root, "train/"))
    assert {tuple(line) for line in lines} == {("file_name", "text")}
    assert next(line["text"] for line in lines if line["file_name"] == "plain.png") == "first, second"


def test_captions_of_several_lines_stay_so_where_a_trainer_draws_one(filled):
    caption(filled, "plain", "first\n\n second ")
    assert (Path(export(filled).folder) / "img" / "50_mychar" / "plain.txt").read_bytes() == b"first\nsecond"


def test_a_part_has_its_own_caption_where_there_is_one_and_its_own_mask(filled):
    (filled.variants / "girl_face_focus.txt").write_text("mychar, face")
    save_variant(filled, "girl", "mask", png_bytes((255, 255, 255), (64, 64)), ".png", "face_focus")
    root = Path(export(filled, layout="onetrainer", parts=True).folder)
    assert (root / "images" / "girl_face_focus.txt").read_text() == "mychar, face"
    assert (root / "images" / "girl_face_focus-masklabel.png").exists()


def test_the_transparent_version_lies_over_white_or_is_the_mask(filled):
    clear = Image.open(filled.variants / "girl_upscaled.png").convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    clear.save(filled.variants / "girl_transparent.png")
    for masks, mode in (("none", "RGB"), ("alpha", "RGBA")):
        root = Path(export(filled, transparent=True, masks=masks).folder)
        with Image.open(root / "img" / "50_mychar" / "girl.png") as girl:
            at, hidden = girl.getpixel((0, 5)), clear.getpixel((0, 5))
            assert girl.mode == mode and (at[:3] == hidden[:3] if masks == "alpha" else min(at) > 235 > min(hidden[:3]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_in_place_the_mask_of_a_picture_that_is_stored_lying_lies_as_it_does(filled, orientation):
    stored = lying_with_mask(filled, "turn", orientation)
    caption(filled, "turn", "mychar")
    root = Path(export(filled, layout="in_place", versions="none").folder)
    with Image.open(root / "mask" / "turn.png") as mask:  # as sd-scripts reads it, which turns neither
        assert mask.mode == "L" and (numpy.asarray(mask) == stored).all()
    assert {path.stem: Image.open(path).size for path in (root / "mask").iterdir()} == {
        path.stem: Image.open(path).size for path in filled.images.iterdir() if path.suffix != ".txt"}
    copy = Path(export(filled, versions="none").folder) / "mask" / "40_mychar" / "turn.png"
    with Image.open(copy) as mask, Image.open(filled.variants / "turn_mask.png") as drawn_upright:
        assert mask.tobytes() == drawn_upright.tobytes() and not mask.getexif()


def test_two_pictures_of_one_stem_get_names_and_captions_of_their_own(filled):
    drawn(filled.images / "plain.jpg", seed=5)
    drawn(filled.images / "PLAIN.webp", seed=6)
    caption(filled, "PLAIN", "mychar, loud")
    found = [name for name in names(Path(export(filled).folder), "img/34_mychar/") if name.lower().startswith("plain")]
    assert len({name.rpartition(".")[0].lower() for name in found}) == 3 and len(found) == 6


def test_masks_in_the_transparency_are_refused_where_nobody_reads_them():
    with pytest.raises(ConfigError, match="Masks in the transparency are read by kohya and ai_toolkit, not by onetrainer"):
        settings(layout="onetrainer", masks="alpha")


def test_a_folder_that_belongs_to_the_project_or_to_a_source_is_refused(filled, tmp_path):
    filled.change_info(lambda info: info.changed(sources=(str(tmp_path / "source"),)))
    for place in (filled.images, filled.folder, filled.folder.parent, filled.folder / "export", filled.variants / "x",
                  tmp_path / "source" / "a"):
        with pytest.raises(ConfigError, match="nothing there is changed|must lie apart"):
            export_folder(filled, "kohya", str(place))
    assert export_folder(filled, "kohya", str(filled.folder / "export" / "mine")) == filled.folder / "export" / "mine"
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        export_folder(filled, "kohya", str(tmp_path / "file"))
