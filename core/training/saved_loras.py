"""The LoRA files of a project: what is finished, and what its runs have saved."""

from __future__ import annotations

from pathlib import Path

from core.dataset.project import Project
from core.training.outputs import list_outputs
from core.training.run import Run


def saved_loras(folder: Path) -> list[tuple[str, Path]]:
    """Words and path of each safetensors file: those of `output/`, then those of each run, the newest first.

    Only names and times are looked at. Args: folder: the project's.
    """
    found = [(f"{path.name} (finished)", path) for path in _newest(Project(folder).output)]
    for run in Run.list(folder):
        found += [(f"{path.name} (run {run.id})", path) for path in _newest(run.checkpoints)]
    return found


def _newest(folder: Path) -> list[Path]:
    return [path for path in reversed(list_outputs(folder)) if path.suffix == ".safetensors"]
