"""Uploading a run's files to Hugging Face, and looking at the far end whether each of them is there as it is here.

The upload itself is huggingface_hub's. What counts is the second look: size and SHA-256 (of small text files, which the Hub keeps in git
itself, git's own SHA-1) are asked from the repository at the commit that was made, and compared with the file on this disk.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from core.base.errors import TrainingError, require
from core.base.hub_comparing import Comparison, entries_there
from core.base.hub_writing import NEEDED_FOR, HubError, ask_hub, hub_api, open_repository
from core.base.progress import SILENT, Progress
from core.training.finish.clock import rest
from core.training.finish.files import name_at_far_end
from core.training.finish.settings import FinishSettings
from core.training.finish.status import FileReport
from core.training.run import Run

T = TypeVar("T")
Tell = Callable[[Sequence[FileReport]], None]
PAUSES = (5.0, 20.0)
"""Seconds before the second and the third look at the far end."""
AGAIN = "Look at the connection and the repository's page, then finish the run again."


@dataclass(frozen=True)
class FarEnd:
    """What was uploaded, and where it is."""

    repo_id: str
    commit: str
    """The commit that is looked at; empty: nothing was committed."""
    files: tuple[FileReport, ...]

    @property
    def all_verified(self) -> bool:
        """Whether something was uploaded, and every file of it was found at the far end as it is here."""
        return bool(self.commit and self.files) and all(file.state == "verified" for file in self.files)

    def trouble(self) -> str:
        """The first files that are not verified, in words; empty: all are."""
        wrong = [f"{file.name} ({file.words or file.state})" for file in self.files if file.state != "verified"]
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        return "; ".join(wrong[:3]) + more


class Uploader:
    """One repository at the far end.

    Args: run, settings: whose files, and where to. progress: asked for a cancel between two files.
    Raises: ConfigError: there is no token. MissingDependency: huggingface_hub is not installed.
    """

    def __init__(self, run: Run, settings: FinishSettings, progress: Progress = SILENT) -> None:
        self.run, self.settings, self.progress = run, settings, progress
        self._hub = require("huggingface_hub", needed_for=NEEDED_FOR)
        self._api = hub_api()
        self._comparison = Comparison()

    def open_repository(self) -> str:
        """Make the repository, or find it. Returns: owner/name. Raises: TrainingError: it cannot be written, or everybody could see it."""
        with of_this_side():
            return open_repository(self._api, self.settings.repo_id, self.settings.private,
                                   kindly=lambda what, act: kindly(what, act, self.progress))

    def upload(self, files: Sequence[Path], tell: Tell = lambda files: None) -> FarEnd:
        """Bring the files there, in one commit.

        Returns: where they are, none of them verified yet; a file that could not be brought says why.
        Raises: TrainingError: the repository or the commit failed. Cancelled: between two files.
        """
        repo_id = self.open_repository()
        reports = [FileReport(name_at_far_end(path, self.run, self.settings), path.stat().st_size) for path in files]
        operations = []
        for number, path in enumerate(self.progress.track(files, "Uploading")):
            reports[number] = replace(reports[number], state="uploading")
            tell(reports)
            operation = self._hub.CommitOperationAdd(path_in_repo=reports[number].name, path_or_fileobj=str(path))
            try:
                kindly(path.name, partial(self._api.preupload_lfs_files, repo_id, additions=[operation]), self.progress)
            except TrainingError as error:
                reports[number] = replace(reports[number], state="failed", words=str(error))
            else:
                operations.append(operation)
                reports[number] = replace(reports[number], state="uploaded")
            tell(reports)
        commit = self._commit(repo_id, operations) if operations else ""
        return FarEnd(repo_id, commit, tuple(reports))

    def verify(self, there: FarEnd, files: Sequence[Path]) -> FarEnd:
        """Compare what lies at the far end with the files here; what is wrong there is looked at again in a while.

        Returns: the same with what was found. Raises: TrainingError: the far end could not be asked. Cancelled.
        """
        for pause in PAUSES:
            found = self._look(there, files)
            if not any(file.state == "wrong" for file in found.files):
                return found
            rest(pause)
        return self._look(there, files)

    def _look(self, there: FarEnd, files: Sequence[Path]) -> FarEnd:
        names = [file.name for file in there.files]
        found = entries_there(self._api, there.repo_id, names, lambda what, act: kindly(what, act, self.progress), self.progress,
                              revision=there.commit) if there.commit else {}
        reports = tuple(self._compared(report, path, found.get(report.name))
                        for report, path in zip(there.files, files, strict=True))
        return replace(there, files=reports)

    def _commit(self, repo_id: str, operations: list[Any]) -> str:
        words = f"{self.run.output_name} of the run {self.run.id}"
        made = kindly("The commit", lambda: self._api.create_commit(repo_id, operations=operations, commit_message=words), self.progress)
        return str(made.oid)

    def _compared(self, report: FileReport, path: Path, there: Any) -> FileReport:
        """One file: here, and as the far end tells of it."""
        if report.state == "failed":
            return report
        wrong = self._comparison.difference(path, there)
        return replace(report, state="wrong" if wrong else "verified", words=wrong)


def kindly(what: str, act: Callable[[], T], progress: Progress = SILENT) -> T:
    """Ask Hugging Face, again where the network or the far end failed for a while.

    Args: what: the beginning of the sentence, where it fails.
    Raises: TrainingError: in words. Cancelled: between two tries.
    """
    with of_this_side():
        return ask_hub(what, act, progress, AGAIN, rest)


@contextlib.contextmanager
def of_this_side() -> Iterator[None]:
    """What Hugging Face refuses is an error of the training side. Raises: TrainingError."""
    try:
        yield
    except HubError as error:
        raise TrainingError(error.message, error.hint) from error
