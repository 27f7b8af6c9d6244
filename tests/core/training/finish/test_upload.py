"""Uploading: what is brought to the far end, and whether it is looked at there."""

import pytest

from core.base.errors import Cancelled, ConfigError, TrainingError
from core.base.progress import Progress
from core.training.finish.files import choose_files
from core.training.finish.upload import Uploader
from tests.core.training.finish.ended import ended_run, settings

EVERYTHING = {"upload_epochs": True, "upload_samples": True, "upload_state": True, "upload_report": True}


def bring(run, chosen=None, progress=None, tell=lambda files: None):
    chosen = chosen or settings()
    files = choose_files(run, chosen).files
    uploader = Uploader(run, chosen, progress or Progress())
    return uploader.verify(uploader.upload(files, tell), files)


def test_everything_that_was_chosen_is_there_under_the_runs_name_and_verified(tmp_path, hub):
    run = ended_run(tmp_path)
    told = []
    there = bring(run, settings(**EVERYTHING), tell=lambda files: told.append([file.state for file in files]))
    assert there.all_verified and hub.private == {"me/cats": True}
    names = {name.removeprefix(f"{run.id}/") for name in hub.repositories["me/cats"]}
    assert names == {"checkpoints/mochi.safetensors", "checkpoints/mochi-000001.safetensors", "samples/one.png", "report.html", "run.json",
                     "settings.toml", "config.toml", "dataset.toml",
                     "checkpoints/mochi-000001-state/model.safetensors", "checkpoints/mochi-000001-state/random_states_0.pkl",
                     "checkpoints/mochi-000001-state/train_state.json"}
    assert told[0][:2] == ["uploading", "waiting"] and set(told[-1]) == {"uploaded"}


def test_what_is_there_already_is_not_sent_again(tmp_path, hub):
    run = ended_run(tmp_path)
    assert bring(run).all_verified
    sent = len([path for method, path, _ in hub.asked if method == "PUT"])
    assert bring(run).all_verified and len([path for method, path, _ in hub.asked if method == "PUT"]) == sent == 1


@pytest.mark.parametrize(("wrong", "words"), [("size", "bytes there"), ("hash", "its hash is another there"), ("gone", "it is not there")])
@pytest.mark.parametrize("name", ["mochi.safetensors", "run.json"])
def test_a_file_that_is_another_at_the_far_end_is_not_verified(tmp_path, hub, wrong, words, name):
    hub.changed = {name: wrong}
    there = bring(ended_run(tmp_path), settings(upload_state=True))
    assert not there.all_verified and words in there.trouble()
    assert [file.name.rpartition("/")[2] for file in there.files if file.state == "wrong"] == [name]


def test_a_far_end_that_needs_a_moment_is_looked_at_again(tmp_path, hub, monkeypatch):
    hub.changed = {"mochi": "gone"}
    looks, own = [], hub._paths
    monkeypatch.setattr(hub, "_paths", lambda *given: (looks.append(1), len(looks) > 1 and hub.changed.clear(), own(*given))[2])
    assert bring(ended_run(tmp_path)).all_verified and len(looks) == 2


def test_a_file_that_changes_after_the_upload_is_not_verified(tmp_path, hub):
    from tests.core.training.fake_trainer import write_lora

    run = ended_run(tmp_path)
    files = choose_files(run, settings()).files
    uploader = Uploader(run, settings())
    there = uploader.upload(files)
    assert uploader.verify(there, files).all_verified
    write_lora(files[0], 3.0)
    assert "its hash is another there" in uploader.verify(there, files).trouble()


def test_a_file_that_cannot_be_brought_says_so_and_the_others_are_brought(tmp_path, hub):
    hub.failing_puts = 3  # a refused address may be an old one, so the first file is tried so often
    there = bring(ended_run(tmp_path), settings(upload_epochs=True))
    assert not there.all_verified
    assert [file.state for file in there.files] == ["failed", "verified"] and "error 403" in there.trouble()


def test_without_a_token_nothing_is_begun(tmp_path, hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ConfigError, match="no token.*HF_TOKEN"):
        bring(ended_run(tmp_path))
    assert hub.asked == []


@pytest.mark.parametrize(("token", "words"), [("hf_wrong_token", "does not accept the token"), ("hf_read_token", "no right to write")])
def test_a_token_that_is_wrong_or_may_not_write_is_told_and_never_shown(tmp_path, hub, monkeypatch, token, words):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(TrainingError, match=words) as told:
        bring(ended_run(tmp_path))
    assert token not in str(told.value)


def test_a_name_that_belongs_to_somebody_else_is_refused(tmp_path, hub):
    hub.repositories["you/cats"], hub.private["you/cats"] = {}, True
    there = bring(ended_run(tmp_path), settings(repo_id="you/cats"))
    assert not there.all_verified and "no right to write" in there.trouble() and hub.repositories["you/cats"] == {}
    with pytest.raises(TrainingError, match="no right to write"):
        bring(ended_run(tmp_path / "two"), settings(repo_id="you/dogs"))


def test_a_repository_that_everybody_can_see_is_refused_where_a_private_one_is_wished(tmp_path, hub):
    hub.repositories["me/cats"], hub.private["me/cats"] = {}, False
    with pytest.raises(TrainingError, match="everybody can see it; nothing was uploaded"):
        bring(ended_run(tmp_path))
    assert hub.repositories["me/cats"] == {}
    assert bring(ended_run(tmp_path / "two"), settings(private=False)).all_verified


def test_a_name_alone_is_made_in_ones_own_account(tmp_path, hub):
    assert bring(ended_run(tmp_path), settings(repo_id="dogs")).repo_id == "me/dogs"


def test_a_hub_that_cannot_be_reached_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(TrainingError, match="could not be reached"):
        bring(ended_run(tmp_path))


def test_a_cancel_is_heard_between_two_files(tmp_path, hub):
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        bring(ended_run(tmp_path), settings(upload_epochs=True), progress)
    assert hub.repositories["me/cats"] == {}


def test_what_was_chosen_and_is_not_there_is_told(tmp_path):
    chosen = choose_files(ended_run(tmp_path, "failed"), settings(upload_epochs=True))
    assert chosen.final is None and [path.name for path in chosen.files] == ["mochi-000001.safetensors"]
    assert chosen.lacking == ("There is no finished LoRA to upload.",)
