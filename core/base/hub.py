"""Hugging Face as both sides know it: addresses of its repositories, and in words why something could not be had from there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from core.base.failures import explain, known_kind
from core.base.paths import hub_folder

HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
REPO_NAME = re.compile(r"[\w.\-]+(?:/[\w.\-]+)?")
WRITTEN_NAME = re.compile(r"(?:[\w\-]+(?:\.[\w\-]+)*/)?[\w\-]+(?:\.[\w\-]+)*", re.ASCII)
"""Of a repository that is written to."""
TROUBLES = {
    "LocalEntryNotFoundError": "it could not be reached",
    "OfflineModeIsEnabled": "it could not be reached",
    "TransportError": "it could not be reached",
    "GatedRepoError": "its makers ask for an account and their consent first",
    "RepositoryNotFoundError": "there is no such repository, or it needs an account",
    "RevisionNotFoundError": "the repository has no such revision",
    "EntryNotFoundError": "the repository lacks a file of such a model",
    "HFValidationError": "that is no name of a repository",
}
"""Kinds of errors by their names, so that the library need not be loaded; the first that fits is said."""
WAY_OUT = "Check the connection, or fetch the model on another machine and give its folder here"


@dataclass(frozen=True)
class RepoAddress:
    """A repository, as an address or its name says."""

    kind: str
    name: str
    revision: str = ""
    only: str = ""
    """A folder or file inside; empty for all."""

    def shown(self) -> str:
        """For the ledger and messages."""
        return f"hf://{self.kind}s/{self.name}"


def read_repo(text: str, kind: str = "model", hosts: Sequence[str] = HUB_HOSTS) -> RepoAddress | None:
    """Read "owner/name", "hf://datasets/owner/name", or an address of the site, also of a folder or file in it; None: it is none of these.

    Args: kind: of a plain name: "model" or "dataset". hosts: the site's own, with their ports.
    """
    words = text.strip().rstrip("/")
    for begin in ("hf://", *(f"{scheme}://{host}/" for scheme in ("https", "http") for host in hosts)):
        if words.lower().startswith(begin):
            words = unquote(urlsplit(f"https://x/{words[len(begin):]}").path[1:])
            kind = {"datasets": "dataset", "models": "model", "spaces": "space"}.get(words.split("/")[0], "model")
            words = re.sub("^(datasets|models|spaces)/", "", words)
            break
    parts = words.split("/")
    name, at, revision = "/".join(parts[:2]).partition("@")
    rest = parts[2:]
    if len(rest) >= 2 and rest[0] in ("tree", "blob", "resolve", "raw", "viewer"):
        revision, rest = (rest[1], rest[2:]) if rest[0] != "viewer" else ("", [])
    if kind == "space" or not REPO_NAME.fullmatch(name) or ".." in name or (at and not revision):
        return None
    return RepoAddress(kind, name, revision, "/".join(rest))


def written_name(value: str, what: str) -> str:
    """owner/name or a name alone of a repository that is written to, also out of its address; empty stays empty.

    Args: what: how it is called in the sentence. Raises: ValueError: it is none.
    """
    value = re.sub(r"^https?://huggingface\.co/", "", value.strip()).removeprefix("datasets/").strip("/")
    if value and not WRITTEN_NAME.fullmatch(value):
        raise ValueError(f"{what} is called owner/name, or a name alone, of letters, digits, '-', '_' and '.'; {value!r} is not.")
    return value


def hub_trouble(error: BaseException) -> str:
    """"it could not be reached": the end of a sentence, without its full stop."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    found = next((words for kind, words in TROUBLES.items() if kind in kinds), "")
    if not found and known_kind(f"{type(error).__name__}: {error}") == "no_network":
        found = TROUBLES["LocalEntryNotFoundError"]
    status = getattr(getattr(error, "response", None), "status_code", None)
    known = explain(error)
    return found or (known[0].rstrip(".") if known else f"it answered with error {status}" if status else type(error).__name__)


def is_fetched(repo_id: str, name: str, download_dir: str = "") -> bool:
    """Whether some version of a repository's file lies on this machine. Args: name: a file, or a pattern such as "*.safetensors"."""
    return any(fetched_files(repo_id, name, download_dir))


def fetched_files(repo_id: str, name: str, download_dir: str = "") -> Iterator[Path]:
    """The versions of a repository's file on this machine. Args: as `is_fetched`. Raises: ConfigError: as `typed_path`."""
    snapshots = hub_folder(download_dir) / f"models--{repo_id.replace('/', '--')}" / "snapshots"
    return snapshots.glob(f"*/{name}")
