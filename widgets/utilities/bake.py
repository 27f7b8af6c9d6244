"""LoRA files put into a model for good, or taken out again: which, how much of each, and whether there is room for the new model."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus
from core.base.settings import Settings
from core.base.words import told_size
from core.utilities.checkpoints.baking import BakeSettings
from widgets.controls import make_control
from widgets.form import Form
from widgets.utilities import showing
from widgets.utilities.base_models import BaseModels, look_at, room_for, single_files
from widgets.utilities.made import Made, MadePanel, notes_rows
from widgets.utilities.reading import READING, Answer, Reads, fit_model, lora_facts, model_facts
from widgets.utilities.save_as import SaveAs
from widgets.utilities.weighted_files import WeightedFiles

NO_MODEL = "Ready as soon as a base model and a LoRA file are chosen."
UNUSED = "Layers without a place"


class BakePanel(MadePanel):
    """Runs `bake-loras`."""

    name = "bake"
    title = "Bake LoRA files into a model"
    purpose = ("Make a model that has LoRA files in it for good: for programs that take none, or to train on. A weight below 0 takes one "
               "out of a model that has it. The result is a whole new model; yours stays as it is.")
    button = "Bake"
    stage = "bake-loras"
    stages = {"bake-loras": BakeSettings}

    def controls(self) -> Sequence[ipw.Widget]:
        """The model, the files, and where the new model goes."""
        self._models, self._facts = Reads(self.loop, model_facts, self._was_read), Reads(self.loop, lora_facts, self._was_read)
        self._together, self._problem = Reads(self.loop, fit_model, self._was_read), ""
        self.base = make_control("base", BakeSettings.fields()["base"], BaseModels())
        self.base.widget.observe(self.heard(self._changed), "value")
        self.files = WeightedFiles(self, 1, self._facts, self._changed)
        self.form = Form(BakeSettings.make(base="-", files=("-",)), hide=("base", "files", "weights", "blocks"))
        self.save_as = SaveAs(self.form)
        self.form.on_change(self.heard(self._changed))
        return [self.base.view, self.files.view, self.form.view]

    def results(self) -> Sequence[ipw.Widget]:
        """The new model."""
        self.made = Made(lists=[UNUSED])
        return [self.made.view]

    def chosen(self) -> tuple[str, ...]:
        """The model, then the files."""
        return (self._base, *self.files.files) if self._base else self.files.files

    def update(self) -> None:
        """Offer the models of this machine and the project's files; the file that is looked at in other panels is the first."""
        self.base.offer(single_files())
        self.files.offer(self.offered())
        self.files.follow(self.new_choice())
        self._show_facts()

    def blocked(self) -> str:
        """What is wrong with the model, a file, or all together."""
        fitting = self._fitting()
        return self._problem or self.files.problem() or (fitting.problem if fitting is not None else "") or self.save_as.problem()

    def advice(self) -> str:
        """A model and a file must be chosen, and read."""
        if not self._base or not self.files.files:
            return NO_MODEL
        return self.files.reading() or ("" if self._fitting() is not None else READING.format("the files are"))

    def run(self) -> Job:
        """Write the model. Raises: ConfigError: a setting is wrong."""
        files = self.files
        return self.begin(self.stage, self.form.value().changed(base=self._base, files=files.files, weights=files.weights,
                                                                blocks=files.blocks, save_to=self.save_as.place()))

    def resumed(self, settings: Settings) -> None:
        """The model and the files of the job."""
        if isinstance(settings, BakeSettings) and not self.chosen():
            self.base.write(settings.base)
            self.files.fill(settings.files, settings.weights, settings.blocks)

    def show_report(self, status: JobStatus) -> None:
        """The new model, and what found no place in it."""
        report = status.report
        if status.state != "done" or not report:
            return
        self.made.show(report["file"], [
            *showing.made_of(report.get("sources", ()), report.get("blocks", ())), ("Size", told_size(report["size"])),
            ("Tensors changed", f"{report['weights']:,}"),
            ("Lost by rounding", f"{showing.share(report['rounding'])} of what was added, by the model's own precision"),
            (UNUSED, f"{len(report['unused']):,}, listed below" if report["unused"] else ""), *notes_rows(report["notes"])],
            lists={UNUSED: report["unused"]})
        self.done(status.message)
        self.save_as.written(report["file"])
        self._show_facts()

    @property
    def _base(self) -> str:
        return str(self.base.read() or "")

    def _changed(self) -> None:
        self._show_facts()
        self.inputs_changed()

    def _was_read(self) -> None:
        self._show_facts()
        self.look_again()

    def _show_facts(self) -> None:
        """What model and files are, and whether there is room."""
        self.files.look()
        self._problem = look_at(self.base, self._models)
        answer = self._models.of(self._base) if self._base else None
        if answer is None or answer.value is None:
            self.save_as.show(None)
            return
        usual = self.save_as.usual(base=self._base, files=("-",), weights=(), blocks=())
        self.save_as.show(usual)
        words, has_room = room_for("The new model takes about", answer.value.size, self.save_as.place())
        self.save_as.show(usual, words, not has_room)
        self._problem = "" if has_room else words

    def _fitting(self) -> Answer[tuple[str, ...]] | None:
        """Whether model and files fit together; None: not known yet, or some are missing."""
        ready = self._base and self.files.files and not self.files.reading()
        return self._together.of(self._base, *self.files.files) if ready else None
