"""gallery-dl itself, fetching from a booru of the Moebooru kind that runs on the loopback."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from core.base.errors import Cancelled, ConfigError, DatasetError, MissingDependency
from core.base.paths import ROOT
from core.base.progress import Progress
from core.dataset.items import list_items
from core.dataset.sources import gallery
from core.dataset.sources.gallery import check_credentials, gallery_address, tag_words, without_secrets
from core.dataset.sources.import_settings import ImportSettings
from core.dataset.sources.importing import import_images
from tests.core.dataset.small_things import png_bytes
from tests.core.dataset.sources.web import Page, Web


class Booru(Web):
    """Some posts, the newest first, as yande.re lists them."""

    def __init__(self, count: int = 5, slow: float = 0.0) -> None:
        super().__init__()
        self.posts = [(f"mika_(sea) ^_^ long_hair solo number_{number}", png_bytes((number, 50, 50)), "png") for number in range(count)]
        self.slow = slow
        self.pages["/post.json"] = self._list

    def _list(self, _: str) -> Page:
        found = []
        for number, (tags, data, ending) in enumerate(self.posts):
            md5 = hashlib.md5(data).hexdigest()
            self.pages[f"/image/{md5}.{ending}"] = lambda _, data=data: (time.sleep(self.slow), Page(data))[1]
            found.append({"id": 100 - number, "md5": md5, "tags": tags, "created_at": 1700000000, "file_size": len(data), "rating": "s",
                          "file_url": f"{self.address}/image/{md5}.{ending}", "file_ext": ending})
        return Page(json.dumps(found).encode(), headers={"Content-Type": "application/json"})

    def fetched(self) -> list[str]:
        return [path for path, _ in self.asked if path.startswith("/image/")]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without a configuration of gallery-dl."""
    pytest.importorskip("gallery_dl")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for options in gallery.CREDENTIALS.values():
        for variable in options.values():
            monkeypatch.delenv(variable, raising=False)
    return tmp_path / "home"


@pytest.fixture
def booru(home):
    with Booru() as served:
        folder = home / ".config" / "gallery-dl"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"extractor": {
            "moebooru": {"loop": {"root": served.address}}, "retries": 0, "sleep-request": 0}}))
        yield served


def bring(project, address, progress=None, **options):
    settings = ImportSettings.make(source=address, kind="gallery", gallery=options)
    return import_images(project, settings, *([progress] if progress else []))


@pytest.mark.slow
def test_pictures_come_with_their_tags_as_captions(project, booru):
    report = bring(project, f"{booru.address}/post?tags=mika")
    items = list_items(project)
    assert (len(report.imported), report.captions, report.skipped) == (5, 5, [])
    assert sorted(item.caption for item in items)[0] == "mika (sea), ^_^, long hair, solo, number 0"
    assert project.info().sources == (f"{booru.address}/post?tags=mika",)
    assert [path.name for path in (project.hidden / "downloads").iterdir()] == [gallery.SEEN]


@pytest.mark.slow
def test_only_new_ones_are_fetched_the_next_time(project, booru):
    bring(project, f"{booru.address}/post?tags=mika")
    first = len(booru.fetched())
    report = bring(project, f"{booru.address}/post?tags=mika")
    assert report.sentence() == ('0 images imported, 5 fetched by an earlier import. Untick "Only new ones" to fetch them again.')
    assert len(booru.fetched()) == first
    booru.posts.append(("new_one", png_bytes((200, 200, 0)), "png"))
    assert len(bring(project, f"{booru.address}/post?tags=mika").imported) == 1
    report = bring(project, f"{booru.address}/post?tags=mika", skip_seen=False)
    assert (len(report.imported), len(report.already)) == (0, 6)


def test_a_range_is_kept_to_and_videos_are_left_out(project, booru):
    booru.posts.insert(1, ("film", b"film", "mp4"))
    report = bring(project, f"{booru.address}/post?tags=mika", range="1-3")
    assert len(report.imported) in (2, 3) and not [path for path in booru.fetched() if path.endswith(".mp4")]


def test_progress_follows_what_gallery_dl_prints(project, booru):
    steps = []

    class Watch(Progress):
        def report_step(self, item: str) -> None:
            if self.what == "Fetching pictures":
                steps.append((self.done, self.total, item))

    bring(project, f"{booru.address}/post?tags=mika", Watch(), range="1-5")
    assert [(done, total) for done, total, _ in steps] == [(number, 5) for number in range(1, 6)] and steps[0][2].endswith(".png")


@pytest.mark.slow
def test_a_cancel_ends_gallery_dl_and_what_came_is_gone_on_with(project, booru):
    booru.slow = 0.3

    class Stop(Progress):
        def report_step(self, item: str) -> None:
            if self.what == "Fetching pictures" and self.done == 2:
                self.cancel()

    begun = time.monotonic()
    with pytest.raises(Cancelled):
        bring(project, f"{booru.address}/post?tags=mika", Stop())
    assert time.monotonic() - begun < 15 and list_items(project) == []
    assert not subprocess.run(["pgrep", "-f", booru.address], capture_output=True, check=False).stdout
    booru.slow = 0.0
    before = set(booru.fetched()[:2])
    booru.asked.clear()
    report = bring(project, f"{booru.address}/post?tags=mika")
    assert len(report.imported) == 5 and report.captions == 5 and not before & set(booru.fetched())


@pytest.mark.slow
def test_a_kill_in_the_middle_loses_nothing(project, booru):
    booru.slow = 0.2
    code = ("import sys; from core.dataset.manager import DatasetManager; "
            "DatasetManager.open(sys.argv[1]).import_from(sys.argv[2], kind='gallery')")
    process = subprocess.Popen([sys.executable, "-c", code, str(project.folder), f"{booru.address}/post?tags=mika"], cwd=ROOT,
                               start_new_session=True)
    deadline = time.monotonic() + 60
    while len(booru.fetched()) < 3 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    booru.slow = 0.0
    report = bring(project, f"{booru.address}/post?tags=mika")
    assert (len(report.imported), report.captions) == (5, 5)
    assert all(item.caption for item in list_items(project))


def test_a_key_of_the_environment_is_nowhere_on_the_disk_after_a_kill(project, booru, monkeypatch):
    booru.slow = 0.5
    monkeypatch.setenv("PIXIV_REFRESH_TOKEN", "verysecrettoken")
    code = ("import sys; from core.dataset.manager import DatasetManager; "
            "DatasetManager.open(sys.argv[1]).import_from(sys.argv[2], kind='gallery')")
    process = subprocess.Popen([sys.executable, "-c", code, str(project.folder), f"{booru.address}/post?tags=mika"], cwd=ROOT,
                               start_new_session=True)
    deadline = time.monotonic() + 60
    while len(booru.fetched()) < 2 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert booru.fetched()
    assert not [path for path in project.folder.rglob("*") if path.is_file() and b"verysecrettoken" in path.read_bytes()]


@pytest.mark.slow
def test_what_an_import_skipped_comes_in_when_it_is_run_again_with_other_settings(project, booru):
    booru.posts.insert(2, ("small_one", png_bytes((0, 0, 200), size=(20, 20)), "png"))
    address = f"{booru.address}/post?tags=mika"
    assert [one.reason for one in bring(project, address).skipped] == ["It has 20 x 20 pixels; the shorter side must be at least 32."]
    files = [path for path in (project.hidden / "downloads").rglob("*") if path.suffix in (".png", ".txt")]
    assert len(files) == 2, "what came in is not kept twice"
    before = len(booru.fetched())
    settings = ImportSettings.make(source=address, kind="gallery", min_side=16)
    report = import_images(project, settings)
    assert (len(report.imported), report.captions, report.known, report.skipped) == (1, 1, 5, [])
    assert len(booru.fetched()) == before
    assert "small one" in [item.caption for item in list_items(project)]
    assert [path.name for path in (project.hidden / "downloads").iterdir()] == [gallery.SEEN]


def test_what_a_cancelled_import_left_is_taken_away_when_nobody_goes_on_with_it(project, booru):
    class Stop(Progress):
        def report_step(self, item: str) -> None:
            self.cancel()

    with pytest.raises(Cancelled):
        bring(project, f"{booru.address}/post?tags=left", Stop())
    left, = (path for path in (project.hidden / "downloads").iterdir() if path.is_dir())
    (left / "gallery-dl.json").write_text("keys, as an earlier version left them when it was killed")
    bring(project, f"{booru.address}/post?tags=mika")
    assert left.is_dir() and not (left / "gallery-dl.json").exists()
    os.utime(left, (time.time() - 15 * 24 * 3600,) * 2)
    bring(project, f"{booru.address}/post?tags=mika")
    assert not left.exists()


def test_an_address_that_nobody_knows_a_missing_page_and_nothing_found_are_told_in_words(project, booru):
    with pytest.raises(DatasetError, match="it does not know this address"):
        bring(project, "https://127.0.0.1:1/nothing/here")
    with pytest.raises(DatasetError, match="nothing was found|answered with an error"):
        bring(project, f"{booru.address}/missing/picture.png")
    booru.posts.clear()
    with pytest.raises(DatasetError, match="holds no images"):
        bring(project, f"{booru.address}/post?tags=nobody")


def test_what_came_before_an_error_is_kept_and_said(project, booru):
    booru.pages["/post.json"] = lambda path: booru._list(path) if len(booru.asked) == 1 else Page(b"[]", 500)
    data = booru.posts[2][1]
    booru.posts[2] = (booru.posts[2][0], data, "png")
    first = booru._list("")
    booru.pages["/post.json"] = first
    booru.pages[f"/image/{hashlib.md5(data).hexdigest()}.png"] = Page(status=404)
    report = bring(project, f"{booru.address}/post?tags=mika")
    assert len(report.imported) == 4 and report.skipped[0].name == "gallery-dl" and "ended early" in report.skipped[0].reason


def test_gelbooru_says_what_it_needs_before_anything_starts(project, home, monkeypatch):
    with pytest.raises(ConfigError, match=r"api-key and user-id are not set\. .*GELBOORU_API_KEY"):
        bring(project, "1girl solo", site="gelbooru")
    with pytest.raises(ConfigError, match="api-key and user-id"):
        check_credentials("https://www.gelbooru.com/index.php?page=post&s=list&tags=a")
    monkeypatch.setenv("GELBOORU_API_KEY", "k")
    with pytest.raises(ConfigError, match="user-id is not set"):
        check_credentials("https://gelbooru.com/index.php")
    monkeypatch.setenv("GELBOORU_USER_ID", "7")
    check_credentials("https://gelbooru.com/index.php")


def test_gelboorus_key_may_stand_in_gallery_dls_own_configuration(home, tmp_path):
    (home / ".config" / "gallery-dl").mkdir(parents=True)
    config = home / ".config" / "gallery-dl" / "config.json"
    config.write_text('{"extractor": {"gelbooru": {"api-key": "k", "user-id": "7"}}}')
    check_credentials("https://gelbooru.com/index.php")
    config.write_text("{broken")
    with pytest.raises(ConfigError, match="config.json, gallery-dl's configuration, is not valid JSON"):
        check_credentials("https://gelbooru.com/index.php")


TELL = """
import pathlib, sys
print(pathlib.Path(sys.argv[1]).read_text())
"""


class Told(Progress):
    """Keeps what the process printed last."""

    words = ""

    def report_step(self, item: str) -> None:
        Told.words = item


def test_keys_go_to_gallery_dl_through_a_pipe_never_into_arguments(project, booru, monkeypatch):
    monkeypatch.setenv("GELBOORU_API_KEY", "verysecretkey")
    monkeypatch.setenv("GELBOORU_USER_ID", "4711")
    seen = []
    original = gallery.GallerySource._command

    def look(self, settings: str) -> list[str]:
        seen.extend(original(self, settings))
        return [sys.executable, "-c", TELL, settings]

    with monkeypatch.context() as patch:
        patch.setattr(gallery.GallerySource, "_command", look)
        with pytest.raises(DatasetError, match="holds no images"):
            bring(project, f"{booru.address}/post?tags=mika", Told(), range="1")
    assert json.loads(Told.words)["extractor"]["gelbooru"] == {"api-key": "verysecretkey", "user-id": "4711"}
    assert not any("verysecretkey" in word for word in seen)
    assert without_secrets("see https://[::1/x?key=abc now") == "see https://… now"
    assert without_secrets("401 for 'https://x/?api_key=abc&page=2' verysecretkey") == "401 for 'https://x/?api_key=***&page=2' …"


def test_without_gallery_dl_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(gallery.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(gallery.shutil, "which", lambda name: None)
    with pytest.raises(MissingDependency, match="installer.py --with sources"):
        gallery.find_program()


@pytest.mark.parametrize(("text", "site", "address"), [
    ("1girl rating:general", "gelbooru", "https://gelbooru.com/index.php?page=post&s=list&tags=1girl+rating:general"),
    ("a&b=c #x", "yandere", "https://yande.re/post?tags=a%26b%3Dc+%23x"), ("猫", "pixiv", "https://www.pixiv.net/tags/%E7%8C%AB/artworks"),
    ("123", "pixiv", "https://www.pixiv.net/users/123/artworks"), ("https://x.org/y", "danbooru", "https://x.org/y")])
def test_tags_become_the_sites_own_address(text, site, address):
    assert gallery_address(text, site) == address


@pytest.mark.slow
@pytest.mark.parametrize("site", gallery.SITES)
def test_gallery_dl_knows_the_address_of_every_site(site):
    pytest.importorskip("gallery_dl")
    found = subprocess.run([*gallery.find_program(), "--config-ignore", "-E", "--", gallery_address("cat", site)], capture_output=True,
                           text=True, timeout=60, check=False)
    assert found.returncode == 0 and f'"{site}" / "' in found.stdout


@pytest.mark.parametrize("text", ["--config=/etc/passwd", "1girl", "ytdl:x", ""])
def test_what_is_no_address_never_reaches_gallery_dl(text):
    with pytest.raises(ConfigError):
        gallery_address(text, "address")


def test_underscores_become_spaces_but_faces_stay():
    assert [tag_words(tag) for tag in ("long_hair", "^_^", "o_o", ">_<", "mika_(sea)", "a_b_c")] == [
        "long hair", "^_^", "o_o", ">_<", "mika (sea)", "a b c"]
