"""ai-toolkit: pictures and captions in one folder, masks in another, the trigger word as `[trigger]`, and the part of its config for them.

Rules: ai-toolkit 27a03a91, toolkit/config_modules.py (DatasetConfig), toolkit/data_loader.py (it walks into every folder below, so that
masks lie beside), toolkit/dataloader_mixins.py (a mask has its picture's stem), toolkit/prompt_utils.py ([trigger]).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from core.base.files import safe_stem
from core.dataset.export.layouts.layout import Layout, Picture

TRIGGER = "[trigger]"


class AiToolkit(Layout):
    """Captions with a place for the trigger word."""

    keeps_lines = False

    def caption(self, text: str) -> str:
        """In one line; the trigger word as a whole word becomes its place."""
        line, trigger = super().caption(text), self.facts.trigger
        return re.sub(rf"(?<!\w){re.escape(trigger)}(?!\w)", lambda _: TRIGGER, line) if trigger else line

    def files(self, pictures: Sequence[Picture]) -> Mapping[str, str]:
        """The config; values are JSON, which is YAML too."""
        root, trigger = self.facts.root, self.facts.trigger
        dataset: dict[str, object] = {"folder_path": str(root / self.folder()), "caption_ext": "txt",
                                      "resolution": [min(self.facts.rule.resolution)], "num_repeats": self.facts.repeats}
        if any(picture.mask for picture in pictures):
            dataset["mask_path"] = str(root / "masks")
        if self.settings.masks == "alpha":
            dataset["alpha_mask"] = True
        lines = ["# Pictures and captions for ai-toolkit. Model, training and samples are added from one of its own examples",
                 "# (config/examples). The paths are those of this folder; change them when it is moved.",
                 "job: extension", "config:", f"  name: {_text(safe_stem(self.facts.project, 'lora'))}", "  process:",
                 "    - type: sd_trainer", "      training_folder: output"]
        lines += [f"      trigger_word: {_text(trigger)}"] if trigger else []
        lines.append("      datasets:")
        lines += [f"        {'- ' if not number else '  '}{name}: {_text(value)}" for number, (name, value) in enumerate(dataset.items())]
        return {"config.yaml": "\n".join(lines) + "\n"}

    def how(self, pictures: Sequence[Picture]) -> str:
        """For ai-toolkit."""
        masks = " Masks lie in `masks/`, white counts." if any(picture.mask for picture in pictures) else ""
        return ("`config.yaml` holds what ai-toolkit must know of the pictures; copy its part `datasets` and the trigger word into one of "
                f"ai-toolkit's examples, where model and training stand. {TRIGGER} in the captions becomes the trigger word.{masks}")


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
