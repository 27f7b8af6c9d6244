"""No copy: a dataset file of sd-scripts that points at the project's pictures where they lie.

Where every picture is taken as it is, its folder is named. Where versions are taken, pictures are left out, or something stands in place of
a caption, sd-scripts' fine-tuning dataset reads a list of whole paths with their captions (48d368fa, library/train_util.py,
FineTuningDataset: JSON lines with image_path, caption, image_size). It reads no masks beside a list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import toml

from core.dataset.captions.files import CAPTION_EXTENSION, one_line
from core.dataset.export.layouts.layout import Layout, Picture, dataset_table, subset

LIST = "metadata.jsonl"


class InPlace(Layout):
    """A pointer."""

    full_masks = True

    def mask_name(self, stem: str) -> str:
        """Masks are written, for their names in the project differ from the pictures'."""
        return f"mask/{stem}.png"

    def caption_name(self, stem: str) -> str:
        """The project's own are read."""
        return ""

    def files(self, pictures: Sequence[Picture]) -> Mapping[str, str]:
        """The dataset file, and the list where one is needed."""
        root, repeats = self.facts.root, self.facts.repeats
        if not self.facts.listed:
            masks = str(root / "mask") if any(picture.mask for picture in pictures) else ""
            own = subset(image_dir=str(self.facts.images), caption_extension=CAPTION_EXTENSION, num_repeats=repeats,
                         conditioning_data_dir=masks, class_tokens="" if masks else self.facts.trigger)
            return {"dataset.toml": toml.dumps(dataset_table(self.facts.rule, [own]))}
        lines = [json.dumps(self._line(picture), ensure_ascii=False) for picture in pictures]
        own = subset(metadata_file=str(root / LIST), num_repeats=repeats)
        return {"dataset.toml": toml.dumps(dataset_table(self.facts.rule, [own])), LIST: "".join(f"{line}\n" for line in lines)}

    def _line(self, picture: Picture) -> dict[str, object]:
        """The size as the file has it: sd-scripts does not turn pictures."""
        line: dict[str, object] = {"image_path": picture.name, "caption": self._one(picture.caption)}
        return line if picture.is_turned else {**line, "image_size": list(picture.size)}

    def _one(self, caption: str) -> str:
        """Of several lines the list's reader would take all at once, unless wildcards are on."""
        return caption if self.facts.wildcards else one_line(caption)

    def how(self, pictures: Sequence[Picture]) -> str:
        """For sd-scripts."""
        told = (f"`{LIST}` names the pictures and holds their captions as they are now: export again when they change."
                if self.facts.listed else "Pictures and captions are read from the project, as they are when the training begins.")
        masks = " Masks are read only with `--masked_loss`." if any(picture.mask for picture in pictures) else ""
        return f"With sd-scripts: `--dataset_config dataset.toml`. Nothing was copied. {told}{masks}"
