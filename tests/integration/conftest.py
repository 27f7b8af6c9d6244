"""A full-size SD 1.5 of random weights and two projects, made once for all real runs."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.dataset.project import Project
from core.training.backends.sd_scripts import SdScriptsBackend
from core.training.manager import TrainingManager
from tests.core.training.fakes import wait_for_end
from tests.full_size import make_full_size
from tests.integration.real_runs import SIZES, SQUARES
from tests.tiny_models import make_pictures


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the model and room for projects, with a queue of its own; it goes at the end."""
    if not os.environ.get("SD_SCRIPTS_DIR"):
        pytest.skip("SD_SCRIPTS_DIR names no checkout of sd-scripts")
    if problem := SdScriptsBackend.missing():
        pytest.skip(problem.what)
    folder = tmp_path_factory.mktemp("real")
    if shutil.disk_usage(folder).free < 5 << 30:
        pytest.skip("less than 5 GiB are free on the disk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LORABOOK_PROJECTS", str(folder / "projects"))
        make_full_size(folder / "model")
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def manager(home: Path) -> Iterator[TrainingManager]:
    """A project with pictures of several proportions."""
    yield from _project(home, "real", SIZES)


@pytest.fixture(scope="session")
def squares(home: Path) -> Iterator[TrainingManager]:
    """A project with pictures of one size, so that its steps can be counted by hand."""
    yield from _project(home, "squares", SQUARES)


def _project(home: Path, name: str, sizes: list[tuple[int, int]]) -> Iterator[TrainingManager]:
    project = Project.create(home / "projects" / name, name, trigger="mikoneko")
    make_pictures(project.images, sizes)
    manager = TrainingManager.open(project.folder)
    yield manager
    for run in manager.runs():
        run.stop(force=True)
        wait_for_end(run)
