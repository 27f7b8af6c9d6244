"""A Hugging Face repository on the loopback: the hub's own client lists it, and its pictures come in."""

import hashlib
import io
import json
import shutil
import zipfile
from dataclasses import replace
from urllib.parse import unquote

import pytest

from core.base.errors import Cancelled, DatasetError, DiskError
from core.base.http import SPARE
from core.base.progress import Progress
from core.dataset.items import list_items
from core.dataset.sources import download, huggingface
from core.dataset.sources.huggingface import parse_repo
from core.dataset.sources.import_settings import ImportSettings
from core.dataset.sources.importing import import_images
from tests.core.dataset.small_things import png_bytes
from tests.core.dataset.sources.web import Page, Web

COMMIT = "c" * 40


class Hub(Web):
    """A hub with one repository, me/cats."""

    def __init__(self, files: dict[str, bytes], kind: str = "datasets", token: str = "") -> None:
        super().__init__()
        self.files, self.token = files, token
        self.pages[f"/api/{kind}/me/cats"] = self.pages[f"/api/{kind}/me/cats/revision/main"] = self._info
        self.pages[f"/api/{kind}/me/cats/tree/{COMMIT}"] = self._tree
        home = "/datasets/me/cats" if kind == "datasets" else "/me/cats"
        for path in files:
            self.pages[f"{home}/resolve/{COMMIT}/{path.replace(' ', '%20')}"] = self._file

    def _guarded(self, page: Page) -> Page:
        given = self.asked[-1][1].get("authorization", "")
        if self.token and given != f"Bearer {self.token}":
            return Page(b'{"error": "Repository not found"}', 401, {"X-Error-Code": "RepoNotFound", "Content-Type": "application/json"})
        return page

    def _info(self, _: str) -> Page:
        return self._guarded(Page(json.dumps({"id": "me/cats", "sha": COMMIT, "tags": [], "siblings": []}).encode(),
                                  headers={"Content-Type": "application/json"}))

    def _tree(self, _: str) -> Page:
        entries = []
        for path, data in self.files.items():
            entry = {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            if path.endswith((".zip", ".parquet")):
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            entries.append(entry)
        return self._guarded(Page(json.dumps([{"type": "directory", "path": "a", "oid": "0" * 40}, *entries]).encode(),
                                  headers={"Content-Type": "application/json"}))

    def _file(self, path: str) -> Page:
        return self._guarded(Page(self.files[unquote(path).split(f"/resolve/{COMMIT}/")[1]], headers={"ETag": '"x"'}))

    def fetched(self) -> list[str]:
        return [path.split(f"/{COMMIT}/")[1] for path, _ in self.asked if f"/resolve/{COMMIT}/" in path]


def packed(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(name, png_bytes((7, number, 7)))
            archive.writestr(name.replace(".png", ".txt"), f"from {name}")
    return buffer.getvalue()


def table(first: int, count: int, **columns) -> bytes:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pictures = [{"bytes": png_bytes((100 + first + number, 1, 1)), "path": f"p{first + number}.png"} for number in range(count)]
    buffer = io.BytesIO()
    parquet.write_table(arrow.table({"image": pictures, "label": [0] * count, **columns}), buffer)
    return buffer.getvalue()


@pytest.fixture
def serve(monkeypatch):
    """Starts a hub, and makes it the one that is asked."""
    hubs = []

    def start(files, **options) -> Hub:
        hub = Hub(files, **options).__enter__()
        hubs.append(hub)
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.setenv("HF_HOME", "/nonexistent")
        return hub

    yield start
    for hub in hubs:
        hub.__exit__()


def bring(project, source="me/cats", progress=None, **options):
    settings = ImportSettings.make(source=source, kind="huggingface", huggingface=options)
    return import_images(project, settings, *([progress] if progress else []))


def captions(project) -> dict[str, str]:
    return {item.id: item.caption for item in list_items(project)}


def test_pictures_come_with_text_files_and_with_the_captions_of_metadata(project, serve):
    rows = [{"file_name": "b 2.png", "text": "from the table"}, {"file_name": "c.png", "text": "not this"}, {"file_name": "d.png"}]
    hub = serve({"README.md": b"#", ".gitattributes": b"", "train/a.png": png_bytes((1, 0, 0)), "train/a.txt": b"beside",
                 "train/b 2.png": png_bytes((2, 0, 0)), "train/c.png": png_bytes((3, 0, 0)), "train/c.txt": b"text file wins",
                 "train/d.png": png_bytes((4, 0, 0)), "other/alone.txt": b"no picture",
                 "train/metadata.jsonl": "\n".join(map(json.dumps, rows)).encode()})
    report = bring(project)
    assert captions(project) == {"a": "beside", "b 2": "from the table", "c": "text file wins", "d": None}
    assert (len(report.imported), report.captions, report.skipped) == (4, 3, [])
    assert project.info().sources == ("hf://datasets/me/cats",)
    assert "README.md" not in hub.fetched() and "other/alone.txt" not in hub.fetched()
    assert list((project.hidden / "downloads").iterdir()) == []


def test_what_was_imported_is_not_fetched_again(project, serve):
    hub = serve({"a.png": png_bytes((1, 0, 0)), "b.png": png_bytes((2, 0, 0))})
    bring(project)
    hub.asked.clear()
    report = bring(project)
    assert (len(report.already), hub.fetched()) == (2, [])
    (project.images / "a.png").unlink()
    assert [image.source for image in bring(project).imported] == ["a.png"]
    assert hub.fetched() == ["a.png"]


def test_archives_and_tables_in_it_are_opened(project, serve):
    serve({"data/one.zip": packed("x.png", "y.png"), "data/two.zip": packed("x.png", "sub/z.png"),
           "data/train-00000-of-00001.parquet": table(0, 3, text=["zero", None, "two"])})
    report = bring(project)
    assert (len(report.imported), len(report.already)) == (5, 2)  # both archives hold the same two contents
    assert captions(project) == {"x": "from x.png", "y": "from y.png", "p0": "zero", "p1": None, "p2": "two"}


def test_tables_of_tag_lists_and_with_other_columns_are_read(project, serve):
    files = {"t.parquet": table(0, 2, words=[["red hair", "hat"], []], text=["no", "no"])}
    serve(files)
    bring(project, caption_column="words")
    assert captions(project) == {"p0": "red hair, hat", "p1": None}
    with pytest.raises(DatasetError, match=r"no column 'wrds'; its columns are image, label"):
        bring(project, caption_column="wrds")


def test_an_import_stopped_in_a_table_goes_on(project, serve):
    class Stop(Progress):
        def report_step(self, item: str) -> None:
            if "p40" in item:
                self.cancel()

    hub = serve({"0.parquet": table(0, 20), "1.parquet": table(20, 50)})
    with pytest.raises(Cancelled):
        bring(project, progress=Stop())
    assert len(list_items(project)) == 41
    hub.asked.clear()
    report = bring(project)
    assert (len(report.imported), len(report.already)) == (29, 21)
    assert hub.fetched() == ["1.parquet"]
    assert sorted(captions(project)) == sorted(f"p{number}" for number in range(70))


def test_what_could_not_be_read_is_asked_for_again_by_the_next_import(project, serve, monkeypatch):
    monkeypatch.setattr(download, "pause", lambda seconds, progress: None)
    hub = serve({"0.parquet": table(0, 2, text=["zero", "one"]), "a.zip": packed("x.png")})
    report = bring(project, caption_column="wrds")
    assert [item.name for item in report.skipped] == ["0.parquet"] and len(report.imported) == 1
    place = f"/datasets/me/cats/resolve/{COMMIT}/a.zip"
    healthy, hub.pages[place] = hub.pages[place], Page(status=503)
    (project.images / "x.png").unlink()
    report = bring(project)
    assert (len(report.imported), [item.name for item in report.skipped]) == (2, ["a.zip"])
    hub.pages[place] = healthy
    assert [image.source for image in bring(project).imported] == ["a.zip/x.png"]


def test_a_wrong_column_that_left_nothing_to_import_is_mended_by_the_right_one(project, serve, monkeypatch):
    monkeypatch.setattr(download, "SMALL", 100)
    hub = serve({"0.parquet": table(0, 2, text=["zero", "one"])})
    with pytest.raises(DatasetError, match="no column 'wrds'"):
        bring(project, caption_column="wrds")
    assert len(bring(project).imported) == 2 and captions(project) == {"p0": "zero", "p1": "one"}
    assert hub.fetched() == ["0.parquet"]


def test_a_table_that_came_damaged_is_fetched_again(project, serve):
    hub = serve({"0.parquet": table(0, 2)})
    place = f"/datasets/me/cats/resolve/{COMMIT}/0.parquet"
    healthy, hub.pages[place] = hub.pages[place], Page(bytes(len(hub.files["0.parquet"])), headers={"ETag": '"x"'})
    with pytest.raises(DatasetError, match="no parquet file"):
        bring(project)
    hub.pages[place] = healthy
    assert len(bring(project).imported) == 2


def test_part_of_an_archive_is_kept_when_the_connection_was_lost_again_and_again(project, serve, monkeypatch):
    for name, value in (("SMALL", 100), ("CHUNK", 500), ("pause", lambda seconds, progress: None)):
        monkeypatch.setattr(download, name, value)
    data = packed(*(f"{number}.png" for number in range(20)))
    hub = serve({"a.png": png_bytes((1, 0, 0)), "z.zip": data})
    pages = iter([Page(data, headers={"ETag": '"x"'}, cut=2000, cuts=1), *[Page(status=503)] * 5])
    hub.pages[f"/datasets/me/cats/resolve/{COMMIT}/z.zip"] = lambda _: next(pages, Page(data, headers={"ETag": '"x"'}))
    assert "goes on where it stopped" in str(bring(project).skipped[0].reason)
    assert len(bring(project).imported) == 20
    assert int(hub.asked[-1][1].get("range", "bytes=0-").strip("bytes=-")) >= 1000


def test_an_import_of_nothing_but_what_came_before_the_interruption_is_no_error(project, serve):
    class Stop(Progress):
        def report_step(self, item: str) -> None:
            if "p2" in item:
                self.cancel()

    serve({"0.parquet": table(0, 2), "1.parquet": table(2, 2)})
    with pytest.raises(Cancelled):
        bring(project, progress=Stop())
    assert bring(project, only="0.parquet").sentence() == "0 images imported, 2 fetched by an earlier import."


def test_pictures_of_archives_that_came_before_an_interruption_count(project, serve):
    class Stop(Progress):
        def report_step(self, item: str) -> None:
            if "p3" in item:
                self.cancel()

    serve({"0.parquet": table(0, 3), "1.parquet": table(3, 3), "2.parquet": table(6, 3)})
    with pytest.raises(Cancelled):
        bring(project, progress=Stop(), most=4)
    bring(project, most=4)
    assert sorted(captions(project)) == ["p0", "p1", "p2", "p3"]


def test_room_is_asked_only_for_pictures_that_must_be_fetched(project, serve, monkeypatch):
    serve({"a.png": png_bytes((1, 0, 0), size=(300, 300)), "b.png": png_bytes((2, 0, 0)), "c.png": png_bytes((3, 0, 0), size=(300, 300))})
    bring(project, only="a.png")
    usage = shutil.disk_usage(project.folder)
    monkeypatch.setattr(huggingface.shutil, "disk_usage", lambda path: usage._replace(free=SPARE + 300))
    assert len(bring(project, only="[ab].png").imported) == 1
    with pytest.raises(DiskError, match="No space left for the pictures of hf://datasets/me/cats"):
        bring(project)


def test_a_number_and_a_pattern_take_a_part(project, serve):
    hub = serve({**{f"train/{number}.png": png_bytes((number, 0, 0)) for number in range(9)}, "test/x.png": png_bytes((0, 9, 0)),
                 "train/0.txt": b"zero"})
    bring(project, only="train/*", most=3)
    assert captions(project) == {"0": "zero", "1": None, "2": None}
    assert "test/x.png" not in hub.fetched() and len(hub.fetched()) == 4


def test_masks_do_not_count_and_captions_in_json_are_fetched_where_nothing_else_says_one(project, serve):
    hub = serve({**{f"train/{number}.png": png_bytes((number, 0, 0)) for number in range(3)},
                 **{f"masks/{number}.png": png_bytes((255 - number,) * 3) for number in range(3)},
                 "train/0.txt": b"zero", "train/0.json": b'{"caption": "not me"}', "train/1.json": b'{"caption": "one"}',
                 "README.md": b"x"})
    report = bring(project, most=2)
    assert captions(project) == {"0": "zero", "1": "one"} and "train/0.json" not in hub.fetched() and "masks/2.png" not in hub.fetched()
    assert (report.masks, report.from_json, report.others, report.skipped) == (2, 1, {".json": 1, ".md": 1}, [])


def test_a_model_repository_and_a_folder_of_it_by_address(project, serve):
    serve({"samples/a.png": png_bytes((1, 0, 0)), "b.png": png_bytes((2, 0, 0))}, kind="models")
    bring(project, "https://huggingface.co/me/cats/tree/main/samples")
    assert list(captions(project)) == ["a"] and project.info().sources == ("hf://models/me/cats",)


def test_a_private_repository_needs_the_token_of_the_environment_which_is_never_kept(project, serve, monkeypatch):
    hub = serve({"a.png": png_bytes((1, 0, 0))}, token="hf_secret_token")
    with pytest.raises(DatasetError, match=r"or it is private\. .* set HF_TOKEN"):
        bring(project)
    monkeypatch.setenv("HF_TOKEN", "hf_secret_token")
    assert len(bring(project).imported) == 1
    assert hub.asked[-1][1]["authorization"] == "Bearer hf_secret_token"
    assert not [path for path in project.folder.rglob("*") if path.is_file() and b"hf_secret_token" in path.read_bytes()]


def test_what_cannot_be_read_is_skipped_and_the_rest_comes(project, serve):
    hub = serve({"a.png": b"no picture", "b.png": png_bytes((2, 0, 0)), "c.zip": b"no archive", "d.parquet": b"no table", "e.mp4": b"x",
                 "gone.png": b"x", "metadata.jsonl": b'{"file_name": "b.png", "text": "hat"}\n{broken'})
    hub.pages[f"/datasets/me/cats/resolve/{COMMIT}/gone.png"] = Page(b"", 404)
    report = bring(project)
    reasons = {item.name: item.reason for item in report.skipped}
    assert [image.source for image in report.imported] == ["b.png"]
    assert set(reasons) == {"a.png", "c.zip", "d.parquet", "e.mp4", "gone.png", "metadata.jsonl"}
    assert "(404)" in reasons["gone.png"] and "no parquet file" in reasons["d.parquet"] and "line 2 is no JSON" in reasons["metadata.jsonl"]


def test_an_unknown_repository_and_a_hub_that_is_away_are_told_in_words(project, serve, monkeypatch):
    serve({}, token="never")
    with pytest.raises(DatasetError, match="There is no dataset 'me/cats', or it is private"):
        bring(project)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DatasetError, match="could not be reached"):
        bring(project)


@pytest.mark.parametrize(("text", "kind", "name", "revision", "only"), [
    ("me/cats", "dataset", "me/cats", "", ""), ("hf://datasets/me/cats", "dataset", "me/cats", "", ""),
    ("hf://me/cats@v2/sub", "model", "me/cats", "v2", "sub"), ("https://huggingface.co/me/cats", "model", "me/cats", "", ""),
    ("https://huggingface.co/datasets/me/cats/tree/v1/a/b", "dataset", "me/cats", "v1", "a/b"),
    ("https://hf.co/datasets/me/cats/viewer/default/train", "dataset", "me/cats", "", ""),
    ("https://huggingface.co/datasets/me/cats?row=3", "dataset", "me/cats", "", "")])
def test_addresses_of_repositories_are_read(text, kind, name, revision, only):
    found = parse_repo(text)
    assert replace(found) == found and (found.kind, found.name, found.revision, found.only) == (kind, name, revision, only)


@pytest.mark.parametrize("text", ["", "https://huggingface.co/spaces/a/b", "a b/c", "../x", "me/ca ts"])
def test_what_is_no_repository_is_refused(text):
    with pytest.raises(DatasetError, match="no data set or model"):
        parse_repo(text)


@pytest.mark.parametrize("kind", ["files", "zip", "parquet"])
def test_captions_of_pictures_that_were_not_asked_for_are_nothing_to_tell_of(project, serve, kind):
    names = [f"a{number}" for number in range(6)]
    files = {"files": {f"{name}{ending}": data for number, name in enumerate(names)
                       for ending, data in ((".png", png_bytes((number, 0, 0))), (".txt", b"words"))},
             "zip": {"p.zip": packed(*(f"{name}.png" for name in names))}, "parquet": {"p.parquet": table(0, 6, text=names)}}
    serve(files[kind])
    report = bring(project, most=2)
    assert report.sentence() == "2 images imported, 2 captions." and report.skipped == []
