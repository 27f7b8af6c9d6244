"""The settings of training, the pair of files that they are written into, and the checks before it costs money."""

from core.training.config.data import DataSettings, Subset
from core.training.config.loss import LossSettings
from core.training.config.machines import MachinesSettings
from core.training.config.memory import MemorySettings
from core.training.config.model import ModelSettings
from core.training.config.network import NetworkSettings
from core.training.config.optimizer import OptimizerSettings
from core.training.config.part import Family, Part
from core.training.config.sampling import SamplePrompt, SamplingSettings
from core.training.config.saving import SavingSettings
from core.training.config.schedule import ScheduleSettings
from core.training.config.training import PARTS, TrainingSettings, for_run

__all__ = [
    "DataSettings", "Family", "LossSettings", "MachinesSettings", "MemorySettings", "ModelSettings", "NetworkSettings", "OptimizerSettings",
    "PARTS", "Part", "SamplePrompt", "SamplingSettings", "SavingSettings", "ScheduleSettings", "Subset", "TrainingSettings", "for_run",
]
