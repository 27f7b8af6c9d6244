"""How good the pictures are, in numbers that are kept: a cut then moves without looking at any picture again."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationInfo, field_validator

from core.base.errors import ConfigError
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted
from core.dataset.curation.looking import look_at
from core.dataset.curation.scorers import SCORERS, ScorerName, measures_of
from core.dataset.curation.scoring import score, stored_scores
from core.dataset.curation.store import Store
from core.dataset.index import Index
from core.dataset.items import ImageItem, Skipped, list_items
from core.dataset.project import Project

if TYPE_CHECKING:
    import numpy

BINS = 48
SHOWN_SKIPPED = 200


class QualitySettings(Settings):
    """What is worked out beside what can be measured without a model."""

    title = "Quality"

    scorer: ScorerName = setting(  # type: ignore[valid-type]
        "none", "Also score by", "A model that looks for nudity, text, watermarks, faces, beauty, or what does not belong. One at a time; "
        "scores are kept.")
    model_dir: str = setting("", "Scorer's folder", "A local folder with the model; nothing is fetched then.", level="advanced")
    repo_id: str = setting("", "Scorer's repository", "Another one of the same kind on Hugging Face.", level="advanced")
    revision: str = setting("", "Scorer's revision", "Branch, tag or commit; empty: the newest.", level="expert")
    device: Literal["auto", "cuda", "cpu"] = setting("auto", "Device", "What the scorer runs on.", level="advanced")

    @field_validator("model_dir", "repo_id", "revision")
    @classmethod
    def _only_where_it_counts(cls, value: str, info: ValidationInfo) -> str:
        """Of a scorer that brings its own model another one cannot be chosen."""
        name, title = info.data.get("scorer", "none"), cls.model_fields[str(info.field_name)].title
        if value and name != "none" and not SCORERS.entry(name).options.get("repo_id"):
            raise ValueError(f"{title} is {value!r}, but {SCORERS.entry(name).title} takes no other model than its own: leave it empty.")
        return value


@dataclass(frozen=True)
class Measure:
    """One number of a picture, and which end of it is bad."""

    name: str
    title: str
    bad: Literal["low", "high"]
    cut: float
    """Where the cut stands at first."""
    help: str
    logarithmic: bool = False
    """Whether the histogram's steps are factors instead of differences."""
    digits: int = 2
    ranks: bool = False
    """It sorts, and does not judge: there is no usual cut, and `cut` is where nothing lies beyond it."""

    def words(self, value: float) -> str:
        """The value as it is shown."""
        return f"{value:.{self.digits}f}" if self.digits else f"{value:,.0f}"

    def reason(self, cut: float) -> str:
        """Why a picture beyond the cut is rejected."""
        return f"{self.title.lower()} {'below' if self.bad == 'low' else 'above'} {self.words(cut)}"


MEASURES = (
    Measure("sharpness", "Sharpness", "low", 60, "Low: blurred, out of focus, or enlarged. The sharpest part of a picture counts, so a "
            "portrait before a blurred background is sharp. (90th percentile of the Laplacian's variance in 8 x 8 tiles, at 1024 pixels.)",
            True, 0),
    Measure("side", "Shortest side", "low", 512, "In pixels. What is smaller than the training resolution is enlarged for it.", True, 0),
    Measure("aspect", "Proportion", "high", 2, "Long side by short side. Above 2 much is cut off or trained very small."),
    Measure("bytes", "File size", "high", 20, "In MiB. Very large files slow the training down.", True),
    Measure("flat", "Flat", "high", 0.95, "How much of a picture is without any content: 0.95 is nearly all of it."),
    Measure("bars", "Bars", "high", 0.02, "How much of a picture is plain bars along its edges, as films have: 0.02 is a fiftieth."),
    Measure("colour", "Colourfulness", "low", 3, "0 is black and white, 45 ordinary. (Hasler and Süsstrunk's measure.)", False, 1),
)


def measure_named(name: str) -> Measure:
    """Raises: ConfigError: there is no such measure."""
    for measure in all_measures():
        if measure.name == name:
            return measure
    raise ConfigError(f"There is no measure {name!r}.", f"Known: {', '.join(measure.name for measure in all_measures())}.")


def all_measures() -> list[Measure]:
    """What is measured always, then one for each scorer."""
    return [*MEASURES, *(Measure(**facts) for entry in SCORERS for facts in measures_of(entry))]


@dataclass(frozen=True)
class Histogram:
    """How many pictures have which value."""

    counts: tuple[int, ...]
    low: float
    high: float
    logarithmic: bool

    def value_at(self, share: float) -> float:
        """The value at a place between the left (0) and the right end (1)."""
        low, high = _scaled(self.low, self.logarithmic), _scaled(self.high, self.logarithmic)
        place = low + share * (high - low)
        return math.expm1(place) if self.logarithmic else place

    def share_of(self, value: float) -> float:
        """The reverse; outside it is the nearest end."""
        low, high = _scaled(self.low, self.logarithmic), _scaled(self.high, self.logarithmic)
        return min(1.0, max(0.0, (_scaled(value, self.logarithmic) - low) / (high - low))) if high > low else 0.5


@dataclass
class Quality:
    """The stored numbers of a project's pictures."""

    items: list[ImageItem] = field(default_factory=list)
    values: dict[str, numpy.ndarray] = field(default_factory=dict)
    """Name of a measure → one number an item; NaN where it is not known."""
    unknown: list[str] = field(default_factory=list)
    """Pictures that were not looked at yet, or cannot be opened."""
    hashes: dict[str, str] = field(default_factory=dict)
    """File name → SHA-256 of every picture."""

    def measures(self) -> list[Measure]:
        """Those of which there are numbers."""
        return [measure for measure in all_measures() if measure.name in self.values]

    def histogram(self, name: str, bins: int = BINS) -> Histogram:
        """How the numbers of a measure are spread. Raises: ConfigError: there are none."""
        import numpy

        measure, values = measure_named(name), self._known(name)
        if not len(values):
            return Histogram((0,) * bins, 0.0, 1.0, measure.logarithmic)
        low, high = float(values.min()), float(values.max())
        if not measure.ranks:
            low, high = min(low, measure.cut), max(high, measure.cut)
        scaled = numpy.log1p(values) if measure.logarithmic else values
        edges = (_scaled(low, measure.logarithmic), _scaled(high, measure.logarithmic))
        counts, _ = numpy.histogram(scaled, bins=bins, range=edges)
        return Histogram(tuple(int(count) for count in counts), low, high, measure.logarithmic)

    def beyond(self, name: str, cut: float) -> list[tuple[str, float]]:
        """Names and values of the pictures on the bad side of a cut, the worst first. Raises: ConfigError: there is no such measure."""
        import numpy

        measure, values = measure_named(name), self._column(name)
        with numpy.errstate(invalid="ignore"):
            rows = numpy.flatnonzero(values < cut if measure.bad == "low" else values > cut)
        order = numpy.argsort(values[rows] if measure.bad == "low" else -values[rows], kind="stable")
        return [(self.items[row].name, float(values[row])) for row in rows[order]]

    def _column(self, name: str) -> numpy.ndarray:
        if name not in self.values:
            raise ConfigError(f"Nothing is known of {measure_named(name).title!r} yet.", "Look at the pictures first.")
        return self.values[name]

    def _known(self, name: str) -> numpy.ndarray:
        import numpy

        values = self._column(name)
        return values[numpy.isfinite(values)]


@dataclass
class QualityReport:
    """What was looked at, and how many pictures are worth a look: those beyond the usual cuts."""

    looked: int = 0
    beyond: dict[str, int] = field(default_factory=dict)
    """Title of a measure → pictures beyond its usual cut."""
    skipped: list[Skipped] = field(default_factory=list)
    """Broken pictures, with the reason."""
    scorer: str = ""
    seconds: float = 0.0

    def sentence(self) -> str:
        """The result in one line."""
        some = ", ".join(f"{count} for {title[:1].lower()}{title[1:]}" for title, count in self.beyond.items() if count)
        skipped = f", {len(self.skipped)} broken" if self.skipped else ""
        beyond = f"; worth a look: {some}" if some else "; none stands out"
        return f"{counted(self.looked, 'picture')} measured{skipped}{beyond}." if self.looked else f"no picture measured{skipped}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"looked": self.looked, "beyond": self.beyond, "skipped": [vars(item) for item in self.skipped[:SHOWN_SKIPPED]],
                "scorer": self.scorer, "seconds": self.seconds}


def measure_quality(project: Project, settings: QualitySettings, progress: Progress = SILENT) -> QualityReport:
    """Measure what is not measured yet, and score it if a scorer is chosen. Each picture is decoded once for all measures together.

    Raises: ModelError, MissingDependency, ConfigError: the scorer cannot be had; Cancelled: what was measured is kept.
    """
    started = time.monotonic()
    items = list_items(project)
    with Store.of(project) as store, Index(project.hidden / "index.sqlite") as index:
        looks = look_at(items, store, index, progress)
        report = QualityReport(len(looks), {}, looks.skipped)
        if settings.scorer != "none":
            scored = score(looks.items, settings.scorer, store, settings, progress)
            report.scorer, report.skipped = scored.stated, [*report.skipped, *scored.skipped]
    quality = stored_quality(project, items)
    report.beyond = {measure.title: len(quality.beyond(measure.name, measure.cut)) for measure in quality.measures()}
    report.seconds = round(time.monotonic() - started, 3)
    return report


def stored_quality(project: Project, items: Sequence[ImageItem] | None = None) -> Quality:
    """What is known of the pictures' quality; nothing is opened."""
    import numpy

    items = list_items(project) if items is None else items
    with Store.of(project) as store, Index(project.hidden / "index.sqlite") as index:
        looks = look_at(items, store, index, stored_only=True)
        scored = stored_scores(looks.items, store)
    known = {item.name for item in looks.items}
    quality = Quality(looks.items, unknown=[item.name for item in items if item.name not in known],
                      hashes={item.name: item.sha256 for item in items})
    if looks.items:
        sides = numpy.array([(item.width, item.height) for item in looks.items], dtype=numpy.float32)
        quality.values = {name: looks.column(name) for name in ("sharpness", "flat", "bars", "colour")}
        quality.values |= {"side": sides.min(1), "aspect": sides.max(1) / numpy.maximum(1, sides.min(1)),
                           "bytes": numpy.array([item.size for item in looks.items], dtype=numpy.float32) / 2**20}
        quality.values |= scored
    return quality


def _scaled(value: float, logarithmic: bool) -> float:
    return math.log1p(max(0.0, value)) if logarithmic else value
