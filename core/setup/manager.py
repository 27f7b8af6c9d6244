"""The front desk of setup: what the installer, the Setup panel and the command line call."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from core.base.errors import StudioError
from core.base.files import explain_disk_errors
from core.base.findings import Finding
from core.base.paths import ROOT, trainers_dir
from core.base.progress import SILENT, Progress
from core.setup import doctor, environment, hardware, jupyter, packages, provider, trainers
from core.setup.trainer_state import TrainerState


class SetupManager:
    """One checkout and its machine."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = Path(root)

    def environment(self) -> environment.Environment:
        """Which Python is used, and why. Raises: ConfigError: LORABOOK_VENV names something else."""
        return environment.find_environment(self.root)

    def install(self, groups: tuple[str, ...] = (), torch_index: str = "", repair: bool = False,
                progress: Progress = SILENT) -> packages.InstallReport:
        """Make the environment and bring it to the requirements. Raises: ConfigError, StudioError, DiskError."""
        if problem := hardware.platform_problem():
            raise StudioError(problem.what, problem.remedy)
        with one_at_a_time(self.root, progress):
            chosen = self.environment()
            made = environment.make_environment(self.root, chosen, progress, fresh=repair)
            report = packages.install_packages(self.root, chosen, groups, torch_index, progress, force=made or repair)
            environment.remember(self.root, chosen)
            offered, found = jupyter.offer_kernel(self.root, chosen, progress=progress)
        return replace(report, changed=report.changed or offered, findings=(*report.findings, *found))

    def running_jupyter(self) -> str:
        """How to open the notebooks in the Jupyter that a rented machine runs already; "" where there is none."""
        server = jupyter.find_server(self.root)
        return "" if server is None else jupyter.how_to_open(server, self.root, jupyter.kernel_title(self.environment()))

    def own_jupyter(self, options: Sequence[str]) -> tuple[str, str]:
        """For a JupyterLab that is about to be opened: an option to add, so that its port is certain, and how one's browser reaches it.

        Args: options: those that JupyterLab is opened with. Returns: ("", "") where it opens by itself.
        Raises: ConfigError: the port that they name is none, or is in use.
        """
        if not self.provider().tunnel:
            return "", ""
        port = jupyter.choose_port(options)
        return "" if jupyter.named_port(options) else f"--ServerApp.port={port}", self.provider().reach(port)

    def doctor(self, deep: bool = True, progress: Progress = SILENT) -> list[Finding]:
        """What is ready, what is not, and what mends it."""
        return doctor.find_problems(self.root, deep=deep, progress=progress)

    def install_trainer(self, name: str, source: str = "", with_environment: bool = True, progress: Progress = SILENT) -> list[Finding]:
        """Fetch a trainer of another project at its pinned commit. Raises: ConfigError: unknown trainer or source."""
        with one_at_a_time(self.root, progress):
            return trainers.install_trainer(name, source, trainers_dir(), with_environment, progress)

    def trainers(self) -> list[TrainerState]:
        """Every known trainer and what of it is here."""
        return [trainers.read_trainer(entry.name) for entry in trainers.TRAINERS]

    def provider(self) -> provider.Provider:
        """Whose machine this is."""
        return provider.find_provider()


@contextlib.contextmanager
def one_at_a_time(root: Path, progress: Progress = SILENT) -> Iterator[None]:
    """Wait while another set-up works on the same checkout; where locks are not supported (Windows), go on.

    Raises: DiskError: the checkout cannot be written.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    folder = environment.state_folder(root)
    with explain_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "setup.lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.start("Waiting: another set-up works on this folder")
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            progress.note("This file system has no locks; make sure that no other set-up runs.")
        yield
    finally:
        os.close(handle)
