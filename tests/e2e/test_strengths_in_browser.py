"""The best of several strengths is chosen in a real browser and written into a file of its own."""

import re

import pytest
from playwright.sync_api import expect

from core.dataset.manager import DatasetManager
from core.training.config import TrainingSettings
from core.training.run import Run
from tests.e2e.lab import keep_picture, overflowing, shown_panel
from tests.widgets.training.test_evaluation_panel import draw_strengths
from widgets.training.evaluation import EvaluationPanel

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 420), ("dark", 1400), ("light", 420)])
def test_the_best_strength_is_written(tmp_path, theme, width):
    project = DatasetManager.create("small", tmp_path / "projects", trigger="mychar").project
    run = Run.create(project.folder, TrainingSettings(), "builtin")
    run.checkpoints.mkdir(exist_ok=True)
    draw_strengths(run)
    with shown_panel(EvaluationPanel, project.folder, tmp_path, theme, width, 1700,
                     LORABOOK_PROJECTS=str(tmp_path / "projects"), LORABOOK_LORAS=str(tmp_path / "loras")) as page:
        panel = page.locator(".lb-panel-evaluation")
        expect(panel).to_contain_text("finished, strength 0.8")
        more = panel.locator(".lb-samples-more")
        if width == 420:
            expect(more).to_have_text(re.compile("Column 1 of 3"))
            more.get_by_role("button", name="Columns to the right").click()
            expect(more).to_have_text(re.compile("Column 2 of 3"))
            expect(more.get_by_role("button", name="Columns to the left")).to_be_enabled()
        else:
            expect(more).to_be_hidden()
        write = page.get_by_role("button", name="Write the LoRA with this strength")
        expect(page.get_by_label("The best one")).to_have_value("choose the best of them")
        expect(write).to_be_disabled()
        page.get_by_label("The best one").select_option("finished, strength 1 (the pictures change by 10.0 %)")
        expect(write).to_be_disabled()
        page.get_by_label("The best one").select_option("finished, strength 0.8 (the pictures change by 8.0 %)")
        keep_picture(page, "evaluation", f"strengths-{theme}-{width}")
        write.click()
        expect(panel.locator(".lb-status")).to_contain_text("mika-w0.8.safetensors: at 1 as before at 0.8", timeout=90_000)
        expect(panel.locator(".lb-downloads")).to_contain_text("mika-w0.8.safetensors")
        keep_picture(page, "evaluation", f"strengths-written-{theme}-{width}")
        assert (project.output / "mika-w0.8.safetensors").is_file()
        assert overflowing(page, ".lb-panel-evaluation, .lb-panel-evaluation > *") == []
        assert page.context.errors == []
