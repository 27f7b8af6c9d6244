"""Whether the licence of a LoRA is one that its base model allows."""

from __future__ import annotations

from collections.abc import Iterator

from core.base.findings import Finding
from core.base.licences import WITH_RESTRICTIONS, Licence
from core.utilities.publishing.release import Release

CHOOSE = "Choose it under Base model."


def licence_findings(release: Release) -> Iterator[Finding]:
    """What stands against base model and licence."""
    found, own = release.found_base, release.licence
    if found.base is None:
        told = f" Its metadata calls it {found.told}." if found.told else ""
        yield Finding("warning", f"The base model is not known.{told}", f"{CHOOSE} Its licence decides what yours may be.")
    elif found.by == "family":
        told = f"its metadata calls it {found.told}" if found.told else "its metadata does not name it"
        yield Finding("warning", f"The base model is taken to be {found.base.title}, as its layers are of that family; {told}.",
                      "If it was trained on another one, choose it under Base model: another model has another licence.")
    base = found.base.licence if found.base is not None else None
    if found.base is not None and base is None:
        yield Finding("warning", f"The licence of {found.base.title} is not known here.",
                      "Look at its page, and write it under Licence of the base model.")
    if own is None:
        yield Finding("warning", "No licence is named, so nobody may use it, strictly speaking.", "Choose one under Licence of the LoRA.")
    elif base is not None and found.base is not None:
        yield from _together(found.base.title, base, own)


def _together(model: str, base: Licence, own: Licence) -> Iterator[Finding]:
    """What the base model's licence asks of this one."""
    if own.name == base.name or own.title == base.title:
        if base.passes_on != "nothing":
            yield Finding("info", f"It stands under the licence of {model}: {base.title}.", base.asks)
    elif base.passes_on == "all":
        yield Finding("error", f"The licence of {model} ({base.title}) does not allow {own.title} for a LoRA made of it.",
                      f"{base.asks} Empty Licence of the LoRA, and it gets that one.")
    elif base.passes_on == "restrictions" and own.name not in WITH_RESTRICTIONS:
        yield Finding("warning", f"{own.title} does not hold the restrictions of {base.title}, which {model} asks for.",
                      f"{base.asks} Empty Licence of the LoRA, and it gets that of the base model; else the page repeats them.")
