"""A LoRA brought to Hugging Face: only what is not there yet, in one commit or one pull request, then looked at whether it is whole.

Large files go to the Hub's storage before the commit, each by itself; what lies there is not sent again, also after a kill
(https://huggingface.co/docs/huggingface_hub/guides/upload#preupload-lfs-files-before-commit). The commit makes them all visible at once.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from core.base.cards import is_ours, split_card
from core.base.errors import ConfigError, require
from core.base.files import read_text, sha256, write_text
from core.base.hub_comparing import Comparison, entries_there
from core.base.hub_writing import CHANGED_MEANWHILE, NEEDED_FOR, PAUSES, HubError, ask_hub, hub_api, open_repository
from core.base.paths import loras_dir
from core.base.progress import Progress
from core.utilities.publishing.card import card_of, samples_on
from core.utilities.publishing.checking import NO_TOKEN
from core.utilities.publishing.release import Release
from core.utilities.publishing.report import FileThere, PublishReport
from core.utilities.publishing.repository import repository_of
from core.utilities.publishing.staging import published_copy, refuse_full_disk, sample_copies, staging

T = TypeVar("T")
README = "README.md"
GO_ON = "Look at the connection and the repository's page, then publish again: what is there already is not sent again."
MADE_BY_THE_HUB = (".gitattributes", README)
"""Files that a new repository may have by itself."""


def publish_on_hub(release: Release, progress: Progress) -> PublishReport:
    """Send it. Raises: ConfigError: the name is taken. HubError: in words. DiskError, Cancelled."""
    refuse_full_disk(release, loras_dir(), whole=False)
    with staging(loras_dir(), progress) as place:
        return _Publication(release, place, progress).run()


class _Publication:
    """One publication on its way."""

    def __init__(self, release: Release, place: Path, progress: Progress) -> None:
        self.release, self.settings, self.place, self.progress = release, release.settings, place, progress
        self._hub = require("huggingface_hub", needed_for=NEEDED_FOR)
        self._api = hub_api(NO_TOKEN)
        self._comparison = Comparison()
        self.title = f"{release.title}: LoRA"

    def run(self) -> PublishReport:
        repo_id, info = self._open()
        copies = self._copies()
        for pause in PAUSES:
            try:
                return self._bring(repo_id, bool(info.private), copies)
            except HubError as error:
                if error.status not in CHANGED_MEANWHILE:
                    raise
            time.sleep(pause)
            self.progress.check()
        return self._bring(repo_id, bool(info.private), copies)

    def _bring(self, repo_id: str, private: bool, copies: Mapping[str, Path]) -> PublishReport:
        """Look at what is there, and send what is not."""
        proposal = self._own_pull_request(repo_id) if self.settings.pull_request else None
        revision = f"refs/pr/{proposal.num}" if proposal is not None else None
        files = {**copies, README: self._new_page(repo_id, revision)}
        old = self._old_samples(files)
        there = entries_there(self._api, repo_id, [*files, *old], self._ask, self.progress, revision=revision)
        different = {name: words for name, path in files.items() if (words := self._comparison.difference(path, there.get(name)))}
        self._refuse_taken(repo_id, different, there, revision)
        self.progress.check()
        old = [name for name in old if name in there]
        address = self._send(repo_id, {name: files[name] for name in different}, old, revision)
        request = address or (str(proposal.url) if proposal is not None else "")
        at = request and f"refs/pr/{request.rstrip('/').rpartition('/')[2]}"
        self._verify(repo_id, files, at or None)
        told = [FileThere(name, path.stat().st_size, sha256(path), "sent" if name in different else "there")
                for name, path in files.items()]
        told += [FileThere(name, 0, "", "removed") for name in old]
        return PublishReport("hub", f"{self._api.endpoint}/{repo_id}", tuple(told), private, request)

    def _open(self) -> tuple[str, Any]:
        """The repository, made where it is not there. A pull request may go to one that everybody sees, or that is somebody else's."""
        wanted = repository_of(self.release)
        if "/" not in wanted:
            wanted = f"{self._ask('The account', self._api.whoami)['name']}/{wanted}"
        look = partial(self._api.repo_info, wanted)
        if self.settings.pull_request and self._ask("The look at the far end", partial(self._api.repo_exists, wanted)):
            return wanted, self._ask(f"The repository {wanted!r}", look)
        repo_id = open_repository(self._api, wanted, self.settings.private, kindly=self._ask)
        return repo_id, self._ask(f"The repository {repo_id!r}", partial(self._api.repo_info, repo_id))

    def _own_pull_request(self, repo_id: str) -> Any:
        """The open pull request of an earlier try; None: there is none."""
        return self._ask("The look at pull requests", partial(self._find_own, repo_id))

    def _find_own(self, repo_id: str) -> Any:
        name = self._api.whoami()["name"]
        wanted = self._api.get_repo_discussions(repo_id, author=name, discussion_type="pull_request", discussion_status="open")
        return next((one for one in wanted if one.title == self.title), None)

    def _copies(self) -> dict[str, Path]:
        """LoRA files and samples as they are published, by their names there."""
        files = {file.name: published_copy(file, self.place, self.progress) for file in self.release.files}
        self._hashes = {name: self.release.first.hashes.sha256 if path == self.release.first.path else sha256(path)
                        for name, path in files.items()}
        return {**files, **sample_copies(self.release, self.place, self.progress)}

    def _new_page(self, repo_id: str, revision: str | None) -> Path:
        """The page, with what somebody wrote into the one that is there."""
        self._before = self._page(repo_id, revision)
        page = self.place / README
        write_text(page, card_of(self.release, repo_id, self._hashes, self._before))
        return page

    def _old_samples(self, files: Mapping[str, Path]) -> list[str]:
        """Our own pictures that the page there shows and the new one does not; none where nothing there may be changed."""
        may = self.settings.existing == "update" or self.settings.pull_request
        return [name for name in samples_on(self._before) if name not in files] if may else []

    def _page(self, repo_id: str, revision: str | None) -> str:
        """The page that is there; empty: there is none."""
        if README not in entries_there(self._api, repo_id, [README], self._ask, self.progress, revision=revision):
            return ""
        fetch = partial(self._api.hf_hub_download, repo_id, README, revision=revision, cache_dir=tempfile.mkdtemp(dir=self.place))
        return read_text(Path(self._ask("The page that is there", fetch)))

    def _refuse_taken(self, repo_id: str, different: Mapping[str, str], there: Mapping[str, Any], revision: str | None) -> None:
        """Raises: ConfigError: something of other content would be written over, or the repository is about something else."""
        if self.settings.existing == "update" or self.settings.pull_request:
            return
        over = [name for name in different if name in there and name != README and not self._is_the_same_lora(name, there[name])]
        info = self._ask("The look at the far end", partial(self._api.repo_info, repo_id, revision=revision))
        others = [one.rfilename for one in info.siblings or () if one.rfilename not in (*MADE_BY_THE_HUB, *there)]
        if over:
            raise ConfigError(f"{repo_id} has another {over[0]} already{f' and {len(over) - 1} more such files' if over[1:] else ''}; "
                              "nothing was sent.", _TAKEN)
        if others and not is_ours(self._before):
            raise ConfigError(f"{repo_id} is there already, with other files, such as {others[0]}; nothing was sent.", _TAKEN)
        if not is_ours(self._before) and split_card(self._before)[1].strip():
            raise ConfigError(f"{repo_id} is there already, with a page that somebody else wrote; nothing was sent.", _TAKEN)

    def _is_the_same_lora(self, name: str, there: Any) -> bool:
        """Whether a file there is one of ours, with the very tensors and other words in its header: our page tells both its hashes."""
        file = next((one for one in self.release.files if one.name == name), None)
        row = next((line for line in self._before.splitlines() if line.startswith(f"| `{name}` |")), "")
        sha256 = there.lfs.sha256 if there.lfs is not None else ""
        return file is not None and is_ours(self._before) and bool(sha256) and f"`{file.hashes.autov3}`" in row and f"`{sha256}`" in row

    def _send(self, repo_id: str, files: Mapping[str, Path], old: Sequence[str], revision: str | None) -> str:
        """Bring the files there, in one commit. Args: old: what goes by it. Returns: the address of a new pull request; empty: none."""
        if not files and not old:
            return ""
        creates = self.settings.pull_request and revision is None
        operations = []
        for name, path in self.progress.track(list(files.items()), "Sending"):
            operation = self._hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(path))
            self._ask(name, partial(self._api.preupload_lfs_files, repo_id, additions=[operation], revision=revision, create_pr=creates,
                                    free_memory=False))
            operations.append(operation)
        return str(self._ask("The commit", self._commit(repo_id, operations, old, revision, creates)) or "")

    def _commit(self, repo_id: str, operations: Sequence[Any], old: Sequence[str], revision: str | None,
                creates: bool) -> Callable[[], Any]:
        """One try after another, where the answer of one before may have been lost though it was done."""
        tried = False

        def commit() -> Any:
            nonlocal tried
            if tried and creates and (own := self._find_own(repo_id)):
                return own.url
            left = [one.path for one in self._api.get_paths_info(repo_id, list(old), revision=revision)] if tried and old else old
            tried = True
            all_of_it = [*operations, *(self._hub.CommitOperationDelete(path_in_repo=name) for name in left)]
            made = self._api.create_commit(repo_id, operations=all_of_it, commit_message=self.title, revision=revision, create_pr=creates)
            return made.pr_url if creates else ""

        return commit

    def _verify(self, repo_id: str, files: Mapping[str, Path], revision: str | None) -> None:
        """Raises: HubError: a file is not there as it is here."""
        wrong: Sequence[str] = ()
        for pause in (*PAUSES, None):
            there = entries_there(self._api, repo_id, list(files), self._ask, self.progress, revision=revision)
            wrong = [f"{name} ({words})" for name, path in files.items() if (words := self._comparison.difference(path, there.get(name)))]
            if not wrong or pause is None:
                break
            time.sleep(pause)
        if wrong:
            raise HubError(f"It was sent, but is not whole at the far end: {'; '.join(wrong[:3])}.", GO_ON)

    def _ask(self, what: str, act: Callable[[], T]) -> T:
        return ask_hub(what, act, self.progress, GO_ON)


_TAKEN = ("Choose another name under Repository, send it as a pull request, or choose 'update' where the name is taken: the history there "
          "keeps what was replaced.")
