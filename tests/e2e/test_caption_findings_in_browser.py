"""Findings for a model family in a real browser: chosen, looked at, selected in the gallery, mended; both themes, a narrow window."""

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.dataset.captions.target import chosen_family
from core.dataset.manager import DatasetManager
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from IPython.display import display
from widgets.dataset.editing import EditPanel
from widgets.dataset.gallery import GalleryPanel
from widgets.dataset.statistics import StatisticsPanel
from widgets.session import Session
session = Session()
session.open(Path({folder!r}))
for number, kind in enumerate((GalleryPanel, StatisticsPanel, EditPanel), 6):
    session.panels[kind.name] = kind(session, number)
    display(session.panels[kind.name].view)
"""
WORDS = ("standing", "sitting", "looking at viewer", "smile", "open mouth", "hat", "blue eyes", "long hair", "outdoors", "from behind")
FAULTS = {3: "masterpiece, best quality, mychar, hat, general", 5: "mychar, score 9, rating safe, short hair, long hair",
          7: "mychar, a girl in a long red coat stands at the window of an old house. She looks far away.", 9: None,
          11: "mychar, " + ", ".join(f"something {number}" for number in range(40)), 13: "mychar,, Hat, hat, hat"}


@pytest.fixture
def dataset(tmp_path) -> DatasetManager:
    manager = DatasetManager.create("small", tmp_path / "projects", trigger="mychar", family="sdxl")
    for number in range(24):
        Image.linear_gradient("L").resize((90, 70)).rotate(number * 15).save(manager.project.images / f"picture {number:02}.png")
        tags = [word for place, word in enumerate(WORDS) if (number * 7 + place * 3) % (place + 2)]
        text = FAULTS.get(number, ", ".join(["mychar", "red hair", *tags]))
        if text is not None:
            (manager.project.images / f"picture {number:02}.txt").write_text(text, encoding="utf-8")
    write_notebook(tmp_path / "findings.ipynb", CELL.format(folder=str(manager.project.folder)))
    return manager


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 1400), ("light", 400)])
def test_findings_follow_the_family_and_lead_to_what_mends_them(tmp_path, dataset, theme, width):
    with Lab(tmp_path, theme=theme) as lab, Browser(width=width, height=3600) as context:
        page = lab.open(context, "findings.ipynb")
        run_all(page)
        panel, edit = (page.locator(f".lb-panel-{name}") for name in ("statistics", "edit"))
        family = panel.get_by_label("Model family")
        expect(panel).to_contain_text("Captions for SDXL, the project's model family.")
        family.select_option(label="FLUX.1")
        expect(panel).to_contain_text("T5 reads 511 tokens, CLIP the first 75")
        family.select_option(label="Pony V6 (SDXL)")
        expect(panel).to_contain_text("Captions for Pony V6 (SDXL)")
        panel.get_by_role("button", name="Look at the captions").click()
        findings = panel.locator(".lb-findings")
        expect(findings.filter(has_text="Quality tags that Pony V6 (SDXL) was not trained with: best quality, masterpiece")).to_be_visible()
        expect(findings.filter(has_text="Ratings that Pony V6 (SDXL) writes in another way: general (rating_safe)")).to_be_visible()
        expect(findings.filter(has_text="score 9 (score_9)")).to_be_visible()
        expect(findings.filter(has_text="Captions in prose, but Pony V6 (SDXL) wants tags")).to_be_visible()
        assert chosen_family(dataset.project) == "pony"
        keep_picture(page, "statistics", f"lint_{theme}_{width}")
        assert overflowing(page, ".lb-panel-statistics, .lb-panel-statistics *") == []

        mended = panel.locator(".lb-finding", has_text="Quality tags that")
        mended.get_by_role("button", name="Select 1 picture in the gallery").click()
        expect(panel.get_by_role("status")).to_contain_text("1 selected in panel 6")
        expect(page.locator(".lb-panel-gallery [aria-selected=true]")).to_have_count(1)
        expect(page.locator(".lb-panel-gallery")).to_contain_text("4 of 24 · picture 03.png")  # it stands in the editor too
        mended.get_by_role("button", name="Take them out").click()
        expect(edit.get_by_test_id("changes").locator("li")).to_have_count(1)
        edit.get_by_role("button", name="Change 1 caption").click()
        expect(edit.get_by_role("status")).to_contain_text("Undo takes it back")
        assert (dataset.project.images / "picture 03.txt").read_text() == "mychar, hat, general"
        panel.get_by_role("button", name="Look at the captions").click()
        expect(findings.filter(has_text="Quality tags that")).to_have_count(0)
        assert context.errors == []
