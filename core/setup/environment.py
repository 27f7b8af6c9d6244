"""Which Python environment Lorabook uses: its own `.venv`, or the one that the image brings with a working CUDA torch."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError, StudioError
from core.base.files import write_json
from core.base.paths import typed_path
from core.base.progress import SILENT, Progress
from core.setup.commands import read_output, run_logged
from core.setup.hardware import read_gpus
from core.setup.provider import find_provider

OLDEST_PYTHON = (3, 10)
OLDEST_TORCH = (2, 4)
"""As in requirements.txt; bitsandbytes and transformers ask for it."""

VENV_FOLDERS = {"bin", "include", "lib", "lib64", "share", "Include", "Lib", "Scripts"}
"""All that a virtual environment has whose making was cut off at the start."""

FACTS = """
import importlib.metadata, json, os, sys, sysconfig
packages = {}
for found in importlib.metadata.distributions():
    name = found.metadata["Name"]
    if name:
        packages.setdefault(name.lower().replace("_", "-").replace(".", "-"), found.version)
lib = sysconfig.get_path("purelib")
print(json.dumps({"version": list(sys.version_info[:3]), "prefix": sys.prefix, "venv": sys.prefix != sys.base_prefix,
                  "writable": os.access(lib, os.W_OK), "packages": packages,
                  "managed": os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED"))}))
"""
SEES_CUDA = "import torch, json; print(json.dumps(torch.cuda.is_available()))"


@dataclass(frozen=True)
class Facts:
    """What a Python says about itself, without importing anything heavy."""

    version: tuple[int, ...]
    prefix: Path
    venv: bool
    """A virtual environment, not a system's Python."""
    writable: bool
    managed: bool
    """The operating system keeps its packages (PEP 668): pip must not change them."""
    packages: Mapping[str, str]
    """Normalised name → version of everything installed."""

    @property
    def torch(self) -> str:
        """Version of the installed torch, "" without one."""
        return self.packages.get("torch", "")


@dataclass(frozen=True)
class Environment:
    """The Python that runs Lorabook."""

    python: Path
    kind: str
    """own (`.venv` beside the code), named (LORABOOK_VENV), image (it brought a working CUDA torch), colab."""
    why: str
    """One clause, for the person."""
    keep_torch: bool = False
    """Its torch came with it and must stay as it is."""
    over_system: Path | None = None
    """For a new own environment: the system's Python whose torch shows through."""


def keeps_torch(environment: Environment) -> bool:
    """Whether its torch stays even when another is asked for: it belongs to an image, to Colab or to the person.

    In an environment of Lorabook's own, which only shows the torch of the system, another one is laid on top.
    """
    return environment.keep_torch and environment.kind != "own"


def other_torch(environment: Environment, torch_index: str) -> str:
    """What to type so that Lorabook runs with a torch of that package index."""
    command = f"python3 installer.py --torch-index {torch_index}"
    if not keeps_torch(environment):
        return f"Run: {command}"
    if environment.kind == "colab":
        return "Colab's notebook runs on its own torch: run the installer without --torch-index."
    # `.venv` beside the code comes before an image's environment, in this run and in all later ones.
    before = "unset LORABOOK_VENV; " if environment.kind == "named" else ""
    return f"To use another, give Lorabook an environment of its own, in this folder: {before}python3 -m venv .venv && {command}"


def rebuild(environment: Environment) -> str:
    """What to type when its Python or a package in it is broken; an environment that is not Lorabook's is never rebuilt."""
    if environment.kind == "colab":
        return "Menu Runtime, then 'Disconnect and delete runtime'; then run the first cell again."
    if keeps_torch(environment):
        before = "unset LORABOOK_VENV; " if environment.kind == "named" else ""
        return f"Give Lorabook an environment of its own, in this folder: {before}python3 -m venv .venv && python3 installer.py"
    return "Run: python3 installer.py --repair"


def state_folder(root: Path) -> Path:
    """Where setup keeps its notes and its log."""
    return root / ".lorabook"


def setup_log(root: Path) -> Path:
    """Everything that pip and git said."""
    return state_folder(root) / "setup.log"


def venv_python(folder: Path) -> Path:
    """The Python of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def read_facts(python: Path | str) -> Facts | None:
    """Ask a Python (about 0.2 s); None if it does not run or is older than Python 3.8."""
    text = read_output([python, "-c", FACTS])
    if text is None:
        return None
    try:
        value: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError:
        return None
    return Facts(tuple(value["version"]), Path(value["prefix"]), value["venv"], value["writable"], value["managed"] and not value["venv"],
                 value["packages"])


def find_environment(root: Path, environ: Mapping[str, str] = os.environ) -> Environment:
    """The environment to use for the checkout `root`; changes nothing.

    In this order: LORABOOK_VENV; Colab's own Python; `.venv` if it exists; the one chosen by an earlier set-up; where an
    NVIDIA GPU is there, an image's environment whose torch uses it; else a new `.venv`.

    Raises: ConfigError: LORABOOK_VENV names a folder that holds something else.
    """
    if named := environ.get("LORABOOK_VENV"):
        return _named(typed_path(named))
    if find_provider(environ).name == "colab":
        return Environment(Path(sys.executable), "colab", "Colab's own Python, so that its torch is used", keep_torch=True)
    own = root / ".venv"
    if (own / "pyvenv.cfg").is_file():
        shows_system = "include-system-site-packages = true" in (own / "pyvenv.cfg").read_text(encoding="utf-8").lower()
        return Environment(venv_python(own), "own", "the environment beside the code", keep_torch=shows_system)
    if (earlier := _earlier(root)) is not None:
        return earlier
    if read_gpus().gpus and (found := _image_environment(own, environ)) is not None:
        return found
    if own.exists() and {path.name for path in own.iterdir()} - VENV_FOLDERS:
        raise ConfigError(f"{own} exists, but is no virtual environment.", "Move it away, or set LORABOOK_VENV to another folder.")
    return Environment(venv_python(own), "own", "an environment of its own beside the code")


def _named(folder: Path) -> Environment:
    if folder.exists() and not (folder / "pyvenv.cfg").is_file() and not venv_python(folder).exists() and any(folder.iterdir()):
        raise ConfigError(f"LORABOOK_VENV is {folder}, which holds something else than a virtual environment.",
                          "Name an empty or a new folder.")
    foreign = venv_python(folder).exists() and not (folder / "lorabook.json").exists()
    return Environment(venv_python(folder), "named", "named by LORABOOK_VENV", keep_torch=foreign)


def _earlier(root: Path) -> Environment | None:
    """The image's environment that an earlier set-up chose, if it is still there."""
    try:
        note = json.loads((state_folder(root) / "environment.json").read_text(encoding="utf-8"))
        python = Path(note["python"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Environment(python, "image", str(note.get("why", "")), keep_torch=True) if python.exists() else None


def remember(root: Path, environment: Environment) -> None:
    """Note an image's environment, so that the next set-up need not search. Raises: DiskError."""
    if environment.kind == "image":
        write_json(state_folder(root) / "environment.json", {"python": str(environment.python), "why": environment.why})


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """Pythons that an image may have prepared, each once, links not followed: a venv's Python is a link."""
    prefixes = [environ.get("VIRTUAL_ENV"), environ.get("CONDA_PREFIX"), "/venv/main", "/opt/conda"]
    places = [Path(sys.executable), *(venv_python(Path(prefix)) for prefix in prefixes if prefix)]
    places += [Path(found) for name in ("python3", "python") if (found := shutil.which(name))]
    seen: set[Path] = set()
    for place in places:
        if place.exists() and place not in seen:
            seen.add(place)
            yield place


def _image_environment(own: Path, environ: Mapping[str, str]) -> Environment | None:
    """The first prepared environment whose torch is new enough and sees the GPU."""
    for python in _candidates(environ):
        facts = read_facts(python)
        if facts is None or facts.version < OLDEST_PYTHON or version_numbers(facts.torch) < OLDEST_TORCH:
            continue
        if (read_output([python, "-c", SEES_CUDA], timeout=180) or "").strip() != "true":
            continue
        what = f"torch {facts.torch} of {facts.prefix}, which sees the GPU"
        if facts.writable and not facts.managed:
            return Environment(python, "image", what, keep_torch=True)
        if not facts.venv:
            return Environment(venv_python(own), "own", f"an own environment over {what}", keep_torch=True, over_system=python)
    return None


def version_numbers(version: str) -> tuple[int, ...]:
    """"2.6.0+cu124" → (2, 6, 0); "" → ()."""
    numbers: list[int] = []
    for part in version.split("+")[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def make_environment(root: Path, environment: Environment, progress: Progress = SILENT, fresh: bool = False) -> bool:
    """Make the virtual environment if it is missing or broken; True if it was made.

    Args: fresh: make it anew in any case, if it is one that Lorabook made.
    Raises: StudioError: with pip's or venv's reason and the remedy.
    """
    folder = environment.python.parent.parent
    foreign = environment.kind in ("image", "colab") or (environment.kind == "named" and environment.keep_torch)
    has_pip = read_output([environment.python, "-m", "pip", "--version"]) is not None
    if has_pip and (foreign or not fresh):
        return False
    progress.start(f"Making the environment {folder}")
    if not fresh and environment.python.exists() and run_logged([environment.python, "-m", "ensurepip", "--upgrade"], setup_log(root)).ok:
        return True
    if foreign:
        raise StudioError(f"{environment.python} has no pip, and Lorabook does not rebuild an environment that it did not make.",
                          rebuild(environment))
    options = ["--clear"] if folder.exists() else []
    if environment.keep_torch:
        options.append("--system-site-packages")
    outcome = run_logged([environment.over_system or base_python(), "-m", "venv", *options, folder], setup_log(root), progress)
    if not outcome.ok:
        sentence, remedy = outcome.explain()
        raise StudioError(f"The environment {folder} could not be made. {sentence}", remedy)
    return True


def base_python() -> Path:
    """The Python under the virtual environment that runs this, so that an environment can be made anew from within itself."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable)
