"""Caches of the trainers that are older than what they were made of: sd-scripts looks at their keys and sizes only, never at the time.

It even takes a picture's size from the name of its cache, so that a picture that was cropped since is learned as it was before.
musubi-tuner makes its caches anew at each run unless it is told to skip those that exist.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from core.base.findings import Finding
from core.base.words import counted
from core.dataset.captions.files import CAPTION_EXTENSION, STALE_CACHES
from core.dataset.images.files import IMAGE_SUFFIXES
from core.dataset.project import project_of_images

LATENTS = re.compile(r"^(?P<stem>.+)_(?P<width>\d{4,})x(?P<height>\d{4,})_(?:sd|sdxl|sd3|flux|lumina|hi|anima)\.npz$")
"""`STEM_WWWWxHHHH_KIND.npz`; width and height are those of the picture. Source: library/strategy_*.py of sd-scripts."""
SHOWN = 3


@dataclass(frozen=True)
class Stale:
    """Caches of one folder that would be learned instead of what is there now."""

    folder: Path
    latents: tuple[str, ...] = ()
    """Names of latents that are older than their picture, or that were made of another size of it."""
    texts: tuple[str, ...] = ()
    """Names of text outputs that are older than their caption."""
    orphans: tuple[str, ...] = ()
    """Names of latents whose picture is gone; they do no harm, but take room."""


def find_stale(folder: Path, sizes: dict[str, tuple[int, int]] | None = None, caption_extension: str = CAPTION_EXTENSION) -> Stale:
    """Which caches of a folder are out of date; nothing is changed.

    A cache that is as old as its picture counts as stale: file systems tell the time in grains of up to two seconds.

    Args: sizes: width and height of pictures by file name, where they are known; a cache that names another size is stale, whatever its
        time.
    Raises: OSError: the folder cannot be read.
    """
    times, caches = _listed(folder)
    pictures = {name[:name.rfind(".")]: name for name in times if name.lower().endswith(IMAGE_SUFFIXES)}
    latents, texts, orphans = [], [], []
    for name, made in caches.items():
        if match := LATENTS.match(name):
            picture, size = pictures.get(match["stem"]), (int(match["width"]), int(match["height"]))
            if picture is None:
                orphans.append(name)
            elif made <= times[picture] or (sizes or {}).get(picture, size) != size:
                latents.append(name)
        elif ending := next((one for one in STALE_CACHES if name.endswith(one)), ""):
            caption = times.get(name.removesuffix(ending) + caption_extension)
            if caption is not None and made <= caption:
                texts.append(name)
        elif (picture := pictures.get(name.removesuffix(".npz"))) and made <= times[picture]:
            latents.append(name)  # the old form, without size and kind, which sd-scripts still prefers
    return Stale(folder, tuple(sorted(latents)), tuple(sorted(texts)), tuple(sorted(orphans)))


def check_caches(stale: Stale) -> list[Finding]:
    """What to say of them. In folders of a project they go when a training begins; elsewhere nothing is deleted that is not ours."""
    found, place, is_ours = [], stale.folder, project_of_images(stale.folder) is not None
    for names, thing, words in ((stale.latents, "picture", "what it was before"), (stale.texts, "caption", "the old words")):
        if names:
            are = "is" if len(names) == 1 else "are"
            what = f"{counted(len(names), f'cached {thing}')} in {place} {are} older than the {thing} itself ({_some(names)})"
            if is_ours:
                found.append(Finding("info", f"{what}.", "They are made anew when the training begins."))
            else:
                remedy = "Delete these caches; the trainer makes them anew."
                found.append(Finding("warning", f"{what}: the trainer would learn {words}.", remedy))
    if stale.orphans:
        found.append(Finding("info", f"{counted(len(stale.orphans), 'cache')} of pictures that are gone in {place} "
                             f"({_some(stale.orphans)}).", "They do no harm; deleting them makes room."))
    return found


def forget_stale(stale: Stale) -> int:
    """Delete the caches that would be learned instead of what is there now; the trainer makes them anew.

    A training reads its caches at each step: only one that holds the folder alone may call this.

    Returns: how many were deleted. Raises: OSError: one cannot be deleted.
    """
    gone = 0
    for name in (*stale.latents, *stale.texts):
        with contextlib.suppress(FileNotFoundError):
            (stale.folder / name).unlink()
            gone += 1
    return gone


def _listed(folder: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Times (ns) of everything but caches, and of caches, by name."""
    times: dict[str, int] = {}
    caches: dict[str, int] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):
                    (caches if entry.name.endswith(".npz") else times)[entry.name] = entry.stat().st_mtime_ns
    if not caches:
        return {}, {}
    return times, caches


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
