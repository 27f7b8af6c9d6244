"""Sample prompts that are proposed from the project's own words: its trigger word and its most frequent tags."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import ConfigError
from core.dataset.captions.files import caption_path_for, read_caption_text
from core.dataset.captions.statistics import holding, tag_frequencies
from core.training.config.sampling import LOOKS_LIKE_FLAG, SamplePrompt
from core.training.config.sources import image_files

if TYPE_CHECKING:
    from core.dataset.project import Project

MOST_CAPTIONS = 1000
"""Enough to know what is usual."""
CANDIDATES = 30
"""Of the most frequent tags, from which the prompts are made."""
MOST_TAGS = 5
LONGEST_TAG = 4
"""Words; a longer one is a piece of a sentence."""
FEWEST_CAPTIONS = 2
"""Captions that hold a tag which counts as usual."""
READ_OTHERWISE = re.compile(r"[()\[\]{}|<>\\#]|--")
"""Signs that a prompt means as weights, choices or flags, and a caption does not."""


def prompts_for(project: Project) -> list[str]:
    """Prompts in the words of a project's captions; none where it has neither trigger word nor captions.

    The captions are read again only when their folder changed, for panels ask at every look, and on a network drive each file takes time.
    """
    return list(_proposed(project.images, project.trigger_word, _mark(project.images)))


@lru_cache(maxsize=4)
def _proposed(images: Path, trigger: str, mark: tuple[object, ...]) -> tuple[str, ...]:
    """The prompts for a folder as it is; `mark` tells one state of it from another."""
    captions = read_captions(images)
    counts = tag_frequencies(captions)
    return tuple(propose_prompts(trigger, {counts.shown(key): holding(captions, key) for key, _ in counts.most_common(CANDIDATES)}))


def _mark(images: Path) -> tuple[object, ...]:
    """What tells that a folder's captions changed, without a look at each: its time, which each file written beside and renamed sets
    anew, as all of Lorabook's are, and the names in it. What another program changes inside a caption file counts at the next change.
    """
    try:
        with os.scandir(images) as entries:
            return images.stat().st_mtime_ns, frozenset(entry.name for entry in entries)
    except OSError:
        return ()


def read_captions(images: Path) -> dict[str, str]:
    """Picture's name → its caption, of the first pictures of a folder; no picture is opened, and none need be known to an index."""
    files = image_files(images)[:MOST_CAPTIONS] if images.is_dir() else []
    return {path.name: text for path in files if (text := read_caption_text(caption_path_for(path)))}


def propose_prompts(trigger: str, tags: Mapping[str, Collection[str]]) -> list[str]:
    """The trigger word with the most frequent tags, then by itself, which shows what the word alone has come to mean.

    Tags are taken only while at least one caption holds them all, so that nobody is asked to smile and frown at once.

    Args: trigger: may be empty. tags: each as it is usually written → ids of the captions that hold it.
    Returns: prompts that `SamplingSettings` takes; none where there is neither word nor tag.
    """
    chosen: list[str] = []
    together: set[str] = set()
    for tag, captions in sorted(tags.items(), key=lambda pair: -len(pair[1])):
        shared = together & set(captions) if chosen else set(captions)
        if shared and len(captions) >= FEWEST_CAPTIONS and _is_plain(tag, trigger) and len(chosen) < MOST_TAGS:
            chosen.append(tag)
            together = shared
    full = ", ".join(filter(None, [trigger, *chosen]))
    return [prompt for prompt in dict.fromkeys(filter(None, [full, trigger])) if _is_taken(prompt)]


def _is_taken(prompt: str) -> bool:
    """Whether the settings take it as it stands; a trigger word may begin like a flag of a prompt's line ("w 3") or hold one."""
    try:
        return SamplePrompt.from_line(prompt).prompt == prompt
    except ConfigError:
        return False


def _is_plain(tag: str, trigger: str) -> bool:
    """Whether it is a tag that says more than the trigger word, and means the same in a prompt as in a caption."""
    if not trigger and LOOKS_LIKE_FLAG.match(tag):
        return False
    return _words(tag) != _words(trigger) and len(tag.split()) <= LONGEST_TAG and not READ_OTHERWISE.search(tag)


def _words(tag: str) -> str:
    return tag.strip().casefold().replace("_", " ")
