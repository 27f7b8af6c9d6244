"""What the machine has: NVIDIA GPUs, memory, disk. Read from nvidia-smi and the system, no torch."""

from __future__ import annotations

import os
import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from core.base.findings import Finding
from core.setup.commands import read_output

SMI_PLACES = ("/usr/bin/nvidia-smi", "/opt/bin/nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi")
"""Where nvidia-smi is when it is not on the PATH (Colab, Windows' Linux)."""
GIB = 2**30
CPUS = Path("/sys/devices/system/cpu")
"""Where Linux tells which processors share a core."""
CGROUPS = Path("/sys/fs/cgroup")
"""Where Linux tells the limits of a container."""


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU."""

    name: str
    driver: str
    memory_mib: int
    free_mib: int
    capability: str = ""
    """Compute capability, "8.9"; empty where the driver is too old to tell."""


@dataclass(frozen=True)
class GpuReport:
    """Every NVIDIA GPU, or why there is none."""

    gpus: tuple[Gpu, ...] = ()
    cuda: str = ""
    """Highest CUDA version that the driver supports."""
    problem: str = ""
    """A GPU seems to be there but cannot be used: why."""


def platform_problem(system: str = "", machine: str = "") -> Finding | None:
    """Why Lorabook cannot run on this kind of computer, None where it can. Args: as of `platform`; "": of this one.

    The last torch with packages for Intel Macs is 2.2.2 (PyPI); requirements.txt asks for 2.4.
    """
    system, machine = system or platform.system(), (machine or platform.machine()).lower()
    if system == "Windows":
        return Finding("error", "Lorabook runs on Windows inside WSL, Windows' own Linux, and this is Windows itself.",
                       "In PowerShell run: wsl --install; then restart, open Ubuntu, and fetch Lorabook there (docs/setup.md).")
    if system == "Darwin" and machine == "x86_64":
        return Finding("error", "This Python is for a Mac with an Intel processor, for which torch has had no packages since version 2.3.",
                       "On a Mac with an M processor, install the ordinary Python 3.11 of python.org and run: "
                       "python3.11 installer.py --repair. With an Intel processor, use Google Colab or rent a machine (README.md).")
    return None


def find_nvidia_smi() -> str | None:
    """Path of nvidia-smi, None where there is none."""
    return shutil.which("nvidia-smi") or next((place for place in SMI_PLACES if os.access(place, os.X_OK)), None)


def read_gpus() -> GpuReport:
    """The GPUs that nvidia-smi lists; an empty report on a machine without."""
    program = find_nvidia_smi()
    if program is None:
        if Path("/dev/nvidia0").exists():
            return GpuReport(problem="An NVIDIA device is there, but nvidia-smi is not, so the driver cannot be asked.")
        return GpuReport()
    gpus = _query(program)
    if not gpus:
        return GpuReport(problem="nvidia-smi lists no GPU: the driver does not answer, or the machine was started without one.")
    match = re.search(r"CUDA Version:\s*([\d.]+)", read_output([program]) or "")
    return GpuReport(gpus, match.group(1) if match else "")


def _query(program: str) -> tuple[Gpu, ...]:
    """Ask with the compute capability first, which drivers before 2021 (465) do not know."""
    fields = "name,driver_version,memory.total,memory.free"
    for wanted in (f"{fields},compute_cap", fields):
        text = read_output([program, f"--query-gpu={wanted}", "--format=csv,noheader,nounits"])
        if text is not None:
            return tuple(gpu for gpu in map(_parse, text.splitlines()) if gpu)
    return ()


def _parse(line: str) -> Gpu | None:
    parts = [part.strip() for part in line.split(",")]
    if len(parts) < 4:
        return None
    numbers = [int(part) if part.isdigit() else 0 for part in parts[2:4]]
    return Gpu(parts[0], parts[1], numbers[0], numbers[1], parts[4] if len(parts) > 4 else "")


def memory_gib() -> tuple[float, float]:
    """(total, available) memory in GiB; a container's limit counts as the total. (0, 0) where it cannot be read."""
    facts: dict[str, int] = {}
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            facts[name] = int(value.split()[0]) * 1024
    except (OSError, ValueError):
        return _memory_by_sysconf()
    total, available = facts.get("MemTotal", 0), facts.get("MemAvailable", 0)
    limit, used = _container_limit()
    if 0 < limit < total:
        total, available = limit, max(0, min(available, limit - used))
    return total / GIB, available / GIB


def _memory_by_sysconf() -> tuple[float, float]:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    except (AttributeError, OSError, ValueError):
        return 0.0, 0.0
    return total, total


def _container_limit() -> tuple[int, int]:
    """(limit, used) bytes of this container's memory, (0, 0) without a limit; cgroup 2, then 1."""
    for limit, used in (("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
                        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes")):
        try:
            text = Path(limit).read_text(encoding="ascii").strip()
            if text.isdigit():
                return int(text), int(Path(used).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
    return 0, 0


def cpu_cores() -> float:
    """Cores that this process may compute on at once: physical ones where they are known, no more than the container's share of time.

    Two threads of one core compute no more than one. A rented machine often shows the whole host's processors, of which a container
    gets as much time as its quota says: 1.5 is one and a half.
    """
    processors = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    cores: float = len({_threads_of_core(number) for number in processors})
    quota = _cpu_quota()
    return min(cores, quota) if quota else cores


def _threads_of_core(processor: int) -> str:
    """The processors on the same core as this one, "0,4"; its own number where the system does not tell."""
    for name in ("core_cpus_list", "thread_siblings_list"):  # the second is the name before Linux 5.3
        try:
            return (CPUS / f"cpu{processor}" / "topology" / name).read_text(encoding="ascii").strip() or str(processor)
        except (OSError, ValueError):
            continue
    return str(processor)


def _cpu_quota() -> float:
    """Processors' worth of time that this container gets, 0 without a limit; cgroup 2, then 1.

    Source: the kernel's Documentation/admin-guide/cgroup-v2.rst (cpu.max) and scheduler/sched-bwc.rst (cpu.cfs_quota_us).
    """
    try:
        limit, _, period = (CGROUPS / "cpu.max").read_text(encoding="ascii").strip().partition(" ")
    except (OSError, ValueError):
        try:
            limit, period = ((CGROUPS / "cpu" / f"cpu.cfs_{name}_us").read_text(encoding="ascii").strip() for name in ("quota", "period"))
        except (OSError, ValueError):
            return 0.0
    return int(limit) / int(period) if limit.isdigit() and period.isdigit() and int(limit) and int(period) else 0.0


def free_disk_gib(folder: Path) -> float:
    """Free space where `folder` is or will be, in GiB."""
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return shutil.disk_usage(place).free / GIB


def mount_point(folder: Path) -> Path:
    """The mounted place that holds `folder`."""
    place = folder.resolve()
    while not os.path.ismount(place) and place != place.parent:
        place = place.parent
    return place
