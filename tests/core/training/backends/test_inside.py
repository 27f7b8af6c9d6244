"""What runs inside another trainer's process: the script is as ever, and its gradients and layers are measured beside it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from core.base.paths import ROOT
from core.training.monitor.norms import NormsReader
from tests.core.training.fakes import wait_for

torch = pytest.importorskip("torch")
from torch.optim.optimizer import register_optimizer_step_pre_hook  # noqa: E402

from core.training.backends.inside import lorabook_norms  # noqa: E402
from core.training.backends.inside.lorabook_norms import Norms, layer_name  # noqa: E402

INSIDE = ROOT / "core" / "training" / "backends" / "inside"
SCRIPT = """
import sys
import torch
from pathlib import Path

class Module(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lora_down, self.lora_up = torch.nn.Linear(8, 2, bias=False), torch.nn.Linear(2, 8, bias=False)

network = torch.nn.Module()
for name in ("lora_unet_in", "lora_unet_out", "lora_te_one"):
    network.add_module(name, Module())
wrapped = torch.nn.Module()
wrapped.module = network
{optimizer}
for step in range(25):
    for module in network.children():
        (module.lora_up(module.lora_down(torch.ones(2, 8))) - 1).pow(2).mean().backward()
    optimizer.step()
    optimizer.zero_grad()
"""
ADAM = "optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)"


class Lora(torch.nn.Module):
    """A module of a network: its change begins with zero, as in a real one."""

    def __init__(self):
        super().__init__()
        self.lora_down, self.lora_up = torch.nn.Linear(4, 2, bias=False), torch.nn.Linear(2, 4, bias=False)


def make_network():
    torch.manual_seed(0)
    network = torch.nn.Module()
    for name in ("lora_unet_a", "lora_te1_b"):
        network.add_module(name, Lora())
    return network


def backward(network):
    sum((module.lora_up(module.lora_down(torch.ones(2, 4))) - 1).pow(2).sum() for module in network.children()).backward()


def whole(tensors):
    return torch.linalg.vector_norm(torch.cat([tensor.detach().flatten() for tensor in tensors])).item()


def gradients_of(network):
    return [parameter.grad for parameter in network.parameters()]


@pytest.fixture
def watching(tmp_path):
    """Makes a `Norms` of the run's folder that lets go at the end."""
    made = []

    def make(**more):
        made.append(Norms(tmp_path / "norms.jsonl", **more))
        made[-1].watch()
        return made[-1]

    yield make
    for norms in made:
        norms.close()


def rows(tmp_path):
    return [json.loads(line) for line in (tmp_path / "norms.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("clip", [0.0, 0.01])
def test_the_gradient_is_that_before_clipping_and_the_change_what_the_step_did(tmp_path, watching, clip):
    network = make_network()
    norms, optimizer = watching(first=40), torch.optim.SGD(network.parameters(), lr=0.1)
    lengths = []
    for _ in range(2):
        optimizer.zero_grad()
        backward(network)
        lengths.append(whole(gradients_of(network)))
        if clip:
            torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
        before = {name: [parameter.detach().clone() for parameter in module.parameters()] for name, module in network.named_children()}
        changes = {name: 0.1 * whole([parameter.grad for parameter in module.parameters()]) for name, module in network.named_children()}
        optimizer.step()
    norms.close()
    read = NormsReader(tmp_path).read()
    assert [(step, length) for step, length, _ in read.gradient] == [(41, pytest.approx(lengths[0], rel=1e-3)),
                                                                     (42, pytest.approx(lengths[1], rel=1e-3))]
    assert {change.name: change.step for change in read.layers} == {"lora_unet_a": 42, "lora_te1_b": 42}
    for change in read.layers:
        assert change.update == pytest.approx(changes[change.name], rel=1e-3)
        assert change.weight == pytest.approx(whole(before[change.name]), rel=1e-3)


def test_accumulated_batches_are_one_gradient(tmp_path, watching):
    network = make_network()
    norms, optimizer = watching(), torch.optim.SGD(network.parameters(), lr=0.1)
    backward(network)
    backward(network)
    length = whole(gradients_of(network))
    optimizer.step()
    norms.close()
    assert rows(tmp_path)[-1]["gradient"] == [pytest.approx(length, rel=1e-3)]


def test_the_factor_of_mixed_precision_is_taken_off_and_a_step_that_is_passed_over_has_no_number(tmp_path, watching):
    network = make_network()
    norms, optimizer = watching(), torch.optim.SGD(network.parameters(), lr=0.1)
    norms.outside = True
    scaler, lengths = torch.amp.GradScaler("cpu", init_scale=1024.0), []
    for factor in (1.0, float("inf"), 1.0):
        optimizer.zero_grad()
        loss = sum((module.lora_up(module.lora_down(torch.ones(2, 4))) - 1).pow(2).sum() for module in network.children())
        scaler.scale(loss * factor).backward()
        scaler.unscale_(optimizer)
        lengths.append(whole(gradients_of(network)))
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        norms.end_of_step()
    norms.close()
    told = [length for row in rows(tmp_path) if row["kind"] == "steps" for length in row["gradient"]]
    assert told == [pytest.approx(lengths[0], rel=1e-3), None, pytest.approx(lengths[2], rel=1e-3)]


def test_a_trainer_that_clips_each_weight_and_makes_no_step_is_not_followed_for_ever(tmp_path, watching):
    """sd-scripts' fused_backward_pass: hooks of the gradients clip and change each weight, the optimizer is never called."""
    network = make_network()
    norms = watching()

    def clip(weight):
        torch.nn.utils.clip_grad_norm_(weight, 1.0)

    for parameter in network.parameters():
        parameter.register_post_accumulate_grad_hook(clip)
    for _ in range(300):
        backward(network)
        assert len(norms._clips) <= lorabook_norms.MOST_CLIPS
    assert norms._clips == []
    (row,) = rows(tmp_path)
    assert row["kind"] == "off" and "fused_backward_pass" in NormsReader(tmp_path).read().off


def test_where_no_step_is_ever_heard_that_is_told_instead_of_waiting(tmp_path, watching):
    reader = NormsReader(tmp_path)
    assert reader.read(49).off == ""
    assert "in 50 steps no step of an optimizer was heard, as with 'fused_backward_pass'" in reader.read(50).off_words()
    network = make_network()
    norms, optimizer = watching(), torch.optim.SGD(network.parameters(), lr=0.1)
    backward(network)
    optimizer.step()
    norms.close()
    assert reader.read(50).off == "" and reader.read(51).gradient  # it was only slow


def test_a_fused_optimizer_gets_its_gradients_with_the_factor_and_they_are_told_without(tmp_path, watching):
    network = make_network()
    norms, optimizer = watching(), torch.optim.SGD(network.parameters(), lr=0.1, fused=True)
    backward(network)
    length = whole(gradients_of(network))
    for parameter in network.parameters():
        parameter.grad *= 512
    optimizer.grad_scale = torch.tensor(512.0)
    optimizer.step()
    norms.close()
    assert rows(tmp_path)[-1]["gradient"] == [pytest.approx(length, rel=1e-3)]


def test_large_networks_are_measured_in_turns(tmp_path, watching, monkeypatch):
    monkeypatch.setattr(lorabook_norms, "COPY_BYTES", 70)  # a module of this network has 64 bytes
    network = make_network()
    norms, optimizer = watching(), torch.optim.SGD(network.parameters(), lr=1e-3)
    for _ in range(10):
        backward(network)
        optimizer.step()
        optimizer.zero_grad()
    norms.close()
    assert [(row["step"], row["first"], len(row["update"])) for row in rows(tmp_path) if row["kind"] == "layers"] == [(2, 0, 1), (10, 1, 1)]
    assert [change.name for change in NormsReader(tmp_path).read().layers] == ["lora_unet_a", "lora_te1_b"]


def test_a_layer_that_is_too_large_to_be_copied_is_left_out(tmp_path, watching, monkeypatch):
    monkeypatch.setattr(lorabook_norms, "LAYER_BYTES", 100)
    network = make_network()
    network.lora_unet_a.lora_down = torch.nn.Linear(4, 20, bias=False)
    network.lora_unet_a.lora_up = torch.nn.Linear(20, 4, bias=False)
    norms, optimizer = watching(), torch.optim.SGD(network.parameters(), lr=0.01)
    for _ in range(2):
        backward(network)
        optimizer.step()
    norms.close()
    assert [change.name for change in NormsReader(tmp_path).read().layers] == ["lora_te1_b"]


def test_long_runs_are_measured_ever_less_often(tmp_path, watching, monkeypatch):
    monkeypatch.setattr(lorabook_norms, "ROWS", 3)
    network = make_network()
    norms, optimizer = watching(), torch.optim.SGD(network.parameters(), lr=1e-4)
    for _ in range(200):
        backward(network)
        optimizer.step()
        optimizer.zero_grad()
    norms.close()
    assert [row["step"] for row in rows(tmp_path) if row["kind"] == "layers"] == [2, 10, 20, 40, 60, 80, 120, 160, 200]
    assert sum(len(row["gradient"]) for row in rows(tmp_path) if row["kind"] == "steps") == 200


def test_trouble_is_told_once_and_the_training_goes_on(tmp_path, watching, capfd):
    network = make_network()
    norms = watching()
    first, second = (torch.optim.SGD(network.parameters(), lr=0.1) for _ in range(2))
    for optimizer in (first, second, first):
        backward(network)
        optimizer.step()
    weights = whole(network.parameters())
    norms.close()
    assert "several optimizers" in NormsReader(tmp_path).read().off
    told = capfd.readouterr().err
    assert told.count("not measured any more: the reason stands in norms.jsonl") == 1 and "several" not in told
    other = make_network()
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
    for _ in range(3):
        backward(other)
        optimizer.step()
    assert weights == whole(other.parameters())


@pytest.mark.parametrize("when", ["_before", "_after"])
def test_trouble_while_torch_goes_through_its_hooks_ends_no_step(tmp_path, monkeypatch, capfd, when):
    network = make_network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    norms, others = Norms(tmp_path / "norms.jsonl"), []
    monkeypatch.setattr(norms, when, lambda *_: 1 / 0)
    norms.watch()
    handle = register_optimizer_step_pre_hook(lambda *_: others.append(1))  # one that stands behind ours
    try:
        for _ in range(2):
            before = [parameter.detach().clone() for parameter in network.parameters()]
            backward(network)
            optimizer.step()
            assert not all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))
    finally:
        handle.remove()
        norms.close()
    assert len(others) == 2 and "ZeroDivisionError" in NormsReader(tmp_path).read().off
    assert capfd.readouterr().err.count("are not measured any more") == 1


def test_a_folder_that_cannot_be_written_ends_the_measuring_alone(tmp_path, capfd):
    norms, network = Norms(tmp_path / "gone" / "norms.jsonl"), make_network()
    norms.watch()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(3):
        backward(network)
        optimizer.step()
    norms.close()
    assert capfd.readouterr().err.count("norms.jsonl cannot be written (FileNotFoundError)") == 1
    assert torch.nn.utils.clip_grad_norm_.__name__ == "clip_grad_norm_"


def test_a_full_file_is_the_end_of_it(tmp_path, watching, monkeypatch, capfd):
    monkeypatch.setattr(lorabook_norms, "MOST_BYTES", 300)
    network = make_network()
    norms, optimizer = watching(), torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(60):
        backward(network)
        optimizer.step()
        optimizer.zero_grad()
    norms.close()
    assert (tmp_path / "norms.jsonl").stat().st_size < 500 and "is full" in NormsReader(tmp_path).read().off


@pytest.mark.parametrize(("parameter", "layer"), [
    ("lora_unet_x.lora_down.weight", "lora_unet_x"), ("module.lora_unet_x.lora_up.weight", "lora_unet_x"),
    ("lycoris_unet_x.lokr_w1_a", "lycoris_unet_x"), ("lora_unet_x.lora_down.2.weight", "lora_unet_x"),
    ("lora_te_x.dora_scale", "lora_te_x"),
    ("down_blocks.0.resnets.1.conv1.weight", "down_blocks.0.resnets.1.conv1"), ("_orig_mod.a.b.bias", "a.b"), ("alone", "alone")])
def test_parameters_are_gathered_by_their_module(parameter, layer):
    assert layer_name(parameter) == layer


def run_script(tmp_path, text, python=sys.executable, **env):
    script = tmp_path / "trainer" / "script.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text(text)
    argv = [str(python), str(INSIDE / "lorabook_start.py"), "script.py", "--name", "a b"]
    environ = {**os.environ, "PYTHONPATH": "", "LORABOOK_RUN": str(tmp_path), **env}
    return subprocess.Popen(argv, cwd=script.parent, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_the_script_is_itself_with_its_arguments_its_folder_and_its_exit_code(tmp_path):
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "beside.py").write_text("WORD = 'beside'")
    done = run_script(tmp_path, "import sys, beside\nprint(__name__, sys.argv, beside.WORD, __file__)\nsys.exit(7)")
    out, err = done.communicate()
    assert out.strip() == f"__main__ {['script.py', '--name', 'a b']} beside script.py" and done.returncode == 7 and err == ""


@pytest.mark.slow
def test_an_error_and_a_signal_end_it_as_ever(tmp_path):
    failed = run_script(tmp_path, "raise ValueError('no data')")
    assert "ValueError: no data" in failed.communicate()[1] and failed.returncode == 1
    waiting = run_script(tmp_path, "from pathlib import Path\nimport time\nPath('up').touch()\ntime.sleep(60)")
    wait_for((tmp_path / "trainer" / "up").exists)
    began = time.monotonic()
    waiting.send_signal(signal.SIGTERM)
    waiting.communicate()
    assert waiting.returncode == -signal.SIGTERM and time.monotonic() - began < 5


@pytest.mark.slow
def test_a_script_that_never_heard_of_it_is_measured(tmp_path):
    done = run_script(tmp_path, SCRIPT.format(optimizer=ADAM), LORABOOK_FROM_STEP="100")
    assert done.communicate()[1] == "" and done.returncode == 0
    norms = NormsReader(tmp_path).read()
    assert [step for step, _, _ in norms.gradient] == list(range(101, 126))
    assert {change.name: change.step for change in norms.layers} == {"lora_unet_in": 120, "lora_unet_out": 120, "lora_te_one": 120}
    assert [part for part, _ in norms.parts] == ["U-Net", "text encoder"]


@pytest.mark.slow
def test_only_the_first_of_several_processes_measures_and_none_without_a_run(tmp_path):
    for env in ({"RANK": "1"}, {"LORABOOK_RUN": ""}):
        done = run_script(tmp_path, SCRIPT.format(optimizer=ADAM), **env)
        assert done.communicate()[1] == "" and done.returncode == 0
    assert not (tmp_path / "norms.jsonl").exists()


OTHERS = {
    "schedule-free": "import schedulefree\noptimizer = schedulefree.AdamWScheduleFree(network.parameters(), lr=1e-2)\noptimizer.train()",
    "prodigy": "import prodigyopt\noptimizer = prodigyopt.Prodigy(network.parameters())",
    "prodigy plus": "from prodigyplus.prodigy_plus_schedulefree import ProdigyPlusScheduleFree\n"
                    "optimizer = ProdigyPlusScheduleFree(network.parameters())",
    "adafactor": "from transformers.optimization import Adafactor\noptimizer = Adafactor(network.parameters())",
    "accelerate": "import accelerate\naccelerator = accelerate.Accelerator(cpu=True)\n"
                  "optimizer = accelerator.prepare(torch.optim.AdamW(network.parameters(), lr=1e-2))",
    "fused": "optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2, fused=True)",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_every_kind_of_optimizer_is_heard_once_a_step_in_the_trainers_own_environment(tmp_path, name):
    if not os.environ.get("SD_SCRIPTS_DIR"):
        pytest.skip("SD_SCRIPTS_DIR names no checkout of sd-scripts")
    from core.training.backends.sd_scripts import interpreter

    done = run_script(tmp_path, SCRIPT.format(optimizer=OTHERS[name]), interpreter())
    err = done.communicate()[1]
    assert done.returncode == 0 and "lorabook:" not in err, err
    norms = NormsReader(tmp_path).read()
    assert [step for step, _, _ in norms.gradient] == list(range(1, 26)) and all(length for _, length, _ in norms.gradient)
    assert len(norms.layers) == 3 and all(change.update > 0 for change in norms.layers)
