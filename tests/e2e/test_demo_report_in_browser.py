"""The demo's report shows its sheet as wide as the page, and at its own size when it is pressed."""

import pytest
from PIL import Image

from core.demo.run import grid
from core.training.report_parts import large_picture, page
from tests.e2e.lab import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("width", [1280, 480])
def test_the_sheet_fills_the_page_and_is_shown_full_size_by_click_and_by_key(width, tmp_path):
    sheet = tmp_path / "sheet.png"
    grid([("Before", [Image.effect_noise((64, 64), 80).convert("RGB")] * 8)]).save(sheet)
    (tmp_path / "report.html").write_text(page("Demo", ["<h1>Demo</h1>", large_picture(sheet, "Before and after")]), encoding="utf-8")
    with Browser(width=width) as context:
        shown = context.new_page()
        shown.goto((tmp_path / "report.html").as_uri())
        picture = shown.locator("img")
        inside = shown.evaluate("() => { const s = getComputedStyle(document.body); "
                                "return document.body.clientWidth - parseFloat(s.paddingLeft) - parseFloat(s.paddingRight); }")
        assert picture.bounding_box()["width"] == pytest.approx(inside, abs=1)
        picture.click()
        assert picture.bounding_box()["width"] == picture.evaluate("image => image.naturalWidth") == 2192
        shown.keyboard.press("Space")
        assert picture.bounding_box()["width"] == pytest.approx(inside, abs=1)
        assert context.errors == []
