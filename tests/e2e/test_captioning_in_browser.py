"""The Caption panel in a real browser: the card, a try that writes nothing, texts of two models side by side, the job and its undo."""


import pytest
from playwright.sync_api import expect

from core.dataset.manager import DatasetManager
from tests.core.dataset.captions.captioners.chat_server import Chat
from tests.core.dataset.curation.photographs import photographs
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from IPython.display import display
from widgets.dataset.describing import CaptionPanel
from widgets.session import Session
session = Session()
session.open(Path({folder!r}))
panel = CaptionPanel(session, 10)
display(panel.view)
"""
LONG = ("An astronaut in an orange space suit smiles at the camera, her helmet on the table before her; behind her stand a flag of the "
        "United States and a model of the space shuttle. A studio portrait with soft light from the left.")


@pytest.fixture
def chat():
    with Chat() as server:
        yield server


@pytest.fixture
def dataset(tmp_path) -> DatasetManager:
    manager = DatasetManager.create("small", tmp_path / "projects", trigger="mychar")
    for name, picture in list(photographs().items())[:3]:
        picture.save(manager.project.images / f"{name}.png")
    write_notebook(tmp_path / "caption.ipynb", CELL.format(folder=str(manager.project.folder)))
    return manager


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 1400), ("light", 400)])
def test_a_captioner_is_tried_on_one_picture_compared_and_put_to_work(tmp_path, dataset, chat, theme, width):
    names = [item.id for item in dataset.items()]
    environ = {"LORABOOK_PROJECTS": str(tmp_path / "projects"), "MY_KEY": "secret-key"}
    with Lab(tmp_path, environ, theme=theme) as lab, Browser(width=width, height=1900) as context:
        page = lab.open(context, "caption.ipynb")
        run_all(page)
        panel = page.locator(".lb-panel-caption")
        status = panel.get_by_role("status")
        expect(panel).to_contain_text("Qwen3-VL 4B: licence Apache-2.0; about 11 GiB of memory, 8.9 GiB on disk.")
        panel.get_by_label("Precision").select_option("4-bit")
        expect(panel).to_contain_text("about 5 GiB of memory")
        expect(panel.get_by_label("Server", exact=True)).to_be_hidden()
        page.wait_for_timeout(300)
        keep_picture(page, "caption", f"caption_{theme}_{width}")

        panel.get_by_label("Captioner").select_option("A server (OpenAI-compatible)")
        for field, value in (("Server", chat.url), ("Model of the server", "tiny"), ("Variable with its key", "MY_KEY")):
            panel.get_by_label(field, exact=True).fill(value)
        chat.answers = [LONG, "A woman in orange."]
        panel.get_by_role("button", name="Try on this picture").click()
        expect(status).to_contain_text("Its text stands below; nothing was written.")
        expect(panel).to_contain_text("The caption would become: mychar, An astronaut")
        assert chat.headers[0]["Authorization"] == "Bearer secret-key"
        panel.get_by_label("Model of the server").fill("other")
        panel.get_by_role("button", name="Try on this picture").click()
        expect(panel.get_by_role("button", name="Use this text")).to_have_count(2)
        expect(panel.locator(".lb-told img")).to_be_visible()
        assert [path.name for path in dataset.project.images.glob("*.txt")] == []
        page.wait_for_timeout(300)
        keep_picture(page, "caption", f"caption_tried_{theme}_{width}")
        assert overflowing(page) == []

        panel.get_by_role("button", name="Use this text").nth(1).click()
        expect(status).to_contain_text("is now: mychar, An astronaut")
        assert (dataset.project.images / f"{names[0]}.txt").read_text() == f"mychar, {LONG}"
        (dataset.project.images / "zz.png").write_bytes(b"<html>")
        panel.get_by_role("button", name="Caption the pictures").click()
        expect(status).to_contain_text("2 captions written, 1 kept, 1 skipped.", timeout=60_000)
        expect(panel).to_contain_text("zz.png was left out")
        keep_picture(page, "caption", f"caption_done_{theme}_{width}")
        panel.get_by_role("button", name="Undo the last change of captions").click()
        expect(status).to_contain_text("'Captioned with")
        assert [path.stem for path in dataset.project.images.glob("*.txt")] == [names[0]] and context.errors == []
