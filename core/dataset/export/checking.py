"""What stands against an export, and what would come out otherwise than one thinks; with the change of the settings that mends it."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from core.base.buckets import Fitter
from core.base.errors import ConfigError, DatasetError, StudioError
from core.base.files import nearest_folder
from core.base.findings import Finding, errors_of
from core.base.progress import SILENT, Progress
from core.base.words import counted, told_size
from core.base.zipping import SPARE
from core.dataset.checking import caption_trouble, look_at_pictures, some_names
from core.dataset.export.laying_out import layout_of, strangers, without_regularisation
from core.dataset.export.layouts.layout import Layout
from core.dataset.export.manifest import MANIFEST, Manifest, read_manifest
from core.dataset.export.pictures import Look, look_at
from core.dataset.export.planning import Plan, Wanted, plan_export
from core.dataset.export.settings import REGULARISATION, ExportSettings, export_folder
from core.dataset.images.files import has_images
from core.dataset.images.masks import share
from core.dataset.images.opening import open_image
from core.dataset.index import Index
from core.dataset.parallel import bounded_map
from core.dataset.project import Project
from core.dataset.sources.ledger import fold
from core.dataset.training_file import trainer_rule

MUCH_ENLARGED = 1.05
"""Factor above which it is named that a picture is enlarged in training."""
MUCH_CROPPED = 0.1
"""Share of the area above which it is named that a picture is cut in training."""


@dataclass(frozen=True)
class ExportFinding(Finding):
    """One result; pressing its button changes the settings of the export."""

    fix: Mapping[str, Any] = field(default_factory=dict)
    """Names and values of settings; empty: nothing can be mended here."""
    press: str = ""
    """Words of the button."""

    def as_dict(self) -> dict[str, Any]:  # type: ignore[override]
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class ExportCheck:
    """What an export would be, and what was found."""

    layout: Layout
    plan: Plan
    looks: Mapping[str, Look]
    """Id of each wanted picture → what its file says."""
    findings: list[ExportFinding]
    before: Manifest
    """What earlier exports wrote there."""

    def sentence(self) -> str:
        """The result in one line."""
        errors, warnings = len(errors_of(list(self.findings))), sum(finding.level == "warning" for finding in self.findings)
        if errors:
            return f"{counted(errors, 'thing')} must be mended before the export; the list says how."
        what = f"{counted(len(self.plan.wanted), 'picture')} can be exported"
        return f"{what}; {counted(warnings, 'thing')} {'is' if warnings == 1 else 'are'} worth a look." if warnings else f"{what}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON; as a command it ends with 1 where an error was found."""
        return {"summary": self.sentence(), "folder": str(self.layout.facts.root), "pictures": len(self.plan.wanted),
                "findings": [finding.as_dict() for finding in self.findings], "exit_code": int(bool(errors_of(list(self.findings))))}


KINDS: tuple[tuple[str, Literal["error", "warning", "info"], str, str, Mapping[str, Any], str], ...] = (
    ("broken", "error", "Pictures that cannot be opened", "Take them out of the images folder.", {}, ""),
    ("damaged", "error", "Pictures that are damaged or cut off", "Import them again from a whole file.", {}, ""),
    ("encoding", "error", "Captions that are not UTF-8 text", "Save them again as UTF-8.", {}, ""),
    ("closed", "error", "Captions that cannot be read", "Look at their rights, and whether they are files.", {}, ""),
    ("missing", "error", "Pictures without a caption", "Tag them, or write a caption.", {"without_caption": "leave_out"}, "Leave them out"),
    ("foreign", "warning", "Files of somebody else lie among the exported ones; they are not touched, and a trainer takes them too",
     "Move them away, or choose another folder.", {}, ""),
    ("large", "warning", "Pictures too large to be looked at whole; they are left out", "Make them smaller.", {}, ""),
    ("stale", "warning", "Versions and masks that are passed over, as they were made of another picture than the one that is there now",
     "Make them anew with their tool, or take them away in the workbench.", {}, ""),
    ("mask", "warning", "Masks that cannot be used, as they are of another section of the picture, of other proportions or damaged; they "
     "are left out", "Draw them anew.", {"masks": "none"}, "Export without masks"),
    ("empty_mask", "warning", "Masks in which nothing counts: nothing of these pictures would be learned",
     "Draw them anew, or put the mask aside.", {"masks": "none"}, "Export without masks"),
    ("full_mask", "info", "Masks in which everything counts", "They change nothing.", {}, ""),
    ("unfit", "error", "Pictures that fit no training size", "Leave them out, or switch 'Never enlarge' off in Trainer.", {}, ""),
    ("enlarged", "warning", "Pictures that are enlarged in training", "The LoRA learns their blur. Upscale them, or leave them out.",
     {}, ""),
    ("cropped", "info", "Pictures of which training cuts off more than a tenth", "Crop them yourself, if the edges matter.", {}, ""),
    ("stem", "info", "Pictures that share a caption, as their names differ only in the ending or in case",
     "In the export each gets a name and a caption of its own.", {}, ""),
    ("lines", "info", "Captions of several lines", "Trainers without wildcards read the first line only.", {}, ""),
)
IN_A_COPY: tuple[tuple[str, str, str], ...] = (
    ("turned", "Pictures that are stored lying", "In the export they are upright."),
    ("alpha", "Pictures with transparency", "In the export white is behind them."),
    ("bom", "Captions that begin with an invisible mark (BOM)", "In the export they do not."),
)
"""What a copy mends by itself, and a trainer that reads in place does not."""


def check_export(project: Project, settings: ExportSettings, progress: Progress = SILENT) -> ExportCheck:
    """Look at everything that would be exported; nothing is written.

    Raises: ConfigError: the folder cannot be used, or Trainer's sizes do not fit together. DatasetError: the folder holds another export.
        Cancelled.
    """
    root, before = _before(project, settings)
    plan, rule = plan_export(project, settings), trainer_rule(project)
    if not plan.wanted:
        what = "There are no pictures to export." if not plan.missing else "No picture has a caption, so none is left to export."
        finding = ExportFinding("error", what, "Import some, or caption them.")
        return ExportCheck(layout_of(project, settings, plan, {}, root, rule), plan, {}, [finding], before)
    trouble: dict[str, list[str]] = {}
    looks = _look(project, plan, trouble, progress)
    _sort_looks(plan, looks, settings, Fitter(rule), trouble)
    trouble["stale"] = list(plan.stale)
    trouble["missing"] = [one.source.name for one in plan.missing] if settings.without_caption == "stop" else []
    stems = Counter(fold(item.id) for item in {one.item.name: one.item for one in plan.wanted}.values())
    trouble["stem"] = [one.item.name for one in plan.wanted if stems[fold(one.item.id)] > 1]
    layout = layout_of(project, settings, plan, looks, root, rule)
    trouble["foreign"] = strangers(root, layout, before, {one.stem for one in plan.wanted})
    findings = [_finding(level, what, trouble[kind], remedy, fix, press)
                for kind, level, what, remedy, fix, press in KINDS if trouble.get(kind)]
    findings += _by_copying(settings, trouble) + _elsewhere(project, layout, plan) + _privacy(settings, trouble)
    findings += _room(root, before, settings, plan, looks)
    findings.sort(key=lambda finding: ("error", "warning", "info").index(finding.level))
    return ExportCheck(layout, plan, looks, findings, before)


def _finding(level: Literal["error", "warning", "info"], what: str, names: Sequence[str], remedy: str, fix: Mapping[str, Any] | None = None,
             press: str = "") -> ExportFinding:
    names = list(dict.fromkeys(names))
    return ExportFinding(level, f"{what}: {some_names(names)}.", remedy, dict(fix or {}), press)


def _before(project: Project, settings: ExportSettings) -> tuple[Path, Manifest]:
    """The folder, and what earlier exports wrote there. Raises: ConfigError, DatasetError."""
    root = export_folder(project, settings.layout, settings.folder)
    before = read_manifest(root)
    if before is None or not settings.folder.strip():
        return root, before or Manifest()
    if before.layout != settings.layout or before.project != project.name:
        raise DatasetError(f"{root} holds an export of {before.project!r} for {before.layout}.",
                           f"Choose another folder, or take that export and its {MANIFEST} away.")
    return root, before


def _look(project: Project, plan: Plan, trouble: dict[str, list[str]], progress: Progress) -> dict[str, Look]:
    """Every picture and caption as a trainer sees it; each picture is decoded once, and known to be whole then."""
    items = list({one.item.name: one.item for one in plan.wanted}.values())
    progress.start("Looking at the pictures", len(items) + len(plan.wanted))
    with Index(project.hidden / "index.sqlite") as index, closing(look_at_pictures(items, index)) as looked_at:
        for item, kinds in looked_at:
            for kind in (*kinds, *caption_trouble(item)):
                if kind not in ("missing", "empty", "borrowed", "turned"):
                    trouble.setdefault(kind, []).append(item.name)
            progress.advance(item.name)
    looks: dict[str, Look] = {}
    with closing(bounded_map(_look_closely, plan.wanted)) as looked:
        for one, found in looked:
            if isinstance(found, StudioError):
                raise found
            look, mask = found
            looks[one.id] = look
            if mask:
                trouble.setdefault(mask, []).append(one.mask.name if one.mask is not None else "")
            progress.advance(one.source.name)
    return looks


def _look_closely(one: Wanted) -> tuple[Look, str]:
    """Headers, and whether a mask is empty or full (in a thread)."""
    look = look_at(one)
    if one.mask is None or look.trouble or look.mask_trouble:
        return look, "mask" if look.mask_trouble else ""
    try:
        import numpy

        part = share(numpy.asarray(open_image(one.mask).image.convert("L")))
    except DatasetError:
        return look, "mask"
    return look, "empty_mask" if part == 0 else "full_mask" if part == 1 else ""


def _sort_looks(plan: Plan, looks: Mapping[str, Look], settings: ExportSettings, fitter: Fitter, trouble: dict[str, list[str]]) -> None:
    tests: tuple[tuple[str, Callable[[Look], bool]], ...] = (
        ("turned", lambda look: look.turned), ("place", lambda look: look.has_place),
        ("alpha", lambda look: look.has_alpha and settings.masks != "alpha"))
    for one in plan.wanted:
        look = looks[one.id]
        if look.trouble:
            if one.variant is not None:
                trouble.setdefault("broken", []).append(one.source.name)
            continue
        for kind, holds in tests:
            if holds(look):
                trouble.setdefault(kind, []).append(one.source.name)
        try:
            fit = fitter.fit(look.size)
        except ConfigError:
            trouble.setdefault("unfit", []).append(one.source.name)
            continue
        if fit.scale > MUCH_ENLARGED:
            trouble.setdefault("enlarged", []).append(one.source.name)
        if fit.cropped > MUCH_CROPPED:
            trouble.setdefault("cropped", []).append(one.source.name)


def _by_copying(settings: ExportSettings, trouble: Mapping[str, list[str]]) -> list[ExportFinding]:
    if settings.has_copies:
        return [_finding("info", what, trouble[kind], after) for kind, what, after in IN_A_COPY if trouble.get(kind)]
    remedy = "Without a copy a trainer sees them as they are."
    return [_finding("warning", what, trouble[kind], remedy, {"layout": "kohya"}, "Export a copy for kohya")
            for kind, what, _ in IN_A_COPY if trouble.get(kind)]


def _elsewhere(project: Project, layout: Layout, plan: Plan) -> list[ExportFinding]:
    found, settings = [], layout.settings
    if layout.facts.listed and any(one.mask for one in plan.wanted):
        found.append(ExportFinding("warning", "Without a copy masks go only with all the pictures themselves and their own captions, not "
                                   "with versions, with some of them, or with the trigger word in place of a caption; the masks are left "
                                   "out.", "Export a copy.", {"layout": "kohya"}, "Export a copy for kohya"))
    if settings.layout == "kohya" and settings.regularisation and without_regularisation(settings, plan):
        found.append(ExportFinding("warning", "sd-scripts reads no regularisation pictures beside masks that are files of their own; they "
                                   "are left out.", "Put the masks into the transparency.", {"masks": "alpha"}, "Masks in transparency"))
    if settings.layout == "kohya" and settings.regularisation and not has_images(project.folder / REGULARISATION):
        found.append(ExportFinding("warning", "There are no regularisation pictures.", "Draw some in Trainer.", {"regularisation": False},
                                   "Export without them"))
    if not project.trigger_word and (settings.layout == "kohya" or (plan.missing and settings.without_caption == "trigger")):
        found.append(ExportFinding("info", "The project has no trigger word; its name stands in its place.", "", {}, ""))
    return found


def _privacy(settings: ExportSettings, trouble: Mapping[str, list[str]]) -> list[ExportFinding]:
    if not trouble.get("place") or settings.strip_notes or not settings.has_copies:
        return []
    return [_finding("warning" if settings.layout == "imagefolder" else "info", "Pictures that say where they were taken", trouble["place"],
                     "Who gets the export can read it.", {"strip_notes": True}, "Take camera notes out")]


def _room(root: Path, before: Manifest, settings: ExportSettings, plan: Plan, looks: Mapping[str, Look]) -> list[ExportFinding]:
    """Whether what is not there yet fits on the disk."""
    if not settings.has_copies:
        return []
    there, needed, whole = before.by_slot(), 0, 0
    for one in plan.wanted:
        try:
            size = one.source.stat().st_size if not looks[one.id].trouble else 0
        except OSError:
            continue
        whole += size
        needed += 0 if f"picture:{one.id}" in there else size
    needed += whole if settings.makes_zip else 0
    free = shutil.disk_usage(nearest_folder(root)).free
    if free >= needed + SPARE:
        return []
    fix = {"zip": False} if settings.makes_zip and free >= needed - whole + SPARE else {}
    return [ExportFinding("error", f"The export takes {told_size(needed)}, but only {told_size(free)} are free in {nearest_folder(root)}.",
                          "Free some space, or choose a folder on another disk.", fix, "Export without a zip" if fix else "")]
