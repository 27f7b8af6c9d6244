"""Asking a server for a file by http or https: one rule for tokens and redirects, for names, refusals and free space.

What imports pictures and what fetches models stand on it; each says what went wrong in the errors of its own side.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from core.base.errors import DiskError, StudioError
from core.base.files import safe_stem
from core.base.progress import Progress

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as lost."""
SPARE = 256 * 2**20
"""Bytes that must stay free on the disk."""
SECRET = re.compile(r"(?i)token|key|secret|sig|pass|pwd|auth|credential|cookie|session|policy|jwt|hmac|bearer|ticket|otp|"
                    r"(^|[_-])code$|^(st|se|sid|hm)$")
"""Names of query fields whose values are never shown."""
LOST = (http.client.HTTPException, ConnectionError, TimeoutError)
"""What is tried again."""
MOVED = (301, 302, 303, 307, 308)
LONGEST_ENDING = 12
"""Letters of a file's ending: ".safetensors" has eleven."""
SAID = 2000
"""Bytes of a refusal that are read, for the reason in it."""


class WebError(StudioError):
    """An address could not be read: it is none, it was not reached, or its server said no.

    Args:
        code: the status that the server answered with; 0: it gave none.
        headers: of that answer. body: how it begins.
    """

    def __init__(self, message: str, hint: str = "", code: int = 0, headers: Message | None = None, body: bytes = b"") -> None:
        super().__init__(message, hint)
        self.code, self.headers, self.body = code, headers if headers is not None else Message(), body


class NotReached(WebError):
    """A server gave no answer at all: there is no such host, or no way to it."""


def shown_address(address: str) -> str:
    """The address without password and without the values of secret query fields: for messages, logs and what is kept."""
    parts = urlsplit(address)
    fields = (field.partition("=") for field in parts.query.split("&") if field)
    query = "&".join(name + equals + ("***" if SECRET.search(name) else value) for name, equals, value in fields)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def host_with_password(address: str) -> str:
    """The host of an address that holds a user's name or password; empty where it holds none."""
    found = re.match(r"[A-Za-z][\w+.-]*://[^/?#]*@([^/?#]*)", address.strip())
    return found[1] if found else ""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows http and https only; the token goes along only where the host stays the same."""

    def __init__(self, away: bool) -> None:
        self.away = away

    def redirect_request(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any,
                         newurl: str) -> urllib.request.Request | None:
        target, origin = urlsplit(urljoin(req.full_url, newurl)), urlsplit(req.full_url)
        if target.scheme not in ("http", "https"):
            raise WebError(f"{shown_address(req.full_url)} leads to {target.scheme}://, which is not followed.")
        stays = (target.scheme, target.netloc) == (origin.scheme, origin.netloc)
        if not stays and not self.away:
            return None
        fresh = super().redirect_request(req, fp, code, msg, headers, newurl)
        secret = req.unredirected_hdrs.get("Authorization")
        if fresh is not None and secret and stays:
            fresh.add_unredirected_header("Authorization", secret)
        return fresh


@contextlib.contextmanager
def opened(address: str, headers: Mapping[str, str] | None = None, token: str = "", method: str = "GET",
           away: bool = True) -> Iterator[Any]:
    """Send one request and yield the server's answer, whose body is not read yet.

    Args:
        token: sent as a bearer token to the address's own host, and never to another that it leads to.
        method: GET or HEAD.
        away: follow a redirect to another host; False: the redirect itself is the answer.

    Raises: WebError: it is no address, was not reached, or the server says no. LOST: a connection that broke off, or a server that is busy.
    """
    request = _request(address, headers or {}, method)
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        answer: Any = urllib.request.build_opener(_Redirects(away)).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if not (error.code in MOVED and not away):
            with error:
                raise _refused(address, error) from error
        answer = error
    except urllib.error.URLError as error:
        if isinstance(error.reason, LOST) and not isinstance(error.reason, ConnectionRefusedError):
            raise error.reason from error
        raise NotReached(f"{urlsplit(address).hostname} could not be reached ({reason_of(error.reason)}).",
                         "Look at the address and at the connection of this machine.") from error
    except OSError as error:  # it broke off before the answer began
        raise ConnectionError(reason_of(error)) from error
    except (ValueError, http.client.InvalidURL) as error:
        raise WebError(f"{shown_address(address)} is no address of a file ({error}).") from error
    with answer:
        yield answer


def _request(address: str, headers: Mapping[str, str], method: str) -> urllib.request.Request:
    """Raises: WebError: it is no address, or holds a password."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WebError(f"{shown_address(address)} is no address of a file.", "It begins with https:// or http://.")
    if host := host_with_password(address):
        raise WebError(f"The address of {host} holds a password.", "Give it without.")
    path, query = quote(parts.path, safe="/%:@!$&'()*+,;=~-._"), quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    plain = urlunsplit((parts.scheme, parts.netloc, path, query, ""))
    return urllib.request.Request(plain, headers={"User-Agent": "lorabook", "Accept-Encoding": "identity", **headers}, method=method)


def _refused(address: str, error: urllib.error.HTTPError) -> Exception:
    """What a refusal becomes: a busy server is tried again."""
    code, shown = error.code, shown_address(address)
    if code in (429, 500, 502, 503, 504):
        return ConnectionError(f"{code} {error.reason}")
    try:
        body = error.read(SAID)
    except (OSError, *LOST):
        body = b""
    if code in (404, 410):
        words = f"{shown} is not there ({code}).", "Look whether the address is whole, and whether the file still exists."
    elif code in (401, 403):
        words = f"{shown} may not be read ({code} {error.reason}).", "It needs an account or a token, or it has been locked."
    else:
        words = f"{shown} could not be read ({code} {error.reason}).", "Try it in a browser."
    return WebError(*words, code=code, headers=error.headers, body=body)


def read_block(answer: Any, size: int, at_once: bool = False) -> bytes:
    """The next bytes of an answer; empty at its end.

    Args: at_once: what has come by now, at least one byte, instead of waiting for `size`.
    Raises: ConnectionError: whatever the network failed with, as TLS and routes do in ways of their own; LOST.
    """
    try:
        return bytes(answer.read1(size) if at_once else answer.read(size))
    except OSError as error:
        raise ConnectionError(reason_of(error)) from error


def is_page(headers: Message) -> bool:
    """Whether a web page came, where a file was asked for."""
    return headers.get_content_type() in ("text/html", "application/xhtml+xml")


def content_range(headers: Message) -> tuple[int, int] | None:
    """Where a part begins, and how many bytes the whole has; None where it is not said."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", headers.get("Content-Range", "").strip())
    return (int(found[1]), int(found[2])) if found else None


def content_length(headers: Message) -> int:
    """Bytes that an answer has; -1 where it is not said."""
    length = headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else -1


def validator_of(headers: Message) -> str:
    """What names this version of the file (RFC 9110, 8.8 and 13.1.5); a weak tag may not be used for a part."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def file_name(headers: Message, address: str) -> str:
    """A safe file name: what the server says, else the end of the address."""
    return safe_name(headers.get_filename() or unquote(urlsplit(address).path))


def safe_name(said: str, fallback: str = "download") -> str:
    """A file name that somebody else gave, without folders and made safe; its ending is kept."""
    name = said.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    stem, dot, ending = name.rpartition(".")
    suffix = re.sub(r"[^A-Za-z0-9]", "", ending)[:LONGEST_ENDING] if dot and stem else ""
    return safe_stem(stem if suffix else name, fallback) + (f".{suffix}" if suffix else "")


def refuse_full(folder: Path, needed: int, name: str) -> None:
    """Raises: DiskError: no room for so many bytes. Args: name: of what they are."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE:
        raise DiskError(f"No space left for {name}: {needed / 2**20:.0f} MiB are needed and {free / 2**20:.0f} MiB free.",
                        "Free some space and run it again; it goes on where it stopped.")


def pause(seconds: float, progress: Progress) -> None:
    """Wait. Raises: Cancelled: the person does not want to."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        progress.check()
        time.sleep(0.1)


def reason_of(error: object) -> str:
    """Why the network failed, in its own words."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
