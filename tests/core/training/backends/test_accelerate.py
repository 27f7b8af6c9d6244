"""One process is started plainly; several by accelerate's launcher, with every value that a person's own configuration could bring in."""

import json
import os
import socket
import subprocess
import sys

import pytest

from core.base.paths import ROOT
from core.training.backends import BACKENDS
from core.training.backends.accelerate import START, gpu_environment, launch_words
from core.training.backends.sd_scripts import START as MEASURED
from core.training.config import TrainingSettings
from core.training.config.machines import USUAL_PORT
from tests.core.training.backends.test_backends import made_run, trainer  # noqa: F401


def words(**machines):
    given = launch_words(TrainingSettings().with_values(machines=machines, memory={"mixed_precision": "bf16"}))
    return dict(zip(given[3:-1:2], given[4:-1:2], strict=True)) if given else {}


def test_one_process_is_started_as_ever():
    assert launch_words(TrainingSettings()) == [] and words(num_machines=3, machine_rank=1) == {}
    assert gpu_environment(TrainingSettings()) == {}


def test_several_processes_are_started_by_the_launcher(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    given = launch_words(TrainingSettings().with_values(machines={"num_processes": 2}))
    assert given[:3] == ["-m", "accelerate.commands.launch", "--multi_gpu"] and given[-1] == str(START) and START.is_file()
    told = words(num_processes=2)
    assert int(told.pop("--main_process_port")) >= 1024
    assert told == {"--num_processes": "2", "--num_machines": "1", "--mixed_precision": "bf16", "--dynamo_backend": "no",
                    "--gpu_ids": "all", "--num_cpu_threads_per_process": "3"}


def test_each_process_gets_its_part_of_the_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("core.training.backends.accelerate.cpu_cores", lambda: 16.5)  # of a container with a part of the machine
    assert words(num_processes=4)["--num_cpu_threads_per_process"] == "4"
    assert words(num_processes=4, num_machines=2, main_process_ip="10.0.0.4")["--num_cpu_threads_per_process"] == "8"
    assert words(num_processes=32)["--num_cpu_threads_per_process"] == "1"


def test_several_machines_are_told_of_each_other():
    told = words(num_processes=4, num_machines=2, machine_rank=1, main_process_ip="10.0.0.4")
    assert (told["--num_machines"], told["--machine_rank"], told["--main_process_ip"]) == ("2", "1", "10.0.0.4")
    assert told["--main_process_port"] == str(USUAL_PORT)
    assert words(num_processes=4, num_machines=2, main_process_ip="10.0.0.4", main_process_port=4000)["--main_process_port"] == "4000"


def test_a_port_that_is_taken_is_left_alone():
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", USUAL_PORT))
        except OSError:
            pytest.skip("another program uses the port")
        other.listen()
        assert words(num_processes=2)["--main_process_port"] != str(USUAL_PORT)


def test_the_chosen_gpus_are_counted_as_nvidia_smi_does():
    given = gpu_environment(TrainingSettings().with_values(machines={"gpu_ids": " 2, 0"}))
    assert given == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "2,0"}


def test_sd_scripts_is_started_by_it(trainer, tmp_path):  # noqa: F811
    run = made_run(tmp_path / "run", machines={"num_processes": 2, "gpu_ids": "0,1"},
                   schedule={"lr_warmup_steps": 100, "lr_scheduler": "cosine"})
    command = BACKENDS.load("sd-scripts").command(run)
    start = command.argv.index(str(START))
    assert command.argv[:2] == [str(trainer / ".venv/bin/python"), "-m"]
    assert command.argv[start + 1:start + 3] == [str(MEASURED), "train_network.py"]
    assert command.env["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert command.argv[-2:] == ["--lr_warmup_steps", "200"]  # each process moves the schedule on


@pytest.mark.parametrize("machines", [{}, {"num_processes": 2}])
def test_a_warm_up_that_is_a_share_needs_no_other_words(trainer, tmp_path, machines):  # noqa: F811
    run = made_run(tmp_path / "run", machines=machines, schedule={"lr_warmup_steps": 0.1 if machines else 100, "lr_scheduler": "cosine"})
    assert "--lr_warmup_steps" not in BACKENDS.load("sd-scripts").command(run).argv


def test_the_built_in_trainer_sees_the_chosen_gpu(tmp_path):
    assert BACKENDS.load("builtin").command(made_run(tmp_path / "run", machines={"gpu_ids": "1"})).env["CUDA_VISIBLE_DEVICES"] == "1"


def test_a_script_runs_in_the_start_file_as_it_would_alone(tmp_path):
    (tmp_path / "beside.py").write_text("word = 'beside'\n")
    (tmp_path / "torch.py").write_text("class cuda:\n    is_available = staticmethod(lambda: True)\n")
    (tmp_path / "script.py").write_text("import beside, json, sys\nprint(json.dumps([__name__, sys.argv, beside.word]))\n")
    done = subprocess.run([sys.executable, str(START), "script.py", "--a", "1"], cwd=tmp_path, capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert json.loads(done.stdout) == ["__main__", ["script.py", "--a", "1"], "beside"]


def test_on_a_processor_a_model_that_learns_nothing_is_not_shared():
    code = """
import sys; sys.path.insert(0, "core/training/backends/inside")
from lorabook_processes import wrap_only_what_learns
class Weight:
    def __init__(self, learns): self.requires_grad = learns
class Model:
    def __init__(self, *learns): self.weights = [Weight(one) for one in learns]
    def parameters(self): return self.weights
class Accelerator:
    def prepare_model(self, model, device_placement=None, evaluation_mode=False): return evaluation_mode
wrap_only_what_learns(Accelerator)
one = Accelerator()
print([one.prepare_model(Model(False)), one.prepare_model(Model(False, True)), one.prepare_model(Model(True), evaluation_mode=True)])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[True, False, True]"
