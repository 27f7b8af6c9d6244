"""The gallery when kernels die, and two notebooks on one project: what was shown as saved is on the disk, nothing typed is lost."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core.dataset.history import History
from core.dataset.manager import DatasetManager
from tests.core.dataset.small_things import picture
from tests.e2e.lab import Browser, Lab, in_kernel, keep_picture, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
import os
from pathlib import Path
from IPython.display import display
from tests.dying import PLACE, STEP, begin
from widgets.dataset.gallery import GalleryPanel
from widgets.session import Session
session = Session()
session.open(Path({folder!r}))
panel = GalleryPanel(session, 11)
panel.gallery.mode = "text"
display(panel.view)
os.environ[PLACE] = str(session.dataset.project.images)
"""
COUNT = 4
DRAFTS = "() => sessionStorage.getItem('lorabook-unsaved-captions')"


@pytest.fixture
def dataset(tmp_path) -> DatasetManager:
    manager = DatasetManager.create("small", tmp_path / "projects", trigger="mychar")
    for number in range(1, COUNT + 1):
        picture(manager.project.images / f"{number}.png", (60 * number, 90, 30), size=(240, 180))
        (manager.project.images / f"{number}.txt").write_text(f"mychar, number {number}", encoding="utf-8")
    for name in ("one", "two"):
        write_notebook(tmp_path / f"{name}.ipynb", CELL.format(folder=str(manager.project.folder)))
    return manager


def texts(dataset) -> dict[int, str]:
    return {int(path.stem): path.read_text(encoding="utf-8") for path in dataset.project.images.glob("*.txt")}


def kernels(lab) -> list[int]:
    """Processes of the server's kernels."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = (place / "stat").read_text().rsplit(")", 1)[1].split()[1]
            if int(parent) == lab.process.pid and b"ipykernel" in (place / "cmdline").read_bytes():
                found.append(int(place.name))
        except OSError:
            continue
    return found


def died_already(lab, pid: int) -> bool:
    """Whether a kernel is gone."""
    return pid not in kernels(lab)


def opened(lab, context, notebook="one.ipynb"):
    """The page, the text box, and the word on its state."""
    page = lab.open(context, notebook)
    run_all(page)
    return shown(page)


def shown(page):
    expect(page.get_by_test_id("gallery-count")).to_have_text(f"{COUNT} pictures")
    expect(page.get_by_test_id("caption")).to_be_visible()
    return page, page.get_by_test_id("caption"), page.locator(".lb-captions-count")


def until(page, holds, seconds=90) -> None:
    """Wait for something that the page does not tell."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)


ANSWERS = """() => Promise.race([
    window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestKernelInfo().then(() => true, () => false),
    new Promise(resolve => setTimeout(() => resolve(false), 2000))])"""
"""Whether the kernel answers: what is asked of one that is just being started is lost."""


def started_again(lab, page, pid) -> None:
    """Wait for the kernel that JupyterLab starts in place of one that died, and run the cells again."""
    until(page, lambda: set(kernels(lab)) - {pid})
    until(page, lambda: page.evaluate(ANSWERS))
    run_all(page)
    shown(page)


@pytest.mark.parametrize(("way", "turns"), [("before it is sent", 2), ("at a step", 4), ("when it is saved", 2)])
def test_a_kernel_that_is_killed_while_a_caption_is_saved_loses_none_and_what_was_typed_is_offered_again(tmp_path, dataset, way, turns):
    """The kill comes before the save is sent, at each of its steps on the disk, or as soon as it is shown as saved."""
    kept = texts(dataset)
    offered = died = 0
    with Lab(tmp_path) as lab, Browser(width=1500, height=1300) as context:
        page, box, state = opened(lab, context)
        dialog = page.locator(".jp-Dialog .jp-mod-accept")
        page.add_locator_handler(dialog, lambda: dialog.first.click())  # JupyterLab tells that the kernel died
        for turn in range(1, turns + 1):
            [pid] = kernels(lab)
            is_dead = partial(died_already, lab, pid)
            if way == "at a step":
                in_kernel(page, f"os.environ[STEP] = '{turn}'; begin()")
            new = f"mychar, number 1, typed in turn {turn}"
            expect(box).to_have_value(kept[1])
            if way == "before it is sent":
                in_kernel(page, "import time; time.sleep(300)")
            box.fill(new)
            if way == "before it is sent":
                expect(state).to_contain_text("not saved yet")
            elif way == "at a step":
                until(page, lambda dead=is_dead: dead() or "· saved" in state.inner_text())
                died += is_dead()
            else:
                expect(state).to_contain_text("· saved")
            said_saved = "· saved" in state.inner_text()
            if not is_dead():
                os.kill(pid, signal.SIGKILL)
            until(page, is_dead)
            now = texts(dataset)
            assert now[1] == new or (now[1] == kept[1] and not said_saved)
            assert {**now, 1: ""} == {**kept, 1: ""}
            started_again(lab, page, pid)
            if now[1] != new:
                expect(page.get_by_test_id("caption-mine")).to_contain_text(new)
                expect(box).to_have_value(now[1])
                keep_picture(page, "gallery", "live_offered_again")
                page.get_by_role("button", name="Put it into the box").click()
                expect(state).to_contain_text("· saved")
                offered += 1
            expect(page.get_by_test_id("caption-mine")).to_be_hidden()
            kept = {**kept, 1: new}
            assert texts(dataset) == kept
        assert {"before it is sent": offered == turns, "at a step": died >= 2 and offered, "when it is saved": not offered}[way]


def test_two_notebooks_on_one_project_see_each_other_and_lose_nothing(tmp_path, dataset):
    with Lab(tmp_path) as lab, Browser(width=1500, height=1300) as context:
        one, box, state = opened(lab, context)
        box.press("Control+Enter")
        expect(box).to_have_value("mychar, number 2")
        box.fill("mychar, number 2, new")
        assert "number 2, new" in one.evaluate(DRAFTS)
        box.press("Control+Enter")
        expect(box).to_have_value("mychar, number 3")
        assert one.evaluate(DRAFTS) is None and texts(dataset)[2] == "mychar, number 2, new"
        one.locator(".lb-cell[data-row='0']").click()
        expect(box).to_have_value("mychar, number 1")
        two, other_box, other_state = opened(lab, context, "two.ipynb")
        assert len(kernels(lab)) == 2
        box.press("End")
        box.press_sequentially(", from one")
        expect(state).to_contain_text("· saved")
        expect(other_box).to_have_value("mychar, number 1, from one", timeout=15_000)
        two.locator(".lb-cell[data-row='2']").click()
        expect(other_box).to_have_value("mychar, number 3")
        other_box.fill("mychar, number 3, from, two")
        expect(other_state).to_contain_text("· saved")
        expect(one.locator(".lb-cell[data-row='2']")).to_have_attribute("aria-label", "3.png, 4 tags", timeout=15_000)

        in_kernel(two, "panel.gallery.rest = 0")
        two.locator(".lb-cell[data-row='0']").click()
        expect(other_box).to_have_value("mychar, number 1, from one")
        other_box.fill("mychar, number 1, two wrote this")
        expect(other_state).to_contain_text("not saved yet")
        box.fill("mychar, number 1, one wrote that")
        expect(state).to_contain_text("· saved")
        expect(two.get_by_test_id("caption-other")).to_contain_text("mychar, number 1, one wrote that", timeout=15_000)
        expect(other_box).to_have_value("mychar, number 1, two wrote this")
        two.get_by_role("button", name="Save", exact=True).click()
        expect(two.get_by_test_id("caption-note")).to_contain_text("was changed by something else")
        assert texts(dataset)[1] == "mychar, number 1, one wrote that"
        keep_picture(two, "gallery", "live_two_notebooks")

        in_kernel(one, "panel.gallery.rest = 0")
        box.press("End")
        box.press_sequentially(", and more")
        two.get_by_role("button", name="Keep mine").click()
        expect(other_state).to_contain_text("· saved")
        expect(one.get_by_test_id("caption-other")).to_contain_text("mychar, number 1, two wrote this", timeout=15_000)
        expect(box).to_have_value("mychar, number 1, one wrote that, and more")
        one.get_by_role("button", name="Read again").click()
        expect(box).to_have_value("mychar, number 1, two wrote this")
        expect(one.get_by_test_id("caption-mine")).to_contain_text("one wrote that, and more")
        one.get_by_role("button", name="Put it into the box").click()
        one.get_by_role("button", name="Save", exact=True).click()
        expect(state).to_contain_text("· saved")
        assert texts(dataset) == {1: "mychar, number 1, one wrote that, and more", 2: "mychar, number 2, new",
                                  3: "mychar, number 3, from, two", 4: "mychar, number 4"}
        [kept] = History.of(dataset.project).entries()
        assert [change.before for change in kept.changes] == ["mychar, number 1, one wrote that"]
        assert context.errors == []
