"""What a short run showed, kept with the project until another one is measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.base.errors import StudioError
from core.base.files import read_json, write_json
from core.dataset.project import Project
from core.training.monitor.causes import Cause


@dataclass(frozen=True)
class Units:
    """What each kind of work took; None: it was not reached, or the planned run does none."""

    load: float | None = None
    """Seconds until the first step, without what is encoded."""
    encode: float | None = None
    """Seconds for each picture whose latents are cached."""
    captions: float | None = None
    """Seconds for each caption whose text outputs are cached."""
    warm_up: float | None = None
    """Seconds that the first step took longer than the others."""
    step: float | None = None
    """Seconds of a step after the first."""
    sample: float | None = None
    """Seconds of a sample picture for each of its pixels and steps of drawing."""
    save: float | None = None
    """Seconds of a save, with the state where states are saved."""
    file_bytes: int = 0
    state_bytes: int = 0


@dataclass(frozen=True)
class Memory:
    """What was taken at most, MiB; 0: not measured."""

    gpu: float = 0.0
    """On the fullest GPU, by every process."""
    gpu_before: float = 0.0
    """What others took of it before the short run."""
    gpu_total: float = 0.0
    gpu_name: str = ""
    torch: float = 0.0
    """What the trainer's own torch held there."""
    machine: float = 0.0
    """Main memory of the trainer's processes."""


@dataclass(frozen=True)
class Measured:
    """One measurement."""

    time: float
    """When, seconds since 1970."""
    backend: str
    marks: dict[str, Any]
    """What it hangs on (`marks.marks_of`)."""
    bucket: tuple[int, int]
    """Width and height of the pictures that were trained, px."""
    batch: tuple[int, int]
    """Pictures of a batch, batches of a step."""
    buckets: tuple[int, ...] = ()
    """Pictures with their repeats in each bucket of the planned run; empty: not known."""
    steps: int = 0
    """Steps that were made."""
    units: Units = field(default_factory=Units)
    memory: Memory = field(default_factory=Memory)
    seconds: float = 0.0
    """How long the short run took."""
    price: float = 0.0
    """Of an hour, 0: not known."""
    most_money: float = 0.0
    """The spend cap that was asked for of this measurement, for the planned run too; 0: none was, and what the project keeps holds."""
    ended_for: str = ""
    """The cap that ended it, as a sentence; empty: it came to its end, or failed."""
    cause: Cause | None = None
    """Why it failed; None: it did not."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Measured:
        """The reverse of `as_dict`. Raises: KeyError, TypeError: it is of another version."""
        cause, numbers = values.get("cause"), {name: tuple(values[name]) for name in ("bucket", "batch", "buckets")}
        return cls(**{**values, **numbers, "units": Units(**values["units"]), "memory": Memory(**values["memory"]),
                      "cause": Cause.from_dict(cause) if cause else None})


def place_of_measuring(project: Project) -> Path:
    """The folder of a project's short run, which is no run of the project."""
    return project.hidden / "measuring"


def keep_measured(measured: Measured, project: Project) -> None:
    """Keep it in the place of the last one. Raises: DiskError."""
    write_json(place_of_measuring(project) / "measured.json", measured.as_dict())


def read_measured(project: Project) -> Measured | None:
    """The last one; None: there is none, or it cannot be read any more."""
    try:
        return Measured.from_dict(read_json(place_of_measuring(project) / "measured.json"))
    except (StudioError, OSError, KeyError, TypeError, ValueError):
        return None
