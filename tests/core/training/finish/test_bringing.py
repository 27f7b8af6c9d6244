"""A run that was brought to the far end with its state, and is put together again on another machine."""

import pytest

from core.base.errors import ConfigError, TrainingError
from core.dataset.project import Project
from core.training.finish.bringing import BringSettings, bring_run
from core.training.finish.protocol import finish_run
from core.training.launch import resume_point
from core.training.run import Run
from tests.core.training.fakes import make_run, start, wait_for
from tests.core.training.finish.ended import ended_run, settings, steps


@pytest.fixture
def there(tmp_path, hub):
    """A stopped run whose state lies at the far end, and a project without any run."""
    run = ended_run(tmp_path, "cancelled")
    finish_run(run, settings(upload_state=True, upload_epochs=True))
    other = Project.create(tmp_path / "elsewhere" / "cats", "cats", trigger="mochi")
    return run, other, BringSettings.make(repo_id="me/cats", folder=run.id)


def test_a_run_that_was_brought_back_goes_on_from_its_state_in_its_new_place(there):
    run, other, wanted = there
    report = bring_run(other.folder, wanted)
    back = Run.open(other.runs / run.id)
    assert report.sentence().startswith(f"8 files of the run {run.id} are here.")
    assert back.state() == "prepared" and back.output_name == "mochi"
    point = resume_point(back)
    assert point.step == 2 and point.folder == back.checkpoints / "mochi-000001-state"
    assert back.settings().saving.output_dir == str(back.checkpoints)
    assert (back.checkpoints / "mochi-000001.safetensors").read_bytes() == (run.checkpoints / "mochi-000001.safetensors").read_bytes()
    assert not list(other.runs.glob(".*.part")) and not (back.folder / ".cache").exists()


def test_what_does_not_arrive_whole_leaves_nothing_behind(there, hub):
    run, other, wanted = there
    hub.spoilt = {f"{run.id}/settings.toml"}
    with pytest.raises(TrainingError):
        bring_run(other.folder, wanted)
    hub.spoilt, hub.changed = set(), {"mochi-000001.safetensors": "hash"}
    with pytest.raises(TrainingError, match="did not arrive as it is there"):
        bring_run(other.folder, wanted)
    assert [path.name for path in other.runs.iterdir()] == [".bring.lock"]


def test_a_run_that_is_here_already_is_left_alone_and_a_folder_without_a_run_is_refused(there, hub):
    run, other, wanted = there
    with pytest.raises(TrainingError, match="has the run .* already"):
        bring_run(run.project_folder, wanted)
    hub.repositories["me/cats"]["other/mochi.safetensors"] = (1, "x", True)
    with pytest.raises(TrainingError, match="holds no run that can go on"):
        bring_run(other.folder, wanted.changed(folder="other"))
    for folder in ("../x", "/..", "a/../../b", ".hidden"):
        with pytest.raises(ConfigError, match="The folder in the repository"):
            wanted.changed(folder=folder)
    with pytest.raises(TrainingError, match="no such repository"):
        bring_run(other.folder, wanted.changed(repo_id="me/gone"))


@pytest.mark.slow
def test_each_state_is_brought_there_while_the_run_is_at_work(tmp_path, hub):
    from core.training.finish.kept import keep_finish

    run = make_run(tmp_path)
    keep_finish(run.project_folder, settings(upload_lora=False, state_meanwhile=True))
    start(run, "polite", "--delay", 0.2, "--steps", 20)
    wait_for(lambda: "state uploaded" in steps(run))
    assert run.state() == "running"
    assert f"{run.id}/checkpoints/mochi-000001-state/model.safetensors" in hub.repositories["me/cats"]
    run.stop(force=True)
    wait_for(lambda: run.state() == "cancelled")


@pytest.mark.slow
def test_a_state_that_cannot_be_brought_there_does_not_hinder_the_run(tmp_path, hub):
    from core.training.finish.kept import keep_finish

    hub.failing_puts = 99
    run = make_run(tmp_path)
    keep_finish(run.project_folder, settings(upload_lora=False, state_meanwhile=True))
    start(run, "good", "--delay", 0.1, "--steps", 20)
    wait_for(lambda: "state not uploaded" in steps(run))
    wait_for(lambda: run.state() == "done")
