"""Why a model could not be had, in words: what its site wants, and the next step."""

from __future__ import annotations

import json

from core.base.errors import ModelError
from core.base.http import NotReached, WebError
from core.models.addresses import Wanted
from core.models.sites import CIVITAI, HUB, Site

ELSEWHERE = "Only Hugging Face and Civitai are given a token. Download it in a browser and put it into models/."


class Unreached(ModelError):
    """The site gave no answer at all."""


def refusal(error: WebError, wanted: Wanted, token: bool, what: str) -> ModelError:
    """What is said of a refusal. Args: token: whether one was sent. what: the file or repository that was asked for."""
    if isinstance(error, NotReached):
        return Unreached(error.message, error.hint)
    if error.code in (404, 410):
        return _not_there(error, wanted, token, what)
    if error.code in (401, 403):
        words = {HUB: _hub_denied, CIVITAI: _civitai_denied}.get(wanted.site) if wanted.site else None
        return words(error, wanted, token, what) if words else ModelError(error.message, ELSEWHERE)
    return ModelError(error.message, error.hint)


def page_instead(wanted: Wanted, token: bool, what: str, shown: str, asks_login: bool) -> ModelError:
    """A web page came in place of a file. Args: asks_login: it is the page on which one logs in."""
    if wanted.site is CIVITAI and asks_login:
        return _civitai_denied(WebError("", code=401), wanted, token, what)
    return ModelError(f"{shown} gives a web page, not a model.",
                      "Copy the address of the download itself; of Hugging Face and Civitai the page's own address will do.")


def how_to_give(site: Site) -> str:
    """How a token gets here."""
    return f"make a token at {site.settings}, and write it into Token, or set {site.variable} in the environment before the start"


def _hub_denied(error: WebError, wanted: Wanted, token: bool, what: str) -> ModelError:
    kind, page = error.headers.get("X-Error-Code", ""), wanted.page
    if kind == "RepoNotFound":
        return _not_there(error, wanted, token, what)
    if kind == "GatedRepo" and not token:
        return ModelError(f"The makers of {wanted.repo} ask you to accept their licence first.",
                          f"Open {page}, log in and accept it; then {how_to_give(HUB)}.")
    if kind == "GatedRepo" or (token and error.code == 403):
        return ModelError(f"The account of this token may not read {wanted.repo}: its licence was not accepted there yet, or the token "
                          "does not cover such repositories.",
                          f"Open {page} with the same account and accept the licence; a fine-grained token also needs the right to "
                          f"read public gated repositories ({HUB.settings}).")
    if token:
        return ModelError("Hugging Face does not accept this token: it is mistyped, or was withdrawn.", f"Look at {HUB.settings}.")
    return ModelError(f"{wanted.repo} is only for those who log in.", f"Open {page}; then {how_to_give(HUB)}.")


def _civitai_denied(error: WebError, wanted: Wanted, token: bool, what: str) -> ModelError:
    said = _said(error)
    if "early access" in said.lower():
        return ModelError(f"{what} is in early access on Civitai: only those who bought it may download it yet.",
                          "Wait until it is free, or choose another version.")
    if token:
        return ModelError(f"Civitai does not let the account of this token download {what}." + (f" It says: {said}" if said else ""),
                          f"Look whether the token is still there ({CIVITAI.settings}), and whether the page offers the download to you.")
    return ModelError(f"Civitai gives {what} only to those who log in.", f"To get it, {how_to_give(CIVITAI)}.")


def _not_there(error: WebError, wanted: Wanted, token: bool, what: str) -> ModelError:
    if wanted.site is HUB:
        kind = error.headers.get("X-Error-Code", "")
        if kind == "EntryNotFound":
            return ModelError(f"{wanted.repo} has no file {wanted.path} (revision {wanted.revision}).",
                              f"Look at {HUB.endpoint}/{wanted.repo}/tree/{wanted.revision} for its name.")
        if kind == "RevisionNotFound":
            return ModelError(f"{wanted.repo} has no revision {wanted.revision}.", "Leave it out of the address for the newest.")
        private = "" if token else f" If it is private, {how_to_give(HUB)}."
        return ModelError(f"There is no {wanted.repo} on Hugging Face, or it is private.", f"Look at its name.{private}")
    if wanted.site is CIVITAI:
        return ModelError(f"Civitai has no {what} (any more).", "Look at its page; the maker may have taken it down.")
    return ModelError(error.message, error.hint)


def _said(error: WebError) -> str:
    """The sentence in a refusal of Civitai, {"error": "Unauthorized", "message": "The creator of this …"}; empty where there is none."""
    try:
        value = json.loads(error.body)
    except ValueError:
        return ""
    found = value.get("message") or value.get("error") if isinstance(value, dict) else ""
    return str(found)[:200] if isinstance(found, str) else ""
