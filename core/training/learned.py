"""Which folder a training really learns from: the project's own pictures, or the best versions of them that its tools made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.findings import Finding
from core.base.paths import place_of
from core.base.progress import SILENT, Progress
from core.dataset.images.learnable import learnable
from core.dataset.images.training_set import is_training_set, training_set
from core.dataset.items import list_items

if TYPE_CHECKING:
    from core.dataset.project import Project
    from core.training.config import Subset, TrainingSettings

NAMED = 3
"""Most pictures that a finding names."""


def learn_versions(settings: TrainingSettings, project: Project, progress: Progress = SILENT, masks: bool = True,
                   alone: bool = False) -> TrainingSettings:
    """The settings with the project's own folder replaced by the best versions of its pictures; as they are where there are none.

    With the masked loss, masks that were drawn in the project become the folder's masks, unless others were chosen for it.

    Args:
        masks: whether they matter to who asks.
        alone: for what lasts: no tool may be making versions.

    Raises: DatasetError: the project cannot be read, a mask cannot, or versions are being made; DiskError; Cancelled.
    """
    own = _own(settings, project)
    if not own or not settings.data.use_versions:
        return settings
    without = _without_masks(own)
    found = training_set(project, masks and settings.loss.masked_loss and bool(without), progress, alone)
    if found is None:
        return settings

    def learned(subset: Subset) -> Subset:
        if subset not in own:
            return subset
        places = {"image_dir": str(found.images)}
        if found.masks is not None and subset in without:
            places["conditioning_data_dir"] = str(found.masks)
        return subset.changed(**places)

    return settings.with_values(data={"subsets": [learned(subset) for subset in settings.data.subsets]})


def check_versions(settings: TrainingSettings, project: Project) -> list[Finding]:
    """Versions and masks that are passed over, as their pictures were changed later. Raises: DatasetError: the project cannot be read."""
    own = _own(settings, project)
    if not own or not settings.data.use_versions or not project.variants.is_dir():
        return []
    stale = learnable(project, list_items(project), settings.loss.masked_loss and bool(_without_masks(own))).stale
    if not stale:
        return []
    names = list(dict.fromkeys(item.name for item, _ in stale))
    told = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    what = "was changed after a version or mask of it was" if len(names) == 1 else "were changed after versions or masks of them were"
    return [Finding("warning", f"{told} {what} made; what is older than the picture is not learned.",
                    "Make it anew in the workbench, or take it away there.")]


def _own(settings: TrainingSettings, project: Project) -> list[Subset]:
    from core.training.fitting import is_own

    return [subset for subset in settings.data.subsets if is_own(subset, project)]


def _without_masks(subsets: Sequence[Subset]) -> list[Subset]:
    """Those for which no masks were chosen."""
    return [subset for subset in subsets if not subset.conditioning_data_dir and not subset.alpha_mask]


def as_chosen(settings: TrainingSettings, project: Project) -> TrainingSettings:
    """The settings of a run as a person chose them: the project's own folder, where its versions were learned from, and no trigger in
    the file where it is the project's word, which each run is given."""
    def chosen(subset: Subset) -> Subset:
        if not is_training_set(place_of(subset.image_dir), project):
            return subset
        masks = subset.conditioning_data_dir
        is_made = masks is not None and is_training_set(Path(place_of(masks)), project)
        return subset.changed(image_dir=str(project.images), **({"conditioning_data_dir": None} if is_made else {}))

    if settings.saving.metadata_trigger_phrase == project.trigger_word:
        settings = settings.with_values(saving={"metadata_trigger_phrase": None})
    subsets = [chosen(subset) for subset in settings.data.subsets]
    return settings if subsets == list(settings.data.subsets) else settings.with_values(data={"subsets": subsets})
