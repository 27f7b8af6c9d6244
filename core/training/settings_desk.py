"""The front desk of training up to the start: settings, what they come to, what is measured and checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.findings import Finding
from core.base.jobs import Job, start_job
from core.base.progress import SILENT, Progress
from core.dataset.project import Project
from core.training import kept
from core.training.guards import GuardSettings, keep_guards, read_guards
from core.training.learned import learn_versions
from core.training.run import ACTIVE, Run

if TYPE_CHECKING:
    from core.training.calculating.counted import Basis
    from core.training.calculating.settings import CalculateSettings
    from core.training.calculating.stage import CalculateReport
    from core.training.config import TrainingSettings
    from core.training.loading import LoadReport, LoadSettings, MemorySize, NoSettings, PresetName, SavePreset
    from core.training.measuring.report import MeasureReport
    from core.training.measuring.settings import MeasureSettings
    from core.training.preview import ImagePreview, PreviewSettings
    from core.training.regularisation import RegularisationReport, RegularisationSettings


class SettingsDesk:
    """A project's settings: one short method for each stage, in the order of the way. Nothing here blocks or imports torch."""

    def __init__(self, project_folder: Path) -> None:
        self.project = Project.open(project_folder)

    def presets(self) -> list[str]:
        """Names of the presets for the project's model family: the shipped ones, then those of one's own."""
        from core.training.config.own_presets import own_presets
        from core.training.config.presets import preset_names

        own = [name for name, preset in own_presets()[0].items() if preset.family == self.project.family]
        return [*preset_names(self.project.family), *own]

    def preset(self, name: str, propose: bool = True) -> TrainingSettings:
        """A preset to begin with, fitted to the project. Args: propose: sample prompts too. Raises: ConfigError: none has that name."""
        from core.training.config.presets import load_preset

        return self.configure(load_preset(name), propose)

    def configure(self, settings: TrainingSettings, propose: bool = False) -> TrainingSettings:
        """The settings with what is empty filled in from the project: folder of images, name, trigger word.

        Args: propose: sample prompts too, for settings that nobody has looked at yet.
        """
        from core.training.fitting import fit_to_project

        return fit_to_project(settings, self.project, propose)

    def settings(self, propose: bool = True) -> TrainingSettings:
        """The settings that are kept for the project, with its pictures as they are now; before any are, the first preset for its family.

        Args: propose: sample prompts for a preset, which takes a look at the captions.
        Raises: ConfigError: the file is wrong.
        """
        if kept.settings_file(self.project.folder).is_file():
            return kept.read_kept(self.project)
        return self.preset(self.presets()[0], propose)

    def amounts(self, settings: TrainingSettings, backend: str = "builtin") -> list[str]:
        """What the settings amount to for the pictures as they are now: steps, files, disk, time and price, in sentences."""
        from core.training.amounts import amount_lines, has_gpu

        return amount_lines(learn_versions(settings, self.project, masks=False), backend, self.project.folder, has_gpu())

    def basis(self, settings: TrainingSettings | None = None, before: Basis | None = None) -> Basis:
        """What the calculator begins from: these settings, else the kept ones, with the pictures as they are now.

        Args: before: the one that was made last, so that only what is new is read. Raises: DatasetError.
        """
        from core.training.amounts import has_gpu
        from core.training.calculating.stage import basis_of

        chosen = self.configure(settings if settings is not None else self.settings(propose=False))
        return basis_of(self.project, learn_versions(chosen, self.project, masks=False), has_gpu(), before)

    def calculate(self, settings: CalculateSettings, progress: Progress = SILENT) -> CalculateReport:
        """Steps, time and price of numbers that are tried, and ways to a target; also taken into the settings. Raises: ConfigError."""
        from core.training.calculating.stage import calculate

        report = calculate(self.basis(), settings)
        return replace(report, taken=self.take_calculated(settings).what) if settings.take else report

    def take_calculated(self, settings: CalculateSettings) -> LoadReport:
        """Make the calculator's numbers the project's settings; `settings_back` brings the old ones back. Raises: ConfigError."""
        from core.training.loading import take_calculated

        return take_calculated(self.project, settings)

    def calculated_back(self) -> LoadReport:
        """Bring back the numbers from before the calculator's were taken. Raises: ConfigError: they were not, or changed since."""
        from core.training.loading import take_back_calculated

        return take_back_calculated(self.project)

    def load_settings(self, settings: LoadSettings, progress: Progress = SILENT) -> LoadReport:
        """Make a file's, a run's or a preset's settings the project's; what was left out is listed. Raises: ConfigError, TrainingError."""
        from core.training.loading import load_settings_into

        return load_settings_into(self.project, settings, progress)

    def fit_memory(self, settings: MemorySize, progress: Progress = SILENT) -> LoadReport:
        """Change what memory hangs on for a GPU of that size; the effective batch stays. Raises: ConfigError."""
        from core.training.loading import fit_memory

        return fit_memory(self.project, settings, progress)

    def save_preset(self, settings: SavePreset, progress: Progress = SILENT) -> LoadReport:
        """Keep the settings as a preset of one's own. Raises: ConfigError: the name is odd or taken."""
        from core.training.loading import save_as_preset

        return save_as_preset(self.project, settings, progress)

    def remove_preset(self, settings: PresetName, progress: Progress = SILENT) -> LoadReport:
        """Put a preset of one's own aside. Raises: ConfigError: there is none."""
        from core.training.loading import remove_preset

        return remove_preset(self.project, settings, progress)

    def settings_back(self, settings: NoSettings, progress: Progress = SILENT) -> LoadReport:
        """Bring back the settings from before the last load. Raises: ConfigError: nothing was loaded."""
        from core.training.loading import take_back

        return take_back(self.project, settings, progress)

    def preview(self, settings: PreviewSettings, progress: Progress = SILENT) -> ImagePreview:
        """One picture as the trainer will see it, with the kept settings. Raises: DatasetError, ConfigError."""
        from core.training.preview import preview_image

        return preview_image(self.project, settings, learn_versions(self.settings(propose=False), self.project))

    def preview_pictures(self, preview: ImagePreview) -> tuple[bytes, bytes]:
        """The picture as it is (small), and as it is learned: the files' bytes. Raises: DatasetError."""
        from core.dataset.images import previews
        from core.training.preview import training_picture

        return previews.preview_image(preview.path, self.project.hidden / "previews"), training_picture(preview)

    def check(self, settings: TrainingSettings, backend: str = "builtin", deep: bool = True) -> list[Finding]:
        """Everything that can be known to be wrong before the training costs time; nothing is written into the project.

        Args: deep: also ask the trainer's torch whether it sees the GPU (some seconds, once); `launch` goes without.
        """
        from core.training.fitting import check_before_launch

        return check_before_launch(self.configure(settings), backend, self.project.folder, deep)

    def measure(self, settings: MeasureSettings, progress: Progress = SILENT) -> MeasureReport:
        """Train a few steps of the kept settings and say what the whole takes. Raises: TrainingError, ConfigError, DiskError, Cancelled."""
        from core.training.measuring.stage import measure

        return measure(self.project, learn_versions(self.settings(), self.project, progress, alone=True), settings, progress)

    def measurement(self, settings: TrainingSettings, backend: str = "builtin") -> MeasureReport | None:
        """The last measurement, seen with these settings; None: there is none."""
        from core.training.amounts import has_gpu
        from core.training.measuring.report import read_report

        return read_report(learn_versions(self.configure(settings), self.project), backend, self.project, has_gpu())

    def regularise(self, settings: RegularisationSettings, progress: Progress = SILENT) -> RegularisationReport:
        """Let the base model draw pictures of what must stay as it is. Raises: ConfigError, ModelError, Cancelled."""
        from core.training.regularisation import draw_regularisation

        return draw_regularisation(self.project.folder, settings, progress)

    def start_regularisation(self, settings: RegularisationSettings) -> Job:
        """Draw regularisation pictures in a process of its own; returns at once."""
        return start_job(self.project.folder, "regularise", settings.model_dump(mode="json"))

    def guards(self) -> GuardSettings:
        """What watches over the project's next runs. Raises: ConfigError: its file is wrong."""
        return read_guards(self.project.folder)

    def keep_guards(self, settings: GuardSettings) -> None:
        """Keep them for the project's next runs, and for those that work or wait now. Raises: DiskError."""
        keep_guards(settings, self.project.folder)
        for run in Run.list(self.project.folder):
            if run.state() in ACTIVE:
                keep_guards(settings, run.folder)
