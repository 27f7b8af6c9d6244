"""A full-size SD 1.5 of random weights and a project, made once for all real runs."""

import os
import shutil
from collections.abc import Iterator

import pytest

from core.dataset.project import Project
from core.training.backends.sd_scripts import SdScriptsBackend
from core.training.manager import TrainingManager
from tests.full_size import make_full_size
from tests.integration.real_runs import SIZES
from tests.tiny_models import make_pictures


@pytest.fixture(scope="session")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingManager]:
    """A project with pictures of several proportions, beside the model in a folder that goes at the end."""
    if not os.environ.get("SD_SCRIPTS_DIR"):
        pytest.skip("SD_SCRIPTS_DIR names no checkout of sd-scripts")
    if problem := SdScriptsBackend.missing():
        pytest.skip(problem.what)
    folder = tmp_path_factory.mktemp("real")
    if shutil.disk_usage(folder).free < 5 << 30:
        pytest.skip("less than 5 GiB are free on the disk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LORABOOK_PROJECTS", str(folder / "projects"))  # a queue of its own
        make_full_size(folder / "model")
        project = Project.create(folder / "projects" / "real", "real", trigger="mikoneko")
        make_pictures(project.images, SIZES)
        yield TrainingManager.open(project.folder)
    shutil.rmtree(folder, ignore_errors=True)
