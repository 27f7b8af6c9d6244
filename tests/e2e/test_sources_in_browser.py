"""Pictures come in from a folder that was looked for and from an address, and get other names: in a real browser, in both themes."""

import io
import re
import zipfile

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.dataset.items import list_items
from core.dataset.manager import DatasetManager
from tests.core.dataset.small_things import picture, png_bytes
from tests.core.dataset.sources.web import Page, Web
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def packed(count: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.png", png_bytes((number, 90, 0)))
            archive.writestr(f"{number}.txt", f"web {number}")
    return buffer.getvalue()


def says(panel, words, seconds=60):
    expect(panel.get_by_role("status").first).to_have_text(re.compile(words), timeout=seconds * 1000)


def add_what_is_named(folder):
    """A photo that lies on its side, one that is no picture, and a film."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.effect_noise((60, 40), 50).convert("RGB").save(folder / "side.jpg", exif=exif)
    (folder / "broken.jpg").write_bytes(b"<html>")
    (folder / "film.mp4").write_bytes(b"x")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_folder_an_address_and_other_names(tmp_path, monkeypatch, theme):
    projects = tmp_path / "projects"
    projects.mkdir()
    monkeypatch.setenv("LORABOOK_PROJECTS", str(projects))
    manager = DatasetManager.create("Cat")
    for number in range(3):
        picture(tmp_path / "home" / "cats" / f"photo {number}.png", colour=(number, 0, 90))
    (tmp_path / "home" / "cats" / "photo 0.txt").write_text("first")
    write_notebook(tmp_path / "sources.ipynb", "from widgets.dataset import NOTEBOOK, show\n"
                   "from core.dataset.manager import DatasetManager\n"
                   f"NOTEBOOK._begin().open(DatasetManager.open(r'{manager.project.folder}').project.folder)", 'show("import")',
                   'show("rename")')
    environ = {"LORABOOK_PROJECTS": str(projects), "HOME": str(tmp_path / "home")}
    with Web() as web, Lab(tmp_path, environ, theme) as lab, Browser(height=2600) as context:
        web.pages["/cats.zip"] = Page(packed(4))
        page = lab.open(context, "sources.ipynb")
        run_all(page)
        panel, rename = page.locator(".lb-panel-import"), page.locator(".lb-panel-rename")
        expect(panel.get_by_label("Folder or archive")).to_be_visible()
        panel.get_by_role("button", name="Browse this machine").click()
        panel.get_by_label("Inside").select_option("cats/")
        panel.get_by_role("button", name="Open it").click()
        expect(panel).to_contain_text("3 pictures, 1 caption")
        keep_picture(page, "import", f"import-browser-{theme}")
        panel.get_by_role("button", name="Take this folder").click()
        panel.get_by_role("button", name="Import", exact=True).click()
        says(panel, "^Done: 3 images imported, 1 caption")

        add_what_is_named(tmp_path / "home" / "cats")
        panel.get_by_role("button", name="Import", exact=True).click()
        expect(panel.locator(".lb-findings li")).to_have_count(4, timeout=60_000)
        named = panel.locator(".lb-findings")
        expect(named).to_contain_text("Already in the project: ")
        expect(named).to_contain_text("turned upright")
        expect(named).to_contain_text("broken.jpg was left out: ")
        keep_picture(page, "import", f"import-again-{theme}")

        panel.get_by_label("From").select_option("Picture site (gallery-dl)")
        expect(panel.get_by_label("Range")).to_be_visible()
        expect(panel.get_by_label("Only these files")).to_be_hidden()
        panel.get_by_label("Site", exact=True).select_option("Gelbooru")
        expect(panel).to_contain_text("Gelbooru gives pictures only to those who have an account")
        keep_picture(page, "import", f"import-gallery-{theme}")
        panel.get_by_label("From").select_option("Hugging Face")
        expect(panel.get_by_label("Only these files")).to_be_visible()
        keep_picture(page, "import", f"import-huggingface-{theme}")
        panel.get_by_label("From").select_option("Address of a file")
        panel.get_by_label("Address", exact=True).fill(f"{web.address}/cats.zip")
        panel.get_by_role("button", name="Import", exact=True).click()
        says(panel, "^Done: 4 images imported, 4 captions")
        keep_picture(page, "import", f"import-url-{theme}")

        rename.get_by_label("Begin with").fill("cat")
        rename.get_by_role("button", name="Preview the names").click()
        says(rename, "^Preview: would give 8 of 8 images another name")
        expect(rename).to_contain_text("cat_0001")
        keep_picture(page, "rename", f"rename-{theme}")
        rename.get_by_role("button", name="Rename 8 pictures").click()
        says(rename, "^Done: 8 images were renamed")
        assert {item.id: item.caption for item in list_items(manager.project)} == {
            **{f"cat_{number + 1:04}": f"web {number}" for number in range(4)}, "cat_0005": "first",
            **{f"cat_{number:04}": None for number in (6, 7, 8)}}
        rename.get_by_role("button", name="Take back the last renaming").click()
        says(rename, "given their old names back")
        assert sorted(item.id for item in list_items(manager.project)) == ["0", "1", "2", "3", "photo 0", "photo 1", "photo 2", "side"]
        page.set_viewport_size({"width": 460, "height": 2600})
        assert overflowing(page, ".lb-panel", allowed=()) == []
        keep_picture(page, "import", f"import-narrow-{theme}")
        assert context.errors == []
