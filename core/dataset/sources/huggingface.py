"""Images of a Hugging Face repository, fetched one by one as they are imported: files, archives and parquet tables."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import importlib
import os
import re
import shutil
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from core.base.errors import DatasetError, require
from core.base.files import explain_disk_errors, sha256
from core.base.hub import RepoAddress, read_repo
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.dataset.images.files import natural_name_key
from core.dataset.items import Skipped
from core.dataset.sources import CAPTION_SUFFIXES, SourceContent, SourceFile, is_junk, is_table
from core.dataset.sources.archive import ArchiveSource
from core.dataset.sources.download import Listening, download, folder_of
from core.dataset.sources.ledger import fold
from core.dataset.sources.masks import set_masks_apart
from core.dataset.sources.parquet import table_parts
from core.dataset.sources.url import clear_stale

ARCHIVES = re.compile(r"(?i)\.(zip|tar|tgz|tar\.gz|tar\.bz2|tar\.xz|cbz)$")
LARGEST_PICTURE = 512 * 2**20


class HubSettings(Settings):
    """What of a repository is taken."""

    title = "Hugging Face"

    repo_type: Literal["dataset", "model"] = setting(
        "dataset", "Kind of repository", "An address says it by itself. For private ones set HF_TOKEN in the environment.")
    only: str = setting("", "Only these files", "A pattern such as train/*; empty for all.")
    most: int = setting(0, "At most", "Pictures that are fetched; 0 for all.", ge=0, unit="pictures")
    revision: str = setting("", "Revision", "A branch, tag or commit; empty for the newest.", level="advanced")
    image_column: str = setting("", "Column of pictures", "In parquet files; empty finds it.", level="advanced")
    caption_column: str = setting("", "Column of captions", "In parquet files; empty takes text, caption, prompt …", level="advanced")
    max_file: float = setting(20.0, "Largest file", "A larger archive or table is skipped.", gt=0, le=2000, unit="GiB", level="advanced")


def parse_repo(text: str, kind: str = "dataset") -> RepoAddress:
    """Read "owner/name", "hf://datasets/owner/name", or an address of the site, also of a folder or file in it.

    Raises: DatasetError: it is none of these.
    """
    found = read_repo(text, kind)
    if found is None:
        raise DatasetError(f"{text!r} is no data set or model of Hugging Face.", "Give it as owner/name, or copy its address.")
    return found


class HubSource:
    """A data set or model repository, at the commit that it has when the import begins."""

    def __init__(self, location: Path | str, scratch: Path, recursive: bool = True, options: Settings | None = None,
                 progress: Progress = SILENT) -> None:
        self.options = options if isinstance(options, HubSettings) else HubSettings()
        self.address = parse_repo(str(location), self.options.repo_type)
        self.scratch, self.recursive, self.progress = scratch, recursive, progress
        self.place = self.address.shown()
        self.folder = folder_of(scratch, f"{self.place}@{self.options.revision or self.address.revision}")
        self._left = self.options.most or -1
        self._token = ""
        self._goes_on = False  # whether half an archive lies here, which the next import goes on with

    def __enter__(self) -> HubSource:
        clear_stale(self.scratch, self.folder)
        with explain_disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "download.json").touch()  # so that it is taken away when nobody goes on with it
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and not self._goes_on:
            shutil.rmtree(self.folder, ignore_errors=True)

    def parts(self) -> Generator[SourceContent, None, None]:
        """First the pictures that are files, then archive after archive and table after table.

        Raises: DatasetError: there is no such repository, or it may not be read; DiskError; Cancelled.
        """
        commit, files = self._list()
        plain, big = SourceContent(), []
        for file in sorted(files, key=lambda file: natural_name_key(file.path)):
            if not self._is_wanted(file.path):
                continue
            if ARCHIVES.search(file.path) or file.path.lower().endswith(".parquet"):
                big.append(file)
            else:
                plain.add(self._remote(commit, file))
        plain.captions = _beside(plain)
        yield self._cut(plain)
        for file in big:
            if self._left == 0:
                return
            yield from self._of_big(commit, file)

    def _list(self) -> tuple[str, list[Any]]:
        """The commit, and its files. Raises: DatasetError."""
        hub = require("huggingface_hub", needed_for="Reading a Hugging Face repository")
        errors = require("huggingface_hub.errors", needed_for="Reading a Hugging Face repository")
        self._hub, self._token, name = hub, hub.get_token() or "", self.address.name
        api = hub.HfApi(endpoint=self._endpoint(), token=self._token or False)
        revision = self.options.revision or self.address.revision or None
        try:
            info = api.repo_info(name, repo_type=self.address.kind, revision=revision)
            tree = api.list_repo_tree(name, repo_type=self.address.kind, revision=info.sha, recursive=True)
            return info.sha, [entry for entry in tree if hasattr(entry, "size")]
        except errors.GatedRepoError as error:
            raise DatasetError(f"{self.place} asks for consent to its terms first.",
                               "Accept them on its page, and set HF_TOKEN in the environment of this program.") from error
        except errors.RevisionNotFoundError as error:
            raise DatasetError(f"{self.place} has no revision {revision!r}.") from error
        except errors.RepositoryNotFoundError as error:
            known = "The token that is set may not read it." if self._token else "If it is private, set HF_TOKEN in the environment."
            raise DatasetError(f"There is no {self.address.kind} {name!r}, or it is private.",
                               f"Look at its name, and whether it is a dataset or a model. {known}") from error
        except errors.HFValidationError as error:
            raise DatasetError(f"{name!r} is no name of a repository.", "Give it as owner/name.") from error
        except (errors.HfHubHTTPError, errors.OfflineModeIsEnabled, OSError, *_network_errors()) as error:
            raise DatasetError(f"Hugging Face could not be reached for {name!r} ({type(error).__name__}).",
                               "Look at the connection of this machine, or try it later.") from error

    def _endpoint(self) -> str:
        return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")

    def _is_wanted(self, path: str) -> bool:
        inside = not self.address.only or path == self.address.only or path.startswith(f"{self.address.only}/")
        pattern = self.options.only.strip().lstrip("/")
        matches = not pattern or fnmatch.fnmatch(path, pattern) or fnmatch.fnmatch(path, f"{pattern.rstrip('/')}/*") or (
            path.lower().endswith((*CAPTION_SUFFIXES,)) or is_table(path))
        return inside and matches and not is_junk(path) and (self.recursive or "/" not in path)

    def _url(self, commit: str, path: str) -> str:
        return self._hub.hf_hub_url(self.address.name, path, repo_type=self.address.kind, revision=commit, endpoint=self._endpoint())

    def _remote(self, commit: str, file: Any) -> SourceFile:
        """A file that is fetched when it is read. Its content's id in the repository says whether it was imported before."""
        address, progress, token = self._url(commit, file.path), Listening(self.progress), self._token
        key = hashlib.sha256(file.path.encode("utf-8")).hexdigest()[:20]

        def fetch(path: Path) -> None:
            folder = path.with_suffix(".fetched")
            try:
                whole, _ = download(address, folder, LARGEST_PICTURE, progress, token)
                os.replace(whole, path)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

        return SourceFile(file.path, self.folder / f"file-{key}", (file.size, content_number(file)), fetch)

    def _cut(self, content: SourceContent) -> SourceContent:
        """Not more pictures than asked for."""
        set_masks_apart(content)  # they do not count
        if self._left >= 0:
            off = content.images[self._left:]
            content.images = content.images[:self._left]
            self._left -= len(content.images)
            gone = _stems(off) - _stems(content.images)
            content.captions = [file for file in content.captions if fold(file.name.rsplit(".", 1)[0]) not in gone]
        return content

    def _of_big(self, commit: str, file: Any) -> Iterator[SourceContent]:
        """What one archive or table holds; one that cannot be read is skipped with the reason, and asked for again by the next import."""
        done = self.folder / f"done-{content_number(file):x}"
        if done.exists():  # imported whole before the interruption
            known = int(done.read_text(encoding="ascii") or 0)
            self._left = max(0, self._left - known) if self._left >= 0 else self._left
            yield SourceContent(known=known)
            return
        place, count = folder_of(self.folder, file.path), 0
        try:
            whole, _ = download(self._url(commit, file.path), place, int(self.options.max_file * 2**30), self.progress, self._token)
        except DatasetError as error:
            self._goes_on |= (place / "content.part").exists() and (place / "download.json").exists()
            yield _only_skipped(file.path, str(error))
            return
        try:
            for part in self._read(whole, place, file):
                count += len(part.images)
                yield part
                if self._left == 0:
                    return  # there may be more in it
        except DatasetError as error:
            if file.lfs and sha256(whole) != file.lfs.sha256:
                shutil.rmtree(place, ignore_errors=True)  # it came damaged
            yield _only_skipped(file.path, error.message)
            return
        with explain_disk_errors(done):
            done.write_text(str(count), encoding="ascii")
        shutil.rmtree(place, ignore_errors=True)

    def _read(self, whole: Path, place: Path, file: Any) -> Iterator[SourceContent]:
        """The parts of an archive or a table that was fetched. Raises: DatasetError: it cannot be read."""
        if ARCHIVES.search(file.path):
            with ArchiveSource(whole, place / "unpacked", self.recursive, None, self.progress) as archive:
                yield self._cut(archive.content().below(file.path))
            return
        for part in table_parts(whole, file.path, content_number(file), self.options.image_column, self.options.caption_column):
            yield self._cut(part)


def _network_errors() -> tuple[type[Exception], ...]:
    """What the HTTP packages of huggingface_hub 1 and 2 raise when there is no connection."""
    found = []
    for name in ("httpx", "httpx2"):
        with contextlib.suppress(ImportError):
            found.append(importlib.import_module(name).HTTPError)
    return tuple(found)


def content_number(file: Any) -> int:
    """A number that changes with a file's content: the first 60 bits of its hash in the repository."""
    digest = file.lfs.sha256 if file.lfs else file.blob_id
    return int(str(digest)[:15], 16)


def _beside(content: SourceContent) -> list[SourceFile]:
    """The captions that stand beside an image that is taken: no others need be fetched."""
    stems = _stems(content.images)
    return [file for file in content.captions if fold(file.name.rsplit(".", 1)[0]) in stems]


def _stems(images: Sequence[SourceFile]) -> set[str]:
    """How captions of these images are called, without their endings: like "a" and "a.png"."""
    return {fold(name) for file in images for name in (file.name.rsplit(".", 1)[0], file.name)}


def _only_skipped(name: str, reason: str) -> SourceContent:
    return SourceContent(skipped=[Skipped(name, reason)])
