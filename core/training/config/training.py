"""Everything that a training run is told: the parts gathered, with what a run fills in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import Self

from core.base.errors import ConfigError
from core.base.settings import Settings, setting
from core.training.config.data import DataSettings
from core.training.config.extra import ExtraSettings
from core.training.config.log import LoggingSettings
from core.training.config.loss import LossSettings
from core.training.config.machines import MachinesSettings
from core.training.config.memory import MemorySettings
from core.training.config.model import ModelSettings
from core.training.config.network import NetworkSettings
from core.training.config.older import brought_up
from core.training.config.optimizer import OptimizerSettings
from core.training.config.part import Part
from core.training.config.sampling import SamplingSettings
from core.training.config.saving import SavingSettings
from core.training.config.schedule import ScheduleSettings

PARTS: dict[str, type[Part]] = {
    "model": ModelSettings, "data": DataSettings, "network": NetworkSettings, "optimizer": OptimizerSettings,
    "schedule": ScheduleSettings, "loss": LossSettings, "memory": MemorySettings, "machines": MachinesSettings,
    "sampling": SamplingSettings, "saving": SavingSettings, "logging": LoggingSettings, "extra": ExtraSettings,
}
"""The parts by the name of their field, in the order in which a person meets them."""


class TrainingSettings(Settings):
    """Everything that a training run is told."""

    title: ClassVar[str] = "Training"

    model: ModelSettings = setting(ModelSettings(), "Model")
    data: DataSettings = setting(DataSettings(), "Dataset")
    network: NetworkSettings = setting(NetworkSettings(), "LoRA")
    optimizer: OptimizerSettings = setting(OptimizerSettings(), "Optimizer")
    schedule: ScheduleSettings = setting(ScheduleSettings(), "Length and schedule")
    loss: LossSettings = setting(LossSettings(), "Noise and loss")
    memory: MemorySettings = setting(MemorySettings(), "Memory and speed")
    machines: MachinesSettings = setting(MachinesSettings(), "Several GPUs")
    sampling: SamplingSettings = setting(SamplingSettings(), "Samples")
    saving: SavingSettings = setting(SavingSettings(), "Saving")
    logging: LoggingSettings = setting(LoggingSettings(), "Log")
    extra: ExtraSettings = setting(ExtraSettings(), "Further options")

    @classmethod
    def from_values(cls, values: Mapping[str, Mapping[str, Any]]) -> Self:
        """Build from a table per part, as a preset file holds them; what is not named has its default.

        Raises: ConfigError: an unknown part or setting, or a wrong value, named with its part.
        """
        values = brought_up(values)
        unknown = [name for name in values if name not in PARTS]
        if unknown:
            raise ConfigError(f"There is no part {unknown[0]!r} of the training settings.", f"Known: {', '.join(PARTS)}.")
        made: dict[str, Part] = {}
        for name, part in PARTS.items():
            given = values.get(name, {})
            if not isinstance(given, Mapping):
                raise ConfigError(f"The part {name!r} of the training settings must be a table, but is {given!r}.")
            made[name] = part.make(**given)
        return cls.make(**made)

    def values(self) -> dict[str, dict[str, Any]]:
        """A table per part: what `from_values` reads. TOML has no None: "" stands for it where the default is another value."""
        return {name: _table(getattr(self, name)) for name in PARTS}

    def with_values(self, **changes: Mapping[str, Any]) -> Self:
        """A copy with some values of some parts replaced: `with_values(data={"resolution": 768})`. Raises: ConfigError."""
        unknown = [name for name in changes if name not in PARTS]
        if unknown:
            raise ConfigError(f"There is no part {unknown[0]!r} of the training settings.", f"Known: {', '.join(PARTS)}.")
        return self.changed(**{name: getattr(self, name).changed(**values) for name, values in changes.items()})

    def with_fields(self, values: Mapping[str, Any]) -> Self:
        """A copy with some settings replaced, each in the part that has it: what a finding's `fix` asks for. Raises: ConfigError."""
        changes: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            part = next((part for part, cls in PARTS.items() if name in cls.fields()), "")
            if not part:
                raise ConfigError(f"There is no training setting {name!r}.")
            changes.setdefault(part, {})[name] = value
        return self.with_values(**changes)


def _table(part: Part) -> dict[str, Any]:
    emptied = {name: "" for name, field in part.fields().items() if getattr(part, name) is None and field.default is not None}
    return {**part.model_dump(exclude_none=True), **emptied}


def for_run(settings: TrainingSettings, run_dir: Path) -> TrainingSettings:
    """The settings with the folders of a run: checkpoints/ and logs/ inside `run_dir`; TensorBoard files are always among what it logs.

    The prompt file's place follows from the folder that `write_pair` writes into.
    """
    folder = Path(run_dir).absolute()
    logging = {"logging_dir": str(folder / "logs"), **({"log_with": "all"} if settings.logging.log_with == "wandb" else {})}
    return settings.with_values(saving={"output_dir": str(folder / "checkpoints")}, logging=logging)
