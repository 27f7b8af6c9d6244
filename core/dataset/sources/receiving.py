"""Takes files from the browser in pieces, writes them beside their place, and puts each there when it is whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.base.errors import DatasetError, DiskError
from core.dataset.project import Project
from core.dataset.sources.upload import Arrived, UploadRecord, UploadSettings, folder_for_new, make_folder, refusal, uploads_of
from core.dataset.sources.upload_names import UploadNames
from core.dataset.sources.upload_parts import (
    BLOCK,
    Offer,
    Partial,
    block_digests,
    digests_of,
    forget_part,
    has_content,
    key_of,
    move_into_place,
    open_partial,
    parts_of,
    sync_file_system,
    tidy,
    write_small,
)

SPARE = 64 * 2**20
"""Bytes that must stay free on the disk."""
IDLE = 4.0
"""Seconds without a piece after which another window may go on with a file."""


class OutOfStep(DatasetError):
    """A piece does not follow on what is there: one before it was lost, or it came out different. The browser asks again where to go on."""


@dataclass(frozen=True)
class Standing:
    """What there is of an offered file."""

    have: int
    """Bytes on the disk, whole blocks of it; all of them where the file is there."""
    digests: bytes
    """SHA-256 of each block, one after another."""


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    path: str
    state: Literal["here", "already", "refused", "again"]
    """again: it came out different on the way."""
    name: str = ""
    reason: str = ""


class Receiver:
    """One upload into one project. Its methods are called one after another, never by two threads at once.

    Args: project, upload: the upload's id, see `current_upload`. settings: where the files go.
    Raises: DatasetError: this is no upload's name.
    """

    def __init__(self, project: Project, upload: str, settings: UploadSettings) -> None:
        self.project, self.upload = project, upload
        self.record = UploadRecord.of(project, upload)
        self.folder = self.record.folder() or folder_for_new(project, upload, settings)
        self._arrived = {file.path: file for file in self.record.arrived()}
        own = not self.folder.is_relative_to(uploads_of(project))
        self._names = UploadNames(self.folder, [(file.path, file.name) for file in self._arrived.values()], own)
        self._parts = parts_of(project, self.folder)
        self._open: dict[str, Partial] = {}
        self._compared: dict[Offer, str] = {}  # which file the browser was told of

    @property
    def arrived(self) -> int:
        """Files that came whole, or were there."""
        return len(self._arrived)

    def open(self, offer: Offer, elsewhere: Iterable[Receiver] = ()) -> Standing:
        """What there is of a file: another of its name, or a part of it.

        Args: elsewhere: uploads of this kernel that may hold the partial file open, though nothing comes any more.
        Raises: DatasetError: it is not taken. Occupied: another window uploads it just now. DiskError: no space, no permission.
        """
        if reason := _refusal(offer):
            raise DatasetError(reason)
        begun = self._open.get(offer.path)
        if (begun is None or begun.offer != offer) and (name := next(self._lying(offer), "")):
            self._compared[offer] = name
            return Standing(offer.size, digests_of(self.folder / name, offer.size))
        partial = self._partial(offer, elsewhere)
        return Standing(partial.have, bytes(partial.digests))

    def go_on(self, offer: Offer, same: int) -> int | Outcome:
        """Go on behind the blocks that are the same. Args: same: how many blocks, from the first, the browser has too.

        Returns: the byte to go on from, or the outcome where the very same file lies there already.
        Raises: as `open`.
        """
        if reason := _refusal(offer):
            raise DatasetError(reason)
        name = self._compared.pop(offer, "")
        if name and same * BLOCK >= offer.size:
            return self._note(offer, self._found(offer, name), already=True)
        partial = self._partial(offer, ())
        if name:
            same = 0  # that file's blocks tell nothing about those of the partial one
        partial.cut_to(same * BLOCK)
        return partial.have

    def write(self, path: str, offset: int, data: memoryview, digests: bytes) -> int:
        """Write a piece: whole blocks, or the file's end. Args: digests: SHA-256 of each of its blocks.

        Returns: bytes that are there now.
        Raises: OutOfStep: it does not follow on what is there. DatasetError: it is no piece of this file. DiskError.
        """
        partial = self._open.get(path)
        if partial is None:
            raise OutOfStep(f"{path} is not open.")
        end, partial.used = offset + len(data), time.monotonic()
        if offset < 0 or offset % BLOCK or end > partial.offer.size or not len(data) or (len(data) % BLOCK and end != partial.offer.size):
            raise DatasetError(f"A piece of {path} has a wrong size.", "Reload the page.")
        if end <= partial.have:
            return partial.have
        if offset != partial.have:
            raise OutOfStep(f"A piece of {path} was lost.")
        if block_digests(data) != digests:
            raise OutOfStep(f"A piece of {path} came out different.")
        partial.add(data, digests)
        return partial.have

    def finish(self, path: str, root: str) -> Outcome:
        """Put a file into its place when all of it is there. Args: root: `root_of` its blocks as the browser read them.

        Raises: OutOfStep: something is missing. DatasetError: it came out different, and is not kept. DiskError.
        """
        partial = self._open.get(path)
        if partial is None and path in self._arrived:
            return self._outcome(self._arrived[path])
        if partial is None or partial.have != partial.offer.size:
            raise OutOfStep(f"Not all of {path} is here.")
        if not partial.is_whole(root):
            self._let_go(partial, forget=True)
            raise DatasetError(f"{path} came out different from what your browser read.", "Drop it again; it begins anew.")
        offer = partial.offer
        already = self._find(offer, bytes(partial.digests))
        if already is None:
            partial.sync()
        name = self._put(partial.place, offer) if already is None else self._found(offer, already)
        self._let_go(partial, forget=True)
        return self._note(offer, name, already is not None)

    def take_small(self, files: Sequence[tuple[Offer, memoryview, bytes]]) -> list[Outcome]:
        """Write files that came whole in one message. One that cannot be taken does not stop the others.

        Args: files: each with its content and the digests of its blocks. Raises: DiskError: no space, no permission.
        """
        outcomes: list[Outcome] = []
        arrived: list[Arrived] = []
        try:
            for offer, data, digests in files:
                outcome = self._take(offer, data, digests)
                if outcome.state in ("here", "already"):
                    arrived.append(Arrived(offer.path, outcome.name, offer.size, outcome.state == "already"))
                outcomes.append(outcome)
        finally:
            self._record(arrived)
        return outcomes

    def end(self) -> None:
        """No more is to come: bring small files to the disk too. Raises: DiskError."""
        self.close()
        tidy(self._parts)
        sync_file_system(self.folder)
        self.record.end()

    def close(self) -> None:
        """Let go of partial files; they stay on the disk, to go on from."""
        for partial in list(self._open.values()):
            self._let_go(partial)

    def give_up(self, place: Path) -> None:
        """Let another upload go on with that partial file, unless something came for it just now."""
        for partial in list(self._open.values()):
            if partial.place == place and time.monotonic() - partial.used > IDLE:
                self._let_go(partial)

    # Its own work

    def _lying(self, offer: Offer) -> Iterator[str]:
        """Names of files that lie there and may be the offered one: its own and those with a number, of the same size."""
        for name in self._names.candidates(offer.path, offer.size):
            place = self.folder / name
            if place.is_file() and place.stat().st_size == offer.size:
                yield name

    def _find(self, offer: Offer, digests: bytes) -> str | None:
        """The name of a file that lies there and is just this one. Raises: DiskError."""
        return next((name for name in self._lying(offer) if has_content(self.folder / name, offer.size, digests)), None)

    def _found(self, offer: Offer, name: str) -> str:
        self._names.lies(offer.path, name)
        return name

    def _free_name(self, offer: Offer) -> str:
        """A name under which nothing lies; what belongs to the same stem follows it."""
        name = self._names.place(offer.path)
        while os.path.lexists(self.folder / name):
            name = self._names.other(offer.path)
        return name

    def _partial(self, offer: Offer, elsewhere: Iterable[Receiver]) -> Partial:
        known = self._open.get(offer.path)
        if known is not None and known.offer == offer:
            return known
        if known is not None:
            self._let_go(known)
        place = self._parts / f"{key_of(offer)}.part"
        self._need(offer.size - (place.stat().st_size if place.exists() else 0))
        for other in elsewhere:
            if other is not self:
                other.give_up(place)
        self._open[offer.path] = open_partial(offer, place)
        return self._open[offer.path]

    def _need(self, size: int) -> None:
        make_folder(self._parts)
        free = shutil.disk_usage(self._parts).free
        if free < size + SPARE:
            raise DiskError(f"No space left in {self.folder}: {size / 2**20:.0f} MiB are needed, {free / 2**20:.0f} MiB are free.",
                            "Free some space and press Go on; nothing is sent twice.")

    def _take(self, offer: Offer, data: memoryview, digests: bytes) -> Outcome:
        if reason := _refusal(offer):
            return Outcome(offer.path, "refused", reason=reason)
        if len(data) != offer.size or block_digests(data) != digests:
            return Outcome(offer.path, "again")
        before = self._arrived.get(offer.path)
        if before is not None and has_content(self.folder / before.name, offer.size, digests):
            return self._outcome(before)
        try:
            if (name := self._find(offer, digests)) is not None:
                return Outcome(offer.path, "already", self._found(offer, name))
            self._need(offer.size)
            make_folder((self.folder / self._free_name(offer)).parent)
            return Outcome(offer.path, "here", self._put(write_small(self._parts, data), offer))
        except DatasetError as error:
            return Outcome(offer.path, "refused", reason=str(error))

    def _put(self, part: Path, offer: Offer) -> str:
        """Move a whole file into its place, never over another one. Returns: its name."""
        name = self._names.place(offer.path)
        make_folder((self.folder / name).parent)
        while True:
            target = self.folder / name
            with contextlib.suppress(FileExistsError):
                move_into_place(part, target)
                return self._found(offer, name)
            name = self._names.other(offer.path)

    def _note(self, offer: Offer, name: str, already: bool = False) -> Outcome:
        before = self._arrived.get(offer.path)
        if before is None or (before.name, before.size) != (name, offer.size):
            self._record([Arrived(offer.path, name, offer.size, already)])
        return self._outcome(self._arrived[offer.path])

    def _record(self, arrived: Sequence[Arrived]) -> None:
        new = [file for file in arrived if self._arrived.get(file.path) != file]
        if new:
            if self.record.folder() is None:
                self.record.begin(self.folder)
            self.record.add(new)
            self._arrived.update({file.path: file for file in new})

    @staticmethod
    def _outcome(file: Arrived) -> Outcome:
        return Outcome(file.path, "already" if file.already else "here", file.name)

    def _let_go(self, partial: Partial, forget: bool = False) -> None:
        self._open.pop(partial.offer.path, None)
        if forget:
            forget_part(partial.place)
        os.close(partial.handle)


def _refusal(offer: Offer) -> str:
    return refusal(offer.path) or ("" if offer.size > 0 else "It is empty.")
