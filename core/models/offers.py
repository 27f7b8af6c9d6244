"""What a server says of a file before it is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from core.base.errors import ModelError
from core.base.http import (
    LOST,
    WebError,
    content_length,
    content_range,
    file_name,
    is_page,
    opened,
    pause,
    reason_of,
    shown_address,
    validator_of,
)
from core.base.progress import Progress
from core.models.asking import Source
from core.models.refusals import Unreached, page_instead, refusal

TRIES = 8
"""Times that a connection is taken up again without a byte having come in between; with the waits a bit less than a minute."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
"""Seconds before a connection is taken up again; each time twice as long."""


@dataclass(frozen=True)
class Offer:
    """What a server says of a file before it is fetched."""

    name: str
    size: int
    """Bytes; -1: it does not say."""
    validator: str
    ranges: bool
    """Whether it gives parts."""
    final: str
    """The address that it led to; it may hold a signature and is never shown."""


class Changed(Exception):
    """Another version of the file is there now."""


def look(source: Source, progress: Progress) -> Offer:
    """Ask for the first byte: what comes tells size, version, name, and whether parts can be had.

    Raises: ModelError: it may not be read, is not there, or is a web page; Cancelled.
    """
    last: BaseException = ConnectionError()
    for number in range(TRIES):
        try:
            with opened(source.address, {"Range": "bytes=0-0"}, source.token) as answer:
                return _offer(source, answer)
        except WebError as error:
            raise refusal(error, source.wanted, bool(source.token), source.what) from error
        except LOST as error:
            last = error
        pause(min(LONGEST_WAIT, FIRST_WAIT * 2**number), progress)
    gone = lost(source, last)
    raise Unreached(gone.message, gone.hint)


def _offer(source: Source, answer: Any) -> Offer:
    if is_page(answer.headers):
        login = "/login" in urlsplit(answer.url).path
        raise page_instead(source.wanted, bool(source.token), source.what, shown_address(source.address), login)
    part = content_range(answer.headers) if answer.status == 206 else None
    size = part[1] if part else content_length(answer.headers) if answer.status == 200 else -1
    return Offer(source.name or file_name(answer.headers, answer.url), size, validator_of(answer.headers), part is not None, answer.url)


def lost(source: Source, error: BaseException) -> ModelError:
    """What is said where the network failed for good."""
    host = urlsplit(source.address).hostname
    return ModelError(f"The connection to {host} was lost again and again ({reason_of(error)}).",
                      "Run it again later; it goes on where it stopped.")
