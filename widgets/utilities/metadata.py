"""What a LoRA file says of itself, to be read and changed; its tensors stay as they are."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from core.base.errors import DiskError
from core.base.jobs import Job, JobStatus
from core.base.paths import place_of
from core.utilities.files.metadata import ANEW, IN_PLACE, KEYS, SPEC, MetadataSettings, said_by
from widgets.jobs_view import settings_of
from widgets.pieces import table
from widgets.utilities import showing
from widgets.utilities.licences import Licences
from widgets.utilities.lora_panel import LoraPanel
from widgets.utilities.reading import READING, Mark, mark_of, missing_words
from widgets.utilities.save_as import SaveAs, usual_of

FIELDS = {"name" if name == "title" else name: key for name, key in KEYS.items() if name != "thumbnail"}
"""Each field that is filled with what the file says, and its key."""
UNSAID = ("thumbnail", "save_to", "remove")
"""Fields that begin empty: they say what is to become of the file."""
RESTORED = "What was typed for this file before, and not saved, stands here again."


class MetadataPanel(LoraPanel):
    """Runs `lora-metadata` with what the person changed, and with nothing else."""

    name = "metadata"
    title = "Metadata of a LoRA file"
    purpose = ("Give a LoRA file a title, its author, trigger words, licence, description and a small picture: what other programs and "
               "sites show of it. Only what you change is written; the tensors stay as they are.")
    button = "Save"
    stage = "lora-metadata"
    stages = {"lora-metadata": MetadataSettings}

    def controls(self) -> Sequence[ipw.Widget]:
        """Which file, and what it says."""
        self._said: dict[str, str] = {}
        self._drafts = self.session.drafts
        self._begun: Job | None = None
        self._mark: Mark | None = None
        self._asked: Mark | None = None
        self.form = self.file_form(MetadataSettings, {"license": Licences("title", "none is named")})
        self.save_as = SaveAs(self.form, itself=True)
        self._picture = ipw.HTML()
        for name in ("usage_hint", "tags", "thumbnail", "trigger", "license"):
            self.form.control(name).view.add_class("lb-wide")
        return [self.form.view, self._picture]

    def results(self) -> Sequence[ipw.Widget]:
        """What was written."""
        self._changes = ipw.HTML()
        return [self._changes]

    def update(self) -> None:
        """Read the file again where it is another, or was changed; what the person wrote since is not lost."""
        super().update()
        self._read_if_new()

    def close(self) -> None:
        """What is typed and not saved is kept for the panel that comes after."""
        if self._mark is not None and (typed := self._typed()):
            self._drafts[str(place_of(self._mark[0]))] = typed
        super().close()

    def is_free(self) -> bool:
        """What is being written of one file is not swept away by a choice in another panel."""
        return self._mark is None or not self._typed()

    def file_changed(self) -> None:
        """The fields are of another file; what was typed for the one before comes back with it."""
        if self._mark is not None and (typed := self._typed()):
            self._drafts[str(place_of(self._mark[0]))] = typed
        self.form.control("file").remark("")
        self._said, self._mark, self._changes.value = {}, None, ""
        self._fill({})
        self.forget_told()
        self._read_if_new()

    def begun(self) -> None:
        """What was written before is no answer any more."""
        self._changes.value = ""

    def blocked(self) -> str:
        """What is wrong with where a copy is to be."""
        return super().blocked() or self.save_as.problem()

    def look_again(self) -> None:
        """Also where a copy will be."""
        self.save_as.show(self._usual())
        super().look_again()

    def advice(self) -> str:
        """A file must be chosen, and read."""
        return super().advice() or ("" if self._mark is not None else READING.format("the file is"))

    def run(self) -> Job | str:
        """Write what is changed. Raises: ConfigError: a setting is wrong."""
        settings = self.form.value()
        changed, emptied = self._edits(settings)
        usual = dict.fromkeys(FIELDS, "")
        wanted = settings.changed(**{**usual, **changed}, remove=(*settings.remove, *(FIELDS[name] for name in emptied)))
        if not (changed or wanted.remove or wanted.thumbnail or wanted.save_to):
            return "the file says all of that already; nothing was written."
        self._begun = self.begin(self.stage, wanted)
        return self._begun

    def show_report(self, status: JobStatus) -> None:
        """Which keys have another value now."""
        report = status.report
        if status.state != "done" or not report:
            return
        titles = {key: MetadataSettings.fields()[name].title or name for name, key in FIELDS.items()}
        titles[SPEC[0]] = "Version of ModelSpec"
        titles[KEYS["thumbnail"]] = MetadataSettings.fields()["thumbnail"].title or ""
        rows = [(titles.get(key, key), "written", key) for key in report["changed"]]
        rows += [(titles.get(key, key), "taken out", key) for key in report["removed"]]
        self._changes.value = table(rows, ("What", "", "Its key in the file")) if rows else ""
        how = IN_PLACE if report["in_place"] else ANEW
        count = len(report["changed"]) + len(report["removed"])
        self.done(f"{showing.name_of(report['file'])}: {count} {'entry' if count == 1 else 'entries'} changed. {how}" if count
                  else status.message)
        before = settings_of(self.job, MetadataSettings) if self.job is not None and self.job == self._begun else None
        if before is None:
            return
        self._begun = None
        self._drafts.pop(str(place_of(before.file)), None)
        if place_of(before.file) == place_of(self.file):  # what was typed is written, into this file or into a copy of it
            self._mark = self._asked = None
            self._read_if_new(anew=True)

    def _usual(self) -> Path | None:
        """The file itself; None: none is chosen."""
        return usual_of(lambda: MetadataSettings.make(file=self.file)) if self.file else None

    def _edits(self, settings: MetadataSettings) -> tuple[dict[str, str], list[str]]:
        """Fields that say something else than the file, and those that were emptied."""
        values = {name: str(getattr(settings, name)).strip() for name in FIELDS}
        other = {name: value for name, value in values.items() if value != self._said.get(name, "").strip()}
        return {name: value for name, value in other.items() if value}, [name for name, value in other.items() if not value]

    def _read_if_new(self, anew: bool = False) -> None:
        """Args: anew: also where something was typed: it has just been written."""
        mark = mark_of(self.file)
        if mark is None:
            if self.file and self._asked != (self.file, 0, 0):
                self._asked = (self.file, 0, 0)
                self.fail(DiskError(missing_words(self.file)))
            return
        if mark == self._asked or (not anew and self._mark is not None and self._is_edited()):
            return
        self._asked = mark
        self.loop.beside(lambda: said_by(mark[0]), lambda said, error: self._answer(mark, said, error))

    def _answer(self, mark: Mark, said: Mapping[str, str] | None, error: BaseException | None) -> None:
        if mark[0] != self.file or mark != self._asked:
            return
        if error is not None or said is None:
            self.fail(error or DiskError(f"{mark[0]} could not be read."))
            return
        self._mark, self._said = mark, dict(said)
        self._fill(said)
        draft = self._drafts.pop(str(place_of(mark[0])), {})
        for name, value in draft.items():
            self.form.control(name).write(value)
        self.form.control("file").remark(RESTORED if draft else "")
        self.look_again()

    def _is_edited(self) -> bool:
        return bool(self._typed())

    def _typed(self) -> dict[str, Any]:
        """What stands in the fields and not in the file."""
        texts = {name: self.form.present(name) for name in FIELDS}
        typed = {name: text for name, text in texts.items() if str(text or "").strip() != self._said.get(name, "").strip()}
        return typed | {name: value for name in UNSAID if (value := self.form.present(name))}

    def _fill(self, said: Mapping[str, str]) -> None:
        kept = {"file": self.file or "-"}
        present = MetadataSettings.make(**kept, **{name: said.get(name, "") for name in FIELDS})
        self.form.compare_with(present)
        self.form.fill(present)
        if not kept["file"].strip("-"):
            self.form.control("file").write("")
        picture = said.get("thumbnail", "")
        image = f'<img class="lb-thumbnail" alt="Small picture in the file" src="{html.escape(picture)}">'
        words = '<p class="lb-help">The small picture that is in the file:</p>'
        self._picture.value = words + image if picture.startswith("data:image/") else ""
