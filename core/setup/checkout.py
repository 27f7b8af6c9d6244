"""A trainer's checkout: fetched at its pinned commit, whole or not at all, never over someone's changes."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from core.base.errors import ConfigError, StudioError
from core.base.files import explain_disk_errors, write_text
from core.base.findings import Finding
from core.base.paths import typed_path
from core.base.progress import Progress
from core.setup.commands import Outcome, read_output, redact, run_logged
from core.setup.trainer_state import Trainer, TrainerState

GIT_PATIENCE = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30", "-c", "advice.detachedHead=false")
COMMIT_NOTE = ".lorabook_commit"
"""In a checkout without git's own folder: the commit that its files are of."""


def fetch(state: TrainerState, source: str, log: Path, progress: Progress) -> list[Finding]:
    """Bring the checkout to the pinned commit; changes that someone made in it are never overwritten.

    Args: source: folder or address; "": the trainer's own address.
    Raises: ConfigError: `source` is neither. StudioError: it could not be fetched.
    """
    trainer, checkout = state.trainer, state.folder
    if state.commit == trainer.commit and state.present:
        return []
    if checkout.exists() and any(checkout.iterdir()):
        return _update(state, source, log, progress)
    place = _check_source(source or trainer.url)
    part = checkout.with_name(f".{checkout.name}.{os.getpid()}.part")
    progress.start(f"Fetching {trainer.title} from {redact(place)}")
    try:
        with explain_disk_errors(part):
            if _is_plain_copy(Path(place)):
                return _copy(trainer, Path(place), part, checkout)
            found = _clone(trainer, part, place, log, progress)
            if not (part / trainer.script).is_file():
                raise StudioError(f"{redact(place)} has no {trainer.script}: it is not {trainer.title}.")
            checkout.parent.mkdir(parents=True, exist_ok=True)
            os.replace(part, checkout)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return found


def _clone(trainer: Trainer, part: Path, place: str, log: Path, progress: Progress) -> list[Finding]:
    """The pinned commit in a new repository; from a local one that is not whole, the files that it has. Raises: StudioError."""
    part.mkdir(parents=True)
    expect(run_logged(["git", "init", "--quiet", part], log, progress))
    try:
        _check_out(trainer, part, place, log, progress)
    except StudioError:
        git_folder = (read_output(["git", "-C", place, "rev-parse", "--absolute-git-dir"]) or "").strip() if Path(place).is_dir() else ""
        if not git_folder:
            raise
        shutil.rmtree(part)
        missing = _export(trainer, git_folder, part, log, progress)
        if not (part / trainer.script).is_file():
            raise
        return [Finding("warning", f"{place} is a partial clone without {', '.join(missing)}; everything else was taken.",
                        "Give a full clone with --from where one of these files is needed.")] if missing else []
    # An address may carry a password: the checkout keeps it without.
    expect(run_logged(["git", "-C", part, "remote", "add", "origin", redact(place)], log))
    return []


def _export(trainer: Trainer, git_folder: str, part: Path, log: Path, progress: Progress) -> list[str]:
    """Write the files of the pinned commit that a local repository holds, without history; the names of those that it lacks."""
    part.mkdir()
    git = ["git", f"--git-dir={git_folder}", f"--work-tree={part}"]
    environ = {"GIT_INDEX_FILE": str(part / ".index")}
    if run_logged([*git, "read-tree", trainer.commit], log, progress, cwd=part, environ=environ).ok:
        run_logged([*git, "checkout-index", "--all", "--quiet"], log, progress, cwd=part, environ=environ)
    (part / ".index").unlink(missing_ok=True)
    write_text(part / COMMIT_NOTE, trainer.commit + "\n")
    listed = (read_output([*git, "ls-tree", "-r", "-z", "--name-only", trainer.commit]) or "").split("\0")
    return [name for name in listed if name and not (part / name).exists()]


def _check_source(source: str) -> str:
    """An address as it is; a folder as an absolute path. Raises: ConfigError."""
    if re.match(r"(https?|ssh|git|file)://", source) or re.match(r"[\w.-]+@[\w.-]+:", source):
        return source
    folder = typed_path(source)
    if source.startswith("-") or not folder.is_dir():
        raise ConfigError(f"--from is {source!r}, which is neither a folder nor an address.", "Give a folder, or an address like https://….")
    return str(folder.resolve())


def _is_plain_copy(folder: Path) -> bool:
    """A folder that holds files without git's history."""
    bare = (folder / "HEAD").is_file() and (folder / "objects").is_dir()
    return folder.is_dir() and not bare and not (folder / ".git").exists()


def _copy(trainer: Trainer, source: Path, part: Path, checkout: Path) -> list[Finding]:
    if not (source / trainer.script).is_file():
        raise ConfigError(f"{source} has no {trainer.script}: it is not {trainer.title}.", "Give the folder that holds that file.")
    shutil.copytree(source, part, symlinks=True, ignore=shutil.ignore_patterns(".venv", "venv", "__pycache__"))
    os.replace(part, checkout)
    return [Finding("warning", f"{checkout} is a copy of {source} without git's history, so its version is not known.",
                    f"Tested is commit {trainer.commit[:10]}.")]


def _check_out(trainer: Trainer, checkout: Path, place: str, log: Path, progress: Progress) -> None:
    """Fetch only the pinned commit where the source allows it, else everything. Raises: StudioError."""
    git: list[str | Path] = ["git", *GIT_PATIENCE, "-C", checkout]
    single = run_logged([*git, "fetch", "--quiet", "--depth", "1", place, trainer.commit], log, progress)
    if not single.ok:
        if "network" in single.explain()[0]:
            expect(single)
        expect(run_logged([*git, "fetch", "--quiet", place, "HEAD", "+refs/heads/*:refs/remotes/origin/*"], log, progress))
    expect(run_logged([*git, "checkout", "--quiet", "--detach", trainer.commit], log, progress))


def _update(state: TrainerState, source: str, log: Path, progress: Progress) -> list[Finding]:
    """Move an existing checkout to the pinned commit, if nobody changed it."""
    trainer, checkout = state.trainer, state.folder
    if not (checkout / ".git").exists():
        if state.present:
            return [Finding("info", f"{checkout} was put there by hand and is used as it is.")]
        raise StudioError(f"{checkout} exists, but holds no {trainer.script}.", "Move it away.")
    if (read_output(["git", "-C", checkout, "status", "--porcelain", "--untracked-files=no"]) or "").strip():
        return [Finding("warning", f"{checkout} has changes of its own at commit {state.commit[:10]}, so it was left as it is.",
                        f"To get the tested commit {trainer.commit[:10]}, move it away.")]
    progress.start(f"Bringing {trainer.title} to commit {trainer.commit[:10]}")
    _check_out(trainer, checkout, _check_source(source or trainer.url), log, progress)
    return []


def expect(outcome: Outcome) -> None:
    """Go on if the command succeeded. Raises: StudioError: with its reason and the remedy."""
    if outcome.code == 127:
        raise StudioError("git was not found.", "Install git, or give a plain folder with --from.")
    if not outcome.ok:
        raise StudioError(*outcome.explain())
