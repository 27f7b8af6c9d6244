"""A project on disk: one folder with the working images, what was made of them, and the training runs."""

from __future__ import annotations

import contextlib
import fcntl
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import ConfigError, DatasetError, DiskError, StudioError
from core.base.families import TRAINED
from core.base.files import explain_disk_errors, read_text, safe_stem, write_text
from core.base.flocks import take_lock
from core.base.locks import is_held, locked, open_lock_file, wait_for_lock
from core.base.paths import WINDOWS_PATH, place_of, projects_dir, typed_path
from core.base.progress import Progress
from core.base.settings import Settings, setting

PROJECT_FILE = "project.toml"
TRAINING_LOCK = "training.lock"
"""Shared by trainings that read the images, and held alone by who renames or rejects them. It holds the names of the trainings."""
PENDING = "renaming.pending"
"""Is there while a renaming is under way, or after one was killed (`core.dataset.renaming_steps`)."""
FAMILIES = TRAINED
"""Model families that can be trained."""


class ProjectInfo(Settings):
    """What project.toml says."""

    title = "Project"

    name: str = setting(..., "Name", "A word or two, shown in both notebooks. The project's folder is called so too.", min_length=1)
    trigger_word: str = setting("", "Trigger word", "The invented word that calls what the LoRA learns. Tag and Caption write it first, "
                                "and the Gallery panel puts it into captions that you bring along. Empty: none yet.")
    family: str = setting("sd15", "Model family", "The kind of base model that will be trained.")
    sources: tuple[str, ...] = setting((), "Sources", "Folders and archives that were imported. They are never changed.", level="advanced")


@dataclass(frozen=True)
class Project:
    """One project folder, and the places in it."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, name: str, trigger: str = "", family: str = "sd15") -> Project:
        """Make a new project in an empty or new folder.

        Raises:
            DatasetError: the folder holds something already.
            ConfigError: the name, trigger word or family cannot be used.
            DiskError: no space or no permission.
        """
        folder = typed_path(folder)
        if (folder / PROJECT_FILE).exists():
            raise DatasetError(f"{folder} is a project already.", "Open it instead, or choose another name.")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DatasetError(f"{folder} exists and is not empty.", "Choose another name, or a folder that is new.")
        info = ProjectInfo.make(name=name.strip(), trigger_word=one_trigger(trigger), family=family)
        if family not in FAMILIES:
            raise ConfigError(f"No model family is called {family!r}.", f"Known: {', '.join(FAMILIES)}.")
        project = cls(folder)
        with explain_disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        project.write_info(info)
        project.make_folders()
        return project

    @classmethod
    def open(cls, folder: Path) -> Project:
        """Open a project that exists.

        Raises: DatasetError: no project is there. ConfigError: its project.toml is wrong.
        """
        folder = typed_path(folder)
        if not (folder / PROJECT_FILE).is_file():
            known = ", ".join(path.name for path in known_projects(folder.parent)) or "none"
            meant = projects_dir() / folder.name
            hint = f"Did you mean {meant}?" if (meant / PROJECT_FILE).is_file() else f"Projects beside it: {known}."
            wrong = f"is not a Lorabook project (it has no {PROJECT_FILE})" if folder.exists() else "does not exist"
            raise DatasetError(f"The folder {folder} {wrong}.", hint)
        project = cls(folder)
        project.info()
        project.make_folders()
        return project

    def make_folders(self) -> None:
        """Make the folders of a project that are missing. Raises: DiskError."""
        for place in (self.images, self.variants, self.rejected, self.runs, self.output, self.jobs, self.hidden):
            with explain_disk_errors(place):
                place.mkdir(parents=True, exist_ok=True)

    def info(self) -> ProjectInfo:
        """Read project.toml. Raises: ConfigError: it is no TOML, or a value is wrong; DatasetError: it is not UTF-8."""
        import toml

        path = self.folder / PROJECT_FILE
        try:
            values = toml.loads(read_text(path))
        except (toml.TomlDecodeError, IndexError) as error:  # version 0.10.2 raises both for wrong text
            raise ConfigError(f"{path} is not valid TOML: {error}.", "Mend it in a text editor.") from error
        return ProjectInfo.make(**values)

    def write_info(self, info: ProjectInfo) -> None:
        """Write project.toml, atomically. Raises: DiskError."""
        import toml

        write_text(self.folder / PROJECT_FILE, toml.dumps({**info.model_dump(), "sources": list(info.sources)}))

    def change_info(self, change: Callable[[ProjectInfo], ProjectInfo]) -> None:
        """Read project.toml, change it and write it, so that two who do it at once lose nothing. Raises: as `info`; DiskError."""
        with locked(self.hidden / "info.lock"):
            before = self.info()
            after = change(before)
            if after != before:
                self.write_info(after)

    def settle(self) -> bool:
        """Finish a renaming that a kill interrupted, for who must not meet half of the images. Returns: whether there was something.

        Raises: DatasetError: it cannot be finished just now, with the reason; DiskError.
        """
        from core.dataset.renaming_steps import settle  # it needs this module

        return settle(self)

    @contextlib.contextmanager
    def not_in_training(self, undone: str) -> Iterator[None]:
        """Keep trainings from reading the images while their files are moved. Args: undone: what was not done, such as "renamed".

        Raises: DatasetError: one reads them just now. A trainer opens pictures and what it keeps beside them at any step.
        """
        with open_lock_file(self.hidden / TRAINING_LOCK) as file:
            try:
                take_lock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                runs = ", ".join(dict.fromkeys(file.read().decode("utf-8", "replace").splitlines())) or "another program"
                raise DatasetError(f"The images of {self.name!r} are being trained on ({runs}), so nothing was {undone}.",
                                   "Wait until that training has ended, or stop it in the Trainer notebook.") from error
            yield

    @property
    def name(self) -> str:
        """The project's name."""
        return self.info().name

    @property
    def trigger_word(self) -> str:
        """The trigger word; empty when there is none yet."""
        return self.info().trigger_word

    @property
    def family(self) -> str:
        """Model family, one of `FAMILIES`.

        Raises: ConfigError: project.toml names another one. The project opens all the same, for its images and captions need none.
        """
        family = self.info().family
        if family not in FAMILIES:
            raise ConfigError(f"{self.folder / PROJECT_FILE} names the model family {family!r}, which is not known.",
                              f"Mend it in a text editor: family must be one of {', '.join(FAMILIES)}.")
        return family

    @property
    def images(self) -> Path:
        """The working set: image and caption side by side."""
        return self.folder / "images"

    @property
    def variants(self) -> Path:
        """Resized, upscaled, cropped, masked … versions."""
        return self.folder / "variants"

    @property
    def rejected(self) -> Path:
        """Images that were put aside; they can be put back."""
        return self.folder / "rejected"

    @property
    def runs(self) -> Path:
        """One folder per training run."""
        return self.folder / "runs"

    @property
    def output(self) -> Path:
        """Finished LoRAs."""
        return self.folder / "output"

    @property
    def jobs(self) -> Path:
        """One folder per detached job."""
        return self.folder / "jobs"

    @property
    def hidden(self) -> Path:
        """Index and previews (caches), history of captions, ledger of imports."""
        return self.folder / ".lorabook"


def one_trigger(text: str) -> str:
    """The trigger word as it stands in a caption.

    Raises: ConfigError: it holds a comma or a line break, which would make two tags of it.
    """
    word = text.strip()
    if "," in word or "\n" in word:
        raise ConfigError(f"The trigger word must be one tag without commas, but is {word!r}.", "For example: mychar.")
    return word


def folder_for(name: str, parent: Path | None = None) -> Path:
    """Where a project of that name is made: inside `parent`, or inside the projects folder.

    Raises: ConfigError: the name is a path.
    """
    place = typed_path(parent or projects_dir())
    if name.strip().startswith(("/", "~", "./", "../")) or WINDOWS_PATH.fullmatch(name.strip()):
        raise ConfigError(f"The name {name.strip()} is a path, but a project's name is a word or two.",
                          f"Its folder is made in {place}; pictures are brought into it by Import.")
    return place / safe_stem(name, fallback="project")


def shown_name(folder: Path) -> str:
    """The name by which a project is called on every screen: its own, or its folder's where that cannot be read."""
    try:
        return Project(folder).name
    except (StudioError, OSError):
        return folder.name


def named_projects(parent: Path | None = None) -> list[tuple[str, Path]]:
    """Shown name and folder of all projects inside `parent`, by name; where several are called alike, the folder's name is added."""
    named = [(shown_name(path), path) for path in known_projects(parent)]
    times = Counter(name for name, _ in named)
    return sorted(((f"{name} (folder {path.name})" if times[name] > 1 else name, path) for name, path in named),
                  key=lambda entry: entry[0].casefold())


def known_projects(parent: Path | None = None) -> list[Path]:
    """Folders of all projects inside `parent` (default: the projects folder), by name."""
    place = Path(parent) if parent else projects_dir()
    if not place.is_dir():
        return []
    return sorted((path for path in place.iterdir() if (path / PROJECT_FILE).is_file()), key=lambda path: path.name.casefold())


@contextlib.contextmanager
def trained_on(folders: Iterable[Path], run: str, progress: Progress) -> Iterator[list[int]]:
    """Hold the images of every project that these folders belong to, so that none is renamed or rejected while a training reads them.

    Args: folders: what is trained on; those that belong to no project are passed over. run: the training's name, for who is refused.

    A project that cannot be written in (another person's) is read without a lock.

    Yields: numbers of open files. A process that inherits them holds on if this one is killed; when the block ends, nobody does.
    Raises: Cancelled: stopped while images were being moved; DatasetError: a renaming that was killed cannot be finished just now.
    """
    with contextlib.ExitStack() as stack:
        handles = []
        for project in sorted({found for folder in folders if (found := project_of_images(folder))}, key=lambda found: found.folder):
            try:
                file = stack.enter_context(open_lock_file(project.hidden / TRAINING_LOCK))
            except DiskError as error:
                if (project.hidden / PENDING).exists():
                    raise
                progress.warn(f"Renaming or rejecting images of this project meanwhile would stop the training: {error}")
                continue
            with contextlib.suppress(BlockingIOError):
                if take_lock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB):
                    file.truncate(0)  # nobody reads: the names are of trainings that have ended
            wait_for_lock(file, progress, kind=fcntl.LOCK_SH)
            while (project.hidden / PENDING).exists():
                _let_go(file.fileno())
                project.settle()
                wait_for_lock(file, progress, kind=fcntl.LOCK_SH)
            stack.callback(_let_go, file.fileno())
            with contextlib.suppress(OSError):  # a full disk: then it has no name
                file.write(f"{run}\n".encode())
            handles.append(file.fileno())
        yield handles


def is_trained_on(folder: Path) -> bool:
    """Whether a training reads the images in this folder just now. Of a folder that belongs to no project nobody knows: False."""
    project = project_of_images(folder)
    return project is not None and is_held(project.hidden / TRAINING_LOCK)


def _let_go(handle: int) -> None:
    with contextlib.suppress(OSError):  # no locks here
        fcntl.flock(handle, fcntl.LOCK_UN)


def project_of_images(folder: Path) -> Project | None:
    """The project whose images (or variants) lie in a folder; None: it belongs to no project, or holds something else of one."""
    place = place_of(folder).resolve()
    for parent in place.parents:
        if (parent / PROJECT_FILE).is_file():
            project = Project(parent)
            return project if any(room in (place, *place.parents) for room in (project.images, project.variants)) else None
    return None
