"""What is to be published, put together: files with their hashes, title, trigger, base model, licence, samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from core.base.files import safe_stem
from core.base.licences import Licence, licence_named
from core.base.progress import SILENT, Progress
from core.base.tensor_headers import read_header
from core.utilities.files.hashing import Hashes, hashes_of
from core.utilities.files.lora_file import FLOATS, LoraFile, open_lora
from core.utilities.inspecting.about import About, about
from core.utilities.names.coverage import Coverage, coverage_of
from core.utilities.names.family import Family, family_of
from core.utilities.publishing.bases import FoundBase, find_base
from core.utilities.publishing.found_samples import find_samples, lora_of
from core.utilities.publishing.private import Private, cleaned, find_private, user_names
from core.utilities.publishing.sample import Sample, ending_of
from core.utilities.publishing.settings import PublishSettings
from core.utilities.publishing.words_in_file import with_words

IMAGES = "images"
"""Folder of the samples at the far end."""


@dataclass(frozen=True)
class PublishedFile:
    """One LoRA file."""

    path: Path
    """The person's own."""
    name: str
    """At the far end."""
    size: int
    hashes: Hashes
    """Of the person's own file; that of the tensors, AutoV3, is also that of a cleaned copy."""
    metadata: Mapping[str, str]
    """As it is published."""
    private: tuple[Private, ...]
    """What the person's own file tells and should not."""
    is_cleaned: bool
    """Whether it is taken out of the copy that is published."""
    said: tuple[str, ...]
    """What that copy says otherwise, since the person wrote it for the publication, by titles of settings."""
    broken: tuple[str, ...]
    """Tensors with values that are no numbers."""
    family: Family
    programs: tuple[Coverage, ...]
    incomplete: int
    """Layers that are not whole."""
    kinds: frozenset[str]

    @property
    def is_copied(self) -> bool:
        """Whether another header is published than the person's own file has; the tensors are the same in any case."""
        return bool(self.is_cleaned or self.said)

    @property
    def stem(self) -> str:
        """What it is called in prompts."""
        return self.name.removesuffix(".safetensors")

    @property
    def loads_in_diffusers(self) -> bool:
        """Whether diffusers finds a place for every layer."""
        return any(one.program == "diffusers" and one.loaded == one.total for one in self.programs)


@dataclass(frozen=True)
class Release:
    """Everything that a page tells."""

    settings: PublishSettings
    files: tuple[PublishedFile, ...]
    about: About
    found_base: FoundBase
    samples: tuple[Sample, ...]

    @property
    def first(self) -> PublishedFile:
        """The file that the page is about."""
        return self.files[0]

    @property
    def title(self) -> str:
        """One line."""
        return " ".join((self.settings.name or self.about.title or self.first.stem).split())

    @property
    def trigger(self) -> str:
        """Empty: none is known."""
        return " ".join((self.settings.trigger or self.about.trigger).split())

    @property
    def author(self) -> str:
        """Empty: it stays unnamed."""
        return " ".join((self.settings.author or self.about.author).split())

    @property
    def tags(self) -> tuple[str, ...]:
        """The person's own, else those that the file says a person gave it."""
        text = self.settings.tags if self.settings.tags.strip() else self.about.said_tags
        return tuple(dict.fromkeys(tag.strip() for tag in text.split(",") if tag.strip()))

    @property
    def description(self) -> str:
        """Markdown; empty: there is none."""
        return self.settings.description.strip() or self.about.description.strip()

    @cached_property
    def licence(self) -> Licence | None:
        """Of the LoRA: the chosen one, else the base model's; None: neither is known."""
        said = self.settings.licence.strip() or self.about.licence.strip()
        if said:
            return licence_named(said) or Licence(said, said, "", hub_name=said)
        return self.found_base.base.licence if self.found_base.base is not None else None

    def image_name(self, number: int) -> str:
        """Where a sample lies at the far end. Args: number: from 0."""
        return f"{IMAGES}/{number + 1:02d}{ending_of(self.samples[number].path)}"


def gather(settings: PublishSettings, progress: Progress = SILENT) -> Release:
    """Look through everything that is to be published. Each file is read once.

    Raises: ModelError: no LoRA file. ConfigError: a file or a picture that was named is missing. DiskError, Cancelled.
    """
    paths = [lora_of(path) for path in settings.paths()]
    files = tuple(_read(path, settings, path == paths[0], progress) for path in dict.fromkeys(paths))
    first = files[0]
    said = about(cleaned(dict(_metadata_of(first.path)), user_names()))
    found = find_base(settings.base, settings.base_licence, first.family, _metadata_of(first.path))
    samples = () if settings.samples_from == "none" and not settings.samples else find_samples(settings, first.path, first.hashes.tensors)
    return Release(settings, files, said, found, tuple(sample.looked_through(settings.clean_metadata) for sample in samples))


def _metadata_of(path: Path) -> dict[str, str]:
    return dict(read_header(path).metadata)


def _read(path: Path, settings: PublishSettings, is_first: bool, progress: Progress) -> PublishedFile:
    with open_lora(path) as file:
        hashes = hashes_of(path, progress)
        names = user_names()
        private = tuple(find_private(file.metadata, names))
        cleans = any(not one.stays for one in private) and settings.clean_metadata
        kept = cleaned(file.metadata, names) if cleans else file.metadata
        metadata, said = with_words(kept, settings, is_first)
        family = family_of(file.modules, file.metadata)
        programs = tuple(coverage_of(file.modules, file.unknown, family.name))
        incomplete = sum(module.kind == "incomplete" for module in file.modules)
        return PublishedFile(path, f"{safe_stem(path.stem, 'lora')}.safetensors", file.header.size, hashes, metadata, private, cleans, said,
                             _broken(file, progress), family, programs, incomplete, frozenset(module.words for module in file.modules))


def _broken(file: LoraFile, progress: Progress) -> tuple[str, ...]:
    """Tensors with values that are not finite. Raises: Cancelled."""
    import torch

    found = []
    for place in progress.track([place for place in file.header.tensors if place.dtype in FLOATS and place.count], "Looking for NaN"):
        values = file.tensor(place.name)
        if not bool(torch.isfinite(values.float() if place.dtype.startswith("F8") else values).all()):
            found.append(place.name)
    file.release()
    return tuple(found)
