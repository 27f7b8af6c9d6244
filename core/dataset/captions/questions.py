"""The questions of a captioning: asked once for each image, several at a time where that is quicker, and never twice for nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from core.base.errors import ConfigError, DatasetError, ModelError, StudioError
from core.dataset.captions.caption_texts import CaptionSettings, ask, clean_caption, own_words, text_parts, without_opening
from core.dataset.captions.captioners import (
    CAPTIONERS,
    CaptionerModel,
    CutText,
    PictureDeclined,
    RequestRefused,
    card_of,
    identity_of,
    open_captioner,
    prompt_of,
)
from core.dataset.captions.captioners.keeping import KeptCaptioner
from core.dataset.captions.captioners.prompts import PROMPTS
from core.dataset.captions.captioners.schema import ASK, join_parts
from core.dataset.captions.files import tag_key
from core.dataset.captions.told import ToldStore
from core.dataset.images.opening import open_rgb
from core.dataset.items import ImageItem, is_unchanged
from core.dataset.parallel import bounded_map

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MOST_FAILURES = 5
"""Failures one after the other after which the captioner is given up."""
MOST_REFUSALS = 3
"""Requests refused one after the other, before any was answered, after which the captioner is given up."""


class Answered(Protocol):
    """What is told of the asking."""

    captioner: str
    provider: str
    remembered: int
    cut: int


def check_question(settings: CaptionSettings) -> None:
    """Raises: ConfigError: the captioner cannot be loaded so, or cannot be asked so."""
    entry = CAPTIONERS.entry(settings.captioner)
    card_of(settings.captioner, settings.precision)
    if not settings.prompt.strip():
        prompt_of(settings.captioner, settings.mode)
    if settings.schema_guided and entry.options["prompts"] is not PROMPTS:
        raise ConfigError(f"{entry.title} cannot describe a character in parts.",
                          "Choose a Qwen or a server, or turn 'Character in parts' off.")


@dataclass
class Questions:
    """The questions of one captioning, whose settings passed `check_question`; used with `with`.

    The model is opened with the first image whose text is not known.
    """

    settings: CaptionSettings
    trigger: str
    store: ToldStore | None
    report: Answered
    model: CaptionerModel | None = None
    kept: KeptCaptioner | None = None
    """Opens the model, and keeps it open."""
    authored: dict[str, set[str]] = field(default_factory=dict)
    """Id of an image → keys of what models wrote into its caption."""
    loading: Callable[[bool], None] = lambda begins: None
    """Told when the model begins to be loaded, and when it is."""
    _mine: CaptionerModel | None = None
    _failures: int = 0
    _answered: bool = False

    def __enter__(self) -> Questions:
        settings = self.settings
        self._identity = identity_of(settings.captioner, ask(settings))
        self._question = settings.prompt.strip() or prompt_of(settings.captioner, settings.mode)
        return self

    def __exit__(self, *_: object) -> None:
        if self._mine is not None:
            self._mine.close()
        if self.store is not None:
            self.store.close()

    def answers(self, items: Sequence[ImageItem]) -> Iterator[list[tuple[ImageItem, str | StudioError]]]:
        """The text of each image, some at a time, those that are known first. Raises: ModelError, ConfigError, MissingDependency."""
        told = self._told(items)
        prompts = {item.id: self._prompt(self._about(item, told)) for item in items}
        self._marks = {item.id: self._marks_of(item, prompts[item.id]) for item in items}
        asked = {item.id: (item.sha256, self._marks[item.id][0]) for item in items}
        known = self.store.find(self._identity, asked.values()) if self.store is not None and not self.settings.ask_again else {}
        ready: list[tuple[ImageItem, str | StudioError]] = [(item, known[asked[item.id]]) for item in items if asked[item.id] in known]
        self.report.remembered = len(ready)
        if ready:
            yield ready
        fresh = [item for item in items if asked[item.id] not in known]
        if not fresh:
            return
        model = self.model
        if model is None and self.kept is not None:
            model = self.kept.open(self.settings.captioner, ask(self.settings))
        elif model is None:
            self.loading(True)
            model = self._mine = open_captioner(self.settings.captioner, ask(self.settings))
            self.loading(False)
        self.report.provider = model.provider
        for answered in (self._at_once if model.parallel > 1 else self._together)(model, fresh, prompts):
            yield [self._taken(item, one) for item, one in answered]

    def _taken(self, item: ImageItem, one: str | StudioError) -> tuple[ImageItem, str | StudioError]:
        """Clean and keep a text; give up where nothing works. Raises: ModelError."""
        if not isinstance(one, str):
            self._count(item, one)
            return item, one
        self._failures, self._answered = 0, True
        try:
            text = clean_caption(join_parts(one) if self.settings.schema_guided else one)
        except DatasetError as error:
            return item, error
        if isinstance(one, CutText):
            self.report.cut += 1
        elif self.store is not None and is_unchanged(item):
            self.store.remember(self.settings.captioner, self._identity, [(item.sha256, mark, text) for mark in self._marks[item.id]])
        return item, text

    def _count(self, item: ImageItem, error: StudioError) -> None:
        """Count a failure. Raises: ModelError: all pictures fail."""
        if isinstance(error, ModelError):
            raise error
        if isinstance(error, PictureDeclined):
            self._failures, self._answered = 0, True
        refused = isinstance(error, RequestRefused)
        if isinstance(error, PictureDeclined) or error.message.startswith(item.path.name) or (refused and self._answered):
            return  # it is about this picture
        self._failures += 1
        if self._failures >= (MOST_REFUSALS if refused else MOST_FAILURES):
            raise ModelError(f"{self.report.captioner} failed {self._failures} times one after the other; the last time: {error.message}",
                             error.hint)

    def _together(self, model: CaptionerModel, items: Sequence[ImageItem],
                  prompts: dict[str, str]) -> Iterator[list[tuple[ImageItem, str | StudioError]]]:
        """A batch at a time; the next pictures are decoded meanwhile."""
        size = model.batch_size
        with closing(bounded_map(self._open, items, ahead=2 * size)) as opened:
            batch: list[tuple[ImageItem, Picture]] = []
            for number, (item, picture) in enumerate(opened, 1):
                if isinstance(picture, StudioError):
                    yield [(item, picture)]
                else:
                    batch.append((item, picture))
                if batch and (len(batch) >= size or number == len(items)):
                    yield self._described(model, batch, prompts)
                    batch = []

    def _described(self, model: CaptionerModel, batch: list[tuple[ImageItem, Picture]],
                   prompts: dict[str, str]) -> list[tuple[ImageItem, str | StudioError]]:
        """A batch that fails is asked one by one, so that a single picture does not spoil the others."""
        try:
            texts = model.describe([picture for _, picture in batch], [prompts[item.id] for item, _ in batch])
            return [(item, text) for (item, _), text in zip(batch, texts, strict=True)]
        except DatasetError as error:
            if len(batch) == 1:
                return [(batch[0][0], error)]
            return [answer for one in batch for answer in self._described(model, [one], prompts)]

    def _at_once(self, model: CaptionerModel, items: Sequence[ImageItem],
                 prompts: dict[str, str]) -> Iterator[list[tuple[ImageItem, str | StudioError]]]:
        """Several requests under way."""
        def describe(item: ImageItem) -> str:
            return model.describe([self._open(item)], [prompts[item.id]])[0]

        with closing(bounded_map(describe, items, model.parallel)) as answered:
            for item, one in answered:
                yield [(item, one)]

    def _open(self, item: ImageItem) -> Picture:
        picture = open_rgb(item.path, at_least=self.settings.largest_side)
        picture.thumbnail((self.settings.largest_side, self.settings.largest_side))
        return picture

    def _told(self, items: Sequence[ImageItem]) -> dict[str, set[str]]:
        """Id → keys of what this captioner told of the image before; empty where nobody asks for the caption."""
        if self.store is None or "{caption}" not in self._question:
            return {}
        texts = self.store.texts(self._identity, [item.sha256 for item in items])
        return {item.id: {tag_key(part) for text in texts.get(item.sha256, ()) for one in (text, without_opening(text))
                          for part in text_parts(one)} for item in items}

    def _about(self, item: ImageItem, told: Mapping[str, set[str]]) -> str:
        """The caption that stands in the question: without what this captioner wrote into it, so that it is the same after the run."""
        return own_words(item.caption or "", self.authored.get(item.id, set()) & told.get(item.id, set()), self.settings, self.trigger)

    def _prompt(self, caption: str) -> str:
        """The question of one image: {trigger} is the trigger word, {caption} its caption."""
        text = self._question.replace("{trigger}", self.trigger or "it").replace("{caption}", caption)
        return f"{text} {ASK}" if self.settings.schema_guided else text

    def _marks_of(self, item: ImageItem, prompt: str) -> list[str]:
        """The question's mark, and the one that it has once the answer stands in place of other words of the caption."""
        left = "" if self.settings.existing == "overwrite" else item.caption or ""
        if self.settings.existing == "replace":
            left = own_words(left, self.authored.get(item.id, set()), self.settings, self.trigger)
        further = [self._prompt(left)] if self.settings.existing in ("replace", "overwrite") else []
        return list(dict.fromkeys(map(self._mark, [prompt, *further])))

    def _mark(self, prompt: str) -> str:
        """Names the question with all that changes the answer."""
        settings = self.settings
        parts = (prompt, settings.precision, settings.max_new_tokens, settings.temperature, settings.top_p, settings.largest_side)
        return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:20]
