"""What files are, read beside the kernel: each once until it changes, and without torch."""

import subprocess
import sys

from core.base.errors import ModelError
from core.base.paths import ROOT
from tests.core.utilities.layers import layer, write
from tests.core.utilities.test_extracting import models
from widgets.kernel_loop import KernelLoop
from widgets.utilities.reading import Reads, lora_facts

PROBE = """
import sys
from widgets.utilities.extract import SIZED, most_bytes_of
from widgets.utilities.reading import fit_model, fit_together, lora_facts, model_facts
lora, base, tuned = sys.argv[1:]
print(lora_facts(lora).words, fit_together(lora, lora), model_facts(base).words, fit_model(base, lora))
most_bytes_of(base, tuned, (("new_rank", 4),))
print([name for name in ("torch", "numpy", "PIL") if name in sys.modules])
"""


def test_nothing_that_is_told_before_the_start_loads_torch(tmp_path):
    fits = "lora_unet_up_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
    layers = {fits: layer("linear", 1, out=24, wide=32)[0], "lora_unet_x": layer("linear")[0]}
    lora = write(tmp_path / "a.safetensors", layers, {"ss_base_model_version": "sd_v1"})
    paths = [str(path) for path in (lora, *models(tmp_path, "sd15"))]
    found = subprocess.run([sys.executable, "-c", PROBE, *paths], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert found.splitlines() == [
        "LoRA for Stable Diffusion 1.x, rank 4, 3 KiB sd15 Stable Diffusion 1.x, 24 KiB ('lora_unet_x',)", "[]"]


def test_a_file_is_read_once_until_it_changes(tmp_path):
    read, told = [], []
    path = write(tmp_path / "a.safetensors", {"lora_unet_x": layer("linear")[0]})

    def look(file):
        read.append(file)
        return lora_facts(file).rank

    reads = Reads(KernelLoop(), look, lambda: told.append(1))
    assert [reads.of(str(path)).value for _ in range(3)] == ["4"] * 3 and len(read) == len(told) == 1
    write(path, {"lora_unet_x": layer("linear", rank=3)[0], "lora_unet_y": layer("linear", rank=3)[0]})
    assert reads.of(str(path)).value == "3" and len(read) == 2


def test_what_cannot_be_read_is_a_sentence_and_a_bug_is_called_so(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"x")

    def refused(file):
        raise ModelError(f"{file} is odd.", "Choose another.")

    def broken(file):
        raise ZeroDivisionError("division by zero")

    assert Reads(KernelLoop(), refused, lambda: None).of(str(path)).problem == f"{path} is odd. Choose another."
    assert Reads(KernelLoop(), broken, lambda: None).of(str(path)).problem.startswith("This is a bug in Lorabook (ZeroDivisionError")
    assert "is no file on this machine" in Reads(KernelLoop(), refused, lambda: None).of(str(tmp_path / "b")).problem
