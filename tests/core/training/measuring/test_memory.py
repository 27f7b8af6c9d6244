"""The most memory that was taken: of the GPU as its driver tells it, of the machine, and from inside the trainer."""

import os
import subprocess
import sys
from types import SimpleNamespace

from core.base.jobs import read_events
from core.training.backends.inside.lorabook_memory import tell_memory
from core.training.measuring.watching_memory import MemoryWatch, bytes_of, told_by_torch

DRIVER = '#!/bin/sh\ncat "$(dirname "$0")/gpus"\n'


def gpus(folder, first, second):
    (folder / "gpus").write_text(f"0, NVIDIA A, {first}, 24000, 10, 50, 99.5\n1, NVIDIA B, {second}, 48000, 90, 60, 200.1\n")


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


def test_of_a_gpu_without_any_room_is_told_what_others_took(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text(DRIVER)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    gpus(tmp_path, 23_900, 500)
    watch = MemoryWatch(lambda: None)
    watch.look()
    gpu, before = watch.fullest_before()
    assert watch.gpu() is None and (gpu.name, before) == ("NVIDIA A", 23_900)


def test_without_a_gpu_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    watch = MemoryWatch(lambda: None)
    watch.look()
    assert watch.gpu() is None and watch.fullest_before() is None


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
                           get_device_name="NVIDIA {}".format, max_memory_reserved=reserved.__getitem__,
                           max_memory_allocated=allocated.__getitem__)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    tell_memory(tmp_path)
    (event,), _ = read_events(tmp_path)
    assert told_by_torch(tmp_path) == 9 << 30 and (event["allocated"], event["device"]) == (8 << 30, "NVIDIA 1")
    assert told_by_torch(tmp_path / "nowhere") == 0


def test_a_torch_that_cannot_tell_ends_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: 1 / 0)))
    tell_memory(tmp_path)
    assert "could not be told: ZeroDivisionError" in capsys.readouterr().err and told_by_torch(tmp_path) == 0
