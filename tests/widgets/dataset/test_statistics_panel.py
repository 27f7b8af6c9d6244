"""The panel of tags and findings: for which model it looks, and where its findings lead."""

import asyncio

import pytest

from core.dataset.captions.lint import LintSettings, find_in_captions
from core.dataset.captions.target import chosen_family
from core.dataset.training_file import TRAINING_FILE
from tests.core.dataset.small_things import picture
from widgets.components.caption_editor import Wish
from widgets.dataset.editing import EditPanel
from widgets.dataset.gallery import GalleryPanel
from widgets.dataset.statistics import FAMILY_CHOICES, MEND, StatisticsPanel


@pytest.fixture
def told(session, project):
    """A project whose captions are sentences."""
    for number in range(3):
        (project.images / f"{number + 1}.txt").write_text(f"A photo of mychar in a red coat. House number {number} stands behind it.")
    return StatisticsPanel(session)


def finding_of(panel, words):
    """The finding that holds these words, and its buttons."""
    for box in panel._found.children[1:]:
        if words in box.children[0].value:
            return [button for row in box.children[1:] for button in row.children]
    raise AssertionError([box.children[0].value for box in panel._found.children[1:]])


def test_the_family_is_offered_by_name_and_what_it_wants_is_said(told):
    assert FAMILY_CHOICES[0][1] == "auto" and ("FLUX.1", "flux1") in FAMILY_CHOICES
    assert "Captions for Stable Diffusion 1.5, the project&#x27;s model family." in told._about.value
    told.form.control("family").widget.value = "flux1"
    assert "Captions for FLUX.1, chosen here. T5 reads 511 tokens, CLIP the first 75." in told._about.value


def test_the_chosen_family_is_remembered_for_the_project_and_the_gallery(told, session, project):
    told.form.control("family").widget.value = "flux1"
    assert chosen_family(project) == "", "nothing is written before the button is pressed"
    told.main.click()
    assert chosen_family(project) == "flux1" and "3 captions" in told.status.text
    assert StatisticsPanel(session).form.value().family == "flux1"
    gallery = GalleryPanel(session)
    sent = []
    gallery.gallery.send = lambda message, buffers=None: sent.append(message)
    gallery.desk.count("mychar in a red coat")
    assert sent[-1]["kind"] == "tokens" and sent[-1]["words"].endswith("of 511 tokens") and not sent[-1]["over"]
    told.form.control("family").widget.value = "auto"
    told.main.click()
    assert chosen_family(project) == ""


def test_the_length_is_that_which_is_set_in_trainer(session, project):
    (project.images / "1.txt").write_text("mychar, " + ", ".join(f"hat {number}" for number in range(40)), encoding="utf-8")
    (project.folder / TRAINING_FILE).write_text('[model]\nfamily = "sd15"\nmax_token_length = ""\n')
    panel = StatisticsPanel(session)
    panel.main.click()
    assert finding_of(panel, "Captions longer than 75 tokens")
    (project.folder / TRAINING_FILE).write_text('[model]\nfamily = "sd15"\nmax_token_length = 225\n')
    panel.main.click()
    assert panel._looked is not None and "tokens" not in {finding.kind for finding in panel._looked.findings}
    panel.update()
    assert "as set in Trainer. CLIP reads 225 tokens" in panel._about.value


def test_a_finding_that_no_bulk_edit_mends_selects_its_pictures_in_the_gallery(told, session):
    told.form.control("family").widget.value = "pony"
    told.main.click()
    (select,) = finding_of(told, "Captions in prose, but Pony V6 (SDXL) wants tags")
    select.click()
    assert "Gallery panel is not shown yet" in told.status.text
    gallery = session.panels["gallery"] = GalleryPanel(session)
    gallery.show_filter("name:1")
    select.click()
    assert sorted(gallery.selected()) == ["1", "2", "3"] and gallery.shelf.view.filter == "", "the filter is emptied"
    assert session.picked.selected == 3 and "3 selected" in told.status.text


def test_only_the_pictures_of_a_finding_are_selected(session, project):
    for number in range(10, 15):
        picture(project.images / f"{number}.png")
        (project.images / f"{number}.txt").write_text(f"mychar, hat, place {number}")
    gallery = session.panels["gallery"] = GalleryPanel(session)
    gallery.select(["1", "12"])
    assert sorted(gallery.selected()) == ["1", "12"]
    gallery.select(["13"])
    assert gallery.selected() == ["13"]
    gallery.show_filter("name:13")
    assert gallery.selected() == ["13"], "a later filter selects nothing anew"


def test_each_change_has_words_of_its_own_on_its_button():
    faulty = {"a": None, "b": "hat, mika", "c": "Hat", "d": "my_char", "e": "mika, hat, hat,", "f": "mika, general, masterpiece, score 9",
              "g": "mika, " + ", ".join(f"place {number}" for number in range(90)), "h": "mika, short hair, long hair"}
    faulty |= {f"{number}": f"mika, red hair, blue eyes, place {number}" for number in range(30)} | {"x": "mika, blue eyse"}
    found = find_in_captions(faulty, LintSettings(family="pony"), "mika")
    assert {finding.kind for finding in found if finding.fix is not None} <= set(MEND)
    assert len({finding.kind for finding in found if finding.fix is not None}) >= 10


def test_a_tag_with_a_semicolon_is_laid_out_to_be_replaced(session, project):
    (project.images / "1.txt").write_text("mychar, ;d", encoding="utf-8")
    panel, edit = StatisticsPanel(session), EditPanel(session)
    session.panels["edit"] = edit
    panel.main.click()
    panel._press(";d", True)
    panel.replace.click()
    assert edit.form.control("search").read() == "\\;d"
    edit.form.control("replacement").widget.value = "smile"
    edit.main.click()
    assert edit.changes.rows == [{"name": "1", "before": "mychar, ;d", "after": "mychar, smile"}]


def counted(panel) -> dict[str, int]:
    return dict(zip(panel.bars.tags, panel.bars.counts, strict=True))


def test_the_numbers_follow_what_changes_and_what_is_chosen_stays(session, project):
    panel, edit = StatisticsPanel(session), EditPanel(session)
    edit.choice.value = "add_last"
    edit.form.control("tags").widget.value = "smile"
    edit.main.click()
    edit.apply.click()
    assert counted(panel) == {}, "nothing is counted before the first look"
    panel.main.click()
    panel._press("smile", True)
    said = panel.status.text
    assert counted(panel)["smile"] == 3 and not panel._stale.value
    (project.images / "1.txt").unlink()
    (project.images / "2.txt").write_text("mychar, smile, hat", encoding="utf-8")
    session.tell()
    assert counted(panel) == {"mychar": 2, "smile": 2, "hat": 1, "blue background": 1} and panel.bars.chosen == ["smile"]
    assert panel.status.text == said and "changed since the findings" in panel._stale.value
    panel.main.click()
    assert not panel._stale.value
    for name in ("2", "3"):
        (project.images / f"{name}.txt").write_text("mychar, hat", encoding="utf-8")
    (project.images / "1.txt").write_text("mychar", encoding="utf-8")
    session.tell()
    assert panel.bars.chosen == [] and counted(panel) == {"mychar": 3, "hat": 2} and panel.take_out.disabled


def test_an_edit_in_the_gallery_is_counted_without_a_press(session):
    async def at_work() -> None:
        panel, gallery = StatisticsPanel(session), GalleryPanel(session)
        panel.guard(panel.run)
        await until(lambda: "mychar" in counted(panel))
        said, shown = panel.status.text, gallery.gallery.shown
        gallery.desk.hear(Wish("save", shown["id"], shown["revision"], "mychar, crown", True, shown["home"]))
        await until(lambda: counted(panel).get("crown") == 1)
        assert panel.status.text == said
        for made in (panel, gallery):
            made.close()

    async def until(held) -> None:
        for _ in range(400):
            if held():
                return
            await asyncio.sleep(0.05)
        raise AssertionError("it never came")

    asyncio.run(at_work())
