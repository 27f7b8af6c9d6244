"""Installing the packages: requirements, one ONNX Runtime, an image's torch left alone, nothing done twice."""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError, StudioError
from core.base.files import write_json, write_text
from core.base.findings import Finding
from core.base.progress import SILENT, Progress
from core.setup.commands import Outcome, read_output, run_logged
from core.setup.environment import (
    OLDEST_TORCH,
    Environment,
    Facts,
    keeps_torch,
    other_torch,
    read_facts,
    rebuild,
    setup_log,
    state_folder,
    version_numbers,
)
from core.setup.hardware import free_disk_gib, read_gpus

STAMP_FORMAT = 1
ONNX_VERSIONS = ">=1.19,<2"
"""1.19 is the first whose GPU package is built for CUDA 12."""
TORCH_FAMILY = ("torch", "torchvision", "torchaudio", "xformers", "triton")
COLAB_HAS = ("jupyterlab",)
"""Colab is the notebook already; a JupyterLab beside it would replace the packages that its kernel runs on."""
COLAB_KEEPS = ("ipykernel", "ipython", "tornado", "notebook", "jupyter-server", "jupyter-client")
NEEDED_DISK_GIB = 7
SMALL_DISK_GIB = 20
"""Below this, pip's cache (as large as the environment) is switched off."""

MISSING = """
import importlib.metadata, json, sys
from pip._vendor.packaging.requirements import Requirement
missing = []
for line in json.loads(sys.argv[1]):
    wanted = Requirement(line)
    if wanted.marker and not wanted.marker.evaluate():
        continue
    try:
        version = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        missing.append(wanted.name)
        continue
    if not wanted.specifier.contains(version, prereleases=True):
        missing.append(f"{wanted.name} ({version} is there, {wanted.specifier} is needed)")
print(json.dumps(missing))
"""


@dataclass(frozen=True)
class InstallReport:
    """What the installation did."""

    changed: bool
    """False: everything was as it should be, and nothing was touched."""
    findings: tuple[Finding, ...] = ()


def requirement_files(root: Path, groups: tuple[str, ...]) -> dict[str, Path]:
    """"base" and each group → its requirements file.

    Raises: ConfigError: there is no such group.
    """
    files = {"base": root / "requirements.txt"}
    for group in groups:
        path = root / f"requirements-{group}.txt"
        if not path.is_file():
            known = sorted(found.stem.removeprefix("requirements-") for found in root.glob("requirements-*.txt"))
            raise ConfigError(f"There is no group of packages called {group!r}.", f"Known: {', '.join(known) or 'none'}.")
        files[group] = path
    return files


def read_requirements(path: Path, without: tuple[str, ...] = ()) -> list[str]:
    """Its lines without comments, and without the packages named in `without`.

    Raises: StudioError: the file is missing.
    """
    if not path.is_file():
        raise StudioError(f"{path} is missing.", "Fetch Lorabook again: the checkout is not whole.")
    lines = [line.split(" #")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#") and _name(line) not in without]


def _name(requirement: str) -> str:
    for index, character in enumerate(requirement):
        if not (character.isalnum() or character in "-_."):
            requirement = requirement[:index]
            break
    return requirement.lower().replace("_", "-").replace(".", "-")


def find_missing(python: Path, requirements: list[str]) -> list[str]:
    """The requirements that this environment does not meet, by name; all of them if it cannot be asked."""
    text = read_output([python, "-c", MISSING, json.dumps(requirements)])
    return [_name(line) for line in requirements] if text is None else json.loads(text)


def onnx_package(gpu: bool | None = None) -> str:
    """onnxruntime-gpu where an NVIDIA GPU is present and such a package exists (64-bit Intel/AMD Linux and Windows), else onnxruntime."""
    has_build = platform.system() in ("Linux", "Windows") and platform.machine().lower() in ("x86_64", "amd64")
    present = bool(read_gpus().gpus) if gpu is None else gpu
    return "onnxruntime-gpu" if present and has_build else "onnxruntime"


def stamp_path(root: Path, environment: Environment) -> Path:
    """Where it is noted what was installed: in an environment of our own, so that both go together, else in the checkout."""
    ours = environment.kind in ("own", "named") and not (environment.kind == "named" and environment.keep_torch)
    return environment.python.parent.parent / "lorabook.json" if ours else state_folder(root) / "installed.json"


def read_stamp(root: Path, environment: Environment) -> dict[str, Any]:
    """What was installed last; empty if nothing was, or for another Python."""
    try:
        stamp = json.loads(stamp_path(root, environment).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    fits = isinstance(stamp, dict) and stamp.get("format") == STAMP_FORMAT and stamp.get("python") == str(environment.python)
    return stamp if fits else {}


def install_packages(root: Path, environment: Environment, groups: tuple[str, ...] = (), torch_index: str = "",
                     progress: Progress = SILENT, force: bool = False) -> InstallReport:
    """Bring the environment to what the requirements files say; nothing is done when they are met already.

    Args:
        groups: "dev" …: each a file requirements-GROUP.txt.
        torch_index: package index to take torch from, e.g. https://download.pytorch.org/whl/cu126. In an environment whose torch
            is kept it is not used, and a finding says so.
        force: run pip even if the stamp says that nothing changed.

    Raises: ConfigError: no such group. StudioError: pip failed, with the reason and the remedy.
    """
    skipped = COLAB_HAS if environment.kind == "colab" else ()
    wanted = {name: read_requirements(path, skipped) for name, path in requirement_files(root, groups).items()}
    facts = _facts(environment)
    found: list[Finding] = []
    if torch_index and facts.torch and keeps_torch(environment):
        found.append(Finding("warning", f"torch {facts.torch} belongs to {facts.prefix} and was kept; --torch-index was not used.",
                             other_torch(environment, torch_index)))
        torch_index = ""
    stamp, flavour = read_stamp(root, environment), onnx_package()
    hashes = {name: _hash(lines, facts) for name, lines in wanted.items()}
    everything = [line for lines in wanted.values() for line in lines]
    same = not force and not torch_index and all(stamp.get("groups", {}).get(name) == value for name, value in hashes.items())
    # A wanted GPU package that could not be had is noted in the stamp, so that it is not tried at every start.
    chosen = stamp.get("onnxruntime", flavour) if stamp.get("onnxruntime_wanted") == flavour else flavour
    if same and _has_only(facts, chosen) and not find_missing(environment.python, everything):
        return InstallReport(False, tuple(found))
    installer = _Installer(root, environment, facts, progress, hold_torch=environment.keep_torch and not torch_index)
    installer.requirements(everything, torch_index)
    chosen = installer.onnx(flavour)
    after = _facts(environment)
    if installer.hold_torch and facts.torch and after.torch != facts.torch:
        installer.findings.append(Finding("warning", f"torch {facts.torch} of this environment became {after.torch}.",
                                          f"Run: {environment.python} -m pip install torch=={facts.torch}"))
    write_json(stamp_path(root, environment), {"format": STAMP_FORMAT, "python": str(environment.python), "version": list(facts.version),
                                               "groups": {**stamp.get("groups", {}), **hashes}, "onnxruntime": chosen,
                                               "onnxruntime_wanted": "" if installer.try_onnx_again else flavour, "torch": after.torch})
    return InstallReport(True, (*found, *installer.findings))


def _facts(environment: Environment) -> Facts:
    facts = read_facts(environment.python)
    if facts is None:
        raise StudioError(f"{environment.python} does not run.", rebuild(environment))
    if facts.torch and version_numbers(facts.torch) < OLDEST_TORCH and environment.keep_torch:
        oldest = ".".join(map(str, OLDEST_TORCH))
        raise StudioError(f"torch {facts.torch} in {facts.prefix} is too old: {oldest} at least is needed.",
                          rebuild(environment))
    return facts


def _hash(lines: list[str], facts: Facts) -> str:
    return hashlib.sha256("\n".join([*lines, ".".join(map(str, facts.version))]).encode()).hexdigest()


def _has_only(facts: Facts, flavour: str) -> bool:
    """Exactly the wanted ONNX Runtime, and not the other."""
    return {"onnxruntime", "onnxruntime-gpu"} & set(facts.packages) == {flavour}


class _Installer:
    """pip in one environment, with the torch of an image held fast by a constraints file."""

    def __init__(self, root: Path, environment: Environment, facts: Facts, progress: Progress, hold_torch: bool) -> None:
        self.root, self.environment, self.facts, self.progress, self.hold_torch = root, environment, facts, progress, hold_torch
        self.try_onnx_again = False
        self.findings: list[Finding] = []
        self.options: list[str | Path] = ["--retries", "2"]
        if free_disk_gib(facts.prefix) < SMALL_DISK_GIB:
            self.options.append("--no-cache-dir")
        held = [name for name in TORCH_FAMILY if hold_torch and name in facts.packages]
        held += [name for name in COLAB_KEEPS if environment.kind == "colab" and name in facts.packages]
        self.constraints = [f"{name}=={facts.packages[name]}" for name in held]
        if held:
            path = state_folder(root) / "constraints.txt"
            write_text(path, "\n".join(self.constraints) + "\n")
            self.options += ["--constraint", path]

    def pip(self, *arguments: str | Path) -> Outcome:
        return run_logged([self.environment.python, "-m", "pip", *arguments], setup_log(self.root), self.progress)

    def install(self, *arguments: str | Path) -> Outcome:
        return self.pip("install", *self.options, *arguments)

    def requirements(self, lines: list[str], torch_index: str) -> None:
        """Everything but ONNX Runtime. Raises: StudioError."""
        free = free_disk_gib(self.facts.prefix)
        if not (self.facts.torch or torch_index) and free < NEEDED_DISK_GIB:
            raise StudioError(f"The packages take about {NEEDED_DISK_GIB} GiB, and {free:.1f} GiB are free at {self.facts.prefix}.",
                              "Free some space, or put the environment on a larger disk: export LORABOOK_VENV=/larger-disk/lorabook-env, "
                              "then run it again.")
        path = state_folder(self.root) / "wanted.txt"
        write_text(path, "\n".join(lines) + "\n")
        if torch_index:
            self.progress.start(f"Installing torch from {torch_index}")
            torch = [line for line in lines if _name(line) in ("torch", "torchvision")]
            self._expect(self.install("--force-reinstall", "--index-url", torch_index, *torch))
        self.progress.start(f"Installing {len(lines)} packages (several minutes, about 6 GB, the first time)")
        self._expect(self.install("-r", path))

    def _expect(self, outcome: Outcome) -> None:
        if not outcome.ok:
            sentence, remedy = outcome.explain()
            raise StudioError(f"The packages could not be installed. {sentence}", f"{remedy} All of pip's words: {setup_log(self.root)}")

    def onnx(self, wanted: str) -> str:
        """Install one ONNX Runtime and remove the other; the one that is there in the end.

        Both unpack into the same folder, so that removing one breaks the other: the wanted one is fetched before the other is
        removed, and laid after it. What cannot be fetched leaves the one that works.
        """
        present = {"onnxruntime", "onnxruntime-gpu"} & set((read_facts(self.environment.python) or self.facts).packages)
        if present == {wanted}:
            return wanted
        self.progress.start(f"Installing {wanted}")
        with tempfile.TemporaryDirectory(prefix="onnx-", dir=state_folder(self.root)) as fetched:
            outcome = self.pip("download", "--retries", "2", "--no-deps", "--dest", fetched, f"{wanted}{ONNX_VERSIONS}")
            if outcome.ok:
                if present:
                    self._expect(self.pip("uninstall", "--yes", *sorted(present)))
                self._expect(self.install(*Path(fetched).iterdir()))
                return wanted
        sentence, remedy = outcome.explain()
        self.try_onnx_again = "network" in sentence
        if wanted == "onnxruntime" and not present:
            self._expect(outcome)
        if wanted == "onnxruntime-gpu":
            self.findings.append(Finding("warning", f"onnxruntime-gpu could not be installed: {sentence} Tagging works on the CPU.",
                                         f"{remedy} Run: python3 installer.py" if self.try_onnx_again else remedy))
        if not present:
            self._expect(self.install(f"onnxruntime{ONNX_VERSIONS}"))
            return "onnxruntime"
        return sorted(present)[0]
