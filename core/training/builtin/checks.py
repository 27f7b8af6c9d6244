"""What must be right between options, data and model before the first step, and the seed that a run is made with."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from core.base.errors import ConfigError
from core.training.builtin.dataset import TrainDataset
from core.training.builtin.loss import predicts_velocity
from core.training.builtin.options import TrainOptions
from core.training.builtin.state import Position

if TYPE_CHECKING:
    from core.diffusion.model import DiffusionModel
    from core.training.builtin.events import Reporter


def choose_seed(options: TrainOptions, resumed: Position | None, reporter: Reporter) -> int:
    """The state's seed, else that of the options, else one of the clock's."""
    if resumed is not None:
        if options.seed is not None and options.seed != resumed.seed:
            reporter.warn(f"The state was made with seed {resumed.seed}, which is used instead of {options.seed}.")
        return resumed.seed
    return options.seed if options.seed is not None else int.from_bytes(hashlib.sha256(str(time.time_ns()).encode()).digest()[:4], "big")


def checked_velocity(model: DiffusionModel, options: TrainOptions) -> bool:
    """Whether the model predicts velocity. Raises: ConfigError: a loss weight is set that is for the other kind."""
    velocity = predicts_velocity(model, options)
    if options.scale_v_pred_loss_like_noise_pred and not velocity:
        raise ConfigError("scale_v_pred_loss_like_noise_pred needs a model that predicts velocity.",
                          "Set v_parameterization, or leave it out.")
    if options.v_pred_like_loss and velocity:
        raise ConfigError("v_pred_like_loss is for models that predict noise.", "Leave it out.")
    return velocity


def check_sizes(model: DiffusionModel, datasets: list[TrainDataset]) -> None:
    """Raises: ConfigError: a training size that the model cannot take."""
    multiple = model.size_multiple
    for dataset in datasets:
        for width, height in dataset.buckets():
            if width % multiple or height % multiple:
                raise ConfigError(f"Images would be trained at {width} x {height}, but this model needs multiples of {multiple}.",
                                  f"Set resolution and bucket_reso_steps to multiples of {multiple}.")
