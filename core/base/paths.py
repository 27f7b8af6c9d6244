"""Where things live, relative to the checkout; every place can be moved by an environment variable."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
ASSETS = ROOT / "assets"
DEMO_ASSETS = ASSETS / "demo"


def projects_dir() -> Path:
    """Where projects are made: $LORABOOK_PROJECTS, else `projects/` beside the code."""
    return Path(os.environ.get("LORABOOK_PROJECTS") or ROOT / "projects").expanduser()


def models_dir() -> Path:
    """Where model files are kept: $LORABOOK_MODELS, else `models/` beside the code."""
    return Path(os.environ.get("LORABOOK_MODELS") or ROOT / "models").expanduser()


def trainers_dir() -> Path:
    """Where trainer checkouts are kept: $LORABOOK_TRAINERS, else `trainers/` beside the code."""
    return Path(os.environ.get("LORABOOK_TRAINERS") or ROOT / "trainers").expanduser()


def present_project_file() -> Path:
    """The file with which the last panel of Dataset_Maker hands its project to Trainer."""
    return projects_dir() / "present_project"
