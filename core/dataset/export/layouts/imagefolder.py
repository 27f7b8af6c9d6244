"""Hugging Face's imagefolder: `train/` with the pictures and `metadata.jsonl` (https://huggingface.co/docs/datasets/image_dataset).

What stands above `train/` belongs to no split, and is not read as a picture.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from core.dataset.export.layouts.layout import Layout, Picture


class ImageFolder(Layout):
    """Captions in one file."""

    keeps_lines = False

    def folder(self) -> str:
        """The split."""
        return "train"

    def mask_name(self, stem: str) -> str:
        """Named in the metadata, so that it is no picture of its own."""
        return f"train/masks/{stem}.png"

    def caption_name(self, stem: str) -> str:
        """Captions stand in the metadata."""
        return ""

    def files(self, pictures: Sequence[Picture]) -> Mapping[str, str]:
        """The metadata; every line has the same columns."""
        masks = any(picture.mask for picture in pictures)
        lines = []
        for picture in pictures:
            line: dict[str, str | None] = {"file_name": PurePosixPath(picture.name).name, "text": self.caption(picture.caption)}
            if masks:
                line["mask_file_name"] = f"masks/{PurePosixPath(picture.mask).name}" if picture.mask else None
            lines.append(json.dumps(line, ensure_ascii=False))
        return {"train/metadata.jsonl": "".join(f"{line}\n" for line in lines)}

    def how(self, pictures: Sequence[Picture]) -> str:
        """For the library datasets."""
        masks = " The column `mask` holds the masks, white counts." if any(picture.mask for picture in pictures) else ""
        return f'With the library datasets: `load_dataset("imagefolder", data_dir="…this folder…", split="train")`.{masks}'
