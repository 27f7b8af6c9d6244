"""Where a run's files lie now, when its project, the models or the whole volume are found at another place than at its launch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import DatasetError
from core.base.files import read_json
from core.base.paths import models_dir
from core.training.kept import Moves, find_moves

if TYPE_CHECKING:
    from core.training.run import Run


def moves_of(run: Run, output_dir: str | None) -> Moves:
    """What was moved since the run was made or launched, the nearest first; empty: everything lies where it lay.

    The project, and Lorabook's own folder where the old one is gone, as `find_moves`; the folder of the models, as `launch` noted it, and
    the volume that all of them lay on, where nothing is at the old place any more.

    Args: output_dir: where the run was to write when its settings were written.
    """
    before, now = Path(output_dir or run.checkpoints), run.checkpoints.absolute()
    if before.name != now.name or len(before.parents) < 3:
        return []
    noted = _noted(run)
    moves = list(find_moves(str(before.parents[2]), now.parents[2], noted.get("root", "")))
    models = noted.get("models", "")
    if models and models != str(models_dir()) and not Path(models).exists():
        moves.append((Path(models), models_dir()))
    if (volume := _volume(before.parents[2], now.parents[2])) is not None:
        moves.append(volume)
    return moves


def _noted(run: Run) -> dict[str, str]:
    """The places of the last launch."""
    try:
        values = read_json(run.folder / "command.json")
    except DatasetError:
        return {}
    return {name: str(values[name]) for name in ("root", "models") if values.get(name)} if isinstance(values, dict) else {}


def _volume(before: Path, now: Path) -> tuple[Path, Path] | None:
    """The folder that was found at another place with all that is in it: what is left of both without the names that they share."""
    while before.name and before.name == now.name:
        before, now = before.parent, now.parent
    return (before, now) if before != now and before != Path("/") and now != Path("/") and not before.exists() else None
