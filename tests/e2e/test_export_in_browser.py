"""Export in a real browser: a finding mended at one press, the files, the numbers, a zip that comes down, and the way to Hugging Face."""

import re
import zipfile

import pytest
from playwright.sync_api import expect

from core.dataset.images.variants import save_variant
from core.dataset.manager import DatasetManager
from tests.core.dataset.small_things import png_bytes
from tests.core.training.finish.servers import Hub
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook
from tests.photographs import photo_project

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from IPython.display import display
from widgets.dataset.exporting import ExportPanel
from widgets.dataset.sending import SendPanel
from widgets.session import Session
session = Session()
session.open(Path({folder!r}))
panel, send = ExportPanel(session, 20), SendPanel(session, 21)
display(panel.view, send.view)
"""


@pytest.fixture
def dataset(tmp_path) -> DatasetManager:
    from PIL import Image

    manager = photo_project(tmp_path, ("astronaut", "coffee", "chelsea", "rocket"), "mychar, {name}, photo", "Small cats")
    (manager.project.images / "rocket.txt").unlink()
    with Image.open(manager.project.images / "chelsea.png") as chelsea:
        save_variant(manager.project, "chelsea", "mask", png_bytes((255, 255, 255), chelsea.size), ".png")
    write_notebook(tmp_path / "export.ipynb", CELL.format(folder=str(manager.project.folder)))
    return manager


def press(panel, words):
    panel.get_by_role("button", name=words, exact=True).click()


def says(panel, words):
    expect(panel.get_by_role("status").first).to_have_text(re.compile(words), timeout=60_000)


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 1400), ("light", 420), ("dark", 420)])
def test_a_dataset_is_checked_exported_taken_home_and_sent(tmp_path, dataset, theme, width):
    with Hub() as hub:
        hub.large = (".png",)
        environ = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "nothing"), "HF_TOKEN": "", "HF_HUB_DISABLE_XET": "1"}
        with Lab(tmp_path, environ, theme=theme) as lab, Browser(width=width, height=3200) as context:
            page = lab.open(context, "export.ipynb")
            run_all(page)
            panel, send = page.locator(".lb-panel-export"), page.locator(".lb-panel-send")
            press(panel, "Check first")
            says(panel, "^Needs attention: 1 thing must be mended before the export")
            expect(panel).to_contain_text("Pictures without a caption: rocket.png.")
            keep_picture(page, "export", f"export_findings_{theme}_{width}")
            press(panel, "Leave them out")
            says(panel, "^Done: 3 pictures can be exported")
            expect(panel).not_to_contain_text("Pictures without a caption: rocket.png.")
            panel.get_by_label("A zip as well").check()
            press(panel, "Export")
            says(panel, "^Done: 3 pictures and 3 captions are in ")
            expect(panel).to_contain_text("201 (3 x 67)")
            sheet = panel.locator("img.lb-sheet")
            expect(sheet).to_be_visible()
            assert sheet.evaluate("image => image.naturalWidth") > 400
            page.wait_for_timeout(300)
            keep_picture(page, "export", f"export_done_{theme}_{width}")
            assert overflowing(page, ".lb-panel-export, .lb-panel-export *", allowed=("hidden", "auto")) == []
            with page.expect_download() as downloading:
                panel.get_by_role("link", name=re.compile("Download Small cats_kohya.zip")).click()
            downloading.value.save_as(tmp_path / "home.zip")
            with zipfile.ZipFile(tmp_path / "home.zip") as archive:
                assert archive.testzip() is None
                assert archive.read("Small cats_kohya/img/67_mychar/coffee.txt") == b"mychar, coffee, photo"
            panel.get_by_label("For", exact=True).select_option(label="Hugging Face (imagefolder)")
            expect(panel.get_by_label("Class word")).to_be_hidden()
            press(panel, "Export")
            says(panel, "/imagefolder")
            send.get_by_label("Data set on Hugging Face").fill("me/cats")
            send.get_by_label("Token", exact=True).fill("hf_good_token")
            press(send, "Send it")
            says(send, "^Done: The data set is at .*/datasets/me/cats .private.: .* files sent")
            expect(send.get_by_label("Token", exact=True)).to_have_value("")
            keep_picture(page, "send", f"send_{theme}_{width}")
            assert overflowing(page, ".lb-panel-send, .lb-panel-send *") == []
            assert "train/coffee.png" in hub.repositories["me/cats"] and context.errors == []
