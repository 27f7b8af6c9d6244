"""The built-in trainer on the embedded model, as a person launches it, with failures put in where they really come from."""

import pytest

from core.base.files import read_json
from core.base.jobs import read_events
from core.base.paths import DEMO_ASSETS
from core.dataset.project import Project
from core.training.guards import GuardSettings
from core.training.manager import TrainingManager
from core.training.relief import read_relief
from tests.core.training.fakes import events_of, wait_for, wait_for_end
from tests.tiny_models import make_pictures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

INJECTED = '''
"""Lets diffusers' U-Net fail as the environment says; Python imports this file by itself."""
import importlib.abc, importlib.machinery, os, sys
from pathlib import Path

WHERE = "diffusers.models.unets.unet_2d_condition"


class Watcher(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != WHERE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (execute(module), patch(module.UNet2DConditionModel))
        return spec


def patch(unet):
    import torch

    plain, calls = unet.forward, []

    def forward(self, sample, *args, **kwargs):
        calls.append(1)
        if torch.is_grad_enabled() and len(sample) > int(os.environ.get("FITS", "1000")):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.63 GiB.")
        found = plain(self, sample, *args, **kwargs)
        once = Path(os.environ.get("NAN_ONCE", "/nowhere/at/all"))
        if torch.is_grad_enabled() and len(calls) > 9 and once.parent.is_dir() and not once.exists():
            once.touch()
            found.sample.mul_(float("nan")) if hasattr(found, "sample") else found[0].mul_(float("nan"))
        return found

    unet.forward = forward


sys.meta_path.insert(0, Watcher())
'''


@pytest.fixture
def manager(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "injected").mkdir()
    (tmp_path / "injected/sitecustomize.py").write_text(INJECTED, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "injected"))
    project = Project.create(tmp_path / "cats", "cats", trigger="mochi")
    make_pictures(project.images, [(64, 64)] * 8)
    return TrainingManager.open(project.folder)


def settings(manager, **parts):
    chosen = manager.preset("demo", propose=False).with_values(
        model={"pretrained_model_name_or_path": str(DEMO_ASSETS / "model")},
        schedule={"max_train_epochs": 3, "lr_scheduler": "constant", "lr_warmup_steps": 0},
        saving={"save_every_n_epochs": 1, "save_state": True}, sampling={"sample_every_n_epochs": None, "sample_at_first": False})
    return chosen.with_values(**{"data": {"batch_size": 4, "num_repeats": 2}, **parts})


def steps(run):
    return [event["step"] for event in events_of(run, "step")]


def test_out_of_memory_sends_the_batches_in_parts_and_the_run_is_done(manager, monkeypatch):
    monkeypatch.setenv("FITS", "1")
    run = manager.launch(settings(manager))
    assert wait_for_end(run, 200) == "done"
    assert [retry["changes"] for retry in events_of(run, "retry")] == [{"gradient_checkpointing": True}, {"micro_batch_size": 2},
                                                                      {"micro_batch_size": 1}]
    assert read_relief(run.folder).micro_batch_size == 1 and run.settings().data.batch_size == 4
    assert steps(run) == list(range(1, 13))
    status = manager.status(run.id)
    assert "each batch of 4 goes through the model in parts of 2" in status.retries[1] and status.output.is_file()


def test_a_lost_loss_goes_on_from_the_last_good_state_with_half_the_rate(manager, monkeypatch, tmp_path):
    monkeypatch.setenv("NAN_ONCE", str(tmp_path / "injected/happened"))
    run = manager.launch(settings(manager), guards=GuardSettings(on_nan="lower"))
    assert wait_for_end(run, 200) == "done"
    (retry,) = events_of(run, "retry")
    assert retry["cause"] == "nan_loss" and retry["from_step"] == 8
    rates = {event["step"]: next(iter(event["lr"].values())) for event in events_of(run, "step")}
    assert rates[12] == pytest.approx(rates[8] / 2)


def test_a_run_stops_after_its_epoch_and_goes_on_as_if_nothing_had_happened(manager):
    run = manager.launch(settings(manager, schedule={"max_train_epochs": 400, "lr_scheduler": "constant", "lr_warmup_steps": 0}))
    wait_for(lambda: steps(run), 100)
    manager.stop(run.id, after_epoch=True)
    assert wait_for_end(run, 60) == "cancelled"
    last = steps(run)[-1]
    assert last % 4 == 0
    assert manager.resume_point(run.id).step == last
    manager.resume(run.id)
    wait_for(lambda: steps(run)[-1] > last + 1, 100)
    manager.stop(run.id)
    assert wait_for_end(run, 60) == "cancelled"
    found = steps(run)
    assert found == list(range(1, found[-1] + 1))


def test_two_runs_of_one_project_are_trained_one_after_the_other(manager):
    first, second = (manager.launch(settings(manager, saving={"output_name": name})) for name in ("one", "two"))
    assert [queued.run.id for queued in manager.queue()] == [first.id, second.id]
    assert wait_for_end(second, 250) == first.state() == "done"
    ends = {run.id: run.end()["time"] for run in (first, second)}
    begun = next(event["time"] for event in read_events(second.folder)[0] if event["event"] == "trainer")
    assert ends[first.id] <= begun and manager.queue() == []
    assert read_json(second.folder / "command.json")["argv"]
