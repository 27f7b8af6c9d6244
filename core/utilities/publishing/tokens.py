"""Tokens and passwords in ordinary text: those that are known by their form, and those that stand behind a word for one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.utilities.publishing.places import GONE

_FORMS = (r"hf_[A-Za-z0-9]{16,}", r"civitai_[A-Za-z0-9]{16,}", r"civ_[A-Za-z0-9]{16,}", r"gh[opsur]_[A-Za-z0-9]{20,}",
          r"github_pat_\w{20,}", r"glpat-[\w\-]{16,}", r"r8_[A-Za-z0-9]{20,}", r"rpa_[A-Za-z0-9]{20,}", r"sk-[A-Za-z0-9_\-]{20,}",
          r"AIza[\w\-]{30,}", r"(?:AKIA|ASIA)[0-9A-Z]{16}", r"gsk_[A-Za-z0-9]{20,}", r"nvapi-[\w\-]{20,}", r"xox[abprs]-[\w\-]{10,}",
          r"eyJ[\w\-]{10,}\.eyJ[\w\-]{10,}\.[\w\-]+")
"""Of Hugging Face, Civitai, GitHub, GitLab, Replicate, RunPod, OpenAI, Google, Amazon, Groq, NVIDIA, Slack, and web tokens."""
_KEY = r"(?i:(?:api|wandb|access|secret|private)[_\- ]?key)[\"']?(?:\s*[=:]\s*|\s+)[\"']?(?P<key>[A-Za-z0-9_\-]{12,})"
_WORD = (r"(?i:(?:(?<!trigger)(?<!class)(?<!instance)(?<!initializer)(?<!placeholder)(?<!keep)(?<!special)[_\-]|(?<![\w\-]))"
         r"(?:token|secret|password|passwd))[\"']?\s*[=:]\s*[\"']?(?P<word>(?=(?:[A-Za-z_\-]*[0-9]){2})[A-Za-z0-9_\-]{12,})")
"""Words behind it, such as a trigger's, are none: a token has digits."""
_BEARER = r"\b(?i:bearer)\s+(?P<bearer>(?=[A-Za-z_\-.]*[0-9])[\w\-.=]{16,})"
_IN_ADDRESS = r"(?<=://)(?P<address>[^\s/@:\"'<>]{1,256}:[^\s/@\"'<>]{1,256})(?=@)"
TOKEN = re.compile(rf"\b(?:{'|'.join(_FORMS)})|{_KEY}|{_WORD}|{_BEARER}|{_IN_ADDRESS}")


def tokens_in(text: str) -> Iterator[str]:
    """The tokens in a text, one after another."""
    for found in TOKEN.finditer(text):
        yield found[_group(found)]


def without_tokens(text: str) -> str:
    """The text without them; the words before them stay."""
    parts, at = [], 0
    for found in TOKEN.finditer(text):
        begin, end = found.span(_group(found))
        parts += [text[at:begin], GONE]
        at = end
    return "".join(parts) + text[at:]


def _group(found: re.Match[str]) -> int | str:
    return next((name for name, value in found.groupdict().items() if value), 0)
