"""The front desk of models: what can be fetched by name, and fetching it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.jobs import Job, start_job
from core.base.paths import models_dir
from core.base.progress import SILENT, Progress
from core.setup.hardware import free_disk_gib

if TYPE_CHECKING:
    from core.models.download import DownloadReport
    from core.models.settings import DownloadSettings

STAGE = "download-model"


class ModelsManager:
    """The models on this machine. No project is needed: all of them share the folder.

    Args: folder: where models are kept; None: `models_dir()`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or models_dir()).absolute()

    @classmethod
    def open(cls, folder: Path) -> ModelsManager:
        """As every manager; there is nothing that could be missing."""
        return cls(folder)

    def free_gib(self) -> float:
        """Free space where models are kept, GiB."""
        return free_disk_gib(self.folder)

    def download(self, settings: DownloadSettings, progress: Progress = SILENT) -> DownloadReport:
        """Fetch a model in this very process (a panel uses `start_download`). Raises: ConfigError, ModelError, DiskError, Cancelled."""
        from core.models.download import download_model

        return download_model(self.folder, settings, progress)

    def start_download(self, settings: DownloadSettings, secrets: Mapping[str, str] | None = None) -> Job:
        """Fetch a model in a process of its own; returns at once. What is secret in the address goes through the environment alone.

        Args: secrets: variables with tokens, such as HF_TOKEN.
        """
        kept, apart = settings.apart()
        return start_job(self.folder, STAGE, kept.model_dump(mode="json"), {**apart, **(secrets or {})})
