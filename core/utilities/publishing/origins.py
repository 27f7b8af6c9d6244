"""Which run a LoRA file comes from, by what its tensors are: itself, a copy with other words in its header, or one that was made of it.

Headers are read, not files: each tells the hash of its tensors (sshs_model_hash), as trainers and the tools here write it. Only a file that
tells none is counted, once, and only where it may be the one.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.base.errors import StudioError
from core.base.saved_as import saved_as
from core.base.tensor_headers import Header, read_header
from core.dataset.project import PROJECT_FILE, Project, known_projects
from core.training.outputs import list_outputs
from core.training.run import Run
from core.utilities.files.derived import made_of
from core.utilities.files.hashing import hashes_of
from core.utilities.merging.merged_metadata import averaged_of

HASH = "sshs_model_hash"


@dataclass(frozen=True)
class Ancestor:
    """A file's own tensors, or those of one that it was made of."""

    tensors: str
    """SHA-256."""
    strength: float = 1.0
    """At which it does what the file does at 1."""
    made: tuple[str, ...] = ()
    """What was done since that changes more than the strength, the newest first."""


@dataclass(frozen=True)
class Origin:
    """Where a file comes from."""

    run: Run
    file: Path | None
    """The run's own file that it is or was made of; None: it only lies among the run's files."""
    ancestors: tuple[Ancestor, ...]
    """The file itself first, then what it was made of."""
    found: Ancestor | None = None
    """The one that the run's file is."""


def lineage(metadata: Mapping[str, str], tensors: str) -> tuple[Ancestor, ...]:
    """A file and what it was made of, as its metadata notes it, the newest first; of an average its checkpoints, the last first.

    Args: tensors: SHA-256 of its tensors, as counted.
    """
    found, strength, made = [Ancestor(tensors.lower())], 1.0, tuple[str, ...]()
    for step in made_of(metadata):
        strength *= step.weight
        if strength == 0 or not math.isfinite(strength):
            return tuple(found)  # of numbers that no tool wrote nothing can be told
        made += () if step.by == "weigh" and not step.blocks else (step.by,)
        found.append(Ancestor(step.sshs_model_hash, strength, made))
    found += [Ancestor(other, strength, (*made, "average")) for other in reversed(averaged_of(metadata))]
    return tuple(found)


def origin_of(file: Path, tensors: str) -> Origin | None:
    """The run that wrote a file, or what it was made of; None: none is known. Args: as `lineage`.

    Looked for are the runs of the project that the file lies in; of a file elsewhere those of all projects whose LoRA is called like it.
    A run that cannot be read is passed over: what is wrong with it is no matter of this file.
    """
    header = read_header(file)
    ancestors = lineage(header.metadata, tensors)
    for run in _runs_near(file, header.metadata):
        with contextlib.suppress(StudioError, OSError):
            for own, place in _own_files(run, ancestors, file, header):
                return Origin(run, place, ancestors, own)
    around = Run(file.parent.parent)
    return Origin(around, None, ancestors) if around.is_readable() else None


def _runs_near(file: Path, metadata: Mapping[str, str]) -> Iterator[Run]:
    project = project_of(file)
    if project is not None:
        own = file.parent.parent
        yield from sorted(Run.list(project.folder, readable=True), key=lambda run: run.folder != own)
        return
    names = {metadata.get("ss_output_name", ""), file.stem, *(Path(step.name).stem for step in made_of(metadata))}
    for folder in known_projects():
        for run in Run.list(folder, readable=True):
            if run.output_name in names or run.output_name in {saved_as(name).name for name in names}:
                yield run


def project_of(file: Path) -> Project | None:
    """The project that a file lies in; None: in none."""
    return next((Project(folder) for folder in file.absolute().parents if (folder / PROJECT_FILE).is_file()), None)


def _own_files(run: Run, ancestors: Sequence[Ancestor], file: Path, header: Header) -> Iterator[tuple[Ancestor, Path]]:
    """The files that the run itself saved and that are among the ancestors, in the ancestors' order; of equal ones the last saved."""
    saved = [path for path in list_outputs(run.checkpoints) if saved_as(path.stem, run.output_name).name == run.output_name]
    told = {ancestors[0].tensors if path == file else _tensors(path, ancestors, header): path
            for path in saved if path.suffix == ".safetensors"}
    return ((one, told[one.tensors]) for one in ancestors if one.tensors in told)


def _tensors(path: Path, ancestors: Sequence[Ancestor], header: Header) -> str:
    """The hash of a file's tensors; empty where it cannot be one of the ancestors, or cannot be read."""
    try:
        other = read_header(path)
        may_be = len(ancestors) > 1 or other.size - other.start == header.size - header.start
        return tensors_of(path) if may_be else other.metadata.get(HASH, "").lower()
    except (StudioError, OSError):
        return ""


def tensors_of(path: Path) -> str:
    """SHA-256 of a file's tensors, as it tells it, else counted once as long as the file stays. Raises: ModelError, DiskError."""
    if told := read_header(path).metadata.get(HASH, ""):
        return told.lower()
    stat = path.stat()
    return _counted(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)
def _counted(path: Path, changed: int, size: int) -> str:
    return hashes_of(path).tensors
