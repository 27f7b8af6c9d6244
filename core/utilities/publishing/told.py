"""What would be published of a person, as findings: of headers, of samples, of the page itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from core.base.findings import Finding
from core.utilities.publishing.card import preview
from core.utilities.publishing.civitai import checklist, prompts_text
from core.utilities.publishing.places import places_in
from core.utilities.publishing.private import Private
from core.utilities.publishing.release import Release
from core.utilities.publishing.tokens import tokens_in, without_tokens

SWITCH = "Switch 'Take private places out' on"


MEND = "Take it out of what is written here, such as description, author, base model or licence."


def private_findings(where: str, private: Sequence[Private], is_cleaned: bool) -> Iterator[Finding]:
    """Args: where: the beginning of the sentence: whose words they are. is_cleaned: whether it is taken out of what is published."""
    for kind, level in (("a token", "error"), ("a place on a disk", "warning"), ("a user name", "warning")):
        found = [one for one in private if one.kind == kind]
        if not found:
            continue
        what = f"{where} tells {kind}: {found[0].shown} (in {', '.join(dict.fromkeys(one.key for one in found))})."
        if is_cleaned:
            yield Finding("info", what, "It is taken out of the published copy; your own file stays as it is.")
        elif level == "error":
            yield Finding("error", what, f"{SWITCH}. Who has seen this file can use the token: make a new one.")
        else:
            yield Finding("warning", what, f"{SWITCH}, and it goes from the published copy.")


def findings_of_samples(release: Release) -> Iterator[Finding]:
    """What the samples say of themselves."""
    telling = [sample for sample in release.samples if sample.private]
    if telling:
        more = f" and {len(telling) - 1} more" if telling[1:] else ""
        found = [one for sample in telling for one in sample.private]
        yield from private_findings(f"{telling[0].path.name}{more}", found, release.settings.clean_metadata)


def findings_of_page(release: Release) -> Iterator[Finding]:
    """A last look at everything that was put together, from wherever it came."""
    text = preview(release)
    if release.settings.to != "hub":
        text = "\n".join((text, checklist(release), prompts_text(release)))
    text = re.sub(r"\\([`*_\[\]<>#|])", r"\1", text)  # as a reader sees it
    token = next(tokens_in(text), "")
    if token:
        yield Finding("error", f"The page tells a token: {token[:5]}….", f"{MEND} Who has seen it can use it: make a new one.")
    places = list(places_in(without_tokens(text)))
    if own := next((place for place in places if place.how == "person"), None):
        yield Finding("error" if release.settings.clean_metadata else "warning", f"The page tells whose machine it is: {own.shown}.", MEND)
    if place := next((place for place in places if place.how == "sure"), None):
        yield Finding("warning", f"The page tells a place on a disk: {place.shown}.", MEND)
