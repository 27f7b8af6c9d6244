"""Pictures that show the same, in groups, the best first: the same pixels, alike to a perceptual hash, alike to an embedder."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted
from core.dataset.captions.tags import parse_tags
from core.dataset.curation.different import Alike, Pair, called_different, pairs_of
from core.dataset.curation.embedders import EMBEDDERS, EmbedderName
from core.dataset.curation.embedding import Vectors, embed, find_embedder
from core.dataset.curation.looking import Looks, look_at
from core.dataset.curation.pairs import Groups, cosine_pairs, hamming_pairs, popcount
from core.dataset.curation.store import Store
from core.dataset.index import Index
from core.dataset.items import ImageItem, Skipped, list_items
from core.dataset.project import Project

if TYPE_CHECKING:
    import numpy

DHASH_MORE = 4
"""Bits by which the second hash may differ more than the first: both must agree, which keeps plain pictures apart."""
SHOWN_SKIPPED = 200
Tier = Literal["best", "file", "pixels", "hash", "embedding", "different"]
TIERS: dict[str, str] = {"file": "the same file", "pixels": "the same pixels", "hash": "looks the same", "embedding": "shows the same",
                         "different": "called different"}


class DuplicateSettings(Settings):
    """How alike two pictures must be to count as the same."""

    title = "Duplicates"

    hash_distance: int = setting(8, "Different bits", "Higher finds more, and more that is wrong. 0: only what is equal; "
                                 "8: also other sizes, JPEG, other brightness; above 12 different ones begin to come in. (Bits of a hash.)",
                                 unit="of 64", level="advanced", ge=0, le=24)
    mirrored: bool = setting(True, "Mirrored too", "A picture and its mirror image count as the same.")
    embedder: EmbedderName = setting(  # type: ignore[valid-type]
        "plain", "Embedder", "Looks at what the pictures show: the plain one also finds crops and changed colours; a neural network "
        "(CLIP, SigLIP 2, DINOv2), the same content.")
    likeness: float = setting(0.0, "Likeness", "How alike the embedder must find two pictures, up to 1, which is equal. Lower finds more. "
                              "0: the embedder's own. (Cosine of two embeddings.)", level="advanced", ge=0, le=1,
                              source="dataset-recipes: CLIP .96 to .985, SigLIP2 .97")
    model_dir: str = setting("", "Embedder's folder", "A local folder with the model; nothing is fetched then.", level="advanced")
    repo_id: str = setting("", "Embedder's repository", "Another one of the same kind on Hugging Face.", level="advanced")
    revision: str = setting("", "Embedder's revision", "Branch, tag or commit; empty: the newest.", level="expert")
    device: Literal["auto", "cuda", "cpu"] = setting("auto", "Device", "What the embedder runs on.", level="advanced")

    @property
    def from_likeness(self) -> float:
        """The likeness that counts: the one chosen, or the embedder's own."""
        if self.likeness or self.embedder == "none":
            return self.likeness
        return float(EMBEDDERS.entry(self.embedder).options["likeness"])


@dataclass(frozen=True)
class Member:
    """One picture of a group."""

    name: str
    width: int
    height: int
    size: int
    """Bytes of the file."""
    sharpness: float
    tags: int
    """Number of tags of its caption; 0 without a caption."""
    tier: Tier
    """How it is like the best one."""
    likeness: float
    """Bits that differ (hash) or cosine (embedding); 0 or 1 for what is equal."""
    mirrored: bool = False
    sha256: str = ""
    """Of the file: its name may be another picture's by the time that it is put aside."""

    def words(self) -> str:
        """How it is like the best one, in words."""
        if self.tier == "best":
            return "best"
        differ = f": {self.likeness:g} of 64 bits differ" if self.likeness else ""
        more = {"hash": differ, "embedding": f": {100 * self.likeness:.1f} % alike"}.get(self.tier, "")
        return f"{TIERS[self.tier]}{' in a mirror' if self.mirrored else ''}{more}"


@dataclass(frozen=True)
class Group:
    """Pictures that show the same, the best first; each of the others is like the best one, not only like one another."""

    members: tuple[Member, ...]

    @property
    def best(self) -> Member:
        """The one to keep."""
        return self.members[0]

    @property
    def others(self) -> tuple[Member, ...]:
        """The ones that are not needed."""
        return self.members[1:]


@dataclass
class DuplicateReport:
    """Groups of pictures that show the same."""

    groups: list[Group] = field(default_factory=list)
    different: list[Group] = field(default_factory=list)
    """Groups that a person called different; no two of one are in one of `groups`."""
    looked: int = 0
    """Pictures that were compared."""
    unknown: int = 0
    """Pictures that were not looked at yet, or cannot be opened (only when nothing was to be opened)."""
    skipped: list[Skipped] = field(default_factory=list)
    embedder: str = ""
    """What worked out the embeddings; empty: none."""
    seconds: float = 0.0

    def sentence(self) -> str:
        """The result in one line."""
        alike, looked = sum(len(group.members) for group in self.groups), counted(self.looked, "picture")
        groups = counted(len(self.groups), "group")
        found = (f"{alike} of {looked} are alike, in {groups} ({alike - len(self.groups)} too many)" if alike
                 else f"no two of {looked} are alike")
        unknown = f", {self.unknown} not compared" if self.unknown else ""
        skipped = f", {len(self.skipped)} could not be opened" if self.skipped else ""
        apart = len(self.different)
        different = f"; {counted(apart, 'group')} that you called different {'is' if apart == 1 else 'are'} left alone" if apart else ""
        return f"{found}{unknown}{skipped}{different}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"groups": [[asdict(member) for member in group.members] for group in self.groups],
                "different": [[asdict(member) for member in group.members] for group in self.different], "looked": self.looked,
                "unknown": self.unknown, "skipped": [vars(item) for item in self.skipped[:SHOWN_SKIPPED]], "embedder": self.embedder,
                "seconds": self.seconds}


def find_duplicates(project: Project, settings: DuplicateSettings, progress: Progress = SILENT,
                    stored_only: bool = False) -> DuplicateReport:
    """Group the project's pictures that show the same.

    Each picture is decoded once for its hashes and once (smaller) for the embedder, and not at all when the store knows it.

    Args: stored_only: open no picture and no model; what is not known yet is counted.
    Returns: groups, the largest first, and every picture that was skipped with the reason.
    Raises: ModelError, MissingDependency, ConfigError: the embedder cannot be had; Cancelled: what was worked out is kept.
    """
    started = time.monotonic()
    items = list_items(project)
    with Store.of(project) as store, Index(project.hidden / "index.sqlite") as index:
        looks = look_at(items, store, index, progress, stored_only)
        vectors = None
        if settings.embedder != "none":
            files = find_embedder(settings.embedder, settings.model_dir, settings.repo_id, settings.revision)
            vectors = embed(looks.items, files, store, settings.device, progress, stored_only)
    progress.start("Comparing", 0)
    decided = called_different(project)
    report = DuplicateReport(group_alike(looks, vectors, settings, pairs_of(decided)), group_different(looks, decided), len(looks),
                             looks.unknown, looks.skipped, vectors.stated if vectors is not None else "")
    if vectors is not None:
        report.skipped += vectors.skipped
        report.unknown += vectors.unknown
    report.seconds = round(time.monotonic() - started, 3)
    return report


def group_alike(looks: Looks, vectors: Vectors | None, settings: DuplicateSettings, apart: Collection[Pair] = ()) -> list[Group]:
    """The groups of what was looked at. Exact; memory grows with the number of pictures, not of pairs.

    Args: apart: pictures that a person called different; no two of them come into one group.
    """
    if len(looks) < 2:
        return []
    kin = _Kin(looks, vectors, settings, frozenset(apart))
    groups = [group for together in kin.linked() for group in kin.split(together)]
    return sorted(groups, key=lambda group: (-len(group.members), group.best.name))


def group_different(looks: Looks, decided: Sequence[Alike]) -> list[Group]:
    """The groups that a person called different, of what is still there, as they would be sorted among those that are alike."""
    kin = _Kin(looks, None, DuplicateSettings(embedder="none")) if decided else None
    places: dict[str, list[int]] = {}
    for place, item in enumerate(looks.items):
        places.setdefault(item.sha256, []).append(place)
    found = []
    for said in map(Counter, decided):
        there = [place for one in said for place in places.get(one, ())]
        hashes = [looks.items[place].sha256 for place in there]
        if kin is not None and (len(set(hashes)) > 1 or (any(said[one] > 1 for one in hashes) and len(hashes) > 1)):
            found.append(kin.side_by_side(there))
    return sorted(found, key=lambda group: (-len(group.members), group.best.name))


class _Kin:
    """Who is like whom."""

    def __init__(self, looks: Looks, vectors: Vectors | None, settings: DuplicateSettings, apart: frozenset[Pair] = frozenset()) -> None:
        import numpy

        self.items, self.settings, self.apart = looks.items, settings, apart
        self.decided = {sha256 for pair in apart for sha256 in pair}
        digests = numpy.ascontiguousarray(looks.column("pixels")).view("<u8").reshape(-1, 2)
        self.pixels = numpy.unique(digests, axis=0, return_inverse=True)[1].reshape(-1)
        """A number for each content."""
        self.phash, self.mirror = looks.column("phash").copy(), looks.column("phash_mirrored").copy()
        self.dhash, self.dmirror = looks.column("dhash").copy(), looks.column("dhash_mirrored").copy()
        self.sharpness = looks.column("sharpness")
        self.vectors = vectors.vectors if vectors is not None and len(vectors.rows) else None
        self.place = numpy.full(len(self.items), -1)
        """Row of each picture's vector; -1: it has none."""
        if vectors is not None:
            self.place[vectors.rows] = numpy.arange(len(vectors.rows))

    def linked(self) -> list[numpy.ndarray]:
        """Pictures that hang together, some perhaps only through others."""
        import numpy

        groups = Groups(len(self.items))
        groups.join_equal(self.pixels)
        first = numpy.unique(self.pixels, return_index=True)[1]  # one of each: what is equal needs no comparing
        mirrored = self.mirror[first] if self.settings.mirrored else None
        for rows, columns in hamming_pairs(self.phash[first], self.settings.hash_distance, mirrored):
            near = self._hash_bits(first[rows], first[columns])[0] <= self.settings.hash_distance
            groups.join(first[rows[near]], first[columns[near]])
        if self.vectors is not None:
            known = first[self.place[first] >= 0]
            for rows, columns in cosine_pairs(self.vectors[self.place[known]], self.settings.from_likeness):
                groups.join(known[rows], known[columns])
        return groups.members()

    def split(self, together: numpy.ndarray) -> Iterator[Group]:
        """Groups round the best one each, so that nobody is called a copy of what it is only a neighbour's neighbour of.

        The best ones are not like each other: keeping them all and nothing else loses nothing and leaves no two alike.
        """
        import numpy

        left = numpy.array(sorted(together, key=self._rank))
        while len(left):
            best, left = left[0], left[1:]
            tiers, likeness, mirrored = self._likeness(int(best), left)
            near = tiers > 0
            if self.apart:
                self._part(int(best), left, near)
            if near.any():
                members = [self._member(int(best), "best", 0.0, False)]
                members += [self._member(int(who), KINDS[int(tier)], float(value), bool(turned)) for who, tier, value, turned in
                            zip(left[near], tiers[near], likeness[near], mirrored[near], strict=True)]
                yield Group(tuple(members))
            left = left[~near]

    def side_by_side(self, group: Sequence[int]) -> Group:
        """Pictures that were called different, as a group."""
        order = sorted(group, key=self._rank)
        return Group(tuple(self._member(who, "different" if place else "best", 0.0, False) for place, who in enumerate(order)))

    def _part(self, best: int, others: numpy.ndarray, near: numpy.ndarray) -> None:
        """Take out of the group who was called different from one that is in it. Args: near: who is in it; changed in place."""
        import numpy

        together = [self.items[best].sha256]
        for place in numpy.flatnonzero(near):
            sha256 = self.items[others[place]].sha256
            if sha256 in self.decided:
                near[place] = not any(Pair.of(sha256, other) in self.apart for other in together)
                together += [sha256] if near[place] else []

    def _rank(self, who: int) -> tuple[Any, ...]:
        """Sorts the best first: larger, sharper (each in steps, so that the next one counts among equals), captioned, larger file."""
        item = self.items[who]
        area = round(4 * math.log2(max(1, item.width * item.height)))
        sharp = round(2 * math.log2(1 + float(self.sharpness[who])))
        return -area, -sharp, -_tags(item), -item.size, who

    def _likeness(self, best: int, others: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
        """Of each of the others: place in KINDS (0: not alike), likeness, and whether it is mirrored."""
        import numpy

        tiers, likeness = numpy.zeros(len(others), numpy.int8), numpy.zeros(len(others), numpy.float32)
        if self.vectors is not None and self.place[best] >= 0:
            known = numpy.flatnonzero(self.place[others] >= 0)
            cosine = self.vectors[self.place[others[known]]] @ self.vectors[self.place[best]]
            near = cosine >= self.settings.from_likeness - 1e-6
            tiers[known[near]], likeness[known[near]] = 4, numpy.minimum(1, cosine[near])
        bits, turned = self._hash_bits(numpy.full(len(others), best), others)
        near = bits <= self.settings.hash_distance
        tiers[near], likeness[near] = 3, bits[near]
        same = self.pixels[others] == self.pixels[best]
        tiers[same], likeness[same] = 2, 1
        mine = self.items[best].sha256
        for place in numpy.flatnonzero(same):
            if mine and self.items[others[place]].sha256 == mine:
                tiers[place] = 1
        return tiers, likeness, turned & (tiers == 3)

    def _hash_bits(self, rows: numpy.ndarray, columns: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Differing bits of the first hash (65 where the second one does not agree), and whether that is of the mirrored picture."""
        import numpy

        def bits(first: numpy.ndarray, second: numpy.ndarray, dfirst: numpy.ndarray, dsecond: numpy.ndarray) -> numpy.ndarray:
            differing = popcount(first[rows] ^ second[columns]).astype(numpy.int16)
            agreed = popcount(dfirst[rows] ^ dsecond[columns]) <= self.settings.hash_distance + DHASH_MORE
            return numpy.where(agreed, differing, 65)

        plain = bits(self.phash, self.phash, self.dhash, self.dhash)
        if not self.settings.mirrored:
            return plain, numpy.zeros(len(plain), bool)
        turned = numpy.minimum(bits(self.mirror, self.phash, self.dmirror, self.dhash),
                               bits(self.phash, self.mirror, self.dhash, self.dmirror))
        return numpy.minimum(plain, turned), turned < plain

    def _member(self, who: int, tier: Tier, likeness: float, mirrored: bool) -> Member:
        item = self.items[who]
        return Member(item.name, item.width, item.height, item.size, round(float(self.sharpness[who]), 1), _tags(item), tier,
                      round(likeness, 4), mirrored, item.sha256)


KINDS: tuple[Tier, ...] = ("best", "file", "pixels", "hash", "embedding")


def _tags(item: ImageItem) -> int:
    return len(parse_tags(item.caption)) if item.caption else 0


def names_of(groups: Sequence[Group]) -> list[str]:
    """What would be rejected if the best of each group were kept."""
    return [member.name for group in groups for member in group.others]
