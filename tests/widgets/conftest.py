"""A projects folder of its own for each test, and a project with a few real pictures."""

from pathlib import Path

import pytest
from PIL import Image

from core.dataset.project import Project, folder_for
from widgets.session import Session


@pytest.fixture(autouse=True)
def projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "projects"
    folder.mkdir()
    monkeypatch.setenv("LORABOOK_PROJECTS", str(folder))
    monkeypatch.setenv("LORABOOK_LORAS", str(tmp_path / "loras"))
    return folder


@pytest.fixture
def project(projects: Path) -> Project:
    made = Project.create(folder_for("Small"), "Small", trigger="mychar")
    for number, colour in enumerate(("red", "green", "blue"), 1):
        Image.new("RGB", (64, 64), colour).save(made.images / f"{number}.png")
        (made.images / f"{number}.txt").write_text(f"mychar, {colour} background", encoding="utf-8")
    return made


@pytest.fixture
def session(project: Project) -> Session:
    session = Session()
    session.open(project.folder)
    return session
