"""The layout of one export with all that holds for it, and what lies in its folder that no export wrote."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from core.base.buckets import BucketRule
from core.dataset.export.layouts import LAYOUTS
from core.dataset.export.layouts.layout import Facts, Layout
from core.dataset.export.manifest import Manifest
from core.dataset.export.pictures import Look
from core.dataset.export.planning import Plan
from core.dataset.export.settings import REGULARISATION, ExportSettings
from core.dataset.images.files import IMAGE_SUFFIXES, has_images
from core.dataset.project import Project
from core.dataset.training_file import kept_settings


def layout_of(project: Project, settings: ExportSettings, plan: Plan, looks: Mapping[str, Look], root: Path, rule: BucketRule) -> Layout:
    """The layout with what holds for this export. Args: looks: id of each wanted picture → what its file says."""
    kept = kept_settings(project, "data")
    reg = has_images(project.folder / REGULARISATION) and not without_regularisation(settings, plan)
    facts = Facts(root, settings, project.name, project.trigger_word, plan.repeats(settings), rule, project.images,
                  _is_listed(settings, plan, looks), reg, kept.get("enable_wildcard") is True)
    return LAYOUTS.load(settings.layout)(facts)


def _is_listed(settings: ExportSettings, plan: Plan, looks: Mapping[str, Look]) -> bool:
    """Whether an export in place takes other files than the project's folder holds, or other captions than lie beside them."""
    if settings.has_copies:
        return False
    instead = settings.without_caption == "trigger" and bool(plan.missing)
    return bool(settings.images or plan.skipped) or instead or any(
        one.variant is not None or one.stem != one.item.id or looks[one.id].trouble for one in plan.wanted if one.id in looks)


def without_regularisation(settings: ExportSettings, plan: Plan) -> bool:
    """sd-scripts reads no regularisation pictures beside masks that are files of their own (48d368fa: each dataset is of one kind, and
    one of regularisation pictures alone is empty)."""
    by_files = settings.masks == "files" and any(one.mask for one in plan.wanted)
    return settings.layout != "kohya" or not settings.regularisation or by_files


def strangers(root: Path, layout: Layout, before: Manifest, stems: Collection[str]) -> list[str]:
    """Pictures and captions in the export's folder that no export wrote, below it; a trainer would take them for its own.

    Args: stems: of what is exported now; whose such a file is, is found out when it is written.
    """
    found = []
    for folder in sorted({layout.folder(), str(PurePosixPath(layout.mask_name("a")).parent)}):
        with contextlib.suppress(OSError):
            names = sorted(path.name for path in (root / folder).iterdir() if not path.name.startswith("."))
            found += [f"{folder}/{name}" for name in names if name.lower().endswith((*IMAGE_SUFFIXES, ".txt"))
                      and f"{folder}/{name}" not in before.files and Path(name).stem.removesuffix("-masklabel") not in stems]
    return found
