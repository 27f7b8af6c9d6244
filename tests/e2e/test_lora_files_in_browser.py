"""LoRA files in a real browser: looked at, made smaller, what they say of themselves, and room on the disk."""

import os
import time

import pytest
from playwright.sync_api import expect

from core.base.paths import DEMO_VERSION
from core.base.tensor_headers import read_header
from core.dataset.project import Project, folder_for
from tests.core.utilities.layers import layer, write
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook
from tests.lora_files import METADATA, make_lora

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from widgets.utilities.{module} import {panel}
from widgets.session import Session
session = globals().get("session") or Session()
session.open(Path({folder!r}))
{module} = {panel}(session)
{module}.view
"""
LOOKS = pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 420)])


@pytest.fixture
def mika(projects) -> Project:
    project = Project.create(folder_for("Mika"), "Mika", trigger="mika")
    project.output.mkdir(exist_ok=True)
    said = {**METADATA, "ss_dataset_dirs": '{"10_mika": {"img_count": 12}}', "ss_optimizer": "AdamW8bit", "ss_num_epochs": "10"}
    make_lora(project.output / "mika.safetensors", "sd15", rank=8, alpha=4.0, metadata=said)
    name = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn{}_to_q"
    layers = {name.format(number): layer("linear", number)[0] for number in (1, 2)}
    write(project.output / "demo.safetensors", layers, {**METADATA, "ss_base_model_version": DEMO_VERSION})
    return project


def notebook(tmp_path, project, *panels):
    cells = [CELL.format(module=module, panel=panel, folder=str(project.folder)) for module, panel in panels]
    write_notebook(tmp_path / "loras.ipynb", *cells)
    return "loras.ipynb"


@LOOKS
def test_a_file_is_looked_at_and_made_smaller(tmp_path, mika, theme, width):
    place = notebook(tmp_path, mika, ("inspect", "InspectPanel"), ("resize", "ResizePanel"))
    with Lab(tmp_path, theme=theme) as lab, Browser(width=width, height=3600) as context:
        page = lab.open(context, place)
        run_all(page)
        inspect, resize = page.locator(".lb-panel-inspect"), page.locator(".lb-panel-resize")
        inspect.get_by_label("LoRA file", exact=True).select_option(label="mika.safetensors (finished)")
        inspect.get_by_role("button", name="Inspect").click()
        expect(inspect.locator(".lb-status")).to_contain_text("is a LoRA for Stable Diffusion 1.x, rank 8", timeout=90_000)
        expect(inspect.get_by_role("list", name="Up: norm of the update").get_by_role("listitem").first).to_contain_text("1.0")
        assert inspect.get_by_test_id("chart").get_attribute("aria-label").startswith("all layers: ")
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        inspect.get_by_role("button", name="Copy AutoV3").click()
        expect(inspect.locator(".lb-copy-note")).to_have_text("AutoV3 (A1111, Forge, Civitai) is in the clipboard.")
        assert len(page.evaluate("navigator.clipboard.readText()")) == 12
        inspect.get_by_role("button", name="Show Training settings").click()
        expect(inspect.get_by_role("row", name="Epochs 10")).to_be_visible()
        keep_picture(page, "inspect", f"inspect-{theme}-{width}")

        resize.get_by_role("button", name="Show sizes and errors").click()
        pressed = resize.get_by_role("button", name="sv_fro 0.95: take it into the form")
        expect(pressed).to_be_visible(timeout=90_000)
        pressed.click()
        expect(pressed).to_have_attribute("aria-pressed", "true")
        expect(resize.get_by_label("Rule's number")).to_have_value("0.95")
        keep_picture(page, "resize", f"resize-sizes-{theme}-{width}")
        resize.get_by_role("button", name="Resize", exact=True).click()
        expect(resize.locator(".lb-status")).to_contain_text("of the update is lost", timeout=90_000)
        made, = mika.output.glob("mika-sv_fro0.95-r*.safetensors")
        assert made.stat().st_size < (mika.output / "mika.safetensors").stat().st_size
        expect(resize.get_by_role("cell", name=str(made))).to_be_visible()
        keep_picture(page, "resize", f"resize-done-{theme}-{width}")
        expect(resize.get_by_text(f"Next to be written: {made.with_name(f'{made.stem}-2.safetensors')}.")).to_be_visible()
        resize.get_by_label("Save as").fill(str(made))
        resize.get_by_label("Save as").press("Tab")
        expect(resize.locator(".lb-status")).to_contain_text("is there already. Choose another name")
        expect(resize.get_by_role("button", name="Resize", exact=True)).to_be_disabled()
        keep_picture(page, "resize", f"resize-taken-{theme}-{width}")
        path = inspect.get_by_label("or its path")
        (mika.output / "notes.txt").write_text("no LoRA")
        path.fill(str(mika.output / "notes.txt"))
        path.press("Tab")
        expect(inspect.locator(".lb-status")).to_contain_text("notes.txt is not a safetensors file")
        expect(inspect.get_by_role("button", name="Inspect", exact=True)).to_be_disabled()
        path.fill(str(mika.output / "demo.safetensors"))
        path.press("Tab")
        inspect.get_by_role("button", name="Inspect", exact=True).click()
        expect(inspect.get_by_text("Made with Lorabook's demo model: it loads in Lorabook alone.")).to_be_visible(timeout=90_000)
        expect(inspect.get_by_role("row", name="ComfyUI no. Lorabook's demo model is in no other program.")).to_be_visible()
        keep_picture(page, "inspect", f"inspect-demo-{theme}-{width}")
        assert overflowing(page, ".lb-panel-inspect, .lb-panel-inspect > *, .lb-panel-resize, .lb-panel-resize > *") == []
        assert not context.errors


@LOOKS
def test_what_a_file_says_is_changed_and_room_is_made(tmp_path, mika, theme, width):
    cache = mika.images / "a_0512x0512_sd.npz"
    cache.write_bytes(b"x" * 3_000_000)
    mika.rejected.mkdir(exist_ok=True)
    (mika.rejected / "b.png").write_bytes(b"x" * 300_000)
    os.utime(cache, (time.time() - 9 * 86_400,) * 2)
    place = notebook(tmp_path, mika, ("metadata", "MetadataPanel"), ("housekeeping", "HousekeepingPanel"))
    path = mika.output / "mika.safetensors"
    before = path.stat().st_size
    with Lab(tmp_path, theme=theme) as lab, Browser(width=width, height=2600) as context:
        page = lab.open(context, place)
        run_all(page)
        metadata, house = page.locator(".lb-panel-metadata"), page.locator(".lb-panel-housekeeping")
        metadata.get_by_label("LoRA file", exact=True).select_option(label="mika.safetensors (finished)")
        expect(metadata.locator(".lb-status")).to_have_text("Ready")
        metadata.get_by_label("Title", exact=True).fill("Mika, a girl")
        metadata.get_by_label("Description").fill("Two lines,\nof which this is one.")
        metadata.get_by_role("button", name="Save", exact=True).click()
        expect(metadata.locator(".lb-status")).to_contain_text("3 entries changed. Only its header was written.", timeout=90_000)
        said = read_header(path).metadata
        assert said["modelspec.title"] == "Mika, a girl" and said["modelspec.description"] == "Two lines,\nof which this is one."
        assert "modelspec.author" not in said and said["ss_output_name"] == "mika" and path.stat().st_size == before
        keep_picture(page, "metadata", f"metadata-{theme}-{width}")
        place, button = metadata.get_by_label("Save as"), metadata.get_by_role("button", name="Save", exact=True)
        place.fill(str(mika.output / "copy.pt"))
        place.press("Tab")
        expect(metadata.locator(".lb-status")).to_contain_text("copy.pt does not end in .safetensors.")
        expect(button).to_be_disabled()
        keep_picture(page, "metadata", f"metadata-refused-{theme}-{width}")
        place.fill(str(mika.output / "copy.safetensors"))
        place.press("Tab")
        expect(metadata.get_by_text(f"Next to be written: {mika.output / 'copy.safetensors'}.")).to_be_visible()
        keep_picture(page, "metadata", f"metadata-copy-{theme}-{width}")
        button.click()
        expect(metadata.locator(".lb-status")).to_contain_text("copy.safetensors: nothing was changed.", timeout=90_000)
        expect(place).to_have_value("")

        expect(house.get_by_role("button", name="Delete what is ticked")).to_have_count(0)
        house.get_by_role("button", name="Look", exact=True).click()
        expect(house.get_by_label("Cached latents and text outputs beside the pictures: 2.9 MiB in 1 file")).to_be_checked(timeout=90_000)
        expect(house.get_by_label("Rejected pictures: 293 KiB in 1 file")).not_to_be_checked()
        keep_picture(page, "housekeeping", f"housekeeping-look-{theme}-{width}")
        house.get_by_role("button", name="Delete what is ticked").click()
        expect(house.locator(".lb-status")).to_contain_text("Preview: 1 file, 2.9 MiB would go for good.")
        keep_picture(page, "housekeeping", f"housekeeping-asks-{theme}-{width}")
        assert cache.exists()
        house.get_by_role("button", name="Delete 1 file, 2.9 MiB").click()
        expect(house.locator(".lb-status")).to_contain_text("2.9 MiB are free again: 1 file deleted.", timeout=90_000)
        expect(house.get_by_role("rowheader", name="Mika")).to_be_visible()
        keep_picture(page, "housekeeping", f"housekeeping-done-{theme}-{width}")
        assert not cache.exists() and (mika.rejected / "b.png").exists()
        assert overflowing(page, ".lb-panel-metadata, .lb-panel-metadata > *, .lb-panel-housekeeping, .lb-panel-housekeeping > *") == []
        assert not context.errors
