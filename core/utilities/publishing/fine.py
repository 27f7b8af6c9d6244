"""What is in order with a publication, in short sentences: a list of troubles alone does not tell what was looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.base.findings import Finding
from core.base.words import counted
from core.utilities.publishing.release import Release


def fine_of(release: Release, findings: Sequence[Finding]) -> Iterator[str]:
    """Args: findings: what was found; where a thing has a finding of its own, it is not told here."""
    files, found = release.files, release.found_base
    if not any(file.broken for file in files):
        yield "Every value is a number, and no file is cut off."
    if all(file.metadata.get("sshs_model_hash", "").lower() == file.hashes.tensors for file in files):
        yield f"The hash in its metadata is that of its tensors (AutoV3 {release.first.hashes.autov3})."
    if not any(file.private for file in files):
        yield "Its metadata tells no folder, no user name and no token."
    programs = [one.program for one in release.first.programs if one.total and one.loaded == one.total]
    if programs:
        names = " and ".join(filter(None, [", ".join(programs[:-1]), programs[-1]]))
        yield f"{names} {'loads' if len(programs) == 1 else 'load'} all its layers."
    if release.trigger and (release.settings.trigger or release.about.trigger_by == "metadata"):
        yield f"Trigger words are known: {release.trigger}."
    if release.description and not release.settings.description.strip():
        yield "The description is that of the file."
    if found.base is not None and found.by != "family":
        yield f"The base model is known: {found.base.title}."
    if release.licence is not None and not any("icence" in one.what for one in findings if one.level != "info"):
        yield f"It has a licence: {release.licence.title}."
    if release.samples and all(sample.prompt for sample in release.samples):
        yield f"{counted(len(release.samples), 'sample')}, each with its prompt."
