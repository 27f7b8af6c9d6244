"""Versions of the captions: the list of what was done, named snapshots, comparing two, and the way back to any of them."""

from __future__ import annotations

import gzip
import json
import secrets
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError, DatasetError
from core.base.files import write_bytes
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted
from core.dataset.captions.editing import EditPlan, EditReport, apply_plan
from core.dataset.captions.files import has_lines, one_line, read_lines
from core.dataset.history import START, History
from core.dataset.history_file import Change, VersionMark, append_values, under_present_name
from core.dataset.items import ImageItem, Skipped, list_items
from core.dataset.project import Project
from core.dataset.undoing import OTHER, net_swaps

NOW = "now"
"""Stands for the captions as they are."""
VERSIONS_DIR = "versions"


class VersionSettings(Settings):
    """A name for the captions as they are now."""

    title = "Keep a version"

    name: str = setting(..., "Name", "For example: before the style pass.", min_length=1, max_length=120)
    run: str = setting("", "Training run", "The run that these captions belong to; empty for none.")


@dataclass(frozen=True)
class Step:
    """One line of the list of versions."""

    id: str
    what: str
    time: float
    captions: int
    state: str
    """"in effect", "undone" (can be made again), "replaced" (undone before a later change), "interrupted", "version"."""
    run: str = ""


@dataclass(frozen=True)
class Comparison:
    """How the captions of two versions differ."""

    changes: list[Change]
    same: int

    def sentence(self) -> str:
        """The result in one line."""
        differ = "differs" if len(self.changes) == 1 else "differ"
        return f"{counted(len(self.changes), 'caption')} {differ}, {self.same} {'is' if self.same == 1 else 'are'} the same."

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the first hundred."""
        first = [{"image": one.image, "before": one.before, "after": one.after} for one in self.changes[:100]]
        return {"changes": len(self.changes), "same": self.same, "first": first}


def list_versions(project: Project) -> list[Step]:
    """Everything that was done and every named version, newest first."""
    history = History.of(project)
    summary = history.summary()
    broken = {entry.id for entry in history.interrupted()}
    applied, redo = set(summary.applied), set(summary.redo)
    steps = [Step(entry.id, entry.what, entry.time, entry.count,
                  "interrupted" if entry.id in broken else "in effect" if entry.id in applied
                  else "undone" if entry.id in redo else "replaced") for entry in list(summary.entries.values())]  # live: others add to it
    steps += [Step(mark.id, mark.name, mark.time, mark.count, "version", mark.run) for mark in list(summary.versions)]
    return sorted(steps, key=lambda step: -step.time)


def name_version(project: Project, settings: VersionSettings) -> VersionMark:
    """Keep the captions as they are now under a name, tied to a training run if one is given.

    Raises: ConfigError: the name is taken, or there is no such run; DatasetError: there are no captions; DiskError.
    """
    history = History.of(project)
    name = settings.name.strip()
    if any(mark.name == name for mark in history.summary().versions):
        raise ConfigError(f"A version is called {name!r} already.", "Choose another name.")
    if settings.run and not (project.runs / settings.run).is_dir():
        raise ConfigError(f"There is no training run {settings.run!r} in {project.runs}.", "Leave it empty, or choose one that is there.")
    items = [item for item in list_items(project) if item.caption]
    if not items:
        raise DatasetError("There are no captions to keep.", "Tag or write some first.")
    authored = history.authored({item.id: item.sha256 for item in items})
    lines = []
    for item in items:
        written = sorted(authored[item.id]) if item.id in authored else None
        row: list[Any] = [item.id, item.caption_name, _as_it_stands(item) or item.caption, written, item.sha256]
        lines.append(json.dumps(row, ensure_ascii=False))
    mark_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    file = f"{VERSIONS_DIR}/{mark_id}.jsonl.gz"
    text = "\n".join(lines) + "\n"
    write_bytes(project.hidden / file, gzip.compress(text.encode("utf-8", "surrogatepass"), 1, mtime=0))
    now = time.time()
    append_values(_file(project), [{"event": "version", "version": mark_id, "name": name, "time": now, "file": file, "count": len(items),
                                   "run": settings.run}], sync=True)
    return VersionMark(mark_id, name, now, file, len(items), settings.run)


def captions_at(project: Project, version: str) -> dict[str, Change]:
    """Caption file → what it held, as a change from nothing (with the tags that a model had written, where a snapshot knows them).

    Lines are kept where they are known: in a snapshot, and in what an entry replaced. What is there now is told in one line.

    Args: version: id or name of a version, id of an entry that holds (right after it), `START` or `NOW`.
    Raises: ConfigError: there is no such version; DatasetError: its snapshot is gone or damaged.
    """
    history = History.of(project)
    mark = next((mark for mark in history.summary().versions if version in (mark.id, mark.name)), None)
    if mark is not None:
        return _read_snapshot(project, mark)
    present = {item.caption_name: Change(item.id, item.caption_name, None, item.caption) for item in list_items(project) if item.caption}
    if version == NOW:
        return present
    applied = history.applied()
    names = [entry.id for entry in applied]
    wrote = applied[names.index(version)].read_changes() if version in names else ()
    if version != START and version not in names:
        raise ConfigError(f"The captions have no version {version!r}.", "Only what is in effect, and named versions, can be compared.")
    later = applied[0 if version == START else names.index(version) + 1:]
    images = {change.file: change.image for entry in later for change in entry.read_changes()}
    swaps = net_swaps(later[::-1], "undo")
    for file, swap in swaps.items():
        if swap.after:
            present[file] = Change(images[file], file, None, swap.after)
        else:
            present.pop(file, None)
    for change in wrote:  # what was written by hand since is not in the history, but what stood there then is
        if change.file not in swaps and change.after:
            present[change.file] = Change(change.image, change.file, None, change.after)
    return present


def compare_versions(project: Project, before: str, after: str = NOW) -> Comparison:
    """How the words of the captions differ between two versions (as for `captions_at`). Raises: ConfigError, DatasetError."""
    one, other = ({file: replace(change, after=one_line(change.after or "")) for file, change in captions_at(project, version).items()}
                  for version in (before, after))
    return _compare(one, other)


def plan_restore(project: Project, version: str) -> EditPlan:
    """What going back to a named version would change; nothing is touched. Captions of images that are gone stay away; where another
    picture has an image's name by now, its caption is left as it is, and named.

    Raises: ConfigError: there is no such version; DatasetError: its snapshot is gone or damaged.
    """
    mark = next((mark for mark in History.of(project).summary().versions if version in (mark.id, mark.name)), None)
    if mark is None:
        raise ConfigError(f"No version is called {version!r}.", "The history panel lists them.")
    items = list_items(project)
    images = {item.caption_name: item for item in items}
    same = {(item.caption_name, item.sha256) for item in items}
    wanted = {file: change for file, change in _read_snapshot(project, mark).items() if file in images}
    present = captions_at(project, NOW)
    for file in [file for file, change in wanted.items() if file in present and has_lines(change.after or "")]:
        present[file] = replace(present[file], after=_as_it_stands(images[file]) or present[file].after)
    changes, skipped = [], []
    for one in _compare(present, wanted).changes:
        sha256 = wanted[one.file].sha256 if one.after else ""
        if sha256 and not same & {(one.file, sha256), (one.file, "")}:
            skipped.append(Skipped(one.file, OTHER))
        elif one.after:
            changes.append(Change(one.image, one.file, one.before, one.after, wanted[one.file].written, sha256))
    return EditPlan(f"Back to the version {mark.name!r}", changes, len(wanted) - len(changes) - len(skipped), skipped)


def restore_version(project: Project, version: str, progress: Progress = SILENT) -> EditReport:
    """Go back to a named version, as one change that can be undone. A caption that the version did not have stays.

    Raises: ConfigError, DatasetError: as for `plan_restore`; Cancelled; DiskError.
    """
    return apply_plan(project, plan_restore(project, version), progress)


def _as_it_stands(item: ImageItem) -> str | None:
    """A caption of several lines as its file has it; None: it has one, or cannot be read."""
    try:
        return read_lines(item.caption_path)
    except DatasetError:
        return None


def _read_snapshot(project: Project, mark: VersionMark) -> dict[str, Change]:
    path = project.hidden / mark.file
    try:
        lines = gzip.decompress(path.read_bytes()).decode("utf-8", "surrogatepass").split("\n")
        rows: Sequence[list[Any]] = [json.loads(line) for line in lines if line]
        found = {}
        for image, file, text, *model in rows:
            written, sha256 = model or (None, "")
            change = Change(image, file, None, text, None if written is None else tuple(written), sha256)
            present = under_present_name(change, mark.renames, mark.place)
            if present is not None:
                found[present.file] = present
        return found
    except (OSError, EOFError, zlib.error, ValueError, TypeError) as error:
        raise DatasetError(f"The version {mark.name!r} cannot be read from {path} ({error}).",
                           "The changes since then can still be undone one by one.") from error


def _compare(before: dict[str, Change], after: dict[str, Change]) -> Comparison:
    changes = []
    for file in sorted(before.keys() | after.keys()):
        one, other = before.get(file), after.get(file)
        old, new = one.after if one else None, other.after if other else None
        if old != new:
            changes.append(Change((other or one).image, file, old, new))  # type: ignore[union-attr]
    return Comparison(changes, len(before.keys() | after.keys()) - len(changes))


def _file(project: Project) -> Path:
    path = History.of(project).path
    assert path is not None
    return path
