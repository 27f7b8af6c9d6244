"""Which versions the pictures of a grid have, in a few words; their folder is listed again only when it changed."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from core.base.errors import DatasetError
from core.base.files import file_mark
from core.base.words import counted
from core.dataset.images.bench import KINDS
from core.dataset.images.files import stem_of
from core.dataset.images.variants import Variant, best_of, list_variants
from core.dataset.listing import Listing
from core.dataset.project import Project


class Badges:
    """Of one project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._seen: object = None
        self._words: Mapping[str, str] = {}

    def mark(self) -> object:
        """Changes when versions came or went."""
        return file_mark(self._project.variants)

    def of(self, listing: Listing) -> Mapping[str, str]:
        """Words by file name; a picture that is missing has no version. The folder may not be readable: then there are none."""
        names = listing.names[:listing.kept]
        seen = (self.mark(), names)
        with self._lock:
            if seen != self._seen:
                stems = {stem_of(name): name for name in names}
                try:
                    found = list_variants(self._project, stems.keys())
                except DatasetError:
                    found = {}  # whoever opens a picture reads why
                self._seen, self._words = seen, {stems[stem]: words_of(variants) for stem, variants in found.items()}
            return self._words


def words_of(variants: Sequence[Variant]) -> str:
    """"Upscaled, mask, 2 parts"."""
    best, kinds = best_of(variants), [one.kind for one in variants]
    words = [KINDS[best.kind]] if best is not None else []
    words += ["mask"] if "mask" in kinds else []
    words += ["no background"] if "transparent" in kinds else []
    words += [counted(kinds.count("part"), "part")] if "part" in kinds else []
    return ", ".join(words)
