"""The workbench without a browser: what is opened, tried, kept and dropped; masks as a list of steps; jobs for many."""

import html
import io
import json
import time

import numpy
import pytest
from PIL import Image

from core.base.errors import DatasetError, ModelError
from core.base.jobs import list_jobs, start_job
from core.dataset.images.bench import look_at_picture
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.segmenting.clicking import Clicked
from core.dataset.images.variants import Made, Step, read_made, save_variant
from core.dataset.project import Project, folder_for
from core.models.warm import WARM
from widgets.components.canvas_deeds import Deed
from widgets.dataset.bench import results
from widgets.dataset.workbench import WorkbenchPanel


@pytest.fixture
def panel(session):
    panel = WorkbenchPanel(session)
    yield panel
    panel.close()


def press(button):
    assert not button.disabled, button.tooltip
    button.click()


def open_picture(panel, name):
    panel._asked("open", {"version": panel.shelf.view.version, "row": panel.shelf.row_of(name)})


def tab(panel, name):
    panel.tab_choice.value = name


def titles(panel, stem="1"):
    return [version.title for version in look_at_picture(panel.session.dataset.project, stem).versions]


def seen(panel):
    return Image.open(io.BytesIO(panel.canvas.overlay["mask"]))


def stroke(number, points, how="add", width=20):
    return Deed(number, "stroke", {"points": points, "width": width, "how": how})


def test_nothing_can_be_done_before_a_picture_is_pressed(panel):
    tab(panel, "resize")
    assert panel.main.disabled and "Press a picture" in panel.main.tooltip and panel.save.disabled and panel.discard.disabled
    open_picture(panel, "1.png")
    assert not panel.main.disabled and panel.save.disabled and "1.png" in panel.words.value and "64 × 64" in panel.words.value


def test_a_try_writes_nothing_until_it_is_saved(panel):
    tab(panel, "resize")
    open_picture(panel, "1.png")
    panel.tab._forms["resize"].control("side").widget.value = 32
    press(panel.main)
    assert panel.desk.tried is not None and "a try" in panel.words.value and titles(panel) == ["Picture"] and panel.canvas.locked
    press(panel.discard)
    assert panel.desk.tried is None and titles(panel) == ["Picture"] and not panel.canvas.locked
    press(panel.main)
    press(panel.save)
    assert titles(panel) == ["Picture", "Resized"] and "saved 1_resized.png" in panel.status.text and "32 × 32" in panel.words.value


def test_a_try_that_was_not_saved_waits_while_other_pictures_and_tabs_are_looked_at(panel):
    tab(panel, "resize")
    open_picture(panel, "1.png")
    panel.tab._forms["resize"].control("side").widget.value = 32
    press(panel.main)
    open_picture(panel, "2.png")
    assert panel.desk.tried is None and panel.save.disabled and titles(panel) == ["Picture"]
    open_picture(panel, "1.png")
    assert panel.desk.tried is not None and "Save it or discard it" in panel.status.text and not panel.save.disabled
    tab(panel, "upscale")
    assert panel.desk.tried is None
    tab(panel, "resize")
    press(panel.save)
    assert titles(panel) == ["Picture", "Resized"]
    open_picture(panel, "2.png")
    open_picture(panel, "1.png")
    assert panel.desk.tried is None


def test_a_try_that_was_discarded_does_not_come_back_and_none_goes_into_another_project(panel, session, tmp_path):
    tab(panel, "resize")
    open_picture(panel, "1.png")
    panel.tab._forms["resize"].control("side").widget.value = 32
    press(panel.main)
    press(panel.discard)
    assert panel.desk.opened.picture.id == "1" and panel.desk.tried is None
    press(panel.main)
    other = Project.create(tmp_path / "other", "Other")
    Image.new("RGB", (64, 64)).save(other.images / "1.png")
    session.open(other.folder)
    open_picture(panel, "1.png")
    assert panel.desk.opened.home == str(other.folder) and panel.desk.tried is None


def test_old_tries_are_let_go_where_they_take_too_much_memory(panel, monkeypatch):
    monkeypatch.setattr(results, "MOST_BYTES", 1)
    tab(panel, "resize")
    for name in ("1.png", "2.png"):
        open_picture(panel, name)
        panel.tab._forms["resize"].control("side").widget.value = 32
        press(panel.main)
    open_picture(panel, "1.png")
    assert panel.desk.tried is None
    open_picture(panel, "2.png")
    assert panel.desk.tried is not None


def test_a_model_that_was_fetched_meanwhile_is_offered_when_the_tab_is_opened_again(panel, monkeypatch, tmp_path):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    tab(panel, "upscale")
    listed = panel.tab._forms["upscale"].control("model").list
    assert "mine.pth" not in [name for _, name in listed.options]
    (tmp_path / "models" / "upscalers").mkdir(parents=True)
    (tmp_path / "models" / "upscalers" / "mine.pth").write_bytes(b"x")
    tab(panel, "view")
    tab(panel, "upscale")
    assert "mine.pth" in [name for _, name in listed.options]


def test_choices_of_a_tool_are_offered_in_words(panel):
    tab(panel, "mask")
    found_by = panel.tab._forms["mask"].control("segmenter").widget
    assert found_by.value == "birefnet-lite"
    assert found_by.options[0] == ("What stands before a plain background (nothing to fetch)", "plain")


def test_where_nothing_is_to_be_done_the_reason_is_said(panel):
    tab(panel, "resize")
    open_picture(panel, "1.png")
    press(panel.main)
    assert panel.desk.tried is None and "nothing to do. It has 64 x 64 pixels" in panel.status.text
    assert "'Enlarge too' is off" in panel.status.text


def test_a_version_is_looked_at_compared_and_taken_back(panel):
    tab(panel, "resize")
    open_picture(panel, "1.png")
    panel.tab._forms["resize"].control("side").widget.value = 32
    press(panel.main)
    press(panel.save)
    tab(panel, "view")
    view = panel.tab
    assert [words for words, _ in view.version.options] == ["Picture (64 × 64)", "Resized (32 × 32)"]
    view.against.value = "1.png"
    assert panel.canvas.shown["before"] and panel.canvas.before_words == "Picture"
    view.version.value = "1.png"
    assert "it is not the present version" in panel.words.value and view.back.disabled
    view.version.value = "1_resized.png"
    press(view.back)
    assert titles(panel) == ["Picture"] and "put aside" in panel.status.text


def test_a_mask_is_a_list_of_steps_with_undo_that_can_be_gone_on_with(panel):
    tab(panel, "mask")
    open_picture(panel, "1.png")
    mask = panel.tab
    mask.told(stroke(1, [[10, 10], [50, 10]]))
    mask.told(Deed(2, "rectangle", {"first": [5, 40], "second": [25, 60], "how": "add"}))
    assert len(mask.operations) == 2 and panel.canvas.can_undo and not panel.save.disabled
    mask.told(Deed(3, "undo"))
    assert len(mask.operations) == 1 and panel.canvas.can_redo
    mask.told(Deed(4, "redo"))
    press(panel.save)
    with Image.open(panel.session.dataset.project.variants / "1_mask.png") as saved:
        assert saved.getpixel((15, 50)) == 255 and saved.getpixel((50, 50)) == 0 and saved.getpixel((30, 10)) == 255
    assert not mask.is_changed and panel.save.disabled
    open_picture(panel, "2.png")
    assert mask.operations == []
    open_picture(panel, "1.png")
    assert len(mask.operations) == 2  # it is drawn on, not begun anew


def test_what_a_model_found_is_one_more_step(panel):
    tab(panel, "mask")
    open_picture(panel, "1.png")
    mask = panel.tab
    form = mask._forms["mask"]
    form.control("segmenter").widget.value = "place"
    press(panel.main)
    assert [one["op"] for one in mask.operations] == ["given"] and titles(panel) == ["Picture"]
    mask.how.value = "replace"
    press(panel.main)
    assert [one["op"] for one in mask.operations] == ["given", "clear", "given"]
    press(panel.save)
    assert titles(panel) == ["Picture", "Mask"]


def test_a_step_that_cannot_be_drawn_is_taken_out_again_and_said(panel):
    tab(panel, "mask")
    open_picture(panel, "1.png")
    panel.tab.told(stroke(1, [[10, 10]]))
    panel.tab.add({"op": "given", "name": "0" * 16, "how": "add"})
    assert [one["op"] for one in panel.tab.operations] == ["stroke"] and "not kept here" in panel.status.text


def test_a_region_is_painted_anew_and_the_mark_is_a_mask_of_its_own(panel):
    tab(panel, "inpaint")
    open_picture(panel, "1.png")
    panel.tab.told(stroke(1, [[30, 30]], width=8))
    press(panel.main)
    assert panel.desk.tried is not None, panel.status.text
    press(panel.save)
    assert titles(panel) == ["Picture", "Repaired", "Mask (repaint)"]


def test_a_box_is_cut_out_as_a_part_or_as_the_picture(panel):
    tab(panel, "crop")
    open_picture(panel, "1.png")
    assert panel.tab.cut.disabled
    panel.canvas.crop = [8, 8, 40, 40]
    press(panel.tab.cut)
    assert titles(panel) == ["Picture", "crop"] and panel.canvas.crop == []
    panel.tab.becomes.value = "picture"
    panel.canvas.crop = [0, 0, 32, 64]
    press(panel.tab.cut)
    assert titles(panel) == ["Picture", "Resized", "crop"]


@pytest.mark.slow
def test_the_same_for_many_is_a_job_with_the_chosen_pictures(panel):
    tab(panel, "resize")
    open_picture(panel, "1.png")
    panel.many.which.value = "selected"
    panel._asked("select", {"version": panel.shelf.view.version, "ranges": [[1, 3]]})
    assert ("Selected at the left (2)", "selected") in panel.many.which.options
    press(panel.many.button)
    (job,) = list_jobs(panel.session.folder)
    end = time.monotonic() + 60
    while not job.status().ended and time.monotonic() < end:
        time.sleep(0.1)
    assert job.status().state == "done"
    told = json.loads((job.folder / "settings.json").read_text())
    assert job.stage == "resize" and told["settings"]["images"] == ["2", "3"]


def end_of(job):
    end = time.monotonic() + 60
    while not job.status().ended and time.monotonic() < end:
        time.sleep(0.1)


def test_what_a_job_made_is_taken_back_at_one_press_and_what_was_worked_on_since_stays(panel):
    tab(panel, "resize")
    panel.tab._forms["resize"].control("side").widget.value = 32
    press(panel.many.button)
    (job,) = list_jobs(panel.session.folder)
    end_of(job)
    panel._look()
    assert panel.take_back.view.layout.display == "" and "3 versions made" in panel.status.text
    project = panel.session.dataset.project
    made = read_made(project.variants / "2_resized.png")
    note = Made(made.of, (*made.steps, Step("upscale"))).text()
    save_variant(project, "2", "resized", encode(Image.new("RGB", (64, 64)), SaveSettings(), "PNG", note).data, ".png")
    press(panel.take_back.button)
    assert "2 versions put aside; 1 worked on further since stays" in panel.status.text
    assert [titles(panel, stem) for stem in "123"] == [["Picture"], ["Picture", "Resized"], ["Picture"]]
    assert panel.take_back.view.layout.display == "none"


def test_what_was_taken_back_can_be_brought_back(panel):
    tab(panel, "resize")
    open_picture(panel, "1.png")
    panel.tab._forms["resize"].control("side").widget.value = 32
    press(panel.main)
    press(panel.save)
    tab(panel, "view")
    assert panel.tab._aside_row.layout.display == "none"
    press(panel.tab.back)
    assert titles(panel) == ["Picture"] and panel.tab.aside.label == "Resized (32 × 32)"
    press(panel.tab.bring)
    assert titles(panel) == ["Picture", "Resized"] and "1_resized.png stands again" in panel.status.text
    assert panel.tab._aside_row.layout.display == "none"


def test_none_selected_never_means_all(panel):
    tab(panel, "resize")
    panel.many.which.value = "selected"
    assert panel.many.button.disabled and "No picture is selected at the left" in panel.many.button.tooltip
    panel.guard(panel.many._start)
    assert panel.status.state == "attention" and list_jobs(panel.session.folder) == []


def test_what_is_to_be_done_first_is_told_calmly_and_never_over_a_result(panel):
    assert panel.status.state == "ready" and "Press a picture" in panel.status.text
    tab(panel, "inpaint")
    open_picture(panel, "1.png")
    assert panel.status.state == "ready" and "Mark what is to go" in panel.status.text
    panel.tab.told(stroke(1, [[30, 30]], width=8))
    press(panel.main)
    press(panel.save)
    assert "saved 1_inpainted.png" in panel.status.text and panel.status.state == "done"
    panel._settle()
    assert "saved 1_inpainted.png" in panel.status.text
    open_picture(panel, "2.png")
    assert "saved" not in panel.status.text and panel.status.state == "ready"


def test_after_a_repair_the_next_mark_begins_empty_and_taking_it_back_shows_the_mark_again(panel):
    tab(panel, "inpaint")
    open_picture(panel, "1.png")
    panel.tab.told(stroke(1, [[30, 30]], width=8))
    press(panel.main)
    press(panel.save)
    assert panel.tab.operations == [] and numpy.asarray(seen(panel)).max() == 0
    tab(panel, "view")
    press(panel.tab.back)
    tab(panel, "inpaint")
    assert [one["op"] for one in panel.tab.operations] == ["stroke"]


def test_another_project_clears_the_desk(panel, session):
    open_picture(panel, "1.png")
    other = Project.create(folder_for("Other"), "Other")
    session.open(other.folder)
    assert panel.desk.opened is None and panel.words.value == "" and panel.main.disabled


def test_a_picture_that_is_gone_is_said(panel):
    open_picture(panel, "1.png")
    (panel.session.dataset.project.images / "2.png").unlink()
    open_picture(panel, "2.png")
    assert panel.desk.opened is None and "2" in panel.status.text and panel.status.state == "attention"


def test_models_in_memory_are_listed_and_let_go(panel):
    WARM.unload_all()
    with WARM.use("test", "A test's model", lambda: object()):
        pass
    panel.models.fold.button.value = True
    assert "A test's model" in html.unescape(panel.models.words.value)
    press(panel.models.unload)
    assert WARM.list() == [] and "unloaded" in panel.status.text


def test_what_was_drawn_and_not_saved_is_there_again(panel, session):
    tab(panel, "mask")
    open_picture(panel, "1.png")
    panel.tab.told(stroke(1, [[10, 10], [50, 10]]))
    open_picture(panel, "2.png")
    assert panel.tab.operations == []
    open_picture(panel, "1.png")
    assert len(panel.tab.operations) == 1 and "Not saved yet" in panel.tab.words.value
    other = WorkbenchPanel(session)  # a restarted kernel
    tab(other, "mask")
    open_picture(other, "1.png")
    assert len(other.tab.operations) == 1 and not other.save.disabled
    press(other.discard)
    assert other.tab.operations == []
    other.close()
    open_picture(panel, "2.png")
    open_picture(panel, "1.png")
    assert panel.tab.operations == [] and not list(session.dataset.project.hidden.glob("masks/drafts/*"))


def test_strokes_of_the_moment_of_saving_are_not_lost(panel):
    tab(panel, "mask")
    open_picture(panel, "1.png")
    mask = panel.tab
    mask.told(stroke(1, [[10, 10]]))
    work = mask.save()
    saved = work.act()
    mask.told(stroke(2, [[50, 50]]))
    work.then(saved)
    assert len(mask.operations) == 2 and mask.is_changed and not panel.save.disabled
    assert "Mask" in titles(panel) and mask.drawing is not None


def test_a_mask_of_which_everything_is_undone_is_put_aside(panel):
    tab(panel, "mask")
    open_picture(panel, "1.png")
    panel.tab.told(stroke(1, [[10, 10]]))
    press(panel.save)
    panel.tab.told(Deed(2, "undo"))
    press(panel.save)
    assert titles(panel) == ["Picture"] and panel.save.disabled and "put aside" in panel.status.text


def test_only_the_step_that_cannot_be_drawn_goes(panel):
    tab(panel, "mask")
    open_picture(panel, "1.png")
    panel.tab.told(stroke(1, [[10, 10]]))
    panel.tab.add({"op": "given", "name": "0" * 16, "how": "add"}, {"op": "invert"})
    assert [one["op"] for one in panel.tab.operations] == ["stroke", "invert"] and panel.status.state == "attention"


def test_other_tabs_show_the_version_that_they_work_on(panel):
    tab(panel, "resize")
    open_picture(panel, "1.png")
    panel.tab._forms["resize"].control("side").widget.value = 32
    press(panel.main)
    press(panel.save)
    tab(panel, "view")
    panel.tab.version.value = "1.png"
    assert panel.desk.opened.shown.path.name == "1.png"
    tab(panel, "crop")
    assert panel.desk.opened.shown.path.name == "1_resized.png"
    panel.canvas.crop = [0, 0, 20, 20]
    press(panel.tab.cut)
    assert look_at_picture(panel.session.dataset.project, "1").version("1_crop.png").size == (20, 20)


def test_a_box_of_another_version_is_refused(panel):
    manager = panel.manager
    settings = manager.hand_crop("1", (0, 0, 20, 20), "part", of="1_upscaled.png")
    with pytest.raises(DatasetError, match="drawn on 1_upscaled.png, but 1.png"):
        manager.try_on("crop-by-hand", settings, "1")


def test_a_model_that_looks_for_a_mask_minds_no_mask_that_is_there(panel):
    tab(panel, "mask")
    open_picture(panel, "1.png")
    panel.tab.told(stroke(1, [[10, 10]]))
    press(panel.save)
    panel.tab._forms["mask"].control("segmenter").widget.value = "place"
    press(panel.main)
    assert [one["op"] for one in panel.tab.operations] == ["stroke", "given"]


def test_a_point_that_does_not_belong_says_nothing_of_what_becomes_of_the_mask(panel, monkeypatch):
    def answered(path, prompt, settings, *_):
        return Clicked(numpy.full((64, 64), 255, numpy.uint8), 1.0, 0.0, 0.0)

    monkeypatch.setattr("core.dataset.images.kept_masks.click", answered)
    tab(panel, "mask")
    open_picture(panel, "1.png")
    panel.canvas.mode, panel.canvas.belongs = "points", False
    panel.canvas.points = [[10, 10, 1], [50, 50, 0]]
    assert panel.tab.pointing.pending()["how"] == "add" and numpy.asarray(seen(panel)).min() == 255
    panel.canvas.how = "subtract"
    assert panel.tab.pointing.pending()["how"] == "subtract" and numpy.asarray(seen(panel)).max() == 0
    press(panel.tab.pointing.take)
    assert panel.tab.operations[-1]["how"] == "subtract" and panel.canvas.belongs


def test_nothing_is_painted_where_nothing_is_marked(panel):
    tab(panel, "inpaint")
    open_picture(panel, "1.png")
    assert panel.main.disabled and "Mark what is to go" in panel.main.tooltip
    panel.tab.told(stroke(1, [[30, 30]], width=8))
    press(panel.save)
    panel.tab.told(Deed(2, "undo"))
    assert panel.main.disabled
    panel.tab._forms["inpaint"].control("region").widget.value = "place"
    panel.look_again()
    assert not panel.main.disabled


def test_the_end_of_a_job_takes_no_try_away(panel):
    tab(panel, "resize")
    open_picture(panel, "1.png")
    panel.tab._forms["resize"].control("side").widget.value = 32
    press(panel.main)
    job = start_job(panel.session.folder, "resize", {"mode": "longest", "side": 40, "images": ["2"]})
    end = time.monotonic() + 60
    while not job.status().ended and time.monotonic() < end:
        time.sleep(0.1)
    panel.show_report(job.status())
    assert panel.desk.tried is not None
    press(panel.save)
    assert "saved 1_resized.png" in panel.status.text


def test_points_that_no_model_can_answer_are_said_and_change_nothing(panel, monkeypatch):
    def nothing(*arguments, **named):
        raise ModelError("There is no such model here.")

    monkeypatch.setattr("core.dataset.images.kept_masks.click", nothing)
    tab(panel, "mask")
    open_picture(panel, "1.png")
    panel.tab.told(stroke(1, [[10, 10]]))
    panel.canvas.points = [[30, 30, 1]]
    assert "no such model" in panel.status.text and [one["op"] for one in panel.tab.operations] == ["stroke"]


def test_what_the_points_mean_is_seen_at_once_and_taken_with_a_button(panel, monkeypatch):
    asked = []

    def answer(path, prompt, settings):
        asked.append(prompt.points)
        mask = numpy.zeros((64, 64), numpy.uint8)
        mask[20:40, 20:40] = 255
        return Clicked(mask, 1.0, 0.0, 0.0)

    monkeypatch.setattr("core.dataset.images.kept_masks.click", answer)
    tab(panel, "mask")
    open_picture(panel, "1.png")
    assert panel.tab.pointing.take.disabled
    panel.canvas.points = [[30, 30, 1]]
    assert asked and panel.tab.operations == [] and seen(panel).getpixel((30, 30)) == 255
    press(panel.tab.pointing.take)
    assert [one["op"] for one in panel.tab.operations] == ["segment"] and panel.canvas.points == []
    assert seen(panel).getpixel((30, 30)) == 255
    press(panel.save)
    assert Image.open(panel.session.dataset.project.variants / "1_mask.png").getpixel((5, 5)) == 0
