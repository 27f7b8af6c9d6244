"""A LoRA file under other names, in another precision, or made LoRA; and pickled checkpoints made safetensors files."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import ipywidgets as ipw

from core.base.findings import Finding
from core.base.jobs import Job, JobStatus
from core.base.settings import Settings
from core.base.words import counted, told_size
from core.utilities.files.pickled import PickledSettings
from core.utilities.names.converting import KNOWN, ConvertSettings
from core.utilities.names.family import DEMO, family_title
from widgets.jobs_view import settings_of
from widgets.pieces import table
from widgets.utilities import showing
from widgets.utilities.lora_panel import NO_FILE, LoraFiles, LoraPanel
from widgets.utilities.made import Made, MadePanel, notes_rows
from widgets.utilities.method_words import NAMES, PRECISION, offered
from widgets.utilities.reading import READING, LoraFacts, Reads, lora_facts, mark_of, missing_words
from widgets.utilities.save_as import SaveAs, usual_of

PICKLED, PICKLED_STAGE = (".pt", ".ckpt", ".pth", ".bin"), "convert-pickled"
PICKLED_WORDS = ("This is a pickled checkpoint, in which a program can be hidden. Convert makes a .safetensors file of it, beside it where "
                 "nothing else is said, without running what is in it; that one can then be converted further.")
NOTHING = "Ready as soon as something is to change: other names, another precision, or LoHa and LoKr made LoRA."
HAS_THEM = "Ready as soon as something is to change: the layers have these names already."
STAYED = "Names that stayed"


class AnyFiles(LoraFiles):
    """Also those of old."""

    placeholder = "a .safetensors file on this machine, also .pt, .ckpt, .bin"


class ConvertPanel(MadePanel, LoraPanel):
    """Runs `convert-lora`; of a pickled checkpoint, `convert-pickled`."""

    name = "convert"
    title = "Convert a LoRA file"
    purpose = ("Make a LoRA file what another program loads: other names of its layers, another precision, LoRA of LoHa and LoKr, or a "
               ".safetensors file of an old .pt. The result is a new file; yours stays as it is.")
    button = "Convert"
    stage = "convert-lora"
    stages = {"convert-lora": ConvertSettings, PICKLED_STAGE: PickledSettings}

    def controls(self) -> Sequence[ipw.Widget]:
        """Which file, what it is now, and what becomes of it."""
        self._facts = Reads(self.loop, lora_facts, self._was_read)
        self._now = ipw.HTML()
        self.form = self.file_form(ConvertSettings, {"file": AnyFiles(), "naming": offered(NAMES), "save_precision": offered(PRECISION)})
        self.save_as = SaveAs(self.form)
        self.form.follow()
        return [self.form.view, self._now]

    def results(self) -> Sequence[ipw.Widget]:
        """The new file."""
        self.made = Made(lists=[STAYED])
        self._compared = ipw.HTML()
        self._files = ("", "")
        self.made.view.children = [*self.made.view.children, self._compared]
        return [self.made.view]

    @property
    def is_pickled(self) -> bool:
        """Whether the chosen file is a pickled checkpoint, by its name."""
        return Path(self.file).suffix.lower() in PICKLED

    def is_free(self) -> bool:
        """A pickled file, which the other panels do not open, is worked on here alone."""
        return not self.is_pickled

    def is_shared(self) -> bool:
        """The other panels open no pickled file."""
        return not self.is_pickled and super().is_shared()

    def update(self) -> None:
        """Offer the project's files, and say what the chosen one is."""
        super().update()
        self._show_facts()

    def blocked(self) -> str:
        """What is wrong with the file."""
        if not self.file:
            return ""
        if self.is_pickled:
            return self.save_as.problem() if mark_of(self.file) else missing_words(self.file)
        answer = self._facts.of(self.file)
        return (answer.problem or self._unknown(answer.value) if answer is not None else "") or self.save_as.problem()

    def advice(self) -> str:
        """A file must be chosen and read, and something be changed."""
        if not self.file or self.is_pickled:
            return "" if self.file else NO_FILE
        if self._facts.of(self.file) is None:
            return READING.format("the file is")
        wanted = [self.form.present(name) for name in ("naming", "to_lora", "save_precision")]
        if wanted == ["same", False, "same"]:
            return NOTHING
        answer = self._facts.of(self.file)
        has_them = answer is not None and answer.value is not None and answer.value.names == wanted[0]
        return HAS_THEM if has_them and wanted[1:] == [False, "same"] else ""

    def run(self) -> Job:
        """Write the file. Raises: ConfigError: a setting is wrong."""
        settings = self.form.value().changed(save_to=self.save_as.place())
        if self.is_pickled:
            return self.begin(PICKLED_STAGE, PickledSettings.make(file=settings.file, save_to=settings.save_to))
        return self.begin(self.stage, settings)

    def resumed(self, settings: Settings) -> None:
        """The file of the job, and what became of it."""
        super().resumed(settings)
        if isinstance(settings, ConvertSettings) and settings.file == self.file:
            self.form.fill(settings.changed(save_to=""))

    def inputs_changed(self) -> None:
        """Of a pickled file only the place can be chosen."""
        self._show_facts()
        super().inputs_changed()

    def show_report(self, status: JobStatus) -> None:
        """What was renamed and what was not, and what rounding changed."""
        report = status.report
        if status.state != "done" or not report or self.job is None:
            return
        before = settings_of(self.job, self.stages[self.job.stage])
        self._files = (str(getattr(before, "file", "")), report["file"])
        if self.job.stage == PICKLED_STAGE:
            self.made.show(report["file"], [("Tensors", f"{report['tensors']:,}"), ("Left out", ", ".join(report["left"][:20]))],
                           lists={STAYED: ()})
        else:
            rounding = showing.share(report["rounding"]) if report["rounding"] or report["made_lora"] else "0 %: not a bit was changed"
            renamed = counted(report["renamed"], "layer") if report["naming"] != "same" else "none"
            self.made.show(report["file"], [
                ("Renamed", renamed), ("Made LoRA", report["made_lora"] or ""),
                ("Changed by rounding", rounding), (STAYED, f"{len(report['kept'])}, listed below" if report["kept"] else ""),
                *notes_rows(report["notes"])], lists={STAYED: report["kept"]})
        self._compare()
        self.save_as.written(report["file"])
        self._show_facts()
        if words := self.conclude([Finding(**one) for one in report.get("findings", ())], status.message):
            self.done(words)

    def _unknown(self, facts: LoraFacts | None) -> str:
        """Why layers cannot be renamed; empty where they can, or need not."""
        if facts is None or self.form.present("naming") == "same" or facts.family.replace("chroma", "flux1") in KNOWN:
            return ""
        if facts.family == DEMO:
            return f"{showing.name_of(self.file)} was made with {family_title(DEMO)}, whose layers have no other names. Leave the names " \
                   "as they are."
        known = ", ".join(map(family_title, KNOWN))
        return f"{showing.name_of(self.file)} is a {facts.words}. Names are converted for {known}; leave the names as they are."

    def _was_read(self) -> None:
        self._show_facts()
        self._compare()
        self.look_again()

    def _show_facts(self) -> None:
        """What the chosen file is now."""
        self.form.narrow(("file", "save_to") if self.is_pickled else None)
        self.save_as.show(self._usual())
        answer = self._facts.of(self.file) if self.file and not self.is_pickled else None
        self._now.value = f'<p class="lb-help">{html.escape(PICKLED_WORDS)}</p>' if self.is_pickled else \
            f'<p class="lb-help">What it is now:</p>{table(_rows(answer.value))}' if answer is not None and answer.value else ""

    def _usual(self) -> Path | None:
        """Where the new file goes when nothing is typed; None: not known yet."""
        if self.is_pickled:
            return usual_of(lambda: PickledSettings.make(file=self.file))
        return self.save_as.usual() if self.file else None

    def _compare(self) -> None:
        """Before and now, once both files are read; of a checkpoint that is no LoRA, nothing."""
        before, made = self._files
        if not made or Path(before).suffix.lower() in PICKLED:
            self._compared.value = ""
            return
        answers = [self._facts.of(file) for file in (before, made)]
        found = [answer.value for answer in answers if answer is not None and answer.value is not None]
        rows = [(name, was, now) for (name, was), (_, now) in zip(*map(_rows, found), strict=True)] if len(found) == 2 else []
        self._compared.value = table(rows, ("", "Before", "Now")) if rows else ""


def _rows(facts: LoraFacts) -> list[tuple[str, str]]:
    names = " and ".join(NAMES.get(name, name) for name in facts.names.split(" + "))
    return [("Names", names), ("A layer is called", facts.example), ("Type", facts.kind), ("Rank", facts.rank), ("Tensors", facts.tensors),
            ("Size", told_size(facts.size))]
