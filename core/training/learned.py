"""Which folder a training really learns from: the project's own pictures, or the best versions of them that its tools made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.base.paths import place_of
from core.base.progress import SILENT, Progress
from core.dataset.images.training_set import is_training_set, training_set

if TYPE_CHECKING:
    from core.dataset.project import Project
    from core.training.config import Subset, TrainingSettings


def learn_versions(settings: TrainingSettings, project: Project, progress: Progress = SILENT, masks: bool = True) -> TrainingSettings:
    """The settings with the project's own folder replaced by the best versions of its pictures; as they are where there are none.

    With the masked loss, masks that were drawn in the project become the folder's masks, unless others were chosen for it.

    Args: masks: whether they matter to who asks.

    Raises: DatasetError: the project cannot be read, or a mask cannot; DiskError; Cancelled.
    """
    from core.training.fitting import is_own

    own = [subset for subset in settings.data.subsets if is_own(subset, project)]
    if not own or not settings.data.use_versions:
        return settings
    without = [subset for subset in own if not subset.conditioning_data_dir and not subset.alpha_mask]
    found = training_set(project, masks and settings.loss.masked_loss and bool(without), progress)
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


def as_chosen(settings: TrainingSettings, project: Project) -> TrainingSettings:
    """The settings of a run as a person chose them: the project's own folder, where its versions were learned from."""
    def chosen(subset: Subset) -> Subset:
        if not is_training_set(place_of(subset.image_dir), project):
            return subset
        masks = subset.conditioning_data_dir
        is_made = masks is not None and is_training_set(Path(place_of(masks)), project)
        return subset.changed(image_dir=str(project.images), **({"conditioning_data_dir": None} if is_made else {}))

    subsets = [chosen(subset) for subset in settings.data.subsets]
    return settings if subsets == list(settings.data.subsets) else settings.with_values(data={"subsets": subsets})
