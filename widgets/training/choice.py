"""The settings that the project will be trained with, kept in its folder, so that every panel and every kernel reads the same."""

from __future__ import annotations

from core.training import kept
from core.training.config import TrainingSettings
from core.training.kept import settings_file
from widgets.demo import demo_model, is_demo
from widgets.session import Session


def read_settings(session: Session) -> TrainingSettings:
    """The kept settings, with the project's pictures as they are now; before any were kept, the first preset for its family.

    Raises: StudioError: no project is open. ConfigError: the file is wrong.
    """
    manager = session.training
    if settings_file(manager.project.folder).is_file() or not is_demo(session.folder):
        return manager.settings()
    return manager.preset(first_preset(session)).with_values(model={"pretrained_model_name_or_path": str(demo_model())})


def first_preset(session: Session) -> str:
    """What is chosen before the person chose."""
    return "demo" if is_demo(session.folder) else session.training.presets()[0]


def kept_preset(session: Session) -> str:
    """The preset that was put to use last; the first one for the family where none was."""
    return kept.read_preset_name(session.training.project) or first_preset(session)


def keep_preset(session: Session, name: str) -> None:
    """Remember it. Raises: DiskError."""
    kept.keep_preset_name(name, session.training.project)


def keep_settings(session: Session, settings: TrainingSettings) -> None:
    """Write them. Raises: ConfigError: a value that TOML cannot hold; DiskError."""
    kept.keep_settings(settings, session.training.project)
