"""After the run, in a browser: what is going to happen, the files on their way, a countdown, and the button that ends it."""

import json
import re

import pytest
from playwright.sync_api import expect

from core.training.finish.status import read_finish
from core.training.run import Run
from tests.core.training.fakes import make_project, make_settings, wait_for
from tests.core.training.finish.ended import ended_run
from tests.core.training.finish.servers import Hub, Vast
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from widgets.session import Session
from widgets.training.finish import FinishPanel
session = Session()
session.open(Path({folder!r}))
panel = FinishPanel(session)
panel.view
"""


@pytest.mark.parametrize(("theme", "width"), [("light", 1100), ("dark", 520)])
def test_the_countdown_is_seen_and_ended_also_after_the_kernel_was_restarted(tmp_path, theme, width):
    folder = tmp_path / "projects"
    folder.mkdir()
    project = make_project(folder)
    run = ended_run(None, "done", run=Run.create(project.folder, make_settings(project.folder), "sd-scripts"))
    with Hub() as hub, Vast() as vast:
        environ = {"LORABOOK_PROJECTS": str(folder), "HF_ENDPOINT": hub.address, "HF_TOKEN": "hf_good_token", "HF_HOME": str(tmp_path),
                   "HF_HUB_DISABLE_XET": "1", "VAST_CONTAINERLABEL": "C.1234", "CONTAINER_ID": "1234", "CONTAINER_API_KEY": vast.key,
                   "LORABOOK_VAST_API": vast.address, "LORABOOK_FINISH_SECOND": "1"}
        with Lab(tmp_path, environ, theme) as lab, Browser(width=width, height=1800) as context:
            write_notebook(lab.root / "finish.ipynb", CELL.format(folder=str(project.folder)))
            page = lab.open(context, "finish.ipynb")
            run_all(page)
            panel = page.locator(".lb-panel-finish")
            expect(panel).to_contain_text("nothing is uploaded. The machine stays on.")
            keep_picture(page, "finish", f"finish_empty_{theme}")
            page.get_by_label("Then the machine").select_option("is destroyed")
            expect(panel).to_contain_text("Destroying the machine loses what lies on it")
            page.get_by_label("Repository on Hugging Face").fill("me/cats")
            page.get_by_label("Repository on Hugging Face").press("Tab")
            page.get_by_text("Upload the LoRA of every epoch", exact=True).click()
            expect(panel).to_contain_text("the LoRA of every epoch are uploaded to the private repository me/cats")
            page.get_by_role("button", name="Use these settings").click()
            expect(panel).to_contain_text("Done: this is what happens when the next run has ended.")
            keep_picture(page, "finish", f"finish_chosen_{theme}")
            page.get_by_role("button", name="Finish the last run now").click()
            clock = panel.locator(".lb-clock")
            expect(clock).to_have_text(re.compile(r"^4:\d\d$"))
            expect(panel.locator("tr", has_text="mochi.safetensors")).to_contain_text("verified")
            before = clock.text_content()
            expect(clock).not_to_have_text(before)
            keep_picture(page, "finish", f"finish_countdown_{theme}")
            assert overflowing(page, ".lb-panel-finish, .lb-panel-finish *", ("hidden", "auto")) == []
            page.evaluate("""async () => {
                const session = window.jupyterapp.shell.currentWidget.sessionContext.session; await session.kernel.restart(); }""")
            run_all(page)
            expect(clock).to_have_text(re.compile(r"^4:\d\d$"))
            page.get_by_role("button", name="Keep the machine on").click()
            expect(panel).to_contain_text("'Keep the machine on' was pressed.")
            expect(clock).to_be_hidden()
            keep_picture(page, "finish", f"finish_kept_on_{theme}")
            assert context.errors == []
        wait_for(lambda: read_finish(run).ended)
        assert vast.asked == [] and read_finish(run).state == "kept_on"
        assert json.loads((run.folder / "finish.json").read_text())["safe"] is True
