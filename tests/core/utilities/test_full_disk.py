"""A full disk, as the system's own /dev/full is one: every LoRA tool says so, and leaves nothing."""

import os
import tempfile
from pathlib import Path

import pytest
import torch

from core.base import parts
from core.base.errors import DiskError
from core.stages import stage_named
from tests.core.utilities.layers import layer, write
from tests.core.utilities.test_extracting import models
from tests.lora_files import METADATA

FEED = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_ff_net_2"


@pytest.fixture
def sources(tmp_path):
    """Files that every tool can work on, in a folder of their own."""
    for name, seed in (("a", 1), ("b", 2)):
        write(tmp_path / f"{name}.safetensors", {FEED: layer("linear", seed, out=512, wide=1024, rank=4)[0]}, METADATA)
    base, tuned = models(tmp_path, "sd15")
    torch.save({f"{FEED}.lora_up.weight": torch.ones(512, 64), f"{FEED}.lora_down.weight": torch.ones(64, 1024)}, tmp_path / "old.pt")
    return {"a": str(tmp_path / "a.safetensors"), "b": str(tmp_path / "b.safetensors"), "old": str(tmp_path / "old.pt"),
            "base": str(base), "tuned": str(tuned)}


TOOLS = {
    "resize-lora": lambda at: {"file": at["a"], "new_rank": 2},
    "merge-loras": lambda at: {"files": (at["a"], at["b"])},
    "average-loras": lambda at: {"files": (at["a"], at["b"])},
    "weigh-lora": lambda at: {"file": at["a"], "weight": 0.8},
    "convert-lora": lambda at: {"file": at["a"], "naming": "diffusers"},
    "lora-metadata": lambda at: {"file": at["a"], "description": "x" * 70_000},
    "convert-pickled": lambda at: {"file": at["old"]},
    "extract-lora": lambda at: {"base": at["base"], "tuned": at["tuned"], "new_rank": 2},
    "bake-loras": lambda at: {"base": at["base"], "files": (at["lora"],)},
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("tool", TOOLS)
def test_a_full_disk_is_told_and_leaves_nothing(tool, sources, tmp_path, monkeypatch):
    def run(stage, values):
        found = stage_named(stage)
        return found.run(tmp_path / "jobs", found.settings_class().make(**values))

    if tool == "bake-loras":
        run("extract-lora", {**TOOLS["extract-lora"](sources), "save_to": str(tmp_path / "lora.safetensors")})
        sources["lora"] = str(tmp_path / "lora.safetensors")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    def on_the_full_disk(prefix, suffix, dir):
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=suffix, dir=dir)
        os.close(handle)
        return os.open("/dev/full", os.O_WRONLY), name

    class Full:
        mkstemp = staticmethod(on_the_full_disk)

    monkeypatch.setattr(parts, "tempfile", Full)
    with pytest.raises(DiskError, match="No space left to write"):
        run(tool, TOOLS[tool](sources))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
