"""Training settings and a project: what the project fills in, and what can be known to be wrong before launching."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.buckets import fitting_repeats
from core.base.errors import DatasetError, StudioError
from core.base.files import safe_stem
from core.base.findings import Finding, errors_of
from core.base.paths import place_of
from core.dataset.images.training_set import is_training_set
from core.dataset.project import Project
from core.training.config.finding import SettingFinding

if TYPE_CHECKING:
    from core.training.config import Subset, TrainingSettings

UNCHOSEN = "not-chosen-yet.safetensors"
"""Stands for the base model while none is chosen, so that a backend looks at everything else."""


@dataclass(frozen=True)
class RunPlace:
    """A folder that holds a pair, as a backend looks at it."""

    folder: Path


def fit_to_project(settings: TrainingSettings, project: Project, propose: bool = False) -> TrainingSettings:
    """The settings with what is empty filled in from the project; what a person chose stays.

    Filled in: the project's images as the folder to learn from, with repeats for a small dataset; the project's name; the trigger word
    as comment in the file.

    Args: propose: also sample prompts in the words of its captions, where there are none. Only for settings that nobody has looked at
        yet: an empty list that a person saw is a choice.
    """
    from core.training.prompts import prompts_for

    info, settings = project.info(), with_own_folder(settings, project)
    changes: dict[str, dict[str, Any]] = {}
    saving: dict[str, Any] = {}
    if settings.saving.output_name == type(settings.saving).fields()["output_name"].default:
        saving["output_name"] = safe_stem(info.name, "lora").replace(" ", "_")
    if info.trigger_word and settings.saving.training_comment is None:
        saving["training_comment"] = f"trigger word: {info.trigger_word}"
    if saving:
        changes["saving"] = saving
    if propose and not settings.sampling.sample_prompts and (prompts := prompts_for(project)):
        changes["sampling"] = {"sample_prompts": prompts}
    return settings.with_values(**changes) if changes else settings


def with_trigger(settings: TrainingSettings, project: Project) -> TrainingSettings:
    """The settings with the project's trigger word as what calls the LoRA, where it learns from the project's pictures; what a person
    chose stays. Filled in when a run begins, so that a word that is changed before that is not told as it was.
    """
    if not project.trigger_word or settings.saving.metadata_trigger_phrase or not _learns_from(settings, project):
        return settings
    return settings.with_values(saving={"metadata_trigger_phrase": project.trigger_word})


def _learns_from(settings: TrainingSettings, project: Project) -> bool:
    return any(is_own(subset, project) for subset in settings.data.subsets)


def with_own_folder(settings: TrainingSettings, project: Project, refit: bool = False) -> TrainingSettings:
    """The settings with the project's own pictures to learn from, unless other folders were chosen instead.

    Its repeats are those that were chosen (`data.num_repeats`), else as many as its pictures need now (`fitted_repeats`).

    Args: refit: also where the folder stands there already; without it, repeats that somebody gave it there stay.
    """
    from core.training.config import Subset

    chosen, subsets = settings.data.num_repeats, list(settings.data.subsets)
    missing = all(subset.is_reg for subset in subsets)
    if missing:
        subsets.insert(0, Subset(image_dir=str(project.images)))
    if not (missing or refit or chosen):
        return settings
    repeats = chosen or fitted_repeats(project)
    fitted = [subset.changed(num_repeats=repeats) if is_own(subset, project) else subset for subset in subsets]
    return settings.with_values(data={"subsets": fitted})


def is_own(subset: Subset, project: Project) -> bool:
    """Whether a folder is the project's own, to learn from: its pictures, or the best versions of them."""
    place = place_of(subset.image_dir)
    return not subset.is_reg and (place == project.images or is_training_set(place, project))


def fitted_repeats(project: Project) -> int:
    """So many repeats that an epoch of the project's pictures, as many as there are now, has about `SEEN_PER_EPOCH`."""
    from core.training.config.sources import image_files

    count = len(image_files(project.images)) if project.images.is_dir() else 0
    return fitting_repeats(count)


def check_before_launch(settings: TrainingSettings, backend: str, project_folder: Path, deep: bool = True) -> list[Finding]:
    """Everything that can be known to be wrong before the training costs time; of the project only its index is written, a cache.

    Args: deep: also start the trainer's torch, in a process of its own (some seconds, once).
    Returns: findings, errors first: combinations of settings, files that they name, the trainer itself, the pair as it reads it, this
    machine and the time that it takes, the disk that the project's runs lie on.
    """
    from core.training.config.checks import check_settings, without_harmful_fixes
    from core.training.config.sources import check_sources
    from core.training.learned import check_versions, learn_versions
    from core.training.machine import check_machine
    from core.training.measuring.report import memory_findings
    from core.training.room import check_trash

    project, findings = Project.open(project_folder), []
    try:
        findings += check_versions(settings, project)
        settings = learn_versions(settings, project)
    except DatasetError as error:
        findings.append(Finding("error", error.message, error.hint))
    sources = check_sources(settings, backend, project.images)
    findings += [*_check_prompts(settings, project), *_check_trigger(settings, project), *_check_demo_model(settings), *sources]
    if not errors_of(sources):
        measured = memory_findings(settings, backend, project)
        findings += [*_preflight(settings, project, deep and not measured), *measured]
    findings += [*_check_backend(settings, backend), *check_machine(settings, backend, project_folder, deep),
                 *check_trash(settings, project_folder)]
    unique = list(dict.fromkeys([*check_settings(settings, backend), *without_harmful_fixes(findings, settings, backend)]))
    return sorted(unique, key=lambda finding: ("error", "warning", "info").index(finding.level))


def _preflight(settings: TrainingSettings, project: Project, deep: bool) -> list[Finding]:
    """Buckets, caches, disks and, where there is a GPU to ask, its memory. Args: deep: ask the driver, which takes up to a second."""
    from core.setup.hardware import read_gpus
    from core.training.preflight.from_settings import check_run

    chosen = settings.machines.gpus
    free = [gpu.free_mib / 1024 for number, gpu in enumerate(read_gpus().gpus) if not chosen or number in chosen] if deep else []
    try:
        return check_run(settings, project, min(free, default=None))
    except StudioError as error:
        return [Finding("error", error.message, error.hint)]


def _check_prompts(settings: TrainingSettings, project: Project) -> list[Finding]:
    """Is the trigger word called by any sample prompt? It may have been changed after the prompts were written."""
    word, prompts = project.trigger_word, [sample.prompt for sample in settings.sampling.sample_prompts]
    if not word or not prompts or any(_holds(prompt, word) for prompt in prompts) or not _learns_from(settings, project):
        return []
    return [Finding("warning", f"No sample prompt holds the trigger word {word!r} (the first one is {prompts[0]!r}), so that the samples "
                    "will not show what is learned.", "Write it into 'Sample prompts' (sample_prompts).")]


def _check_trigger(settings: TrainingSettings, project: Project) -> list[Finding]:
    """Will the file name other words than the project's? They may come from another file's settings, or from before a change."""
    word, told = project.trigger_word, settings.saving.metadata_trigger_phrase
    if not word or not told or _holds(told, word) or not _learns_from(settings, project):
        return []
    return [Finding("warning", f"The file will say that {told!r} calls it, but the trigger word of the project is {word!r}.",
                    "Empty 'Trigger in the file' (metadata_trigger_phrase), and the project's word is told.")]


def _holds(words: str, trigger: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(trigger)}(?!\w)", words, re.IGNORECASE) is not None


def _check_demo_model(settings: TrainingSettings) -> list[Finding]:
    """Is the embedded model trained at the size that it knows?"""
    from core.training.base_models import DEMO_SIDE, is_demo_model

    model, size = settings.model.pretrained_model_name_or_path, settings.data.size
    if not model or size == (DEMO_SIDE, DEMO_SIDE) or not is_demo_model(str(place_of(model))):
        return []
    return [SettingFinding("warning", f"The embedded model draws pictures of {DEMO_SIDE} px; trained at {size[0]} x {size[1]} its samples "
                           "show nothing clear.", f"Use the preset Demo, or set 'Resolution' (resolution) to {DEMO_SIDE}.", preset="demo")]


def _check_backend(settings: TrainingSettings, name: str) -> list[Finding]:
    """Is the trainer there, and would it read the pair as it is meant? The pair is written where nobody sees it."""
    from core.training.backends import BACKENDS
    from core.training.config import for_run
    from core.training.config.pair import write_pair

    if not settings.model.pretrained_model_name_or_path:  # told by `check_settings`
        settings = settings.with_values(model={"pretrained_model_name_or_path": UNCHOSEN})
    with tempfile.TemporaryDirectory(prefix="lorabook-check-") as folder:
        try:
            backend = BACKENDS.load(name)
            write_pair(for_run(settings, Path(folder)), Path(folder))
            found = backend.check(RunPlace(Path(folder)))
        except StudioError as error:
            return [Finding("error", error.message, error.hint)]
    missing = backend.missing()
    return found if missing is None else [missing, *found]
