"""Captions in the gallery: saved, never over another's text, never in another picture's file."""

import io

from PIL import Image

from core.dataset.project import Project
from widgets.components.caption_editor import Wish
from widgets.dataset.gallery import GalleryPanel


def wish(panel, kind, text=None):
    shown = panel.gallery.shown
    words = shown["caption"] if text is None else text
    panel.desk.hear(Wish(kind, shown["id"], shown["revision"], words, words != shown["caption"], shown["home"]))


def test_save_and_next_writes_the_caption_and_shows_the_next_picture(session, project):
    panel = GalleryPanel(session)
    assert panel.gallery.shown["place"] == "1 of 3"
    wish(panel, "next", "mychar, hat")
    assert (project.images / "1.txt").read_text(encoding="utf-8") == "mychar, hat"
    assert panel.gallery.shown["id"] == "2.png" and panel.gallery.note == "Saved 1. Now 2."
    wish(panel, "previous")
    assert panel.gallery.shown["caption"] == "mychar, hat"
    wish(panel, "previous")
    assert "first picture" in panel.gallery.note


def test_a_caption_that_changed_on_disk_is_not_overwritten_and_the_text_stays(session, project):
    panel = GalleryPanel(session)
    (project.images / "1.txt").write_text("by another program", encoding="utf-8")
    shown = panel.gallery.shown
    panel.desk.hear(Wish("next", shown["id"], shown["revision"], "mine", True, shown["home"]))
    assert (project.images / "1.txt").read_text(encoding="utf-8") == "by another program"
    assert panel.gallery.shown["id"] == "1.png" and panel.gallery.wrong
    assert "was changed by something else" in panel.gallery.note and "was changed" in panel.status.text


def test_after_a_conflict_both_texts_are_there_and_either_can_be_kept(session, project):
    panel, file = GalleryPanel(session), project.images / "1.txt"
    file.write_text("theirs", encoding="utf-8")
    shown = panel.gallery.shown
    panel.desk.hear(Wish("save", "1.png", shown["revision"], "mine, ", True, shown["home"], "0.1"))
    assert panel.gallery.shown["caption"] == "theirs" and panel.gallery.answer == "0.1" and panel.status.state == "attention"
    panel.desk.hear(Wish("keep", "1.png", panel.gallery.shown["revision"], "mine, ", True, shown["home"], "0.2"))
    assert file.read_text(encoding="utf-8") == "mine," == panel.gallery.shown["caption"]
    assert "in the history" in panel.gallery.note and panel.status.state == "ready"
    session.dataset.undo()
    assert file.read_text(encoding="utf-8") == "theirs"


def test_read_again_takes_the_text_on_the_disk(session, project):
    panel, shown = GalleryPanel(session), None
    wish(panel, "next")
    shown = panel.gallery.shown
    (project.images / "0.png").write_bytes((project.images / "1.png").read_bytes())
    (project.images / "2.txt").write_text("theirs", encoding="utf-8")
    panel.desk.hear(Wish("again", "2.png", shown["revision"], "mine", True, shown["home"]))
    assert panel.gallery.shown["caption"] == "theirs" and panel.gallery.shown["after"] == shown["revision"]
    panel.refresh()
    assert panel.gallery.shown["place"] == "3 of 4"


def test_a_caption_that_is_no_text_shows_its_picture_and_the_reason_until_it_is_read_again(session, project):
    file = project.images / "1.txt"
    file.write_bytes(b"caf\xe9")
    panel = GalleryPanel(session)
    assert panel.gallery.picture and "not UTF-8" in panel.gallery.shown["unread"] and panel.status.state == "ready"
    wish(panel, "next")
    wish(panel, "previous")
    assert panel.gallery.shown["id"] == "1.png"
    wish(panel, "again")
    assert "still cannot be read" in panel.gallery.note and panel.gallery.wrong
    file.write_text("café", encoding="utf-8")
    wish(panel, "again")
    assert panel.gallery.shown["caption"] == "café" and not panel.gallery.shown["unread"] and not panel.gallery.wrong


def test_a_caption_that_becomes_unreadable_meanwhile_is_told_at_the_next_look(session, project):
    panel = GalleryPanel(session)
    (project.images / "1.txt").write_bytes(b"caf\xe9")
    panel.refresh()
    assert "not UTF-8" in panel.gallery.shown["unread"] and panel.status.state == "ready"


def test_a_broken_picture_is_a_sentence_beside_its_caption(session, project):
    (project.images / "1.png").write_bytes(b"<html>")
    panel = GalleryPanel(session)
    assert panel.gallery.picture == b"" and "web page" in panel.gallery.unseen
    assert panel.gallery.shown["caption"] == "mychar, red background" and panel.status.state == "ready"


def test_the_browser_gets_a_small_picture_and_never_the_original(session, project):
    Image.effect_noise((2000, 1500), 90).save(project.images / "1.png")
    panel = GalleryPanel(session)
    assert 0 < len(panel.gallery.picture) < (project.images / "1.png").stat().st_size / 4
    assert (project.images / "1.png").read_bytes()[:8] != panel.gallery.picture[:8]


def test_larger_brings_a_picture_with_more_pixels_and_so_does_the_next_one(session, project):
    for name, size in (("1", (3000, 1500)), ("2", (2200, 1100)), ("3", (1000, 500))):
        Image.effect_noise(size, 90).save(project.images / f"{name}.png")
    panel = GalleryPanel(session)

    def width():
        return Image.open(io.BytesIO(panel.gallery.picture)).width

    assert width() == 768
    wish(panel, "larger")
    assert width() == 2048
    wish(panel, "next")
    assert panel.gallery.shown["id"] == "2.png" and width() == 2048
    wish(panel, "smaller")
    wish(panel, "next")
    assert panel.gallery.shown["facts"] == "1000 × 500" and width() == 768


def test_the_same_save_twice_is_no_conflict(session, project):
    panel = GalleryPanel(session)
    shown = panel.gallery.shown
    for _ in range(2):
        panel.desk.hear(Wish("next", "1.png", shown["revision"], "mine, ", True, shown["home"]))
    assert (project.images / "1.txt").read_text(encoding="utf-8") == "mine,"
    assert panel.gallery.shown["id"] == "2.png" and not panel.gallery.wrong and panel.status.state == "ready"


def test_a_text_written_for_one_project_never_lands_in_another(session, project, projects):
    panel = GalleryPanel(session)
    old = panel.gallery.shown
    other = Project.create(projects / "other", "other", "otherword")
    (other.images / "1.png").write_bytes((project.images / "1.png").read_bytes())
    session.open(other.folder)
    panel.refresh()
    assert panel.gallery.shown["home"] == str(other.folder) and panel.form.control("trigger_word").widget.value == "otherword"
    panel.desk.hear(Wish("save", old["id"], panel.gallery.shown["revision"], "of the first project", True, old["home"]))
    assert not (other.images / "1.txt").exists() and "Another project" in panel.gallery.note


def test_pictures_that_sort_before_the_shown_one_do_not_move_the_editor(session, project):
    panel = GalleryPanel(session)
    wish(panel, "next")
    (project.images / "0.png").write_bytes((project.images / "1.png").read_bytes())
    panel.refresh()
    assert panel.gallery.shown["id"] == "2.png"
    wish(panel, "next")
    assert panel.gallery.shown["id"] == "3.png"


def test_the_trigger_word_is_put_first_everywhere(session, project):
    panel = GalleryPanel(session)
    assert panel.form.control("trigger_word").widget.value == "mychar"
    panel.form.control("trigger_word").widget.value = "otherchar"
    panel.main.click()
    panel.apply.click()
    assert panel.status.text.startswith("Done: 3 captions changed")
    assert (project.images / "2.txt").read_text(encoding="utf-8") == "otherchar, green background"
    assert panel.gallery.shown["caption"] == "otherchar, red background"
    session.dataset.undo()
    assert (project.images / "2.txt").read_text(encoding="utf-8") == "mychar, green background"


def test_what_the_trigger_word_would_change_is_told_first_and_only_that_is_done(session, project):
    (project.images / "1.txt").write_text("hat", encoding="utf-8")
    (project.images / "3.txt").unlink()
    panel, word = GalleryPanel(session), None
    assert panel.apply.disabled and "preview first" in panel.apply.tooltip
    panel.main.click()
    assert panel.status.text == "Preview: Would change 1 of 3 captions, write 1 new one. Nothing is changed yet."
    assert (project.images / "1.txt").read_text(encoding="utf-8") == "hat" and not (project.images / "3.txt").exists()
    word = panel.form.control("trigger_word").widget
    word.value = "other"
    assert panel.apply.disabled and panel.status.text == "Ready"
    word.value = "mychar"
    panel.main.click()
    (project.images / "2.txt").write_text("by another hand", encoding="utf-8")
    panel.apply.click()
    assert "no longer those of the preview" in panel.status.text
    assert (project.images / "1.txt").read_text(encoding="utf-8") == "hat"
    panel.main.click()
    panel.apply.click()
    assert panel.status.text.startswith("Done: 3 captions changed")
    assert (project.images / "3.txt").read_text(encoding="utf-8") == "mychar"
    panel.main.click()
    assert panel.apply.disabled and panel.apply.tooltip == "The preview changes nothing."


def test_an_emptied_caption_holds_nobody_and_its_file_keeps_the_saved_text(session, project):
    panel = GalleryPanel(session)
    wish(panel, "next", " ")
    assert (project.images / "1.txt").read_text() == "mychar, red background" and panel.gallery.shown["id"] == "2.png"
    assert panel.gallery.note == "1.png keeps its caption: an empty one is not saved. Now 2." and not panel.gallery.wrong
    wish(panel, "previous", "")
    assert panel.gallery.shown["caption"] == "mychar, red background" and panel.gallery.note.startswith("2.png keeps")
    shown = panel.gallery.shown
    panel.desk.hear(Wish("open", shown["id"], shown["revision"], "", True, shown["home"], to="2"))
    assert panel.gallery.shown["id"] == "3.png" and panel.gallery.note == "1.png keeps its caption: an empty one is not saved."
    wish(panel, "save", "")
    assert panel.gallery.wrong and "would be empty" in panel.gallery.note


def test_spaces_where_there_was_no_caption_are_no_caption(session, project):
    (project.images / "1.txt").unlink()
    panel = GalleryPanel(session)
    wish(panel, "next", "  ")
    assert panel.gallery.shown["id"] == "2.png" and panel.gallery.note == "Now 2." and not (project.images / "1.txt").exists()


def test_a_caption_is_removed_and_undo_brings_it_back(session, project):
    panel = GalleryPanel(session)
    before = panel.gallery.shown["revision"]
    wish(panel, "remove", "mychar, not saved yet")
    assert not (project.images / "1.txt").exists() and panel.gallery.shown["caption"] == ""
    assert panel.gallery.shown["revision"] == "none" and panel.gallery.shown["after"] == before
    assert panel.gallery.note == "1.png has no caption now. Undo in the History panel brings it back."
    session.dataset.undo()
    assert (project.images / "1.txt").read_text() == "mychar, red background"


def test_after_a_renaming_nothing_is_written_to_the_picture_that_has_the_name_now(session, project):
    panel = GalleryPanel(session)
    shown, images = dict(panel.gallery.shown), project.images
    texts = {name: (images / f"{name}.txt").read_text(encoding="utf-8") for name in "12"}
    for ending in ("png", "txt"):
        for old, new in (("1", "aside"), ("2", "1"), ("aside", "2")):
            (images / f"{old}.{ending}").rename(images / f"{new}.{ending}")
    (images / "1.txt").write_text(texts["1"], encoding="utf-8")  # the same words, so that the revision agrees
    panel.desk.hear(Wish("save", "1.png", shown["revision"], "mychar, of the first picture", True, shown["home"]))
    assert (images / "1.txt").read_text(encoding="utf-8") == texts["1"] and (images / "2.txt").read_text(encoding="utf-8") == texts["1"]
    panel.desk.look()
    assert panel.gallery.note == "Another picture is called 1.png now." and panel.gallery.shown["id"] == "1.png"
    wish(panel, "save", "mychar, mine")
    assert (images / "1.txt").read_text(encoding="utf-8") == "mychar, mine"
