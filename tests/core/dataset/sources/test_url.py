"""One file on the web: fetched in pieces, continued, refused in words."""

import errno
import http.client
import io
import json
import random
import shutil
import ssl
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from core.base.errors import Cancelled, DatasetError, DiskError
from core.base.http import SPARE, shown_address
from core.base.jobs import start_job
from core.base.progress import Progress
from core.dataset.items import list_items
from core.dataset.sources import download as module
from core.dataset.sources import source_kind
from core.dataset.sources.download import download
from core.dataset.sources.import_settings import ImportSettings
from core.dataset.sources.importing import import_images
from tests.core.dataset.small_things import png_bytes
from tests.core.dataset.sources.web import Page, Web


@pytest.fixture
def web():
    with Web() as served:
        yield served


def packed(count: int = 3, padding: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(count):
            archive.writestr(f"set/{number}.png", png_bytes((number, 0, 0)))
            archive.writestr(f"set/{number}.txt", f"tag {number}")
        archive.writestr("padding.bin", random.Random(1).randbytes(padding))
    return buffer.getvalue()


def bring(project, address, progress=None, **settings):
    return import_images(project, ImportSettings.make(source=address, **settings), *([progress] if progress else []))


def downloads(project) -> list[str]:
    folder = project.hidden / "downloads"
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def test_an_archive_behind_an_address_brings_its_pictures_and_captions(project, web):
    web.pages["/pack"] = Page(packed(), headers={"Content-Disposition": 'attachment; filename="My cats.zip"'})
    report = bring(project, f"{web.address}/pack")
    assert (len(report.imported), report.captions, report.skipped) == (3, 3, [])
    assert {item.id: item.caption for item in list_items(project)} == {"0": "tag 0", "1": "tag 1", "2": "tag 2"}
    assert project.info().sources == (f"{web.address}/pack",)
    assert downloads(project) == []
    again = bring(project, f"{web.address}/pack")
    assert (len(again.imported), len(again.already)) == (0, 3)


def test_a_tar_behind_a_redirect_and_one_picture_come_too(project, web):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("a.png")
        data = png_bytes((1, 2, 3))
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    web.pages["/old"] = Page(status=302, headers={"Location": "/new%20place.tar.gz"})
    web.pages["/new%20place.tar.gz"] = Page(buffer.getvalue())
    web.pages["/pic/b%20c.png"] = Page(png_bytes((9, 9, 9)))
    bring(project, f"{web.address}/old")
    bring(project, f"{web.address}/pic/b c.png?token=secret123&size=2")
    assert sorted(item.id for item in list_items(project)) == ["a", "b c"]
    everything = "".join(path.read_text(encoding="utf-8", errors="replace") for path in project.folder.rglob("*")
                         if path.suffix in (".toml", ".jsonl"))
    assert "secret123" not in everything and "size=2" in everything


@pytest.mark.parametrize(("header", "name"), [
    ('attachment; filename="../../etc/passwd"', "passwd"), ("attachment; filename*=UTF-8''%E7%8C%AB.png", "猫.png"),
    ('attachment; filename="C:\\\\x\\\\con.zip"', "_con.zip"), ('attachment; filename="..."', "download"), ("inline", "the-end.zip"),
    ('attachment; filename="a\r\n b.zip"', "a b.zip")])
def test_the_servers_name_is_made_safe(tmp_path, web, header, name):
    web.pages["/x/the-end.zip"] = Page(b"PK", headers={"Content-Disposition": header.replace("\r\n", "")})
    file, said = download(f"{web.address}/x/the-end.zip", tmp_path / "d", 1000)
    assert said == name and file == tmp_path / "d" / "whole" / name and file.read_bytes() == b"PK"


def test_a_connection_that_breaks_off_is_taken_up_where_it_stopped(project, web, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 50_000)
    body = packed(3, padding=900_000)
    web.pages["/pack.zip"] = Page(body, headers={"ETag": '"one"'}, cut=300_000, cuts=2)
    assert len(bring(project, f"{web.address}/pack.zip").imported) == 3
    parts = [headers.get("range") for _, headers in web.asked]
    assert parts[0] is None and len(parts) == 3 and all(int(part.strip("bytes=-")) >= 250_000 for part in parts[1:])


def test_a_server_that_gives_no_parts_is_asked_anew(tmp_path, web):
    body = random.Random(2).randbytes(200_000)
    web.pages["/a"] = Page(body, headers={"ETag": '"one"'}, cut=90_000, cuts=1, ranges=False)
    assert download(f"{web.address}/a", tmp_path / "d", 10**6)[0].read_bytes() == body


def test_a_file_that_changed_meanwhile_is_never_sewn_together(tmp_path, web):
    new = random.Random(4).randbytes(200_000)

    def changing(_: str) -> Page:
        old = len(web.asked) == 1
        return Page(random.Random(3).randbytes(300_000) if old else new, headers={"ETag": '"old"' if old else '"new"'},
                    cut=100_000, cuts=1 if old else 0)

    web.pages["/a"] = changing
    assert download(f"{web.address}/a", tmp_path / "d", 10**6)[0].read_bytes() == new


@pytest.mark.parametrize(("size", "tag", "said"), [(300_000, '"old"', ""), (200_000, '"new"', ""), (200_000, '"old"', "bytes *"),
                                                   (200_000, '"old"', "bytes 1-199999/200000")])
def test_a_server_that_gives_a_part_of_another_file_all_the_same_is_asked_for_the_whole(tmp_path, web, monkeypatch, size, tag, said):
    monkeypatch.setattr(module, "pause", lambda seconds, progress: None)
    new = random.Random(4).randbytes(size)
    pages = iter([Page(random.Random(3).randbytes(200_000), headers={"ETag": '"old"'}, cut=100_000, cuts=1)])
    web.pages["/a"] = lambda _: next(pages, Page(new, headers={"ETag": tag}, if_range=False, content_range=said))
    assert download(f"{web.address}/a", tmp_path / "d", 10**6)[0].read_bytes() == new
    assert ["range" in headers for _, headers in web.asked] == [False, True, False]


def test_a_server_that_gives_short_parts_is_asked_until_all_is_there(tmp_path, web, monkeypatch):
    monkeypatch.setattr(module, "pause", lambda seconds, progress: None)
    body = random.Random(5).randbytes(200_000)
    web.pages["/a"] = Page(body, headers={"ETag": '"one"'}, cut=50_000, cuts=1, longest=40_000)
    assert download(f"{web.address}/a", tmp_path / "d", 10**6)[0].read_bytes() == body


def test_a_cancelled_download_goes_on_with_the_next_import(project, web, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 20_000)
    monkeypatch.setattr(module, "SMALL", 1000)

    class Stop(Progress):
        def report_step(self, item: str) -> None:
            if self.what.startswith("Downloading") and self.done == 20:
                self.cancel()

    web.pages["/pack.zip"] = Page(packed(3, padding=900_000), headers={"Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT"})
    with pytest.raises(Cancelled):
        bring(project, f"{web.address}/pack.zip", Stop())
    assert list_items(project) == [] and len(downloads(project)) == 1
    assert len(bring(project, f"{web.address}/pack.zip").imported) == 3
    assert web.asked[-1][1]["range"] == "bytes=400000-" and downloads(project) == []


def test_what_was_fetched_whole_is_not_fetched_again_when_the_import_was_stopped(project, web, monkeypatch):
    monkeypatch.setattr(module, "SMALL", 10)

    class Stop(Progress):
        def report_step(self, item: str) -> None:
            if self.what == "Importing":
                self.cancel()

    web.pages["/pack.zip"] = Page(packed(3))
    with pytest.raises(Cancelled):
        bring(project, f"{web.address}/pack.zip", Stop())
    assert len(bring(project, f"{web.address}/pack.zip").already) == 1
    assert len(web.asked) == 1


def test_an_archive_that_came_damaged_is_fetched_again_and_called_by_its_address(project, web, monkeypatch):
    monkeypatch.setattr(module, "SMALL", 10)
    whole = packed(3, padding=5000)
    web.pages["/pack"] = Page(whole[:-60] + bytes(38) + whole[-22:])
    with pytest.raises(DatasetError, match=f"{web.address}/pack is damaged") as told:
        bring(project, f"{web.address}/pack")
    assert str(project.folder) not in str(told.value) and downloads(project) == []
    web.pages["/pack"] = Page(whole)
    assert len(bring(project, f"{web.address}/pack").imported) == 3


def test_a_server_that_hangs_up_every_time_is_given_up_in_words(tmp_path, web, monkeypatch):
    monkeypatch.setattr(module, "pause", lambda seconds, progress: None)
    web.pages["/busy"] = Page(status=503)
    with pytest.raises(DatasetError, match="lost again and again"):
        download(f"{web.address}/busy", tmp_path / "d", 1000)
    assert len(web.asked) == module.TRIES


@pytest.mark.parametrize(("path", "words"), [
    ("/none.zip", r"none.zip is not there \(404\)"), ("/page", "gives a web page"), ("/lie.zip", "gives a web page"),
    ("/locked", r"may not be read \(403"), ("/film.mp4", "neither a zip or tar archive nor a picture"), ("/away", "leads to ftp://"),
    ("/loop", "could not be read")])
def test_what_is_no_archive_and_no_picture_is_refused_in_words(project, web, path, words):
    page = b"<!DOCTYPE html><html>please log in</html>"
    web.pages["/page"] = Page(page, headers={"Content-Type": "text/html; charset=utf-8"})
    web.pages["/lie.zip"] = Page(page, headers={"Content-Type": "application/zip"})
    web.pages["/locked"] = Page(status=403)
    web.pages["/film.mp4"] = Page(b"\0\0\0\x20ftypisom" + bytes(50))
    web.pages["/away"] = Page(status=301, headers={"Location": "ftp://127.0.0.1/x"})
    web.pages["/loop"] = Page(status=302, headers={"Location": "/loop"})
    with pytest.raises(DatasetError, match=words):
        bring(project, web.address + path)
    assert list_items(project) == [] and project.info().sources == ()


@pytest.mark.parametrize("kind", ["url", "huggingface", "gallery"])
def test_a_password_is_refused_whatever_the_kind_of_source_and_not_repeated(project, kind):
    with pytest.raises(DatasetError, match="holds a password") as refused:
        bring(project, "https://me:s3cret@127.0.0.1/a/b", kind=kind)
    assert "s3cret" not in str(refused.value)


def test_other_schemes_passwords_and_closed_ports_are_refused_in_words(project):
    with pytest.raises(DatasetError, match="ftp:// cannot be read"):
        bring(project, "ftp://127.0.0.1/a.zip")
    with pytest.raises(DatasetError, match="file:// cannot be read"):
        bring(project, "file:///etc/passwd")
    with pytest.raises(DatasetError, match="no address of a file"):
        bring(project, "file:///etc/passwd", kind="url")
    with pytest.raises(DatasetError, match="holds a password") as refused:
        bring(project, "http://me:secret@127.0.0.1/a.zip")
    assert "secret" not in str(refused.value)
    with pytest.raises(DatasetError, match="could not be reached"):
        bring(project, "http://127.0.0.1:9/a.zip")


@pytest.mark.parametrize("said", [True, False])
def test_a_file_over_the_limit_is_refused(tmp_path, web, said):
    web.pages["/big"] = Page(bytes(3_000_000), length=said)
    with pytest.raises(DatasetError, match="larger than"):
        download(f"{web.address}/big", tmp_path / "d", 2_000_000)
    assert not (tmp_path / "d" / "content.part").exists() or (tmp_path / "d" / "content.part").stat().st_size <= 2_000_000


def test_a_full_disk_is_said_before_anything_is_fetched(tmp_path, web, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=SPARE + 1000))
    web.pages["/big"] = Page(bytes(2000))
    with pytest.raises(DiskError, match="No space left for big"):
        download(f"{web.address}/big", tmp_path / "d", 10**6)
    assert not (tmp_path / "d" / "content.part").exists()


def test_a_token_stays_with_its_host(tmp_path, web):
    with Web() as other:
        other.pages["/cdn"] = Page(b"x")
        web.pages["/here"] = Page(status=307, headers={"Location": "/there"})
        web.pages["/there"] = Page(status=302, headers={"Location": f"{other.address}/cdn"})
        download(f"{web.address}/here", tmp_path / "d", 100, token="hf_abc")
    assert [headers.get("authorization") for _, headers in web.asked] == ["Bearer hf_abc"] * 2
    assert [headers.get("authorization") for _, headers in other.asked] == [None]


def test_half_a_note_beside_a_download_does_no_harm(tmp_path, web):
    web.pages["/a"] = Page(b"whole")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "download.json").write_text('{"name": "a')
    (tmp_path / "d" / "content.part").write_bytes(b"something else")
    assert download(f"{web.address}/a", tmp_path / "d", 100)[0].read_bytes() == b"whole"


@pytest.mark.parametrize(("page", "ends"), [("/pack.zip", "done"), ("/gone.zip", "failed")])
def test_a_job_writes_no_secret_of_an_address_down_for_longer_than_it_needs_it(project, web, page, ends):
    web.pages["/pack.zip"] = Page(packed())
    job = start_job(project.folder, "import", {"source": f"{web.address}{page}?jwt=s3cretvalue&size=2&sig=s3cretvalue"})
    assert (job.folder / "settings.json").stat().st_mode & 0o777 == 0o600
    end = time.monotonic() + 60
    while not job.status().ended and time.monotonic() < end:
        time.sleep(0.05)
    assert job.status().state == ends, job.status()
    told = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}
    assert [path for path, data in told.items() if b"s3cretvalue" in data] == []
    assert json.loads(told[job.folder / "settings.json"])["settings"]["source"] == f"{web.address}{page}?jwt=***&size=2&sig=***"
    assert (job.folder / "settings.json").stat().st_mode & 0o777 == 0o600
    assert "s3cretvalue" in web.asked[-1][0]


@pytest.mark.parametrize("source", ["/data/a?token=b", "1girl token:x", "hf://datasets/a/b"])
def test_what_is_no_address_is_kept_as_it_was_given(source):
    assert ImportSettings.make(source=source).to_keep().source == source
    assert ImportSettings.make(source="https://[me?token=b").to_keep().source == "https://***"


@pytest.mark.parametrize("field", ["jwt", "pwd", "code", "auth_code", "hm", "hmac", "bearer", "ticket", "sid", "otp", "access_token"])
def test_values_of_secret_fields_are_never_shown(field):
    assert shown_address(f"https://host/a?{field}=abc&decoder=2") == f"https://host/a?{field}=***&decoder=2"


def test_addresses_are_shown_without_secrets():
    shown = shown_address("https://me:pw@host/x.zip?api_key=k1&X-Amz-Signature=s2&page=3&token=t4#part")
    assert shown == "https://host/x.zip?api_key=***&X-Amz-Signature=***&page=3&token=***"


def test_the_kind_is_seen_from_the_address(tmp_path):
    kinds = [source_kind(text) for text in ("https://example.org/a.zip", "https://huggingface.co/datasets/a/b", "hf://datasets/a/b",
                                            "https://huggingface.co/datasets/a/b/resolve/main/x.zip", str(tmp_path))]
    assert kinds == ["url", "huggingface", "huggingface", "url", "folder"]


def test_a_job_can_carry_the_settings_as_plain_values():
    settings = ImportSettings.make(source="https://example.org/a.zip", url={"max_download": 2})
    assert ImportSettings.make(**json.loads(json.dumps(settings.model_dump(mode="json")))) == settings
    assert Path(settings.source).name == "a.zip"


@pytest.mark.parametrize("kind", ["auto", "url", "gallery", "huggingface"])
@pytest.mark.parametrize("address", ["http://[::1/x.zip", "https://127.0.0.1:abc/x.zip", "https://127.0.0.1:99999/x.zip"])
def test_an_address_whose_host_or_port_cannot_be_read_is_refused_at_once_in_words(project, monkeypatch, address, kind):
    monkeypatch.setattr(module, "pause", lambda *_: pytest.fail("tried again"))
    words = "is no data set or model" if kind == "huggingface" else "host or port of the address cannot be read"
    with pytest.raises(DatasetError, match=words):
        bring(project, address, kind=kind)


@pytest.mark.parametrize("target", ["http://127.0.0.1:abc/x", "http://[::1/x"])
def test_a_redirect_to_what_is_no_address_is_not_tried_again(tmp_path, web, monkeypatch, target):
    monkeypatch.setattr(module, "pause", lambda *_: pytest.fail("tried again"))
    web.pages["/a"] = Page(status=302, headers={"Location": target})
    with pytest.raises(DatasetError, match="is no address of a file"):
        download(f"{web.address}/a", tmp_path / "d", 1000)


@pytest.mark.parametrize("error", [ssl.SSLError("decryption failed"), OSError(errno.EHOSTUNREACH, "No route to host")])
def test_a_connection_that_fails_in_the_middle_of_reading_is_taken_up_again(tmp_path, web, monkeypatch, error):
    """Not every lost connection is a ConnectionError."""
    web.pages["/a"] = Page(b"whole", headers={"ETag": '"1"'})
    monkeypatch.setattr(module, "pause", lambda *_: None)
    original, failures = http.client.HTTPResponse.read, [error]

    def read(self, amount=None):
        if failures:
            raise failures.pop()
        return original(self, amount)

    monkeypatch.setattr(http.client.HTTPResponse, "read", read)
    assert download(f"{web.address}/a", tmp_path / "d", 1000)[0].read_bytes() == b"whole" and len(web.asked) == 2
