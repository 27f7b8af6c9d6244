"""Bulk by size: the plan comes first, belongs to the settings that made it, and the job tells what came of each picture."""

import time

import pytest
from PIL import Image

from widgets.dataset.by_size import BySizePanel


@pytest.fixture
def panel(session):
    Image.new("RGB", (900, 800), "red").save(session.dataset.project.images / "large.png")
    panel = BySizePanel(session)
    yield panel
    panel.close()


def fill(panel, **values):
    for name, value in values.items():
        panel.form.control(name).widget.value = value


def press(button):
    assert not button.disabled, button.tooltip
    button.click()


def test_nothing_is_done_before_the_plan_was_seen(panel):
    assert panel.do.disabled and "plan first" in panel.do.tooltip
    fill(panel, small=50, target=64, large=500)
    press(panel.main)
    assert "4 pictures: 0 upscaled, 3 stay, 1 shrunk" in panel.status.text and "Nothing is done yet" in panel.status.text
    assert "large.png" in panel._words.value and "72 × 64" in panel._words.value and not panel.do.disabled
    fill(panel, large=600)
    assert panel.do.disabled and panel._words.value == ""


def test_limits_that_do_not_go_together_are_a_sentence(panel):
    fill(panel, small=2000, target=1000)
    press(panel.main)
    assert panel.status.state == "attention" and "does not lie between the limits" in panel.status.text and panel.do.disabled


def test_where_every_picture_fits_there_is_nothing_to_do(panel):
    fill(panel, small=50, target=900, large=1000)
    press(panel.main)
    assert panel.do.disabled and "stays as it is" in panel.do.tooltip


def test_the_job_tells_what_came_of_each_picture(panel):
    fill(panel, small=50, target=64, large=500)
    press(panel.main)
    press(panel.do)
    end = time.monotonic() + 60
    while not panel.job.status().ended and time.monotonic() < end:
        time.sleep(0.1)
    panel._look()
    assert "Done" in panel.status.text and "large_resized.png, 72 x 64" in panel._words.value
    with Image.open(panel.session.dataset.project.variants / "large_resized.png") as made:
        assert made.size == (72, 64)
    press(panel.take_back.button)
    assert "1 version put aside" in panel.status.text and list(panel.session.dataset.project.variants.glob("*.png")) == []
