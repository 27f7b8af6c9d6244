"""Review of doubtful tags in a real browser: one key a tag, written when the picture is left, taken back with another."""

import pytest
from playwright.sync_api import expect

from core.dataset.captions.scores import ScoreStore
from core.dataset.items import list_items
from core.dataset.manager import DatasetManager
from tests.core.dataset.curation.photographs import photographs
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from IPython.display import display
from widgets.dataset.reviewing import ReviewPanel
from widgets.session import Session
session = Session()
session.open(Path({folder!r}))
panel = ReviewPanel(session, 6)
display(panel.view)
"""
SCORES = {"general": {"outdoors": 0.41, "looking_at_viewer": 0.37, "smile": 0.33, "standing_in_front_of_a_very_long_wall": 0.28,
                      "solo": 0.95, "hat": 0.1},
          "character": {"astronaut_(portrait)": 0.8}, "rating": {"general": 0.9}}


@pytest.fixture
def dataset(tmp_path) -> DatasetManager:
    manager = DatasetManager.create("small", tmp_path / "projects", trigger="mychar")
    for name, picture in list(photographs().items())[:3]:
        picture.save(manager.project.images / f"{name}.png")
        (manager.project.images / f"{name}.txt").write_text("mychar, solo, outdoors, looking at viewer, an old hat", encoding="utf-8")
    items = list_items(manager.project)
    with ScoreStore.of(manager.project) as store:
        store.remember("tagger@1", "wd-eva02-large-v3", {item.sha256: SCORES for item in items})
    with manager_history(manager) as record:
        for item in items:
            record.change(item.id, item.caption_name, item.caption, item.caption, ["solo", "outdoors", "looking at viewer"], item.sha256)
    write_notebook(tmp_path / "review.ipynb", CELL.format(folder=str(manager.project.folder)))
    return manager


def manager_history(manager):
    from core.dataset.history import History

    return History.of(manager.project).entry("Tagged with WD EVA02-Large v3")


def caption(dataset: DatasetManager, name: str) -> str:
    return (dataset.project.images / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 1400), ("light", 400)])
def test_doubtful_tags_are_kept_and_dropped_with_one_key_and_taken_back(tmp_path, dataset, theme, width):
    first, second = (item.id for item in list_items(dataset.project)[:2])
    with Lab(tmp_path, {"LORABOOK_PROJECTS": str(tmp_path / "projects")}, theme=theme) as lab, Browser(width=width) as context:
        page = lab.open(context, "review.ipynb")
        run_all(page)
        panel = page.locator(".lb-panel-review")
        panel.get_by_role("button", name="Show the doubtful tags").click()
        doubts = panel.get_by_test_id("doubts")
        expect(doubts.locator("li")).to_have_count(5)
        expect(doubts.locator("li").first).to_contain_text("looking at viewer")
        expect(panel.locator(".lb-review-where")).to_have_text("1 of 3")
        expect(panel.locator(".lb-review-picture img")).to_be_visible()
        page.wait_for_timeout(300)
        keep_picture(page, "review", f"review_{theme}_{width}")
        assert overflowing(page) == []

        doubts.focus()
        page.keyboard.press("z")  # the tagging is no decision
        expect(panel.get_by_role("status")).to_contain_text("No decision to take back")
        assert all(item.caption.endswith("outdoors, looking at viewer, an old hat") for item in list_items(dataset.project))
        page.keyboard.press("d")
        expect(doubts.locator("li").first).to_contain_text("dropped")
        page.keyboard.press("z")
        expect(doubts.locator("li").first).to_contain_text("in caption")
        page.keyboard.press("ArrowRight")  # looking at viewer
        page.keyboard.press("k")  # smile
        page.keyboard.press("ArrowLeft")
        keep_picture(page, "review", f"review_decided_{theme}_{width}")
        assert caption(dataset, first) == "mychar, solo, outdoors, looking at viewer, an old hat"
        page.keyboard.press("d")
        page.keyboard.press("d")  # the last one: it is written, and the next picture comes
        expect(panel.locator(".lb-review-where")).to_have_text("2 of 3")
        expect(panel.get_by_role("status")).to_contain_text("5 tags decided")
        assert caption(dataset, first) != caption(dataset, second) and ", smile" in caption(dataset, first)

        page.keyboard.press("z")  # nothing is decided here: the last picture's decisions go back
        expect(panel.get_by_role("status")).to_contain_text("'Reviewed")
        assert caption(dataset, first) == "mychar, solo, outdoors, looking at viewer, an old hat"
        expect(panel.locator(".lb-review-where")).to_have_text("1 of 3")
        page.keyboard.press("n")
        page.keyboard.press("Enter")
        page.keyboard.press("n")
        expect(panel.locator(".lb-review-nothing")).to_contain_text("These were all doubtful tags")
        assert caption(dataset, first) == caption(dataset, second) and context.errors == []


def test_a_press_anywhere_in_the_panel_keeps_the_keys_in_it(tmp_path, dataset):
    cells = "() => window.jupyterapp.shell.currentWidget.content.widgets.length"
    with Lab(tmp_path, {"LORABOOK_PROJECTS": str(tmp_path / "projects")}) as lab, Browser() as context:
        page = lab.open(context, "review.ipynb")
        run_all(page)
        page.evaluate("async () => { await window.jupyterapp.commands.execute('notebook:insert-cell-below'); }")
        panel = page.locator(".lb-panel-review")
        for place in (".lb-title", ".lb-purpose", ".lb-status-line"):  # also before anything is shown
            panel.locator(place).click()
            page.keyboard.type("ddxx")
            assert page.evaluate(cells) == 2, place
        main = panel.get_by_role("button", name="Show the doubtful tags")
        main.click()
        doubts = panel.get_by_test_id("doubts")
        expect(doubts.locator("li")).to_have_count(5)
        expect(doubts).to_be_focused()
        for place in (".lb-title", ".lb-purpose", ".lb-status-line", ".lb-review-picture", ".lb-review-name", ".lb-review-help"):
            panel.locator(place).click()
            expect(doubts).to_be_focused()
            for key in "xddzz":
                page.keyboard.press(key)
                assert page.evaluate(cells) == 2, (place, key)
        main.focus()
        page.keyboard.type("dd")
        assert page.evaluate(cells) == 2

        field = panel.locator("input[type=text], input[type=number]").first  # fields are typed into as ever
        field.click()
        page.keyboard.press("Control+a")
        page.keyboard.type("0.5")
        assert field.input_value() == "0.5"
        panel.locator(".lb-purpose").click(click_count=3)  # words can be chosen with the mouse, to be copied
        assert "not sure of" in page.evaluate("() => getSelection().toString()")
        panel.locator(".lb-title").click()
        page.keyboard.press("Shift+Enter")  # the notebook's own keys that delete nothing still work
        page.wait_for_function("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex === 1")
        assert context.errors == []
