"""Sending an export to Hugging Face, as a data set: in commits of bounded size, so that one that was cut off is gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import field_validator

from core.base.errors import ConfigError, DatasetError, require
from core.base.files import read_json, read_text, write_json, write_text
from core.base.hub import written_name
from core.base.hub_comparing import Comparison, entries_there
from core.base.hub_writing import NEEDED_FOR, ask_hub, hub_api, open_repository
from core.base.locks import waited_for
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted
from core.dataset.export.card import card
from core.dataset.export.exporting import LOCK, README, STATISTICS
from core.dataset.export.manifest import Manifest, read_manifest
from core.dataset.export.settings import Layout, export_folder
from core.dataset.project import Project

T = TypeVar("T")
SENT = "pushed.json"
"""In the project's hidden folder: repository → paths of the files that were sent there."""
MOST_FILES, MOST_BYTES = 100, 256 << 20
"""Of one commit."""
NO_TOKEN = "Write one with the right to write into the field Token, or set HF_TOKEN before the notebook is started."
GO_ON = "Look at the connection and the repository's page, then send it again: it goes on where it stopped."


class PushSettings(Settings):
    """Which export is sent, and where to. The token is no setting: it comes from the environment or the panel's hidden field."""

    title = "Send to Hugging Face"

    repo_id: str = setting("", "Data set on Hugging Face", "As owner/name; a name alone is made in your own account. The token comes from "
                           "HF_TOKEN in the environment, or from 'hf auth login'.")
    private: bool = setting(True, "Private repository", "Only you can see it. A repository of that name that everybody can see is refused "
                            "as long as this is on.")
    licence: str = setting("", "Licence", "Hugging Face's short name, such as cc-by-4.0 or cc0-1.0; for its page. Empty: none is named.",
                           pattern=r"^[a-z0-9][a-z0-9.\-]*$|^$")
    about: str = setting("", "About it", "A sentence or two for its page.", max_length=4000)
    layout: Layout = setting("imagefolder", "Layout", "Which export is sent. imagefolder is shown by Hugging Face itself.")
    folder: str = setting("", "Folder of the export", "Where it was written. Empty: in export/ of the project.", level="advanced")

    @field_validator("repo_id")
    @classmethod
    def _is_a_repository(cls, value: str) -> str:
        return written_name(value, "A data set on Hugging Face")


@dataclass
class PushReport:
    """What came of it."""

    repo_id: str
    address: str
    private: bool
    sent: list[str] = field(default_factory=list)
    there: int = 0
    """Files that were there already."""
    removed: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """The result in one line."""
        changed = [f"{counted(len(self.sent), 'file')} sent"] if self.sent else []
        changed += [f"{self.there} there already"] if self.there else []
        changed += [f"{len(self.removed)} taken away there"] if self.removed else []
        return f"The data set is at {self.address} ({'private' if self.private else 'everybody can see it'}): {', '.join(changed)}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"summary": self.sentence(), **vars(self)}


def push_export(project: Project, settings: PushSettings, progress: Progress = SILENT) -> PushReport:
    """Send the files of an export, and what is not in it any more is taken away there, if it was sent from here.

    Raises: ConfigError: no repository is named, or there is no token. DatasetError: there is no export. HubError: in words.
        Cancelled: between two commits; what was sent is there.
    """
    if not settings.repo_id:
        raise ConfigError("No data set on Hugging Face is named.", "Write it as owner/name, or a name alone.")
    root = export_folder(project, settings.layout, settings.folder)
    if settings.layout == "in_place":
        raise ConfigError("An export in place holds no pictures, so there is nothing to send.", "Export for imagefolder first.")
    with waited_for(project.hidden / LOCK, progress, "Waiting for an export"):
        manifest = read_manifest(root)
        if manifest is None or not manifest.files:
            raise DatasetError(f"There is no export in {root} yet.", f"Export for {settings.layout} first.")
        return _Push(project, settings, root, manifest, progress).run()


class _Push:
    """One sending on its way."""

    def __init__(self, project: Project, settings: PushSettings, root: Path, manifest: Manifest, progress: Progress) -> None:
        self.project, self.settings, self.root, self.manifest, self.progress = project, settings, root, manifest, progress
        self._hub = require("huggingface_hub", needed_for=NEEDED_FOR)
        self._api = hub_api(NO_TOKEN)

    def run(self) -> PushReport:
        repo_id = open_repository(self._api, self.settings.repo_id, self.settings.private, "dataset", self._ask)
        report = PushReport(repo_id, f"{self._api.endpoint}/datasets/{repo_id}", self.settings.private)
        missing = self._send(repo_id, report)
        self._take_away(repo_id, report)
        self._note(repo_id, [*self.manifest.files])
        if missing:
            raise DatasetError(f"{counted(len(missing), 'file')} of the export went away, such as {missing[0]}; the others were sent.",
                               "Export again, then send it again.")
        return report

    def _send(self, repo_id: str, report: PushReport) -> list[str]:
        """Send what is not there as it is here. Returns: files of the export that are not on the disk."""
        names = [name for name in sorted(self.manifest.files) if name != README]
        there, comparison = self._there(repo_id, names), Comparison()
        missing = [name for name in names if not (self.root / name).is_file()]
        new = [name for name in names if name not in missing and comparison.difference(self.root / name, there.get(name))]
        report.there = len(names) - len(new) - len(missing)
        self.progress.start("Sending", len(new))
        for batch in self._batches(new):
            operations = [self._hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(self.root / name)) for name in batch]
            self._commit(repo_id, operations, f"{len(batch)} files")
            self._note(repo_id, [*self._noted(repo_id), *batch])
            report.sent += batch
            self.progress.advance(batch[-1], len(batch))
        self._send_card(repo_id, report)
        return missing

    def _send_card(self, repo_id: str, report: PushReport) -> None:
        """The page, unless it is there already."""
        pictures = sum(entry.slot.startswith("picture:") for entry in self.manifest.files.values())
        text = card(_read(self.root / README), _read(self.root / STATISTICS), pictures, self.settings.licence, self.settings.about,
                    self.project.trigger_word)
        page = self.project.hidden / "card.md"
        write_text(page, text)
        if Comparison().difference(page, self._there(repo_id, [README]).get(README)):
            operation = self._hub.CommitOperationAdd(path_in_repo=README, path_or_fileobj=str(page))
            self._commit(repo_id, [operation], "Page of the data set")
            report.sent.append(README)

    def _take_away(self, repo_id: str, report: PushReport) -> None:
        old = [name for name in self._noted(repo_id) if name not in self.manifest.files]
        gone = sorted(self._there(repo_id, old)) if old else []
        for first in range(0, len(gone), MOST_FILES):
            names = gone[first:first + MOST_FILES]
            self._commit(repo_id, [self._hub.CommitOperationDelete(path_in_repo=name) for name in names], f"{len(names)} files taken away")
            report.removed += names

    def _there(self, repo_id: str, names: Sequence[str]) -> dict[str, Any]:
        """What the far end tells of these files."""
        return entries_there(self._api, repo_id, names, self._ask, self.progress, kind="dataset")

    def _batches(self, names: Sequence[str]) -> Iterator[list[str]]:
        batch, size = list[str](), 0
        for name in names:
            more = self.manifest.files[name].size
            if batch and (len(batch) >= MOST_FILES or size + more > MOST_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(name)
            size += more
        if batch:
            yield batch

    def _commit(self, repo_id: str, operations: list[Any], words: str) -> None:
        self._ask("The commit", lambda: self._api.create_commit(repo_id, operations=operations, commit_message=words, repo_type="dataset"))

    def _ask(self, what: str, act: Callable[[], T]) -> T:
        return ask_hub(what, act, self.progress, GO_ON)

    def _noted(self, repo_id: str) -> list[str]:
        return list(_read_sent(self.project).get(repo_id, ()))

    def _note(self, repo_id: str, names: Sequence[str]) -> None:
        """Keep which files were sent, so that none of somebody else's is ever taken away there."""
        sent = {**_read_sent(self.project), repo_id: sorted(dict.fromkeys(names))}
        write_json(self.project.hidden / SENT, sent)


def _read_sent(project: Project) -> Mapping[str, Sequence[str]]:
    try:
        values = read_json(project.hidden / SENT)
    except (DatasetError, OSError):
        return {}
    return values if isinstance(values, dict) else {}


def _read(path: Path) -> str:
    try:
        return read_text(path)
    except OSError:
        return ""
