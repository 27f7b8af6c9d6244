"""What lies in a project's folder, kind by kind, and which of it can go: where each kind is looked for, and what its loss would cost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.base.jobs import list_jobs
from core.base.parts import OLD, age_of, is_part
from core.base.saved_as import saved_as
from core.dataset.export.settings import EXPORT
from core.dataset.images.training_set import FORGOTTEN_AFTER, prepared_sets, unnamed_sets
from core.dataset.images.variants import REPLACED
from core.dataset.project import Project, is_trained_on
from core.training.finish.files import final_lora
from core.training.outputs import ENDINGS, INCOMPLETE, is_whole, list_outputs, list_states
from core.training.run import Run
from core.utilities.publishing.settings import PLACE

Loss = Literal["none", "some"]
"""none: it is made anew by itself, or nobody can use it. some: nobody makes it anew for you; it goes only when its kind is named."""
Finder = Callable[[Project], Iterator[Path]]


@dataclass(frozen=True)
class Kind:
    """One kind of what takes room."""

    name: str
    title: str
    loss: Loss
    cost: str
    """What its loss costs, in a sentence."""
    find: Finder
    """Files and whole folders of it that nobody uses just now."""


def _caches(project: Project) -> Iterator[Path]:
    if not is_trained_on(project.images):
        yield from _files(project.images, "*.npz")


def _training_sets(project: Project) -> Iterator[Path]:
    if not is_trained_on(project.images):
        yield from unnamed_sets(project, [one for one in prepared_sets(project) if age_of(one) > FORGOTTEN_AFTER])


def _screen(project: Project) -> Iterator[Path]:
    yield from _files(project.hidden / "previews", "*")


def _half_written(project: Project) -> Iterator[Path]:
    """Of writers that were killed; what somebody writes at this moment is younger. A person's own files are not called like that."""
    for place, folders, names in os.walk(project.folder):
        folders[:] = [name for name in folders if not Path(place, name).is_symlink()]
        whole = [name for name in folders if is_part(name)]
        folders[:] = [name for name in folders if name not in whole]
        yield from (path for name in (*whole, *names) if is_part(name) and _is_old(path := Path(place, name)))
    for run in _resting(project):
        set_aside = _files(run.checkpoints, f"*{INCOMPLETE}")
        yield from (path for path in set_aside if Path(path.name.removesuffix(INCOMPLETE)).suffix in ENDINGS and _is_old(path))


def _is_old(path: Path) -> bool:
    try:
        return age_of(path) > OLD
    except FileNotFoundError:
        return False


def _old_states(project: Project) -> Iterator[Path]:
    for run in _resting(project):
        yield from (state.folder for state in list_states(run.checkpoints, run.output_name)[1:])


def _last_states(project: Project) -> Iterator[Path]:
    for run in _resting(project):
        yield from (state.folder for state in list_states(run.checkpoints, run.output_name)[:1])


def _epochs(project: Project) -> Iterator[Path]:
    """Those of a run before its last. The LoRA that it ended with stays, as does the newest whole one that it saved."""
    for run in _resting(project):
        saved = {path: saved_as(path.stem, run.output_name) for path in list_outputs(run.checkpoints)}
        own = [path for path, one in saved.items() if one.name == run.output_name]
        newest = next((path for path in reversed(own) if is_whole(path)), own[-1] if own else None)
        stays = {final_lora(run), newest}
        yield from sorted(path for path in own if path not in stays and not saved[path].is_final)


def _samples(project: Project) -> Iterator[Path]:
    for run in _resting(project):
        yield from _files(run.folder / "samples", "*")
        yield from _files(run.checkpoints / "sample", "*")


def _exports(project: Project) -> Iterator[Path]:
    yield from _all_in(project.folder / EXPORT)


def _published(project: Project) -> Iterator[Path]:
    yield from _all_in(project.folder / PLACE)


def _replaced(project: Project) -> Iterator[Path]:
    yield from _files(project.variants / REPLACED, "*")


def _rejected(project: Project) -> Iterator[Path]:
    yield from _files(project.rejected, "*")


def _jobs(project: Project) -> Iterator[Path]:
    yield from (job.folder for job in list_jobs(project.folder) if job.status().ended)


KINDS: tuple[Kind, ...] = (
    Kind("caches", "Cached latents and text outputs beside the pictures", "none", "The next training makes them anew; it takes minutes.",
         _caches),
    Kind("training-sets", "Prepared folders that no run names any more", "none", "The next training of that choice prepares it anew.",
         _training_sets),
    Kind("previews", "Small pictures for the screen", "none", "They are made anew while one looks.", _screen),
    Kind("half-written", "Files that were never finished", "none", "Nobody can use them.", _half_written),
    Kind("old-states", "States of a run before its newest", "some", "A run cannot be gone on with from an earlier step any more; its "
         "newest state stays.", _old_states),
    Kind("last-states", "Newest state of each run", "some", "These runs can then not be gone on with; their LoRAs stay.", _last_states),
    Kind("epochs", "Saved epochs before a run's last", "some", "An earlier epoch that was better cannot be chosen any more.", _epochs),
    Kind("samples", "Sample pictures of runs", "some", "What a LoRA drew while it was trained cannot be looked at any more.", _samples),
    Kind("exports", "Exports and their zips", "some", "Export makes them anew; what was changed in them by hand is lost.", _exports),
    Kind("published", "Folders and zips for Civitai", "some", "Publish writes them anew; what was changed in them by hand is lost.",
         _published),
    Kind("replaced", "Versions that were replaced or taken back", "some", "They cannot be brought back any more.", _replaced),
    Kind("rejected", "Rejected pictures", "some", "They cannot be restored any more. Your own files are where they were.", _rejected),
    Kind("jobs", "Logs and reports of jobs that have ended", "some", "What a job said cannot be read again.", _jobs),
)
"""In the order in which they are offered: what costs nothing first."""


def kind_named(name: str) -> Kind | None:
    """None: there is none of that name."""
    return next((kind for kind in KINDS if kind.name == name), None)


def _resting(project: Project) -> Iterator[Run]:
    """Runs that neither work nor wait."""
    yield from (run for run in Run.list(project.folder) if not run.is_active() and not run.is_at_work())


def _all_in(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.iterdir()) if folder.is_dir() else ()


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    yield from sorted(path for path in folder.glob(pattern) if path.is_file()) if folder.is_dir() else ()
