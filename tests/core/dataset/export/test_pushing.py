"""Sending an export to Hugging Face, as it speaks HTTP: private, gone on with, and the token nowhere but in its requests."""

import json
import time
from pathlib import Path

import pytest

from core.base import hub_writing
from core.base.errors import Cancelled, ConfigError, DatasetError
from core.base.hub_writing import HubError
from core.base.progress import Progress
from core.dataset.export import pushing
from core.dataset.export.manifest import MANIFEST
from core.dataset.export.pushing import PushSettings, push_export
from core.dataset.manager import DatasetManager
from core.dataset.rejecting import RejectSettings, reject_images
from core.job import run_job
from core.stages import run_stage
from tests.core.dataset.export.exports import caption, export, fill, names
from tests.core.training.finish.servers import Hub

REPO = "me/cats"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    for name in ("HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_good_token")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(hub_writing, "PAUSES", (0.01, 0.01))
    with Hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        server.large = (".png", ".jpg")
        yield server


@pytest.fixture
def filled(project):
    fill(project)
    return project


def push(project, progress=None, **values):
    return push_export(project, PushSettings.make(**{"repo_id": REPO, **values}), progress or Progress())


def there(hub) -> dict[str, bytes]:
    return {name: hub.stored[digest] for name, (_, digest, _) in hub.repositories[REPO].items()}


def test_the_whole_export_is_there_private_with_its_page(filled, hub):
    root = Path(export(filled, layout="imagefolder").folder)
    report = run_stage("push-export", filled.folder, {"repo_id": REPO, "licence": "cc-by-4.0", "about": "Drawn by me."})
    found = there(hub)
    assert set(found) == set(names(root)) - {MANIFEST} and hub.private == {REPO: True}
    assert all(found[name] == (root / name).read_bytes() for name in found if name != "README.md")
    page = found["README.md"].decode()
    assert page.startswith('---\nlicense: "cc-by-4.0"\ntask_categories: ["text-to-image"]\nsize_categories: ["n<1K"]\n')
    assert "Drawn by me." in page and "`mychar`" in page and "| Pictures | 4 |" in page
    assert report["summary"].startswith(f"The data set is at {hub.address}/datasets/{REPO} (private): {len(found)} files sent")
    assert {kind for method, path, _ in hub.asked if path == "/api/repos/create" for kind in [method]} == {"POST"}


def test_what_is_there_is_not_sent_again_and_only_what_changed_is(filled, hub):
    export(filled, layout="imagefolder")
    push(filled)
    commits = hub.commits
    assert push(filled).sent == [] and hub.commits == commits
    caption(filled, "plain", "mychar, other")
    export(filled, layout="imagefolder", sheets=False)
    report = push(filled)
    assert {"train/metadata.jsonl", "statistics.md"} <= set(report.sent) and not [name for name in report.sent if name.endswith(".png")]


def test_one_that_was_cut_off_goes_on_where_it_stopped(filled, hub, monkeypatch):
    monkeypatch.setattr(pushing, "MOST_FILES", 2)
    export(filled, layout="imagefolder")
    hub.failing_commits = 2
    with pytest.raises(HubError, match="The commit: .*"):
        push(filled)
    assert len(hub.repositories[REPO]) == 4
    hub.failing_commits = 0
    puts = len([1 for method, _, _ in hub.asked if method == "PUT"])
    report = push(filled)
    assert report.there == 4 and len(report.sent) + 4 == len(hub.repositories[REPO])
    again = [path for method, path, _ in hub.asked if method == "PUT"][puts:]
    assert len(again) == len(set(again)) and len(again) < puts + len(again)


def test_what_left_the_export_leaves_the_far_end_and_somebody_elses_files_stay(filled, hub):
    export(filled, layout="imagefolder")
    push(filled)
    hub.repositories[REPO]["train/by_hand.png"] = (1, "x", False)
    reject_images(filled, RejectSettings(images=("plain.png",)))
    export(filled, layout="imagefolder")
    report = push(filled)
    assert report.removed == ["train/plain.png"] and "train/by_hand.png" in hub.repositories[REPO]
    assert "train/plain.png" not in hub.repositories[REPO]


def test_a_cancel_between_two_commits_is_heard_and_gone_on_with(filled, hub, monkeypatch):
    monkeypatch.setattr(pushing, "MOST_FILES", 2)
    export(filled, layout="imagefolder")

    class Stop(Progress):
        def report_step(self, item):
            self.cancel()

    with pytest.raises(Cancelled):
        push(filled, Stop())
    assert len(hub.repositories[REPO]) == 2
    push(filled)
    assert "README.md" in hub.repositories[REPO]


@pytest.mark.parametrize(("token", "words"), [("hf_wrong_token", "does not accept the token"), ("hf_read_token", "no right to write")])
def test_a_token_that_is_wrong_or_may_not_write_is_told_and_never_shown(filled, hub, monkeypatch, token, words):
    monkeypatch.setenv("HF_TOKEN", token)
    export(filled, layout="imagefolder")
    with pytest.raises(HubError, match=words) as told:
        push(filled)
    assert token not in str(told.value)


def test_without_a_token_a_name_an_export_or_a_network_nothing_is_begun(filled, hub, monkeypatch):
    with pytest.raises(DatasetError, match="There is no export in .*Export for imagefolder first"):
        push(filled)
    export(filled, layout="imagefolder")
    with pytest.raises(ConfigError, match="No data set on Hugging Face is named"):
        push(filled, repo_id="")
    with pytest.raises(ConfigError, match="nothing to send"):
        push(filled, layout="in_place")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ConfigError, match="no token.*field Token"):
        push(filled)
    assert hub.asked == []
    monkeypatch.setenv("HF_TOKEN", "hf_good_token")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match="could not be reached.*goes on where it stopped"):
        push(filled)


def test_a_repository_that_everybody_can_see_is_refused_where_a_private_one_is_wished(filled, hub):
    hub.repositories[REPO], hub.private[REPO] = {}, False
    export(filled, layout="imagefolder")
    with pytest.raises(HubError, match="everybody can see it; nothing was uploaded"):
        push(filled)
    assert hub.repositories[REPO] == {}
    assert "everybody can see it" in push(filled, private=False).sentence()


def test_another_layout_is_sent_too_and_a_file_that_went_away_is_told(filled, hub):
    root = Path(export(filled).folder)
    (root / "img" / "50_mychar" / "plain.txt").unlink()
    with pytest.raises(DatasetError, match="1 file of the export went away, such as img/50_mychar/plain.txt; the others were sent"):
        push(filled, layout="kohya")
    assert "img/50_mychar/plain.png" in hub.repositories[REPO]


def test_the_token_of_the_panel_reaches_the_job_and_stands_in_no_file(filled, hub, monkeypatch):
    export(filled, layout="imagefolder")
    monkeypatch.delenv("HF_TOKEN")
    job = DatasetManager(filled).start_push(PushSettings.make(repo_id=REPO), "hf_good_token")
    deadline = time.monotonic() + 60
    while not job.status().ended and time.monotonic() < deadline:
        time.sleep(0.1)
    assert job.status().state == "done", job.log_tail()
    assert {key for _, path, key in hub.asked if path.startswith("/api/datasets")} == {"hf_good_token"}
    for path in filled.folder.rglob("*"):
        if path.is_file():
            assert b"hf_good_token" not in path.read_bytes(), path


def test_a_job_without_a_token_says_where_one_is_given(filled, hub, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    export(filled, layout="imagefolder")
    folder = tmp_path / "job"
    folder.mkdir()
    order = {"stage": "push-export", "project": str(filled.folder), "settings": {"repo_id": REPO}}
    (folder / "settings.json").write_text(json.dumps(order))
    assert run_job(folder) == 1 and "field Token" in (folder / "events.jsonl").read_text()


def test_a_wrong_name_or_licence_is_told():
    assert PushSettings.make(repo_id="https://huggingface.co/datasets/me/cats").repo_id == "me/cats"
    for values, words in (({"repo_id": "a b"}, "'a b' is not"), ({"licence": "My own: x"}, "Licence")):
        with pytest.raises(ConfigError, match=words):
            PushSettings.make(**values)
