"""A LoRA file of what two models differ in: which models, what it will take, and what it could not hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ipywidgets as ipw

from core.base.jobs import Job, JobStatus
from core.base.paths import place_of
from core.base.settings import Settings
from core.base.words import counted, told_size
from core.utilities.checkpoints.extracting import ExtractSettings, most_bytes
from widgets.form import Form
from widgets.utilities import showing
from widgets.utilities.base_models import BaseModels, look_at, room_for, single_files
from widgets.utilities.made import Made, MadePanel
from widgets.utilities.method_words import PRECISION, offered
from widgets.utilities.reading import READING, Answer, Reads, model_facts
from widgets.utilities.save_as import SaveAs

NO_MODEL = "Ready as soon as both models are chosen."
OTHERS = "What the LoRA cannot hold"
SIZED = ("new_rank", "new_conv_rank", "text_encoders", "save_precision")
"""Settings that the size of the file hangs on."""


class ExtractPanel(MadePanel):
    """Runs `extract-lora`."""

    name = "extract"
    title = "Extract a LoRA from two models"
    purpose = ("Make a small LoRA file of what a trained model learned beyond its base model: used with the base, it does nearly the same. "
               "Both models stay as they are.")
    button = "Extract"
    stage = "extract-lora"
    stages = {"extract-lora": ExtractSettings}

    def controls(self) -> Sequence[ipw.Widget]:
        """The two models, and the rank."""
        self._facts = Reads(self.loop, model_facts, self._was_read)
        self._sizes, self._problem = Reads(self.loop, most_bytes_of, self._was_read), ""
        self.form = Form(ExtractSettings, {"base": BaseModels(), "tuned": BaseModels(), "save_precision": offered(PRECISION)})
        self.save_as = SaveAs(self.form)
        self.form.on_change(self.heard(self._form_changed))
        return [self.form.view]

    def results(self) -> Sequence[ipw.Widget]:
        """The new file."""
        self.made = Made("Rank that it could have", [OTHERS])
        return [self.made.view]

    def chosen(self) -> tuple[str, ...]:
        """Base and trained model."""
        return tuple(filter(None, (str(self.form.control(name).read() or "") for name in ("base", "tuned"))))

    def update(self) -> None:
        """Offer the models of this machine."""
        for name in ("base", "tuned"):
            self.form.control(name).offer(single_files())
        self._show_facts()

    def blocked(self) -> str:
        """What is wrong with a model, or with both together."""
        if len(self.chosen()) == 2 and len(set(self.chosen())) == 1:
            return "Base model and trained model are the same file. Choose two that differ."
        size = self._size()
        return self._problem or (size.problem if size is not None else "") or self.save_as.problem()

    def advice(self) -> str:
        """Both must be chosen and read."""
        if len(self.chosen()) < 2:
            return NO_MODEL
        return "" if self._size() is not None else READING.format("the models are")

    def run(self) -> Job:
        """Write the file. Raises: ConfigError: a setting is wrong."""
        return self.begin(self.stage, self.form.value().changed(save_to=self.save_as.place()))

    def resumed(self, settings: Settings) -> None:
        """The models of the job."""
        if isinstance(settings, ExtractSettings) and not self.chosen():
            self.form.fill(settings.changed(save_to=""))

    def show_report(self, status: JobStatus) -> None:
        """The new file, what each block lost, and what takes no LoRA."""
        report = status.report
        if status.state != "done" or not report:
            return
        others = f"{counted(len(report['others']), 'tensor')}, {showing.share(report['outside'])} of the whole difference, listed below"
        self.made.show(report["file"], [
            ("Layers", f"{len(report['layers'])}" + (f"; {report['same']} are the same in both models" if report["same"] else "")),
            ("Rank", showing.ranks_of(report["layers"])), ("Size", told_size(report["size"])),
            ("Difference lost", showing.lost(report["error"])), ("Lost by rounding", showing.share(report["rounding"])),
            (OTHERS, others if report["others"] else "")], report["layers"], {OTHERS: report["others"]})
        self.done(status.message)
        self.save_as.written(report["file"])
        self._show_facts()

    def _form_changed(self) -> None:
        self._show_facts()
        self.inputs_changed()

    def _usual(self) -> Path | None:
        """Among the open project's finished files, where it is found again; else beside the trained model."""
        tuned, project = str(self.form.control("tuned").read() or ""), self.session.folder
        if not tuned:
            return None
        return project / "output" / f"{place_of(tuned).stem}-lora.safetensors" if project is not None else self.save_as.usual()

    def _was_read(self) -> None:
        self._show_facts()
        self.look_again()

    def _show_facts(self) -> None:
        wrong = [look_at(self.form.control(name), self._facts) for name in ("base", "tuned")]
        self._problem = next(filter(None, wrong), "")
        size = self._size()
        self.save_as.show(self._usual())
        if size is None or size.value is None or self._problem:
            return
        words, has_room = room_for("The LoRA takes up to about", size.value, self.save_as.place())
        self.save_as.show(self._usual(), words, not has_room)
        self._problem = "" if has_room else words

    def _size(self) -> Answer[int] | None:
        """What the file takes at most; with a problem: why the models do not go together. None: not known yet."""
        chosen = self.chosen()
        values = tuple((name, self.form.present(name)) for name in SIZED)
        return self._sizes.of(*chosen, also=(values,)) if len(set(chosen)) == 2 else None


def most_bytes_of(base: str, tuned: str, values: tuple[tuple[str, object], ...]) -> int:
    """As `most_bytes`. Args: values: of the settings in SIZED. Raises: ConfigError: one is wrong. ModelError: the models do not fit."""
    return most_bytes(ExtractSettings.make(base=base, tuned=tuned, **dict(values)))
