"""The finish settings that a project keeps, `finish.toml`, and the machine that they were meant for."""

from __future__ import annotations

import contextlib
from pathlib import Path

from core.base.errors import StudioError
from core.base.files import write_text
from core.training.finish.providers import find_machine
from core.training.finish.settings import FinishSettings

FILE = "finish.toml"


def keep_finish(project_folder: Path, settings: FinishSettings) -> None:
    """Write them into the project. Raises: ConfigError, DiskError."""
    from core.training.config.toml_text import toml_text

    values = settings.model_dump(mode="json", exclude={"run"})
    tables = {"finish": values, "machine": {"name": find_machine(project_folder).name()}}
    write_text(project_folder / FILE, toml_text(tables, "What happens when a run has ended."))


def told_finish(project_folder: Path) -> FinishSettings:
    """The kept settings to calculate with; of a file that is wrong, which the panel After the run tells, the usual ones."""
    try:
        return read_finish_settings(project_folder)[0]
    except StudioError:
        return FinishSettings()


def price_of_hour(project_folder: Path, otherwise: float = 0.0) -> float:
    """What the machine costs an hour, as it was told in the panel After the run.

    Args: otherwise: what was learned elsewhere, where nobody told it; 0: not known.
    """
    return told_finish(project_folder).price_per_hour or otherwise


def read_finish_settings(project_folder: Path) -> tuple[FinishSettings, str]:
    """The kept settings, else the usual ones, and what the person should know of them.

    On another machine than they were chosen on the machine stays on: who takes a project home, or to a second machine, has not said that
    this one is to be destroyed.
    Raises: ConfigError: the file is wrong.
    """
    from core.training.config.pair import read_tables

    path = project_folder / FILE
    if not path.is_file():
        return FinishSettings(), ""
    tables = read_tables(path)
    settings = FinishSettings.make(**dict(tables.get("finish", {})))
    meant, here = "", find_machine(project_folder).name()
    with contextlib.suppress(KeyError, TypeError, AttributeError):
        meant = str(tables["machine"]["name"])
    if meant == here or (settings.then == "nothing" and settings.after_failure == "leave"):
        return settings, ""
    return settings.changed(then="nothing", after_failure="leave"), \
        f"These settings were chosen on another machine ({meant or 'unknown'}), so this one stays on. Choose anew what becomes of it."
