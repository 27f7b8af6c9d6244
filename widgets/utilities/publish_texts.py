"""What is written for a publication belongs to its file: another file has its own words, and those of the last job come back."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError
from core.base.jobs import Job, list_jobs
from core.base.paths import place_of
from core.utilities.publishing.settings import PublishSettings
from widgets.form import Form
from widgets.jobs_view import settings_of

OF_FILE = ("further", "name", "description", "trigger", "author", "tags", "base", "base_licence", "licence", "strength", "samples",
           "adults", "repo_id", "pull_request", "existing", "save_to")
"""Fields that hold for one file; the others, such as where to, are a person's habit."""
LATEST = "What you last wrote for this file stands below."
KEPT = "What you wrote for {} is kept with that file."
MOST_JOBS = 100


class PublishTexts:
    """Shows each file's own words in the form.

    Args: place: gives the folder whose jobs are looked through. stages: theirs.
    """

    def __init__(self, form: Form[PublishSettings], place: Callable[[], Path], stages: Collection[str]) -> None:
        self._form, self._place, self._stages = form, place, stages
        self._file, self._drafts, self._read = "", dict[str, dict[str, Any]](), dict[str, PublishSettings | None]()
        self._shown = self._present()

    def follow(self, file: str) -> None:
        """Show what belongs to a file; what was written before one was chosen is meant for it."""
        if file == self._file:
            return
        before, self._file = self._file, file
        typed = self.typed()
        if not before and typed:
            return
        if before and typed:
            self._drafts[str(place_of(before))] = typed
        draft, last = self._drafts.pop(str(place_of(file)), {}) if file else {}, self._last(file) if file else None
        self._show(last, draft)
        kept = KEPT.format(Path(before).name) if typed else ""
        self._form.control("file").remark(LATEST if draft or (last is not None and self._has_words()) else kept)

    def take_up(self, settings: PublishSettings) -> None:
        """Show a job's settings, all of them, where nothing was written for its file since."""
        if self.typed():
            return
        self._file = settings.file
        self._form.fill(settings)
        self._shown = self._present()
        self._form.control("file").remark(LATEST if self._has_words() else "")

    def used(self) -> None:
        """A job was started with what stands in the form: the file has it in the job by now."""
        self._shown = self._present()

    def typed(self) -> dict[str, Any]:
        """What was written for the file since its words were shown or used."""
        return {name: value for name, value in self._changed().items() if name in OF_FILE}

    def is_touched(self) -> bool:
        """Whether anything in the form is another than was shown or used last."""
        return bool(self._changed())

    def _changed(self) -> dict[str, Any]:
        return {name: value for name, value in self._present().items() if _plain(value) != _plain(self._shown[name])}

    def _has_words(self) -> bool:
        return any(_plain(self._form.present(name)) != _plain(_usual(name)) for name in OF_FILE)

    def _present(self) -> dict[str, Any]:
        return {name: self._form.present(name) for name in PublishSettings.fields() if name != "file"}

    def _last(self, file: str) -> PublishSettings | None:
        """What the newest job on a file was started with; None: there was none. Each job's are read once: they stay as they are."""
        jobs = [job for job in list_jobs(self._place()) if any(f"-{stage}" in job.id for stage in self._stages)][:MOST_JOBS]
        found, place = (self._settings_of(job) for job in jobs), place_of(file)
        return next((one for one in found if one is not None and place_of(one.file) == place), None)

    def _settings_of(self, job: Job) -> PublishSettings | None:
        if job.id not in self._read:
            self._read[job.id] = settings_of(job, PublishSettings)
        return self._read[job.id]

    def _show(self, last: PublishSettings | None, draft: dict[str, Any]) -> None:
        """Fill the form. Args: draft: what was written and never used, right or wrong, so each goes into its control."""
        habits = {name: self._form.present(name) for name in PublishSettings.fields() if name not in (*OF_FILE, "file")}
        texts = {name: getattr(last, name) for name in OF_FILE} if last is not None else {}
        file = self._form.present("file")
        try:
            settings = PublishSettings.make(**{**habits, **texts, "file": file or "-"})
        except ConfigError:  # a habit that is wrong is told when it is used; here the usual ones stand in for it
            settings = PublishSettings.make(**{**texts, "file": file or "-"})
        self._form.fill(settings)
        if not file:
            self._form.control("file").write("")
        self._shown = self._present()
        for name, value in draft.items():
            self._form.control(name).write(value)


def _usual(name: str) -> Any:
    return PublishSettings.fields()[name].get_default(call_default_factory=True)


def _plain(value: Any) -> Any:
    """A value as it is compared: a control gives lists where the settings have tuples."""
    return list(value) if isinstance(value, tuple) else value
