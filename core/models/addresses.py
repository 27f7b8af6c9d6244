"""From what a person writes to the file that is fetched: pages and downloads of Hugging Face and Civitai, and any https address."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from core.base.errors import ConfigError
from core.base.http import host_with_password, shown_address
from core.base.hub import REPO_NAME, read_repo
from core.models.sites import CIVITAI, HUB, Site

WEIGHTS = re.compile(r"(?i)\.(safetensors|sft|ckpt|pt|pth|bin|gguf|onnx)$")
"""Endings of files with weights; any other end of an address of a repository is a folder."""
CIVITAI_DOWNLOAD = re.compile(r"/api/download/models/(\d+)")
CIVITAI_VERSION = re.compile(r"(?:/api/v1)?/model-versions/(\d+)")
CIVITAI_PAGE = re.compile(r"(?:/api/v1)?/models/(\d+)")
CHOOSING = ("type", "format", "size", "fp", "fileId")
"""Fields of a Civitai address that choose among a version's files."""
TOKEN_FIELDS = ("token",)


@dataclass(frozen=True)
class Wanted:
    """What an address means, before anybody was asked."""

    site: Site | None
    """None: any other server."""
    address: str = field(default="", repr=False)
    """Of another server: what is fetched. It may hold a secret and is never shown as it is."""
    token: str = field(default="", repr=False)
    """What stood in the address; empty: the environment may have one."""
    repo: str = ""
    """Hugging Face: "owner/name"."""
    revision: str = ""
    path: str = ""
    """File or folder in the repository; empty: all of it."""
    model: str = ""
    """Civitai: the model's number; its newest version is meant where no other is named."""
    version: str = ""
    choice: tuple[tuple[str, str], ...] = ()
    """Civitai: which of the version's files, as field and value."""

    @property
    def page(self) -> str:
        """Where a person reads of it and accepts a licence; empty: not known."""
        if self.site is HUB:
            return f"{HUB.endpoint}/{self.repo}"
        if self.site is CIVITAI:
            return f"{CIVITAI.endpoint}/{f'models/{self.model}' if self.model else f'model-versions/{self.version}'}"
        return ""

    @property
    def is_file(self) -> bool:
        """Whether a repository's path names a file."""
        return bool(WEIGHTS.search(self.path))


def read_address(text: str, file: str = "") -> Wanted:
    """What is meant. Args: text: an address, or "owner/name" on Hugging Face. file: in a repository; empty: what the address says.

    Raises: ConfigError: it is none of these.
    """
    words = text.strip().strip("\"'<>").strip()
    if not words:
        raise ConfigError("No address is given.", "Choose a model by its name, or write an address: https://… or owner/name.")
    if host := host_with_password(words):
        raise ConfigError(f"The address of {host} holds a password.", "Give it without.")
    try:
        words, token, _ = without_token(words)
        if CIVITAI.has(words):
            return replace(_of_civitai(words), token=token)
        if HUB.has(words) or words.startswith("hf://") or REPO_NAME.fullmatch("/".join(words.split("/")[:2]).partition("@")[0]):
            return replace(_of_hub(words, file), token=token)
        parts = urlsplit(words)
        known = parts.scheme in ("http", "https") and parts.hostname
    except ValueError as error:
        raise ConfigError(f"{words.partition('?')[0]} is no address ({error}).", "It begins with https://.") from error
    if not known:
        raise ConfigError(f"{words.partition('?')[0]} is no address.", "It begins with https://, or is owner/name on Hugging Face.")
    return Wanted(None, words)


def _of_hub(words: str, file: str) -> Wanted:
    found = read_repo(words, hosts=HUB.all_hosts())
    if found is None or "/" not in found.name:
        raise ConfigError(f"{shown_address(words)} is no model of Hugging Face.", "Give it as owner/name, or copy the address of its page.")
    if found.kind != "model":
        raise ConfigError(f"{found.name} is a {found.kind} of Hugging Face, not a model.", "Copy the address of a model.")
    return Wanted(HUB, repo=found.name, revision=found.revision or "main", path=(file.strip().strip("/") or found.only))


def _of_civitai(words: str) -> Wanted:
    parts = urlsplit(words)
    fields = dict(parse_qsl(parts.query))
    choice = tuple((name, fields[name]) for name in CHOOSING if fields.get(name))
    if found := CIVITAI_DOWNLOAD.match(parts.path) or CIVITAI_VERSION.match(parts.path):
        return Wanted(CIVITAI, version=found[1], choice=choice)
    if found := CIVITAI_PAGE.match(parts.path):
        return Wanted(CIVITAI, model=found[1], version=fields.get("modelVersionId", ""), choice=choice)
    raise ConfigError(f"{shown_address(words)} is no model of Civitai.",
                      "Copy the address of a model's page (civitai.com/models/…) or of its download button.")


def without_token(address: str) -> tuple[str, str, Site | None]:
    """An address of a known site without the token that stands in it, the token, and the site. Other addresses come back as they are."""
    try:
        site = next((site for site in (CIVITAI, HUB) if site.has(address.strip())), None)
    except ValueError:
        site = None
    if site is None:
        return address, "", None
    parts = urlsplit(address.strip())
    fields = parse_qsl(parts.query, keep_blank_values=True)
    token = next((value for name, value in fields if name in TOKEN_FIELDS), "")
    kept = urlencode([(name, value) for name, value in fields if name not in TOKEN_FIELDS])
    return urlunsplit(parts._replace(query=kept)) if token else address, token, site
