"""Everything that Civitai asks for, in a folder or a zip: whole or not at all."""

from __future__ import annotations

import zipfile
from pathlib import Path

from core.base.errors import ConfigError, DiskError
from core.base.files import explain_disk_errors, sha256, write_text, write_with
from core.base.paths import typed_path
from core.base.progress import Progress
from core.base.zipping import add_file
from core.utilities.files.targets import free_name
from core.utilities.publishing.civitai import checklist, description_html, description_text, prompts_text
from core.utilities.publishing.origins import project_of
from core.utilities.publishing.release import Release
from core.utilities.publishing.report import FileThere, PublishReport
from core.utilities.publishing.settings import PLACE
from core.utilities.publishing.staging import published_copy, refuse_full_disk, sample_copies, staging

ENDING = "-civitai"


def write_for_civitai(release: Release, progress: Progress) -> PublishReport:
    """Write the folder or the zip.

    Raises: ConfigError: something lies there. DiskError: no room or no right. Cancelled: nothing is left behind.
    """
    is_zip = release.settings.to == "zip"
    target = _target(release, is_zip)
    refuse_full_disk(release, target, whole=True)
    with staging(target.parent, progress) as folder:
        files = _fill(release, folder, progress)
        if is_zip:
            write_with(target, lambda temporary: _pack(folder, temporary, target.stem, progress))
        else:
            with explain_disk_errors(target):
                _refuse_taken(target)
                folder.rename(target)
    return PublishReport(release.settings.to, str(target), tuple(files), pictures=len(release.samples))


def _target(release: Release, is_zip: bool) -> Path:
    chosen, own = release.settings.save_to.strip(), release.first.path
    project, name = project_of(own), f"{own.stem}{ENDING}{'.zip' if is_zip else ''}"
    usual = project.folder / PLACE / name if project is not None else own.with_name(name)
    target = typed_path(chosen) if chosen else free_name(usual)
    if is_zip and target.suffix.lower() != ".zip":
        raise ConfigError(f"{target.name} does not end in .zip.", "Write a name with .zip under Save as.")
    _refuse_taken(target)
    return target


def _refuse_taken(target: Path) -> None:
    """Raises: ConfigError: something lies there."""
    if target.exists():
        raise ConfigError(f"{target} is there already.", "Choose another name under Save as, or move it away.")


def _fill(release: Release, folder: Path, progress: Progress) -> list[FileThere]:
    """Write all files into the folder, and read each LoRA again. Raises: DiskError: it is another than it should be."""
    found = []
    for file in release.files:
        copy = published_copy(file, folder, progress, always=True)
        digest = sha256(copy)
        if not file.is_copied and digest != file.hashes.sha256:
            raise DiskError(f"{copy} is not the same as {file.path}.", "Look at the disk, or whether the file is still being written.")
        found.append(FileThere(file.name, copy.stat().st_size, digest, "written"))
    texts = {"description.html": description_html(release), "description.txt": description_text(release),
             "checklist.txt": checklist(release), **({"prompts.txt": prompts_text(release)} if release.samples else {})}
    for name, text in texts.items():
        write_text(folder / name, text)
    paths = [*(folder / name for name in texts), *sample_copies(release, folder, progress).values()]
    return found + [FileThere(path.relative_to(folder).as_posix(), path.stat().st_size, sha256(path), "written") for path in paths]


def _pack(folder: Path, place: Path, title: str, progress: Progress) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(place, "w") as archive:
        for path in progress.track(paths, "Packing"):
            name = path.relative_to(folder).as_posix()
            if trouble := add_file(archive, path, f"{title}/{name}"):
                raise DiskError(f"{name} could not be packed: {trouble}", "Publish again.")
