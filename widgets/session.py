"""Which project the panels of a notebook work on; it is remembered in a file, so that a restarted kernel finds it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import StudioError
from core.base.files import read_text, write_text
from core.base.paths import projects_dir

if TYPE_CHECKING:
    from core.dataset.manager import DatasetManager
    from core.training.manager import TrainingManager


@dataclass(frozen=True)
class Picked:
    """What the gallery has selected and what it shows, rejected pictures left out."""

    selected: int = 0
    shown: int = 0
    filter: str = ""
    """What is typed into the gallery's filter; empty: it shows all."""
    names: Callable[[str], list[str]] = lambda what: []
    """The ids of "selected" or "shown" as they are now: made when they are needed, for they may be a hundred thousand."""


class Session:
    """The open project, its managers, and the panels that want to know when it changes.

    Args: memory: the file that names the last project, None for no memory.
    """

    def __init__(self, memory: Path | None = None) -> None:
        self._memory = memory
        self._folder: Path | None = None
        self._managers: dict[str, Any] = {}
        self._listeners: list[Callable[[], None]] = []
        self._pick_listeners: list[Callable[[], None]] = []
        self.picked = Picked()
        """What the gallery has selected; nothing as long as it is not on screen."""
        self.panels: dict[str, Any] = {}
        self.chosen_run = ""
        """The run that is looked at, chosen by hand; empty: the present one."""
        self.chosen_lora = ""
        """The LoRA file that the panels of LoRA files work on."""
        self.hub_token = ""
        """Of Hugging Face, typed into one of the panels, for all of them; in memory alone. Empty: that of the environment."""
        self.drafts: dict[str, dict[str, Any]] = {}
        """What was typed for the metadata of a file and not saved, by the file's place: it comes back after the cells were run again."""
        self.trouble = ""
        """What is wrong with the training settings on screen; empty when they are right."""
        self.lost = ""
        """Why the project that was open last cannot be opened; empty when it can, or when there was none."""

    @property
    def folder(self) -> Path | None:
        """The open project's folder; None when none is open."""
        return self._folder

    def open(self, folder: Path) -> None:
        """Make this the open project and tell every panel. Raises: DatasetError: it is no project."""
        from core.dataset.project import Project

        project = Project.open(Path(folder))
        self._folder, self._managers, self.lost, self.chosen_run = project.folder, {}, "", ""
        if self._memory is not None:
            write_text(self._memory, f"{project.folder}\n")
        self.tell()

    def resume(self) -> None:
        """Open the project that was open last; where it is gone, none is open, and `lost` says why."""
        if self._memory is None or not self._memory.is_file():
            return
        folder = Path(read_text(self._memory).strip())
        if folder == self._folder:
            return
        try:
            self.open(folder)
        except StudioError as error:
            self._folder, self._managers, self.lost = None, {}, str(error)
            self.tell()

    @property
    def dataset(self) -> DatasetManager:
        """The front desk of the open project's dataset. Raises: StudioError: no project is open."""
        if "dataset" not in self._managers:
            from core.dataset.manager import DatasetManager

            self._managers["dataset"] = DatasetManager.open(self._required())
        return self._managers["dataset"]

    @property
    def training(self) -> TrainingManager:
        """The front desk of the open project's training. Raises: StudioError: no project is open."""
        if "training" not in self._managers:
            from core.training.manager import TrainingManager

            self._managers["training"] = TrainingManager(self._required())
        self._managers["training"].hub_token = self.hub_token
        return self._managers["training"]

    def _required(self) -> Path:
        if self._folder is None:
            raise StudioError("No project is open.", "Open one in the Project panel.")
        return self._folder

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the project, or what is in it, may have changed."""
        self._listeners.append(listener)

    def unsubscribe(self, listener: Callable[[], None]) -> None:
        """Undo `subscribe`."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def pick(self, picked: Picked) -> None:
        """Say what the gallery has selected now; only those hear it who asked for it, for it changes with each click."""
        self.picked = picked
        for listener in list(self._pick_listeners):
            listener()

    def on_pick(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever the gallery's selection changes. Returns: what ends that."""
        self._pick_listeners.append(listener)
        return lambda: self._pick_listeners.remove(listener) if listener in self._pick_listeners else None

    def tell(self) -> None:
        """Tell every panel to look at the files again."""
        for listener in list(self._listeners):
            listener()


def maker_memory() -> Path:
    """Where Dataset_Maker remembers its open project."""
    return projects_dir() / ".open_project"
