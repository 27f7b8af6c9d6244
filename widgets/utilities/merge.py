"""Several LoRA files made one: chosen and weighed, told at once whether they fit together, and what the rank left out."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus
from core.base.settings import Settings
from core.base.words import told_size
from core.utilities.merging.merging import MergeSettings
from widgets.form import Form
from widgets.utilities import showing
from widgets.utilities.made import Made, MadePanel, notes_rows
from widgets.utilities.method_words import MERGE_BY, PRECISION, RANK_BY, offered
from widgets.utilities.reading import READING, Answer, Reads, fit_together, lora_facts
from widgets.utilities.save_as import SaveAs
from widgets.utilities.weighted_files import WeightedFiles

TOO_FEW = "Ready as soon as two LoRA files are chosen."


class MergePanel(MadePanel):
    """Runs `merge-loras`."""

    name = "merge"
    title = "Merge LoRA files"
    purpose = ("Make one LoRA file of several, each as strong as you like: a character and a style, say. The result is a new file; yours "
               "stay as they are, and nothing is written over.")
    button = "Merge"
    stage = "merge-loras"
    stages = {"merge-loras": MergeSettings}

    def controls(self) -> Sequence[ipw.Widget]:
        """The files, then how they are put together."""
        self._facts, self._together = Reads(self.loop, lora_facts, self._was_read), Reads(self.loop, fit_together, self._was_read)
        self.files = WeightedFiles(self, 2, self._facts, self.inputs_changed)
        choices = {"merge_method": offered(MERGE_BY), "dynamic_method": offered(RANK_BY), "save_precision": offered(PRECISION)}
        self.form = Form(MergeSettings.make(files=("-", "-")), choices, hide=("files", "weights", "blocks"))
        self.save_as = SaveAs(self.form)
        self.form.follow()
        self.form.on_change(self.heard(self.inputs_changed))
        return [self.files.view, self.form.view]

    def results(self) -> Sequence[ipw.Widget]:
        """The new file."""
        self.made = Made("Largest rank before", ["Tensors of no layer"])
        return [self.made.view]

    def chosen(self) -> tuple[str, ...]:
        """In their order."""
        return self.files.files

    def update(self) -> None:
        """Offer the project's files; the one that is looked at in other panels is the first."""
        self.files.offer(self.offered())
        self.files.look()
        self.files.follow(self.new_choice())

    def blocked(self) -> str:
        """What is wrong with the files, alone or together."""
        fitting = self._fitting()
        return self.files.problem() or (fitting.problem if fitting is not None else "") or self.save_as.problem()

    def advice(self) -> str:
        """Two files must be chosen, and read."""
        if len(self.files.files) < 2:
            return TOO_FEW
        return self.files.reading() or ("" if self._fitting() is not None else READING.format("the files are"))

    def run(self) -> Job:
        """Write the file. Raises: ConfigError: a setting is wrong."""
        settings = self.form.value().changed(files=self.files.files, weights=self.files.weights, blocks=self.files.blocks,
                                             save_to=self.save_as.place())
        settings.rule()
        return self.begin(self.stage, settings)

    def resumed(self, settings: Settings) -> None:
        """The files of the job."""
        if isinstance(settings, MergeSettings) and not self.files.files:
            self.files.fill(settings.files, settings.weights, settings.blocks)

    def look_again(self) -> None:
        """Also where the new file will be."""
        files = self.files.files
        self.save_as.show(self.save_as.usual(files=files, weights=(), blocks=()) if len(files) > 1 else None)
        super().look_again()

    def show_report(self, status: JobStatus) -> None:
        """The new file, and what each block lost."""
        report = status.report
        if status.state != "done" or not report:
            return
        self.made.show(report["file"], [
            *showing.made_of(report["sources"], report.get("blocks", ())), ("Method", report["method"]),
            ("Rank", showing.ranks_of(report["layers"])), ("Size", told_size(report["size"])),
            ("Update lost", showing.lost(report["error"])), ("Lost by rounding", showing.share(report["rounding"])),
            *notes_rows(report["notes"])], report["layers"], {"Tensors of no layer": report["kept"]})
        self.done(status.message)
        self.save_as.written(report["file"])
        self.look_again()

    def _fitting(self) -> Answer[str] | None:
        """Whether the files fit together; None: not known yet, or some are missing."""
        files = self.files.files
        return self._together.of(*files) if len(files) > 1 and not self.files.reading() else None

    def _was_read(self) -> None:
        self.files.look()
        self.look_again()
