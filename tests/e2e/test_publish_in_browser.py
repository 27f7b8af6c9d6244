"""A LoRA published from the notebook: looked through, sent to Hugging Face, written for Civitai."""

import os
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.dataset.project import Project, folder_for
from tests.core.training.finish.servers import Hub
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all
from tests.e2e.test_lora_files_in_browser import LOOKS, notebook
from tests.lora_files import METADATA, make_lora

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PROMPTS = "mika, smile, upper body, a park in the morning --n bad hands --w 256 --h 256 --d 1 --l 7 --s 20\nmika --d 2 --l 7 --s 20\n"


@pytest.fixture
def mika(projects) -> Project:
    """A finished file whose metadata tells a folder, with samples beside it."""
    project = Project.create(folder_for("Mika"), "Mika", trigger="mika")
    project.output.mkdir(exist_ok=True)
    said = {**METADATA, "ss_sd_model_name": "/home/anna/models/v1-5-pruned-emaonly.safetensors", "modelspec.trigger_phrase": "mika",
            "modelspec.title": "Mika", "ss_num_epochs": "10"}
    make_lora(project.output / "mika.safetensors", "sd15", rank=4, alpha=4.0, metadata=said)
    (project.output / "sample_prompts.txt").write_text(PROMPTS)
    (project.output / "sample").mkdir()
    for number, colour in enumerate(("indianred", "steelblue")):
        Image.new("RGB", (256, 256), colour).save(project.output / "sample" / f"mika_e000010_{number:02d}_20260101120000_{number}.png")
    return project


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    with Hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        server.large = (".safetensors", ".png")
        yield server


@LOOKS
def test_a_lora_is_looked_through_and_published(tmp_path, mika, hub, theme, width):
    place = notebook(tmp_path, mika, ("publish", "PublishPanel"))
    with Lab(tmp_path, theme=theme) as lab, Browser(width=width, height=4200) as context:
        page = lab.open(context, place)
        run_all(page)
        panel = page.locator(".lb-panel-publish")
        status = panel.locator(".lb-status")
        expect(panel.get_by_label("LoRA file", exact=True)).to_have_value("mika.safetensors (finished)")
        keep_picture(page, "publish", f"publish-empty-{theme}-{width}")
        panel.get_by_label("Description", exact=True).fill("A girl with a **red** scarf.")
        panel.get_by_role("button", name="Check first").click()
        expect(status).to_contain_text("1 thing must be mended first", timeout=90_000)
        expect(panel.get_by_text("There is no token for Hugging Face")).to_be_visible()
        expect(panel.get_by_text("/home/anna/models")).to_contain_text("Good to know")
        panel.get_by_role("button", name="Show the page").click()
        expect(panel.locator(".lb-page")).to_contain_text("<Gallery />")
        expect(panel.locator(".lb-published img")).to_have_count(2)
        keep_picture(page, "publish", f"publish-check-{theme}-{width}")

        panel.get_by_label("Token", exact=True).fill("hf_good_token")
        panel.get_by_role("button", name="Publish it", exact=True).click()
        expect(status).to_contain_text("each verified there", timeout=90_000)
        link = panel.get_by_role("link", name=f"{hub.address}/me/Mika")
        expect(link).to_be_visible()
        expect(panel.get_by_text("There is no token for Hugging Face")).to_be_hidden()
        assert hub.private["me/Mika"] and b"anna" not in b"".join(hub.stored.values())
        keep_picture(page, "publish", f"publish-done-{theme}-{width}")

        panel.get_by_label("Publish to").select_option(label="a zip for Civitai")
        expect(panel.get_by_label("Token", exact=True)).to_be_hidden()
        panel.get_by_role("button", name="Publish it", exact=True).click()
        expect(status).to_contain_text("for Civitai, each of them read again", timeout=90_000)
        assert (mika.folder / "published" / "mika-civitai.zip").is_file()
        expect(panel.get_by_role("heading", name="Written, to be uploaded by hand")).to_be_visible()
        keep_picture(page, "publish", f"publish-zip-{theme}-{width}")

        page.evaluate("""async () => {
            const session = window.jupyterapp.shell.currentWidget.sessionContext.session; await session.kernel.restart(); }""")
        run_all(page)
        expect(panel.get_by_label("Description", exact=True)).to_have_value("A girl with a **red** scarf.")
        expect(panel.get_by_label("Publish to")).to_have_value("a zip for Civitai")
        panel.get_by_label("Publish to").select_option(label="a folder for Civitai")
        panel.get_by_role("button", name=re.compile("Show more settings")).click()
        panel.get_by_label("Take samples from").select_option(label="no samples")
        panel.get_by_role("button", name="Publish it", exact=True).click()
        expect(status).to_contain_text("No picture is in it", timeout=90_000)
        expect(status).to_have_attribute("data-state", "blocked")
        expect(panel.get_by_role("link", name=re.compile("Download checklist.txt"))).to_be_visible()
        page_text = (mika.folder / "published" / "mika-civitai" / "description.html").read_text()
        assert "A girl with a <strong>red</strong> scarf." in page_text
        keep_picture(page, "publish", f"publish-folder-{theme}-{width}")
        assert overflowing(page, ".lb-panel-publish, .lb-panel-publish > *") == [] and not context.errors
        assert "hf_good_token" not in os.environ.values()
