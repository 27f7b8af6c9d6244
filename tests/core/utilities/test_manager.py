"""The tools as commands and as jobs, on files anywhere; and pickled checkpoints."""

import json
import os
import random
import time
from argparse import Namespace

import pytest
import torch
from safetensors.torch import load_file

from core.base.errors import ConfigError, ModelError
from core.base.jobs import list_jobs
from core.cli import main
from core.stages import STAGES
from core.utilities.files.pickled import PickledSettings, convert_pickled
from core.utilities.manager import UtilitiesManager
from core.utilities.resizing.resizing import ResizeLoraSettings
from tests.core.utilities.layers import layer, write


@pytest.fixture(autouse=True)
def loras(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_LORAS", str(tmp_path / "loras"))
    return tmp_path / "loras"


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "a.safetensors", {"lora_unet_x": layer("linear")[0]}, {"ss_network_dim": "4"})


def test_every_tool_is_a_command_that_needs_no_project(path, capsys):
    assert main(["inspect-lora", "--file", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ranks"] == {"4": 1}
    assert main(["lora-sizes", "--file", str(path), "--targets", "2", "sv_fro=0.9"]) == 0
    assert "rank 2: " in capsys.readouterr().out
    assert main(["resize-lora", "--file", str(path), "--new_rank", "2"]) == 0
    assert "a-r2.safetensors: rank 2" in capsys.readouterr().out
    assert main(["lora-metadata", "--file", str(path), "--name", "Mika", "--remove", "ss_network_dim"]) == 0
    assert "modelspec.title" in capsys.readouterr().out
    assert main(["inspect-lora", "--file", str(path) + "x"]) == 1 and "does not exist" in capsys.readouterr().err
    assert all(STAGES[name].folder() == UtilitiesManager().folder for name in ("inspect-lora", "resize-lora", "lora-metadata"))


def test_a_tool_runs_as_a_job_of_its_own(path, loras):
    job = UtilitiesManager().start("resize-lora", ResizeLoraSettings.make(file=str(path), new_rank=2))
    deadline = time.monotonic() + 60
    while not (status := job.status()).ended and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status.state == "done" and status.report["layers"][0]["new_rank"] == 2, status.message
    assert job.folder.parent == loras / "jobs" and [one.id for one in list_jobs(loras)] == [job.id]
    assert "rank 2" in status.message and path.with_name("a-r2.safetensors").is_file()


def test_a_pickled_checkpoint_is_converted_and_tied_tensors_come_twice(tmp_path):
    shared = torch.ones(2, 3)
    torch.save({"state_dict": {"a.lora_up.weight": shared, "b.lora_up.weight": shared, "c": torch.arange(3).bfloat16()}, "epoch": 3},
               tmp_path / "a.pt")
    report = convert_pickled(PickledSettings.make(file=str(tmp_path / "a.pt")))
    state = load_file(tmp_path / "a.safetensors")
    assert report.tensors == 3 and torch.equal(state["b.lora_up.weight"], shared) and torch.equal(state["c"], torch.arange(3).bfloat16())
    with pytest.raises(ConfigError, match="there already"):
        convert_pickled(PickledSettings.make(file=str(tmp_path / "a.pt")))
    torch.save({"a": torch.ones(1), "step": 3, "note": "x"}, tmp_path / "b.pt")
    assert convert_pickled(PickledSettings.make(file=str(tmp_path / "b.pt"))).left == ("step", "note")


class Hidden:
    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


def test_what_would_run_a_program_is_refused_and_not_run(tmp_path):
    torch.save({"a": torch.ones(1), "b": Hidden(tmp_path / "ran")}, tmp_path / "a.pt")
    with pytest.raises(ModelError, match="more than tensors and is not opened: it names (posix|os).mkdir, which could do anything") as told:
        convert_pickled(PickledSettings.make(file=str(tmp_path / "a.pt")))
    assert "Nothing of it was run. Ask its maker for a .safetensors file" in str(told.value)
    assert not any(word in str(told.value) for word in ("WeightsUnpickler", "safe_globals", "allowlist", "weights_only"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.pt"]


@pytest.mark.parametrize(("content", "said"), [
    (Namespace(rank=4), "it names argparse.Namespace, an object of argparse, which is built by running code."),
    (eval, "it names eval, which could do anything on this machine."), (Hidden, "Hidden, an object of ")])
def test_what_kind_of_object_a_pickled_file_names_is_told(tmp_path, content, said):
    torch.save({"a": torch.ones(1), "b": content}, tmp_path / "a.pt")
    with pytest.raises(ModelError) as told:
        convert_pickled(PickledSettings.make(file=str(tmp_path / "a.pt")))
    assert said in told.value.message and "GLOBAL" not in told.value.message


@pytest.mark.parametrize("values, kept, left", [
    ({"unet": {"a": torch.ones(2)}, "epoch": torch.tensor(3)}, ["a"], ("epoch",)),
    ({"params_ema": {"a": torch.ones(2), "n": 1}}, ["a"], ("n",)),
    ({"state_dict": {"a": torch.ones(2)}, "ema": {"b": torch.ones(2)}, "epoch": 3}, ["a"], ("ema", "epoch"))])
def test_the_one_model_in_a_checkpoint_is_taken_and_what_is_beside_it_named(tmp_path, values, kept, left):
    torch.save(values, tmp_path / "a.pt")
    report = convert_pickled(PickledSettings.make(file=str(tmp_path / "a.pt")))
    assert list(load_file(tmp_path / "a.safetensors")) == kept
    assert report.left == left and f"Left out: {', '.join(left)}." in report.sentence()


@pytest.mark.parametrize("values, said", [
    ({"unet": {"a": torch.ones(2)}, "text_encoder": {"b": torch.ones(2)}, "epoch": torch.tensor(3)}, "groups of tensors: unet, text_enc"),
    ({"a": torch.ones(2), "b": torch.ones(2), "unet": {"a": torch.ones(2)}}, "several groups of tensors beside 2 tensors: unet"),
    ({"a": torch.ones(2), "s": torch.eye(3).to_sparse()}, "s in a.pt holds no values of its own"),
    ({"a": torch.empty(2, device="meta")}, "a in a.pt holds no values of its own")])
@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
def test_what_would_be_half_a_checkpoint_is_refused(tmp_path, values, said):
    torch.save(values, tmp_path / "a.pt")
    with pytest.raises(ModelError, match=said):
        convert_pickled(PickledSettings.make(file=str(tmp_path / "a.pt")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pt"]


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_broken_at_any_place_is_read_or_refused_in_words(tmp_path, legacy):
    path, chance = tmp_path / "a.pt", random.Random(0)
    torch.save({"a": torch.ones(2, 3), "b": torch.ones(3), "epoch": 3}, path, _use_new_zipfile_serialization=not legacy)
    whole, refused = path.read_bytes(), 0
    for place in chance.choices(range(min(len(whole), 400)), k=300):
        path.write_bytes(whole[:place] + bytes([chance.randrange(256)]) + whole[place + 1:])
        try:
            convert_pickled(PickledSettings.make(file=str(path)))
        except ModelError as error:
            refused += 1
            assert "a.pt" in error.message
        (tmp_path / "a.safetensors").unlink(missing_ok=True)
    assert refused > 20


@pytest.mark.parametrize("case, said", [("text", "cannot be read|holds more"), ("list", "holds a list"), ("none", "holds no tensors"),
                                        ("complex", "has the type"), ("missing", "does not exist")])
def test_what_is_no_checkpoint_is_said(tmp_path, case, said):
    path = tmp_path / "a.pt"
    if case == "text":
        path.write_text("hello")
    elif case != "missing":
        torch.save({"list": [torch.ones(1)], "none": {"a": 1}, "complex": {"a": torch.ones(1, dtype=torch.complex64)}}[case], path)
    with pytest.raises(ModelError, match=said):
        convert_pickled(PickledSettings.make(file=str(path)))
