"""The LoRA tools against sd-scripts' own, run in its own environment: SD_SCRIPTS_DIR (and SD_SCRIPTS_PYTHON, where that lies elsewhere)."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.training.backends.sd_scripts import SdScriptsBackend, interpreter
from core.utilities.files.hashing import hashes_of
from core.utilities.files.lora_file import open_lora
from core.utilities.files.metadata import MetadataSettings, edit_metadata
from core.utilities.resizing.resizing import ResizeLoraSettings, resize_lora
from tests.core.utilities.layers import best_of_rank, update_of
from tests.lora_files import METADATA, make_lora

pytestmark = pytest.mark.slow
HASHES = """
import json, sys
import safetensors.torch
from safetensors import safe_open
from library import train_util
path = sys.argv[1]
with safe_open(path, "pt") as file:
    metadata = file.metadata()
model, legacy = train_util.precalculate_safetensors_hashes(safetensors.torch.load_file(path), metadata)
with open(path, "rb") as file:
    tensors = train_util.addnet_hash_safetensors(file)
print(json.dumps({"sha256": train_util.calculate_sha256(path), "autov1": train_util.model_hash(path), "tensors": tensors,
                  "sshs_model_hash": model, "sshs_legacy_hash": legacy, "metadata": metadata}))
"""


@pytest.fixture(scope="session")
def checkout():
    if not os.environ.get("SD_SCRIPTS_DIR"):
        pytest.skip("SD_SCRIPTS_DIR names no checkout of sd-scripts")
    if problem := SdScriptsBackend.missing():
        pytest.skip(problem.what)
    return Path(os.environ["SD_SCRIPTS_DIR"]), interpreter()


def run(checkout, *words):
    folder, python = checkout
    environment = {**os.environ, "PYTHONPATH": str(folder), "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run([str(python), *map(str, words)], cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def layers(path, count=200):
    """Layers of several shapes and falls of their singular values, some of them convolutions, and one that is zero."""
    chance = torch.Generator().manual_seed(5)
    state = {}
    for number in range(count):
        out, wide, rank = (int(torch.randint(low, high, (1,), generator=chance)) for low, high in ((24, 120), (24, 120), (2, 25)))
        fall = torch.logspace(0, -float(torch.rand(1, generator=chance)) * 3, rank)
        up, down = torch.randn(out, rank, generator=chance) * fall, torch.randn(rank, wide, generator=chance)
        if number % 5 == 0:
            up, down = up[:, :, None, None], torch.randn(rank, wide, 3, 3, generator=chance)
        state[f"lora_unet_{number}.lora_up.weight"] = up * (number != 7)
        state[f"lora_unet_{number}.lora_down.weight"] = down
        state[f"lora_unet_{number}.alpha"] = torch.tensor(float(rank) / (1 + number % 3))
    save_file({name: value.contiguous() for name, value in state.items()}, path, METADATA)
    return path


@pytest.mark.parametrize("method, param, rank, conv", [
    ("fixed", 1.0, 6, 2), ("sv_ratio", 20.0, 64, 64), ("sv_ratio", 1000.0, 8, 4), ("sv_cumulative", 0.7, 64, 64),
    ("sv_cumulative", 0.9, 12, 12), ("sv_fro", 0.97, 64, 64)])
def test_ranks_and_updates_of_two_hundred_layers_are_sd_scripts_own(checkout, tmp_path, method, param, rank, conv):
    path = layers(tmp_path / "a.safetensors")
    words = () if method == "fixed" else ("--dynamic_method", method, "--dynamic_param", param)
    run(checkout, checkout[0] / "networks/resize_lora.py", "--model", path, "--save_to", tmp_path / "theirs.safetensors",
        "--new_rank", rank, "--new_conv_rank", conv, "--device", "cpu", "--save_precision", "float", *words)
    resize_lora(ResizeLoraSettings.make(file=str(path), save_to=str(tmp_path / "ours.safetensors"), dynamic_method=method, device="cpu",
                                        dynamic_param=param, new_rank=rank, new_conv_rank=conv, save_precision="float"))
    old, theirs, ours = (load_file(tmp_path / f"{name}.safetensors") for name in ("a", "theirs", "ours"))
    below, differences = 0, []
    for number in range(200):
        name = f"lora_unet_{number}"
        own = old[f"{name}.lora_down.weight"].shape[0]
        wanted, found = (state[f"{name}.lora_down.weight"].shape[0] for state in (theirs, ours))
        assert found == min(wanted, own), (number, own)  # beyond a layer's own rank they keep what is rounding alone
        below += found < min(own, conv if number % 5 == 0 else rank)
        whole, mine, his = (update_of(state, name) for state in (old, ours, theirs))
        size, values = float(whole.norm()), torch.linalg.svdvals(whole.flatten(1))
        assert float((mine - best_of_rank(whole, found)[0]).norm()) <= 1e-6 * size, number
        if found == wanted and size and float(values[found - 1] - values[found]) > 0.05 * float(values[0]):
            differences.append(float((mine - his).norm()) / size)  # else float32, in which they compute, mixes the next value in
    assert (method == "fixed" or rank < 64 or below > 50)
    assert not differences or (sorted(differences)[len(differences) * 9 // 10] <= 1e-5 and max(differences) <= 1e-4)
    assert differences or param == 20  # at this ratio the values that are kept and left lie close together
    with open_lora(tmp_path / "ours.safetensors") as mine, open_lora(tmp_path / "theirs.safetensors") as his:
        for key in ("ss_network_dim", "ss_training_comment", "ss_learning_rate"):
            assert mine.metadata[key] == his.metadata[key], key


def test_the_hashes_are_sd_scripts_own_also_after_an_edit(checkout, tmp_path):
    path = make_lora(tmp_path / "a.safetensors", "sd15", rank=4)
    for _ in range(2):
        theirs, ours = json.loads(run(checkout, "-c", HASHES, path).splitlines()[-1]), hashes_of(path)
        assert (theirs["sha256"], theirs["autov1"], theirs["tensors"]) == (ours.sha256, ours.autov1, ours.tensors)
        for key in ("sshs_model_hash", "sshs_legacy_hash"):
            assert theirs[key] == ours.as_dict()[key] == theirs["metadata"][key], key
        edit_metadata(MetadataSettings.make(file=str(path), name="Mika", prompt_name="another", remove=("ss_tag_frequency",)))
