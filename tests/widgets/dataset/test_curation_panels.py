"""Duplicates, quality and overview panels on real pictures: found, put aside, put back, led to the gallery."""

import asyncio
import os
import threading
import time

import numpy
import pytest
from PIL import Image

from core.base.jobs import Job, list_jobs
from core.dataset.curation.overview import OverviewSettings
from core.dataset.curation.quality import QualitySettings
from core.dataset.manager import DatasetManager
from core.dataset.rejecting import RejectSettings
from widgets.dataset.duplicates import DuplicatesPanel
from widgets.dataset.gallery import GalleryPanel
from widgets.dataset.overview import OverviewPanel
from widgets.dataset.quality import QualityPanel
from widgets.panel import Work

pytestmark = pytest.mark.slow


def busy_picture(seed: int, size=(96, 96)) -> Image.Image:
    random = numpy.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=numpy.uint8)).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def pictures(project):
    """Three different pictures in place of the project's, one of them twice more, and a broken one."""
    for path in project.images.iterdir():
        path.unlink()
    for number in range(3):
        busy_picture(number).save(project.images / f"{number}.png")
    busy_picture(0).resize((64, 64)).save(project.images / "0-small.png")
    (project.images / "0-copy.png").write_bytes((project.images / "0.png").read_bytes())
    (project.images / "broken.png").write_bytes(b"no picture")
    return project


def finished(panel) -> None:
    """Wait for the job that the panel started, and let the panel see its end: outside a kernel nothing repeats by itself."""
    panel.main.click()
    job: Job = panel.job
    deadline = time.monotonic() + 60
    while not job.status().ended:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    panel._look()


def section_names(panel):
    return [[card["key"] for card in section["cards"]] for section in panel.cards.sections]


def test_groups_are_shown_best_first_and_one_press_keeps_the_best(session, pictures):
    panel = DuplicatesPanel(session)
    assert panel.keep_all.disabled and "Look for duplicates first" in panel.keep_all.tooltip
    finished(panel)
    assert section_names(panel) == [["0.png", "0-copy.png", "0-small.png"]]
    assert "broken.png" in panel._skipped.value
    panel.guard(lambda: panel._asked("act", {"section": "0.png", "name": "keep"}))
    assert sorted(path.name for path in pictures.rejected.iterdir()) == ["0-copy.png", "0-small.png"]
    assert section_names(panel) == [] and panel.status.text == "Done: 2 images rejected."
    panel.put_back.click()
    assert list(pictures.rejected.iterdir()) == [] and len(section_names(panel)[0]) == 3


def test_another_one_can_be_kept_and_a_group_left_alone(session, pictures):
    panel = DuplicatesPanel(session)
    finished(panel)
    panel.guard(lambda: panel._asked("press", {"section": "0.png", "key": "0-small.png"}))
    assert [card["chosen"] for card in panel.cards.sections[0]["cards"]] == [False, False, True]
    panel.guard(lambda: panel._asked("act", {"section": "0.png", "name": "leave"}))
    assert section_names(panel) == [] and panel.keep_all.disabled
    assert list(pictures.rejected.iterdir()) == []


def test_groups_follow_the_settings_without_another_job(session, pictures):
    panel = DuplicatesPanel(session)
    finished(panel)
    panel.form.open_folds()
    panel.form.control("embedder").widget.value = "none"
    panel.form.control("hash_distance").widget.value = 0
    assert section_names(panel)[0][:2] == ["0.png", "0-copy.png"]
    panel.form.control("hash_distance").widget.value = 10
    assert len(section_names(panel)[0]) == 3
    assert len(list_jobs(pictures.folder)) == 1


def put_aside_elsewhere(project, *names: str) -> None:
    DatasetManager(project).reject(RejectSettings(images=names, reason="elsewhere"))


def swap_names(project, one: str, other: str) -> None:
    first, second, aside = project.images / one, project.images / other, project.images / "aside"
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


def names_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_where_the_best_one_was_put_aside_meanwhile_nothing_is_moved_and_the_groups_are_new(session, pictures):
    panel = DuplicatesPanel(session)
    finished(panel)
    put_aside_elsewhere(pictures, "0.png")
    panel.keep_all.click()
    assert names_in(pictures.rejected) == ["0.png"]
    assert "Needs attention: 0.png is no longer the picture that was looked at, so nothing was moved" in panel.status.text
    assert section_names(panel) == [["0-copy.png", "0-small.png"]]
    panel.keep_all.click()
    assert names_in(pictures.rejected) == ["0-small.png", "0.png"]


def test_after_a_renaming_no_other_picture_is_taken_for_a_duplicate(session, pictures):
    panel = DuplicatesPanel(session)
    finished(panel)
    swap_names(pictures, "0-small.png", "1.png")
    panel.guard(lambda: panel._asked("act", {"section": "0.png", "name": "keep"}))
    assert not pictures.rejected.exists() or names_in(pictures.rejected) == []
    assert "0-small.png is no longer the picture" in panel.status.text
    assert section_names(panel) == [["0.png", "0-copy.png", "1.png"]]


def test_groups_follow_what_becomes_of_the_pictures_without_a_word(session, pictures):
    panel = DuplicatesPanel(session)
    finished(panel)
    said = panel.status.text
    put_aside_elsewhere(pictures, "0.png")
    session.tell()
    assert section_names(panel) == [["0-copy.png", "0-small.png"]] and panel.status.text == said
    shown = panel.cards.sections[0]["cards"]
    swap_names(pictures, "0-small.png", "1.png")
    session.tell()
    assert section_names(panel) == [["0-copy.png", "1.png"]]
    assert panel.cards.sections[0]["cards"][1]["content"] == shown[1]["content"] != shown[0]["content"]


def test_what_a_person_chose_stays_with_the_picture_when_its_name_changes(session, pictures):
    panel = DuplicatesPanel(session)
    finished(panel)
    panel.guard(lambda: panel._asked("press", {"section": "0.png", "key": "0-small.png"}))
    (pictures.images / "0-small.png").rename(pictures.images / "9.png")
    session.tell()
    chosen = [card["key"] for card in panel.cards.sections[0]["cards"] if card["chosen"]]
    assert chosen == ["9.png"]
    panel.guard(lambda: panel._asked("act", {"section": "0.png", "name": "leave"}))
    (pictures.images / "9.png").rename(pictures.images / "8.png")
    session.tell()
    assert section_names(panel) == [] and panel.keep_all.disabled


def test_after_a_renaming_no_other_picture_is_rejected_for_its_quality(session, pictures):
    panel = QualityPanel(session)
    finished(panel)
    panel.which.value = "side"
    panel.exact.value = 90
    assert panel.picked().names == ("0-small.png",)
    swap_names(pictures, "0-small.png", "1.png")
    panel.reject.click()
    assert not pictures.rejected.exists() or names_in(pictures.rejected) == []
    assert "0-small.png is no longer the picture that was looked at" in panel.status.text
    assert panel.picked().names == ("1.png",)
    panel.reject.click()
    assert names_in(pictures.rejected) == ["1.png"]


def test_a_spared_picture_stays_spared_under_another_name(session, pictures):
    panel = QualityPanel(session)
    finished(panel)
    panel.which.value = "side"
    panel.guard(lambda: panel._asked("press", {"section": "picked", "key": "1.png"}))
    swap_names(pictures, "1.png", "2.png")
    session.tell()
    assert panel._spared == {"2.png"}
    panel.guard(lambda: panel._asked("press", {"section": "picked", "key": "0-copy.png"}))
    put_aside_elsewhere(pictures, "0-small.png")
    session.tell()
    assert "0-small.png" not in panel.picked().names and panel._spared == {"2.png", "0-copy.png"}  # not 0.png, which is its like


def test_a_cut_picks_out_what_lies_beyond_it_at_once(session, pictures):
    panel = QualityPanel(session)
    finished(panel)
    assert [value for _, value in panel.which.options] == ["sharpness", "side", "aspect", "bytes", "flat", "bars", "colour", "broken"]
    panel.which.value = "side"
    assert len(panel.picked().names) == 5 and panel.histogram.words == "5 of 5 pictures below 512"
    panel.exact.value = 90
    assert panel.picked().names == ("0-small.png",) and panel.reject.description == "Reject it"
    panel._moved_to(0.0)
    assert panel.picked().names == () and panel.reject.disabled and panel.cards.nothing
    panel._moved_to(1.0)
    assert len(panel.picked().names) == 5


def test_what_is_spared_stays_and_the_rest_is_put_aside_with_its_reason(session, pictures):
    from core.dataset.rejected import rejected_images

    panel = QualityPanel(session)
    finished(panel)
    panel.which.value = "side"
    panel.guard(lambda: panel._asked("press", {"section": "picked", "key": "1.png"}))
    panel.reject.click()
    aside = {item.path.name: item.reason for item in rejected_images(pictures)}
    assert sorted(aside) == ["0-copy.png", "0-small.png", "0.png", "2.png"] and set(aside.values()) == {"quality: shortest side below 512"}
    panel.put_back.click()
    assert list(pictures.rejected.iterdir()) == [] and panel.status.text == "Done: 4 images put back."


def test_broken_pictures_can_be_put_aside_too(session, pictures):
    panel = QualityPanel(session)
    finished(panel)
    panel.which.value = "broken"
    assert section_names(panel) == [["broken.png"]] and panel.histogram.counts == []
    panel.reject.click()
    assert [path.name for path in pictures.rejected.iterdir()] == ["broken.png"]


@pytest.fixture
def shown(session, pictures):
    """The overview of captioned pictures, with the gallery beside it."""
    for name in ("0", "1", "2"):
        caption = "mychar, from behind, full body" if name == "0" else "mychar, red dress"
        (pictures.images / f"{name}.txt").write_text(caption, encoding="utf-8")
    (pictures.images / "3.txt").unlink(missing_ok=True)
    panel = OverviewPanel(session)
    panel.main.click()
    return panel


def test_the_overview_tells_sizes_findings_and_what_is_shown(shown):
    assert shown.status.text.startswith("Done: 6 pictures, 3 with a caption, in 1 training size")
    assert "512 x 512" in shown._numbers.value and "broken.png" in shown._findings.value and "64 to 96" in shown._numbers.value
    counts = dict(zip(shown.matrix.rows, shown.matrix.counts, strict=True))
    assert counts["behind"][shown.matrix.columns.index("full body")] == 1 and counts["not said"][-1] == 2
    assert [name for name, _ in shown.outfit.options] == ["All outfits", "red dress (2)", "not said (1)"]
    shown.outfit.value = "red dress"
    assert sum(map(sum, shown.matrix.counts)) == 2


def test_another_resolution_is_worked_out_at_once_and_an_impossible_one_is_told(shown):
    shown.form.control("resolution").widget.value = 768
    assert "768 x 768" in shown._numbers.value
    shown.form.control("resolution").widget.value = 100
    assert "min_bucket_reso (256) is larger than the resolution" in shown.status.text


def test_a_resolution_that_is_changed_while_it_looks_is_worked_out_next(shown, monkeypatch):
    resolution, overview = shown.form.control("resolution").widget, DatasetManager.overview

    def slowly(manager, settings):
        resolution.value = 768
        return overview(manager, settings)

    monkeypatch.setattr(DatasetManager, "overview", slowly)
    shown.main.click()
    assert "768 x 768" in shown._numbers.value


def test_a_number_of_the_matrix_filters_the_gallery_or_says_that_it_is_not_there(session, shown):
    shown.guard(lambda: shown._show_in_gallery("behind", "full body"))
    assert "The Gallery panel is not shown yet" in shown.status.text
    gallery = session.panels["gallery"] = GalleryPanel(session, 10)
    shown.guard(lambda: shown._show_in_gallery("behind", "full body"))
    assert shown.status.text == "Done: panel 10, Gallery, shows them."
    assert gallery.shelf._wanted[0] == 'tag:"from behind" tag:"full body" | tag:"facing away" tag:"full body"'


def test_all_pictures_of_a_list_are_selected_in_the_gallery_also_those_that_it_does_not_name(session, shown, pictures):
    cut, enlarged = (shown._fates[title] for title in ("Cut off", "Enlarged"))
    assert "Enlarged: 5" in enlarged[1].value and enlarged[0].layout.display == "" and cut[0].layout.display == "none"
    assert "<th style=\"white-space:nowrap\">below 256 px</th><td>5</td>" in shown._numbers.value
    for number in range(3, 15):
        busy_picture(number, (480, 60)).save(pictures.images / f"{number}.png")
    shown.main.click()
    assert "and 5 more" in enlarged[1].value and cut[0].layout.display == ""
    (button,) = enlarged[0].children[1].children
    button.click()
    assert "The Gallery panel is not shown yet" in shown.status.text
    gallery = session.panels["gallery"] = GalleryPanel(session, 10)
    button.click()
    assert len(gallery.selected()) == 17 and shown.status.text == "Done: 17 pictures selected in panel 10, Gallery."
    cut[0].children[1].children[0].click()
    assert sorted(gallery.selected(), key=int) == [str(number) for number in range(3, 15)]


@pytest.mark.parametrize("kind", [DuplicatesPanel, QualityPanel])
def test_a_look_that_ended_before_is_shown_again_by_a_panel_that_opens_later(session, pictures, kind):
    finished(kind(session))
    later = kind(session)
    assert section_names(later) and "broken.png" in later._skipped.value


def test_a_typed_cut_wins_over_places_of_the_slider_that_were_sent_before_it_and_come_later(session, pictures):
    measured = QualityPanel(session)
    finished(measured)

    async def kernel():
        panel = QualityPanel(session)
        while panel._found is None:
            await asyncio.sleep(0.02)
        panel.which.value = "side"

        def queue():  # one message in each turn of the loop, as the kernel takes them from its main queue
            if shares:
                panel.histogram._heard(None, {"turn": 5 - len(shares), "cut": shares.pop(0)}, [])
                time.sleep(0.04)
                asyncio.get_running_loop().call_soon(queue)

        shares, deadline = [0.1, 0.2, 0.3, 0.4], time.monotonic() + 10
        asyncio.get_running_loop().call_soon(queue)
        threading.Thread(target=lambda: setattr(panel.exact, "value", 90.0)).start()  # while a subshell takes what was typed
        while shares or panel._cuts.get("side") != 90.0:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert panel.exact.value == 90.0 and panel.picked().names == ("0-small.png",)
        panel.close()

    asyncio.run(kernel())


def test_groups_come_though_the_work_of_another_project_was_still_going_on(session, pictures, project):
    panel = DuplicatesPanel(session)
    finished(panel)
    other = DatasetManager.create("other").project
    session.open(other.folder)
    panel._works = 1
    session.open(project.folder)
    assert section_names(panel) == []
    panel._works = 0
    session.tell()
    assert section_names(panel) == [["0.png", "0-copy.png", "0-small.png"]]


def test_a_number_of_the_matrix_goes_by_the_outfit_that_was_chosen_before_it_was_pressed(session, pictures):
    for name, tags in (("0", "from side, portrait, red dress"), ("1", "from side, portrait, blue dress")):
        (pictures.images / f"{name}.txt").write_text(f"mychar, {tags}")

    async def kernel():
        panel, gallery = OverviewPanel(session), GalleryPanel(session)
        session.panels["gallery"] = gallery
        panel.form.fill(OverviewSettings(outfits={"red": "red dress", "blue": "blue dress"}))
        panel.main.click()
        while len(panel.outfit.options) < 2:
            await asyncio.sleep(0.02)
        panel.matrix._heard(None, {"row": "side", "column": ""}, [])
        panel.outfit.value = "red"  # sent before the press, taken in after it
        deadline = time.monotonic() + 20
        while gallery.shelf.view.filter == "":
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert "red dress" in gallery.shelf.view.filter
        panel.close()
        gallery.close()

    asyncio.run(kernel())


def test_the_record_of_rejected_pictures_is_read_again_only_where_some_came_or_went(session, pictures, monkeypatch):
    manager = session.dataset
    manager.reject(RejectSettings.make(images=("2.png",), reason="quality: flat"))
    long_ago = time.time() - 60
    os.utime(pictures.rejected, (long_ago, long_ago))
    reads, read = [], type(manager).rejected_because
    monkeypatch.setattr(type(manager), "rejected_because", lambda self, reason: reads.append(reason) or read(self, reason))
    panel = QualityPanel(session)
    assert not panel.put_back.disabled and reads == ["quality"]
    for _ in range(3):
        session.tell()
    assert reads == ["quality"]
    panel.put_back.click()
    assert panel.put_back.disabled and (pictures.images / "2.png").exists()


def test_what_was_called_different_is_kept_in_the_project_and_has_a_way_back(session, pictures, project):
    panel = DuplicatesPanel(session)
    finished(panel)
    assert panel.told_different.disabled
    panel.guard(lambda: panel._asked("act", {"section": "0.png", "name": "leave"}))
    assert panel.status.text == "Done: no two of 5 pictures are alike, 1 not compared; 1 group that you called different is left alone."
    session.open(DatasetManager.create("other").project.folder)
    session.open(project.folder)
    later = DuplicatesPanel(session)
    for one in (panel, later):
        assert section_names(one) == [] and one.keep_all.disabled and "1 group that you called different" in one.status.text
    assert later.told_different.description == "Show the group that you called different"
    later.told_different.click()
    assert section_names(later) == [["0.png", "0-copy.png", "0-small.png"]] and later.keep_all.disabled
    assert later.told_different.description == "Back to the groups that are alike"
    later.guard(lambda: later._asked("act", {"section": later.cards.sections[0]["key"], "name": "alike"}))
    assert section_names(later) == [["0.png", "0-copy.png", "0-small.png"]] and not later.keep_all.disabled
    assert later.status.text == "Done: 3 of 5 pictures are alike, in 1 group (2 too many), 1 not compared."
    assert later.told_different.disabled


def test_what_another_notebook_called_different_is_not_put_aside(session, pictures):
    panel = DuplicatesPanel(session)
    finished(panel)
    other = DuplicatesPanel(session)
    DatasetManager(pictures).call_different([card["content"] for card in panel.cards.sections[0]["cards"]])
    panel.keep_all.click()
    assert not pictures.rejected.exists() or names_in(pictures.rejected) == []
    assert "were called different meanwhile, so nothing was moved" in panel.status.text and section_names(panel) == []
    session.tell()
    assert section_names(other) == [] and other.told_different.description == "Show the group that you called different"


async def idle(panel) -> None:
    """Wait until a press was taken in, and what it set off has ended."""
    await asyncio.sleep(0.2)
    while panel._busy or panel._waiting:
        await asyncio.sleep(0.05)


async def looked_at(panel, shown) -> None:
    """Let the panel look at all pictures. Args: shown: whether what it found is on screen."""
    panel.guard(panel.run)
    deadline = time.monotonic() + 60
    while not shown() or panel._busy:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


def test_a_second_press_while_pictures_are_put_aside_does_not_take_the_spared_ones(session, pictures):
    async def kernel():
        panel = QualityPanel(session)
        await looked_at(panel, lambda: panel._found is not None)
        panel.which.value = "side"
        panel._asked("press", {"section": "picked", "key": "1.png"})
        panel.reject.click()
        panel.reject.click()
        await idle(panel)
        assert names_in(pictures.rejected) == ["0-copy.png", "0-small.png", "0.png", "2.png"]
        assert panel.reject.disabled and panel.status.text == "Done: 4 images rejected."
        panel.close()

    asyncio.run(kernel())


def test_when_all_are_rejected_they_can_be_put_back(session, pictures):
    panel = QualityPanel(session)
    finished(panel)
    panel.which.value = "side"
    panel.reject.click()
    assert panel.status.text == "Done: 5 images rejected." and section_names(panel) == []
    panel.put_back.click()
    assert panel.status.text == "Done: 5 images put back." and len(section_names(panel)[0]) == 5


def test_a_press_that_waits_rejects_no_picture_that_came_under_the_same_name(session, pictures):
    async def kernel():
        panel = QualityPanel(session)
        await looked_at(panel, lambda: panel._found is not None)
        panel.which.value = "side"
        panel.exact.value = 90
        await idle(panel)
        assert panel.picked().names == ("0-small.png",)

        def exchange():
            time.sleep(0.4)
            busy_picture(9, (64, 64)).save(pictures.images / "0-small.png")
            manager = DatasetManager(pictures)
            manager.measure_quality(QualitySettings())
            return manager.quality()

        def show(found):
            panel._found = found

        panel.guard(lambda: Work("exchanging a picture", exchange, show))
        panel.reject.click()
        await idle(panel)
        assert "changed meanwhile, so nothing was done" in panel.status.text
        assert not pictures.rejected.exists() or names_in(pictures.rejected) == []
        panel.close()

    asyncio.run(kernel())


@pytest.mark.slow
@pytest.mark.parametrize("press", ["group", "all"])
def test_a_press_that_waits_rejects_no_picture_that_was_not_seen_in_the_group(session, pictures, press, monkeypatch):
    look = DatasetManager.find_duplicates
    monkeypatch.setattr(DatasetManager, "find_duplicates", lambda *given, **more: (look(*given, **more), time.sleep(0.5))[0])

    async def kernel():
        panel = DuplicatesPanel(session)
        panel.form.open_folds()
        panel.form.control("embedder").widget.value = "none"
        panel.form.control("mirrored").widget.value = False
        await looked_at(panel, lambda: section_names(panel))
        seen = section_names(panel)
        panel.form.control("mirrored").widget.value = True
        assert panel._busy
        if press == "all":
            panel.keep_all.click()
        else:
            panel._asked("act", {"section": "0.png", "name": "keep"})
        await idle(panel)
        assert seen == [["0.png", "0-copy.png", "0-small.png"]] and len(section_names(panel)[0]) == 4
        assert "changed meanwhile, so nothing was done" in panel.status.text
        assert not pictures.rejected.exists() or names_in(pictures.rejected) == []
        panel.close()

    mirrored = busy_picture(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirrored.resize((64, 64)).save(pictures.images / "0-mirrored.png")
    asyncio.run(kernel())
