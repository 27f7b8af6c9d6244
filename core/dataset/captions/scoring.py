"""What one or several taggers say of each image: kept answers where there are some, else the models' own, one model after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from core.base.errors import DatasetError, StudioError
from core.base.hub import is_fetched
from core.base.progress import Progress
from core.base.words import model_words
from core.dataset.captions.choosing import TagSettings
from core.dataset.captions.scores import ScoreStore, TagScores
from core.dataset.captions.taggers import TAGGERS, TaggerFiles
from core.dataset.captions.taggers.feeding import feed
from core.dataset.items import ImageItem, is_unchanged

Answers = dict[str, TagScores]
"""Tagger → its scores."""
MODEL_FILE = "model.onnx"
CHUNK = 1000
"""Images whose kept scores are read at a time."""
LOST = "Its kept scores could not be read, so the caption was left as it was."


def find_taggers(settings: TagSettings) -> dict[str, TaggerFiles]:
    """The files of each tagger; what is missing is fetched. Folder, repository and revision of the settings are those of the first.

    Raises: ModelError, MissingDependency.
    """
    found = {}
    for name in settings.taggers:
        given = {"model_dir": settings.model_dir, "repo_id": settings.repo_id, "revision": settings.revision}
        found[name] = TAGGERS.load(name)(TAGGERS.entry(name), download_dir=settings.download_dir,
                                         force_download=settings.force_download,
                                         **(given if name == settings.tagger else {}))
    return found


def finding_words(settings: TagSettings) -> str:
    """What `find_taggers` does, for the status line; empty where every tagger lies in a folder."""
    asked = []
    for name in settings.taggers:
        entry, repository = TAGGERS.entry(name), settings.repo_id if name == settings.tagger else ""
        if (name == settings.tagger and settings.model_dir) or ("asset" in entry.options and not repository):
            continue
        is_there = not settings.force_download and is_fetched(repository or entry.options["repo_id"], MODEL_FILE, settings.download_dir)
        size = re.search(r"[\d.]+ GB", entry.note) if not repository else None
        asked.append((is_there, model_words(entry.title, repository=repository) + (f" ({size[0]})" if size and not is_there else "")))
    words = " and ".join(title for _, title in asked)
    missing = " and ".join(title for is_there, title in asked if not is_there)
    return f"Fetching from Hugging Face: {missing}" if missing else f"Asking Hugging Face whether {words} is the newest" if words else ""


@dataclass
class Asking:
    """One tagging's questions to its taggers.

    Several models are never in memory together: the first looks at all images before the second is opened.
    """

    taggers: dict[str, TaggerFiles]
    settings: TagSettings
    store: ScoreStore | None
    """None: nothing is kept (a plain folder)."""
    progress: Progress
    provider: str = ""
    """What computed; empty as long as no model ran."""
    remembered: int = 0
    """Images whose answers were kept from an earlier run."""
    _held: dict[str, Answers] = field(default_factory=dict)
    """Answers that could not be kept, by the image's id."""

    def steps(self, items: Sequence[ImageItem]) -> int:
        """How many looks come before those that give an answer: `answers` reports each to the progress."""
        self._missing = {name: self._unknown(name, items) for name in self.taggers}
        left = {item.id for missing in self._missing.values() for item in missing}
        return sum(map(len, self._missing.values())) - len(left)

    def answers(self, items: Sequence[ImageItem]) -> Iterator[list[tuple[ImageItem, Answers | StudioError]]]:
        """The answers to each image, some at a time, those that are kept first. `steps` comes before. Raises: ModelError, Cancelled."""
        waiting = dict.fromkeys((item.id for item in items), 0)
        for missing in self._missing.values():
            for item in missing:
                waiting[item.id] += 1
        ready = [item for item in items if not waiting[item.id]]
        self.remembered = len(ready)
        again: set[str] = set()
        for start in range(0, len(ready), CHUNK):
            known, lost = self._kept(ready[start:start + CHUNK])
            for item, names in lost:  # a model looks once more: what cannot be read is no answer without tags
                waiting[item.id] = len(names)
                again.add(item.id)
                for name in names:
                    self._missing[name].append(item)
            yield known
        self.remembered -= len(again)
        failed: set[str] = set()
        for name, missing in self._missing.items():
            todo = [item for item in missing if item.id not in failed]
            for whole, broken in self._look(name, todo) if todo else ():
                failed.update(item.id for item, _ in broken)
                done = []
                for item in whole:
                    waiting[item.id] -= 1
                    if not waiting[item.id]:
                        done.append(item)
                    elif item.id not in again:
                        self.progress.advance(item.id)
                known, lost = self._kept(done)
                yield [*broken, *known, *((item, DatasetError(LOST, "Run the tagging again.")) for item, _ in lost)]

    def _unknown(self, name: str, items: Sequence[ImageItem]) -> list[ImageItem]:
        known = self.store.known(self.taggers[name].identity, [item.sha256 for item in items]) if self.store is not None else set()
        return [item for item in items if item.sha256 not in known]

    def _look(self, name: str, items: Sequence[ImageItem]) -> Iterator[tuple[list[ImageItem], list[tuple[ImageItem, StudioError]]]]:
        """Run one model; its answers are kept, or held where they cannot be. Yields: images it answered to, and those it could not see."""
        files = self.taggers[name]
        model = files.open(self.settings.device)
        self.provider = self.provider or model.provider
        with closing(feed(items, model, self.settings.batch_size, self.settings.max_data_loader_n_workers)) as batches:
            for whole, pixels, broken in batches:
                found = dict(zip((item.id for item in whole), model.scores(pixels) if whole else (), strict=True))
                to_keep = {item.sha256: found[item.id] for item in whole if item.sha256 and is_unchanged(item)}
                kept = self.store is not None and self.store.remember(files.identity, name, to_keep)
                for item in whole:
                    if not kept or item.sha256 not in to_keep or len(self.taggers) == 1:
                        self._held.setdefault(item.id, {})[name] = found[item.id]
                yield whole, broken

    def _kept(self, items: Sequence[ImageItem]) -> tuple[list[tuple[ImageItem, Answers | StudioError]], list[tuple[ImageItem, list[str]]]]:
        """Images with the answers of all taggers, from memory or from the store; and those that lack one, with the taggers' names."""
        answers: dict[str, Answers] = {item.id: self._held.pop(item.id, {}) for item in items}
        for name, files in self.taggers.items():
            wanted = [item for item in items if name not in answers[item.id]]
            found = self.store.find(files.identity, [item.sha256 for item in wanted]) if self.store is not None and wanted else {}
            for item in wanted:
                if item.sha256 in found:
                    answers[item.id][name] = found[item.sha256]
        lacking = [(item, [name for name in self.taggers if name not in answers[item.id]]) for item in items]
        return [(item, answers[item.id]) for item, names in lacking if not names], [(item, names) for item, names in lacking if names]
