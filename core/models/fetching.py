"""Fetching one file over several connections into a part beside its place; continued where it stopped, judged by its SHA-256."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.base.files import explain_disk_errors
from core.base.http import (
    LOST,
    WebError,
    content_range,
    is_page,
    opened,
    read_block,
    refuse_full,
    shown_address,
    validator_of,
)
from core.base.progress import Progress
from core.models import offers
from core.models.asking import Source
from core.models.offers import Changed, Offer, lost
from core.models.refusals import page_instead, refusal
from core.models.segments import Note, Segment, Segments

MIB = 1 << 20
CHUNK = 1 << 20
"""Bytes that are read at a time, at most."""
GIVE_WAY = 2
"""Times that a connection fails while others get on, after which it is left to those: some servers allow only few."""
NOTE_SECONDS = 5.0
"""Between two notes of what has come."""
LOOK_SECONDS = 0.2
SYNC = getattr(os, "fdatasync", os.fsync)
"""macOS has only the latter."""
SPEED_SECONDS = 5.0
"""Over how long the speed is told."""
EXPIRED = (401, 403, 404, 410)
"""What a server that an address led to answers when its time is over; the address itself is asked again then."""


class Fetch:
    """One file on its way. `run` fetches it; what has come stays in the part whatever happens.

    Args:
        part: file that it is written into; beside it lies the note of what is missing.
        connections: at once, at most.
    """

    def __init__(self, source: Source, offer: Offer, part: Path, connections: int, progress: Progress) -> None:
        self.source, self.offer, self.part, self.progress = source, offer, part, progress
        self.note_file = part.with_name(f"{part.name}.json")
        self.connections = connections if offer.ranges else 1
        self._final = offer.final
        self._stop = threading.Event()
        self._troubles: list[BaseException] = []
        self._wrote = 0.0
        """When bytes came last, on any connection."""
        self._came = 0
        """Bytes of a file whose size nobody says."""
        self.segments = self._what_is_missing()

    def _what_is_missing(self) -> Segments:
        size, note = self.offer.size, Note.read(self.note_file)
        if not self.offer.ranges:
            return Segments([(0, size if size >= 0 else 1 << 62)])
        if note is not None and self.part.is_file() and note.fits(size, self.offer.validator, self.source.sha256):
            return Segments(list(note.left))
        if note is not None:
            self.progress.note(f"What had come of {self.part.stem} before is of another version; it begins anew.")
        return Segments.whole(size, self.connections)

    def run(self) -> None:
        """Fetch what is missing. Raises: ModelError: the network failed or the server says no; Changed; DiskError; Cancelled."""
        refuse_full(self.part.parent, self.segments.left if self.offer.size >= 0 else 0, self.part.stem)
        with explain_disk_errors(self.part):
            handle = os.open(self.part, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                os.ftruncate(handle, max(0, self.offer.size))
                self._note(handle)
                self._fetch(handle)
                if self.offer.size < 0:
                    os.ftruncate(handle, self._came)
            finally:
                os.close(handle)

    def _fetch(self, handle: int) -> None:
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.connections)]
        try:
            for thread in threads:
                thread.start()
            self._watch(threads, handle)
        finally:
            self._stop.set()
            for thread in threads:  # none waits longer than for what it reads just now
                thread.join(1.0)
            self._note(handle)
        self._raise_trouble()

    def _watch(self, threads: list[threading.Thread], handle: int) -> None:
        """Tell how far it is until nobody works any more. Raises: Cancelled."""
        size, noted = self.offer.size, time.monotonic()
        self.progress.start(f"Downloading {self.part.stem} (MiB)", -(-size // MIB) if size >= 0 else 0, self._done() // MIB)
        seen: deque[tuple[float, int]] = deque([(time.monotonic(), self._done())])
        while any(thread.is_alive() for thread in threads):
            next((thread for thread in threads if thread.is_alive()), threads[0]).join(LOOK_SECONDS)
            now, done = time.monotonic(), self._done()
            seen.append((now, done))
            while len(seen) > 2 and now - seen[0][0] > SPEED_SECONDS:
                seen.popleft()
            speed = max(0.0, (done - seen[0][1]) / max(1e-6, now - seen[0][0]))
            at = -(-done // MIB) if done == size else done // MIB
            self.progress.advance(f"{speed / MIB:.1f} MiB/s", by=at - self.progress.done)
            if now - noted > NOTE_SECONDS:
                self._note(handle)
                noted = now

    def _done(self) -> int:
        """Bytes that have come."""
        return self.offer.size - self.segments.left if self.offer.size >= 0 else self._came

    def _note(self, handle: int) -> None:
        """What is missing, once what has come is on the disk. Raises: DiskError."""
        if self.offer.ranges:
            left = tuple(self.segments.missing())
            SYNC(handle)
            Note(self.offer.size, self.offer.validator, self.source.sha256, left).write(self.note_file)

    def _raise_trouble(self) -> None:
        """What ended it too early. Raises: ModelError, Changed, DiskError."""
        hard = next((error for error in self._troubles if not isinstance(error, LOST)), None)
        if hard is not None:
            raise hard
        if self.segments.left and self.offer.size >= 0:
            raise lost(self.source, self._troubles[-1] if self._troubles else ConnectionError("it ended early"))
        if self.offer.size < 0 and self._troubles:
            raise lost(self.source, self._troubles[-1])

    def _work(self) -> None:
        """One connection: piece after piece, until there is none or it fails for good."""
        try:
            with open(self.part, "r+b", buffering=0) as file:
                while not self._stop.is_set() and (segment := self.segments.take()) is not None:
                    try:
                        self._persist(segment, file)
                    finally:
                        self.segments.give_back(segment)
        except Exception as error:  # noqa: BLE001 - handed on to the thread that watches, which raises it
            self._troubles.append(error)
            if not isinstance(error, LOST):
                self._stop.set()

    def _persist(self, segment: Segment, file: Any) -> None:
        """A piece to its end; a connection that is lost is taken up again. Raises: LOST: in vain. ModelError, Changed, OSError."""
        tries, since = 0, 0.0
        while segment.left and not self._stop.is_set():
            before = segment.at
            try:
                self._stream(segment, file)
                return
            except LOST:
                if segment.at > before and self.offer.ranges:
                    tries = 0
                since = time.monotonic() if tries == 0 else since
                tries += 1
                if tries >= offers.TRIES or (tries >= GIVE_WAY and self._wrote > since):
                    raise
                self._stop.wait(min(offers.LONGEST_WAIT, offers.FIRST_WAIT * 2 ** (tries - 1)))

    def _stream(self, segment: Segment, file: Any) -> None:
        """One request. Raises: LOST, ModelError, Changed, OSError."""
        origin, token = self._final == self.source.address, self._token()
        with contextlib.ExitStack() as stack:
            try:
                answer = stack.enter_context(opened(self._final, self._headers(segment), token))
            except WebError as error:
                if not origin and error.code in EXPIRED:
                    self._final = self.source.address
                    raise ConnectionError(f"the address ran out ({error.code})") from error
                if error.code == 416:
                    raise Changed() from error
                raise refusal(error, self.source.wanted, bool(self.source.token), self.source.what) from error
            self._final = answer.url
            self._refuse_other(answer, segment)
            self._write(answer, segment, file)

    def _token(self) -> str:
        """For the address's own host only, not for where it led to."""
        final, own = urlsplit(self._final), urlsplit(self.source.address)
        return self.source.token if (final.scheme, final.netloc) == (own.scheme, own.netloc) else ""

    def _headers(self, segment: Segment) -> dict[str, str]:
        if not self.offer.ranges:
            self._came, segment.at = 0, 0
            return {}
        version = {"If-Range": self.offer.validator} if self.offer.validator else {}
        return {"Range": f"bytes={segment.at}-{segment.end - 1}", **version}

    def _refuse_other(self, answer: Any, segment: Segment) -> None:
        """Raises: Changed: it is no part of what was offered; ModelError: a web page came."""
        if is_page(answer.headers):
            raise page_instead(self.source.wanted, bool(self.source.token), self.source.what, shown_address(self.source.address), False)
        if not self.offer.ranges:
            return
        validator = validator_of(answer.headers)
        same = not validator or not self.offer.validator or validator == self.offer.validator
        if answer.status != 206 or not same or content_range(answer.headers) != (segment.at, self.offer.size):
            raise Changed()

    def _write(self, answer: Any, segment: Segment, file: Any) -> None:
        while segment.left and not self._stop.is_set():
            block = read_block(answer, min(CHUNK, segment.left), at_once=True)
            if not block or self._stop.is_set():
                break
            size = self.segments.room(segment, len(block))
            _write_at(file, block[:size], segment.at)
            self.segments.advance(segment, size)
            self._came, self._wrote = self._came + size, time.monotonic()
        if self._stop.is_set():
            return
        if self.offer.size < 0:
            segment.end = segment.at  # its end is where the server ends
        elif segment.left:
            raise ConnectionError(f"{segment.left} bytes are missing")


def _write_at(file: Any, block: bytes, place: int) -> None:
    """All of it. Raises: OSError."""
    view = memoryview(block)
    while view:
        written = os.pwrite(file.fileno(), view, place)
        view, place = view[written:], place + written
