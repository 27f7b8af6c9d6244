"""Thumbnails are small and upright, kept in one file, newest wish first, and off-screen wishes are dropped."""

import io
import threading
import time

import pytest
from PIL import Image

from core.base.errors import DatasetError
from core.dataset.images import thumbnails as module
from core.dataset.images.thumbnails import Thumbnails, ThumbnailStore, Wanted, make_thumbnail
from tests.core.dataset.small_things import picture


def wanted(path) -> Wanted:
    facts = path.stat()
    return Wanted(path.name, path, facts.st_mtime_ns, facts.st_size)


class Answers:
    """Collects what is delivered."""

    def __init__(self):
        self.all = []

    def __call__(self, answers):
        self.all += answers

    def wait(self, count, seconds=20):
        deadline = time.monotonic() + seconds
        while len(self.all) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.all) >= count, self.all
        return {answer.key: answer for answer in self.all}


@pytest.fixture
def answers():
    return Answers()


@pytest.fixture
def thumbnails(tmp_path, answers):
    made = Thumbnails(tmp_path / "thumbs", answers, workers=1)
    yield made
    made.close()


def test_a_thumbnail_is_small_upright_and_white_where_the_picture_is_clear(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.open(io.BytesIO(make_thumbnail(picture(tmp_path / "a.jpg", size=(1600, 800), exif=exif))))
    assert lying.size == (128, 256) and dict(lying.getexif()) == {}
    clear = Image.open(io.BytesIO(make_thumbnail(picture(tmp_path / "b.png", colour=(200, 0, 0, 0)))))
    assert clear.size == (64, 48) and min(clear.getpixel((5, 5))) > 250
    with pytest.raises(DatasetError, match=r"c\.png"):
        make_thumbnail(tmp_path / "c.png")


def test_a_second_session_makes_nothing_anew_unless_the_file_changed(tmp_path, thumbnails, answers):
    files = [picture(tmp_path / f"{number}.png", colour=(number, 2, 3), size=(300, 200)) for number in range(5)]
    thumbnails.want([wanted(path) for path in files], answers)
    first = answers.wait(5)
    thumbnails.close()
    later = Answers()
    again = Thumbnails(tmp_path / "thumbs", later)
    picture(files[0], colour=(250, 0, 0), size=(300, 201))
    again.want([wanted(path) for path in files], later)
    second = later.wait(5)
    again.close()
    assert again.made == 1 and second["0.png"].data != first["0.png"].data
    assert all(second[path.name].data == first[path.name].data for path in files[1:])
    assert [path.name for path in (tmp_path / "thumbs").iterdir()] == ["thumbs.sqlite"]


def test_wishes_that_scrolled_away_are_not_made_and_the_newest_come_first(tmp_path, thumbnails, answers, monkeypatch):
    files = [picture(tmp_path / f"{number}.png") for number in range(30)]
    gate, begun, plain = threading.Event(), threading.Event(), module.make_thumbnail
    monkeypatch.setattr(module, "make_thumbnail", lambda path: begun.set() or (gate.wait(10) and plain(path)))
    thumbnails.want([wanted(path) for path in files[:20]], answers)
    assert begun.wait(10)
    thumbnails.want([wanted(path) for path in files[20:]], answers)
    time.sleep(0.2)
    gate.set()
    answers.wait(11)
    time.sleep(0.2)
    assert [answer.key for answer in answers.all] == ["0.png", *(f"{number}.png" for number in range(20, 30))]
    assert thumbnails.pending() == 0


def test_a_picture_that_is_being_made_is_not_made_twice(tmp_path, thumbnails, answers):
    files = [wanted(picture(tmp_path / f"{number}.jpg", size=(900, 900))) for number in range(20)]
    for _ in range(30):
        thumbnails.want(files, answers)
        time.sleep(0.005)
    answers.wait(20)
    time.sleep(0.3)
    assert thumbnails.made == 20


def test_a_broken_picture_is_a_sentence_and_the_rest_goes_on(tmp_path, thumbnails, answers):
    (tmp_path / "a.png").write_bytes(b"<html>")
    thumbnails.want([wanted(tmp_path / "a.png"), wanted(picture(tmp_path / "b.png")), Wanted("gone", tmp_path / "gone.png", 1, 1)], answers)
    got = answers.wait(3)
    assert "web page" in got["a.png"].trouble and not got["a.png"].data and got["b.png"].data and "not there" in got["gone"].trouble


def test_a_store_that_is_broken_or_cannot_be_written_costs_only_time(tmp_path, answers):
    for place, content in (("one", b"no database at all, but long enough to be taken for one"), ("two", None)):
        folder = tmp_path / place
        if content is None:
            folder.write_text("a file where the folder should be")
        else:
            folder.mkdir()
            (folder / "thumbs.sqlite").write_bytes(content * 100)
        answers.all.clear()
        made = Thumbnails(folder, answers)
        made.want([wanted(picture(tmp_path / "a.png"))], answers)
        assert answers.wait(1)["a.png"].data
        made.close()


def test_thumbnails_of_images_that_are_gone_are_dropped(tmp_path):
    store = ThumbnailStore(tmp_path)
    items = [Wanted(f"{number}", tmp_path, number, number) for number in range(1000)]
    store.keep((item, b"jpeg") for item in items)
    assert len(store.find(items)) == 1000
    store.forget_all_but(["1", "2"])
    assert set(store.find(items)) == {"1", "2"}
    store.close()


def test_closing_waits_for_nobody_and_is_final(tmp_path, thumbnails, answers):
    thumbnails.want([wanted(picture(tmp_path / "a.png"))], answers)
    thumbnails.close()
    thumbnails.want([wanted(tmp_path / "a.png")], answers)
    assert thumbnails.pending() == 0
