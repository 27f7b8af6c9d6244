"""The settings that a project keeps, `training.toml`: what a person chose, at the places where it lies now.

What can be told from the project itself is not kept: its own folder of pictures and their repeats are found anew at each reading, so
that pictures that were added count. Beside the settings stands where the project and Lorabook lay when they were written; what lies
inside them follows when a project is moved or copied.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import DatasetError
from core.base.files import read_text, write_text
from core.base.paths import ROOT
from core.dataset.project import Project

if TYPE_CHECKING:
    from core.training.config import Subset, TrainingSettings

FILE, PRESET = "training.toml", "preset"
PLACES = "places"
"""The table of the file that says where project and Lorabook lay."""
Moves = Sequence[tuple[Path, Path]]
"""Where something lay, and where it lies now."""


def settings_file(project_folder: Path) -> Path:
    """Where a project keeps them."""
    return project_folder / FILE


def keep_settings(settings: TrainingSettings, project: Project) -> None:
    """Write them into the project. Raises: ConfigError: a value that TOML cannot hold; DiskError."""
    from core.training.config.toml_text import toml_text

    values = settings.values()
    values["data"]["subsets"] = _without_own_folder(settings.data.subsets, project)
    places = {"project": str(project.folder), "root": str(ROOT)}
    write_text(settings_file(project.folder), toml_text({**values, PLACES: places}, "Training settings of Lorabook."))


def keep_preset_name(name: str, project: Project) -> None:
    """Remember which preset was put to use: what differs from it is counted. Raises: DiskError."""
    write_text(project.hidden / PRESET, name)


def read_preset_name(project: Project) -> str:
    """Which preset was put to use last; empty: none was, or it is not known."""
    with contextlib.suppress(OSError, DatasetError):
        return read_text(project.hidden / PRESET).strip()
    return ""


def read_kept(project: Project) -> TrainingSettings:
    """The kept settings, with the project's own pictures as they are now. Raises: ConfigError: no file, or a wrong one."""
    from core.training.config import TrainingSettings
    from core.training.config.pair import read_tables
    from core.training.fitting import with_own_folder

    tables = read_tables(settings_file(project.folder))
    told = tables.pop(PLACES, {})
    places = told if isinstance(told, dict) else {}
    moves = find_moves(str(places.get("project", "")), project.folder, str(places.get("root", "")))
    return with_own_folder(TrainingSettings.from_values(placed_now(tables, moves)), project, refit=True)


def find_moves(project_before: str, project_now: Path, root_before: str) -> Moves:
    """What was moved since, the project first.

    Lorabook's folder counts as moved only where it is gone: another checkout that is still there keeps its models.

    Args: project_before, root_before: the folders as they were noted; empty where they were not.
    """
    moves = [(Path(project_before), project_now)] if project_before and project_before != str(project_now) else []
    if root_before and root_before != str(ROOT) and not Path(root_before).exists():
        moves.append((Path(root_before), ROOT))
    return moves


def placed_now(value: Any, moves: Moves) -> Any:
    """Nested values with every text that is a path in or below a place that was moved at its new place."""
    if isinstance(value, dict):
        return {name: placed_now(inner, moves) for name, inner in value.items()}
    if isinstance(value, list):
        return [placed_now(inner, moves) for inner in value]
    if isinstance(value, str):
        for old, new in moves:
            if value == str(old) or value.startswith(f"{old}/"):
                return str(new) + value[len(str(old)):]
    return value


def _without_own_folder(subsets: Sequence[Subset], project: Project) -> list[dict[str, Any]]:
    """The folders as tables; the project's own one only where more is said of it than its place, and never its repeats."""
    from core.training.config import Subset
    from core.training.fitting import is_own

    others = any(not subset.is_reg and not is_own(subset, project) for subset in subsets)
    kept = []
    for subset in subsets:
        own = is_own(subset, project)
        if own and not others and subset == Subset(image_dir=subset.image_dir, num_repeats=subset.num_repeats):
            continue
        kept.append(subset.model_dump(exclude_none=True, exclude={"num_repeats"} if own else None))
    return kept
