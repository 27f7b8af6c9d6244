"""Scorers whose weights come with their package: nothing is fetched, and there is nothing to choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.dataset.curation.scorers import ScorerModel

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


@dataclass(frozen=True)
class PackageFiles:
    """The package's own model."""

    stated: str
    """Package and version."""
    opener: Callable[[str], ScorerModel]
    """Device → the model."""
    marks: str = ""
    """What else decides about the numbers."""

    @property
    def identity(self) -> str:
        """Package and version, and what else decides."""
        return f"{self.stated} {self.marks}".rstrip()

    def open(self, device: str = "auto") -> ScorerModel:
        """Load it. Raises: MissingDependency; ConfigError: CUDA was asked for and is not to be had."""
        return self.opener(device)


def find_package(distribution: str, opener: Callable[[str], ScorerModel], marks: str = "") -> PackageFiles:
    """The model of a package that is installed. Args: distribution: the package, as pip calls it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return PackageFiles(f"{distribution} {version(distribution)}", opener, marks)
    except PackageNotFoundError:
        return PackageFiles(distribution, opener, marks)


def at_most(picture: Picture, longest: int) -> Picture:
    """The picture in RGB, shrunk where a side is longer than so many pixels; the picture itself stays as it is."""
    if max(picture.size) > longest:
        picture = picture.copy()
        picture.thumbnail((longest, longest), reducing_gap=2.0)
    return picture.convert("RGB")
