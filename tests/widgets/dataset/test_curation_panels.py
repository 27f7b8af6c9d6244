"""Duplicates and quality panels on real pictures: found, put aside, put back."""

import time

import numpy
import pytest
from PIL import Image

from core.base.jobs import Job, list_jobs
from widgets.dataset.duplicates import DuplicatesPanel
from widgets.dataset.quality import QualityPanel


def busy_picture(seed: int, size=(96, 96)) -> Image.Image:
    random = numpy.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=numpy.uint8)).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def pictures(project):
    """Three different pictures in place of the project's, one of them twice more, and a broken one."""
    for path in project.images.iterdir():
        path.unlink()
    for number in range(3):
        busy_picture(number).save(project.images / f"{number}.png")
    busy_picture(0).resize((64, 64)).save(project.images / "0-small.png")
    (project.images / "0-copy.png").write_bytes((project.images / "0.png").read_bytes())
    (project.images / "broken.png").write_bytes(b"no picture")
    return project


def finished(panel) -> None:
    """Wait for the job that the panel started, and let the panel see its end: outside a kernel nothing repeats by itself."""
    panel.main.click()
    job: Job = panel.job
    deadline = time.monotonic() + 60
    while not job.status().ended:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    panel._look()


def section_names(panel):
    return [[card["key"] for card in section["cards"]] for section in panel.cards.sections]


def test_groups_are_shown_best_first_and_one_press_keeps_the_best(session, pictures):
    panel = DuplicatesPanel(session)
    assert panel.keep_all.disabled and "Look for duplicates first" in panel.keep_all.tooltip
    finished(panel)
    assert section_names(panel) == [["0.png", "0-copy.png", "0-small.png"]]
    assert "broken.png" in panel._skipped.value
    panel.guard(lambda: panel._asked("act", {"section": "0.png", "name": "keep"}))
    assert sorted(path.name for path in pictures.rejected.iterdir()) == ["0-copy.png", "0-small.png"]
    assert section_names(panel) == [] and panel.status.text == "Done: 2 images rejected."
    panel.put_back.click()
    assert list(pictures.rejected.iterdir()) == [] and len(section_names(panel)[0]) == 3


def test_another_one_can_be_kept_and_a_group_left_alone(session, pictures):
    panel = DuplicatesPanel(session)
    finished(panel)
    panel.guard(lambda: panel._asked("press", {"section": "0.png", "key": "0-small.png"}))
    assert [card["chosen"] for card in panel.cards.sections[0]["cards"]] == [False, False, True]
    panel.guard(lambda: panel._asked("act", {"section": "0.png", "name": "leave"}))
    assert section_names(panel) == [] and panel.keep_all.disabled
    assert list(pictures.rejected.iterdir()) == []


def test_groups_follow_the_settings_without_another_job(session, pictures):
    panel = DuplicatesPanel(session)
    finished(panel)
    panel.form.control("embedder").widget.value = "none"
    panel.form.control("hash_distance").widget.value = 0
    assert section_names(panel)[0][:2] == ["0.png", "0-copy.png"]
    panel.form.control("hash_distance").widget.value = 10
    assert len(section_names(panel)[0]) == 3
    assert len(list_jobs(pictures.folder)) == 1


def test_a_cut_picks_out_what_lies_beyond_it_at_once(session, pictures):
    panel = QualityPanel(session)
    finished(panel)
    assert [value for _, value in panel.which.options] == ["sharpness", "side", "aspect", "bytes", "flat", "bars", "colour", "broken"]
    panel.which.value = "side"
    assert len(panel.picked().names) == 5 and panel.histogram.words == "5 of 5 pictures below 512"
    panel.exact.value = 90
    assert panel.picked().names == ("0-small.png",) and panel.reject.description == "Reject it"
    panel._moved_to(0.0)
    assert panel.picked().names == () and panel.reject.disabled and panel.cards.nothing
    panel._moved_to(1.0)
    assert len(panel.picked().names) == 5


def test_what_is_spared_stays_and_the_rest_is_put_aside_with_its_reason(session, pictures):
    from core.dataset.rejecting import rejected_images

    panel = QualityPanel(session)
    finished(panel)
    panel.which.value = "side"
    panel.guard(lambda: panel._asked("press", {"section": "picked", "key": "1.png"}))
    panel.reject.click()
    aside = {item.path.name: item.reason for item in rejected_images(pictures)}
    assert sorted(aside) == ["0-copy.png", "0-small.png", "0.png", "2.png"] and set(aside.values()) == {"quality: shortest side below 512"}
    panel.put_back.click()
    assert list(pictures.rejected.iterdir()) == [] and panel.status.text == "Done: 4 images put back."


def test_broken_pictures_can_be_put_aside_too(session, pictures):
    panel = QualityPanel(session)
    finished(panel)
    panel.which.value = "broken"
    assert section_names(panel) == [["broken.png"]] and panel.histogram.counts == []
    panel.reject.click()
    assert [path.name for path in pictures.rejected.iterdir()] == ["broken.png"]
