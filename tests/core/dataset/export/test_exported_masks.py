"""What counts in the project counts in every export, and each dataset file names just what its reader takes beside masks."""

import json
from pathlib import Path

import numpy
import pytest
import toml
from PIL import Image

from tests.core.dataset.export.exports import export, fill

PLACES = {"kohya": "mask/50_mychar/girl.png", "in_place": "mask/girl.png", "onetrainer": "images/girl-masklabel.png",
          "ai_toolkit": "masks/girl.png", "imagefolder": "train/masks/girl.png"}


@pytest.fixture
def filled(project):
    """As of all exports; the mask has hard and soft values, and is no mirror of itself."""
    fill(project)
    mask = numpy.zeros((64, 96), "uint8")
    mask[10:50, 20:60], mask[30:40, 70:90] = 255, 96
    Image.fromarray(mask).save(project.variants / "girl_mask.png")
    return project


def grey(path: Path) -> numpy.ndarray:
    with Image.open(path) as image:
        assert image.mode == "L"
        return numpy.asarray(image)


def subset_of(root: Path) -> dict:
    return toml.loads((root / "dataset.toml").read_text(encoding="utf-8"))["datasets"][0]["subsets"][0]


@pytest.mark.parametrize("layout", PLACES)
def test_what_was_drawn_counts_pixel_by_pixel(filled, layout):
    root = Path(export(filled, layout=layout, versions="none").folder)
    assert (grey(root / PLACES[layout]) == grey(filled.variants / "girl_mask.png")).all()


@pytest.mark.parametrize("layout", [layout for layout in PLACES if layout != "in_place"])
def test_beside_a_larger_version_the_same_counts(filled, layout):
    found = grey(Path(export(filled, layout=layout).folder) / PLACES[layout])
    with Image.open(filled.variants / "girl_mask.png") as mask:
        assert (found == numpy.asarray(mask.resize((192, 128), Image.Resampling.BILINEAR))).all()
    assert (found[24:96, 44:116] == 255).all() and not found[:, :36].any() and not found[104:].any()


@pytest.mark.parametrize("layout", ["kohya", "ai_toolkit"])
def test_in_the_transparency_the_same_counts(filled, layout):
    folder = {"kohya": "img/50_mychar", "ai_toolkit": "images"}[layout]
    with Image.open(Path(export(filled, layout=layout, versions="none", masks="alpha").folder) / folder / "girl.png") as girl:
        assert (numpy.asarray(girl.getchannel("A")) == grey(filled.variants / "girl_mask.png")).all()


@pytest.mark.parametrize("layout", ["kohya", "in_place"])
def test_for_sd_scripts_every_other_picture_counts_wholly(filled, layout):
    root = Path(export(filled, layout=layout, versions="none").folder)
    pictures = root / "img" / "50_mychar" if layout == "kohya" else filled.images
    sizes = {path.stem: Image.open(path).size for path in pictures.iterdir() if path.suffix != ".txt"}
    masks = {path.stem: grey(path) for path in (root / PLACES[layout]).parent.iterdir()}
    assert {stem: mask.shape[::-1] for stem, mask in masks.items()} == sizes and len(sizes) == 4
    assert {stem for stem, mask in masks.items() if (mask == 255).all()} == {"plain", "lying", "clear"}


@pytest.mark.parametrize("layout", ["onetrainer", "ai_toolkit", "imagefolder"])
def test_for_the_others_only_what_was_drawn_has_a_mask(filled, layout):
    root = Path(export(filled, layout=layout).folder)
    assert [path.relative_to(root).as_posix() for path in root.rglob("*.png") if "mask" in str(path.relative_to(root))] == [PLACES[layout]]


@pytest.mark.parametrize(("masks", "told"), [
    ("files", {"conditioning_data_dir": "mask/50_mychar girl"}), ("none", {"class_tokens": "mychar girl"}),
    ("alpha", {"class_tokens": "mychar girl", "alpha_mask": True})])
def test_kohyas_dataset_file_names_the_masks_or_the_class_never_both(filled, masks, told):
    root = Path(export(filled, masks=masks, class_word="girl").folder)
    places = {name: str(root / value) if name == "conditioning_data_dir" else value for name, value in told.items()}
    assert subset_of(root) == {"image_dir": str(root / "img" / "50_mychar girl"), "caption_extension": ".txt", "num_repeats": 50, **places}
    assert all(Path(value).is_dir() for name, value in places.items() if name == "conditioning_data_dir")


def test_in_place_the_dataset_file_names_the_masks_or_the_trigger_word_never_both(filled):
    own = {"image_dir": str(filled.images), "caption_extension": ".txt", "num_repeats": 50}
    root = Path(export(filled, layout="in_place", versions="none").folder)
    assert subset_of(root) == {**own, "conditioning_data_dir": str(root / "mask")} and (root / "mask").is_dir()
    root = Path(export(filled, layout="in_place", versions="none", masks="none").folder)
    assert subset_of(root) == {**own, "class_tokens": "mychar"} and not (root / "mask").exists()


def test_the_list_in_place_gives_the_size_of_a_file_as_it_is_stored_or_none(filled):
    root = Path(export(filled, layout="in_place").folder)
    lines = [json.loads(line) for line in (root / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert subset_of(root) == {"metadata_file": str(root / "metadata.jsonl"), "num_repeats": 50}
    assert {Path(line["image_path"]).name: line.get("image_size") for line in lines} == {
        "plain.png": [96, 64], "lying.jpg": None, "clear.png": [64, 64], "girl_upscaled.png": [192, 128]}
