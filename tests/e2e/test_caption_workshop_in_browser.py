"""Bulk edit, history and statistics in a real browser, in both themes and in a narrow window."""

import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.dataset.manager import DatasetManager
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from IPython.display import display
from widgets.dataset.editing import EditPanel
from widgets.dataset.history import HistoryPanel
from widgets.dataset.statistics import StatisticsPanel
from widgets.session import Session
session = Session()
session.open(Path({folder!r}))
for number, kind in enumerate((StatisticsPanel, EditPanel, HistoryPanel), 6):
    session.panels[kind.name] = kind(session, number)
    display(session.panels[kind.name].view)
"""
WORDS = ("standing", "sitting", "looking at viewer", "smile", "open mouth", "hat", "blue eyes", "long hair", "outdoors", "from behind")


@pytest.fixture
def dataset(tmp_path) -> DatasetManager:
    manager = DatasetManager.create("small", tmp_path / "projects", trigger="mychar")
    for number in range(24):
        Image.linear_gradient("L").resize((90, 70)).rotate(number * 15).save(manager.project.images / f"picture {number:02}.png")
        tags = [word for place, word in enumerate(WORDS) if (number * 7 + place * 3) % (place + 2)]
        text = ", ".join(["mychar", "red hair", *tags])
        if number == 3:
            text = "red hair, mychar, hat, Hat, short hair, long hair"
        if number == 5:
            text = "mychar,, Red_Hair, blue eyse, a girl with a hat who stands by the sea and looks far away"
        (manager.project.images / f"picture {number:02}.txt").write_text(text, encoding="utf-8")
    write_notebook(tmp_path / "workshop.ipynb", CELL.format(folder=str(manager.project.folder)))
    return manager


def caption(dataset: DatasetManager, number: int) -> str:
    return (dataset.project.images / f"picture {number:02}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 1400), ("light", 400)])
def test_a_finding_is_mended_seen_undone_and_made_again(tmp_path, dataset, theme, width):
    mark = f"{theme}_{width}"
    with Lab(tmp_path, theme=theme) as lab, Browser(width=width) as context:
        page = lab.open(context, "workshop.ipynb")
        run_all(page)
        statistics, edit, history = (page.locator(f".lb-panel-{name}") for name in ("statistics", "edit", "history"))
        before = caption(dataset, 3)
        statistics.get_by_role("button", name="Look at the captions").click()
        tags = statistics.get_by_test_id("tags")
        expect(tags.locator("button").first).to_contain_text("mychar")
        statistics.get_by_test_id("tag-search").fill("hai")
        expect(tags.locator("button")).to_have_count(3)
        tags.locator("button", has_text="red hair").click()
        expect(statistics.locator(".lb-tags-note")).to_contain_text("with red hair")
        statistics.get_by_test_id("tag-search").fill("")
        keep_picture(page, "statistics", f"workshop_statistics_{mark}")
        assert overflowing(page) == []

        statistics.get_by_role("button", name="Put it first").click()
        changes = edit.get_by_test_id("changes")
        expect(changes.locator("li")).to_have_count(1)
        expect(changes.locator("ins")).to_have_count(1)
        assert caption(dataset, 3) == before
        edit.get_by_role("button", name=re.compile("^Change 1 caption")).click()
        expect(edit.get_by_role("status")).to_contain_text("1 caption changed")
        assert caption(dataset, 3).startswith("mychar, red hair")

        edit.get_by_label("What to do").select_option(label="Replace tags")
        edit.get_by_label("Replace these tags").fill("hat; red hair")
        edit.get_by_label("by these").fill("cap; auburn hair")
        edit.get_by_role("button", name="Preview the change").click()
        expect(edit.get_by_role("status")).to_contain_text("Nothing is changed yet")
        keep_picture(page, "edit", f"workshop_edit_{mark}")
        edit.get_by_role("button", name=re.compile("^Change [0-9]+ captions")).click()
        expect(edit.get_by_role("status")).to_contain_text("Undo takes it back")
        assert "auburn hair" in caption(dataset, 0)

        history.get_by_label("Name").fill("before the style pass")
        history.get_by_role("button", name="Keep this version").click()
        expect(history.get_by_role("status")).to_contain_text("are kept as")
        history.get_by_role("button", name="Undo the last change").click()
        expect(history.get_by_role("status")).to_contain_text("is undone")
        assert "auburn hair" not in caption(dataset, 0)
        history.get_by_role("button", name="Redo").click()
        expect(history.get_by_role("status")).to_contain_text("is made again")
        history.locator("select").first.select_option(label="The beginning, before the first change")
        history.get_by_role("button", name="Compare it with now").click()
        expect(history.get_by_test_id("changes").locator("li").first).to_contain_text("auburn hair")
        keep_picture(page, "history", f"workshop_history_{mark}")
        history.get_by_role("button", name="Go back to it").click()
        expect(history.get_by_role("status")).to_contain_text("back to the beginning")
        assert caption(dataset, 3) == before
        assert overflowing(page) == [] and context.errors == []
