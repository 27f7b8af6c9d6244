"""What a project holds, captions beside its sources, and Google Drive on Colab: in a real browser, in both themes."""

import re

import pytest
from playwright.sync_api import expect

from core.base.paths import ROOT
from core.dataset.history import History
from core.dataset.items import list_items
from core.dataset.manager import DatasetManager
from core.dataset.rejecting import RejectSettings
from tests.core.dataset.curation.photographs import photographs
from tests.core.dataset.sources.colab import make_package
from tests.e2e.lab import Browser, Lab, keep_picture, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
OVERFLOW = """() => [...document.querySelectorAll('.lb-panel')].filter(panel => panel.scrollWidth > panel.clientWidth + 1)
    .map(panel => panel.className)"""
CAPTION = "mychar, 1girl, solo, long hair, blue eyes, smile, looking at viewer, outdoors, standing, tree, sky, cloud"
BEGIN = """import sys, pathlib
import google.colab
from core.dataset.sources import places
places.DRIVE = pathlib.Path({drive!r})
from widgets.dataset import NOTEBOOK, show
NOTEBOOK._begin().open(pathlib.Path({folder!r}))"""


def says(panel, words, seconds=60):
    expect(panel.get_by_role("status").first).to_have_text(re.compile(words), timeout=seconds * 1000)


def prepared(tmp_path):
    """A project of photographs with news beside their source, and something of everything else."""
    source = tmp_path / "home" / "cats"
    source.mkdir(parents=True)
    for number, image in enumerate(list(photographs().values())[:6]):
        image.save(source / f"photo {number}.png")
    (source / "photo 0.txt").write_text(CAPTION)
    manager = DatasetManager.create("Cats")
    manager.import_from(source)
    (source / "photo 0.txt").write_text(CAPTION.replace("smile, ", "").replace("tree", "old tree") + ", wind")
    (source / "photo 1.txt").write_text("mychar, from behind, night")
    (source / "photo 2.txt").write_text("A photograph of a character who stands in an old street at night, seen from behind, in the rain.")
    for name in ("photo 0_mask.png", "photo 1_mask.png", "photo 0_upscaled.png", "photo 0_face.png"):
        (manager.project.variants / name).write_bytes(b"x")
    manager.reject(RejectSettings(images=("photo 5",), reason="blurred"))
    with History.of(manager.project).entry("Sorted the tags") as record:
        record.change("photo 0", "photo 0.txt", CAPTION, CAPTION)
    history = manager.project.hidden / "history.jsonl"
    history.write_text("".join(line for line in history.read_text().splitlines(keepends=True) if '"end"' not in line))
    return manager


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_opening_found_captions_and_google_drive(tmp_path, monkeypatch, theme):
    projects = tmp_path / "projects"
    projects.mkdir()
    monkeypatch.setenv("LORABOOK_PROJECTS", str(projects))
    manager, drive = prepared(tmp_path), tmp_path / "content" / "drive" / "MyDrive"
    begin = BEGIN.format(drive=str(drive), folder=str(manager.project.folder))
    write_notebook(tmp_path / "opening.ipynb", begin, 'show("project")', 'show("found")', 'show("import")')
    environ = {"LORABOOK_PROJECTS": str(projects), "HOME": str(tmp_path / "home"), "PYTHONPATH": f"{make_package(tmp_path)}:{ROOT}"}
    with Lab(tmp_path, environ, theme) as lab, Browser(height=2600) as context:
        page = lab.open(context, "opening.ipynb")
        run_all(page)
        project, found, imports = (page.locator(f".lb-panel-{name}") for name in ("project", "found", "import"))
        expect(project).to_contain_text("captions for 2 pictures without one, 1 caption changed since the import")
        for words in ("1 saved, 4 pictures without one", "1 upscaled, 1 cropped", "'Sorted the tags' of captions was interrupted"):
            expect(project).to_contain_text(words)
        keep_picture(page, "project", f"open_project_{theme}")

        found.get_by_role("button", name="Look beside the sources").click()
        says(found, "^Done: 3 captions found beside the sources: 2 for images without a caption, 1 changed")
        expect(found.locator(".lb-card-picture img")).to_have_count(3)
        expect(found.locator("section").first.locator("del").first).to_have_text("smile")
        found.locator("section").nth(0).get_by_role("button", name="Take it").click()
        expect(found.locator("section").nth(0).get_by_role("button", name="Will be taken")).to_be_focused()
        found.locator("section").nth(1).locator(".lb-card-press").click()
        found.locator("section").nth(2).get_by_role("button", name="Leave it").click()
        expect(found.get_by_role("button", name="Save: take 2, leave 1")).to_be_enabled()
        keep_picture(page, "found", f"open_found_{theme}")
        page.set_viewport_size({"width": 460, "height": 2600})
        assert page.evaluate(OVERFLOW) == []
        keep_picture(page, "found", f"open_found_narrow_{theme}")
        keep_picture(page, "project", f"open_project_narrow_{theme}")
        page.set_viewport_size({"width": 1400, "height": 2600})
        found.get_by_role("button", name="Save: take 2, leave 1").click()
        says(found, "^Done: 2 captions taken from beside the sources, 1 left there. Undo takes it back.")
        assert {item.id: item.caption for item in list_items(manager.project)}["photo 1"] == "mychar, from behind, night"
        expect(project).to_contain_text("2 saved, 3 pictures without one")
        keep_picture(page, "found", f"open_found_saved_{theme}")
        found.get_by_role("button", name="Undo the last change of captions").click()
        says(found, "^Done: '2 captions taken from beside the sources.*is undone")
        assert {item.id: item.caption for item in list_items(manager.project)}["photo 1"] is None

        imports.get_by_label("From").select_option("Google Drive")
        expect(imports).to_contain_text("Connect Google Drive first")
        keep_picture(page, "import", f"open_drive_before_{theme}")
        imports.get_by_role("button", name="Connect Google Drive").click()
        says(imports, "^Done: Google Drive is connected as")
        (drive / "pictures").mkdir()
        list(photographs().values())[7].save(drive / "pictures" / "d.png")
        (drive / "pictures" / "d.txt").write_text("from the drive")
        imports.get_by_role("button", name="Close the folders").click()
        imports.get_by_role("button", name="Browse Google Drive").click()
        imports.get_by_label("Inside").locator("visible=true").select_option("pictures/")
        imports.get_by_role("button", name="Open it").locator("visible=true").click()
        expect(imports).to_contain_text("1 picture, 1 caption")
        keep_picture(page, "import", f"open_drive_{theme}")
        imports.get_by_role("button", name="Take this folder").locator("visible=true").click()
        expect(imports.get_by_label("Folder or archive on Google Drive")).to_have_value(str(drive / "pictures"))
        assert context.errors == []
