"""Tensors are read from any file, and nothing that a file holds is run."""

import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from core.base.errors import ModelError
from core.models.weights import read_weights


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2).half())

    def forward(self, x):
        return self.model[1](self.model[0](x))


def same(found, module):
    expected = module.state_dict()
    return found.keys() == expected.keys() and all(torch.equal(found[name], value) and found[name].dtype == value.dtype
                                                   for name, value in expected.items())


@pytest.mark.filterwarnings("ignore")
def test_the_same_tensors_come_from_every_kind_of_file(tmp_path):
    module = Small().eval()
    save_file(module.state_dict(), tmp_path / "a.safetensors")
    torch.save(module.state_dict(), tmp_path / "b.pth")
    torch.jit.save(torch.jit.trace(module, torch.rand(1, 3, 8, 8)), tmp_path / "c.pt")
    torch.jit.save(torch.jit.script(module), tmp_path / "d.pt")
    assert all(same(read_weights(tmp_path / name), module) for name in ("a.safetensors", "b.pth", "c.pt", "d.pt"))


class Harmful:
    def __reduce__(self):
        return (eval, ("1 / 0",))


def test_what_would_run_code_is_refused(tmp_path):
    torch.save({"weight": Harmful()}, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "b.pt", "w") as archive:
        archive.writestr("b/constants.pkl", b"")
        archive.writestr("b/data.pkl", pickle.dumps(Harmful(), 2))
    for name in ("a.pth", "b.pt"):
        with pytest.raises(ModelError, match="more than weights .it names .*eval"):
            read_weights(tmp_path / name)


def test_a_damaged_or_missing_file_is_named(tmp_path):
    torch.save({"weight": torch.ones(1000)}, tmp_path / "whole.pth")
    data = (tmp_path / "whole.pth").read_bytes()
    for name, content in (("cut.pth", data[:500]), ("no.safetensors", b"<html>"), ("empty.pt", b""), ("list.pth", pickle.dumps([1], 2))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match=name):
            read_weights(tmp_path / name)
    with pytest.raises(ModelError, match="not there"):
        read_weights(tmp_path / "none.pth")
