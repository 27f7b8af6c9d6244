"""The most memory that was taken: of the GPU as its driver tells it, of the machine, and from inside the trainer."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

from core.base.paths import ROOT
from core.training.backends.inside import lorabook_memory
from core.training.measuring.stage import INSIDE, STARTUP
from core.training.measuring.watching_memory import MemoryWatch, bytes_of, told_by_torch

DRIVER = '#!/bin/sh\ncat "$(dirname "$0")/gpus"\n'


def gpus(folder, first, second):
    (folder / "gpus").write_text(f"0, NVIDIA A, {first}, 24000, 10\n1, NVIDIA B, {second}, 48000, 90\n")


def test_the_gpu_on_which_most_was_taken_is_told_with_what_others_took(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text(DRIVER)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    gpus(tmp_path, 20_000, 500)
    watch = MemoryWatch(lambda: None)
    for second in (9_000, 12_345, 7_000):
        gpus(tmp_path, 20_001, second)
        watch.look()
    gpu, before = watch.gpu()
    assert (gpu.name, gpu.used, gpu.total, before) == ("NVIDIA B", 12_345, 48_000, 500)


def test_without_a_gpu_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    watch = MemoryWatch(lambda: None)
    watch.look()
    assert watch.gpu() is None


def test_memory_of_a_process_counts_what_it_has_started():
    script = ("import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', 'data = bytearray(60 << 20); print(1, flush=True); "
              "input()'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\nchild.stdout.readline()\nprint('ready', flush=True)\ninput()\n"
              "child.communicate(b'x')\n")
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    parent.stdout.readline()
    watch = MemoryWatch(lambda: parent.pid)
    watch.look()
    parent.communicate(b"\n")
    assert watch.machine > 60 << 20 and bytes_of(parent.pid, lambda one: 1) == 0


def test_torch_tells_the_most_that_it_held_on_its_fullest_gpu(tmp_path, monkeypatch):
    reserved, allocated = (1 << 30, 9 << 30), (1 << 29, 8 << 30)
    cuda = SimpleNamespace(is_available=lambda: True, is_initialized=lambda: True, device_count=lambda: 2,
                           max_memory_reserved=reserved.__getitem__, max_memory_allocated=allocated.__getitem__)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    lorabook_memory.tell(tmp_path)
    assert told_by_torch(tmp_path) == 9 << 30
    assert json.loads((tmp_path / f"memory-{os.getpid()}.json").read_text())["allocated"] == 8 << 30
    assert told_by_torch(tmp_path / "nowhere") == 0


def test_every_python_process_of_a_short_run_tells_at_its_end_and_a_sitecustomize_of_its_own_is_run_too(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("print('its own', flush=True)\n")
    (tmp_path / "torch.py").write_text(
        "class cuda:\n    is_available = is_initialized = staticmethod(lambda: True)\n    device_count = staticmethod(lambda: 1)\n"
        "    max_memory_reserved = max_memory_allocated = staticmethod(lambda one: 77 << 20)\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (STARTUP, INSIDE, tmp_path))), lorabook_memory.VARIABLE: str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", "import torch; raise SystemExit('out of memory')"], env=env, cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert done.stdout == "its own\n" and done.returncode == 1 and told_by_torch(tmp_path) == 77 << 20
