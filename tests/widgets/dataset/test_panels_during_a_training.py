"""What the panels say when the images are being trained on."""

import contextlib

import numpy
import pytest
from PIL import Image

from core.base.progress import SILENT
from core.dataset.project import trained_on
from tests.widgets.dataset.test_curation_panels import finished
from tests.widgets.dataset.test_gallery_panel import Screen
from widgets.dataset.duplicates import DuplicatesPanel
from widgets.dataset.gallery import GalleryPanel

REFUSAL = "The images of 'Small' are being trained on (mika in the project Small), so nothing was rejected. Wait until"


@pytest.fixture
def training(project):
    with contextlib.ExitStack() as stack:
        stack.enter_context(trained_on([project.images], "mika in the project Small", SILENT))
        yield stack


def test_the_gallery_says_why_it_rejects_nothing(session, project, training):
    panel = GalleryPanel(session)
    try:
        Screen(panel).ask("reject", version=panel.shelf.view.version, ranges=[[0, 2]], reason="blurred")
        assert REFUSAL in panel.status.text and panel.status.state == "attention" and not any(project.rejected.iterdir())
        training.close()
        Screen(panel).ask("reject", version=panel.shelf.view.version, ranges=[[0, 2]], reason="blurred")
        assert panel.status.text == "Done: 2 images rejected."
    finally:
        panel.close()


def test_the_duplicates_panel_says_why_it_rejects_nothing(session, project, training):
    picture = Image.fromarray(numpy.random.default_rng(1).integers(0, 256, (96, 96, 3), dtype=numpy.uint8))
    for name in ("a", "b"):
        picture.save(project.images / f"{name}.png")
    panel = DuplicatesPanel(session)
    finished(panel)
    panel.keep_all.click()
    assert REFUSAL in panel.status.text and not any(project.rejected.iterdir())
    training.close()
    panel.keep_all.click()
    assert panel.status.text == "Done: 1 image rejected."
