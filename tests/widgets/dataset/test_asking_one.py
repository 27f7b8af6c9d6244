"""The editor's buttons that let a model look at one picture, and what the gallery reads again while captions are written."""

import asyncio
import time

import pytest

from core.base.files import read_json
from core.dataset.captions.choosing import TagSettings
from tests.core.dataset.small_things import make_tagger
from widgets.components.caption_editor import Wish
from widgets.dataset.gallery import GalleryPanel
from widgets.dataset.tagging import TaggingPanel


@pytest.fixture
def gallery(session):
    made = session.panels["gallery"] = GalleryPanel(session)
    yield made
    made.close()


@pytest.fixture
def tag(session, tmp_path):
    pytest.importorskip("onnx")
    panel = session.panels["tag"] = TaggingPanel(session)
    panel.form.fill(TagSettings(model_dir=str(make_tagger(tmp_path / "tagger")), device="cpu", drop_overlap=False))
    yield panel
    panel.close()


def wish(gallery, kind, text=None):
    shown = gallery.gallery.shown
    words = shown["caption"] if text is None else text
    gallery.desk.hear(Wish(kind, shown["id"], shown["revision"], words, words != shown["caption"], shown["home"], "0.1"))


def ended(gallery, seconds=60) -> dict:
    deadline = time.monotonic() + seconds
    while gallery.one.look():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return gallery.gallery.asked


def caption(project, name) -> str:
    return (project.images / f"{name}.txt").read_text()


@pytest.mark.slow
def test_what_was_typed_is_saved_first_and_the_tags_join_it(gallery, tag, project):
    wish(gallery, "tag", "mychar, my own words")
    assert gallery.gallery.asked["busy"] and "The tagger looks at 1.png" in gallery.gallery.asked["words"]
    said = ended(gallery)
    assert said["words"] == "The tagger wrote the caption of 1.png. Undo in the Tag panel takes that back." and not said["busy"]
    assert caption(project, 1).startswith("mychar, my own words, red theme") and caption(project, 2) == "mychar, green background"
    assert gallery.gallery.shown["caption"] == caption(project, 1)
    next(button for button, *_ in tag._actions if button.description.startswith("Undo")).click()
    assert caption(project, 1) == "mychar, my own words"


def test_a_caption_that_is_not_saved_is_not_tagged(gallery, tag, project):
    (project.images / "1.txt").write_text("changed elsewhere")
    wish(gallery, "tag", "mychar, mine")
    assert gallery.one.job is None and gallery.gallery.wrong and caption(project, 1) == "changed elsewhere"


def test_the_panel_must_be_shown_and_not_at_work(gallery, session, project, monkeypatch):
    wish(gallery, "caption")
    assert gallery.gallery.asked["wrong"] and "The Caption panel is not shown yet." in gallery.gallery.asked["words"]
    panel = session.panels["tag"] = TaggingPanel(session)
    monkeypatch.setattr(panel, "at_work", lambda: "The tagger is at work.")
    wish(gallery, "tag")
    assert gallery.one.job is None and "The tagger is at work." in gallery.gallery.asked["words"]
    panel.close()


@pytest.mark.slow
def test_what_goes_wrong_is_said_where_the_button_was_pressed_and_the_caption_stays(gallery, tag, project):
    tag.form.fill(TagSettings(model_dir=str(project.folder / "nowhere"), device="cpu"))
    wish(gallery, "tag")
    said = ended(gallery)
    assert said["wrong"] and "nowhere" in said["words"] and caption(project, 1) == "mychar, red background"


@pytest.mark.slow
def test_a_picture_whose_caption_stays_is_told_so_and_a_cancel_is_heard(gallery, tag, project):
    tag.form.fill(tag.form.value().changed(general_threshold=0.99, character_threshold=0.99))
    (project.images / "1.txt").write_text("mychar, red theme, mika (sea)")
    gallery.refresh()
    wish(gallery, "tag")
    assert "the caption stays as it was" in ended(gallery)["words"]
    wish(gallery, "tag")
    gallery._asked("stop-asking", {})
    assert ended(gallery)["words"] == "Cancelled; the caption is as it was."


def test_a_picture_can_be_gone_to_by_its_name(gallery):
    shown = gallery.gallery.shown
    gallery.desk.hear(Wish("open", shown["id"], shown["revision"], shown["caption"], False, shown["home"], "0.1", "3.png"))
    assert gallery.gallery.shown["id"] == "3.png"
    gallery.desk.hear(Wish("open", "3.png", shown["revision"], "", False, shown["home"], "0.2", "gone.png"))
    assert gallery.gallery.shown["id"] == "3.png" and "gone.png is not shown by the filter" in gallery.gallery.note


def test_while_a_folder_changes_all_the_time_what_is_on_screen_is_read_again_and_all_is_listed_rarely(gallery, project, monkeypatch):
    looked, touched = [], []
    monkeypatch.setattr(gallery.shelf, "look", lambda: looked.append(1))
    monkeypatch.setattr(gallery.shelf, "touched", lambda: touched.append(1))
    gallery.shelf._listed = (time.monotonic(), 0.01)
    for turn in range(5):
        (project.images / "2.txt").unlink()
        (project.images / "2.txt").write_text(f"turn {turn}")
        gallery.shelf.glance()
        gallery.shelf.glance()
        time.sleep(0.01)
    assert (len(looked), len(touched)) == (0, 5)
    gallery.shelf._listed = (time.monotonic() - 3.1, 0.01)
    gallery.shelf.glance()
    assert (len(looked), len(touched)) == (1, 5)


def test_thumbnails_that_the_browser_has_are_not_sent_again(gallery):
    sent = []
    gallery.gallery.send = lambda content, buffers=(): sent.append(content)

    def rows(seen):
        sent.clear()
        gallery.gallery._heard(gallery.gallery, {"kind": "want", "version": gallery.shelf.view.version, "serial": 1, "rows": [0, 1],
                                                 "seen": seen}, [])
        deadline = time.monotonic() + 20
        while gallery.shelf._thumbs.pending() or not sent:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return {key for content in sent for key in content["thumbs"]}

    deadline = time.monotonic() + 20
    while rows([]) != {"1.png", "2.png"}:
        assert time.monotonic() < deadline
    assert rows([0]) == {"2.png"} and rows([0, 1]) == set()
    assert [row["name"] for row in sent[0]["rows"]] == ["1.png", "2.png"]


def test_it_asks_with_what_was_chosen_before_the_press_though_that_comes_later(session, project, tmp_path):
    pytest.importorskip("onnx")
    model = str(make_tagger(tmp_path / "tagger"))

    async def kernel():
        gallery, panel = GalleryPanel(session), TaggingPanel(session)
        session.panels["tag"] = panel
        panel.form.fill(TagSettings(model_dir=model, device="cpu", drop_overlap=False))
        gallery._ask_one("tag", "1.png", str(project.folder))
        panel.form.fill(panel.form.value().changed(general_threshold=0.77))
        deadline = time.monotonic() + 20
        while gallery.one.job is None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert read_json(gallery.one.job.folder / "settings.json")["settings"]["general_threshold"] == 0.77
        while gallery.one.job is not None:
            assert time.monotonic() < deadline + 60
            await asyncio.sleep(0.1)
        gallery._ask_one("tag", "1.png", str(project.folder.parent / "another"))
        await asyncio.sleep(0.3)
        assert gallery.one.job is None
        panel.close()
        gallery.close()

    asyncio.run(kernel())
