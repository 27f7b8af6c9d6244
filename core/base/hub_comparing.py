"""Whether a file here is the same as one at the far end, by what Hugging Face tells of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from core.base.files import sha256
from core.base.progress import SILENT, Progress

AT_ONCE = 50
"""Files that the far end is asked about in one request."""


def entries_there(api: Any, repo_id: str, names: Sequence[str], ask: Callable[[str, Callable[[], Any]], Any], progress: Progress = SILENT,
                  kind: str = "model", revision: str | None = None) -> dict[str, Any]:
    """What the far end tells of these files, by their names; those that it does not have are left out.

    Args: ask: as `ask_hub`. kind: "model" or "dataset". revision: a commit or branch; None: the main one.
    Raises: as `ask`. Cancelled: between two requests.
    """
    found: dict[str, Any] = {}
    for first in range(0, len(names), AT_ONCE):
        asked = partial(api.get_paths_info, repo_id, list(names[first:first + AT_ONCE]), revision=revision, repo_type=kind)
        found.update({entry.path: entry for entry in ask("The look at the far end", asked)})
        progress.check()
    return found


class Comparison:
    """Compares files by size and hash; a file is read again only where it was written since."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], str, str]] = {}

    def difference(self, path: Path, there: Any) -> str:
        """What differs, in words; empty: they are the same.

        Args: there: huggingface_hub's RepoFile; None: the repository does not tell of it.
        """
        if there is None or not hasattr(there, "blob_id"):
            return "it is not there"
        try:
            size, own, own_git = self._digest(path)
        except OSError as error:
            return f"it cannot be read here: {error.strerror or error}"
        if there.size != size or (there.lfs is not None and there.lfs.size != size):
            return f"it has {there.size} bytes there, {size} here"
        same = there.lfs.sha256 == own if there.lfs is not None else there.blob_id == own_git
        return "" if same else "its hash is another there"

    def _digest(self, path: Path) -> tuple[int, str, str]:
        """Size, SHA-256 and git's SHA-1 of a file."""
        facts = path.stat()
        mark = (facts.st_size, facts.st_mtime_ns)
        if path not in self._known or self._known[path][0] != mark:
            self._known[path] = (mark, sha256(path), _git_sha1(path, facts.st_size))
        return facts.st_size, *self._known[path][1:]


def _git_sha1(path: Path, size: int) -> str:
    """The name that git gives to a file's content: SHA-1 of "blob SIZE", a zero byte, and the content (git-hash-object(1))."""
    digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
