"""Bulk by size: small pictures are upscaled, large ones shrunk, those between stay; then masks or transparency, as one piece of work.

What is done to which picture is worked out first and can be shown; the tools themselves are run by whoever calls this.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from core.base.buckets import Size
from core.base.errors import ConfigError, DatasetError
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.base.words import counted, told_size
from core.dataset.images.opening import inspect_image
from core.dataset.images.variants import Variant, best_of, list_variants, read_made, variant_of
from core.dataset.images.version_report import VersionReport
from core.dataset.items import ImageItem, list_items
from core.dataset.project import Project

Action = Literal["upscale", "pass", "resize"]
TITLES = {"upscale": "Upscale", "resize": "Shrink", "mask": "Mask", "transparent": "Transparent background"}
"""Tool → what its step is called, in the order of the steps."""
OWN = ("upscale", "resize")
"""What these tools alone made of a picture does not count: its size before them does, and other limits begin there."""
SECONDS = {"cuda": {"upscale": 3.0, "resize": 0.15, "mask": 0.3, "transparent": 0.5},
           "cpu": {"upscale": 300.0, "resize": 0.15, "mask": 6.0, "transparent": 0.5}}
"""Rough: seconds for a megapixel that is upscaled (36 TFLOP through RealESRGAN x4plus) or shrunk, and for a mask or a cut-out."""
SHOWN = 3
"""Versions and pictures that the plan's line names."""
MOST_ENLARGED = 4
"""Times: what the usual networks were trained for."""
MASK_BYTES, CUT_OUT_BYTES = 0.05, 1.7
"""Rough: bytes for a pixel of a mask, and of a transparent PNG."""


class BySizeSettings(Settings):
    """Where small ends and large begins, and what follows."""

    title = "Bulk by size"

    images: tuple[str, ...] = setting((), "Only these", "Ids of images (names without the ending); none given: all.", level="expert")
    small: int = setting(1500, "Upscale below", "Pictures whose shorter side has fewer pixels. 0: none.", unit="px", ge=0, le=16384,
                         source="dataset-recipes: below 1500 upscale, 1500 to 2500 pass, larger downscale")
    large: int = setting(2500, "Shrink above", "Pictures whose shorter side has more pixels. 0: none.", unit="px", ge=0, le=16384)
    target: int = setting(2048, "To", "Shorter side of what is upscaled or shrunk.", unit="px", ge=16, le=16384,
                          source="dataset-recipes: 2048, 1024 to 4096")
    upscaler: str = setting("", "Upscaling model", "A named upscaler, or a file in models/upscalers; empty: Upscale's own choice.",
                            level="advanced")
    then: Literal["nothing", "mask", "transparent"] = setting("nothing", "Then", "mask: a mask of each picture. transparent: a mask, and "
                                                              "by it a version without background.")
    segmenter: str = setting("", "Mask found by", "Empty: Mask's own choice.", level="advanced", only={"then": ("mask", "transparent")})
    plan_only: bool = setting(False, "Only the plan", "Say what would be done, and do nothing.", level="expert")

    def is_large(self, side: int) -> bool:
        """Whether a picture with that shorter side is shrunk."""
        return bool(self.large) and side > self.large


@dataclass(frozen=True)
class BySizeRow:
    """What becomes of one picture."""

    id: str
    name: str
    size: Size
    """That counts: of the picture, or of a version that another tool made or that was brought along; (0, 0): it cannot be opened."""
    action: Action
    goal: Size
    """About; what passes has its own size."""
    stands: str = ""
    """Version that stands for a picture that passes, made by these tools earlier; empty: the picture itself, or what its size is of."""

    @property
    def factor(self) -> float:
        """How many times as large its sides become."""
        return self.goal[0] / self.size[0] if self.size[0] else 1.0

    def told(self) -> str:
        """What becomes of it, in a word or two."""
        return f"stays as {self.stands}" if self.stands else self.action


@dataclass(frozen=True)
class BySizePlan:
    """What would be done, before anything is."""

    rows: tuple[BySizeRow, ...]
    """Of every picture that can be opened."""
    then: tuple[str, ...]
    """Tools that follow for every picture."""
    bytes: int
    """Of the new files, roughly."""
    seconds: float
    """Roughly."""
    free: int
    """Bytes that are free on the disk."""
    refused: tuple[str, ...]
    """Why it cannot be done; empty: it can."""
    unread: tuple[str, ...] = ()
    """Pictures that cannot be opened, and names that nobody bears."""

    def of(self, action: Action) -> list[BySizeRow]:
        """The pictures to which that is done."""
        return [row for row in self.rows if row.action == action]

    def sentence(self) -> str:
        """In one line, or why it cannot be done."""
        upscaled, shrunk, passed = (len(self.of(action)) for action in ("upscale", "resize", "pass"))
        words = f"{counted(len(self.rows), 'picture')}: {upscaled} upscaled, {passed} {'stays' if passed == 1 else 'stay'}, {shrunk} shrunk"
        words += "".join(f", then {TITLES[tool].lower()}" for tool in self.then)
        words += f". About {told_size(self.bytes)} of new files, {_told_time(self.seconds)}."
        words += self._standing() + self._much_enlarged()
        if self.unread:
            words += f" Cannot be opened, or not there: {', '.join(self.unread)}."
        if self.bytes > self.free:
            words += f" Only {told_size(self.free)} are free."
        return " ".join([words, *self.refused])

    def _much_enlarged(self) -> str:
        """Which pictures hold too little for their new size."""
        names = [row.name for row in self.of("upscale") if row.factor > MOST_ENLARGED]
        if not names:
            return ""
        return (f" More than {MOST_ENLARGED} times as large {'becomes' if len(names) == 1 else 'become'} {_listed(names)}: most of that is "
                "invented by the model. Leave out what is so small, or bring it to less.")

    def _standing(self) -> str:
        """Which versions of earlier limits stand for pictures that now stay."""
        names = [row.stands for row in self.rows if row.stands]
        if not names:
            return ""
        who = "1 of those that stay stands as what was made of it" if len(names) == 1 \
            else f"{len(names)} of those that stay stand as what was made of them"
        return f" {who} earlier: {_listed(names)}. Take it back where you want the picture itself."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"summary": self.sentence(), **vars(self), "rows": [vars(row) for row in self.rows], "table": self.table()}

    def table(self) -> list[dict[str, str]]:
        """One row for each picture: what becomes of it."""
        return [{"picture": row.name, "size": f"{row.size[0]} x {row.size[1]}", "plan": row.told(),
                 "becomes": f"{row.goal[0]} x {row.goal[1]}" if row.action != "pass" else ""} for row in self.rows]


@dataclass
class BySizeReport:
    """What came of it."""

    plan: BySizePlan
    steps: dict[str, VersionReport] = field(default_factory=dict)
    """By tool, in order."""

    def table(self) -> list[dict[str, str]]:
        """One row for each picture: what was planned, and what came of each step."""
        return [{"picture": row.name, "size": f"{row.size[0]} x {row.size[1]}", "plan": row.told(),
                 **{TITLES[tool]: _outcome(report, row) for tool, report in self.steps.items()}} for row in self.plan.rows]

    def sentence(self) -> str:
        """In one line."""
        return " ".join(f"{TITLES[tool]}: {report.sentence()}" for tool, report in self.steps.items()) or "Every picture stays as it is."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"summary": self.sentence(), "plan": self.plan.as_dict(), "table": self.table(),
                "steps": {tool: report.as_dict() for tool, report in self.steps.items()}}


Run = Callable[[str, Mapping[str, Any], Sequence[str], Progress], VersionReport]
"""Runs a tool: its name, its settings, ids of images, progress."""


def plan_by_size(project: Project, settings: BySizeSettings, tools: Collection[str], device: str = "cpu") -> BySizePlan:
    """What would be done.

    Args:
        tools: names of those that there are; a step whose tool is missing is refused.
        device: "cuda" or "cpu": by which the time is guessed.

    Raises: ConfigError: the limits do not go together. DatasetError: the project cannot be read.
    """
    if settings.target < settings.small or settings.is_large(settings.target):
        limits = f"{settings.small} and {settings.large} px" if settings.large else f"{settings.small} px and no upper one"
        raise ConfigError(f"The shorter side that pictures are brought to ({settings.target} px) does not lie between the limits "
                          f"({limits}).", "What is upscaled or shrunk must then pass.")
    items = {item.id: item for item in list_items(project)}
    chosen = [items[name] for name in dict.fromkeys(settings.images or items) if name in items]
    variants = list_variants(project, items.keys())
    rows = [_row(project, item, best_of(variants.get(item.id, ())), settings) for item in chosen]
    unread = [row.name for row in rows if not all(row.size)] + [name for name in settings.images if name not in items]
    readable = tuple(row for row in rows if all(row.size))
    then = {"nothing": (), "mask": ("mask",), "transparent": ("mask", "transparent")}[settings.then]
    needed = [tool for tool in TITLES if tool in then or any(row.action == tool for row in readable)]
    refused = tuple(f"{TITLES[tool]} is not there: no tool is called {tool!r}." for tool in needed if tool not in tools)
    size, seconds = _costs(readable, then, items, device)
    return BySizePlan(readable, then, size, seconds, shutil.disk_usage(project.folder).free, refused, tuple(unread))


def work_by_size(settings: BySizeSettings, plan: BySizePlan, run: Run, progress: Progress = SILENT) -> BySizeReport:
    """Do what was planned, one tool after the other.

    Args: run: runs a tool.
    Raises: ConfigError: a step is refused. Whatever the tools raise: what was made stays, and the next run goes on from there.
    """
    if plan.refused:
        raise ConfigError(" ".join(plan.refused), "Choose limits that need no such step, or nothing to follow.")
    report = BySizeReport(plan)
    side: dict[str, Any] = {"mode": "shortest", "side": settings.target}
    values = {"upscale": side | ({"model": settings.upscaler} if settings.upscaler else {}), "resize": side,
              "mask": {"segmenter": settings.segmenter} if settings.segmenter else {}, "transparent": {}}
    for tool in TITLES:
        rows = plan.rows if tool in plan.then else [row for row in plan.rows if row.action == tool]
        if rows:
            progress.check()
            report.steps[tool] = run(tool, values[tool], [row.id for row in rows], progress)
    return report


def _row(project: Project, item: ImageItem, best: Variant | None, settings: BySizeSettings) -> BySizeRow:
    size, is_own = _size(project, item, best)
    side = min(size)
    action: Action = "upscale" if side < settings.small else "resize" if settings.is_large(side) else "pass"
    scale = settings.target / side if side and action != "pass" else 1
    goal = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    return BySizeRow(item.id, item.name, size, action, goal, best.name if best is not None and is_own and action == "pass" else "")


def _size(project: Project, item: ImageItem, best: Variant | None) -> tuple[Size, bool]:
    """Of the best version that another tool made, or that was brought along; else of the picture, and whether `OWN` made one of it."""
    if best is None:
        return (item.width, item.height), False
    made = read_made(project.variants / best.name)
    if made is not None and (made.of != item.sha256 or all(step.tool in OWN for step in made.steps)):
        return (item.width, item.height), made.of == item.sha256
    try:
        facts = inspect_image(project.variants / best.name)
    except DatasetError:
        return (0, 0), False
    return (facts.width, facts.height), False


def _costs(rows: Sequence[BySizeRow], then: Sequence[str], items: Mapping[str, ImageItem], device: str) -> tuple[int, float]:
    """Bytes and seconds, roughly: a version has as many bytes a pixel as its picture."""
    speed, total, seconds = SECONDS["cuda" if device == "cuda" else "cpu"], 0.0, 0.0
    for row in rows:
        pixels, goal = row.size[0] * row.size[1], row.goal[0] * row.goal[1]
        if row.action != "pass":
            item = items[row.id]
            total += goal * item.size / max(1, item.width * item.height)
            seconds += speed[row.action] * pixels / 1e6
        for tool in then:
            total += goal * (MASK_BYTES if tool == "mask" else CUT_OUT_BYTES)
            seconds += speed[tool]
    return int(total), seconds


def _outcome(report: VersionReport, row: BySizeRow) -> str:
    """What came of a picture in one step; empty: it was not its turn."""
    for skipped in report.skipped:
        if skipped.name == row.name:
            return f"left out: {skipped.reason}"
    if row.name in report.there:
        return "there already"
    if row.name in report.unneeded:
        return report.reasons.get(row.name, "needed none")
    made = [one for one in report.made if (found := variant_of(one.name, [row.id])) is not None and found.kind != "part"]
    return "; ".join(f"{one.name}, {one.after[0]} x {one.after[1]}" + (f" ({one.note})" if one.note else "") for one in made)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _told_time(seconds: float) -> str:
    if seconds < 60:
        return "less than a minute"
    minutes = seconds / 60
    return f"about {counted(round(minutes), 'minute')}" if minutes < 90 else f"about {counted(round(minutes / 60), 'hour')}"
