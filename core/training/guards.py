"""What a run may do by itself when something goes wrong: kept with the project and with each run, never in a trainer's own files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from core.base.errors import ConfigError, DatasetError, StudioError
from core.base.files import read_json, write_json
from core.base.settings import Settings, setting

FILE = "guards.json"
"""In a project's folder: what its next runs begin with. In a run's folder: what holds for it, also while it works."""
OnLoss = Literal["stop", "lower"]
OnStall = Literal["warn", "restart", "stop"]
OnBlack = Literal["warn", "stop", "lower"]


class GuardSettings(Settings):
    """What watches over a run, and what is done then."""

    title: ClassVar[str] = "Watching over the run"

    memory_retries: int = setting(3, "Tries with less memory", "When the GPU's memory runs out, go on from the last state with settings "
                                  "that need less and learn the same. 0: the run fails at once.", ge=0, le=10)
    on_nan: OnLoss = setting("stop", "When the loss is no number", "stop: end the run. lower: go on from the last good state with a lower "
                             "learning rate.")
    on_black: OnBlack = setting("warn", "When all samples are black", "warn: only tell. stop: end the run. lower: as above. A VAE in half "
                                "precision also draws black pictures.", level="advanced")
    rate_factor: float = setting(0.5, "Lower rate", "Each learning rate is multiplied by this at such a restart.", level="advanced", gt=0,
                                 lt=1)
    on_stall: OnStall = setting("warn", "When no step comes any more", "warn: only tell. restart: end the trainer and go on from the last "
                                "state. stop: end the run.", level="advanced")
    stall_factor: float = setting(20.0, "Standstill, times a step", "It stands still when no step came for so many times the usual time of "
                                  "one. Loading, caching, samples and saves do not count.", level="advanced", ge=3, le=1000)
    stall_minutes: float = setting(10.0, "Standstill, at least", "However fast the steps are, so long is waited.", level="advanced",
                                   unit="minutes", gt=0, le=1440)
    restarts: int = setting(2, "Restarts", "So often at most it is begun again after a loss that is no number, black samples or a "
                            "standstill.", level="advanced", ge=0, le=10)
    disk_pause: bool = setting(True, "Pause when the disk is full", "Before a save for which there is no room the run waits until you have "
                               "freed some; it goes on by itself.", level="advanced")
    disk_free: float = setting(0.2, "Keep free on the disk", "Beside the size of the save.", level="expert", unit="GiB", ge=0, le=10000)


def read_guards(folder: Path) -> GuardSettings:
    """What is kept in a project's or a run's folder; the defaults where nothing is. Raises: ConfigError: the file is wrong."""
    path = Path(folder) / FILE
    if not path.is_file():
        return GuardSettings()
    try:
        values = read_json(path)
    except DatasetError as error:
        raise ConfigError(error.message, "Remove it; the defaults hold then.") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold names and values, but holds {values!r}.", "Remove it; the defaults hold then.")
    return GuardSettings.make(**values)


def keep_guards(settings: GuardSettings, folder: Path) -> None:
    """Write them. Raises: DiskError."""
    write_json(Path(folder) / FILE, settings.model_dump(mode="json"))


class KeptGuards:
    """A run's guard settings, read again when somebody changed them while it works.

    A file that is wrong changes nothing: what held before holds on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trouble = ""
        """What is wrong with the file, in words; empty: nothing."""
        self._mark: tuple[int, int] | None = None
        self._now = GuardSettings()

    def now(self) -> GuardSettings:
        """As they stand now."""
        try:
            facts = (self.folder / FILE).stat()
        except OSError:
            return self._now
        mark = (facts.st_mtime_ns, facts.st_ino)
        if mark != self._mark:
            self._mark, self.trouble = mark, ""
            try:
                self._now = read_guards(self.folder)
            except (StudioError, OSError) as error:
                self.trouble = str(error)
        return self._now
