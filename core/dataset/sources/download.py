"""Fetching a file by http or https: to the disk in pieces, never past a limit, continued where it broke off."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.base.errors import DatasetError
from core.base.files import explain_disk_errors, write_json
from core.base.http import (
    LOST,
    WebError,
    content_length,
    content_range,
    file_name,
    host_with_password,
    is_page,
    opened,
    pause,
    read_block,
    reason_of,
    refuse_full,
    shown_address,
    validator_of,
)
from core.base.progress import SILENT, Progress

CHUNK = 1 << 20
SMALL = 8 * 2**20
"""Bytes up to which nothing is noted: such a file is quicker fetched again than looked after."""
TRIES = 5
"""Times that a lost connection is taken up again without a byte having come in between."""


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


def refuse_password(address: str) -> None:
    """Raises: DatasetError: the address holds a password, which would be kept in the project."""
    if host := host_with_password(address):
        raise DatasetError(f"The address of {host} holds a password, which would be kept in the project.", "Give it without.")


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
                raise DatasetError(f"The connection to {urlsplit(address).hostname} was lost again and again ({reason_of(error)}).",
                                   "Run it again later; it goes on where it stopped.") from error
            pause(2.0 ** tries / 4, progress)
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
            have = 0
            state.size, state.validator = content_length(answer.headers), validator_of(answer.headers)
        state.name = file_name(answer.headers, answer.url)
        if max(state.size, have) > limit:
            raise _too_large(address, limit)
        refuse_full(part.parent, state.size - have if state.size >= 0 else 0, state.name)
        if state.size < 0 or state.size > SMALL:
            write_json(note, asdict(state))
        _write(answer, part, have, state, limit, progress, address)


def _write(answer: Any, part: Path, have: int, state: _State, limit: int, progress: Progress, address: str) -> None:
    progress.start(f"Downloading {state.name} (MiB)", -(-state.size // CHUNK) if state.size >= 0 else 0, have // CHUNK)
    with explain_disk_errors(part), open(part, "r+b" if have else "wb") as file:
        file.seek(have)
        file.truncate()
        done = have
        while block := read_block(answer, CHUNK):
            done += len(block)
            if done > limit:
                raise _too_large(address, limit)
            if done // CHUNK % 64 == 0:
                refuse_full(part.parent, 0, state.name)
            file.write(block)
            progress.advance(by=done // CHUNK - progress.done)
    if state.size >= 0 and done < state.size:
        raise ConnectionError(f"{done} of {state.size} bytes came")


@contextlib.contextmanager
def _opened(address: str, headers: dict[str, str], token: str) -> Iterator[Any]:
    """The server's answer; None for 416. Raises: DatasetError: it says no; LOST."""
    refuse_password(address)
    with contextlib.ExitStack() as stack:
        try:
            answer = stack.enter_context(opened(address, headers, token))
        except WebError as error:
            if error.code != 416:
                raise DatasetError(error.message, error.hint) from error
            answer = None
        yield answer


def _refuse_page(address: str, headers: Message) -> None:
    """Raises: DatasetError: a web page came."""
    if is_page(headers):
        raise web_page(address)


def web_page(address: str) -> DatasetError:
    """What is said where a page came instead of a file."""
    return DatasetError(f"{shown_address(address)} gives a web page, not an archive or a picture.",
                        "Copy the address of the download itself; for the pictures of a gallery choose the picture site as the source.")


def _too_large(address: str, limit: int) -> DatasetError:
    return DatasetError(f"{shown_address(address)} is larger than {limit / 2**30:g} GiB.", "Raise the largest download if it is wanted.")


def _size_that_goes_on(headers: Message, have: int, state: _State) -> int | None:
    """Bytes of the whole that a part belongs to; None: it does not continue what is here, for some servers and proxies pass over
    If-Range, and give a part of another version."""
    found, same = content_range(headers), validator_of(headers) in ("", state.validator)
    if not have or not same or found is None or found[0] != have or state.size not in (-1, found[1]):
        return None
    return found[1]


def _begun_anew(part: Path, state: _State) -> ConnectionError:
    """Forget the part, so that the next try asks for the whole."""
    part.unlink(missing_ok=True)
    state.validator, state.size = "", -1
    return ConnectionError("the file changed on the server")


def _read_state(note: Path) -> _State:
    try:
        return _State(**json.loads(note.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return _State()
