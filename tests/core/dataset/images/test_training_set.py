"""What a training learns from where pictures have versions: the best of each, its caption, its mask; what was prepared stays as it is."""

import os
import time
from os import utime

import numpy
import pytest
from PIL import Image

from core.base.errors import DatasetError
from core.base.locks import locked
from core.dataset.images.learnable import learnable
from core.dataset.images.opening import open_image
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.taking_back import take_back_variant
from core.dataset.images.training_set import TRAINED, is_training_set, training_set
from core.dataset.images.variants import Made, Step, list_variants, save_variant
from core.dataset.images.writing import LOCK
from core.dataset.items import list_items
from core.dataset.project import project_of_images
from tests.core.dataset.small_things import lying_with_mask


def png(colour, size=(64, 48), mode="RGB", of="", steps=()):
    text = Made(of, steps).text() if of else ""
    return encode(Image.new(mode, size, colour), SaveSettings(format="png"), "PNG", text).data


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


def test_the_best_version_is_learned_with_the_picture_s_caption_which_is_followed(pictures):
    save_variant(pictures, "a", "resized", png("green"), ".png")
    save_variant(pictures, "a", "upscaled", png("blue", (128, 96)), ".png")
    found = training_set(pictures)
    assert files(found.images) == ["a.png", "a.txt", "b.png", "b.txt", "c.txt", "c.webp"]
    assert found.replaced == 1 and found.masks is None
    assert Image.open(found.images / "a.png").size == (128, 96) and (found.images / "a.txt").read_text() == "caption of a"
    assert all(path.is_symlink() and not path.readlink().is_absolute() for path in found.images.glob("*.txt"))
    assert (found.images / "a.png").samefile(pictures.variants / "a_upscaled.png") and not (found.images / "a.png").is_symlink()
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
    assert other.images != first.images and (first.images / "a.png").is_file()


def test_one_changed_picture_costs_its_own_caches_only(pictures):
    (pictures.images / "b_0064x0048_sd.npz").write_bytes(b"latents of b")
    (pictures.images / "a_0064x0048_sd.npz").write_bytes(b"latents of the old a")
    save_variant(pictures, "a", "upscaled", png("blue"), ".png")
    first = training_set(pictures)
    assert files(first.images) == ["a.png", "a.txt", "b.png", "b.txt", "b_0064x0048_sd.npz", "c.txt", "c.webp"]
    for name in ("a_0064x0048_sd.npz", "a_te_outputs.npz", "c_0064x0048_sd.npz"):
        (first.images / name).write_bytes(b"made by a training")
    save_variant(pictures, "c", "upscaled", png("lime"), ".png")
    second = training_set(pictures)
    assert sorted(path.name for path in second.images.glob("*.npz")) == ["a_0064x0048_sd.npz", "a_te_outputs.npz", "b_0064x0048_sd.npz"]
    assert (second.images / "a_0064x0048_sd.npz").read_bytes() == b"made by a training"


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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_mask_of_a_picture_that_is_stored_lying_lies_as_it_does(pictures, orientation):
    stored = lying_with_mask(pictures, "lying", orientation)
    found = training_set(pictures, masks=True)
    with Image.open(found.masks / "lying.png") as mask:  # as sd-scripts reads it, which turns neither
        assert mask.mode == "L" and (numpy.asarray(mask) == stored).all()
    assert {path.stem: Image.open(path).size for path in found.masks.iterdir()} == {
        path.stem: Image.open(path).size for path in found.images.iterdir() if path.suffix != ".txt"}
    Image.new("L", open_image(found.images / "lying.png").image.size, 255).save(found.masks / "lying.png")  # as older releases did
    training_set(pictures, masks=True)
    with Image.open(found.masks / "lying.png") as mask:
        assert orientation == 1 or (numpy.asarray(mask) == stored).all()


def test_a_mask_of_other_proportions_is_refused_by_name(pictures):
    save_variant(pictures, "a", "mask", png(0, (40, 80), "L"), ".png")
    with pytest.raises(DatasetError, match="mask of a.jpg.+40 x 80"):
        training_set(pictures, masks=True)


def test_a_mask_of_another_section_of_the_picture_is_refused_by_name(pictures):
    of, cut = list_items(pictures)[0].sha256, Step("crop-by-hand", {"box": [0, 0, 32, 24]})
    save_variant(pictures, "a", "mask", png(0, (32, 24), "L", of, (cut,)), ".png")
    with pytest.raises(DatasetError, match="mask of a.jpg.+another section"):
        training_set(pictures, masks=True)
    save_variant(pictures, "a", "resized", png("red", (32, 24), of=of, steps=(cut,)), ".png")
    assert training_set(pictures, masks=True).masked == 1


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


def colours(folder):
    return {path.name: Image.open(path).convert("RGB").getpixel((0, 0)) for path in folder.iterdir() if path.suffix in (".png", ".webp")}


def upscaled(project):
    return next(one for one in list_variants(project, {"a"})["a"] if one.kind == "upscaled")


@pytest.mark.parametrize("change", ["another ending", "another size", "taken back", "picture replaced", "gone"])
@pytest.mark.parametrize("links", [True, False])
def test_what_a_training_was_given_stays_as_it_is_whatever_happens_to_the_versions(pictures, change, links, monkeypatch):
    def refuse(*arguments):
        raise OSError(18, "Invalid cross-device link")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    save_variant(pictures, "a", "upscaled", png("blue", (128, 96)), ".png")
    first = training_set(pictures)
    before = colours(first.images)
    if change == "another ending":
        webp = encode(Image.new("RGB", (256, 96), "black"), SaveSettings(format="webp"), "PNG")
        save_variant(pictures, "a", "upscaled", webp.data, ".webp")
    elif change == "another size":
        save_variant(pictures, "a", "upscaled", png("black", (256, 96)), ".png")
    elif change == "taken back":
        save_variant(pictures, "b", "upscaled", png("blue", (128, 96)), ".png")
        take_back_variant(pictures, upscaled(pictures))
    elif change == "picture replaced":
        Image.new("RGB", (64, 48), "green").save(pictures.images / "new.png")
        os.replace(pictures.images / "new.png", pictures.images / "b.png")
    else:
        (pictures.images / "b.png").unlink()
    other = training_set(pictures)
    assert other.images != first.images and colours(first.images) == before and len(before) == 3


def test_a_version_that_changes_at_this_very_moment_is_said_and_the_next_look_is_right(pictures, monkeypatch):
    save_variant(pictures, "a", "upscaled", png("blue"), ".png")
    link = os.link

    def late(source, place):
        monkeypatch.setattr(os, "link", link)
        save_variant(pictures, "a", "upscaled", png("green", (128, 96)), ".png")
        os.link(source, place)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(DatasetError, match="a_upscaled.png was changed at this very moment"):
        training_set(pictures)
    assert Image.open(training_set(pictures).images / "a.png").size == (128, 96)


def test_no_training_is_begun_while_a_tool_makes_versions_but_it_can_be_looked_at(pictures):
    save_variant(pictures, "a", "upscaled", png("blue"), ".png")
    with locked(pictures.hidden / LOCK):
        found = training_set(pictures)
        with pytest.raises(DatasetError, match="being made .another program., so no training was begun"):
            training_set(pictures, alone=True)
    assert found == training_set(pictures, alone=True)


def test_a_version_of_an_older_picture_is_passed_over_and_a_lower_one_of_the_present_picture_is_learned(pictures):
    older = {item.id: item.sha256 for item in list_items(pictures)}
    for stem in "abc":
        save_variant(pictures, stem, "upscaled", png("blue", of=older[stem] if stem != "c" else ""), ".png")
    save_variant(pictures, "a", "mask", png(0, mode="L", of=older["a"]), ".png")
    assert training_set(pictures, masks=True).replaced == 3
    for name in ("a.jpg", "b.png", "c.webp"):
        Image.new("RGB", (64, 48), "white").save(pictures.images / name)
    save_variant(pictures, "b", "resized", png("lime", of={item.id: item.sha256 for item in list_items(pictures)}["b"]), ".png")
    found = training_set(pictures, masks=True)
    assert found.replaced == 2 and found.masked == 0 and found.masks is None
    assert Image.open(found.images / "a.jpg").getpixel((0, 0)) == (255, 255, 255)
    assert colours(found.images) == {"b.png": (0, 255, 0), "c.png": (0, 0, 255)}
    stale = learnable(pictures, list_items(pictures), masks=True).stale
    assert {one.name for _, one in stale} == {"a_upscaled.png", "a_mask.png", "b_upscaled.png"}


@pytest.mark.parametrize("place", ["dataset.toml", "stages/encode/musubi.toml", "deep/er/still/dataset_2.toml"])
def test_a_folder_that_any_file_of_a_run_names_is_kept(pictures, place):
    unused = pictures.variants / TRAINED / "0123456789abcdef"
    (unused / "images").mkdir(parents=True)
    utime(unused, (time.time() - 7200,) * 2)
    file = pictures.runs / "one" / place
    file.parent.mkdir(parents=True)
    file.write_text(f'image_dir = "{unused / "images"}"')
    save_variant(pictures, "a", "upscaled", png("blue"), ".png")
    training_set(pictures)
    assert unused.is_dir()
    file.write_text("")
    training_set(pictures)
    assert not unused.exists()


def test_while_a_run_cannot_be_read_every_folder_is_kept(pictures):
    unused = pictures.variants / TRAINED / "0123456789abcdef"
    unused.mkdir(parents=True)
    utime(unused, (time.time() - 7200,) * 2)
    (pictures.runs / "one").mkdir(parents=True)
    (pictures.runs / "one" / "dataset.toml").symlink_to(pictures.runs / "nowhere")
    save_variant(pictures, "a", "upscaled", png("blue"), ".png")
    training_set(pictures)
    assert unused.is_dir()
