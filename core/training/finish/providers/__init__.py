"""Rented machines, each behind the same few questions: whose is it, what does it cost, stop it, destroy it.

Keys are read from the environment only; they travel in a header to their own provider and nowhere else.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.base.registry import Entry, Registry
from core.setup.provider import Provider, find_provider, survives_stop


@dataclass(frozen=True)
class MachineFacts:
    """What a provider tells of the machine."""

    price_per_hour: float | None = None
    """In the provider's currency; None: it does not tell."""
    started: float | None = None
    """Seconds since 1970; None: it does not tell."""


class Machine(Protocol):
    """The machine that Lorabook runs on, as its provider sees it."""

    stop_words: str
    """What a stop means for the disk and the price, as a sentence."""
    destroy_words: str
    """What giving the machine up means; empty: it cannot be."""

    def __init__(self, environ: Mapping[str, str], run_folder: Path) -> None: ...

    def name(self) -> str:
        """By what the machine is known, such as "Vast.ai machine 1234"; another machine has another name."""
        ...

    def missing(self) -> str:
        """Why it cannot be stopped from here, and what to do; empty: it can."""
        ...

    def facts(self) -> MachineFacts:
        """Ask the provider. Raises: TrainingError: it did not answer, or refused."""
        ...

    def stop(self) -> None:
        """Stop it. Raises: TrainingError: it was not stopped, and why."""
        ...

    def destroy(self) -> None:
        """Give it up for good. Raises: TrainingError: it was not, and why."""
        ...


MACHINES: Registry[type[Machine]] = Registry(
    "provider",
    Entry("vast", "core.training.finish.providers.vast:VastMachine", "Vast.ai", "https://docs.vast.ai/api-reference"),
    Entry("runpod", "core.training.finish.providers.runpod:RunPodMachine", "RunPod", "https://docs.runpod.io/api-reference"),
    Entry("colab", "core.training.finish.providers.colab:ColabMachine", "Google Colab", "https://research.google.com/colaboratory/faq.html"),
    Entry("container", "core.training.finish.providers.local:LocalMachine", "a container"),
    Entry("local", "core.training.finish.providers.local:LocalMachine", "this computer"),
)


def find_machine(run_folder: Path, environ: Mapping[str, str] = os.environ) -> Machine:
    """The machine that this runs on. Args: run_folder: of the run whose end is waited for, or of its project."""
    return MACHINES.load(find_provider(environ).name)(environ, run_folder)


def stop_keeps(folder: Path, environ: Mapping[str, str] = os.environ) -> tuple[bool, str]:
    """Whether what lies in `folder` is surely there after a stop, and a sentence about it."""
    provider: Provider = find_provider(environ)
    kept, words = survives_stop(provider, folder)
    return kept is True, words


def host_name() -> str:
    """This machine's own name."""
    return socket.gethostname()
