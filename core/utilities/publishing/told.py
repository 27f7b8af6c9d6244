"""What would be published of a person, as findings: of headers, of samples, of the page itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.base.findings import Finding
from core.utilities.publishing.private import Private

SWITCH = "Switch 'Take private places out' on"


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
