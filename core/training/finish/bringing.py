"""Bringing a run back from Hugging Face, so that its training goes on here: what `upload` has brought there with its last state."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from pydantic import field_validator

from core.base.errors import TrainingError
from core.base.files import explain_disk_errors
from core.base.hub_comparing import Comparison
from core.base.hub_writing import hub_api
from core.base.locks import waited_for
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.training.finish.settings import plain_folder
from core.training.finish.upload import kindly


class BringSettings(Settings):
    """Which run is brought back."""

    title: ClassVar[str] = "Bring a run back"

    repo_id: str = setting(..., "Repository on Hugging Face", "As owner/name. A state holds data that Python carries out when it is read: "
                           "bring back only what you have uploaded yourself.", min_length=3)
    folder: str = setting(..., "Folder in the repository", "The run's id, where nothing else was chosen at its upload.", min_length=1)

    @field_validator("folder")
    @classmethod
    def _is_a_folder(cls, value: str) -> str:
        return plain_folder(value)


@dataclass(frozen=True)
class BringReport:
    """What was brought."""

    run: str
    files: int

    def sentence(self) -> str:
        """ "12 files of the run 20240101-mochi are here. Its training can go on." """
        return f"{self.files} files of the run {self.run} are here. 'Go on' continues its training."


def bring_run(project_folder: Path, settings: BringSettings, progress: Progress = SILENT) -> BringReport:
    """Put a run together again in the project, whole or not at all.

    Raises: TrainingError: there is no such run, a file of it is not whole, or the project has it already. ConfigError: there is no token.
    """
    name = PurePosixPath(settings.folder).name
    place = Path(project_folder) / "runs" / name
    scratch = place.with_name(f".{name}.part")
    with waited_for(place.parent / ".bring.lock", progress, "Waiting for another run to be brought back"):
        if place.exists():
            raise TrainingError(f"The project has the run {name} already.", "Go on with it, or rename its folder first.")
        found = _list(settings)
        try:
            for entry in progress.track(found, "Bringing the run back"):
                _fetch(settings, entry, scratch)
            shutil.rmtree(scratch / ".cache", ignore_errors=True)  # huggingface_hub's notes
            with explain_disk_errors(place):
                for folder in ("checkpoints", "samples", "logs"):
                    (scratch / settings.folder / folder).mkdir(exist_ok=True)
                (scratch / settings.folder).rename(place)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return BringReport(name, len(found))


def _list(settings: BringSettings) -> list[Any]:
    """The run's files at the far end. Raises: TrainingError: it is no run."""
    api, what = hub_api(), f"The folder {settings.folder} of {settings.repo_id}"
    tree = kindly(what, lambda: list(api.list_repo_tree(settings.repo_id, settings.folder, recursive=True)))
    files = [entry for entry in tree if hasattr(entry, "blob_id")]
    names = {entry.path.removeprefix(f"{settings.folder}/") for entry in files}
    if not {"run.json", "settings.toml"} <= names or any(".." in PurePosixPath(entry.path).parts for entry in files):
        raise TrainingError(f"{what} holds no run that can go on.", "It is there after 'Upload the last state'.")
    return files


def _fetch(settings: BringSettings, entry: Any, scratch: Path) -> None:
    api = hub_api()
    with explain_disk_errors(scratch):
        got = Path(kindly(entry.path, partial(api.hf_hub_download, settings.repo_id, entry.path, local_dir=scratch)))
    if wrong := Comparison().difference(got, entry):
        raise TrainingError(f"{entry.path} did not arrive as it is there: {wrong}.", "Try it again.")
