"""Projects and a tagger in temporary folders."""

from pathlib import Path

import pytest

from core.dataset.manager import DatasetManager
from core.dataset.project import Project
from tests.core.dataset.small_things import make_tagger


@pytest.fixture
def project(tmp_path) -> Project:
    return Project.create(tmp_path / "project", "Test")


@pytest.fixture
def manager(project) -> DatasetManager:
    return DatasetManager(project)


@pytest.fixture
def tagger(tmp_path) -> Path:
    pytest.importorskip("onnx")
    return make_tagger(tmp_path / "tagger")
