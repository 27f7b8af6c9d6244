"""What a training learns from where pictures have versions: the best of each, its caption, its mask; nothing is copied."""

import time
from os import utime

import pytest
from PIL import Image

from core.base.errors import DatasetError
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.training_set import TRAINED, is_training_set, training_set
from core.dataset.images.variants import save_variant
from core.dataset.project import project_of_images


def png(colour, size=(64, 48), mode="RGB"):
    return encode(Image.new(mode, size, colour), SaveSettings(format="png"), "PNG").data


@pytest.fixture
def pictures(project):
    for name in ("a.jpg", "b.png", "c.webp"):
        Image.new("RGB", (64, 48), "red").save(project.images / name)
        (project.images / name).with_suffix(".txt").write_text(f"caption of {name[0]}", encoding="utf-8")
    return project


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_without_versions_the_pictures_themselves_are_learned(pictures):
    assert training_set(pictures) is None and training_set(pictures, masks=True) is None
    save_variant(pictures, "a", "mask", png(0, mode="L"), ".png")
    assert training_set(pictures) is None


def test_the_best_version_is_linked_with_the_picture_s_caption(pictures):
    save_variant(pictures, "a", "resized", png("green"), ".png")
    save_variant(pictures, "a", "upscaled", png("blue", (128, 96)), ".png")
    found = training_set(pictures)
    assert files(found.images) == ["a.png", "a.txt", "b.png", "b.txt", "c.txt", "c.webp"]
    assert found.replaced == 1 and found.masks is None
    assert Image.open(found.images / "a.png").size == (128, 96) and (found.images / "a.txt").read_text() == "caption of a"
    assert all(path.is_symlink() and not path.readlink().is_absolute() for path in found.images.iterdir())
    assert is_training_set(found.images, pictures) and project_of_images(found.images) == pictures
    (pictures.images / "a.txt").write_text("another", encoding="utf-8")
    assert (found.images / "a.txt").read_text() == "another"


def test_the_same_choice_is_the_same_folder_and_keeps_its_caches(pictures):
    save_variant(pictures, "a", "upscaled", png("blue"), ".png")
    first = training_set(pictures)
    (first.images / "a_0064x0048_sd.npz").write_bytes(b"latents")
    (pictures.images / "b.txt").unlink()
    again = training_set(pictures)
    assert again == first and files(first.images) == ["a.png", "a.txt", "a_0064x0048_sd.npz", "b.png", "c.txt", "c.webp"]
    save_variant(pictures, "b", "upscaled", png("blue"), ".png")
    other = training_set(pictures)
    assert other.images != first.images and (first.images / "a.png").is_symlink()


def test_every_picture_has_a_mask_of_its_version_s_size(pictures):
    save_variant(pictures, "a", "mask", png(0, mode="L"), ".png")
    save_variant(pictures, "a", "upscaled", png("blue", (128, 96)), ".png")
    found = training_set(pictures, masks=True)
    assert files(found.masks) == ["a.png", "b.png", "c.png"] and found.masked == 1
    assert Image.open(found.masks / "a.png").size == (128, 96) and Image.open(found.masks / "a.png").getextrema() == (0, 0)
    assert Image.open(found.masks / "b.png").size == (64, 48) and Image.open(found.masks / "b.png").getextrema() == (255, 255)
    save_variant(pictures, "a", "mask", png(255, mode="L"), ".png")
    utime(pictures.variants / "a_mask.png", ns=(1, 1))
    assert Image.open(training_set(pictures, masks=True).masks / "a.png").getextrema() == (255, 255)


def test_a_mask_of_other_proportions_is_refused_by_name(pictures):
    save_variant(pictures, "a", "mask", png(0, (40, 80), "L"), ".png")
    with pytest.raises(DatasetError, match="mask of a.jpg.+40 x 80"):
        training_set(pictures, masks=True)


def test_folders_that_no_run_names_go_after_a_while(pictures):
    save_variant(pictures, "a", "upscaled", png("blue"), ".png")
    used, unused = training_set(pictures).images.parent, pictures.variants / TRAINED / "0123456789abcdef"
    (unused / "images").mkdir(parents=True)
    run = pictures.runs / "one"
    run.mkdir(parents=True)
    (run / "dataset.toml").write_text(f'image_dir = "{used / "images"}"')
    for folder in (used, unused):
        utime(folder, (time.time() - 7200,) * 2)
    save_variant(pictures, "b", "upscaled", png("blue"), ".png")
    training_set(pictures)
    assert used.is_dir() and not unused.exists()


def test_where_no_links_are_possible_pictures_are_copied_and_follow(pictures, monkeypatch):
    def refuse(*arguments):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    save_variant(pictures, "a", "upscaled", png("blue"), ".png")
    found = training_set(pictures)
    assert not (found.images / "a.txt").is_symlink() and (found.images / "a.txt").read_text() == "caption of a"
    (pictures.images / "a.txt").write_text("another text", encoding="utf-8")
    assert (training_set(pictures).images / "a.txt").read_text() == "another text"
