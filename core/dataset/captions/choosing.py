"""From scores to tags: which are kept, in which order, and how they are spelled in captions."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import pairwise
from typing import Any, Literal

from pydantic import field_validator

from core.base.errors import ConfigError
from core.base.settings import setting
from core.base.words import model_words
from core.dataset.captions.files import spaced, tag_key
from core.dataset.captions.scores import TagScores
from core.dataset.captions.taggers import SCORE_FLOOR, TAGGERS, TaggerName
from core.dataset.captions.which import WhichImages

USUAL_BLACKLIST = ("virtual youtuber", "parody", "style parody", "official alternate costume", "official alternate hairstyle",
                   "official alternate hair length", "alternate costume", "alternate hairstyle", "alternate hair length",
                   "alternate hair color")
"""Tags that speak of a work's making, which nobody wants in a character's captions (a habit of the community)."""
CHARACTER_FLOOR = 0.15
"""Least threshold for characters when it is found by the largest gap."""

FLOOR = f"Scores below {SCORE_FLOOR} are noise and are not kept; the threshold cannot be lower."
"""Why a threshold has a least value."""

UNKNOWN = f"Not known of {' and '.join(one.title for one in TAGGERS if 'balanced' not in one.options)}, for which the one above holds."
"""Of which taggers no threshold of their own is known."""


class TagSettings(WhichImages):
    """Which tagger, which of its tags are kept, and what becomes of captions that exist."""

    title = "Tag"

    tagger: TaggerName = setting("wd-eva02-large-v3", "Tagger", "The model that looks at the images.")  # type: ignore[valid-type]
    general_threshold: float = setting(
        0.35, "Threshold", f"Tags scored below are left out. Lower finds more, and more that is wrong. {FLOOR}", ge=SCORE_FLOOR, le=1,
        cli=("--thresh",), source="Usual for WD taggers")
    character_threshold: float = setting(0.85, "Character threshold", f"The same for names of known characters. {FLOOR}",
                                         ge=SCORE_FLOOR, le=1)
    own_thresholds: bool = setting(False, "Each tagger's own threshold", "Use the threshold at which a tagger's makers found as many wrong "
                                   "tags as missing ones, in place of the one above. " + UNKNOWN, level="advanced")
    more_taggers: tuple[TaggerName, ...] = setting(  # type: ignore[valid-type]
        (), "Further taggers", "Names of taggers that look as well; a tag is kept where any of them finds it. For example "
        "wd-eva02-large-v3 together with wd-vit-large-v3.", level="advanced")
    model_thresholds: dict[str, str] = setting(
        {}, "Thresholds of single taggers", "wd-vit-v3 = 0.26, or with the one for characters: wd-vit-v3 = 0.26, 0.85.", level="advanced")
    existing: Literal["keep", "merge", "replace", "overwrite"] = setting(
        "merge", "Existing captions", "keep: images with a caption are left alone. merge: new tags are added. replace: tags of an earlier "
        "tagging go, your own words stay. overwrite: everything goes, your own words too (undo brings them back).")
    trigger_word: str = setting("", "Trigger word", "Stands first in every caption; empty takes the project's.")
    undesired_tags: str = setting("", "Leave out", "Tags that are never written, with commas between.")
    prefix: str = setting("", "Always in front", "Tags that every caption begins with, behind the trigger word.", level="advanced")
    suffix: str = setting("", "Always at the end", "Tags that every caption ends with.", level="advanced")
    usual_blacklist: bool = setting(True, "Leave out the usual", "Leave out " + ", ".join(USUAL_BLACKLIST[:4]) + " and the like.",
                                    level="advanced")
    remove_underscore: bool = setting(True, "Spaces for underscores", "long_hair becomes long hair; ^_^ stays.", level="advanced")
    drop_overlap: bool = setting(True, "Drop what another tag says", "Leave out 'long hair' beside 'very long hair'.", level="advanced")
    mcut: bool = setting(False, "Find the thresholds", "For each image, cut at the largest gap between its scores instead.",
                         level="advanced", source="MCut, Largeron et al. 2012")
    use_rating_tags: bool = setting(False, "Rating first", "Begin with the rating (general, sensitive …).", level="advanced")
    use_rating_tags_as_last_tag: bool = setting(False, "Rating last", "End with the rating.", level="advanced")
    character_tags_first: bool = setting(False, "Characters first", "Names of characters before all other tags.", level="advanced")
    character_tag_expand: bool = setting(False, "Split character and series", "name (series) becomes two tags.", level="advanced")
    always_first_tags: str = setting("", "First when found", "Tags that stand first where they are found: 1girl, 1boy.", level="advanced")
    tag_replacement: str = setting("", "Replace tags", "old1,new1;old2,new2 (a comma or semicolon inside a tag is written \\, or \\;).",
                                   level="expert")
    caption_separator: str = setting(", ", "Between tags", "What stands between two tags.", level="expert", min_length=1)
    batch_size: int = setting(16, "Batch size", "Images that the model sees at once; a batch that does not fit is halved.", ge=1, le=256,
                              level="advanced", unit="images")
    max_data_loader_n_workers: int = setting(0, "Decoding threads", "0 chooses.", ge=0, le=64, level="expert", unit="threads")
    device: Literal["auto", "cuda", "cpu"] = setting("auto", "Device", "auto takes the GPU where it works.", level="advanced")
    model_dir: str = setting("", "Local model folder", "A folder with model.onnx and selected_tags.csv, used in place of a download.",
                             level="advanced")
    repo_id: str = setting("", "Other repository", "A Hugging Face repository of the same interface, in place of the tagger's.",
                           level="expert")
    revision: str = setting("", "Revision", "Branch, tag or commit of the repository; empty takes the newest.", level="expert")
    download_dir: str = setting("", "Download folder", "Where fetched models are kept; empty is the models folder.", level="expert")
    force_download: bool = setting(False, "Fetch again", "Fetch the model even if it is there.", level="expert")

    @field_validator("model_thresholds", mode="before")
    @classmethod
    def _read_thresholds(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {str(name): _threshold_text(str(name), given) for name, given in value.items()}

    @property
    def taggers(self) -> list[str]:
        """Names of all that look, each once."""
        return list(dict.fromkeys([self.tagger, *self.more_taggers]))

    @property
    def called(self) -> str:
        """All that look, in words: their titles, or the folder or repository that is used in place of the first."""
        return " and ".join(model_words(TAGGERS.entry(name).title, *((self.model_dir, self.repo_id) if name == self.tagger else ()))
                            for name in self.taggers)

    def cuts(self, tagger: str) -> tuple[float, float]:
        """Thresholds of one tagger for general tags and for characters."""
        own = TAGGERS.entry(tagger).options.get("balanced") if self.own_thresholds and tagger in TAGGERS else None
        general = self.general_threshold if own is None else float(own)
        given = [float(part) for part in self.model_thresholds.get(tagger, "").split(",") if part.strip()]
        return (given[0] if given else general, given[1] if len(given) > 1 else self.character_threshold)

    def cut(self, tagger: str, category: str, scores: Mapping[str, float]) -> float:
        """The threshold of one tagger for one image. Args: category: "general" or "character". scores: of the image's tags of it."""
        cut = self.cuts(tagger)[0 if category == "general" else 1]
        if not self.mcut:
            return cut
        gap = largest_gap(scores.values(), cut)
        return max(CHARACTER_FLOOR, gap) if category == "character" else gap


def _threshold_text(name: str, given: Any) -> str:
    """One or two thresholds as text. Raises: ValueError: no such tagger, or no such numbers."""
    if name not in TAGGERS:
        raise ValueError(f"Thresholds of single taggers (model_thresholds): no tagger is called {name!r}. "
                         f"Known: {', '.join(TAGGERS.names())}.")
    parts = [str(part).strip() for part in (given if isinstance(given, (list, tuple)) else str(given).split(","))]
    try:
        right = 1 <= len(parts) <= 2 and all(SCORE_FLOOR <= float(part) <= 1 for part in parts)
    except ValueError:
        right = False
    if not right:
        raise ValueError(f"Thresholds of single taggers (model_thresholds) must be one or two numbers from {SCORE_FLOOR} to 1, "
                         f"but {name} has {given!r}.")
    return ", ".join(parts)


def choose_tags(answers: Mapping[str, TagScores], settings: TagSettings, taken_out: Collection[str] = ()) -> list[str]:
    """The tags of one image that are kept, as they stand in captions and in their order: what any tagger finds, the best score first.

    Args:
        answers: tagger → category → tag (with underscores) → probability.
        taken_out: keys of tags that a person took out of this caption; what is not written covers no other tag.
    """
    named = caption_names(settings)

    def written(tags: Iterable[str]) -> list[str]:
        return [name for name in map(named, tags) if name and tag_key(name) not in taken_out]

    names, words = _kept(answers, settings, "character"), written(_kept(answers, settings, "general"))
    if settings.drop_overlap:
        words = drop_overlapping(words)
    if settings.character_tag_expand:
        names = [part for name in names for part in split_series(name)]
    names, ratings = written(names), _best(answers, "rating")
    rating = written([max(ratings, key=lambda tag: ratings[tag])] if ratings else [])
    return [*(rating if settings.use_rating_tags and not settings.use_rating_tags_as_last_tag else []),
            *((*names, *words) if settings.character_tags_first else (*words, *names)),
            *(rating if settings.use_rating_tags_as_last_tag else [])]


def caption_names(settings: TagSettings) -> Callable[[str], str]:
    """How a tagger's tag stands in captions, as a function of it; it gives an empty text for one that is never written."""
    renamed = {tag_key(old): new for old, new in parse_replacements(settings.tag_replacement)}
    unwanted = {tag_key(tag) for tag in settings.undesired_tags.split(",")} | ({*USUAL_BLACKLIST} if settings.usual_blacklist else set())

    def name(tag: str) -> str:
        text = spaced(tag) if settings.remove_underscore else tag
        text = renamed.get(tag_key(text), text)
        return text if tag_key(text) not in unwanted else ""

    return name


def _kept(answers: Mapping[str, TagScores], settings: TagSettings, category: str) -> list[str]:
    """Tags of a category above their tagger's threshold, the best first."""
    kept: set[str] = set()
    for tagger, scores in answers.items():
        found = scores.get(category, {})
        cut = settings.cut(tagger, category, found)
        kept.update(tag for tag, score in found.items() if score >= cut)
    best = _best(answers, category)
    return sorted(kept, key=lambda tag: (-best[tag], tag))


def _best(answers: Mapping[str, TagScores], category: str) -> dict[str, float]:
    """The best score that any tagger gives to each tag."""
    best: dict[str, float] = {}
    for scores in answers.values():
        for tag, score in scores.get(category, {}).items():
            best[tag] = max(score, best.get(tag, 0.0))
    return best


def largest_gap(scores: Iterable[float], otherwise: float) -> float:
    """MCut: the middle of the largest gap between neighbours in the sorted scores; `otherwise` where there are fewer than two."""
    ranked = sorted(scores, reverse=True)
    if len(ranked) < 2:
        return otherwise
    gaps = [high - low for high, low in pairwise(ranked)]
    widest = gaps.index(max(gaps))
    return (ranked[widest] + ranked[widest + 1]) / 2


def drop_overlapping(tags: list[str]) -> list[str]:
    """Without tags that are the end, in whole words, of another one: "long hair" goes beside "very long hair".

    A beginning is no part of the meaning: "cat" beside "cat ears" stays, and so does "hair" beside "hair bow".
    """
    words = {tag: re.split(r"[ _]", tag) for tag in tags}
    covered = {tuple(parts[-size:]) for parts in words.values() for size in range(1, len(parts))}
    return [tag for tag in tags if tuple(words[tag]) not in covered]


def split_series(tag: str) -> list[str]:
    """name_(series) as ["name", "series"]; any other tag alone."""
    match = re.fullmatch(r"(.+?)[ _]\(([^()]+)\)", tag)
    return [match[1], match[2]] if match else [tag]


def parse_replacements(text: str) -> list[tuple[str, str]]:
    """Pairs (old, new) of "old1,new1;old2,new2". Raises: ConfigError: a part has not exactly two tags."""
    pairs = []
    for part in filter(str.strip, re.split(r"(?<!\\);", text)):
        tags = [tag.replace("\\,", ",").replace("\\;", ";").strip() for tag in re.split(r"(?<!\\),", part)]
        if len(tags) != 2 or not tags[0]:
            raise ConfigError(f"Replace tags (tag_replacement) must look like old,new;old,new, but has {part.strip()!r}.")
        pairs.append((tags[0], tags[1]))
    return pairs
