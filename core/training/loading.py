"""Load settings into a project and put them away: from a file, an earlier run, a preset of one's own, for a GPU's memory.

Each is a stage. What was loaded over is kept beside, so that one press brings it back.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from core.base.errors import ConfigError
from core.base.families import TrainedFamily
from core.base.files import read_text, write_text
from core.base.locks import locked
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.dataset.project import Project
from core.training import kept
from core.training.learned import as_chosen
from core.training.run import Run

if TYPE_CHECKING:
    from core.training.calculating.settings import CalculateSettings
    from core.training.config import TrainingSettings

BEFORE, PRESET_BEFORE = "training_before.toml", "preset_before"
"""The settings that were there before the last load, and the preset that they came from, among the project's hidden files."""


TAKEN = "taken_numbers"
"""What the settings were when the calculator's numbers had been taken: as long as they are that, one press brings the old ones back."""
LOCK = "settings.lock"
"""Held while settings are loaded: two at once would mix up what was there before."""


class LoadSettings(Settings):
    """Where the settings come from: one of file, run and preset."""

    title: ClassVar[str] = "Load settings"

    file: str | None = setting(None, "File", "Settings of Lorabook or sd-scripts (.toml) or kohya_ss (.json), or a LoRA file.")
    dataset: str | None = setting(None, "Its dataset file", "sd-scripts' dataset file, where the config file does not name it.",
                                  level="advanced")
    family: TrainedFamily | None = setting(None, "Model family", "Empty: as the file says. sd-scripts' files often do not.",
                                           level="advanced")
    run: str | None = setting(None, "Run", "An earlier run of this project, whose settings are taken again.")
    preset: str | None = setting(None, "Preset", "A preset, shipped or one of your own.")


class MemorySize(Settings):
    """How much memory the GPU has."""

    title: ClassVar[str] = "Fit to a GPU"

    gib: Literal[8, 12, 16, 24, 48, 80] = setting(..., "GPU memory", "Memory of the GPU that will train.", unit="GB")


class SavePreset(Settings):
    """The present settings under a name."""

    title: ClassVar[str] = "Save as a preset"

    name: str = setting(..., "Name", "Letters, digits, spaces and . _ + -.", min_length=1)
    purpose: str = setting("", "For", "A sentence on what it is for.", level="advanced")
    replace: bool = setting(False, "Replace one of that name", "The one that is there is put aside, not deleted.", level="advanced")


class PresetName(Settings):
    """One of one's own presets."""

    title: ClassVar[str] = "Remove a preset"

    name: str = setting(..., "Preset", "A preset of your own.", min_length=1)


class NoSettings(Settings):
    """Nothing to choose."""

    title: ClassVar[str] = "Take back"


@dataclass(frozen=True)
class LoadReport:
    """What became of it."""

    what: str
    """What was done, in a sentence."""
    notes: tuple[str, ...] = ()
    """What was changed (for a GPU)."""
    left_out: tuple[str, ...] = ()
    """A line for each reason why something was not taken over, or may not fit."""

    def sentence(self) -> str:
        """All of it, line by line."""
        return "\n".join([self.what, *self.notes, *self.left_out])


def load_settings_into(project: Project, wanted: LoadSettings, progress: Progress = SILENT) -> LoadReport:
    """Make a file's, a run's or a preset's settings the project's.

    Raises: ConfigError: none or several are named, or what is named cannot be read. TrainingError: there is no such run. DiskError.
    """
    from core.training.config.presets import apply_preset

    given = [name for name in ("file", "run", "preset") if getattr(wanted, name)]
    if len(given) != 1:
        raise ConfigError("One of file, run and preset must be given." if not given else f"{' and '.join(given)} are given; one is needed.",
                          "Choose where the settings are to come from.")
    with locked(project.hidden / LOCK):
        if wanted.file:
            return _load_file(project, wanted)
        if wanted.run:
            _keep(project, settings_of_run(Run.open(project.runs / Path(wanted.run).name)))
            return LoadReport(f"Loaded the settings of the run {wanted.run}.")
        _keep(project, apply_preset(str(wanted.preset), present_settings(project)))
        kept.keep_preset_name(str(wanted.preset), project)
        return LoadReport(f"Loaded the preset {wanted.preset}.")


def _load_file(project: Project, wanted: LoadSettings) -> LoadReport:
    from core.training.importing import read_settings_file, take_over

    found = read_settings_file(str(wanted.file), wanted.dataset, wanted.family or "")
    _keep(project, take_over(found, present_settings(project)))
    return LoadReport(f"Loaded {found.source}: {Path(str(wanted.file)).name}.{_count(len(found.unmapped))}", left_out=tuple(found.words()))


def settings_of_run(run: Run) -> TrainingSettings:
    """An earlier run's settings, to be trained once more. Raises: ConfigError: its file is wrong."""
    settings = as_chosen(run.settings(), Project(run.project_folder))
    return settings.with_values(saving={"output_dir": None, "resume": None}, logging={"logging_dir": None})


def fit_memory(project: Project, wanted: MemorySize, progress: Progress = SILENT) -> LoadReport:
    """Change what memory hangs on, for a GPU of that size. Raises: ConfigError; DiskError."""
    from core.training.config.memory_presets import apply_memory

    with locked(project.hidden / LOCK):
        change = apply_memory(present_settings(project), wanted.gib)
        if change.changed:
            _keep(project, change.settings)
    return LoadReport(change.sentence(), tuple(change.changed), tuple(change.doubts))


def take_calculated(project: Project, wanted: CalculateSettings) -> LoadReport:
    """Make the numbers of the calculator the project's settings. Raises: ConfigError: none is another, or repeats that fit no folder."""
    from core.training.calculating.stage import change_words, with_taken

    with locked(project.hidden / LOCK):
        before = present_settings(project)
        after = with_taken(before, project, wanted)
        if not (changed := change_words(before, after)):
            raise ConfigError("None of these numbers differs from the settings.", "Type another one, or press one of the ways to a target.")
        _keep(project, after)
        write_text(project.hidden / TAKEN, _mark(project))
    return LoadReport(f"Taken into the settings: {changed}.")


def can_take_back_calculated(project: Project) -> bool:
    """Whether the settings are still those that the calculator's numbers made of them."""
    noted = project.hidden / TAKEN
    return can_take_back(project) and noted.is_file() and read_text(noted) == _mark(project)


def take_back_calculated(project: Project) -> LoadReport:
    """Bring back the numbers from before the calculator's were taken. Raises: ConfigError: they were not taken, or changed since."""
    from core.training.calculating.stage import change_words

    with locked(project.hidden / LOCK):
        if not can_take_back_calculated(project):
            raise ConfigError("No numbers of the calculator stand in the settings, or the settings were changed since.",
                              "Change them under Model and settings, or take back the last loading there.")
        now = present_settings(project)
        _swap(project)
        (project.hidden / TAKEN).unlink(missing_ok=True)
    return LoadReport(f"The former numbers are back: {change_words(now, present_settings(project))}.")


def _mark(project: Project) -> str:
    """Changes whenever the kept settings do, or those that would be brought back."""
    files = (kept.settings_file(project.folder), project.hidden / BEFORE)
    return " ".join(hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "none" for file in files)


def save_as_preset(project: Project, wanted: SavePreset, progress: Progress = SILENT) -> LoadReport:
    """Keep the project's settings under a name. Raises: ConfigError: the name is taken or odd. DiskError."""
    from core.training.config.own_presets import checked_name, save_own

    path = save_own(wanted.name, present_settings(project), wanted.purpose, wanted.replace)
    return LoadReport(f"Saved as your preset {checked_name(wanted.name)!r} in {path.parent}.")


def remove_preset(project: Project, wanted: PresetName, progress: Progress = SILENT) -> LoadReport:
    """Put a preset of one's own aside. Raises: ConfigError: there is none. DiskError."""
    from core.training.config.own_presets import remove_own

    return LoadReport(f"The preset {wanted.name!r} was put aside: {remove_own(wanted.name)}.")


def take_back(project: Project, wanted: NoSettings, progress: Progress = SILENT) -> LoadReport:
    """Bring back the settings from before the last load; a second time changes them again. Raises: ConfigError: there are none."""
    with locked(project.hidden / LOCK):
        if not can_take_back(project):
            raise ConfigError("Nothing was loaded yet, so that there is nothing to take back.")
        _swap(project)
    return LoadReport("The settings from before the last load are back.")


def _swap(project: Project) -> None:
    """The settings from before the last load, and those of now, with the names of their presets."""
    before, now = project.hidden / BEFORE, kept.settings_file(project.folder)
    older = read_text(before)
    if now.is_file():
        write_text(before, read_text(now))
    write_text(now, older)
    preset, named = project.hidden / PRESET_BEFORE, kept.read_preset_name(project)
    kept.keep_preset_name(read_text(preset) if preset.is_file() else "", project)
    write_text(preset, named)


def can_take_back(project: Project) -> bool:
    """Whether anything was loaded."""
    return (project.hidden / BEFORE).is_file()


def present_settings(project: Project) -> TrainingSettings:
    """The settings that the project keeps, before any the first preset for its family."""
    from core.training.config.presets import load_preset, preset_names
    from core.training.fitting import fit_to_project

    if kept.settings_file(project.folder).is_file():
        return kept.read_kept(project)
    return fit_to_project(load_preset(preset_names(project.family)[0]), project)


def _keep(project: Project, settings: TrainingSettings) -> None:
    """Make these the project's settings; those that were there are kept beside."""
    from core.training.fitting import fit_to_project

    now = kept.settings_file(project.folder)
    write_text(project.hidden / PRESET_BEFORE, kept.read_preset_name(project))
    if now.is_file():
        write_text(project.hidden / BEFORE, read_text(now))
    else:
        kept.keep_settings(present_settings(project), project)
        now.replace(project.hidden / BEFORE)
    kept.keep_settings(fit_to_project(settings, project), project)


def _count(left: int) -> str:
    return f" {left} thing{'s were' if left != 1 else ' was'} not taken over; each is listed." if left else " Everything was taken over."
