"""A short run of the built-in trainer on the embedded model, as a person starts it."""

import os
import signal
import time

import pytest

from core.base.errors import Cancelled, ConfigError, TrainingError
from core.base.jobs import start_job
from core.base.locks import is_held, locked
from core.base.paths import DEMO_ASSETS
from core.base.process import is_alive
from core.base.progress import Progress
from core.dataset.project import Project
from core.training.finish.kept import keep_finish
from core.training.finish.settings import FinishSettings
from core.training.kept import keep_settings
from core.training.manager import TrainingManager
from core.training.measuring.measured import place_of_measuring, read_measured
from core.training.measuring.settings import MeasureSettings
from core.training.outputs import folder_size
from core.training.run import Run
from tests.core.training.fakes import wait_for
from tests.core.training.watching.test_real_trainer import INJECTED
from tests.tiny_models import make_pictures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Told(Progress):
    """Remembers what it was told; cancels when it hears the words."""

    def __init__(self, cancel_at: str = "") -> None:
        super().__init__()
        self.words: list[str] = []
        self.cancel_at = cancel_at

    def report_start(self) -> None:
        self.words.append(self.what)
        if self.cancel_at and self.what.startswith(self.cancel_at):
            self.cancel()


@pytest.fixture
def manager(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    project = Project.create(tmp_path / "cats", "cats", trigger="mochi")
    make_pictures(project.images, [(64, 64)] * 4 + [(200, 60)] * 2)
    manager = TrainingManager.open(project.folder)
    keep(manager)
    return manager


def keep(manager, **parts):
    settings = manager.preset("demo").with_values(
        model={"pretrained_model_name_or_path": str(DEMO_ASSETS / "model")}, schedule={"max_train_epochs": 3},
        data={"batch_size": 2, "num_repeats": 2, "cache_latents_to_disk": True},
        sampling={"sample_prompts": ["mochi --s 2", "mochi, cat --s 2"]}).with_values(**parts)
    keep_settings(settings, manager.project)
    return manager.settings()


def files_of(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*")}


def short_run(manager):
    (run,) = Run.list(place_of_measuring(manager.project))
    return run


def test_it_measures_everything_and_leaves_runs_pictures_and_caches_as_they_were(manager):
    before, told = files_of(manager.project.images), Told()
    keep_finish(manager.project.folder, FinishSettings(price_per_hour=0.36, most_money=1.0))
    report = manager.measure(MeasureSettings(), told)
    units = report.measured.units
    assert units.step > 0
    for unit in (units.load, units.encode, units.sample, units.save):  # 0: shorter than the grain at which the tiny run is looked at
        assert unit is not None and unit >= 0
    assert units.file_bytes > 100_000 and units.state_bytes > units.file_bytes and report.measured.memory.machine > 200
    assert report.measured.steps == 3 and report.measured.cause is None and report.measured.ended_for == ""
    assert report.measured.most_money == 0  # the project's own cap is read when it is needed
    assert told.words[:2] == ["Choosing the largest pictures", "Loading the model"]
    steps = [words for words in told.words if words.startswith("Step")]
    assert list(dict.fromkeys(steps)) == ["Step 1 of 3", "Step 2 of 3", "Step 3 of 3"]
    assert {"Encoding the pictures", "Saving", "Drawing a sample"} <= set(told.words)
    assert files_of(manager.project.images) == before
    assert manager.runs() == [] and manager.queue() == [] and list(manager.project.output.iterdir()) == []
    assert folder_size(place_of_measuring(manager.project)) < 100_000 and "steps:" in short_run(manager).log.read_text()
    assert report.seconds > units.step * 18 and report.price == pytest.approx(report.seconds * 0.0001)
    assert "(measured 20" in manager.amounts(manager.settings())[-1]
    assert manager.measurement(manager.settings()).seconds == pytest.approx(report.seconds)


def test_as_a_job_it_goes_on_without_its_kernel_and_can_be_cancelled(manager):
    job = start_job(manager.project.folder, "measure", MeasureSettings().model_dump(mode="json"))
    wait_for(lambda: job.status().what.startswith(("Loading", "Encoding", "Step")), 100)
    trainer = wait_for(lambda: short_run(manager).trainer_mark(), 60)
    job.cancel()
    wait_for(lambda: job.status().ended, 60)
    assert job.status().state == "cancelled" and not is_alive(trainer)
    assert read_measured(manager.project) is None and not (place_of_measuring(manager.project) / "pictures").exists()


def test_the_next_one_ends_a_trainer_whose_job_was_killed_and_clears_its_place(manager):
    job = start_job(manager.project.folder, "measure", MeasureSettings().model_dump(mode="json"))
    trainer = wait_for(lambda: Run.list(place_of_measuring(manager.project)) and short_run(manager).trainer_mark(), 100)
    first = short_run(manager)
    os.kill(job.mark().pid, signal.SIGKILL)
    wait_for(lambda: job.status().state == "lost" and not is_held(manager.project.hidden / "measuring.lock"), 30)
    assert is_alive(trainer)
    left = first.folder / "left.txt"  # the next one may be called alike, within the same second
    left.touch()
    with pytest.raises(Cancelled):
        manager.measure(MeasureSettings(), Told(cancel_at="Loading"))
    assert not is_alive(trainer) and not left.exists()


def test_the_time_cap_ends_it_and_is_no_failure(manager):
    began = time.monotonic()
    report = manager.measure(MeasureSettings(most_minutes=0.1))
    assert time.monotonic() - began < 60 and "0.1 minutes of the time cap" in report.sentence()
    assert report.measured.cause is None and report.findings[0].level == "warning"


def test_the_spend_cap_ends_it_too(manager):
    keep_finish(manager.project.folder, FinishSettings(price_per_hour=3600.0))
    report = manager.measure(MeasureSettings(most_money=4.0))
    assert report.measured.ended_for == "The short run was ended: it had cost the spend cap of 4, at 3600 an hour."
    assert 4.0 <= report.measured.seconds < 30


def test_a_spend_cap_without_a_price_is_refused_before_anything_begins(manager):
    with pytest.raises(ConfigError, match="spend cap of 5 cannot be kept: the price of the machine is not known"):
        manager.measure(MeasureSettings(most_money=5.0))
    assert Run.list(place_of_measuring(manager.project)) == []


def test_out_of_memory_is_told_as_a_run_tells_it_with_the_next_downgrade(manager, monkeypatch, tmp_path):
    (tmp_path / "injected").mkdir()
    (tmp_path / "injected/sitecustomize.py").write_text(INJECTED, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "injected"))
    monkeypatch.setenv("FITS", "1")
    with pytest.raises(TrainingError) as raised:
        manager.measure(MeasureSettings())
    assert raised.value.message == "The short run failed. The memory of the GPU was not enough."
    assert "gradient_checkpointing" in raised.value.hint
    report = manager.measurement(manager.settings())
    assert report.findings[0].fix == (("gradient_checkpointing", True),) and report.as_dict()["exit_code"] == 1
    monkeypatch.delenv("PYTHONPATH")
    run = manager.launch(manager.settings(), hold=True)  # it would go on with less by itself
    assert run.state() == "running"
    assert any("The short run failed" in one.what for one in manager.check(manager.settings(), deep=False))
    manager.take_out(run)
    wait_for(lambda: run.state() == "cancelled", 30)


def test_the_stages_of_musubi_tuner_are_measured_too(manager, checkout):
    keep(manager, model={"family": "flux2_klein", "pretrained_model_name_or_path": "/m/klein.safetensors", "vae": "/m/ae.safetensors",
                         "text_encoder": "/m/qwen.safetensors"})
    before = files_of(manager.project.images)
    report = manager.measure(MeasureSettings(backend="musubi"))
    assert report.measured.units.encode > 0 and report.measured.units.captions > 0 and report.measured.steps >= 3
    assert files_of(manager.project.images) == before and not list(short_run(manager).folder.rglob("*.safetensors"))


def test_two_at_once_in_one_project_are_refused(manager):
    with locked(manager.project.hidden / "measuring.lock"), pytest.raises(TrainingError, match="is being measured already"):
        manager.measure(MeasureSettings())


def test_a_missing_trainer_is_named(manager, monkeypatch, tmp_path):
    monkeypatch.setenv("SD_SCRIPTS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(TrainingError, match="sd-scripts is not installed"):
        manager.measure(MeasureSettings(backend="sd-scripts"))
