"""The upload panel on real projects; a stand-in for the page asks as the page does."""

import os
import time

import pytest

from core.dataset.sources.upload import list_uploads
from core.dataset.sources.upload_parts import BLOCK, block_digests, root_of
from tests.core.dataset.small_things import png_bytes
from widgets.dataset.uploading import UploadPanel
from widgets.session import Session


class Page:
    """Stands for the browser: asks, and waits for the answer."""

    def __init__(self, panel):
        self.panel, self.serial, self.answers, self.upload = panel, 0, {}, ""
        panel.zone.send = lambda content, buffers=(): self.answers.update({content["serial"]: (content, list(buffers))})

    def ask(self, kind, buffers=(), seconds=20, **given):
        self.serial += 1
        given = {"home": self.panel.zone.home, "upload": self.upload, **given}
        self.panel.zone._heard(self.panel.zone, {"kind": kind, "client": "page", "serial": self.serial, **given}, list(buffers))
        deadline = time.monotonic() + seconds
        while self.serial not in self.answers and time.monotonic() < deadline:
            time.sleep(0.005)
        self.panel.desk._line.submit(lambda: None).result(timeout=seconds)  # by then the panel has taken the answer in, too
        answer, sent = self.answers[self.serial]
        return {**answer, "buffers": sent}

    def begin(self, files=1):
        self.upload = self.ask("begin", files=files, bytes=1)["upload"]

    def small(self, **files):
        data = [memoryview(content) for content in files.values()]
        return self.ask("small", [b"".join(data), b"".join(map(block_digests, data))],
                        files=[{"path": path, "size": len(content)} for path, content in files.items()])

    def end(self, **given):
        return self.ask("end", **{"stopped": False, "files": 1, "bytes": 1, **given})


@pytest.fixture
def panel(session):
    made = UploadPanel(session)
    yield made
    made.close()


@pytest.fixture
def page(panel):
    return Page(panel)


def wait(panel, start, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not panel.status.text.startswith(start) and time.monotonic() < deadline:
        time.sleep(0.1)
        panel.refresh()
    panel.refresh()  # the buttons follow the words
    assert panel.status.text.startswith(start), panel.status.text


def test_where_files_go_is_said_beforehand(panel, project, tmp_path):
    assert str(project.folder / "uploads") in panel.zone.target and panel.zone.home == str(project.folder) and not panel.zone.blocked
    own = tmp_path / "own"
    own.mkdir()
    project.write_info(project.info().changed(sources=(str(own),)))
    panel.refresh()
    assert panel.zone.target == (f"They go into {own}, your own folder that this project's pictures came from. No file that is there is "
                                 "changed, and what is there already is not stored twice. To keep them apart, "
                                 "choose project at 'Where to'.")
    panel.form.control("where").widget.value = "project"
    assert str(project.folder / "uploads") in panel.zone.target


def test_without_a_project_nothing_can_be_dropped(projects):
    panel = UploadPanel(Session())
    assert panel.zone.home == "" and "No project is open" in panel.zone.blocked and panel.main.disabled
    panel.close()


def test_nothing_uploaded_is_nothing_wrong(panel):
    assert panel.status.text == "Ready" and panel.main.disabled and "Nothing was uploaded yet" in panel.main.tooltip


@pytest.mark.slow
def test_what_came_is_imported_by_the_import_stage(panel, page, project):
    page.begin(2)
    page.small(**{"x/new.png": png_bytes((1, 2, 3)), "broken.png": b"no picture", "x/new.txt": b"mychar, new"})
    assert panel.status.text == "Working 3 of 2 files: uploading" and panel.main.disabled
    page.end()
    wait(panel, "Done: 1 image imported")
    assert (project.images / "new.txt").read_text() == "mychar, new" and "broken.png" in panel._skipped.value
    later = UploadPanel(panel.session)
    assert later.status.text == panel.status.text and not later.main.disabled
    later.close()


@pytest.mark.slow
def test_an_upload_without_pictures_says_so_once_and_cannot_be_imported_for_ever(panel, page, project):
    page.begin()
    page.small(**{"cat.txt": b"a cat"})
    page.end()
    wait(panel, "Needs attention: What was uploaded holds no images, and its 1 caption fits no picture of this project")
    panel.main.click()
    assert panel.status.text == "Needs attention: There are no pictures in what was uploaded. Drop some above."


def test_large_files_are_asked_for_piece_by_piece(panel, page, project):
    panel.form.control("import_after").widget.value = False
    data = memoryview(os.urandom(3 * BLOCK + 5))
    page.begin()
    assert page.ask("open", path="a.zip", size=len(data))["have"] == 0
    assert page.ask("from", path="a.zip", size=len(data), blocks=0)["have"] == 0
    for start in (0, 2 * BLOCK):
        part = data[start:start + 2 * BLOCK]
        page.ask("piece", [part, block_digests(part)], path="a.zip", offset=start)
    assert page.ask("finish", path="a.zip", root=root_of(block_digests(data)))["state"] == "here"
    assert page.end()["arrived"] == 1
    wait(panel, "Done: 1 file is here. Import them with the button.")
    assert (list_uploads(project)[0].folder() / "a.zip").read_bytes() == data and not panel.main.disabled


def test_another_kernel_finds_the_half_and_it_can_be_thrown_away(panel, page, project, session):
    data = memoryview(os.urandom(3 * BLOCK))
    page.begin()
    page.ask("open", path="a.zip", size=len(data))
    page.ask("piece", [data[:2 * BLOCK], block_digests(data[:2 * BLOCK])], path="a.zip", offset=0)
    panel.close()
    later = UploadPanel(session)
    assert [(part["path"], part["have"], part["size"]) for part in later.zone.unfinished] == [("a.zip", 2 * BLOCK, 3 * BLOCK)]
    other = Page(later)
    other.begin()
    assert other.upload == page.upload or not list_uploads(project)
    standing = other.ask("open", path="a.zip", size=len(data))
    assert standing["have"] == 2 * BLOCK and standing["buffers"] == [block_digests(data[:2 * BLOCK])]
    later.close()
    last = UploadPanel(session)
    place = last.zone.unfinished[0]["place"]
    picture = str(project.images / "1.png")
    last.zone._heard(last.zone, {"kind": "forget", "home": last.zone.home, "place": picture}, [])
    last.zone._heard(last.zone, {"kind": "forget", "home": last.zone.home, "place": place}, [])
    assert last.zone.unfinished == [] and (project.images / "1.png").is_file()
    assert not (project.folder / "uploads" / ".lorabook-upload").exists()
    last.close()


def test_refusals_say_what_the_page_shall_do(panel, page, monkeypatch):
    from core.dataset.sources import receiving

    page.begin()
    assert page.ask("piece", [b"x", b"y"], path="a.zip", offset=0)["scope"] == "again"
    assert page.ask("open", path="../a.zip", size=5) | {"buffers": []} | {"trouble": ""} == \
        {"scope": "file", "client": "page", "serial": page.serial, "buffers": [], "trouble": ""}
    monkeypatch.setattr(receiving, "SPARE", 2**60)
    full = page.ask("open", path="a.zip", size=5 * BLOCK)
    assert full["scope"] == "all" and "No space left" in full["trouble"] and "press Go on" in full["trouble"]
    assert panel.status.text == f"Needs attention: {full['trouble']}"
    page.ask("go")
    assert panel.status.text == "Working 0 of 1 file: uploading"
    nowhere = page.ask("open", home="/nowhere", path="a.zip", size=5)
    assert nowhere["scope"] == "file" and "nowhere" in nowhere["trouble"]


def test_a_bug_is_called_one_and_pauses_the_page(panel, page):
    page.begin()
    answer = page.ask("small", [b"x"], files=[])
    assert answer["scope"] == "all" and "bug in Lorabook" in answer["trouble"] and "ValueError" in panel.log.text


def test_a_stopped_upload_is_not_imported_by_itself(panel, page):
    page.begin()
    page.small(**{"new.png": png_bytes((1, 2, 3))})
    page.end(stopped=True)
    wait(panel, "Done: 1 file is here. Import them with the button.")
    assert panel.job is None and not panel.main.disabled


def test_silence_of_the_browser_is_told_and_a_pause_is_no_silence(panel, page, monkeypatch):
    page.begin(5)
    page.ask("pause")
    assert panel.status.text == "Working 0 of 5 files: paused"
    page.ask("go")
    monkeypatch.setattr("widgets.dataset.uploading.SILENT", -1.0)
    panel.refresh()
    assert panel.status.text.startswith("Needs attention: nothing comes from the browser any more")
    monkeypatch.undo()
    page.ask("hello")
    assert panel.status.text == "Working 0 of 5 files: uploading"


def test_on_colab_pieces_are_smaller(session, monkeypatch):
    import sys
    import types

    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    panel = UploadPanel(session)
    assert panel.zone.most == 768 * 1024 and panel.zone.most % BLOCK == 0
    panel.close()
