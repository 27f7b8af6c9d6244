"""A process that computes on the CPU keeps its memory from step to step."""

import platform
import subprocess
import sys

import pytest

from core.base.paths import ROOT
from tests.tiny_models import make_model_folder

CODE = """
import resource, sys
from core.diffusion import load_model
import torch
model = load_model(sys.argv[1], device="cpu") if sys.argv[2] == "tuned" else None
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(20_000_000)
before = faults()
for _ in range(10): torch.ones(20_000_000)
print(faults() - before, float(torch.tensor(1e-40) * 1))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc's allocator")
@pytest.mark.slow
def test_freed_memory_is_used_again_and_denormals_are_zero(tmp_path):
    folder = make_model_folder(tmp_path)

    def measure(kind):
        shown = subprocess.run([sys.executable, "-c", CODE, str(folder), kind], cwd=ROOT, capture_output=True, text=True, check=True)
        return [float(word) for word in shown.stdout.split()]

    (plain, number), (tuned, flushed) = measure("plain"), measure("tuned")
    assert number > 0 and flushed == 0
    assert tuned < plain / 5
