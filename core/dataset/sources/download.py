"""Fetching a file by http or https: to the disk in pieces, never past a limit, continued where it broke off."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from core.base.errors import DatasetError, DiskError
from core.base.files import explain_disk_errors, safe_stem, write_json
from core.base.progress import SILENT, Progress

CHUNK = 1 << 20
SMALL = 8 * 2**20
"""Bytes up to which nothing is noted: such a file is quicker fetched again than looked after."""
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as lost."""
TRIES = 5
"""Times that a lost connection is taken up again without a byte having come in between."""
SPARE = 256 * 2**20
"""Bytes that must stay free on the disk."""
SECRET = re.compile(r"(?i)token|key|secret|sig|pass|pwd|auth|credential|cookie|session|policy|jwt|hmac|bearer|ticket|otp|"
                    r"(^|[_-])code$|^(st|se|sid|hm)$")
"""Names of query fields whose values are never shown."""
LOST = (http.client.HTTPException, ConnectionError, TimeoutError)
"""What is tried again."""


@dataclass
class _State:
    """What is known of a file that is being fetched; kept beside it."""

    name: str = ""
    size: int = -1
    """Bytes of the whole; -1 where the server does not say."""
    validator: str = ""
    """ETag or Last-Modified: a part is only added to if this is still so."""
    whole: bool = False


class Listening(Progress):
    """For work in threads: it says nothing, and hears a cancel."""

    def __init__(self, heard: Progress) -> None:
        super().__init__()
        self._heard = heard

    def check(self) -> None:
        """Raises: Cancelled."""
        self._heard.check()


def shown_address(address: str) -> str:
    """The address without password and without the values of secret query fields: for messages, the ledger and the project."""
    parts = urlsplit(address)
    fields = (field.partition("=") for field in parts.query.split("&") if field)
    query = "&".join(name + equals + ("***" if SECRET.search(name) else value) for name, equals, value in fields)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def refuse_password(address: str) -> None:
    """Raises: DatasetError: the address holds a password, which would be kept in the project."""
    if found := re.match(r"[A-Za-z][\w+.-]*://[^/?#]*@([^/?#]*)", address.strip()):
        raise DatasetError(f"The address of {found[1]} holds a password, which would be kept in the project.", "Give it without.")


def folder_of(scratch: Path, address: str) -> Path:
    """Where the download of an address is kept until it was imported."""
    return scratch / hashlib.sha256(address.encode("utf-8")).hexdigest()[:20]


def download(address: str, folder: Path, limit: int, progress: Progress = SILENT, token: str = "") -> tuple[Path, str]:
    """Fetch a file into `folder`; what an earlier call left there is continued, and not fetched again if it is whole.

    Args:
        limit: bytes; a larger file is refused, before it is fetched where the server says its size.
        token: sent as a bearer token to the address's own host, and never to another that it leads to.

    Returns: the file, and the name that the server or the address gives it, made safe.
    Raises: DatasetError: refused, not there, a web page, too large, or the network failed; DiskError; Cancelled: the part stays.
    """
    with explain_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    part, note = folder / "content.part", folder / "download.json"
    state = _read_state(note)
    if state.whole and (there := _finished(folder, part, state)):
        return there, state.name
    state.whole, tries = False, 0
    while True:
        before = part.stat().st_size if part.is_file() else 0
        try:
            _fetch(address, part, note, state, limit, progress, token)
            break
        except LOST as error:
            grown = (part.stat().st_size if part.is_file() else 0) > before
            tries = 0 if grown else tries + 1
            if tries >= TRIES:
                raise DatasetError(f"The connection to {urlsplit(address).hostname} was lost again and again ({_reason(error)}).",
                                   "Run it again later; it goes on where it stopped.") from error
            _pause(2.0 ** tries / 4, progress)
    state.size, state.whole = part.stat().st_size, True
    if state.size > SMALL:
        write_json(note, asdict(state))
    file = _finished(folder, part, state)
    assert file is not None
    return file, state.name


def _finished(folder: Path, part: Path, state: _State) -> Path | None:
    """The whole file under its own name; None where it is not there."""
    file = folder / "whole" / state.name
    if part.is_file() and part.stat().st_size == state.size:
        with explain_disk_errors(file):
            file.parent.mkdir(exist_ok=True)
            os.replace(part, file)
    return file if file.is_file() and file.stat().st_size == state.size else None


def _fetch(address: str, part: Path, note: Path, state: _State, limit: int, progress: Progress, token: str) -> None:
    """One request, to its end. Raises: as `download`, and LOST."""
    have = part.stat().st_size if part.is_file() and state.validator else 0
    headers = {"Range": f"bytes={have}-", "If-Range": state.validator} if have else {}
    with _opened(address, headers, token) as answer:
        if answer is None:  # 416: the file ends where ours does, or is another one now
            if have != state.size:
                raise _begun_anew(part, state)
            return
        _refuse_page(address, answer.headers)
        if answer.status == 206:
            size = _size_that_goes_on(answer.headers, have, state)
            if size is None:
                raise _begun_anew(part, state)
            state.size = size
        else:
            have, length = 0, answer.headers.get("Content-Length", "")
            state.size = int(length) if length.isdecimal() else -1
            state.validator = _validator(answer.headers)
        state.name = _name(answer.headers, answer.url)
        if max(state.size, have) > limit:
            raise _too_large(address, limit)
        refuse_full(part.parent, state.size - have if state.size >= 0 else 0, state.name)
        if state.size < 0 or state.size > SMALL:
            write_json(note, asdict(state))
        _write(answer, part, have, state, limit, progress, address)


def _write(answer: Any, part: Path, have: int, state: _State, limit: int, progress: Progress, address: str) -> None:
    progress.start(f"Downloading {state.name} (MiB)", -(-state.size // CHUNK) if state.size >= 0 else 0)
    progress.done = have // CHUNK
    with explain_disk_errors(part), open(part, "r+b" if have else "wb") as file:
        file.seek(have)
        file.truncate()
        done = have
        while block := _read(answer):
            done += len(block)
            if done > limit:
                raise _too_large(address, limit)
            if done // CHUNK % 64 == 0:
                refuse_full(part.parent, 0, state.name)
            file.write(block)
            progress.advance(by=done // CHUNK - progress.done)
    if state.size >= 0 and done < state.size:
        raise ConnectionError(f"{done} of {state.size} bytes came")


def _read(answer: Any) -> bytes:
    """The next piece. Raises: ConnectionError: whatever the network failed with, as TLS and routes do in ways of their own; LOST."""
    try:
        return bytes(answer.read(CHUNK))
    except OSError as error:
        raise ConnectionError(_reason(error)) from error


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows http and https only; the token goes along only where the host stays the same."""

    def redirect_request(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any,
                         newurl: str) -> urllib.request.Request | None:
        target, origin = urlsplit(urljoin(req.full_url, newurl)), urlsplit(req.full_url)
        if target.scheme not in ("http", "https"):
            raise DatasetError(f"{shown_address(req.full_url)} leads to {target.scheme}://, which is not followed.")
        fresh = super().redirect_request(req, fp, code, msg, headers, newurl)
        secret = req.unredirected_hdrs.get("Authorization")
        if fresh is not None and secret and (target.scheme, target.netloc) == (origin.scheme, origin.netloc):
            fresh.add_unredirected_header("Authorization", secret)
        return fresh


@contextlib.contextmanager
def _opened(address: str, headers: dict[str, str], token: str) -> Any:
    """The server's answer; None for 416. Raises: DatasetError: it says no; LOST."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DatasetError(f"{shown_address(address)} is no address of a file.", "It begins with https:// or http://.")
    refuse_password(address)
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    plain = urlunsplit((parts.scheme, parts.netloc, path, quote(parts.query, safe="/%:@!$&'()*+,;=~-._?"), ""))
    request = urllib.request.Request(plain, headers={"User-Agent": "lorabook", "Accept-Encoding": "identity", **headers})
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        answer = urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416:
                yield None
                return
            if error.code in (429, 500, 502, 503, 504):
                raise ConnectionError(f"{error.code} {error.reason}") from error
            raise _refused(address, error.code, str(error.reason)) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, LOST) and not isinstance(error.reason, ConnectionRefusedError):
            raise error.reason from error
        raise DatasetError(f"{parts.hostname} could not be reached ({_reason(error.reason)}).",
                           "Look at the address and at the connection of this machine.") from error
    except OSError as error:  # it broke off before the answer began
        raise ConnectionError(_reason(error)) from error
    except (ValueError, http.client.InvalidURL) as error:
        raise DatasetError(f"{shown_address(address)} is no address of a file ({error}).") from error
    with answer:
        yield answer


def _refused(address: str, code: int, reason: str) -> DatasetError:
    shown = shown_address(address)
    if code in (404, 410):
        return DatasetError(f"{shown} is not there ({code}).", "Look whether the address is whole, and whether the file still exists.")
    if code in (401, 403):
        return DatasetError(f"{shown} may not be read ({code} {reason}).", "It needs an account or a token, or it has been locked.")
    return DatasetError(f"{shown} could not be read ({code} {reason}).", "Try it in a browser.")


def _refuse_page(address: str, headers: Message) -> None:
    """Raises: DatasetError: a web page came."""
    if headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise web_page(address)


def web_page(address: str) -> DatasetError:
    """What is said where a page came instead of a file."""
    return DatasetError(f"{shown_address(address)} gives a web page, not an archive or a picture.",
                        "Copy the address of the download itself; for the pictures of a gallery choose the picture site as the source.")


def _too_large(address: str, limit: int) -> DatasetError:
    return DatasetError(f"{shown_address(address)} is larger than {limit / 2**30:g} GiB.", "Raise the largest download if it is wanted.")


def refuse_full(folder: Path, needed: int, name: str) -> None:
    """Raises: DiskError: no room for so many bytes. Args: name: of what they are."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE:
        raise DiskError(f"No space left for {name}: {needed / 2**20:.0f} MiB are needed and {free / 2**20:.0f} MiB free.",
                        "Free some space and run it again; it goes on where it stopped.")


def _size_that_goes_on(headers: Message, have: int, state: _State) -> int | None:
    """Bytes of the whole that a part belongs to; None: it does not continue what is here, for some servers and proxies pass over
    If-Range, and give a part of another version."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", headers.get("Content-Range", "").strip())
    same = _validator(headers) in ("", state.validator)
    if not have or not same or found is None or int(found[1]) != have or state.size not in (-1, int(found[2])):
        return None
    return int(found[2])


def _begun_anew(part: Path, state: _State) -> ConnectionError:
    """Forget the part, so that the next try asks for the whole."""
    part.unlink(missing_ok=True)
    state.validator, state.size = "", -1
    return ConnectionError("the file changed on the server")


def _validator(headers: Message) -> str:
    """What names this version of the file (RFC 9110, 8.8 and 13.1.5); a weak tag may not be used for a part."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def _name(headers: Message, address: str) -> str:
    """A safe file name: what the server says, else the end of the address."""
    said = headers.get_filename() or unquote(urlsplit(address).path)
    name = said.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    stem, dot, ending = name.rpartition(".")
    suffix = re.sub(r"[^A-Za-z0-9]", "", ending)[:8] if dot and stem else ""
    return safe_stem(stem if suffix else name, fallback="download") + (f".{suffix}" if suffix else "")


def _read_state(note: Path) -> _State:
    try:
        return _State(**json.loads(note.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return _State()


def _pause(seconds: float, progress: Progress) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        progress.check()
        time.sleep(0.1)


def _reason(error: object) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
