"""The rows that the gallery's grid shows: listed, filtered and sorted beside the kernel, thumbnails sent as they are looked at."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.base.errors import StudioError
from core.dataset.captions.taggers.lists import listed_tags
from core.dataset.filter_hints import meant_by
from core.dataset.filtering import SORTS, Filter, choose, parse_filter, prepare, sort_needs
from core.dataset.images.thumbnails import Thumbnail, Thumbnails, Wanted
from core.dataset.listing import Listing, read_captions, remember, remembered, scan, tag_counts
from core.dataset.project import Project
from widgets.components.grid import GridSide, View
from widgets.dataset.badges import Badges
from widgets.dataset.rows import facts_of_row, only_rejected, ranges_of
from widgets.kernel_loop import KernelLoop

MOST_ROWS = 400
"""Rows of one question; a screen holds far fewer."""
LIST_REST = 3.0
"""Seconds between two listings of a folder that changes all the time."""
PAINT_FIRST = 1.0
"""Seconds before a folder whose listing was kept is listed again: the first pictures come before."""
BYTES_PER_IMAGE = 60_000
"""A store that is larger than this holds many thumbnails of images that are gone."""


class Shelf:
    """What the grid shows of one project.

    Args:
        gallery: the grid.
        fail: tells the person what is wrong.
        changed: called when other rows are shown.
    """

    def __init__(self, gallery: GridSide, loop: KernelLoop, fail: Callable[[BaseException], None], changed: Callable[[], None]) -> None:
        self.gallery, self.loop, self._fail, self._changed = gallery, loop, fail, changed
        self.project: Project | None = None
        self.listing: Listing | None = None
        self.rows: array[int] = array("I")
        self.view = View()
        self.seen_mtime = 0
        """Time of the images folder when it was listed last."""
        self._touched_mtime = 0
        """The same, when what is on screen was read again last."""
        self._picked_out: frozenset[str] = frozenset()
        """Ids that are to be selected as soon as all pictures are shown."""
        self._listed = (0.0, 0.0)
        """When that ended, and how many seconds it took."""
        self._wanted: tuple[str, str, Filter] = ("", "name", Filter(((),)))
        self._thumbs: Thumbnails | None = None
        self._badges: Badges | None = None
        self._versions_mark: object = None
        self._ready: list[Thumbnail] = []
        self._lock = threading.Lock()
        self._scanning = self._again = False
        self._meant = ("", "")
        """A filter without a hit, and what was probably meant by it."""

    def open(self, project: Project | None) -> None:
        """Show a project; what was kept of it comes at once, the rest when its folder has been listed."""
        if project is not None and self.project is not None and project.folder == self.project.folder:
            self.look()
            return
        self.close()
        self.project, self.rows, self._wanted = project, array("I"), ("", "name", Filter(((),)))
        self._picked_out, self._meant = frozenset(), ("", "")
        self.listing = remembered(project) if project is not None else None
        if self.listing is not None:
            self.rows = array("I", range(self.listing.kept))
        self.view = View(version=self.view.version + 1, total=len(self.rows), all=len(self.rows), aside=rejected_of(self.listing))
        if project is not None:
            self._badges = Badges(project)
            self._versions_mark = self._badges.mark()
            self._thumbs = Thumbnails(project.hidden / "thumbs", self._made)
        self._show()
        if self.listing is None:
            self.look()
        else:
            self.loop.after(lambda: self.look() if self.project is project else None, PAINT_FIRST)

    def close(self) -> None:
        """Let go of the threads."""
        if self._thumbs is not None:
            threading.Thread(target=self._thumbs.close, daemon=True).start()
            self._thumbs = None

    # Rows

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, row: int) -> str:
        """Names the picture of a row."""
        assert self.listing is not None
        return self.listing.key(self.rows[row])

    def row_of(self, key: str, near: int = 0) -> int:
        """The row of a picture; -1 where it is not shown. Args: near: where it probably is."""
        if self.listing is None:
            return -1
        if 0 <= near < len(self.rows) and self.key(near) == key:
            return near
        return next((row for row, place in enumerate(self.rows) if self.listing.key(place) == key), -1)

    def place(self, key: str) -> Path:
        """The file of a picture. Raises: KeyError: no project is shown."""
        if self.project is None:
            raise KeyError(key)
        name = key.removeprefix("rejected/")
        return (self.project.rejected if name != key else self.project.images) / name

    def reason(self, key: str) -> str | None:
        """Why a picture is rejected; None: it is not."""
        name = key.removeprefix("rejected/")
        return None if name == key else (self.listing.reasons.get(name, "") if self.listing else "")

    def keys(self, ranges: Sequence[Sequence[int]]) -> list[str]:
        """The pictures of ranges of rows."""
        return [self.key(row) for low, high in ranges for row in range(max(0, low), min(high, len(self.rows)))]

    def selected(self) -> list[str]:
        """Keys of the pictures that are selected."""
        return self.keys(self.view.selected)

    def counts(self) -> tuple[int, int]:
        """How many pictures are selected and shown, without rejected ones."""
        listing = self.listing
        if listing is None:
            return 0, 0
        if not self._wanted[2].shows_rejected():
            return sum(high - low for low, high in self.view.selected), len(self.rows)
        kept = [not listing.is_rejected(place) for place in self.rows]
        return sum(sum(kept[low:high]) for low, high in self.view.selected), sum(kept)

    # What the browser asks

    def asked(self, kind: str, given: Mapping[str, Any]) -> None:
        """Answer a question of the grid. What makes no sense is passed over."""
        if kind == "want":
            rows, seen = ([int(row) for row in given.get(name) or ()] for name in ("rows", "seen"))
            self._want(int(given["version"]), int(given["serial"]), rows[:MOST_ROWS], set(seen))
        elif kind == "filter":
            self._filter(str(given["text"]), str(given["sort"]))
        elif kind == "select" and given["version"] == self.view.version:
            self.view = replace(self.view, selected=ranges_of(given["ranges"]))
        elif kind == "tags":
            self._tags(bool(given.get("lists")))

    def _want(self, version: int, serial: int, rows: Sequence[int], seen: set[int]) -> None:
        """Facts of rows, and the thumbnails of those whose the browser has not seen."""
        listing, thumbs, badges, order = self.listing, self._thumbs, self._badges, self.rows
        if version != self.view.version or listing is None or thumbs is None or badges is None:
            return
        places = {row: order[row] for row in rows if 0 <= row < len(order)}
        unseen = [place for row, place in places.items() if row not in seen]
        wanted = [Wanted(listing.key(place), listing.path(place), *listing.marks[place]) for place in unseen]

        def looked(found: list[Thumbnail]) -> None:
            words = badges.of(listing)
            infos = [facts_of_row(listing, row, place, words) for row, place in places.items()]
            thumbs_found = {item.key: item.data for item in found}
            self.loop.soon(lambda: self.gallery.send_rows(version, serial, infos, thumbs_found, {}))

        thumbs.want(wanted, looked)

    def _made(self, made: list[Thumbnail]) -> None:
        """In a worker's thread: what is ready goes to the browser together, as soon as the kernel's loop comes round."""
        with self._lock:
            first = not self._ready
            self._ready += made
        if first:
            self.loop.soon(self._send_ready)

    def _send_ready(self) -> None:
        with self._lock:
            made, self._ready = self._ready, []
        thumbs = {item.key: item.data for item in made if item.data}
        troubles = {item.key: item.trouble for item in made if not item.data}
        self.gallery.send_rows(self.view.version, 0, [], thumbs, troubles)

    def _filter(self, text: str, sort: str) -> None:
        try:
            wanted = parse_filter(text)
        except StudioError as error:
            self.view = replace(self.view, trouble=str(error))
            self._show()
            return
        self._wanted = (text, sort if sort in SORTS else "name", wanted)
        slow = self.listing is not None and self.listing.captions is None and len(self.listing) > 2000
        if slow and (wanted.needs_captions() or sort_needs(sort)[0]):
            self.view = replace(self.view, working="Reading the captions …")
            self._show()
        self.look()

    def pick_out(self, ids: Collection[str]) -> None:
        """Select these pictures and go to the first; the filter is emptied, so that they are shown. Args: ids: without rejected ones."""
        self._picked_out = frozenset(ids)
        self._filter("", self.view.sort)

    def _tags(self, lists: bool) -> None:
        """Tell which tags can be offered. Args: lists: also those of the taggers on this machine."""
        listing = self.listing
        if listing is None:
            return

        def count() -> tuple[list[tuple[str, int]], list[str] | None]:
            tags = tag_counts(listing if listing.captions is not None else read_captions(listing))
            return tags, listed_tags(tags) if lists else None

        self.loop.beside(count, lambda result, error: self._fail(error) if error else self.gallery.send_tags(*result))

    # Looking at the folder

    def look(self) -> None:
        """List the folder again beside the kernel, and show what changed. Looks that come meanwhile become one."""
        if self.project is None:
            return
        if self._scanning:
            self._again = True
            return
        self._scanning = True
        project, before, wanted = self.project, self.listing, self._wanted

        def listed() -> tuple[int, Listing, array[int]]:
            begun = time.monotonic()
            mtime = project.images.stat().st_mtime_ns if project.images.is_dir() else 0
            listing = scan(project, before)
            needs_captions = wanted[2].needs_captions() or sort_needs(wanted[1])[0] or (before is not None and before.captions is not None)
            if needs_captions:
                read_captions(listing, before)
            unknown = 0 in listing.widths
            prepare(listing, wanted[2], wanted[1])
            found_sizes = unknown and 0 not in listing.widths
            facts = (listing.names, listing.marks, listing.reasons)
            if found_sizes or before is None or facts != (before.names, before.marks, before.reasons):
                remember(listing)
            self._tidy(listing)
            self._listed = (time.monotonic(), time.monotonic() - begun)
            return mtime, listing, choose(listing, wanted[2], wanted[1])

        def shown(result: tuple[int, Listing, array[int]] | None, error: BaseException | None) -> None:
            self._scanning = False
            if error is not None:
                self._fail(error)
            elif result is not None and project is self.project:
                self.seen_mtime = result[0]
                self._adopt(result[1], result[2], wanted)
            if self._again or project is not self.project:
                self._again = False
                self.look()

        self.loop.beside(listed, shown)

    def glance(self) -> None:
        """Look whether the folder changed. While a job changes it without end, what is on screen is read again each time, which costs
        little, and all is listed again more rarely: a twentieth of the time goes into that, a tenth where a filter goes by captions.
        """
        if self.project is None or not self.seen_mtime:
            return
        try:
            mtime = self.project.images.stat().st_mtime_ns
        except OSError:
            return
        self._glance_at_versions()
        ended, seconds = self._listed
        by_captions = self._wanted[2].needs_captions() or sort_needs(self._wanted[1])[0]
        rest = 10 * seconds if by_captions else max(LIST_REST, 20 * seconds)
        if mtime != self.seen_mtime and time.monotonic() - ended >= rest:
            self.look()
        elif mtime not in (self.seen_mtime, self._touched_mtime):
            self.touched()
        self._touched_mtime = mtime

    def _glance_at_versions(self) -> None:
        """What is on screen says which versions there are."""
        mark = self._badges.mark() if self._badges is not None else None
        if mark != self._versions_mark:
            self._versions_mark = mark
            self.touched()

    def _tidy(self, listing: Listing) -> None:
        thumbs = self._thumbs
        if thumbs is not None and thumbs.store.bytes() > 50_000_000 + BYTES_PER_IMAGE * len(listing):
            thumbs.store.forget_all_but(listing.key(row) for row in range(len(listing)))

    def _adopt(self, listing: Listing, rows: array[int], wanted: tuple[str, str, Filter]) -> None:
        before, old_rows, view = self.listing, self.rows, self.view
        text, sort, chosen = wanted
        picked, self._picked_out = (frozenset(), self._picked_out) if text else (self._picked_out, frozenset())
        selected, others = self._still_selected(listing)
        same = (before is not None and before.names == listing.names and before.kept == listing.kept and rows == old_rows
                and not picked and not others)
        everything = len(listing) if chosen.shows_rejected() else listing.kept
        facts: dict[str, Any] = {"all": everything, "filter": text, "sort": sort, "rejected": only_rejected(listing, rows),
                                 "aside": rejected_of(listing), "meant": "" if rows or self._meant[0] != text else self._meant[1],
                                 "trouble": "", "working": ""}
        if same and before is not None:
            stale = [] if listing.marks == before.marks else [
                listing.key(row) for row, mark in enumerate(listing.marks) if mark != before.marks[row]][:MOST_ROWS]
            self.listing = listing
            self.view = replace(view, stamp=view.stamp + 1, stale=stale, **facts)
        else:
            kept = (text, sort) == (view.filter, view.sort)
            self.listing, self.rows = listing, rows
            if picked:
                selected = {key for key in map(self.key, range(len(rows))) if Path(key).stem in picked and not key.startswith("rejected/")}
            self.view = replace(view, version=view.version + 1, total=len(rows), keep=kept, stale=[],
                                selected=self._ranges(selected), **facts)
        self._show()
        self._changed()
        if picked and self.view.selected:
            self.gallery.send_go(self.view.selected[0][0])
        if rows or not text:
            self._meant = ("", "")
        elif self._meant[0] != text:
            self._find_meant(listing, text, chosen)

    def _still_selected(self, listing: Listing) -> tuple[set[str], bool]:
        """Which of the selected pictures still have their names, and whether others have one of these: after a renaming what is
        selected must not become other pictures."""
        before = self.listing
        if before is None or not self.view.selected:
            return set(), False
        places = [self.rows[row] for low, high in self.view.selected for row in range(low, min(high, len(self.rows)))]
        if listing.marks == before.marks and listing.names == before.names:
            return {before.key(place) for place in places}, False
        now = {listing.key(place): mark for place, mark in enumerate(listing.marks)}
        marks = {before.key(place): before.marks[place] for place in places}
        still = {key for key, mark in marks.items() if now.get(key) == mark}
        return still, any(key in now and key not in still for key in marks)

    def _find_meant(self, listing: Listing, text: str, chosen: Filter) -> None:
        """Say beside a filter without a hit what was probably meant, as soon as it is known: in a large set that takes seconds."""
        self._meant = (text, "")

        def found(meant: str | None, error: BaseException | None) -> None:
            if error is not None:
                self._fail(error)
            elif self._meant[0] == text and listing.project is self.project:
                self._meant = (text, meant or "")
                self.view = replace(self.view, meant="" if self.rows else self._meant[1])
                self._show()

        self.loop.beside(lambda: meant_by(chosen, listing), found)

    def _ranges(self, keys: set[str]) -> list[list[int]]:
        """Where pictures stand now, as ranges of rows."""
        ranges: list[list[int]] = []
        for row in range(len(self.rows)) if keys else ():
            if self.key(row) in keys:
                if ranges and ranges[-1][1] == row:
                    ranges[-1][1] = row + 1
                else:
                    ranges.append([row, row + 1])
        return ranges

    def offer_undo(self, words: str) -> None:
        """Show the button that puts back what was rejected last; empty words take it away."""
        self.view = replace(self.view, undo=words)
        self._show()

    def touched(self) -> None:
        """Facts of shown pictures changed: a caption was saved."""
        self.view = replace(self.view, stamp=self.view.stamp + 1, stale=[])
        self._show()

    def _show(self) -> None:
        self.gallery.show_view(self.view)


def rejected_of(listing: Listing | None) -> int:
    """How many pictures are rejected."""
    return 0 if listing is None else len(listing) - listing.kept
