"""Review by uncertainty: the tags whose score lies near the threshold, image by image, each kept or dropped by a person.

What was decided is known from the caption and the history alone. A tag that a person kept is a word of that person: no later tagging
takes it out. One that was dropped does not come back. An undo makes both doubtful again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from core.base.errors import DatasetError, DiskError
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.dataset.captions.choosing import TagSettings, caption_names, drop_overlapping, split_series
from core.dataset.captions.editing import EMPTY, caption_change
from core.dataset.captions.files import read_caption, tag_key
from core.dataset.captions.operations import AddLast, Context, Operation, Remove
from core.dataset.captions.scores import ScoreStore, TagScores
from core.dataset.captions.swapping import Swap, swap_captions
from core.dataset.captions.taggers import SCORE_FLOOR
from core.dataset.captions.tags import caption_keys
from core.dataset.history import History
from core.dataset.items import ImageItem, caption_path_of, list_items, one_item
from core.dataset.project import Project

CHUNK = 1000
"""Images whose scores are read at a time."""


class ReviewSettings(Settings):
    """Which tags are doubtful."""

    title = "Review"

    margin: float = setting(0.1, "How near", "Tags whose score is at most so far above or below the threshold are shown.", gt=0, le=1)
    general: bool = setting(True, "General tags")
    character: bool = setting(True, "Names of characters")
    general_threshold: float = setting(0.35, "Threshold", "As in the tagging; each tagger's own, or each image's, where the tagging "
                                       "had one.", ge=SCORE_FLOOR, le=1, level="advanced")
    character_threshold: float = setting(0.85, "Character threshold", ge=SCORE_FLOOR, le=1, level="advanced")
    decided: bool = setting(False, "Also what was decided", "Show tags again that were kept or dropped before.", level="advanced")


@dataclass(frozen=True)
class Doubt:
    """One tag that the taggers are not sure of."""

    name: str
    """As it stands in captions."""
    score: float
    threshold: float
    present: bool
    """Whether the caption holds it now."""
    category: str


@dataclass
class Doubtful:
    """One image with its doubtful tags, the most doubtful first."""

    id: str
    file: str
    """Name of the image file."""
    sha256: str
    """Of the image file."""
    tags: list[Doubt] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For a browser."""
        return asdict(self)


@dataclass(frozen=True)
class Reviewed:
    """What became of one image's decisions."""

    caption: str
    """As it is now."""
    entry: str
    """Id of the history's entry."""


def find_doubts(project: Project, settings: ReviewSettings, tagging: TagSettings | None = None,
                progress: Progress = SILENT) -> list[Doubtful]:
    """Images with tags near the threshold, in natural order; no model runs.

    Args: tagging: how the images were tagged (taggers, spelling, what is never written); its general and character thresholds are
        those of `settings`.

    Raises: DatasetError: no scores are kept yet.
    """
    tagging = (tagging or TagSettings()).changed(general_threshold=settings.general_threshold,
                                                 character_threshold=settings.character_threshold)
    items = list_items(project)
    authored = History.of(project).authored({item.id: item.sha256 for item in items})
    found: list[Doubtful] = []
    with ScoreStore.of(project) as store:
        models = _models(store, tagging)
        progress.start("Looking for doubtful tags", len(items))
        judge = _Judge(settings, tagging)
        for start in range(0, len(items), CHUNK):
            part = items[start:start + CHUNK]
            scores = {name: store.find(identity, [item.sha256 for item in part]) for name, identity in models.items()}
            for item in part:
                answers = {name: of_model[item.sha256] for name, of_model in scores.items() if item.sha256 in of_model}
                doubts = judge.doubts(item, answers, authored.get(item.id, set())) if answers else []
                if doubts:
                    found.append(Doubtful(item.id, item.name, item.sha256, doubts))
            progress.advance(by=len(part))
    return found


def _models(store: ScoreStore, tagging: TagSettings) -> dict[str, str]:
    """Tagger → its model that was used last; where none of the tagging's has scores, the one that was used last at all."""
    known: dict[str, str] = {}
    for model in store.models():
        known.setdefault(model.name, model.identity)
    if not known:
        raise DatasetError("No tagger has looked at these images yet.", "Tag them first; the scores are kept then.")
    return {name: known[name] for name in tagging.taggers if name in known} or dict([next(iter(known.items()))])


class _Judge:
    """Finds what is doubtful in one image."""

    def __init__(self, settings: ReviewSettings, tagging: TagSettings) -> None:
        self.settings, self.tagging = settings, tagging
        self._name = caption_names(tagging)
        self._categories = [name for name in ("general", "character") if getattr(settings, name)]

    def doubts(self, item: ImageItem, answers: dict[str, TagScores], authored: set[str]) -> list[Doubt]:
        """The tags near a threshold, the nearest first."""
        present = caption_keys(item.caption or "")
        found: list[tuple[float, Doubt]] = []
        for category in self._categories:
            nearest = self._distances(answers, category)
            kept = [tag for tag, (distance, *_) in nearest.items() if distance >= 0]
            for tag, (distance, score, threshold) in nearest.items():
                name = self._name(tag)
                if abs(distance) > self.settings.margin or not name:
                    continue
                here, by_model = tag_key(name) in present, tag_key(name) in authored
                if (self.settings.decided or here == by_model) and (here or not self._said(tag, kept)):
                    found.append((abs(distance), Doubt(name, score, threshold, here, category)))
        return [doubt for _, doubt in sorted(found, key=lambda pair: (pair[0], pair[1].name))]

    def _distances(self, answers: dict[str, TagScores], category: str) -> dict[str, tuple[float, float, float]]:
        """Tag → how far above its threshold it is (the furthest of all taggers), with score and threshold."""
        furthest: dict[str, tuple[float, float, float]] = {}
        split = category == "character" and self.tagging.character_tag_expand
        for tagger, answer in answers.items():
            scores = answer.get(category, {})
            cut = self.tagging.cut(tagger, category, scores)
            for whole, score in scores.items():
                for tag in split_series(whole) if split else (whole,):
                    if score >= SCORE_FLOOR and (tag not in furthest or score - cut > furthest[tag][0]):
                        furthest[tag] = (round(score - cut, 6), score, cut)
        return furthest

    def _said(self, tag: str, kept: list[str]) -> bool:
        """Whether a tag that is kept says it already."""
        return self.tagging.drop_overlap and tag not in drop_overlapping([*kept, tag])


def review_image(project: Project, image_id: str, keep: Sequence[str] = (), drop: Sequence[str] = (), sha256: str = "") -> Reviewed:
    """Keep and drop tags of one image, as one entry of the history.

    Args: sha256: of the image that was looked at.
    Raises: DatasetError: another image has that name now; the caption would become empty, cannot be read, or was changed at this very
        moment; DiskError.
    """
    if sha256 and one_item(project, image_id).sha256 != sha256:
        raise DatasetError(f"{image_id} is no longer the picture that was looked at, so nothing was written.",
                           "Look for doubtful tags again.")
    path = caption_path_of(project, image_id)
    present = read_caption(path, image_id)
    steps: list[Operation] = [Remove(tags=", ".join(drop))] if drop else []
    steps += [AddLast(tags=", ".join(keep))] if keep else []
    text, reason = caption_change(steps, Context(project.trigger_word))(present.text or "") if steps else (present.text or "", "")
    if reason:
        raise DatasetError(f"{path.name}: {reason}")
    if not text:
        raise DatasetError(f"{path.name}: {EMPTY}" if present.text else f"{path.name} has no caption, and nothing was kept for it.")
    history = History.of(project)
    authored = history.authored({image_id: sha256}).get(image_id, set()) if present.text else set()
    written = sorted((authored - {tag_key(tag) for tag in keep}) | {tag_key(tag) for tag in drop})
    words = "; ".join(f"{verb} {', '.join(tags)}" for verb, tags in (("kept", keep), ("dropped", drop)) if tags)
    with history.entry(f"Reviewed {image_id}: {words}") as record:
        record.change(image_id, path.name, present.text, text, written, sha256)
        try:
            if text != present.text:
                swapped = swap_captions(path.parent, [Swap(path.name, present.text, text)], lines=record.lines)
                if swapped.skipped:
                    raise DatasetError(f"{path.name}: {swapped.skipped[0].reason}")
        except (DatasetError, DiskError):
            record.made(0)
            raise
    return Reviewed(text, record.id)
