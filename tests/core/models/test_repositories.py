"""Repositories of several files come as a folder: only what is needed, the mark that all is there last, and a stop is obeyed."""

import pytest

from core.base.errors import Cancelled, ModelError
from core.base.progress import SILENT, Progress
from core.models.repositories import have_repository
from tests.core.models.fake_sites import Blob, weights

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def take(names):
    return [name for name in names if not name.endswith(".md")]


def have(folder, progress=SILENT):
    return have_repository(folder, "owner/name", COMMIT, take, "config.json", progress)


@pytest.fixture
def files(sites):
    files = {"README.md": Blob(b"x"), "config.json": Blob(b"{}"), "unet/model.safetensors": Blob(weights(("a",), 400_000)),
             "../outside.json": Blob(b"{}"), "unet/config.json": Blob(b"[]")}
    sites.repos["owner/name"] = files
    return files


def test_what_is_needed_comes_into_its_folder_and_is_not_fetched_again(sites, files, tmp_path):
    folder = have(tmp_path / "model")
    assert (folder / "unet/model.safetensors").read_bytes() == files["unet/model.safetensors"].data
    assert (folder / "config.json").read_bytes() == b"{}" and (folder / "unet/config.json").read_bytes() == b"[]"
    assert not (folder / "README.md").exists() and not (tmp_path / "outside.json").exists()
    asked = len(sites.hub.asked)
    assert have(folder) == folder and len(sites.hub.asked) == asked
    assert all(f"/{COMMIT}" in path for _, path, _ in sites.hub.asked)


class Stopping(Progress):
    """Stops when the weights come."""

    def report_start(self):
        if self.what.startswith("Downloading"):
            self.cancel()


def test_a_stop_leaves_no_folder_that_seems_whole_and_the_next_call_goes_on(files, tmp_path):
    with pytest.raises(Cancelled):
        have(tmp_path / "model", Stopping())
    assert not (tmp_path / "model/config.json").exists()
    assert (have(tmp_path / "model") / "config.json").exists()


def test_a_repository_without_weights_is_refused(sites, tmp_path):
    sites.repos["owner/name"] = {"config.json": Blob(b"{}")}
    with pytest.raises(ModelError, match="owner/name at 0123456789ab has no config.json, or no weights"):
        have(tmp_path / "model")


def test_where_the_site_cannot_be_reached_it_says_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError) as problem:
        have_repository(tmp_path / "model", "owner/name", COMMIT, take, "config.json", kind="segmenter")
    told = str(problem.value)
    assert "owner/name is not here: 127.0.0.1 could not be reached" in told and f"Put its files into {tmp_path / 'model'}" in told
    assert "'Found by' has three that need none" in told
