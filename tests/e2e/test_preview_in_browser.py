"""A picture as the trainer sees it: cut, size and captions follow the kept settings, in both notebooks' panel."""

import pytest
from playwright.sync_api import expect
from skimage import data

from core.dataset.manager import DatasetManager
from core.training.config import TrainingSettings
from core.training.fitting import fit_to_project
from core.training.kept import keep_settings
from tests.e2e.lab import keep_picture, shown_panel
from widgets.training.preview import PreviewPanel

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize(("theme", "width"), [("light", 1100), ("dark", 500)])
def test_the_preview_shows_cut_size_and_captions_and_follows_the_settings(tmp_path, theme, width):
    from PIL import Image

    manager = DatasetManager.create("small", tmp_path / "projects", trigger="mychar")
    project = manager.project
    for name, words in (("astronaut", "smile"), ("coffee", ", ".join(f"thing {number}" for number in range(70)))):
        Image.fromarray(getattr(data, name)()).save(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text(f"mychar, photo, {words}", encoding="utf-8")
    with shown_panel(PreviewPanel, project.folder, tmp_path, theme, width, 1400) as page:
        words, captions = page.get_by_test_id("preview-words"), page.get_by_test_id("preview-captions")
        expect(words).to_have_text("astronaut: learned as it is, 512 × 512 px.")
        page.get_by_role("button", name="Next picture").click()
        expect(words).to_contain_text("coffee: 600 × 400 px, ")
        expect(captions.locator("li")).to_have_count(10)
        expect(captions.locator("s")).to_have_count(10)  # each is too long, and says so
        before = captions.locator("li").all_text_contents()
        page.get_by_role("button", name="Draw the captions anew").click()
        expect(captions.locator("li")).not_to_have_text(before)
        expect(captions.locator("li")).to_have_count(10)
        own, cut = page.evaluate("""() => ['.lb-seen-own img', '.lb-seen-cut'].map(name => {
            const box = document.querySelector(name).getBoundingClientRect(); return { width: box.width, height: box.height }; })""")
        assert own["width"] - 1 <= cut["width"] <= own["width"] + 1 and cut["height"] < own["height"] * 0.99
        assert page.evaluate("() => [...document.querySelectorAll('.lb-seen img')].every(image => image.naturalWidth > 100)")
        keep_picture(page, "preview", f"preview_{theme}")
        keep_settings(fit_to_project(TrainingSettings.from_values({"data": {"enable_bucket": False, "shuffle_caption": False}}), project),
                      project)
        page.get_by_role("button", name="Previous picture").click()
        page.get_by_role("button", name="Next picture").click()
        expect(words).to_contain_text("and learned at 512 × 512; 33 % is cut away left and right.")
        expect(page.locator(".lb-panel-preview")).to_contain_text("It is the same each time.")
        assert page.context.errors == []
