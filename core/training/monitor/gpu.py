"""Memory, load, temperature and power of the NVIDIA GPUs, as nvidia-smi tells them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_FIELDS = "index,name,memory.used,memory.total,utilization.gpu,temperature.gpu,power.draw"


@dataclass(frozen=True)
class Gpu:
    """One GPU at one moment."""

    index: int
    name: str
    used: float
    """MiB in use, by every process."""
    total: float
    """MiB."""
    load: float | None
    """0–100, None where the driver does not tell."""
    temperature: float | None = None
    """°C."""
    power: float | None = None
    """Watts."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Gpu:
        """The reverse of `as_dict`."""
        told = (None if values.get(name) is None else float(values[name]) for name in ("load", "temperature", "power"))
        return cls(int(values["index"]), str(values["name"]), float(values["used"]), float(values["total"]), *told)


def read_gpus() -> list[Gpu]:
    """The machine's GPUs now; empty without nvidia-smi or when it does not answer within 3 s."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        answer = subprocess.run([program, f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits"], capture_output=True, text=True,
                                timeout=3.0, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return parse_gpus(answer.stdout)


def parse_gpus(text: str) -> list[Gpu]:
    """Lines of `nvidia-smi --query-gpu=index,name,memory.used,memory.total,utilization.gpu,temperature.gpu,power.draw` as plain csv."""
    found = []
    for line in text.splitlines():
        words = [word.strip() for word in line.split(",")]
        with contextlib.suppress(ValueError, IndexError):
            found.append(Gpu(int(words[0]), ", ".join(words[1:-5]), float(words[-5]), float(words[-4]), *map(_told, words[-3:])))
    return found


def _told(word: str) -> float | None:
    """A number; None for "[N/A]" and the like."""
    return float(word) if word.replace(".", "").isdigit() else None
