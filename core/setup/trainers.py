"""Trainers of other projects: a pinned checkout with an environment of its own under `trainers/`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from core.base.errors import ConfigError, StudioError
from core.base.files import read_json, write_json, write_text
from core.base.findings import Finding
from core.base.paths import trainers_dir, typed_path
from core.base.progress import SILENT, Progress
from core.base.registry import Entry, Registry
from core.setup.checkout import COMMIT_NOTE, expect, fetch
from core.setup.commands import read_output, run_logged
from core.setup.environment import read_facts, venv_python
from core.setup.hardware import free_disk_gib, read_gpus
from core.setup.trainer_state import Trainer, TrainerState

ENVIRONMENT_GIB = 7
"""Space that a trainer's environment takes."""
STAMP = "lorabook.json"
"""Written into a trainer's environment when it is whole."""

SD_SCRIPTS = Trainer(
    "sd-scripts", "kohya-ss sd-scripts", "https://github.com/kohya-ss/sd-scripts", "48d368fa557731ad0488c07304dfeba8c07910eb",
    script="train_network.py", pythons=("3.11", "3.10", "3.12", "3.13"), torch=("torch==2.6.0", "torchvision==0.21.0"),
    torch_new_gpu=("torch==2.8.0", "torchvision==0.23.0"), extras=("lycoris-lora==3.4.0", "dadaptation==3.2"))
"""Versions: its README at that commit ("tested with PyTorch 2.6.0", "for RTX 50 series GPUs, PyTorch 2.8.0").
Extras: LyCORIS' networks and the DAdaptation optimizers; lycoris-lora 4 cannot be imported with torch 2.6 (tried)."""
MUSUBI = Trainer(
    "musubi", "kohya-ss musubi-tuner", "https://github.com/kohya-ss/musubi-tuner", "30c658c4f4b0bf05038b3346eff9670259b10fc7",
    script="src/musubi_tuner/flux_2_train_network.py", pythons=("3.11", "3.10", "3.12"), torch=("torch==2.6.0", "torchvision==0.21.0"),
    torch_new_gpu=("torch==2.8.0", "torchvision==0.23.0"), extras=("tensorboard", "prodigyopt==1.1.2", "schedulefree==1.4.1"),
    requirements=("accelerate==1.6.0", "av==14.0.1", "bitsandbytes", "diffusers==0.32.1", "einops==0.7.0", "huggingface-hub==0.34.3",
                  "opencv-python==4.10.0.84", "pillow>=11.3.0", "safetensors==0.4.5", "toml==0.10.2", "tqdm==4.67.1",
                  "transformers==4.57.6", "voluptuous==0.15.2", "ftfy==6.3.1", "easydict==1.13", "sentencepiece==0.2.1"),
    packages="src")
"""Versions: its pyproject.toml at that commit (v0.3.4), which asks for torch 2.5.1 or newer (2.7.1 or newer for RTX 50).
Extras: the curves, which its own development group has, and two optimizers."""
TRAINERS: Registry[Trainer] = Registry(
    "trainer", Entry("sd-scripts", "core.setup.trainers:SD_SCRIPTS", SD_SCRIPTS.title, source=SD_SCRIPTS.url, licence="Apache-2.0"),
    Entry("musubi", "core.setup.trainers:MUSUBI", MUSUBI.title, source=MUSUBI.url, licence="Apache-2.0"))


def read_trainer(name: str, folder: Path | None = None) -> TrainerState:
    """What of a trainer is installed.

    Args: folder: of all trainers; None: the checkout that an own variable names (SD_SCRIPTS_DIR and SD_SCRIPTS_PYTHON for
        sd-scripts), else `trainers/` beside the code.
    Raises: ConfigError: no trainer has that name.
    """
    trainer: Trainer = TRAINERS.load(name)
    variable = name.upper().replace("-", "_")
    named = os.environ.get(f"{variable}_DIR") if folder is None else None
    checkout = typed_path(named) if named else (folder or trainers_dir()) / name
    given = os.environ.get(f"{variable}_PYTHON") if folder is None else None
    python = typed_path(given) if given else venv_python(checkout / ".venv")
    # An environment made by hand has no stamp; one of ours without it was not finished.
    finished = python.exists() and (bool(given or named) or (checkout / ".venv" / STAMP).is_file())
    note = checkout / COMMIT_NOTE
    commit = read_output(["git", "-C", checkout, "rev-parse", "HEAD"]) if (checkout / ".git").exists() else \
        note.read_text(encoding="utf-8") if note.is_file() else None
    return TrainerState(trainer, checkout, (commit or "").strip(), python if finished else None)


def install_trainer(name: str, source: str = "", folder: Path | None = None, with_environment: bool = True,
                    progress: Progress = SILENT) -> list[Finding]:
    """Fetch a trainer at its pinned commit and make its environment; what is there already is kept.

    Args:
        source: folder (a clone, a bare git folder, a plain copy) or address of a mirror; "": the trainer's own address.
        folder: of all trainers; None: `trainers/` beside the code.
        with_environment: False leaves the environment out (about 6 GB).

    Returns: what is ready, and what could not be done with its reason: no network is a finding, not an error.

    Raises: ConfigError: no trainer has that name, or `source` is neither a folder nor an address.
    """
    folder = folder or trainers_dir()
    state = read_trainer(name, folder)
    log = state.folder.parent / ".logs" / f"{name}.log"
    retry = f"Run: python3 installer.py --trainer {name}"
    try:
        found = fetch(state, source, log, progress)
        if with_environment:
            _make_environment(read_trainer(name, folder), log, progress)
    except ConfigError:
        raise
    except StudioError as error:
        what = f"The trainer {state.trainer.title} was not installed. {error.message} The built-in trainer is ready without it."
        return [Finding("warning", what, f"{error.hint} {retry} (or with --from FOLDER)".strip())]
    if not with_environment:
        return [*found, Finding("info", f"{state.trainer.title} is in {state.folder}; its environment was left out (--no-env).")]
    return [*found, *read_trainer(name, folder).findings()]


def _make_environment(state: TrainerState, log: Path, progress: Progress) -> None:
    """The trainer's own virtual environment: its torch, its requirements, then itself. Raises: StudioError."""
    trainer, venv = state.trainer, state.folder / ".venv"
    if state.python is not None and read_json(venv / STAMP).get("commit") == state.commit:
        return
    if (free := free_disk_gib(state.folder)) < ENVIRONMENT_GIB:
        raise StudioError(f"Its environment takes about {ENVIRONMENT_GIB} GiB, and {free:.1f} GiB are free at {state.folder}.",
                          "Free some space.")
    base = find_python(trainer.pythons)
    if base is None:
        raise StudioError(f"It needs one of Python {', '.join(trainer.pythons)}, and none was found.", "Install Python 3.11.")
    progress.start(f"Making the environment of {trainer.title} (about 6 GB)")
    expect(run_logged([base, "-m", "venv", "--clear", venv], log, progress))
    python = venv_python(venv)
    wanted = venv / "wanted.txt"
    needs = trainer.requirements or _requirements(state.folder / "requirements.txt")
    write_text(wanted, "\n".join([*needs, *trainer.extras]) + "\n")
    torch = trainer.torch_new_gpu if _has_new_gpu() else trainer.torch
    pip: list[str | Path] = [python, "-m", "pip", "install", "--retries", "2"]
    expect(run_logged([*pip, *torch, "-r", wanted], log, progress, cwd=state.folder))
    _make_importable(python, state.folder / trainer.packages)
    write_json(venv / STAMP, {"commit": state.commit, "python": str(python), "torch": list(torch)})


def _make_importable(python: Path, checkout: Path) -> None:
    """Let scripts in its sub-folders import its packages: a path file, which unlike `pip install -e` builds and downloads nothing."""
    site = read_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    if site is None:
        raise StudioError(f"{python} does not run.", "Remove that environment.")
    write_text(Path(site.strip()) / "lorabook_trainer.pth", f"{checkout.resolve()}\n")


def _requirements(path: Path) -> tuple[str, ...]:
    """The trainer's requirements without `-e .`, which would pull its dependencies a second time."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(line for line in lines if line and not line.startswith(("#", "-e")))


def _has_new_gpu() -> bool:
    return any(int(gpu.capability.split(".")[0] or 0) >= 12 for gpu in read_gpus().gpus if gpu.capability[:1].isdigit())


def find_python(versions: tuple[str, ...]) -> Path | None:
    """A Python of the first version that this machine has and that can make virtual environments."""
    for version in versions:
        for place in _pythons(version):
            facts = read_facts(place)
            fits = facts is not None and ".".join(map(str, facts.version[:2])) == version
            if fits and read_output([place, "-c", "import ensurepip, venv"]) is not None:
                return place
    return None


def _pythons(version: str) -> Iterator[Path]:
    """Where a Python of that version may be: this one, the PATH, pyenv, uv and conda."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        yield Path(sys.executable)
    if found := shutil.which(f"python{version}"):
        yield Path(found)
    home = Path.home()
    for folder, pattern in ((home / ".pyenv/versions", f"{version}.*/bin/python"),
                            (home / ".local/share/uv/python", f"cpython-{version}.*/bin/python"),
                            (Path("/opt/conda/envs"), "*/bin/python")):
        yield from sorted(folder.glob(pattern), reverse=True)


def trainer_notes(folder: Path | None = None) -> list[Finding]:
    """The state of every trainer."""
    return [finding for entry in TRAINERS for finding in read_trainer(entry.name, folder).findings()]
