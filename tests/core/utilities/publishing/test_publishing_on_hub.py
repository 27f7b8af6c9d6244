"""Publishing on Hugging Face, as it speaks HTTP: private, whole, gone on with, never over somebody's files, and its faults in words."""

import hashlib
import json
import os
import signal
import time

import pytest
import yaml

from core.base.cards import BEGIN, END, split_card
from core.base.errors import Cancelled, ConfigError
from core.base.hub_writing import HubError
from core.base.progress import Progress
from core.utilities.files.hashing import hashes_of
from core.utilities.manager import UtilitiesManager
from tests.core.utilities.publishing.conftest import SAID, make, publish, settings

REPO = "me/Mika"
ALL = {"mika.safetensors", "images/01.png", "images/02.png", "README.md"}


def there(hub, repo=REPO) -> dict[str, bytes]:
    return {name: hub.stored[digest] for name, (_, digest, _) in hub.repositories[repo].items()}


def page(hub, repo=REPO) -> str:
    return there(hub, repo)["README.md"].decode()


def puts(hub) -> list[str]:
    return [path for method, path, _ in hub.asked if method == "PUT"]


def test_the_lora_is_there_private_with_its_page_and_was_looked_at(mika, hub):
    report = publish(mika, description="A girl.", tags="anime")
    found = there(hub)
    assert set(found) == ALL and hub.private == {REPO: True} and b'"modelspec.description":"A girl."' in found["mika.safetensors"]
    assert report.place == f"{hub.address}/{REPO}" and report.private and {file.state for file in report.files} == {"sent"}
    assert report.sentence() == f"It is at {hub.address}/{REPO} (private): 4 files sent, each verified there."
    head = yaml.safe_load(split_card(page(hub))[0])
    assert head["license"] == "creativeml-openrail-m" and head["base_model"] == "stable-diffusion-v1-5/stable-diffusion-v1-5"
    assert head["tags"] == ["text-to-image", "lora", "diffusers", "template:sd-lora", "stable-diffusion", "anime"]
    assert head["instance_prompt"] == "mika" and head["widget"] == [
        {"text": "mika, smile", "parameters": {"negative_prompt": "bad hands"}, "output": {"url": "images/01.png"}},
        {"text": "mika", "output": {"url": "images/02.png"}}]
    published, text = hashlib.sha256(found["mika.safetensors"]).hexdigest(), page(hub)
    assert all(word in text for word in (
        "<Gallery />", "Write `mika` into the prompt", "| Learning rate | 0.0001 |", published[:10],
        hashes_of(mika).autov3, published, "<lora:mika:1>", f'load_lora_weights("{REPO}", weight_name="mika'))


def test_what_is_there_is_not_sent_again(mika, hub):
    publish(mika)
    commits, sent = hub.commits, len(puts(hub))
    report = publish(mika)
    assert {file.state for file in report.files} == {"there"} and (hub.commits, len(puts(hub))) == (commits, sent)
    report = publish(mika, strength=0.8)
    assert [file.name for file in report.files if file.state == "sent"] == ["README.md"] and "Usual strength: 0.8" in page(hub)


def test_somebodys_own_words_in_the_page_stay(mika, hub):
    publish(mika)
    old = page(hub).replace("tags: [", "language: en\nextra:\n- one\ntags: [\"mine\", ").replace(BEGIN, f"My words above.\n\n{BEGIN}")
    _, digest, _ = hub.repositories[REPO]["README.md"]
    hub.stored[digest] = f"{old}\nMy words below.\n".encode()
    publish(mika, description="New.")
    text = page(hub)
    head = yaml.safe_load(split_card(text)[0])
    assert head["language"] == "en" and head["extra"] == ["one"] and head["tags"][0] == "mine" and "lora" in head["tags"]
    assert "My words above." in text and text.rstrip().endswith("My words below.") and text.count(BEGIN) == text.count(END) == 1
    assert "New." in text and head["license"] == "creativeml-openrail-m"


def test_a_page_that_somebody_wrote_gets_our_part_below_it_when_that_is_asked_for(mika, hub):
    hub.stored["x" * 40], hub.private[REPO] = b"---\nlicense: mit\n---\n# My own page\n", True
    hub.repositories[REPO] = {"README.md": (36, "x" * 40, False), "other.safetensors": (1, "x" * 40, True)}
    with pytest.raises(ConfigError, match=r"is there already, with other files, such as other.safetensors; nothing was sent"):
        publish(mika)
    assert set(hub.repositories[REPO]) == {"README.md", "other.safetensors"}
    publish(mika, existing="update")
    text = page(hub)
    assert text.index("# My own page") < text.index(BEGIN) and "other.safetensors" in hub.repositories[REPO]
    assert yaml.safe_load(split_card(text)[0])["license"] == "creativeml-openrail-m"


def test_another_file_of_that_name_is_never_written_over_unasked(mika, hub):
    publish(mika)
    first = there(hub)["mika.safetensors"]
    make(mika, seed=7)
    with pytest.raises(ConfigError, match="has another mika.safetensors already and 2 more such files; nothing was sent.*choose 'update'"):
        publish(mika)
    assert there(hub)["mika.safetensors"] == first
    publish(mika, existing="update")
    assert there(hub)["mika.safetensors"] == mika.read_bytes() != first


def test_a_pull_request_changes_nothing_before_it_is_accepted_and_is_gone_on_with(mika, hub):
    hub.repositories["you/loras"], hub.private["you/loras"] = {"yours.safetensors": (1, "y" * 64, True)}, False
    report = publish(mika, repo_id="you/loras", pull_request=True)
    assert report.pull_request == f"{hub.address}/you/loras/discussions/1" and report.pull_request in report.sentence()
    assert set(hub.repositories["you/loras"]) == {"yours.safetensors"} and len(hub.pulls["you/loras"]) == 1
    assert set(hub.pulls["you/loras"][0]["files"]) == ALL | {"yours.safetensors"}
    hub.pulls["you/loras"][0]["files"].pop("images/01.png")
    hub.tokens["hf_good_token"].add("you")  # the author of a pull request may write to it
    again = publish(mika, repo_id="you/loras", pull_request=True)
    assert again.pull_request == report.pull_request and len(hub.pulls["you/loras"]) == 1
    assert [file.name for file in again.files if file.state == "sent"] == ["images/01.png"]
    hub.pulls["you/loras"][0]["status"] = "merged"
    assert publish(mika, repo_id="you/loras", pull_request=True).pull_request.endswith("/2")


@pytest.mark.parametrize("fault", ["cut", "500", "429"])
def test_a_connection_that_is_cut_or_a_bad_day_is_tried_again(mika, hub, fault):
    if fault == "cut":
        hub.cuts = ["/lfs/", "/commit/"]
    else:
        hub.errors = [("/preupload/", int(fault)), ("/commit/", int(fault)), ("/paths-info/", int(fault))]
    publish(mika)
    assert set(there(hub)) == ALL and there(hub)["mika.safetensors"] == mika.read_bytes() and hub.cuts == hub.errors == []


def test_one_that_was_cut_off_for_good_goes_on_where_it_stopped(mika, hub):
    hub.errors = [("/commit/", 500)] * 3
    with pytest.raises(HubError, match="The commit: .*what is there already is not sent again"):
        publish(mika)
    sent = len(puts(hub))
    assert hub.repositories[REPO] == {} and sent == 3
    publish(mika)
    assert set(there(hub)) == ALL and len(puts(hub)) == sent


@pytest.mark.slow
def test_a_killed_one_leaves_what_it_sent_and_the_next_goes_on(mika, hub):
    hub.delay = 0.4
    job = UtilitiesManager().start_publish("publish-lora", settings(mika), "hf_good_token")
    deadline = time.monotonic() + 60
    while not puts(hub) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(json.loads((job.folder / "process.json").read_text())["pid"], signal.SIGKILL)
    while not job.status().ended and time.monotonic() < deadline:
        time.sleep(0.05)
    assert job.status().state == "lost" and hub.repositories.get(REPO, {}) == {}
    hub.delay = 0
    time.sleep(0.5)  # what was on its way arrives
    before = len(hub.stored)
    assert before >= 1
    publish(mika)
    assert set(there(hub)) == ALL and len(puts(hub)) == 3


@pytest.mark.parametrize(("kind", "words"), [("gone", "is not there"), ("hash", "hash is another there"), ("size", "bytes there")])
def test_what_is_not_whole_at_the_far_end_is_told(mika, hub, kind, words):
    original = hub._commit

    def spoil(*given):
        hub.changed = {"mika.safetensors": kind}
        return original(*given)

    hub._commit = spoil
    with pytest.raises(HubError, match=f"not whole at the far end: mika.safetensors .*{words}"):
        publish(mika)


@pytest.mark.parametrize(("token", "words"), [("hf_wrong_token", "does not accept the token"), ("hf_read_token", "no right to write")])
def test_a_token_that_is_wrong_or_may_not_write_is_told_and_never_shown(mika, hub, monkeypatch, token, words):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(HubError, match=words) as told:
        publish(mika)
    assert token not in str(told.value) and hub.repositories.get(REPO, {}) == {}


def test_without_a_token_nothing_is_begun(mika, hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ConfigError, match="Nothing was published. There is no token.*field Token"):
        publish(mika)
    assert hub.asked == []


def test_a_name_that_belongs_to_somebody_else_is_refused(mika, hub):
    hub.repositories["you/mika"], hub.private["you/mika"] = {}, True
    with pytest.raises(HubError, match="no right to write"):
        publish(mika, repo_id="you/mika")
    assert hub.repositories["you/mika"] == {}


def test_a_repository_that_everybody_can_see_is_refused_where_a_private_one_is_wished(mika, hub):
    hub.repositories[REPO], hub.private[REPO] = {}, False
    with pytest.raises(HubError, match="everybody can see it; nothing was uploaded"):
        publish(mika)
    assert hub.repositories[REPO] == {} and "everybody can see it" in publish(mika, private=False).sentence()


def test_a_hub_that_cannot_be_reached_is_told(mika, hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="could not be reached.*not sent again"):
        publish(mika)


def test_a_cancel_is_heard_between_two_files(mika, hub):
    class Stop(Progress):
        def report_step(self, item):
            if self.what == "Sending":
                self.cancel()

    with pytest.raises(Cancelled):
        publish(mika, Stop())
    assert hub.repositories[REPO] == {} and len(puts(hub)) == 1


def test_the_copy_without_what_is_private_is_sent_and_its_hashes_are_told(mika, hub, tmp_path):
    make(mika, {**SAID, "ss_sd_model_name": "/home/anna/v1-5-pruned.safetensors"})
    publish(mika, to="folder")
    publish(mika)
    copy = mika.parent / "mika-civitai" / "mika.safetensors"
    assert there(hub)["mika.safetensors"] == copy.read_bytes() != mika.read_bytes()
    assert hashes_of(copy).sha256 in page(hub) and not any(b"anna" in data for data in there(hub).values())
    assert list((tmp_path / "loras").glob(".*publishing*")) == []
    assert {file.state for file in publish(mika).files} == {"there"}


def test_several_files_come_onto_one_page(mika, hub):
    epoch = make(mika.with_name("mika-000005.safetensors"), seed=3)
    publish(mika, further=(str(epoch),))
    assert {"mika.safetensors", "mika-000005.safetensors"} < set(there(hub)) and hashes_of(epoch).autov3 in page(hub)


def test_the_token_of_the_panel_reaches_the_job_and_stands_in_no_file(mika, hub, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    job = UtilitiesManager().start_publish("publish-lora", settings(mika), "hf_good_token")
    deadline = time.monotonic() + 60
    while not job.status().ended and time.monotonic() < deadline:
        time.sleep(0.05)
    assert job.status().state == "done", job.log_tail()
    assert set(there(hub)) == ALL and job.status().report["place"] == f"{hub.address}/{REPO}"
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"hf_good_token" not in path.read_bytes(), path
