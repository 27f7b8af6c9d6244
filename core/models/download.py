"""The stage that brings models to this machine: by name with their parts, or by address; whole, checked, and told what they are."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from core.base.errors import ConfigError, ModelError
from core.base.files import explain_disk_errors
from core.base.http import refuse_full, safe_name
from core.base.locks import waited_for
from core.base.progress import SILENT, Progress
from core.base.tensor_headers import read_header
from core.base.words import told_size
from core.models.addresses import WEIGHTS, Wanted, read_address
from core.models.asking import Source, find_source
from core.models.catalog import NamedModel, with_parts
from core.models.fetching import MIB, Fetch
from core.models.offers import Changed, look
from core.models.settings import SECRET_ADDRESS, DownloadSettings, shown_wish
from core.models.telling import what_is

CHANGES = 3
"""Times that a file which changes on the server while it is fetched is begun anew."""
ASIDE = ".not-as-published"
"""Ending of a file that came with another SHA-256 than the published one."""


@dataclass(frozen=True)
class FetchedFile:
    """One file that lies on this machine now."""

    name: str
    path: str
    size: int
    """Bytes."""
    about: str
    """What it is, from its header: "a base model of the family Stable Diffusion XL"."""
    family: str = ""
    """As `Told.family`."""
    checked: bool = False
    """Whether its SHA-256 is the published one."""
    already: bool = False
    """Whether it was here before."""

    def sentence(self) -> str:
        """"x.safetensors (6,616.7 MiB): a base model of …; its SHA-256 is as published."."""
        sure = "its SHA-256 is as published" if self.checked else "no SHA-256 is published for it"
        return f"{self.name} ({told_size(self.size)}){' was here already' if self.already else ''}: {self.about}; {sure}."


@dataclass(frozen=True)
class DownloadReport:
    """What came."""

    files: tuple[FetchedFile, ...]
    folder: str

    def sentence(self) -> str:
        """For the status line."""
        first, more = self.files[0], len(self.files) - 1
        also = f" Also {', '.join(file.name for file in self.files[1:])}." if more else ""
        return f"{first.sentence()}{also}"


@dataclass
class _Planned:
    """A file, and how it comes."""

    source: Source
    place: Path
    sha256: str
    fetch: Fetch | None
    """None: it is here already."""


def download_model(folder: Path, settings: DownloadSettings, progress: Progress = SILENT) -> DownloadReport:
    """Fetch a model, with its parts where it is known by name; a file that is here is not fetched again.

    Args: folder: where models are kept.
    Returns: each file, with what its header says it is.
    Raises: ConfigError: neither a name nor an address, or both; ModelError: refused, not there, damaged, or the network failed; DiskError;
        Cancelled: what came stays beside its place, and the next call goes on from there.
    """
    wanted = _wanted(settings, progress)
    with explain_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with waited_for(folder / ".download.lock", progress, "Waiting for another download to end"):
        progress.start("Looking for the model", len(wanted))
        planned = []
        for number, (one, named) in enumerate(wanted):
            own = settings if number == 0 else settings.changed(save_as="", folder="", sha256="")
            planned.append(_plan(folder, one, named, own, progress))
            progress.advance()
        missing = sum(plan.fetch.segments.left for plan in planned if plan.fetch is not None and plan.fetch.offer.size > 0)
        refuse_full(folder, missing, planned[0].place.name if len(planned) == 1 else f"{planned[0].place.name} and its parts")
        return DownloadReport(tuple(_bring(plan, settings, progress) for plan in planned), str(folder))


def _wanted(settings: DownloadSettings, progress: Progress) -> list[tuple[Wanted, NamedModel | None]]:
    """Raises: ConfigError."""
    if settings.model and settings.address:
        raise ConfigError(f"Both a named model ({settings.model}) and an address are given.", "Leave one of them empty.")
    if settings.model:
        models = with_parts(settings.model)[: None if settings.with_parts else 1]
        return [(read_address(model.address), model) for model in models]
    kept = os.environ.get(SECRET_ADDRESS, "")
    wanted = read_address(kept if kept and shown_wish(kept) == settings.address else settings.address, settings.file)
    if wanted.token and wanted.site is not None:
        progress.warn(f"The token stood in the address, where others on this machine could see it. Set {wanted.site.variable} in the "
                      "environment instead.")
    return [(wanted, None)]


def _plan(folder: Path, wanted: Wanted, named: NamedModel | None, settings: DownloadSettings, progress: Progress) -> _Planned:
    """Raises: ModelError: it cannot be had, or another file of that name is here; Cancelled."""
    source = find_source(wanted, progress)
    expected = (settings.sha256 or (named.sha256 if named is not None else "")).lower()
    if source.sha256 and expected and source.sha256 != expected:
        raise ModelError(f"{source.what} is published with the SHA-256 {source.sha256[:12]}…, but {expected[:12]}… is expected: its makers "
                         "replaced the file, or it is another one.", "Give its address instead, if the file that is there now is meant.")
    offer = look(source, progress)
    own = settings.save_as or (named.save_as if named is not None else "")
    name = safe_name(own, "model") if own else offer.name
    where = folder / (settings.folder.strip() or (named.folder if named is not None else ""))
    with explain_disk_errors(where):
        where.mkdir(parents=True, exist_ok=True)
    for place in (where / name, where / f"{name}.safetensors"):
        if place.is_file() and (place.name == name or not WEIGHTS.search(name)):
            _refuse_another(place, offer.size)
            return _Planned(source, place, source.sha256 or expected, None)
    source = replace(source, sha256=source.sha256 or expected)
    return _Planned(source, where / name, source.sha256, Fetch(source, offer, where / f"{name}.part", settings.connections, progress))


def _refuse_another(place: Path, size: int) -> None:
    """Raises: ModelError: what is here is not what is offered."""
    here = place.stat().st_size
    if size >= 0 and here != size:
        raise ModelError(f"{place} is here already, with {here:,} bytes; the file that is offered has {size:,}.",
                         "Give another name under Save as, or move the file that is here away.")


def _bring(plan: _Planned, settings: DownloadSettings, progress: Progress) -> FetchedFile:
    """Fetch, check, and put in its place. Raises: ModelError, DiskError, Cancelled."""
    if plan.fetch is None:
        found = _hash_of(plan.place, progress) if plan.sha256 else ""
        if found != plan.sha256:
            raise ModelError(f"{plan.place} is here already, but its SHA-256 ({found[:12]}…) is not the published one "
                             f"({plan.sha256[:12]}…): it is damaged, or another file.", "Move it away, or give another name under Save as.")
        return _told(plan.place, bool(plan.sha256), already=True)
    part, note = plan.fetch.part, plan.fetch.note_file
    _fetch(plan, plan.fetch, settings, progress)
    if plan.sha256 and (found := _hash_of(part, progress)) != plan.sha256:
        aside = part.with_name(plan.place.name + ASIDE)
        with explain_disk_errors(aside):
            os.replace(part, aside)
        note.unlink(missing_ok=True)
        raise ModelError(f"{plan.place.name} came with the SHA-256 {found[:12]}…, but {plan.sha256[:12]}… is published: it was damaged on "
                         "the way, or is not the file that it is said to be.", f"It was set aside as {aside.name}. Run it again.")
    place = _with_ending(part, plan.place)
    with explain_disk_errors(place):
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, place)
    note.unlink(missing_ok=True)
    return _told(place, bool(plan.sha256), already=False)


def _fetch(plan: _Planned, fetch: Fetch, settings: DownloadSettings, progress: Progress) -> None:
    """Raises: ModelError: it changes on the server again and again; as `Fetch.run`."""
    for _ in range(CHANGES):
        try:
            fetch.run()
            return
        except Changed:
            progress.note(f"{plan.place.name} changed on the server; it begins anew.")
            fetch.note_file.unlink(missing_ok=True)
            source = find_source(plan.source.wanted, progress)
            plan.sha256 = source.sha256 or plan.sha256
            fetch = Fetch(source, look(source, progress), fetch.part, settings.connections, progress)
    raise ModelError(f"{plan.source.what} changes on the server again and again.", "Run it again later, or get it from another place.")


def _told(place: Path, checked: bool, already: bool) -> FetchedFile:
    """Raises: ModelError: it is broken."""
    told = what_is(place)
    return FetchedFile(place.name, str(place), place.stat().st_size, told.words, told.family, checked, already)


def _with_ending(part: Path, place: Path) -> Path:
    """Its place; a name that says nothing of the kind (a number) gets the ending of what it holds, or no list would show it."""
    if not WEIGHTS.search(place.name):
        with contextlib.suppress(ModelError):
            read_header(part)
            return place.with_name(f"{place.name}.safetensors")
    return place


def _hash_of(path: Path, progress: Progress) -> str:
    """Hex SHA-256. Raises: Cancelled."""
    size, digest, done = path.stat().st_size, hashlib.sha256(), 0
    progress.start(f"Checking {path.name.removesuffix('.part')} (MiB)", -(-size // MIB))
    with open(path, "rb") as file:
        while block := file.read(4 * MIB):
            digest.update(block)
            done += len(block)
            progress.advance(by=-(-done // MIB) - progress.done)
    return digest.hexdigest()
