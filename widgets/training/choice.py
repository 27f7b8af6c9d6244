"""The settings that the project will be trained with, kept in its folder, so that every panel and every kernel reads the same."""

from __future__ import annotations

from pathlib import Path

from core.training.config import TrainingSettings
from core.training.config.presets import load_settings, save_settings
from widgets.demo import demo_model, is_demo
from widgets.session import Session

FILE = "training.toml"


def settings_file(folder: Path) -> Path:
    """Where a project keeps them."""
    return folder / FILE


def read_settings(session: Session) -> TrainingSettings:
    """The kept settings; before any were kept, the first preset for the project's family.

    Raises: StudioError: no project is open. ConfigError: the file is wrong.
    """
    manager = session.training
    path = settings_file(manager.project.folder)
    if path.is_file():
        return load_settings(path)
    settings = manager.preset(first_preset(session))
    return settings.with_values(model={"pretrained_model_name_or_path": str(demo_model())}) if is_demo(session.folder) else settings


def first_preset(session: Session) -> str:
    """What is chosen before the person chose."""
    return "demo" if is_demo(session.folder) else session.training.presets()[0]


def keep_settings(session: Session, settings: TrainingSettings) -> None:
    """Write them. Raises: DiskError."""
    save_settings(settings, settings_file(session.training.project.folder))
