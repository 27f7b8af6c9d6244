"""The front desk of training, with the fake trainer as a backend of the registry."""

import fcntl
import shutil
import time

import pytest
from PIL import Image

from core.base.errors import ConfigError, DatasetError, TrainingError
from core.base.files import read_json, write_json
from core.base.jobs import read_events
from core.base.locks import locked
from core.base.paths import ROOT
from core.base.progress import Progress
from core.base.registry import Entry
from core.dataset.renaming import RenameSettings, rename_images
from core.dataset.versions import captions_at, list_versions
from core.training.backends import BACKENDS
from core.training.config import TrainingSettings
from core.training.manager import TrainingManager
from core.training.outputs import newest_state
from core.training.supervisor import _keep_captions
from tests.core.training.fake_trainer import write_lora, write_state
from tests.core.training.fakes import FakeBackend, make_project, wait_for, wait_for_end


@pytest.fixture
def manager(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    monkeypatch.setitem(BACKENDS._entries, "fake", Entry("fake", "tests.core.training.fakes:FakeBackend", "Fake"))
    assert BACKENDS.load("fake") is FakeBackend
    project = make_project(tmp_path)
    for number in range(3):
        Image.new("RGB", (64, 64)).save(project.images / f"{number}.png")
        (project.images / f"{number}.txt").write_text("mochi, cat")
    return TrainingManager.open(project.folder)


def say(manager, words):
    (manager.project.folder / "words.txt").write_text(words)


def settings(manager):
    return TrainingSettings().with_values(model={"pretrained_model_name_or_path": str(manager.project.folder)})


def test_the_project_fills_in_what_is_empty_and_keeps_what_was_chosen(manager):
    found = manager.configure(settings(manager))
    assert found.data.subsets[0].image_dir == str(manager.project.images) and found.data.subsets[0].num_repeats == 67
    assert found.saving.output_name == "cats" and "mochi" in found.saving.training_comment
    assert found.sampling.sample_prompts == []
    proposed = manager.configure(settings(manager), propose=True)
    assert [prompt.prompt for prompt in proposed.sampling.sample_prompts] == ["mochi, cat", "mochi"]
    assert manager.configure(found) == found
    own = settings(manager).with_values(saving={"output_name": "mine"}, data={"subsets": [{"image_dir": "/x"}]})
    assert manager.configure(own).saving.output_name == "mine" and manager.configure(own).data.subsets[0].image_dir == "/x"


def test_a_renaming_that_was_killed_is_finished_before_a_training_looks_at_the_images(manager):
    class Killed(Progress):
        def report_step(self, item: str) -> None:
            raise KeyboardInterrupt

    def kill(name: str) -> None:
        with pytest.raises(KeyboardInterrupt):
            rename_images(manager.project, RenameSettings.make(name=name), Killed())
        assert len(names()) == 2

    def names() -> list[str]:
        return [path.name for path in manager.project.images.glob("*.png")]

    kill("one")
    TrainingManager.open(manager.project.folder)
    assert len(names()) == 3
    kill("two")
    with locked(manager.project.hidden / "captions.lock", fcntl.LOCK_SH), pytest.raises(DatasetError, match="is not finished"):
        manager.launch(settings(manager), "fake")
    say(manager, "good")
    assert wait_for_end(manager.launch(settings(manager), "fake")) == "done" and len(names()) == 3


def test_presets_are_those_of_the_projects_family(manager):
    names = manager.presets()
    assert names and all(manager.preset(name).model.family == "sd15" for name in names)


def own_files(folder):
    """What a project holds, but for its index, which is a cache."""
    return sorted(path for path in folder.rglob("*") if ".lorabook" not in path.parts)


def test_a_check_finds_what_is_wrong_and_writes_nothing(manager):
    before = own_files(manager.project.folder)
    good = manager.check(settings(manager))
    assert [finding for finding in good if finding.level == "error"] == []
    wrong = settings(manager).with_values(model={"pretrained_model_name_or_path": "/no/such/model.safetensors"}, data={"random_crop": True})
    errors = [str(finding) for finding in manager.check(wrong) if finding.level == "error"]
    assert any("/no/such/model.safetensors" in error for error in errors) and any("random_crop" in error for error in errors)
    assert any("No backend is called" in finding.what for finding in manager.check(settings(manager), "nobody"))
    assert own_files(manager.project.folder) == before


def test_launch_returns_at_once_and_the_run_is_followed_to_its_lora(manager):
    say(manager, "good --delay 0.05")
    began = time.monotonic()
    run = manager.launch(settings(manager), "fake")
    assert time.monotonic() - began < 2
    assert wait_for_end(run) == "done"
    status = manager.status(run.id)
    assert status.output == manager.project.output / "cats.safetensors" and status.step == status.total == 4
    assert [checkpoint.path.stem for checkpoint in status.checkpoints] == ["cats-000001", "cats"]
    assert status.sentence() == "Done: 4 steps, cats.safetensors."
    assert manager.report(run.id).read_text().startswith("<!doctype html>")


def test_the_captions_of_a_run_are_kept_as_a_version_that_can_be_restored(manager):
    say(manager, "good")
    run = manager.launch(settings(manager), "fake")
    wait_for_end(run)
    (manager.project.images / "0.txt").write_text("mochi, dog")
    (version,) = [step for step in list_versions(manager.project) if step.state == "version"]
    assert (version.run, version.captions) == (run.id, 3) and run.id in version.what
    assert captions_at(manager.project, version.id)["0.txt"].after == "mochi, cat"


def test_captions_that_a_run_does_not_learn_from_are_not_kept_as_trained(manager, tmp_path):
    say(manager, "good")
    shutil.copytree(manager.project.images, tmp_path / "other")
    run = manager.launch(settings(manager).with_values(data={"subsets": [{"image_dir": str(tmp_path / "other")}]}), "fake")
    assert wait_for_end(run) == "done"
    assert [step for step in list_versions(manager.project) if step.state == "version"] == []


def test_pictures_that_cannot_be_read_leave_the_run_alone(manager, monkeypatch):
    say(manager, "good")
    run = manager.launch(settings(manager), "fake")
    wait_for_end(run)
    monkeypatch.setattr("core.training.supervisor.list_items", lambda project: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    _keep_captions(run)
    assert any("The captions were not kept" in event.get("message", "") for event in read_events(run.folder)[0])


def test_an_unknown_backend_starts_nothing(manager):
    with pytest.raises(ConfigError, match="No backend is called 'nobody'"):
        manager.launch(settings(manager), "nobody")
    assert manager.runs() == []


def test_a_trainer_that_is_not_installed_is_named_with_its_command(manager, monkeypatch, tmp_path):
    monkeypatch.setenv("SD_SCRIPTS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="installer.py --trainer sd-scripts"):
        manager.launch(settings(manager), "sd-scripts")
    assert manager.runs() == []


def test_what_a_check_calls_an_error_is_never_launched(manager):
    wrong = settings(manager).with_values(data={"random_crop": True})
    with pytest.raises(ConfigError, match="random_crop"):
        manager.launch(wrong, "fake")
    assert manager.runs() == []


def test_stop_right_after_launch(manager):
    say(manager, "slow --delay 0.2 --steps 100")
    run = manager.launch(settings(manager), "fake")
    manager.stop(run.id)
    assert wait_for_end(run, 10) == "cancelled"


def test_a_run_at_work_is_not_launched_twice(manager):
    say(manager, "slow --delay 0.2 --steps 100")
    run = manager.launch(settings(manager), "fake")
    with pytest.raises(TrainingError, match="already"):
        manager.resume(run.id)
    manager.stop(run.id, force=True)
    wait_for_end(run)


def test_resume_goes_on_from_the_newest_state_and_the_curve_continues(manager):
    say(manager, "die --steps 8 --delay 0.02")
    run = manager.launch(settings(manager), "fake")
    assert wait_for_end(run) == "failed"
    assert manager.status(run.id).cause.kind == "killed"
    say(manager, "good --steps 8 --delay 0.02")
    assert manager.resume(run.id) == run
    assert wait_for_end(run) == "done"
    status = manager.status(run.id)
    assert "4/4 [" in "\n".join(status.log)  # the second attempt did only what was left
    assert status.attempt == 2 and (status.step, status.total) == (8, 8)
    assert [point.step for point in status.curve] == list(range(1, 9))
    assert [run.id for run in manager.runs()] == [run.id]


def test_a_finished_run_is_not_resumed_and_one_without_a_state_says_why(manager):
    say(manager, "good")
    done = manager.launch(settings(manager), "fake")
    wait_for_end(done)
    with pytest.raises(TrainingError, match="is finished"):
        manager.resume(done.id)
    say(manager, "silent")
    failed = manager.launch(settings(manager), "fake")
    assert wait_for_end(failed) == "failed"
    with pytest.raises(TrainingError, match="saved no state"):
        manager.resume(failed.id)


def test_a_run_of_a_project_that_was_moved_goes_on_in_the_new_place(manager, tmp_path):
    project = manager.project.folder
    say(manager, "die --steps 8 --delay 0.02")
    own = settings(manager).with_values(sampling={"sample_prompts": [f"mochi {project}x"]})
    run = manager.launch(own, "fake")
    assert wait_for_end(run) == "failed"
    other = tmp_path / "elsewhere" / "dogs"
    other.parent.mkdir()
    project.rename(other)
    moved = TrainingManager.open(other)
    say(moved, "good --steps 8 --delay 0.02")
    again = moved.resume(run.id)
    assert wait_for_end(again) == "done"
    assert moved.status(run.id).output == other / "output" / "cats.safetensors" and moved.status(run.id).step == 8
    assert (again.folder / "checkpoints" / "cats.safetensors").is_file() and not project.exists()
    written = [(again.folder / name).read_text() for name in ("config.toml", "dataset.toml", "settings.toml", "command.json")]
    assert not any(f"{project}/" in text or f'{project}"' in text for text in written)
    now = again.settings()
    assert now.data.subsets[0].image_dir == str(other / "images") and now.model.pretrained_model_name_or_path == str(other)
    assert now.logging.logging_dir == str(again.folder / "logs") and now.sampling.sample_prompts[0].prompt == f"mochi {project}x"


def test_a_run_goes_on_when_lorabooks_folder_was_moved(manager, tmp_path):
    say(manager, "die --steps 8 --delay 0.02")
    old = tmp_path / "old"
    (old / "words").mkdir(parents=True)
    run = manager.launch(settings(manager).with_values(model={"tokenizer_cache_dir": str(old / "words")}), "fake")
    assert wait_for_end(run) == "failed"
    told = read_json(run.folder / "command.json")
    assert told["root"] == str(ROOT)
    write_json(run.folder / "command.json", {**told, "root": str(old)})
    shutil.rmtree(old)
    say(manager, "good --steps 8 --delay 0.02")
    assert wait_for_end(manager.resume(run.id)) == "done"
    assert run.settings().model.tokenizer_cache_dir == str(ROOT / "words")
    assert read_json(run.folder / "command.json")["root"] == str(ROOT)


@pytest.mark.slow
def test_where_a_run_would_go_on_is_known_before(manager):
    say(manager, "die --steps 8 --delay 0.02")
    run = manager.launch(settings(manager), "fake")
    with pytest.raises(TrainingError, match="already running"):
        manager.resume_point(run.id)
    wait_for_end(run)
    assert manager.resume_point(run.id).step == 4
    say(manager, "silent")
    bare = manager.launch(settings(manager), "fake")
    wait_for_end(bare)
    with pytest.raises(TrainingError, match="It ended before the first one"):
        manager.resume_point(bare.id)
    off = manager.launch(settings(manager).with_values(saving={"save_state": False}), "fake")
    wait_for_end(off)
    with pytest.raises(TrainingError, match="was off"):
        manager.resume_point(off.id)


def test_an_unknown_run_is_named_with_the_known_ones(manager):
    for name in ("nothing", "", "../..", "."):
        with pytest.raises(TrainingError, match="No run is called"):
            manager.status(name)


def test_the_newest_whole_state_counts(tmp_path):
    for name, step in (("x-000001-state", 5), ("x-000002-state", 10), ("x-000003-state", 15), ("y-state", 99)):
        write_state(tmp_path / name, step)
        (tmp_path / name / "random_states_0.pkl").write_bytes(b"x")
    write_lora(tmp_path / "x-000003-state" / "model.safetensors", cut=4)
    assert newest_state(tmp_path, "x").step == 10
    (tmp_path / "x-000002-state" / "random_states_0.pkl").unlink()  # accelerate writes it last
    assert newest_state(tmp_path, "x").step == 5
    assert newest_state(tmp_path, "z") is None


def test_a_comparison_runs_as_a_job_of_its_own_and_says_what_is_wrong(manager):
    from core.training.evaluation import EvaluationSettings

    job = manager.start_evaluation(EvaluationSettings())
    wait_for(lambda: job.status().ended)
    assert job.status().state == "failed" and "no finished run" in job.status().message
