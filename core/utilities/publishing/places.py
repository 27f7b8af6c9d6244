"""Places on a disk in ordinary text: where one begins and ends, and what of it may be told.

What stands before a last slash goes, the last part stays; of a folder that bears a person's name, or a computer's, nothing does.
No blank stands beside a slash of a place: "red hair / blue eyes" and "Fate / Stay / Night" are words. Addresses on the web are no places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

GONE = "[removed]"
ENDINGS = ("safetensors", "ckpt", "pt", "pth", "bin", "gguf", "onnx", "txt", "json", "jsonl", "toml", "yaml", "yml", "csv", "caption",
           "npz", "png", "jpg", "jpeg", "webp", "bmp", "gif", "zip", "py", "sh", "log", "mp4", "exe")
"""Of files: with one of them a place ends."""
How = Literal["person", "sure", "maybe"]
"""person: of somebody's own folder. sure: a place on a disk. maybe: what might also be words."""


@dataclass(frozen=True)
class Place:
    """One place in a text."""

    begin: int
    end: int
    left: str
    """What may be told in its stead; empty: its last part stands right behind it."""
    shown: str
    """All of it."""
    how: How


_S = r"(?:\\+|/+)"
"""A slash of either kind; JSON and Python write a backslash twice."""
_BEFORE = r"(?P<before>[\w.\-]{1,64}@[\w.\-]{1,255}:|file:/*(?=/|[A-Za-z]:)|\\{2,4}[?.]\\+)?"
"""What belongs to a place though it stands before its root: somebody's account on a computer, file://, Windows' own \\\\?\\."""
_FREE = r"(?:(?<![\w./\\])|(?<=-\w)(?<=[\s\"'=]-\w)|(?<=^-\w))"
_ROOTS = {
    # Somebody's home, whatever stands before it.
    "home": rf"{_FREE}/+(?:export/|mnt/\w+/|data\d*/)?homes?/+|(?:^|(?<=[\"']))home/+(?=[^\s/]+/[^\s/])|/+home/+(?=[^/\s]+/[^/\s]+/)",
    "users": rf"(?:/(?:mnt|cygdrive)/[a-z])?(?<![A-Za-z]{{2}})(?:/[a-z](?=/Users/))?/+Users/+"
             rf"|(?:[A-Za-z]:)?{_S}(?i:Users|Documents and Settings)\\+|[A-Za-z]:/+(?i:Users)/+|(?<![\w/\\])Users\\+",
    "wsl": r"\\{2,4}wsl(?:\$|\.localhost)\\+[^\\/\"]+\\+home\\+",
    "disk": rf"{_FREE}/+(?:Volumes|mnt)/+",
    "media": rf"{_FREE}/+(?:run/+)?media/+(?=[^\s,])",
    # A computer in the network; the name of what it shares may be a person's.
    "share": r"(?<![\w\\])\\{2,4}[\w.\-$]{2,}\\+|(?<![\w:/\\<])//[\w.\-]{2,}/+(?=[^\s/])"
             r"|\b(?:smb|cifs|nfs|afp|s?ftp|ftps|ssh|scp|rsync|davs?|webdavs?|s3|gs|gcs|b2|r2)://[^\s/\"'<>]*/+",
    # Without a name that is known to be one.
    "drive": r"(?<!\w)[A-Za-z]:(?:\\+|/(?!/))(?=[\w.\-$~\[])",
    "own": r"(?<![\w./:~<\\])~(?:[A-Za-z][\w.\-]*)?[\\/]+(?=[^\s,/\\])|%[A-Za-z_]{3,}%[\\/]+(?=[^\s,])"
           r"|\$(?:env:\w+|\{?[A-Z_]{3,}\}?)[\\/]+(?=[^\s,])",
    "up": r"(?<![\w./\\])\.{1,2}[\\/]+(?=[^\s\\/]+[\\/]+[^\s\\/])",
    "any": r"(?<![\w\\/.~<>)\]}*%#&])(?<!\]\()/(?=[\w.@+\-]*[^\W\d_])(?:(?=[\w.@+\-]{2,}/+[^\s/,])|(?=[\w.@+\-]+/[\w.@+\-]+/+[^\s/,]))",
    "relative": rf"(?:^|(?<=[\"']))(?=[^\n:\"'<>|*?]*\.(?:{'|'.join(ENDINGS)})(?:[\"']|$))\w[^\\/]*\\+",
    "whole": r"^/(?=[^\s,/\\:\"<>|]+(?: [^\s,/\\:\"<>|]+)*/[^\s,/\\:\"<>|])",
}
"""How a place begins, by its kind; the first that fits is meant."""
NAMES = {"home": 1, "users": 1, "wsl": 1, "disk": 1, "media": 2, "share": 1}
"""How many parts behind such a root are names that must not stay, even as the last."""
ROOT = re.compile(_BEFORE + "(?:" + "|".join(f"(?P<{name}>{words})" for name, words in _ROOTS.items()) + ")")
_LETTER = r"[^\\/:*?\"<>|`\r\n]"
_IN_DIRS = rf"(?:(?!\.(?:{'|'.join(ENDINGS)})(?![\w.\\/])|\s--?[A-Za-z]|(?:\s|[;,]\s*)(?:[A-Za-z]:[\\/]|[~/])){_LETTER})"
DIRS = re.compile(rf"(?:(?!\s){_IN_DIRS}+(?<!\s)[\\/]+)*")
LAST = re.compile(rf"(?:(?!\s--?[A-Za-z]|(?:\s|[;,]\s*)(?:[A-Za-z]:[\\/]|[~/])){_LETTER})*")
IS_FILE = re.compile(rf"[^\\/]*?\.(?:{'|'.join(ENDINGS)})\b", re.IGNORECASE)
WEB = re.compile(r"\b(?:https?|hf|git|wss?)://[^\s\"'<>|=]*", re.IGNORECASE)
CLOSING = {"'": "'", "(": ")", "[": "]", "{": "}"}


def places_in(text: str) -> Iterator[Place]:
    """The places in a text, one after another."""
    at, web = 0, [found.span() for found in WEB.finditer(text)]
    while found := ROOT.search(text, at):
        if address := next((span for span in web if span[0] <= found.start() < span[1]), None):
            at = address[1]
            continue
        place = _place(text, found)
        yield place
        at = max(place.end, found.end())


def without_places(text: str, hows: tuple[How, ...] = ("person", "sure", "maybe")) -> str:
    """The text with only the last part of each place. Args: hows: of which places."""
    parts, at = [], 0
    for place in places_in(text):
        if place.how in hows:
            parts += [text[at:place.begin], place.left]
            at = place.end
    return "".join(parts) + text[at:]


def _place(text: str, found: re.Match[str]) -> Place:
    kind = next(name for name in _ROOTS if found[name] is not None)
    limit = _closed(text, found.start())
    dirs = DIRS.match(text, found.end(), limit)
    last = LAST.match(text, dirs.end() if dirs is not None else found.end(), limit)
    assert dirs is not None and last is not None
    depth = len(re.findall(r"[\\/]+", dirs[0]))
    how: How = "maybe" if kind in ("any", "up", "relative", "whole") else "person" if kind in NAMES else "sure"
    stays = last[0].strip() and (depth >= NAMES.get(kind, 0) or IS_FILE.match(last[0]))
    begin, end = found.start(), last.end()
    return Place(begin, last.start() if stays else end, "" if stays else GONE, text[begin:end].strip(), how)


def _closed(text: str, begin: int) -> int:
    """Where the bracket or quote ends that opens right before a place; else the end of the text."""
    opening = text[begin - 1:begin]
    closing = CLOSING.get(opening)
    if closing is None:
        return len(text)
    depth = 1
    for at in range(begin, min(len(text), begin + 4096)):
        depth += (text[at] == opening != closing) - (text[at] == closing)
        if depth == 0:
            return at
    return len(text)
