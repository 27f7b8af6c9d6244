"""The gallery panel on real projects: rows, thumbnails, filter, selection, captions, rejecting."""

import time

import pytest
from PIL import Image

from core.dataset.project import Project
from widgets.components.caption_editor import Wish
from widgets.dataset.gallery import GalleryPanel
from widgets.dataset.statistics import StatisticsPanel


class Screen:
    """Stands for the browser: collects what is sent, and asks."""

    def __init__(self, panel):
        self.panel, self.messages = panel, []
        panel.gallery.send = lambda content, buffers=(): self.messages.append((content, list(buffers)))

    def ask(self, kind, **given):
        self.panel.gallery._heard(self.panel.gallery, {"kind": kind, **given}, [])

    def rows(self, *rows, seconds=20):
        """Ask for rows, and wait until each has its thumbnail or the reason why there is none."""
        version = self.panel.shelf.view.version
        self.ask("want", version=version, serial=1, rows=list(rows))
        infos, thumbs, troubles = {}, {}, {}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for content, buffers in self.messages:
                if content["kind"] == "rows":
                    infos |= {row["row"]: row for row in content["rows"]}
                    thumbs |= dict(zip(content["thumbs"], buffers, strict=True))
                    troubles |= content["troubles"]
            if len(infos) == len(rows) and all(row["key"] in {**thumbs, **troubles} for row in infos.values()):
                return infos, thumbs, troubles
            time.sleep(0.02)
        raise AssertionError((infos, list(thumbs), troubles))

    def last(self, kind):
        return next(content for content, _ in reversed(self.messages) if content["kind"] == kind)


@pytest.fixture
def panel(session):
    made = GalleryPanel(session)
    yield made
    made.close()


@pytest.fixture
def screen(panel):
    return Screen(panel)


def wish(panel, kind, text=None, to="", **other):
    shown = panel.gallery.shown
    words = shown["caption"] if text is None else text
    panel.desk.hear(Wish(kind, shown["id"], shown["revision"], words, words != shown["caption"], shown["home"], "0.1", to, **other))


def names(panel):
    return [panel.shelf.key(row) for row in range(len(panel.shelf))]


def test_rows_come_with_their_facts_and_thumbnails_as_bytes(screen, panel, project):
    (project.images / "2.txt").unlink()
    (project.images / "x.png").write_bytes(b"<html>")
    panel.refresh()
    infos, thumbs, troubles = screen.rows(0, 1, 3)
    assert (infos[0]["name"], infos[0]["tags"], infos[1]["tags"], infos[1]["caption"]) == ("1.png", 2, 0, "")
    assert thumbs["1.png"][:2] == b"\xff\xd8" and "web page" in troubles["x.png"]
    assert (project.hidden / "thumbs" / "thumbs.sqlite").is_file()


def test_a_question_on_rows_of_another_order_is_not_answered_with_wrong_pictures(screen, panel):
    old = panel.shelf.view.version
    screen.ask("filter", text="green_background", sort="name")
    screen.ask("want", version=old, serial=1, rows=[0])
    time.sleep(0.1)
    assert not [content for content, _ in screen.messages if content["kind"] == "rows"]
    infos, _, _ = screen.rows(0)
    assert infos[0]["key"] == "2.png"


def test_a_filter_shows_what_fits_and_a_wrong_one_says_why_and_changes_nothing(screen, panel):
    screen.ask("filter", text="-green_background", sort="newest")
    assert names(panel) == ["3.png", "1.png"] and panel.gallery.view["all"] == 3
    screen.ask("filter", text="size:<x", sort="newest")
    assert "needs a number" in panel.gallery.view["trouble"] and names(panel) == ["3.png", "1.png"]
    panel.show_filter("")
    assert names(panel) == ["1.png", "2.png", "3.png"] and panel.gallery.view["trouble"] == ""


def test_a_selection_stays_with_its_pictures_when_others_come(screen, panel, project):
    screen.ask("select", version=panel.shelf.view.version, ranges=[[1, 3]])
    assert panel.selected() == ["2", "3"]
    (project.images / "0.png").write_bytes((project.images / "1.png").read_bytes())
    panel.refresh()
    assert panel.gallery.view["selected"] == [[2, 4]] and panel.selected() == ["2", "3"]
    screen.ask("select", version=panel.shelf.view.version - 1, ranges=[[0, 1]])
    screen.ask("select", version=panel.shelf.view.version, ranges=[["a", None], [3]])
    assert panel.selected() == []


def test_a_selection_does_not_become_other_pictures_when_names_are_exchanged(screen, panel, project):
    screen.ask("select", version=panel.shelf.view.version, ranges=[[0, 1], [2, 3]])
    assert panel.selected() == ["1", "3"]
    for old, new in (("1", "aside"), ("2", "1"), ("aside", "2")):
        (project.images / f"{old}.png").rename(project.images / f"{new}.png")
    panel.refresh()
    assert panel.selected() == ["3"] and panel.gallery.view["selected"] == [[2, 3]]


def test_selected_pictures_are_rejected_with_the_reason_and_put_back(screen, panel, project):
    screen.ask("reject", version=panel.shelf.view.version, ranges=[[0, 2]], reason="blurred")
    assert panel.status.text == "Done: 2 images rejected." and names(panel) == ["3.png"]
    assert panel.gallery.shown["id"] == "3.png" and panel.gallery.view["undo"] == "Put those 2 back"
    assert sorted(path.name for path in project.rejected.iterdir()) == ["1.png", "1.txt", "2.png", "2.txt"]
    screen.ask("filter", text="rejected", sort="name")
    infos, thumbs, _ = screen.rows(0)
    assert infos[0]["rejected"] == "blurred" and len(thumbs) == 1 and panel.gallery.view["rejected"]
    screen.ask("filter", text="", sort="name")
    screen.ask("unreject")
    assert panel.status.text == "Done: 2 images put back." and names(panel) == ["1.png", "2.png", "3.png"]
    assert (project.images / "1.txt").read_text(encoding="utf-8") == "mychar, red background" and panel.gallery.view["undo"] == ""


def test_a_rejected_picture_is_shown_but_its_caption_is_not_written(screen, panel, project):
    screen.ask("reject-shown", id="1.png", reason="")
    screen.ask("filter", text="rejected", sort="name")
    wish(panel, "open", to="0")
    shown = panel.gallery.shown
    assert shown["id"] == "rejected/1.png" and shown["closed"] and "Put it back" in shown["unread"] and shown["caption"]
    twin = [project.images / name for name in ("1.png", "1.txt")]
    for path in twin:
        path.write_bytes((project.rejected / path.name).read_bytes())
    wish(panel, "save", "other words")
    assert panel.gallery.wrong and twin[1].read_text(encoding="utf-8") == "mychar, red background"
    for path in twin:
        path.unlink()
    assert (project.rejected / "1.txt").read_text(encoding="utf-8") == "mychar, red background"
    screen.ask("restore", version=panel.shelf.view.version, ranges=[[0, 1]])
    assert (project.images / "1.png").exists() and not list(project.rejected.iterdir())


def test_opening_another_picture_saves_the_caption_of_the_one_that_is_left(screen, panel, project):
    wish(panel, "open", "mychar, hat", to="2")
    assert (project.images / "1.txt").read_text(encoding="utf-8") == "mychar, hat"
    assert panel.gallery.shown["id"] == "3.png" and panel.gallery.answer == "0.1" and panel.gallery.note == "Saved 1."
    wish(panel, "open", to="99")
    wish(panel, "open", to="-1")
    assert panel.gallery.shown["id"] == "3.png"


def test_next_goes_on_in_the_order_of_the_filter_even_when_the_saved_one_no_longer_fits(screen, panel, project):
    screen.ask("filter", text="-green_background", sort="name")
    wish(panel, "next", "mychar, green background")
    assert panel.gallery.shown["id"] == "3.png" and panel.gallery.shown["place"] == "2 of 2"
    wish(panel, "next")
    assert "last picture" in panel.gallery.note
    panel.refresh()
    assert names(panel) == ["3.png"]


def test_tags_for_completion_and_token_counts_are_sent(screen, panel):
    screen.ask("tags")
    assert screen.last("tags")["tags"][0] == ["mychar", 3]
    screen.ask("count", text="mychar, hat")
    assert screen.last("tokens")["text"] == "mychar, hat" and " of 225 tokens" in screen.last("tokens")["words"]


def test_what_another_program_changes_is_seen_at_the_next_glance(screen, panel, project):
    version = panel.shelf.view.version
    panel._glance()
    assert panel.shelf.view.version == version
    (project.images / "4.png").write_bytes((project.images / "1.png").read_bytes())
    panel.shelf._listed = (0.0, 0.0)
    panel._glance()
    assert names(panel)[-1] == "4.png" and panel.gallery.view["keep"]


def test_a_caption_that_is_shown_follows_what_is_written_into_its_file(panel, project):
    with open(project.images / "1.txt", "r+") as file:
        file.write("changed in place, ")
    panel._glance()
    assert panel.gallery.shown["caption"].startswith("changed in place") and panel.status.state == "ready"


def test_a_picture_that_was_replaced_gets_a_new_thumbnail(screen, panel, project):
    _, before, _ = screen.rows(0)
    Image.new("RGB", (70, 70), "white").save(project.images / "1.png")
    panel.refresh()
    assert panel.gallery.view["stale"] == ["1.png"]
    screen.messages.clear()
    _, after, _ = screen.rows(0)
    assert after["1.png"] != before["1.png"]


def test_another_project_shows_its_own_pictures_and_an_empty_one_none(screen, panel, session, projects):
    other = Project.create(projects / "other", "other")
    session.open(other.folder)
    assert len(panel.shelf) == 0 and panel.gallery.shown == {}
    Image.new("RGB", (64, 64), "white").save(other.images / "only.png")
    panel.refresh()
    assert names(panel) == ["only.png"] and panel.gallery.shown["id"] == "only.png" and panel.gallery.shown["revision"] == "none"


def test_the_next_session_knows_the_rows_before_it_has_listed_the_folder(session, panel, project, monkeypatch):
    from widgets.dataset import browsing

    monkeypatch.setattr(browsing.Shelf, "look", lambda self: None)
    later = GalleryPanel(session)
    assert names(later) == ["1.png", "2.png", "3.png"]
    later.close()


def test_messages_that_make_no_sense_break_nothing(screen, panel):
    screen.ask("filter", text="", sort="by luck")
    screen.ask("select", version=panel.shelf.view.version, ranges=None)
    screen.ask("want", version=panel.shelf.view.version, serial=1, rows=[99, -5])
    screen.ask("reject", version=panel.shelf.view.version, ranges=[[50, 60]], reason="")
    screen.ask("drop everything")
    panel.refresh()
    assert panel.status.state == "ready"
    assert names(panel) == ["1.png", "2.png", "3.png"]


def test_tags_that_were_chosen_in_the_statistics_filter_the_grid(session, project):
    statistics = StatisticsPanel(session)
    statistics.main.click()
    statistics._press("green background", True)
    statistics.show.click()
    assert "Gallery panel is not shown yet" in statistics.status.text
    panel = session.panels["gallery"] = GalleryPanel(session)
    statistics.show.click()
    assert "shows them" in statistics.status.text
    assert names(panel) == ["2.png"] and panel.gallery.view["filter"] == 'tag:"green background"'
    panel.close()


def test_what_was_rejected_in_a_project_is_not_offered_back_in_another_one(panel, session, project, monkeypatch):
    ended = []
    monkeypatch.setattr(panel.loop, "beside", lambda work, then: ended.append(lambda: then(work(), None)))
    panel._reject(["1.png"], "blurred")
    other = Project.create(project.folder.parent / "other", "Other")
    monkeypatch.undo()
    session.open(other.folder)
    ended[0]()
    assert panel._rejected == [] and panel.shelf.view.undo == "" and (project.rejected / "1.png").exists()


def test_a_caption_goes_into_the_project_that_it_was_written_in_though_another_one_is_opened(panel, session, project, monkeypatch):
    other = Project.create(project.folder.parent / "other", "Other")
    Image.new("RGB", (64, 64), "white").save(other.images / "1.png")
    (other.images / "1.txt").write_bytes((project.images / "1.txt").read_bytes())
    shown, works = panel.gallery.shown, []
    monkeypatch.setattr(panel.loop, "beside", lambda work, then: works.append((work, then)))
    panel.desk.hear(Wish("tag", shown["id"], shown["revision"], "my words", True, shown["home"], "0.1"))
    monkeypatch.undo()
    session.open(other.folder)
    work, then = works[0]
    then(work(), None)
    assert (project.images / "1.txt").read_text() == "my words" and (other.images / "1.txt").read_text() == "mychar, red background"
    assert panel.one.job is None and (panel.gallery.shown["home"], panel.gallery.shown["id"]) == (str(other.folder), "1.png")
    assert panel.gallery.shown["caption"] == "mychar, red background"


def test_how_many_are_rejected_and_what_a_filter_without_a_hit_meant_is_told(screen, panel):
    assert panel.gallery.view["aside"] == 0
    screen.ask("reject", version=panel.shelf.view.version, ranges=[[0, 2]], reason="blurred")
    assert panel.gallery.view["aside"] == 2
    screen.ask("filter", text="tags<6", sort="name")
    assert names(panel) == [] and "tags:<6" in panel.gallery.view["meant"]
    screen.ask("filter", text="mychar blue_backgrund", sort="name")
    assert names(panel) == [] and "Did you mean blue_background?" in panel.gallery.view["meant"]
    screen.ask("filter", text="blue background", sort="name")
    assert "blue_background, or \"blue background\" in quotes" in panel.gallery.view["meant"]
    screen.ask("filter", text="", sort="name")
    assert panel.gallery.view["meant"] == ""


def test_the_status_line_stands_directly_beneath_the_pictures_and_only_once(panel):
    shown = list(panel.view.children)
    assert shown.index(panel.status) == shown.index(panel.gallery) + 1 and shown.count(panel.status) == 1
