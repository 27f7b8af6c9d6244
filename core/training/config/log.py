"""What is noted on the way, and for which program."""

from __future__ import annotations

from typing import ClassVar, Literal

from core.base.settings import setting
from core.training.config.part import Part

WANDB = {"log_with": ("wandb", "all")}


class LoggingSettings(Part):
    """What is noted on the way, and for which program. The key of Weights & Biases is read from WANDB_API_KEY and never written."""

    title: ClassVar[str] = "Log"
    section: ClassVar[str] = "logging"

    log_with: Literal["tensorboard", "wandb", "all"] | None = setting(
        None, "Also log to", "TensorBoard files are always written, for the curves here. wandb also sends them to Weights & Biases; its "
        "key comes from the variable WANDB_API_KEY or from 'wandb login', and is written nowhere.", level="advanced")
    log_tracker_name: str | None = setting(None, "Project there", "Name of the project at Weights & Biases.", level="advanced", only=WANDB)
    wandb_run_name: str | None = setting(None, "Run there", "Name of the run at Weights & Biases.", level="advanced", only=WANDB)
    log_config: bool = setting(False, "Log the settings", "Also note all settings in the log.", level="expert")
    console_log_simple: bool = setting(False, "Plain log", "Plain lines in the log, without colours.", level="expert")
    logging_dir: str | None = setting(None, "Folder for TensorBoard", "Set by the run: its folder logs.", level="expert")
