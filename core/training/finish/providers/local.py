"""A machine that nobody rents by the hour, or whose provider is not known: it cannot be stopped from here, and that is said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.base.errors import TrainingError
from core.setup.provider import find_provider
from core.training.finish.providers import MachineFacts, host_name


class LocalMachine:
    """One's own computer, or a container of somebody whom Lorabook does not know."""

    stop_words = ""
    destroy_words = ""

    def __init__(self, environ: Mapping[str, str], run_folder: Path) -> None:
        self.title = find_provider(environ).title

    def name(self) -> str:
        """With the name that it has in its network."""
        return f"{self.title} ({host_name()})"

    def missing(self) -> str:
        """It always is."""
        return (f"Lorabook runs on {self.title}, which it cannot stop. It can stop machines of Vast.ai, RunPod and Google Colab. Uploads "
                "and limits work here too.")

    def facts(self) -> MachineFacts:
        """Nothing is known."""
        return MachineFacts()

    def stop(self) -> None:
        """Raises: TrainingError."""
        raise TrainingError(self.missing())

    def destroy(self) -> None:
        """Raises: TrainingError."""
        raise TrainingError(self.missing())
