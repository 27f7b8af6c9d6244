"""Uploads in a real browser: dropped and chosen files, pause, a killed kernel, lost and damaged pieces, a full disk."""

import io
import os
import re
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from core.dataset.manager import DatasetManager
from tests.core.dataset.small_things import png_bytes
from tests.e2e.lab import Browser, Lab, keep_picture, overflowing, run_all, write_notebook

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CELL = """
from pathlib import Path
from widgets.dataset.uploading import UploadPanel
from widgets.session import Session
try:
    panel.close()
except NameError:
    session = Session()
    session.open(Path({folder!r}))
panel = UploadPanel(session)
{more}
panel.view
"""
SLOW = "import time; ask = panel.desk._answer; panel.desk._answer = lambda *given: (time.sleep(0.3), ask(*given))[1]"
RESTART = """async () => { await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart(); }"""
IN_KERNEL = """async code => { await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code }).done; }"""


@pytest.fixture
def dataset(tmp_path) -> DatasetManager:
    return DatasetManager.create("small", tmp_path / "projects", trigger="mychar")


@pytest.fixture
def home(tmp_path) -> Path:
    """What the maker has on the own computer."""
    folder = tmp_path / "home" / "cats"
    (folder / "more").mkdir(parents=True)
    for number in range(8):
        place = folder / "more" if number % 2 else folder
        Image.new("RGB", (64, 64), (number * 30, 90, 40)).save(place / f"cat {number // 2}.png")
        (place / f"cat {number // 2}.txt").write_text(f"mychar, cat {number}", encoding="utf-8")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "film.mp4").write_bytes(b"x")
    return folder


def big_zip(path: Path, size: int) -> bytes:
    """A zip with one picture and much that no packing makes smaller."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zipped.png", png_bytes((1, 2, 3)))
        archive.writestr("noise.bin", os.urandom(size))
    return path.read_bytes()


def opened(lab, context, dataset, more=""):
    write_notebook(lab.root / "upload.ipynb", CELL.format(folder=str(dataset.project.folder), more=more))
    page = lab.open(context, "upload.ipynb")
    run_all(page)
    expect(page.get_by_test_id("drop-zone")).to_be_visible()
    return page


def wait_for_share(page, share: float):
    """Until so much of the first file is answered for."""
    page.wait_for_function("""share => { const entry = [...globalThis.lorabook.loads.values()].flatMap(load => load.entries)[0];
        return entry && entry.sent / entry.file.size >= share; }""", arg=share, polling=30)


def words(page):
    return page.get_by_test_id("upload-words")


def says(page, pattern, seconds=60):
    panel = page.locator(".lb-panel-upload")
    try:
        expect(panel.get_by_role("status").first).to_have_text(re.compile(pattern), timeout=seconds * 1000)
    except AssertionError as error:
        raise AssertionError(f"{error}\n\nThe panel says:\n{panel.inner_text()}") from error


def choose(page, *files: Path):
    page.get_by_test_id("file-input").set_input_files([str(file) for file in files])


def drop(page, *paths: Path, onto: str = "[data-testid=drop-zone]"):
    """As from a file manager: the browser itself makes the entries of files and folders."""
    box = page.locator(onto).first.bounding_box()
    client = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        client.send("Input.dispatchDragEvent", {"type": kind, "x": box["x"] + 40, "y": box["y"] + 20, "data": data})


def stored(dataset) -> dict[str, bytes]:
    folder = next(path for path in (dataset.project.folder / "uploads").iterdir() if path.is_dir() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_dropped_folder_comes_with_its_subfolders_and_is_imported(tmp_path, dataset, home, theme):
    big_zip(home / "pack.zip", 3_000_000)
    with Lab(tmp_path, theme=theme) as lab, Browser(width=1100, height=1300) as context:
        page = opened(lab, context, dataset, SLOW)
        keep_picture(page, "upload", f"upload_{theme}_empty")
        drop(page, home)
        expect(words(page)).to_have_text(re.compile(r"of \d+ files, .* MB of 3.0 MB"))
        keep_picture(page, "upload", f"upload_{theme}_working")
        says(page, "^Done: 9 images imported, 8 captions")
        expect(words(page)).to_have_text("17 of 17 files, 1 left out")
        expect(page.get_by_test_id("upload-files")).to_contain_text("It is a video")
        keep_picture(page, "upload", f"upload_{theme}_done")
        files = stored(dataset)
        assert len(files) == 17 and files["cats/more/cat 0.png"] == (home / "more" / "cat 0.png").read_bytes()
        captions = {path.read_text(encoding="utf-8") for path in dataset.project.images.glob("*.txt")}
        assert captions == {f"mychar, cat {number}" for number in range(8)}
        page.set_viewport_size({"width": 560, "height": 1300})
        page.wait_for_timeout(400)
        keep_picture(page, "upload", f"upload_{theme}_narrow")
        assert overflowing(page, ".lb-upload, .lb-upload *", ("hidden", "auto", "scroll")) == [] and context.errors == []


def test_a_file_that_falls_beside_the_panel_does_not_take_the_notebooks_place(tmp_path, dataset, home):
    with Lab(tmp_path) as lab, Browser(width=1100, height=1300) as context:
        page = opened(lab, context, dataset)
        address, tabs = page.url, len(page.context.pages)
        drop(page, home / "cat 0.png", onto=".jp-CodeCell .jp-InputArea")
        drop(page, home / "cat 1.png", onto=".lb-panel-upload .lb-status")
        page.wait_for_timeout(500)
        assert page.url == address and len(page.context.pages) == tabs
        drop(page, home / "film.mp4")
        says(page, "^Needs attention: Nothing was taken. The list above tells why")
        expect(page.get_by_test_id("upload-files")).to_contain_text("It is a video")
        drop(page, home / "cat 2.png")
        says(page, "^Done: 1 image imported")


def test_an_upload_is_paused_and_goes_on(tmp_path, dataset):
    data = big_zip(tmp_path / "big.zip", 20_000_000)
    with Lab(tmp_path) as lab, Browser() as context:
        page = opened(lab, context, dataset, SLOW)
        choose(page, tmp_path / "big.zip")
        wait_for_share(page, 0.1)
        page.get_by_test_id("pause").click()
        expect(words(page)).to_contain_text("paused")
        says(page, "paused")
        page.wait_for_timeout(1500)
        before = words(page).inner_text()
        page.wait_for_timeout(800)
        assert words(page).inner_text() == before
        keep_picture(page, "upload", "upload_paused")
        page.get_by_test_id("pause").click()
        says(page, "^Done: 1 image imported")
        assert stored(dataset) == {"big.zip": data} and context.errors == []


def test_after_the_kernel_was_restarted_in_the_middle_it_goes_on(tmp_path, dataset, home):
    data = big_zip(tmp_path / "big.zip", 40_000_000)
    with Lab(tmp_path) as lab, Browser() as context:
        page = opened(lab, context, dataset, SLOW)
        choose(page, tmp_path / "big.zip", home / "cat 0.png")
        wait_for_share(page, 0.2)
        page.evaluate(RESTART)
        part = next((dataset.project.folder / "uploads" / ".lorabook-upload").glob("*.part"))
        had = part.stat().st_size
        assert 4_000_000 < had < len(data)
        page.wait_for_timeout(9500)
        expect(page.get_by_test_id("upload-trouble")).to_contain_text("No answer from the kernel")
        keep_picture(page, "upload", "upload_no_answer")
        run_all(page)
        says(page, "^Done: 2 images imported")
        assert part.parent.exists() is False and stored(dataset)["big.zip"] == data
        assert len(list((dataset.project.folder / "uploads").glob("*.upload"))) == 1 and context.errors == []


COUNT = """
from core.dataset.sources.receiving import Receiver
came, write = [], Receiver.write
def counted(self, path, offset, data, digests):
    came.append(len(data))
    return write(self, path, offset, data, digests)
Receiver.write = counted
"""


def test_after_the_page_was_reloaded_the_same_file_goes_on_from_where_it_was(tmp_path, dataset):
    data = big_zip(tmp_path / "big.zip", 30_000_000)
    with Lab(tmp_path) as lab, Browser() as context:
        page = opened(lab, context, dataset, SLOW)
        choose(page, tmp_path / "big.zip")
        wait_for_share(page, 0.3)
        page.close()
        time.sleep(1)
        page = opened(lab, context, dataset, COUNT)
        expect(page.get_by_test_id("unfinished")).to_contain_text("big.zip: ")
        keep_picture(page, "upload", "upload_unfinished")
        choose(page, tmp_path / "big.zip")
        says(page, "^Done: 1 image imported")
        assert stored(dataset) == {"big.zip": data}
        page.evaluate(IN_KERNEL, f"Path({str(tmp_path / 'came')!r}).write_text(str(sum(came)))")
        assert 0 < int((tmp_path / "came").read_text()) < 0.8 * len(data)


LOSE = """
heard, count = panel.zone._heard, 0
def lossy(widget, message, buffers):
    global count
    if message.get("kind") == "piece":
        count += 1
        if count == 3:
            return
        if count == 6:
            buffers = [bytes(len(buffers[0])), *buffers[1:]]
    heard(widget, message, buffers)
panel.zone._msg_callbacks.callbacks.clear()
panel.zone.on_msg(lossy)
"""


def test_a_lost_and_a_damaged_piece_are_sent_again(tmp_path, dataset):
    data = big_zip(tmp_path / "big.zip", 30_000_000)
    with Lab(tmp_path) as lab, Browser() as context:
        page = opened(lab, context, dataset, LOSE)
        choose(page, tmp_path / "big.zip")
        says(page, "^Done: 1 image imported")
        assert stored(dataset) == {"big.zip": data}
        page.evaluate(IN_KERNEL, f"Path({str(tmp_path / 'count')!r}).write_text(str(count))")
        assert int((tmp_path / "count").read_text()) > 8


DEAF = """
heard, asked = panel.zone._heard, []
def deaf(widget, message, buffers):
    if not asked and message.get("kind") == "piece" and message["offset"]:
        return
    if not asked and message.get("kind") == "hello":
        asked.append(message)  # the first question goes down too: the browser asks again
        return
    heard(widget, message, buffers)
panel.zone._msg_callbacks.callbacks.clear()
panel.zone.on_msg(deaf)
"""


def test_when_everything_under_way_is_lost_the_browser_asks_and_goes_on(tmp_path, dataset):
    data = big_zip(tmp_path / "big.zip", 12_000_000)
    with Lab(tmp_path) as lab, Browser() as context:
        page = opened(lab, context, dataset, DEAF)
        choose(page, tmp_path / "big.zip")
        expect(page.get_by_test_id("upload-trouble")).to_contain_text("No answer from the kernel", timeout=20_000)
        says(page, "^Done: 1 image imported")
        expect(page.get_by_test_id("upload-trouble")).to_be_hidden()
        assert stored(dataset) == {"big.zip": data}


ALWAYS_WRONG = """
heard = panel.zone._heard
def wrong(widget, message, buffers):
    if message.get("kind") == "piece":
        buffers = [bytes(len(buffers[0])), *buffers[1:]]
    heard(widget, message, buffers)
panel.zone._msg_callbacks.callbacks.clear()
panel.zone.on_msg(wrong)
"""


def test_a_file_that_always_comes_out_different_is_given_up_and_the_rest_comes(tmp_path, dataset, home):
    big_zip(tmp_path / "big.zip", 3_000_000)
    with Lab(tmp_path) as lab, Browser() as context:
        page = opened(lab, context, dataset, ALWAYS_WRONG)
        choose(page, tmp_path / "big.zip", home / "cat 0.png")
        expect(page.get_by_test_id("upload-files")).to_contain_text("came out different")
        says(page, "^Done: 1 image imported")
        expect(words(page)).to_have_text("1 of 2 files, 1 not taken")
        assert list(stored(dataset)) == ["cat 0.png"]


FULL = "import core.dataset.sources.receiving as receiving; spare = receiving.SPARE; receiving.SPARE = 2**60"


def test_a_full_disk_is_told_with_what_to_do_and_it_goes_on_afterwards(tmp_path, dataset, home):
    with Lab(tmp_path) as lab, Browser() as context:
        page = opened(lab, context, dataset, FULL)
        choose(page, home / "cat 0.png", home / "cat 1.png")
        expect(page.get_by_test_id("upload-trouble")).to_have_text(re.compile("No space left in .* Free some space and press Go on"))
        expect(page.get_by_test_id("pause")).to_have_text("Go on")
        keep_picture(page, "upload", "upload_full_disk")
        page.evaluate(IN_KERNEL, "receiving.SPARE = spare")
        page.get_by_test_id("pause").click()
        says(page, "^Done: 2 images imported")
        expect(page.get_by_test_id("upload-trouble")).to_be_hidden()


def test_the_same_files_twice_are_not_stored_twice(tmp_path, dataset, home):
    own = tmp_path / "own"
    own.mkdir()
    dataset.project.write_info(dataset.project.info().changed(sources=(str(own),)))
    big_zip(home / "pack.zip", 3_000_000)
    with Lab(tmp_path) as lab, Browser() as context:
        page = opened(lab, context, dataset)
        expect(page.get_by_test_id("drop-zone")).to_contain_text(f"They go into {own}")
        for _ in range(2):
            choose(page, home / "cat 0.png", home / "pack.zip")
            expect(words(page)).to_have_text("2 of 2 files")
            says(page, "^Done: .* images imported")
        expect(page.get_by_test_id("upload-files")).to_contain_text("was here already")
        assert sorted(path.name for path in own.iterdir()) == ["cat 0.png", "pack.zip"]
        assert len(list(dataset.project.images.glob("*.png"))) == 2


def test_without_the_browsers_own_hash_and_with_many_small_files_it_works_by_keyboard(tmp_path, dataset):
    many = tmp_path / "many"
    many.mkdir()
    for number in range(450):
        buffer = io.BytesIO()
        Image.new("RGB", (33, 33), (number % 256, number // 256, 7)).save(buffer, "PNG")
        (many / f"{number}.png").write_bytes(buffer.getvalue())
    big_zip(many / "big.zip", 3_000_000)
    with Lab(tmp_path) as lab, Browser() as context:
        context.add_init_script("Object.defineProperty(crypto, 'subtle', { value: undefined });")
        page = opened(lab, context, dataset)
        with page.expect_file_chooser() as chooser:
            page.get_by_test_id("choose-folder").press("Enter")
        chooser.value.set_files(str(many))
        says(page, "^Done: 451 images imported", 120)
        expect(words(page)).to_have_text("451 of 451 files")
        assert len(stored(dataset)) == 451 and context.errors == []
