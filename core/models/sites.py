"""Hugging Face and Civitai: where they are, and which token is theirs. A token never leaves for anywhere else."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from core.base.hub import HUB_HOSTS
from core.setup.doctor import TOKENS


@dataclass(frozen=True)
class Site:
    """A place that publishes models."""

    title: str
    home: str
    hosts: tuple[str, ...]
    """How its addresses are written; all are read at `endpoint`."""
    endpoint_variable: str
    """Variable of the environment that names another server of the same kind (a mirror)."""
    settings: str
    """Page on which a person makes a token."""

    @property
    def endpoint(self) -> str:
        """Where it is asked, without a slash at its end."""
        return (os.environ.get(self.endpoint_variable) or self.home).rstrip("/")

    def all_hosts(self) -> tuple[str, ...]:
        """Its hosts and its endpoint's, in small letters, with their ports."""
        return (*self.hosts, urlsplit(self.endpoint).netloc.lower())

    def has(self, address: str) -> bool:
        """Whether an address is one of this site's."""
        return urlsplit(address).netloc.lower() in self.all_hosts()

    @property
    def variable(self) -> str:
        """Name of the variable that holds its token."""
        return TOKENS[self.title][0]


HUB = Site("Hugging Face", "https://huggingface.co", HUB_HOSTS, "HF_ENDPOINT", "https://huggingface.co/settings/tokens")
CIVITAI = Site("Civitai", "https://civitai.com", ("civitai.com", "www.civitai.com"), "CIVITAI_ENDPOINT",
               "https://civitai.com/user/account")
SITES = (HUB, CIVITAI)


def token_of(site: Site | None, environ: Mapping[str, str] | None = None) -> str:
    """The site's token, from the environment or, for Hugging Face, from `hf auth login`; empty where there is none, where the site is
    none of ours, and where it would travel unencrypted."""
    if site is None or not _is_safe(site.endpoint):
        return ""
    given = os.environ if environ is None else environ
    found = next((given[name] for name in TOKENS[site.title] if given.get(name)), "")
    return (found or (_stored_token(given) if site is HUB else "")).strip()


def _is_safe(address: str) -> bool:
    """Whether nobody on the way can read what is sent there: https, or this very machine."""
    parts = urlsplit(address)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _stored_token(environ: Mapping[str, str]) -> str:
    """Source: huggingface_hub's constants.HF_TOKEN_PATH."""
    home = Path(environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    try:
        return Path(environ.get("HF_TOKEN_PATH") or home / "token").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
