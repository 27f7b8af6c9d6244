"""A model comes whole, over several connections, goes on where it stopped, and its token goes to its own host only."""

import hashlib
import json
import random
import shutil
import threading
import time

import pytest

from core.base.errors import Cancelled, ConfigError, DiskError, ModelError
from core.base.http import SPARE
from core.base.progress import Progress
from core.models import download as module
from core.models import fetching, offers
from core.models.download import download_model
from core.models.settings import DownloadSettings
from tests.core.models.fake_sites import SDXL, Blob, weights

pytestmark = pytest.mark.slow


class Heard(Progress):
    """What was said, and a cancel after so many MiB."""

    def __init__(self, cancel_at=None):
        super().__init__()
        self.said, self.steps, self.cancel_at = [], [], cancel_at

    def note(self, message):
        self.said.append(message)

    def warn(self, message):
        self.said.append(message)

    def report_start(self):
        self.said.append(self.what)

    def report_step(self, item):
        self.steps.append((self.done, item))
        if self.cancel_at is not None and self.what.startswith("Downloading") and self.done >= self.cancel_at:
            self.cancel()


def fetch(models, address="", progress=None, **settings):
    return download_model(models, DownloadSettings.make(address=address, **settings), progress or Heard())


def blob_of(size=1_500_000, **more):
    return Blob(weights(SDXL, size), **more)


def on_hub(sites, blob, repo="maker/model", path="model.safetensors"):
    sites.repos.setdefault(repo, {})[path] = blob
    return blob


def ranges(sites):
    return [headers["range"] for _, _, headers in sites.cdn.asked if headers.get("range", "bytes=0-0") != "bytes=0-0"]


def test_a_model_of_hugging_face_comes_whole_over_several_connections_and_is_told(sites, models):
    blob = on_hub(sites, blob_of())
    report = fetch(models, "https://huggingface.co/maker/model/blob/main/model.safetensors", connections=4)
    file = report.files[0]
    assert (models / "model.safetensors").read_bytes() == blob.data
    assert (file.family, file.checked, file.already, file.size) == ("sdxl", True, False, len(blob.data))
    assert "a base model of the family Stable Diffusion XL; its SHA-256 is as published." in report.sentence()
    assert len(ranges(sites)) >= 4 and len({part.split("=")[1].split("-")[0] for part in ranges(sites)}) >= 4
    assert sorted(path.name for path in models.iterdir()) == [".download.lock", "model.safetensors"]


def test_a_model_that_is_here_already_is_not_fetched_again(sites, models):
    blob = on_hub(sites, blob_of())
    fetch(models, "maker/model")
    before = len(ranges(sites))
    report = fetch(models, "maker/model")
    assert report.files[0].already and len(ranges(sites)) == before
    (models / "model.safetensors").write_bytes(bytes(len(blob.data)))
    with pytest.raises(ModelError, match="is here already, but its SHA-256"):
        fetch(models, "maker/model")
    (models / "model.safetensors").write_bytes(b"another")
    with pytest.raises(ModelError, match="is here already, with 7 bytes"):
        fetch(models, "maker/model")
    assert (models / "model.safetensors").read_bytes() == b"another"
    assert fetch(models, "maker/model", save_as="mine.safetensors", folder="mine").files[0].path == str(models / "mine/mine.safetensors")


@pytest.mark.parametrize("site", ["hub", "civitai"])
def test_a_token_goes_to_its_own_host_and_never_to_where_that_leads(sites, models, monkeypatch, site):
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    monkeypatch.setenv("CIVITAI_API_TOKEN", "civ_good")
    blob = blob_of(cut=60_000, cuts=2, lasts=3)
    if site == "hub":
        sites.gated.add("maker/model")
        on_hub(sites, blob)
        fetch(models, "maker/model")
    else:
        sites.login.add("77")
        sites.versions["77"] = blob
        fetch(models, "https://civitai.com/api/download/models/77")
    own, token = (sites.hub, "hf_good") if site == "hub" else (sites.civitai, "civ_good")
    assert own.asked and all(headers["authorization"] == f"Bearer {token}" for _, _, headers in own.asked)
    for server in {sites.hub, sites.civitai, sites.cdn} - {own}:
        assert not any("authorization" in headers or "_good" in path for _, path, headers in server.asked)
    assert len(sites.cdn.asked) > 3
    assert not any("_good" in path.read_text("utf-8", "replace") for path in models.rglob("*") if path.is_file())


def test_no_token_is_sent_to_any_other_server(sites, models, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    monkeypatch.setenv("CIVITAI_API_TOKEN", "civ_good")
    address = sites.signed(blob_of(name="direct.safetensors"))
    assert fetch(models, address).files[0].name == "direct.safetensors"
    assert not any("authorization" in headers for _, _, headers in sites.cdn.asked)


def test_a_civitai_file_bears_the_name_its_api_gives_also_where_its_server_says_none(sites, models):
    sites.versions["290640"] = blob = blob_of()
    sites.models["257749"] = ["290640", "1"]
    blob.name = ""
    report = fetch(models, "https://civitai.com/models/257749/pony?modelVersionId=290640")
    assert report.files[0].name == "model.safetensors" and report.files[0].checked
    newest = fetch(models, "https://civitai.com/models/257749", save_as="again.safetensors").files[0]
    assert newest.name == "again.safetensors" and newest.size == len(blob.data)


def test_a_file_without_an_ending_gets_the_one_of_what_it_holds_and_is_known_again(sites, models):
    key = sites.signed(blob_of()).rsplit("/", 1)[-1].split("?")[0]
    name = f"{key}.safetensors"
    assert fetch(models, sites.signed(sites.blobs[key])).files[0].name == name
    assert fetch(models, sites.signed(sites.blobs[key])).files[0].already


def test_a_connection_that_breaks_off_is_taken_up_where_it_stopped(sites, models):
    blob = on_hub(sites, blob_of(cut=100_000, cuts=5))
    fetch(models, "maker/model", connections=3)
    assert (models / "model.safetensors").read_bytes() == blob.data
    asked = [tuple(map(int, part.removeprefix("bytes=").split("-"))) for part in ranges(sites)]
    assert sum(end - start + 1 for start, end in asked) < 2.5 * len(blob.data)  # nothing that came is asked for again, but its rest is


@pytest.mark.parametrize("size", ["said", "not said"])
def test_a_server_without_ranges_is_read_in_one_stream_and_anew_when_it_breaks_off(sites, models, size):
    blob = on_hub(sites, blob_of(ranges=False, cut=200_000, cuts=1 if size == "said" else 0, length=size == "said"))
    fetch(models, "maker/model")
    assert (models / "model.safetensors").read_bytes() == blob.data and ranges(sites) == []


def test_a_server_that_always_breaks_off_ends_with_a_sentence_and_keeps_the_part(sites, models, monkeypatch):
    monkeypatch.setattr(offers, "TRIES", 3)
    blob = on_hub(sites, blob_of(dead=True))
    with pytest.raises(ModelError, match="lost again and again .* it goes on where it stopped"):
        fetch(models, "maker/model", connections=2)
    assert (models / "model.safetensors.part").is_file()
    blob.dead = False
    assert fetch(models, "maker/model").files[0].checked


def test_a_cancel_keeps_the_part_and_the_next_download_goes_on_from_there(sites, models):
    blob = on_hub(sites, blob_of(4_000_000, per_second=400_000))
    with pytest.raises(Cancelled):
        fetch(models, "maker/model", Heard(cancel_at=1), connections=4)
    note = json.loads((models / "model.safetensors.part.json").read_text())
    left = sum(end - at for at, end in note["left"])
    assert 0 < left < len(blob.data) - 1_000_000 and not (models / "model.safetensors").exists()
    blob.per_second, before = 0, len(sites.cdn.asked)
    heard = Heard()
    fetch(models, "maker/model", heard)
    assert (models / "model.safetensors").read_bytes() == blob.data
    asked = [tuple(map(int, headers["range"].removeprefix("bytes=").split("-"))) for _, _, headers in sites.cdn.asked[before + 1:]]
    assert min(start for start, _ in asked) >= min(at for at, _ in note["left"])
    assert next(done for done, _ in heard.steps if done) >= 1


def test_a_part_of_another_version_is_not_gone_on_with(sites, models):
    blob = on_hub(sites, blob_of(3_000_000, per_second=400_000, published=False))
    with pytest.raises(Cancelled):
        fetch(models, "maker/model", Heard(cancel_at=1), connections=4)
    blob.data, blob.per_second = weights(SDXL, 3_000_000, seed=2), 0
    heard = Heard()
    fetch(models, "maker/model", heard)
    assert (models / "model.safetensors").read_bytes() == blob.data and any("another version" in said for said in heard.said)


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changes_while_it_comes_is_never_sewn_together(sites, models, if_range):
    blob = on_hub(sites, blob_of(2_000_000, per_second=1_000_000, published=False, cut=150_000, cuts=4, if_range=if_range))
    new = weights(SDXL, 2_000_000, seed=3)

    class Changing(Heard):
        def report_step(self, item):
            if self.what.startswith("Downloading") and blob.data is not new:
                blob.data = new

    fetch(models, "maker/model", Changing(), connections=2)
    assert (models / "model.safetensors").read_bytes() == new


def test_a_wrong_hash_is_set_aside_with_a_sentence(sites, models):
    on_hub(sites, blob_of(digest="ab" * 32))
    with pytest.raises(ModelError, match="abababababab… is published: it was damaged .* set aside as model.safetensors.not-as-published"):
        fetch(models, "maker/model")
    assert sorted(path.name for path in models.iterdir()) == [".download.lock", "model.safetensors.not-as-published"]


def test_a_hash_that_one_knows_is_checked_where_none_is_published(sites, models):
    blob = on_hub(sites, blob_of(published=False))
    with pytest.raises(ModelError, match="is published: it was damaged"):
        fetch(models, "maker/model", sha256="cd" * 32)
    assert fetch(models, "maker/model", sha256=hashlib.sha256(blob.data).hexdigest().upper()).files[0].checked
    blob.published = True
    with pytest.raises(ModelError, match="its makers replaced the file"):
        fetch(models, "maker/model", sha256="cd" * 32)


def test_without_room_nothing_is_fetched(sites, models, monkeypatch):
    on_hub(sites, blob_of())
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=SPARE + 1000))
    with pytest.raises(DiskError, match="No space left for model.safetensors: 1 MiB are needed"):
        fetch(models, "maker/model")
    assert ranges(sites) == []


def test_the_parts_of_a_model_count_when_room_is_looked_for(sites, models, monkeypatch):
    from core.models import catalog

    for name in ("a", "b"):
        on_hub(sites, blob_of(1_500_000), f"x/{name}", f"{name}.safetensors")
    named = {name: catalog.NamedModel(name, name, "sdxl", f"hf://x/{name}/{name}.safetensors", 1, "MIT", needs=needs)
             for name, needs in (("a", ("b",)), ("b", ()))}
    monkeypatch.setattr(catalog, "CATALOG", named)
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=SPARE + 2_000_000))
    with pytest.raises(DiskError, match="No space left for a.safetensors and its parts: 3 MiB are needed"):
        fetch(models, model="a")
    assert ranges(sites) == []


def test_a_server_that_allows_few_connections_is_made_do_with(sites, models):
    blob = on_hub(sites, blob_of(3_000_000, most=1, per_second=3_000_000))
    fetch(models, "maker/model", connections=6)
    assert (models / "model.safetensors").read_bytes() == blob.data
    assert 5 <= blob.turned_away <= 20  # the others give way instead of asking on and on


def test_a_signed_address_that_ran_out_is_asked_for_again(sites, models):
    blob = on_hub(sites, blob_of(cut=100_000, cuts=4, lasts=4))
    fetch(models, "maker/model", connections=2)
    assert (models / "model.safetensors").read_bytes() == blob.data
    assert sum(method == "GET" for method, _, _ in sites.hub.asked) >= 2


def test_a_slow_piece_is_shared_when_the_others_are_done(sites, models):
    blob = on_hub(sites, blob_of(1_000_000))
    fetch(models, "maker/model", connections=2)
    source = fetching.Segments([(0, 1_000_000)])
    first, second = source.take(), source.take()
    assert (first.at, first.end, second.at, second.end) == (0, 500_000, 500_000, 1_000_000)
    source.advance(first, 450_000)
    assert source.take().at == 750_000 and source.left == 550_000
    assert len(blob.data) > 0


def test_two_downloads_of_one_file_wait_for_each_other(sites, models):
    blob = on_hub(sites, blob_of(2_000_000, per_second=2_000_000))
    found = []
    threads = [threading.Thread(target=lambda: found.append(fetch(models, "maker/model").files[0].already)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == [False, True] and (models / "model.safetensors").read_bytes() == blob.data


def test_a_named_model_brings_its_parts_into_a_folder_of_their_own(sites, models, monkeypatch):
    from core.models import catalog

    on_hub(sites, blob_of(), "a/base", "base.safetensors")
    on_hub(sites, Blob(weights(("decoder.conv_in.weight",))), "a/parts", "ae.safetensors")
    named = {"base": catalog.NamedModel("base", "Base", "flux1", "hf://a/base/base.safetensors", 1, "MIT", needs=("ae",)),
             "ae": catalog.NamedModel("ae", "VAE", "flux1", "hf://a/parts/ae.safetensors", 1, "MIT", kind="vae",
                                      save_as="my_ae.safetensors")}
    monkeypatch.setattr(catalog, "CATALOG", named)
    report = fetch(models, model="base", with_parts=False)
    assert [file.name for file in report.files] == ["base.safetensors"]
    report = fetch(models, model="base")
    assert [(file.name, file.already) for file in report.files] == [("base.safetensors", True), ("my_ae.safetensors", False)]
    assert report.files[1].path == str(models / "components/my_ae.safetensors")
    assert report.files[1].about == "a VAE with 4 channels, not a base model"
    assert "Also my_ae.safetensors." in report.sentence()


@pytest.mark.parametrize(("settings", "sentence"), [
    ({}, "No address is given"), ({"model": "sdxl-1.0", "address": "a/b"}, "Both a named model"),
    ({"model": "sdxll"}, "No model is called")])
def test_what_is_asked_for_must_be_one_thing(models, settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        download_model(models, DownloadSettings.make(**settings))


def test_what_is_told_while_it_comes_is_the_speed(sites, models):
    on_hub(sites, blob_of(3_000_000, per_second=2_000_000))
    heard = Heard()
    fetch(models, "maker/model", heard, connections=2)
    assert any(item.endswith(" MiB/s") and not item.startswith("0.0") for _, item in heard.steps)
    assert heard.said[-2:] == ["Downloading model.safetensors (MiB)", "Checking model.safetensors (MiB)"]


def test_random_breaks_never_spoil_a_file(sites, models):
    dice = random.Random(5)
    blob = on_hub(sites, blob_of(2_500_000))
    began = time.monotonic()
    for number in range(6):
        blob.cut, blob.cuts = dice.randrange(20_000, 300_000), dice.randrange(1, 12)
        fetch(models, "maker/model", save_as=f"{number}.safetensors", connections=dice.randrange(1, 9))
        assert (models / f"{number}.safetensors").read_bytes() == blob.data
    assert time.monotonic() - began < 60 and module.CHANGES == 3
