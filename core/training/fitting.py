"""Training settings and a project: what the project fills in, and what can be known to be wrong before launching."""

from __future__ import annotations

import math
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import StudioError
from core.base.files import safe_stem
from core.base.findings import Finding
from core.dataset.project import Project

if TYPE_CHECKING:
    from core.training.config import TrainingSettings

SEEN_PER_EPOCH = 200
"""Pictures, with repeats, that an epoch of a small dataset should have (training-reference: ceil(200 / images))."""
LEAST_FREE = 2 << 30
"""Bytes on the disk below which a run is likely to end in the middle."""


@dataclass(frozen=True)
class RunPlace:
    """A folder that holds a pair, as a backend looks at it."""

    folder: Path


def fit_to_project(settings: TrainingSettings, project: Project) -> TrainingSettings:
    """The settings with what is empty filled in from the project; what a person chose stays.

    Filled in: the project's images as the one folder, with repeats for a small dataset; the project's name; the trigger word as
    sample prompt and as comment in the file.
    """
    from core.training.config.sources import image_files

    info = project.info()
    changes: dict[str, dict[str, Any]] = {}
    if not settings.data.subsets:
        count = len(image_files(project.images))
        repeats = max(1, math.ceil(SEEN_PER_EPOCH / count)) if count else 1
        changes["data"] = {"subsets": [{"image_dir": str(project.images), "num_repeats": repeats}]}
    saving: dict[str, Any] = {}
    if settings.saving.output_name == type(settings.saving).fields()["output_name"].default:
        saving["output_name"] = safe_stem(info.name, "lora").replace(" ", "_")
    if info.trigger_word and settings.saving.training_comment is None:
        saving["training_comment"] = f"trigger word: {info.trigger_word}"
    if saving:
        changes["saving"] = saving
    if info.trigger_word and not settings.sampling.sample_prompts:
        changes["sampling"] = {"sample_prompts": [info.trigger_word]}
    return settings.with_values(**changes) if changes else settings


def check_before_launch(settings: TrainingSettings, backend: str) -> list[Finding]:
    """Everything that can be known to be wrong before the training costs time; nothing is written into the project.

    Returns: findings, errors first: combinations of settings, files that they name, the trainer itself, the pair as it reads it, the disk.
    """
    from core.training.config.checks import check_settings
    from core.training.config.sources import check_sources

    findings = [*check_settings(settings, backend), *check_sources(settings), *_check_backend(settings, backend), *_check_disk(settings)]
    unique = list(dict.fromkeys(findings))
    return sorted(unique, key=lambda finding: ("error", "warning", "info").index(finding.level))


def _check_backend(settings: TrainingSettings, name: str) -> list[Finding]:
    """Is the trainer there, and would it read the pair as it is meant? The pair is written where nobody sees it."""
    from core.training.backends import BACKENDS
    from core.training.config import for_run
    from core.training.config.pair import write_pair

    with tempfile.TemporaryDirectory(prefix="lorabook-check-") as folder:
        try:
            backend = BACKENDS.load(name)
            write_pair(for_run(settings, Path(folder)), Path(folder))
            found = backend.check(RunPlace(Path(folder)))
        except StudioError as error:
            return [Finding("error", error.message, error.hint)]
    missing = backend.missing()
    return found if missing is None else [missing, *found]


def _check_disk(settings: TrainingSettings) -> list[Finding]:
    folder = Path(settings.data.subsets[0].image_dir) if settings.data.subsets else Path.cwd()
    free = shutil.disk_usage(folder if folder.exists() else Path.cwd()).free
    if free < LEAST_FREE:
        return [Finding("warning", f"Only {free / 2**30:.1f} GiB are free on the disk.", "Free some space, or keep fewer checkpoints.")]
    return []
