"""Projects of real photographs, which scikit-image brings along."""

from pathlib import Path

import pytest
from PIL import Image

from core.dataset.manager import DatasetManager


def photo_project(folder: Path, names: tuple[str, ...] = ("astronaut", "coffee", "rocket"), caption: str = "mychar, photo",
                  title: str = "Photos", **values: str) -> DatasetManager:
    """A project in folder/projects.

    Args: names: of skimage.data. caption: beside each, {name} for its name; empty: none. values: of the new project.
    """
    data = pytest.importorskip("skimage.data")
    manager = DatasetManager.create(title, folder / "projects", trigger="mychar", **values)
    for name in names:
        Image.fromarray(getattr(data, name)()).save(manager.project.images / f"{name}.png")
        if caption:
            (manager.project.images / f"{name}.txt").write_text(caption.format(name=name), encoding="utf-8")
    return manager
