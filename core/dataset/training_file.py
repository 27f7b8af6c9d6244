"""What Trainer keeps in a project, read by the side that must not import it."""

from __future__ import annotations

from typing import Any

from core.base.errors import DatasetError
from core.base.files import read_text
from core.dataset.project import Project

TRAINING_FILE = "training.toml"
"""The settings that Trainer keeps: `core.training.kept.FILE`, which this side must not import (a test compares them)."""


def kept_settings(project: Project, section: str) -> dict[str, Any]:
    """One section of the settings that Trainer keeps; empty where it was not used yet. What is wrong with its file, Trainer says."""
    import toml

    try:
        return dict(toml.loads(read_text(project.folder / TRAINING_FILE)).get(section, {}))
    except (OSError, DatasetError, toml.TomlDecodeError, IndexError, TypeError, ValueError):  # as `read_toml` of the other side
        return {}
