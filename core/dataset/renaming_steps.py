"""The moves of a renaming, noted before they are made, so that a kill at any moment is mended: by the next look at the project.

Every file first goes into a hidden folder beside the images under a number of its own, and only when all of them lie there, each goes to
its new name. So names may be exchanged, and it is always clear which file is which.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from core.base.errors import Cancelled, DatasetError
from core.base.files import append_lines, explain_disk_errors, write_text
from core.base.locks import locked, waited_for
from core.base.progress import SILENT, Progress
from core.dataset.companions import stem_of_companion
from core.dataset.history import HISTORY_FILE, alone
from core.dataset.history_file import append_values
from core.dataset.images.files import IMAGE_SUFFIXES
from core.dataset.images.not_worked_on import not_worked_on
from core.dataset.images.variants import REPLACED, owner_of
from core.dataset.index import Index
from core.dataset.moving import LOCK as MOVING_LOCK
from core.dataset.project import PENDING, Project
from core.dataset.renaming_journal import Group, JournalEntry, Rename, note_event, read_journal
from core.dataset.sources.ledger import LEDGER_FILE, fold, read_ledger

LOCK = "names.lock"
"""Held alone by a renaming, and shared by imports, which give names."""
IMPORT_LOCK = "import.lock"
"""Held alone by an import, from its beginning to its end. It is taken before every other lock."""
STAGING = ".renaming-{id}"
VERSION_ROOMS = ("variants", "replaced")
"""Folders with versions, as the journal names them."""


def rename_stems(project: Project, renames: Sequence[Rename], what: str, progress: Progress = SILENT, undoes: str = "") -> list[Rename]:
    """Move every file of these stems.

    Args: renames: no two with one new name, and none that another image has. undoes: id of the renaming that this takes back.
    Returns: what is called what now. Raises: DatasetError: others are at work; DiskError; Cancelled: everything is as it was.
    """
    with _alone(project):
        _mend(project)
        act = JournalEntry(f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}", what, time.time(), _groups(project, renames), undoes)
        progress.start("Renaming", 2 * len(act.groups))
        write_text(project.hidden / PENDING, act.id)
        note_event(project, {"event": "begin", "id": act.id, "what": what, "time": act.time, "undoes": undoes,
                             "groups": [[group.old, group.new, group.files] for group in act.groups]})
        try:
            _stage(project, act, progress)
        except Cancelled:
            act = replace(act, groups=[Group(group.old, group.old, group.files) for group in act.groups])
            _finish(project, act, SILENT, cancelled=True)
            raise
        return _finish(project, act, progress)


def mend(project: Project) -> bool:
    """Finish what a kill interrupted. Returns: whether there was something; not while somebody is at work. Raises: DiskError."""
    try:
        return settle(project)
    except DatasetError:
        return False


def settle(project: Project) -> bool:
    """Finish what a kill interrupted, for who must not meet half of the images. Returns: whether there was something.

    Raises: DatasetError: it cannot be finished just now, with the reason; DiskError.
    """
    if not (project.hidden / PENDING).exists():
        return False
    try:
        with _alone(project):
            return _mend(project)
    except DatasetError as error:
        words = f"A renaming in {project.name!r} is not finished, and some of its images are missing until then."
        raise DatasetError(f"{words} {error.message}", error.hint) from error


@contextlib.contextmanager
def giving_names(project: Project, progress: Progress = SILENT) -> Iterator[None]:
    """Hold the names while images come in: a renaming that a kill interrupted is finished before, and neither a renaming nor another
    import begins meanwhile. It waits for those under way.

    Raises: DatasetError: an interrupted renaming cannot be finished just now; Cancelled: stopped while it waited; DiskError.
    """
    with waited_for(project.hidden / IMPORT_LOCK, progress, "Waiting for another import into this project"):
        while True:
            with waited_for(project.hidden / LOCK, progress, "Waiting until the images are renamed", fcntl.LOCK_SH):
                if not (project.hidden / PENDING).exists():
                    yield
                    return
            settle(project)


def names_held(project: Project, without: Iterable[str] = ()) -> set[str]:
    """Folded stems that cannot be given: those of other images and of files beside them, and those of rejected images.

    Args: without: stems that are renamed themselves.
    """
    moving = set(without)
    held = set()
    for path in (*project.images.iterdir(), *(project.rejected.iterdir() if project.rejected.is_dir() else ())):
        is_image = path.suffix.lower() in IMAGE_SUFFIXES
        stem = path.stem if is_image else stem_of_companion(path.name)
        if not path.name.startswith(".") and (stem not in moving or path.parent != project.images):
            held.add(fold(stem))
    return held


def _groups(project: Project, renames: Sequence[Rename]) -> list[Group]:
    """Every file of each stem: images, captions, caches of a trainer, and versions with those that they replaced."""
    moving = {one.old: one for one in renames}
    files: dict[str, list[tuple[str, str]]] = {stem: [] for stem in moving}
    stems = set()
    for path in project.images.iterdir():
        if path.name.startswith("."):
            continue
        is_image = path.suffix.lower() in IMAGE_SUFFIXES
        stem = path.stem if is_image else stem_of_companion(path.name)
        stems |= {stem} if is_image else set()
        if stem in files:
            files[stem].append(("images", path.name))
    for room in VERSION_ROOMS:
        place = _room(project, room)
        for path in place.iterdir() if place.is_dir() else ():
            owner = owner_of(path.name, stems | set(moving))
            if owner in files:
                files[owner].append((room, path.name))
    return [Group(one.old, one.new, [(room, name, f"{number:07}-{index}") for index, (room, name) in enumerate(sorted(files[one.old]))])
            for number, one in enumerate(renames)]


def _stage(project: Project, act: JournalEntry, progress: Progress) -> None:
    """Bring every file into the hidden folder. One that is gone is passed over; where one is there already, what has its old name now
    is somebody else's."""
    place = project.images / STAGING.format(id=act.id)
    with explain_disk_errors(place):
        place.mkdir(exist_ok=True)
        for group in act.groups:
            for room, name, number in group.files:
                if not (place / number).exists():
                    with contextlib.suppress(FileNotFoundError):
                        _room(project, room).joinpath(name).rename(place / number)
            progress.advance(group.old)
    note_event(project, {"event": "staged", "id": act.id})


def _finish(project: Project, act: JournalEntry, progress: Progress, cancelled: bool = False, again: bool = False) -> list[Rename]:
    """Bring every file from the hidden folder to its new name, and tell the history, the ledger and the index of it."""
    place = project.images / STAGING.format(id=act.id)
    done = []
    with explain_disk_errors(project.images):
        for number, group in enumerate(act.groups):
            stem = _place(project, act, number, group, place)
            if stem:
                done.append(Rename(group.old, stem))
            with contextlib.suppress(Cancelled):  # it is half done: forward is the way out
                progress.advance(stem)
        if not cancelled:
            _tell(project, act, [one for one in done if one.old != one.new], again)
        note_event(project, {"event": "done", "id": act.id, "stems": [] if cancelled else [[one.old, one.new] for one in done]})
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
        (project.hidden / PENDING).unlink(missing_ok=True)
    return done


def _place(project: Project, act: JournalEntry, number: int, group: Group, place: Path) -> str:
    """Put the files of one group in place. Returns: its stem now; empty where none of its files is left."""
    stem = act.other.get(number, group.new)
    waiting = [file for file in group.files if (place / file[2]).exists()]
    if any(_room(project, file[0]).joinpath(group.name(file, stem)).exists() for file in waiting):
        taken, base, count = names_held(project), stem, 1
        while fold(stem) in taken:
            count += 1
            stem = f"{base}-{count}"
        note_event(project, {"event": "other", "id": act.id, "group": number, "stem": stem})
        for file in group.files:  # what a kill had put under the first name already
            before = _room(project, file[0]).joinpath(group.name(file, base))
            if file not in waiting and before.exists():
                before.rename(_room(project, file[0]) / group.name(file, stem))
    for file in waiting:
        (place / file[2]).rename(_room(project, file[0]) / group.name(file, stem))
    there = any(_room(project, file[0]).joinpath(group.name(file, stem)).exists() for file in group.files)
    return stem if there else ""


def _tell(project: Project, act: JournalEntry, done: Sequence[Rename], again: bool) -> None:
    """Names in the history of captions, in the ledger of imports and in the index.

    Args: again: a kill may have come after a part of it.
    """
    stems: dict[str, str | None] = {one.old: one.new for one in done}
    gone = {one.new: None for one in done if one.new not in stems}
    append_values(project.hidden / HISTORY_FILE, [{"event": "renamed", "id": act.id, "time": act.time, "stems": {**gone, **stems}}],
                  sync=True)
    names = {}
    for group in act.groups:
        if new := stems.get(group.old):
            names.update({name: new + name[len(group.old):] for room, name, _ in group.files if room == "images"})
    _tell_ledger(project, act, names)
    with Index(project.hidden / "index.sqlite") as index:
        known = {} if again else index.images()
        rows = [known[old]._replace(path=new) for old, new in names.items() if old in known]
        index.remember_images([], gone={*names, *names.values()})
        index.remember_images(rows)


def _tell_ledger(project: Project, act: JournalEntry, names: Mapping[str, str]) -> None:
    """Where each file came from stays known. All in one write with a mark, which readers pass over: a kill leaves all of it or nothing."""
    ledger = project.hidden / LEDGER_FILE
    mark = json.dumps({"renamed": act.id})
    if not ledger.exists() or mark.encode() in ledger.read_bytes():
        return
    latest = {record.name: record for record in read_ledger(project)}
    lines = [json.dumps(vars(replace(latest[old], name=new)), ensure_ascii=False) for old, new in names.items() if old in latest]
    append_lines(ledger, ["\n".join([*lines, mark])], errors="backslashreplace")


def _mend(project: Project) -> bool:
    """Finish the renaming that was not finished (the lock is held)."""
    acts = [act for act in read_journal(project) if not act.done]
    for act in acts[-1:]:
        if not act.staged:
            _stage(project, act, SILENT)
        _finish(project, act, SILENT, again=True)
    with contextlib.suppress(OSError):  # the kill came behind the last word, before the folder was taken away
        (project.images / STAGING.format(id=(project.hidden / PENDING).read_text(encoding="utf-8").strip())).rmdir()
    (project.hidden / PENDING).unlink(missing_ok=True)
    return bool(acts)


def _room(project: Project, room: str) -> Path:
    return {"images": project.images, "variants": project.variants, "replaced": project.variants / REPLACED}[room]


@contextlib.contextmanager
def _alone(project: Project) -> Iterator[None]:
    """Nobody else gives names, moves images, trains on them or writes captions in bulk. Raises: DatasetError: somebody does just now."""
    with contextlib.ExitStack() as stack:
        try:
            for name in (LOCK, MOVING_LOCK):
                stack.enter_context(locked(project.hidden / name, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise DatasetError(f"Images of {project.name!r} are being imported or moved just now, so nothing was renamed.",
                               "Wait until that has ended.") from error
        stack.enter_context(project.not_in_training("renamed"))
        stack.enter_context(not_worked_on(project, "nothing was renamed"))
        stack.enter_context(alone(project, "renamed"))
        yield
