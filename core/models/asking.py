"""Asking Hugging Face and Civitai what a file is called, how large it is, and which SHA-256 they publish for it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from core.base.errors import ConfigError, ModelError
from core.base.http import LOST, WebError, opened, pause, read_block, reason_of, safe_name, shown_address
from core.base.progress import Progress
from core.base.words import told_size
from core.models.addresses import WEIGHTS, Wanted
from core.models.refusals import Unreached, refusal
from core.models.sites import CIVITAI, HUB, token_of

SHA256 = re.compile(r"[0-9a-f]{64}")
MOST_JSON = 32 * 2**20
TRIES = 5
"""Times that a site which is busy or was lost is asked."""
SHOWN = 8
"""Files of a repository that are named."""


@dataclass(frozen=True)
class Source:
    """A file to fetch, and what is published about it."""

    wanted: Wanted
    address: str
    """Asked for with the site's token; never shown as it is where it is none of the known sites."""
    what: str
    """For messages: "sd_xl_base_1.0.safetensors of stabilityai/stable-diffusion-xl-base-1.0"."""
    name: str = ""
    """File name as published; empty: the server will say."""
    sha256: str = ""
    """Hex; empty: none is published."""
    size: int = -1
    """Bytes; -1: the server will say."""
    base_model: str = ""
    """What the site says that it was made of, such as "Illustrious"."""

    @property
    def token(self) -> str:
        """The token of its site; read anew each time and kept nowhere."""
        return token_for(self.wanted)


def token_for(wanted: Wanted) -> str:
    """The token that stood in the address, else its site's; empty where it has none."""
    return wanted.token or token_of(wanted.site)


def find_source(wanted: Wanted, progress: Progress) -> Source:
    """What is published about a file. Raises: ModelError: it is not there, may not be read, or its site was not reached; Cancelled."""
    if wanted.site is HUB:
        return _on_hub(wanted if wanted.is_file else _chosen(wanted, progress), progress)
    if wanted.site is CIVITAI:
        return _on_civitai(wanted, progress)
    return Source(wanted, wanted.address, shown_address(wanted.address))


def ask(address: str, wanted: Wanted, what: str, progress: Progress, method: str = "GET",
        away: bool = True) -> tuple[Mapping[str, str], bytes]:
    """One small answer: its headers and, for GET, its body. Raises: ModelError, Cancelled."""
    token = token_for(wanted)
    for number in range(TRIES):
        try:
            with opened(address, token=token, method=method, away=away) as answer:
                return answer.headers, b"" if method == "HEAD" else read_block(answer, MOST_JSON)
        except WebError as error:
            raise refusal(error, wanted, bool(token), what) from error
        except LOST as error:
            last = error
        if number < TRIES - 1:
            pause(2.0 ** number / 4, progress)
    title = wanted.site.title if wanted.site else "the server"
    raise Unreached(f"{title} did not answer about {what} ({reason_of(last)}).", "Run it again later.") from last


def _on_hub(wanted: Wanted, progress: Progress) -> Source:
    """A HEAD tells name, size and, of large files, SHA-256. Source: huggingface_hub's get_hf_file_metadata."""
    address = f"{HUB.endpoint}/{wanted.repo}/resolve/{quote(wanted.revision, safe='')}/{quote(wanted.path)}"
    name = wanted.path.rsplit("/", 1)[-1]
    what = f"{name} of {wanted.repo}"
    headers, _ = ask(address, wanted, what, progress, "HEAD", away=False)
    tag, size = headers.get("X-Linked-Etag", "").strip('"'), headers.get("X-Linked-Size", "")
    return Source(wanted, address, what, safe_name(name), tag if SHA256.fullmatch(tag) else "", int(size) if size.isdecimal() else -1)


def files_of(wanted: Wanted, progress: Progress, all_folders: bool = False) -> list[tuple[str, int]]:
    """Path and bytes of each file in a repository of Hugging Face, or a folder of it. Raises: ModelError, Cancelled."""
    place = f"/{quote(wanted.path)}" if wanted.path else ""
    more = "?recursive=true" if all_folders else ""
    address = f"{HUB.endpoint}/api/models/{wanted.repo}/tree/{quote(wanted.revision, safe='')}{place}{more}"
    shown = f"{wanted.repo}/{wanted.path}".rstrip("/")
    entries = _list(_json(ask(address, wanted, shown, progress)[1], shown), shown)
    return [(str(entry.get("path", "")), int(entry.get("size") or 0)) for entry in entries if entry.get("type") == "file"]


def read_small(wanted: Wanted, progress: Progress) -> bytes:
    """What a small file of a repository holds, up to 32 MiB. Raises: ModelError, Cancelled."""
    address = f"{HUB.endpoint}/{wanted.repo}/resolve/{quote(wanted.revision, safe='')}/{quote(wanted.path)}"
    return ask(address, wanted, f"{wanted.path} of {wanted.repo}", progress)[1]


def _chosen(wanted: Wanted, progress: Progress) -> Wanted:
    """The one file with weights in a repository or folder. Raises: ModelError: there is none; ConfigError: there are several."""
    shown = f"{wanted.repo}/{wanted.path}".rstrip("/")
    weights = [file for file in files_of(wanted, progress) if WEIGHTS.search(file[0])]
    found = [file for file in weights if file[0].endswith(".safetensors")] or weights
    if not found:
        raise ModelError(f"{shown} has no file with a model's weights on Hugging Face.",
                         "Where they lie in a folder of it, write the address of that folder or file.")
    if len(found) > 1:
        names = ", ".join(f"{path} ({told_size(size)})" for path, size in found[:SHOWN]) + (" …" if len(found) > SHOWN else "")
        raise ConfigError(f"{shown} has {len(found)} files with weights: {names}.", "Write the one you mean into File in the repository.")
    return replace(wanted, path=found[0][0])


def _on_civitai(wanted: Wanted, progress: Progress) -> Source:
    """The version's file as its API tells it. Source: Civitai's REST API, /api/v1/model-versions and /api/v1/models."""
    what = f"version {wanted.version}" if wanted.version else f"model {wanted.model}"
    version = wanted.version or _newest(wanted, what, progress)
    facts = _json(ask(f"{CIVITAI.endpoint}/api/v1/model-versions/{version}", wanted, what, progress)[1], what)
    file = _file_of(facts, wanted, what)
    name = str(file.get("name") or "")
    digest = str((file.get("hashes") or {}).get("SHA256") or "").lower()
    query = urlencode(wanted.choice)
    address = f"{CIVITAI.endpoint}/api/download/models/{version}{f'?{query}' if query else ''}"
    return Source(wanted, address, name or what, safe_name(name) if name else "", digest if SHA256.fullmatch(digest) else "",
                  base_model=str(facts.get("baseModel") or ""))


def _newest(wanted: Wanted, what: str, progress: Progress) -> str:
    facts = _json(ask(f"{CIVITAI.endpoint}/api/v1/models/{wanted.model}", wanted, what, progress)[1], what)
    versions = facts.get("modelVersions")
    if not isinstance(versions, list) or not versions or not isinstance(versions[0], dict):
        raise ModelError(f"Civitai has no version of {what} to download.", "Look at its page.")
    return str(versions[0].get("id"))


def _file_of(facts: dict[str, Any], wanted: Wanted, what: str) -> dict[str, Any]:
    """The file that the address chooses, else the main one. Raises: ModelError: there is none."""
    files = [file for file in facts.get("files") or [] if isinstance(file, dict)]
    if not files:
        raise ModelError(f"Civitai has no file of {what}.", "Look at its page.")
    for file in files:
        more = file.get("metadata") or {}
        told = {"type": file.get("type"), "fileId": file.get("id"), **{name: more.get(name) for name in ("format", "size", "fp")}}
        if wanted.choice and all(str(told.get(name)).lower() == value.lower() for name, value in wanted.choice):
            return file
    return next((file for file in files if file.get("primary")), files[0])


def _json(data: bytes, what: str) -> Any:
    """Raises: ModelError: it is no JSON."""
    try:
        return json.loads(data)
    except ValueError as error:
        raise ModelError(f"What is said about {what} cannot be read.", "Run it again later.") from error


def _list(value: Any, what: str) -> list[dict[str, Any]]:
    """Raises: ModelError: it is no list."""
    if not isinstance(value, list):
        raise ModelError(f"What is said about the files of {what} cannot be read.", "Run it again later.")
    return [entry for entry in value if isinstance(entry, dict)]
