"""kohya's folders: `img/<repeats>_<trigger>[ class]`, masks in `mask/` or in the transparency, and a dataset file of sd-scripts.

Rules: sd-scripts 48d368fa, library/config_util.py (folders' names; which keys go together) and library/train_util.py (DreamBoothDataset,
ControlNetDataset: with masks as files each picture needs one of its very size, and there may be none besides).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import toml

from core.base.files import safe_stem
from core.dataset.captions.files import CAPTION_EXTENSION
from core.dataset.export.layouts.layout import Layout, Picture, dataset_table, subset


class Kohya(Layout):
    """Folders that name their repeats."""

    full_masks = True

    def _concept(self) -> str:
        words = " ".join(filter(None, (self.facts.called, self.settings.class_word.strip())))
        return f"{self.facts.repeats}_{safe_stem(words, 'dataset')}"

    def folder(self) -> str:
        """With the repeats before the underscore."""
        return f"img/{self._concept()}"

    def mask_name(self, stem: str) -> str:
        """In a folder of the same name."""
        return f"mask/{self._concept()}/{stem}.png"

    def files(self, pictures: Sequence[Picture]) -> Mapping[str, str]:
        """The dataset file."""
        root, by_files = self.facts.root, any(picture.mask for picture in pictures)
        own = subset(image_dir=str(root / self.folder()), caption_extension=CAPTION_EXTENSION, num_repeats=self.facts.repeats,
                     conditioning_data_dir=str(root / "mask" / self._concept()) if by_files else "",
                     class_tokens="" if by_files else self._concept().partition("_")[2],
                     alpha_mask=True if self.settings.masks == "alpha" else None)
        others = [subset(image_dir=str(root / "reg" / self.regularisation()), caption_extension=CAPTION_EXTENSION, num_repeats=1,
                         is_reg=True)] if self.facts.has_regularisation else []
        return {"dataset.toml": toml.dumps(dataset_table(self.facts.rule, [own, *others]))}

    def regularisation(self) -> str:
        """Name of the folder of regularisation pictures: once in an epoch, called by the class word."""
        return f"1_{safe_stem(self.settings.class_word.strip(), 'class')}"

    def how(self, pictures: Sequence[Picture]) -> str:
        """For sd-scripts and kohya_ss."""
        lines = ["With sd-scripts: `--dataset_config dataset.toml`. The paths in it are those of this folder; change them when it is "
                 "moved. With kohya_ss: choose `img` as *Image folder*, and `.txt` as *Caption file extension*."]
        if any(picture.mask for picture in pictures):
            lines.append("Masks lie in `mask/`, white counts; a picture without one has a white one. `dataset.toml` names them as "
                         "`conditioning_data_dir`, and is read only with `--masked_loss`.")
        elif self.settings.masks == "alpha":
            lines.append("Masks stand in the transparency of the pictures; `alpha_mask = true` in `dataset.toml` reads them. Without it a "
                         "trainer sees the whole picture.")
        if self.facts.has_regularisation:
            lines.append("Regularisation pictures lie in `reg/`.")
        return "\n\n".join(lines)
