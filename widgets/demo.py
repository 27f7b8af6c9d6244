"""The demo project: what "Open the demo project" does in both notebooks."""

from __future__ import annotations

from pathlib import Path

from core.base.paths import projects_dir
from core.dataset.project import Project, known_projects


def open_demo() -> Path:
    """The newest demo project; where there is none that is whole, it is made: pictures imported, captions written.

    Raises: StudioError: it cannot be made.
    """
    from core.demo.run import make_project

    known = [path for path in known_projects() if is_demo(path)]
    return known[-1] if known else make_project(projects_dir()).project.folder


def is_demo(folder: Path | None) -> bool:
    """Whether a project was made by `open_demo`, to its end. Its name says nothing: a person may have chosen it."""
    from core.demo.run import MARKER

    return folder is not None and (Project(folder).hidden / MARKER).is_file()


def demo_pictures() -> Path:
    """The pictures that the demo imports."""
    from core.demo.run import PICTURES

    return PICTURES


def demo_model() -> Path:
    """The embedded model that the demo trains."""
    from core.demo.run import MODEL

    return MODEL
