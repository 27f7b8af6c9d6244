"""For which model captions are written, how much of them it reads, and how that is said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from core.base.families import CAPTION_FAMILIES, CaptionFamily, caption_family
from core.base.files import write_text
from core.dataset.captions.tokens import KINDS, token_counter
from core.dataset.project import Project
from core.dataset.training_file import kept_settings

CHOICE = "captions_for.json"
"""In the project's hidden folder: the family that a person chose for its captions."""


@dataclass(frozen=True)
class Measure:
    """How long a caption is for its reader."""

    count: int
    exact: bool
    over: bool
    """A part of it is not read."""
    words: str
    """ "about 80 of 75 tokens …", for a person."""


@dataclass(frozen=True)
class Target:
    """A model family, and what its training makes of it."""

    family: CaptionFamily
    reads: int
    """Tokens of a caption that are read."""
    is_set: bool = False
    """The training's settings, or the person, say how many; otherwise it is what the family usually reads."""
    why: str = ""
    """Where that comes from, for a person."""

    def fits(self, text: str) -> bool:
        """Whether all of a caption is read. A token is at least one byte, so short ones are not counted."""
        count = token_counter(self.family.reader.tokenizer).count
        return len(text.encode("utf-8", "surrogatepass")) < self.reads or count(text) <= self.reads

    def measure(self, text: str) -> Measure:
        """A caption's length, in words too."""
        counter = token_counter(self.family.reader.tokenizer)
        count = counter.count(text)
        about = "" if counter.exact else "about "
        words = f"{about}{count} of {self.reads} tokens"
        if count > self.reads:
            more = None if self.is_set else self._larger(count)
            words = f"{about}{count} tokens: " + (f"needs {self.family.reader.argument} {more}" if more
                                                  else f"more than {self.reads}, the rest is cut off")
        part = [f"{KINDS[reader.tokenizer].title} sees the first {reader.reads}" for reader in self.family.readers[1:]
                if reader.reads < self.reads and token_counter(reader.tokenizer).count(text) > reader.reads]
        return Measure(count, counter.exact, count > self.reads, ", ".join([words, *part]))

    def sentence(self) -> str:
        """For which model, how much it reads, and what it wants."""
        from_where = f", {self.why}" if self.why else ""
        return f"Captions for {self.family.title}{from_where}. {self.reading()} {self.family.about}"

    def reading(self) -> str:
        """Who reads how much of a caption, and whether that can be counted exactly here."""
        first = self.family.reader
        by_preset = " with Trainer's presets" if not self.is_set and self.reads == first.preset - first.around else ""
        parts = [f"{KINDS[first.tokenizer].title} reads {self.reads} tokens{by_preset}"]
        parts += [f"{KINDS[reader.tokenizer].title} the first {reader.reads}" for reader in self.family.readers[1:]]
        estimated = dict.fromkeys(KINDS[reader.tokenizer].title for reader in self.family.readers
                                  if not token_counter(reader.tokenizer).exact)
        about = f" Tokens of {' and '.join(estimated)} are estimated: the vocabulary is not on this machine." if estimated else ""
        return f"{', '.join(parts)}.{about}"

    def remedy(self) -> str:
        """What helps a caption that is too long."""
        larger = [choice for choice in self.family.reader.choices if choice - self.family.reader.around > self.reads]
        longer = f", or train with {self.family.reader.argument} {' or '.join(map(str, larger))}" if larger else ""
        return f"What comes behind is not read. Take out what says little{longer}."

    def _larger(self, count: int) -> int | None:
        """The least usual limit that such a caption fits into."""
        reader = self.family.reader
        return next((choice for choice in reader.choices if count <= choice - reader.around), None)


def find_target(project: Project, family: str = "auto", tokens: int = 0) -> Target:
    """For what a project's captions are written.

    Args:
        family: a name of `CAPTION_FAMILIES`; "auto": what a person chose for this project, else what is set in Trainer, else the
            project's model family.
        tokens: how many are read; 0: as set in Trainer, else as its presets set it, else what the family usually reads.
    Raises: ConfigError: no family is called so.
    """
    chosen = family if family != "auto" else chosen_family(project)
    trained = kept_settings(project, "model") or None
    if chosen:
        return _target(chosen, tokens, trained, "chosen here" if family != "auto" else "chosen for this project")
    named = None if trained is None else "sd2" if trained.get("v2") is True else trained.get("family")
    if isinstance(named, str) and named in CAPTION_FAMILIES:
        return _target(named, tokens, trained, "as set in Trainer")
    own = project.info().family
    return _target(own if own in CAPTION_FAMILIES else "sd15", tokens, trained, "the project's model family")


def plain_target(family: str = "auto", tokens: int = 0) -> Target:
    """The same where there is no project. Raises: ConfigError: no family is called so."""
    return _target("sd15" if family == "auto" else family, tokens, {}, "")


def _target(name: str, tokens: int, trained: dict[str, object] | None, why: str) -> Target:
    """Args: trained: the model's settings as they are kept; None: none are yet, so that a preset will say."""
    family = caption_family(name)
    if tokens:
        return Target(family, tokens, True, why)
    usual = family.reader
    if trained is None:
        return Target(family, (usual.preset or usual.limit) - usual.around, False, why)
    said = trained.get(usual.argument) if usual.argument else None
    if said == "":  # Trainer's way to say: as the model itself reads
        return Target(family, usual.reads, True, why)
    if isinstance(said, int) and not isinstance(said, bool) and said > usual.around:
        return Target(family, said - usual.around, True, why)
    return Target(family, usual.reads, False, why)


def chosen_family(project: Project) -> str:
    """The family that a person chose for this project's captions; empty: none."""
    try:
        name = json.loads(_choice_file(project).read_text(encoding="utf-8"))["family"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return name if isinstance(name, str) and name in CAPTION_FAMILIES else ""


def choose_family(project: Project, family: str) -> None:
    """Remember for which family this project's captions are written. Args: family: "auto" forgets it. Raises: ConfigError, DiskError."""
    if family == "auto":
        if _choice_file(project).exists():
            _choice_file(project).unlink(missing_ok=True)
        return
    write_text(_choice_file(project), json.dumps({"family": caption_family(family).name}))


def _choice_file(project: Project) -> Path:
    return project.hidden / CHOICE
