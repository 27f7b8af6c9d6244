"""Files written tensor by tensor: as safetensors itself writes them, whole or not at all, with sd-scripts' hashes."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file

from core.base.errors import ModelError
from core.base.paths import ROOT
from core.base.tensor_headers import ROOM, read_header
from core.training.builtin.metadata import write_lora
from core.utilities.files.hashing import hashes_of
from core.utilities.files.writing import bytes_of, new_tensor, write_safetensors

TYPES = {torch.float16: "F16", torch.float32: "F32", torch.bfloat16: "BF16", torch.int64: "I64", torch.float8_e4m3fn: "F8_E4M3"}
METADATA = {"ss_network_dim": "16", "ss_training_comment": "grüße", "modelspec.title": "Mika"}


def tensors(layers=20, width=64):
    chance = torch.Generator().manual_seed(1)
    found = {"z.count": torch.tensor(7), "y.small": torch.randn(3, generator=chance).to(torch.float8_e4m3fn)}
    for number in range(layers):
        found[f"lora_unet_{number}.lora_up.weight"] = torch.randn(width, 8, generator=chance).half()
        found[f"lora_unet_{number}.alpha"] = torch.tensor(float(number))
        found[f"lora_unet_{number}.lora_down.weight"] = torch.randn(8, width, generator=chance).bfloat16()
    return found


def as_new(state):
    return [new_tensor(name, TYPES[value.dtype], value.shape, lambda value=value: bytes_of(value)) for name, value in state.items()]


def test_the_tensors_lie_as_safetensors_itself_lays_them_and_metadata_has_room(tmp_path):
    state = tensors()
    assert write_safetensors(tmp_path / "a.safetensors", as_new(state), METADATA) == METADATA
    theirs = save(state, METADATA)
    ours = (tmp_path / "a.safetensors").read_bytes()
    start, own = (8 + int.from_bytes(data[:8], "little") for data in (theirs, ours))
    assert ours[own:] == theirs[start:] and own % 8 == 0 and own - start >= ROOM - 8
    back = load_file(tmp_path / "a.safetensors")
    assert all(torch.equal(back[name].view(torch.uint8), value.view(torch.uint8)) for name, value in state.items() if value.ndim)
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        assert file.metadata() == METADATA


def test_order_can_be_kept(tmp_path):
    state = {name: value for name, value in tensors(3).items() if value.dtype == torch.float16}
    names = [*state][::-1]
    write_safetensors(tmp_path / "a.safetensors", as_new({name: state[name] for name in names}), {}, keep_order=True)
    assert [place.name for place in read_header(tmp_path / "a.safetensors").tensors] == names


@pytest.mark.parametrize("size", ["small", "above a megabyte", "long header"])
def test_the_hashes_are_those_that_the_trainers_write(tmp_path, size):
    """Also where the 64 KiB at 1 MiB lie among the tensors, and where they lie in the header."""
    state = {f"{'x' * 900 if size == 'long header' else 'lora_unet'}_{number}.lora_up.weight": torch.randn(64, 64)
             for number in range({"small": 4, "above a megabyte": 120, "long header": 1200}[size])}
    write_lora(tmp_path / "theirs.safetensors", state, METADATA)
    with safe_open(tmp_path / "theirs.safetensors", "pt") as file:
        theirs = file.metadata()
    ours = write_safetensors(tmp_path / "ours.safetensors", as_new(state), METADATA, hashes=True)
    assert {key: ours[key] for key in ("sshs_model_hash",)} == {"sshs_model_hash": theirs["sshs_model_hash"]}
    if size != "long header":  # safetensors shuffles the metadata, so what lies in its header is another each time
        assert ours["sshs_legacy_hash"] == theirs["sshs_legacy_hash"]
    for name in ("ours", "theirs"):
        found = hashes_of(tmp_path / f"{name}.safetensors").as_dict()
        assert (found["sshs_model_hash"], found["sshs_legacy_hash"]) == (ours["sshs_model_hash"], ours["sshs_legacy_hash"])
        data = (tmp_path / f"{name}.safetensors").read_bytes()
        assert found["sha256"] == hashlib.sha256(data).hexdigest() and found["autov2"] == found["sha256"][:10]
        assert found["autov1"] == hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8]
        assert found["autov3"] == hashlib.sha256(data[8 + int.from_bytes(data[:8], "little"):]).hexdigest()[:12]
    with safe_open(tmp_path / "ours.safetensors", "pt") as file:
        assert file.metadata() == ours


def test_a_tensor_that_fails_leaves_nothing_behind(tmp_path):
    kept = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(2)}, kept)
    before = kept.read_bytes()

    def fail():
        raise ModelError("no")

    for produce in (fail, lambda: b"123"):
        with pytest.raises(ModelError):
            write_safetensors(kept, [*as_new({"x": torch.ones(4)}), new_tensor("y", "F32", (2,), produce)], {})
    assert kept.read_bytes() == before and list(tmp_path.iterdir()) == [kept]


def test_a_header_that_no_reader_takes_is_not_written(tmp_path):
    with pytest.raises(ModelError, match="at most|most"):
        write_safetensors(tmp_path / "a.safetensors", as_new({"x": torch.ones(4)}), {"modelspec.thumbnail": "x" * 100_000_001})
    assert not list(tmp_path.iterdir())


GROW = """
import sys
from pathlib import Path
from core.utilities.files.writing import new_tensor, write_safetensors
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
block = bytes(8 << 20)
tensors = [new_tensor(f"t{number:03}", "F16", (4 << 20,), lambda: block) for number in range(64)]
before = peak()
write_safetensors(Path(sys.argv[1]), tensors, {}, hashes=True)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_half_a_gigabyte_is_written_in_little_memory(tmp_path):
    command = [sys.executable, "-c", GROW, str(tmp_path / "a.safetensors")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(result.stdout) < 40 and (tmp_path / "a.safetensors").stat().st_size > 512 << 20
