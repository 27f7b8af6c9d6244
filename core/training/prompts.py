"""Sample prompts that are proposed from the project's own words: its trigger word and its most frequent tags."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.dataset.captions.files import caption_path_for, read_caption_text
from core.dataset.captions.statistics import holding, tag_frequencies
from core.training.config.sampling import LOOKS_LIKE_FLAG
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
    """Prompts in the words of a project's captions; none where it has neither trigger word nor captions."""
    captions = read_captions(project.images)
    counts = tag_frequencies(captions)
    return propose_prompts(project.trigger_word, {counts.shown(key): holding(captions, key) for key, _ in counts.most_common(CANDIDATES)})


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
    return list(dict.fromkeys(filter(None, [full, trigger])))


def _is_plain(tag: str, trigger: str) -> bool:
    """Whether it is a tag that says more than the trigger word, and means the same in a prompt as in a caption."""
    if not trigger and LOOKS_LIKE_FLAG.match(tag):
        return False
    return _words(tag) != _words(trigger) and len(tag.split()) <= LONGEST_TAG and not READ_OTHERWISE.search(tag)


def _words(tag: str) -> str:
    return tag.strip().casefold().replace("_", " ")
