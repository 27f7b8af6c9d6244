"""Caches that are older than their picture or caption."""

import os

import pytest

from core.dataset.project import Project
from core.training.preflight.caches import Stale, check_caches, find_stale, forget_stale

PICTURE, CAPTION = "cat.png", "cat.txt"


def write(folder, name, time=100):
    (folder / name).write_bytes(b"x")
    os.utime(folder / name, (time, time))


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, PICTURE)
    write(tmp_path, CAPTION)
    return tmp_path


@pytest.mark.parametrize("kind", ["sd", "sdxl", "sd3", "flux", "lumina", "hi", "anima"])
def test_latents_older_than_their_picture_are_found(folder, kind):
    write(folder, f"cat_0512x0768_{kind}.npz", 99)
    assert find_stale(folder).latents == (f"cat_0512x0768_{kind}.npz",)
    write(folder, f"cat_0512x0768_{kind}.npz", 101)
    assert find_stale(folder) == Stale(folder)


def test_the_old_form_without_size_is_found(folder):
    write(folder, "cat.npz", 99)
    assert find_stale(folder).latents == ("cat.npz",)


def test_latents_of_another_size_are_stale_whatever_their_time(folder):
    write(folder, "cat_0512x0768_sdxl.npz", 200)
    assert find_stale(folder, {PICTURE: (512, 768)}).latents == ()
    assert find_stale(folder, {PICTURE: (500, 768)}).latents == ("cat_0512x0768_sdxl.npz",)


@pytest.mark.parametrize("ending", ["_te_outputs.npz", "_sd3_te.npz", "_flux_te.npz", "_lumina_te.npz", "_hi_te.npz", "_anima_te.npz"])
def test_texts_older_than_their_caption_are_found(folder, ending):
    write(folder, f"cat{ending}", 99)
    assert find_stale(folder).texts == (f"cat{ending}",) and find_stale(folder).latents == ()
    write(folder, f"cat{ending}", 101)
    assert find_stale(folder).texts == ()


def test_a_caption_of_another_ending_is_looked_at(folder):
    write(folder, "cat.caption", 300)
    write(folder, "cat_te_outputs.npz", 200)
    assert find_stale(folder).texts == () and find_stale(folder, caption_extension=".caption").texts == ("cat_te_outputs.npz",)


def test_the_remedy_deletes_exactly_what_was_found(folder):
    times = {"cat_0512x0768_sdxl.npz": 99, "cat_te_outputs.npz": 99, "gone_0512x0512_sd.npz": 300, "cat_flux_te.npz": 300}
    for name, time in times.items():
        write(folder, name, time)
    stale = find_stale(folder)
    assert [finding.level for finding in check_caches(stale)] == ["warning", "warning", "info"]
    assert "1 cached picture" in check_caches(stale)[0].what and "cat_0512x0768_sdxl.npz" in check_caches(stale)[0].what
    assert forget_stale(stale) == 2
    assert sorted(path.name for path in folder.glob("*.npz")) == ["cat_flux_te.npz", "gone_0512x0512_sd.npz"]
    assert (folder / PICTURE).exists() and (folder / CAPTION).exists()


def test_in_a_project_they_go_by_themselves_and_elsewhere_they_are_a_warning(tmp_path):
    project = Project.create(tmp_path / "cats", "cats")
    write(project.images, PICTURE)
    write(project.images, "cat_0512x0768_sd.npz", 99)
    said = check_caches(find_stale(project.images))
    assert [finding.level for finding in said] == ["info"] and "made anew when the training begins" in said[0].remedy


def test_a_folder_without_caches_has_no_findings(folder):
    assert check_caches(find_stale(folder)) == []
