"""What a run was spared after its GPU's memory ran out, beyond its settings: read by the built-in trainer at each start."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from core.base.errors import DatasetError
from core.base.files import read_json, write_json

FILE = "relief.json"


@dataclass(frozen=True)
class Relief:
    """Ways to need less memory that are no settings, since they change nothing of what is learned."""

    micro_batch_size: int | None = None
    """Pictures that the built-in trainer sends through the model at once; None: a whole batch."""


def read_relief(folder: Path) -> Relief:
    """Of a run's folder; none where nothing is written, or nothing that can be read."""
    try:
        values = read_json(Path(folder) / FILE)
    except DatasetError:
        return Relief()
    size = values.get("micro_batch_size") if isinstance(values, dict) else None
    return Relief(size if isinstance(size, int) and size > 0 else None)


def write_relief(relief: Relief, folder: Path) -> None:
    """Raises: DiskError."""
    write_json(Path(folder) / FILE, asdict(relief))
