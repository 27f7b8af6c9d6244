"""What became of a publication."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.base.findings import Finding
from core.base.words import counted

NO_PICTURE = (". No picture is in it, and Civitai wants at least one: draw some in Before and after, or name pictures under Samples, then "
              "write it again.")
STATES = {"sent": "sent", "there": "there already", "written": "written", "removed": "removed"}


@dataclass(frozen=True)
class FileThere:
    """One file where it was published, found there as it should be."""

    name: str
    size: int
    sha256: str
    state: Literal["sent", "there", "written", "removed"]
    """there: it was there already with the same hash, and was not sent again. removed: a sample that the page does not show any more."""


@dataclass(frozen=True)
class PublishReport:
    """Where it is now."""

    to: str
    place: str
    """Its address, or its path."""
    files: tuple[FileThere, ...]
    private: bool = False
    pull_request: str = ""
    """The address of the pull request; empty: there is none."""
    findings: tuple[Finding, ...] = ()
    """What was worth a look before."""
    pictures: int = 0
    """Samples in a folder or zip for Civitai."""

    @property
    def lacks_pictures(self) -> bool:
        """Whether Civitai would not take it as it is."""
        return self.to != "hub" and not self.pictures

    def sentence(self) -> str:
        """The result in one line."""
        if self.to != "hub":
            what = f"{counted(len(self.files), 'file')} for Civitai, each of them read again: {self.place}"
            return f"{what}{NO_PICTURE}" if self.lacks_pictures else what
        sent, there, removed = (sum(file.state == state for file in self.files) for state in ("sent", "there", "removed"))
        told = [f"{counted(sent, 'file')} sent"] if sent else []
        told += [f"{there} there already"] if there else []
        gone = f"; {counted(removed, 'old sample')} removed" if removed else ""
        seen = "private" if self.private else "everybody can see it"
        if self.pull_request:
            return f"The pull request waits at {self.pull_request} ({seen}): {', '.join(told)}, each verified there{gone}."
        return f"It is at {self.place} ({seen}): {', '.join(told)}, each verified there{gone}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "lacks_pictures": self.lacks_pictures}
