"""Why something could not be had from Hugging Face, in words of our own: its library's are for programmers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.base.failures import explain, known_kind
from core.base.paths import hub_folder

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
