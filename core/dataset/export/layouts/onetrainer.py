"""OneTrainer: `name.png`, `name.txt`, `name-masklabel.png` side by side (23df3832, DataLoaderText2ImageMixin.py).

What is no picture to learn from stands above: OneTrainer takes every picture of its folder, and of folders in it only when asked to.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.dataset.export.layouts.layout import Layout, Picture


class OneTrainer(Layout):
    """All in one folder."""

    def mask_name(self, stem: str) -> str:
        """Beside its picture."""
        return f"{self.folder()}/{stem}-masklabel.png"

    def how(self, pictures: Sequence[Picture]) -> str:
        """For OneTrainer's concepts."""
        masks = " *Masked Training* in the tab *training* reads the masks; white counts." if any(one.mask for one in pictures) else ""
        return ("In OneTrainer: add a concept, and choose the folder `images` as its *Path*; the *Prompt Source* is *From text file per "
                f"sample*.{masks}")
