"""The checkpoints of a run made one file: which run, which of its checkpoints, and how much the later ones count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus
from core.base.paths import place_of
from core.base.settings import Settings, setting
from core.base.words import counted, told_size
from core.training.run import Run
from core.utilities.merging.averaging import AverageSettings, checkpoints_of
from widgets.controls import Suggestions, make_control
from widgets.form import Form
from widgets.pieces import let_go
from widgets.utilities import showing
from widgets.utilities.made import Made, MadePanel, notes_rows
from widgets.utilities.method_words import AVERAGE_BY, PRECISION, offered
from widgets.utilities.reading import READING, Answer, Reads, fit_together, lora_facts
from widgets.utilities.save_as import SaveAs

NO_RUN = "Ready as soon as a run is chosen."
TOO_FEW = "Ready as soon as two checkpoints are ticked."
WHICH = "Which of them, from the earliest to the last. The later half is ticked: after the first epochs little is learned yet."


class RunFolders(Suggestions):
    """The project's runs, beside which any folder can be named."""

    nothing = "choose a run"
    typed = "or a folder of checkpoints"
    placeholder = "a folder on this machine"


class RunFolder(Settings):
    """Where the checkpoints are."""

    folder: str = setting(..., "Run", "The newest run stands first. Runs with two checkpoints and more are offered.")


class AveragePanel(MadePanel):
    """Runs `average-loras`."""

    name = "average"
    title = "Average a run's checkpoints"
    purpose = ("Make one LoRA file of what a run saved along its way: often calmer than each of them alone. The result is a new file; the "
               "checkpoints stay as they are.")
    button = "Average"
    stage = "average-loras"
    stages = {"average-loras": AverageSettings}

    def controls(self) -> Sequence[ipw.Widget]:
        """The run, its checkpoints, and how they are averaged."""
        self._facts, self._together = Reads(self.loop, lora_facts, self._was_read), Reads(self.loop, fit_together, self._was_read)
        self._listed = Reads(self.loop, checkpoints_beside, self._was_listed)
        self._of, self._problem, self._others = "", "", 0
        self._wanted: list[Path] | None = None
        self.ticks: dict[str, ipw.Checkbox] = {}
        self.run_folder = make_control("folder", RunFolder.fields()["folder"], RunFolders())
        self.run_folder.widget.observe(self.heard(self._another_run), "value")
        self._tick_box = ipw.VBox().add_class("lb-fields").add_class("lb-ticks")
        self._which = ipw.VBox([ipw.HTML(f'<p class="lb-help">{WHICH}</p>'), self._tick_box]).add_class("lb-form")
        self._which.layout.display = "none"
        choices = {"average_method": offered(AVERAGE_BY), "save_precision": offered(PRECISION)}
        self.form = Form(AverageSettings.make(files=("-",)), choices, hide=("files",))
        self.save_as = SaveAs(self.form)
        self.form.follow()
        self.form.on_change(self.heard(self.inputs_changed))
        return [self.run_folder.view, self._which, self.form.view]

    def results(self) -> Sequence[ipw.Widget]:
        """The new file."""
        self.made = Made("Largest rank before")
        return [self.made.view]

    def chosen(self) -> tuple[str, ...]:
        """What is ticked."""
        return tuple(path for path, tick in self.ticks.items() if tick.value)

    def update(self) -> None:
        """Offer the project's runs, and the checkpoints that came meanwhile."""
        runs = Run.list(self.session.folder) if self.session.folder is not None else []
        counts = [(run, len(_files(str(run.checkpoints)))) for run in runs]
        self.run_folder.offer([(f"{run.id} ({counted(count, 'LoRA file')})", str(run.checkpoints)) for run, count in counts if count > 1])
        self._show_checkpoints()
        self._show_facts()
        self._show_place()

    def blocked(self) -> str:
        """What is wrong with the folder or with a checkpoint."""
        fitting = self._fitting()
        return self._problem or (fitting.problem if fitting is not None else "") or self.save_as.problem()

    def advice(self) -> str:
        """A run must be chosen, two checkpoints be ticked and read."""
        if not self._folder:
            return NO_RUN
        if self._listing() is None:
            return READING.format("the checkpoints are")
        if len(self.chosen()) < 2:
            return TOO_FEW
        return "" if self._fitting() is not None else READING.format("the checkpoints are")

    def run(self) -> Job:
        """Write the file. Raises: ConfigError: a setting is wrong."""
        return self.begin(self.stage, self.form.value().changed(files=self.chosen(), save_to=self.save_as.place()))

    def resumed(self, settings: Settings) -> None:
        """The checkpoints of the job."""
        if isinstance(settings, AverageSettings) and not self._folder:
            paths = [place_of(file) for file in settings.files]
            self._wanted = paths[1:] and paths  # of a folder alone all are wanted
            self.run_folder.write(str(paths[0].parent if self._wanted else paths[0]))

    def show_report(self, status: JobStatus) -> None:
        """The new file, and what each block lost."""
        report = status.report
        if status.state != "done" or not report:
            return
        parts = ", ".join(f"{100 * weight:.3g} % {showing.name_of(file)}" for file, weight in report["sources"])
        self.made.show(report["file"], [
            ("Made of", parts), ("Rank", showing.ranks_of(report["layers"])), ("Size", told_size(report["size"])),
            ("Update lost", showing.lost(report["error"])), ("Lost by rounding", showing.share(report["rounding"])),
            *notes_rows(report["notes"])], report["layers"])
        self.done(status.message)
        self.save_as.written(report["file"])
        self._show_place()

    def look_again(self) -> None:
        """Also where the new file will be."""
        self._show_place()
        super().look_again()

    @property
    def _folder(self) -> str:
        return str(self.run_folder.read() or "")

    def _another_run(self) -> None:
        self._show_checkpoints()
        self._show_facts()
        self.inputs_changed()

    def _was_listed(self) -> None:
        """The checkpoints of a folder are known. Those of a job that is taken up are what its result is of."""
        is_resumed = self._wanted is not None
        self._show_checkpoints()
        self._show_facts()
        if is_resumed:
            self._chosen = self.chosen()
            self.look_again()
        else:
            self.inputs_changed()

    def _was_read(self) -> None:
        self._show_facts()
        self.look_again()

    def _listing(self) -> Answer[tuple[list[str], int]] | None:
        """The checkpoints in their order, and how many files beside them are none; None: not known yet."""
        if not self._folder:
            return Answer(([], 0))
        if not place_of(self._folder).is_dir():
            return Answer(problem=f"{self._folder} is no folder on this machine. Choose another one, or mend the path.")
        files = _files(self._folder)
        return self._listed.of(*files) if files else Answer(problem=f"{self._folder} has no LoRA files. Choose another folder.")

    def _show_checkpoints(self) -> None:
        """Ticks for what lies there now; those that are there stay as the person set them."""
        answer, is_same = self._listing(), self._folder == self._of
        if answer is None and is_same:  # one of them was written anew
            return
        paths, self._others = answer.value if answer is not None and answer.value is not None else ([], 0)
        self._problem = answer.problem if answer is not None else ""
        self._which.layout.display = "" if paths else "none"
        if answer is not None:
            self._of = self._folder
        if paths == list(self.ticks):
            return
        before, kept = self._tick_box.children, {path: tick.value for path, tick in self.ticks.items()} if is_same else {}
        if paths and self._wanted is not None:
            kept = {path: not self._wanted or Path(path) in self._wanted for path in paths}
            self._wanted = None
        later, self.ticks = paths[min(len(paths) // 2, len(paths) - 2):] if paths else [], {}
        for path in paths:
            tick = ipw.Checkbox(description=showing.name_of(path), indent=False, value=kept.get(path, path in later))
            tick.observe(self.heard(self.inputs_changed), "value")
            self.ticks[path] = tick
        self._tick_box.children = [ipw.VBox([tick]).add_class("lb-field") for tick in self.ticks.values()]
        for widget in before:
            let_go(widget)

    def _show_place(self) -> None:
        """Among the finished files of the run's project, else beside the first checkpoint."""
        run = Path(place_of(self._folder)).parent if self._folder else None
        found = Run(run) if run is not None and (run / "run.json").is_file() else None
        name = f"{found.output_name}-{self.form.present('average_method')}.safetensors" if found is not None else ""
        usual = found.project_folder / "output" / name if found is not None else self.save_as.usual(files=self.chosen())
        self.save_as.show(usual if len(self.chosen()) > 1 else None)

    def _show_facts(self) -> None:
        """Say at the run what its checkpoints are."""
        chosen = self.chosen()
        answer = self._facts.of(chosen[-1]) if chosen else None
        left = f"; {counted(self._others, 'file')} beside them of another name" if self._others else ""
        told = f"{counted(len(self.ticks), 'checkpoint')}: {answer.value.words}{left}" if answer is not None and answer.value else ""
        self.run_folder.remark(self._problem or told, bool(self._problem))

    def _fitting(self) -> Answer[str] | None:
        return self._together.of(*self.chosen()) if len(self.chosen()) > 1 else None


def checkpoints_beside(*files: str) -> tuple[list[str], int]:
    """Those of a folder's files that are checkpoints of its run, in their order, and how many are none.

    Raises: ConfigError: fewer than two, or of several runs. ModelError: one is no safetensors file.
    """
    found, others = checkpoints_of((str(Path(files[0]).parent),))
    return [str(path) for path in found], len(others)


def _files(folder: str) -> list[str]:
    """The .safetensors files of a folder, by name."""
    return sorted(str(path) for path in place_of(folder).glob("*.safetensors"))
