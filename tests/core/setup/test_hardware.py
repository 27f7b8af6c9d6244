"""The machine's GPUs, memory and disk, read without torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.setup import hardware


def put_nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A stand-in for a program that a machine without a GPU cannot have."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_gpu_is_read_with_driver_memory_and_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_nvidia_smi(tmp_path, monkeypatch, 'case "$*" in *query-gpu*) echo "NVIDIA GeForce RTX 4090, 550.54, 24564, 24000, 8.9";;'
                                          ' *) echo "| NVIDIA-SMI 550.54   CUDA Version: 12.4 |";; esac')
    report = hardware.read_gpus()
    assert report == hardware.GpuReport((hardware.Gpu("NVIDIA GeForce RTX 4090", "550.54", 24564, 24000, "8.9"),), "12.4")


def test_an_old_driver_that_does_not_know_the_capability_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_nvidia_smi(tmp_path, monkeypatch, 'case "$*" in *compute_cap*) exit 2;; *query-gpu*) echo "Tesla T4, 450.80, 15109, 15000";; esac')
    gpu, = hardware.read_gpus().gpus
    assert (gpu.name, gpu.memory_mib, gpu.capability) == ("Tesla T4", 15109, "")


def test_a_driver_that_does_not_answer_is_a_problem_and_not_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_nvidia_smi(tmp_path, monkeypatch, "echo 'NVIDIA-SMI has failed'; exit 9")
    report = hardware.read_gpus()
    assert not report.gpus and "driver" in report.problem


def test_memory_and_disk_are_positive() -> None:
    total, available = hardware.memory_gib()
    assert total >= available > 0
    assert hardware.free_disk_gib(Path("/tmp/not/yet/there")) > 0


@pytest.mark.parametrize(("system", "machine", "words"), [
    ("Windows", "AMD64", "wsl --install"), ("Darwin", "x86_64", "Google Colab"), ("Darwin", "arm64", ""), ("Linux", "x86_64", "")])
def test_a_computer_that_lorabook_cannot_run_on_is_told_what_to_do(system: str, machine: str, words: str) -> None:
    problem = hardware.platform_problem(system, machine)
    assert (problem is None) == (words == "")
    assert problem is None or (problem.level == "error" and words in problem.remedy)


def put_processors(folder: Path, monkeypatch: pytest.MonkeyPatch, cores: list[str], name: str = "core_cpus_list") -> None:
    """A machine whose processors sit on these cores: the processors of the same core, for each."""
    for number, threads in enumerate(cores):
        place = folder / "cpus" / f"cpu{number}" / "topology"
        place.mkdir(parents=True)
        (place / name).write_text(f"{threads}\n")
    monkeypatch.setattr(hardware, "CPUS", folder / "cpus")
    monkeypatch.setattr(hardware, "CGROUPS", folder / "cgroup")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(max(len(cores), 1))), raising=False)


@pytest.mark.parametrize("name", ["core_cpus_list", "thread_siblings_list"])
def test_two_threads_of_a_core_are_one_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    put_processors(tmp_path, monkeypatch, ["0,2", "1,3", "0,2", "1,3"], name)
    assert hardware.cpu_cores() == 2
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 2})
    assert hardware.cpu_cores() == 1


def test_where_the_cores_are_not_told_the_processors_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_processors(tmp_path, monkeypatch, [])
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2})
    assert hardware.cpu_cores() == 3


@pytest.mark.parametrize(("files", "cores"), [
    ({"cpu.max": "150000 100000"}, 1.5), ({"cpu.max": "max 100000"}, 4), ({"cpu.max": "800000 100000"}, 4), ({}, 4),
    ({"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2),
    ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 4), ({"cpu.max": ""}, 4)])
def test_a_container_computes_on_no_more_cores_than_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str],
                                                              cores: float) -> None:
    put_processors(tmp_path, monkeypatch, ["0", "1", "2", "3"])
    for name, text in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(f"{text}\n")
    assert hardware.cpu_cores() == cores
