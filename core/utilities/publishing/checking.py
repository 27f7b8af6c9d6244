"""What stands against a publication, looked for before anything leaves the machine; each finding with its remedy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from core.base.errors import ConfigError, StudioError
from core.base.families import RATINGS
from core.base.findings import Finding, errors_of
from core.base.hub_writing import hub_api
from core.base.progress import SILENT, Progress
from core.base.words import counted, told_size
from core.utilities.files.metadata import thumbnail_of
from core.utilities.inspecting.about import tag_counts
from core.utilities.names.family import DEMO
from core.utilities.publishing.audience import audience_findings, seen_by_everybody
from core.utilities.publishing.card import facts_of, preview
from core.utilities.publishing.fine import fine_of
from core.utilities.publishing.licensing import licence_findings
from core.utilities.publishing.release import PublishedFile, Release, gather
from core.utilities.publishing.sample import parameters_text, size_of
from core.utilities.publishing.settings import PublishSettings
from core.utilities.publishing.told import findings_of_page, findings_of_samples, private_findings

NO_TOKEN = "Write one with the right to write into the field Token, or set HF_TOKEN before the notebook is started."
FOR_ADULTS = frozenset(word for rating in ("questionable", "explicit") for word in RATINGS[rating]) | {"nude", "nipples", "sex", "penis",
                                                                                                         "pussy", "uncensored"}
LARGE_SAMPLE = 8 << 20
"""Bytes of a picture that a page is slow to show; a rule of thumb."""
FEW_SAMPLES = 3


@dataclass(frozen=True)
class PublishCheck:
    """What was found, and what would be published."""

    findings: tuple[Finding, ...]
    fine: tuple[str, ...]
    """What was looked at and is in order."""
    facts: tuple[tuple[str, str], ...]
    """What the page will say, as it follows from files and settings."""
    card: str
    """The page on Hugging Face; for Civitai the description."""
    samples: tuple[dict[str, str], ...]
    """Path, prompt, what drew it, and a small picture as a data address."""

    def sentence(self) -> str:
        """In one line, then the findings."""
        errors, warnings = (sum(finding.level == level for finding in self.findings) for level in ("error", "warning"))
        told = [counted(errors, "thing") + " must be mended first"] if errors else []
        told += [f"{counted(warnings, 'thing')} worth a look"] if warnings else []
        return f"{', '.join(told) or 'Nothing stands against publishing it'}.".capitalize()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"findings": [finding.as_dict() for finding in self.findings], "fine": self.fine, "facts": self.facts, "card": self.card,
                "samples": self.samples, "exit_code": int(bool(errors_of(list(self.findings))))}


def check_publish(settings: PublishSettings, progress: Progress = SILENT) -> PublishCheck:
    """Look through what is to be published; nothing is written, and no file leaves the machine.

    Only for a pull request the far end is asked, whether everybody sees its repository.

    Raises: ModelError: no LoRA file. ConfigError: a file or a picture that was named is missing. DiskError, Cancelled.
    """
    release = gather(settings, progress)
    seen = seen_by_everybody(release)
    findings = findings_of(release, seen)
    samples = tuple({"path": str(sample.path), "prompt": sample.prompt, "by": sample.by, "picture": thumbnail_of(sample.path)}
                    for sample in progress.track(release.samples, "Looking at samples"))
    return PublishCheck(tuple(findings), tuple(fine_of(release, findings)), tuple(facts_of(release, seen)), preview(release), samples)


def findings_of(release: Release, seen: bool | None) -> list[Finding]:
    """Everything that a person should know before it is published. Args: seen: as `seen_by_everybody`."""
    return [*(found for file in release.files for found in _of_file(file)), *_of_names(release), *_of_words(release),
            *licence_findings(release), *_of_samples(release), *_of_audience(release), *findings_of_samples(release),
            *findings_of_page(release), *_of_place(release.settings), *audience_findings(release, seen)]


def refuse_errors(findings: Iterable[Finding]) -> None:
    """Raises: ConfigError: something must be mended first."""
    wrong = errors_of(list(findings))
    if wrong:
        more = f" And {counted(len(wrong) - 1, 'other thing')}: Check first tells all." if len(wrong) > 1 else ""
        raise ConfigError(f"Nothing was published. {wrong[0].what}", f"{wrong[0].remedy}{more}")


def _of_file(file: PublishedFile) -> Iterator[Finding]:
    if file.broken:
        yield Finding("error", f"{file.name} has values that are no numbers (NaN or infinite) in {counted(len(file.broken), 'tensor')}, "
                               f"such as {file.broken[0]}.", "It draws black or grey pictures: choose an earlier epoch.")
    if file.incomplete:
        yield Finding("warning", f"{counted(file.incomplete, 'layer')} of {file.name} are not whole; programs pass them over.",
                      "Save or download the file again.")
    told = file.metadata.get("sshs_model_hash", "")
    if told and told.lower() != file.hashes.tensors:
        yield Finding("warning", f"{file.name} names another hash in its metadata (sshs_model_hash) than its tensors have.",
                      "A1111 and Forge would show the wrong one, and Civitai would not know it again. Resize or Convert writes it anew.")
    elif not told:
        yield Finding("info", f"{file.name} tells no hash in its metadata.", "Programs count it themselves; the page tells it.")
    parts = [one for one in file.programs if 0 < one.loaded < one.total]
    for one in parts:
        yield Finding("warning", f"{one.program} would use {one.loaded} of the {one.total} layers of {file.name}. {one.reason}",
                      "The page says so for diffusers. Convert gives the layers other names.")
    if file.family.name == DEMO:
        yield Finding("warning", f"{file.name} was made with {file.family.title}: it loads in Lorabook alone.",
                      "Train with a base model of your own, and others can use the LoRA.")
    elif not any(one.loaded for one in file.programs):
        yield Finding("info", f"Whether programs load {file.name} is not known here. {file.programs[0].reason}")
    yield from _of_private(file)
    if file.said:
        yield Finding("info", f"The published copy of {file.name} says what stands here: {', '.join(file.said)}.",
                      "Its tensors and their hash stay the same, and your own file as it is.")


def _of_private(file: PublishedFile) -> Iterator[Finding]:
    """What the metadata tells of the person's machine: told as good to know where it is taken out."""
    yield from private_findings(f"The metadata of {file.name}", [one for one in file.private if not one.stays], file.is_cleaned)
    if kept := [one for one in file.private if one.stays]:
        yield Finding("warning", f"The metadata of {file.name} may tell a place on a disk: {kept[0].shown} (in {kept[0].key}). It "
                                 "stays, for a person wrote it.", "If it is one, edit the metadata.")


def _of_names(release: Release) -> Iterator[Finding]:
    names = [file.name for file in release.files]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        yield Finding("error", f"Two of the files would be called {twice}.", "Rename one of them: they come into one folder.")
    others = {file.family.title for file in release.files if file.family.name != release.first.family.name}
    if others:
        yield Finding("warning", f"The files are for several models: {release.first.family.title} and {', '.join(sorted(others))}.",
                      "A page should be about one: publish the others apart.")


def _of_words(release: Release) -> Iterator[Finding]:
    if not release.trigger:
        yield Finding("warning", "No trigger words are known.", "Write what a prompt needs, or 'none needed', into Trigger words.")
    elif not release.settings.trigger and release.about.trigger_by == "tags":
        yield Finding("info", f"The trigger is guessed: {release.trigger} stands at every picture.", "Write it into Trigger words if it is "
                              "another.")
    if not release.description:
        yield Finding("info", "It has no description.", "A sentence on what it draws helps who finds it.")


def _of_samples(release: Release) -> Iterator[Finding]:
    samples, settings = release.samples, release.settings
    if not samples:
        yield Finding("warning", "There are no samples: the page has no pictures.",
                      "Draw some in Before and after, or name pictures under Samples. Civitai wants at least one.")
        return
    if len(samples) < FEW_SAMPLES:
        yield Finding("info", f"There {'is only one sample' if len(samples) == 1 else f'are only {len(samples)} samples'}.")
    silent = [sample.path.name for sample in samples if not sample.prompt]
    if silent:
        yield Finding("warning", f"{counted(len(silent), 'sample')} without a prompt, such as {silent[0]}.",
                      "Write it behind the picture: picture.png | the prompt.")
    if any(not sample.exact for sample in samples):
        yield Finding("info", f"The samples are of {samples[0].by}, not of the very file that is published.",
                      "Before and after draws with the file itself, where it is named under LoRA files."
                      + (" Civitai will not link these by itself." if settings.to != "hub" else ""))
    if any(sample.exact and sample.steps and abs(sample.strength - settings.strength) > 0.005 for sample in samples):
        yield Finding("info", f"The samples were drawn at the strength {round(samples[0].strength, 2):g}, the usual one is said to be "
                              f"{settings.strength:g}.", "Before and after draws at several: 'Strengths to compare'.")
    if settings.to != "hub" and any(sample.exact and not parameters_text(sample, {"x": "0"}) for sample in samples):
        yield Finding("info", "Of some samples it is not known how they were drawn, so Civitai will not link them to the LoRA by itself.",
                      "Link them by hand there: choose the LoRA as a resource of the picture.")
    sizes = {sample.path: size_of(sample.path) for sample in samples}
    if large := [path for path, size in sizes.items() if max(size) > settings.sample_size]:
        yield Finding("info", f"{counted(len(large), 'sample')} larger than {settings.sample_size} pixels, such as {large[0].name}.",
                      "They are published smaller; your own stay as they are.")
    if heavy := [path for path in sizes if path.stat().st_size > LARGE_SAMPLE and path not in large]:
        yield Finding("warning", f"{heavy[0].name} takes {told_size(heavy[0].stat().st_size)}: the page is slow to show it.",
                      "Make 'Longest side of samples' smaller.")


def _of_audience(release: Release) -> Iterator[Finding]:
    if release.settings.adults:
        return
    words = [*tag_counts(_all_metadata(release)), *release.tags, *(word for sample in release.samples for word in sample.prompt.split(","))]
    found = next((word for word in words if word.strip().lower().replace(" ", "_") in FOR_ADULTS), "")
    if found:
        yield Finding("warning", f"'{found.strip()}' stands in its tags or prompts.",
                      "Switch 'Not for all audiences' on if it, or one of its samples, is not for everybody.")


def _all_metadata(release: Release) -> dict[str, str]:
    return {key: value for file in release.files for key, value in file.metadata.items()}


def _of_place(settings: PublishSettings) -> Iterator[Finding]:
    if settings.to != "hub":
        return
    try:
        hub_api(NO_TOKEN)
    except StudioError as error:
        yield Finding("error", error.message, error.hint)

