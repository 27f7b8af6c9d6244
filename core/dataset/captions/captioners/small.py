"""Small captioners that look at several pictures together: BLIP (Li et al. 2022) and Florence-2 (Xiao et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.dataset.captions.captioners.loading import TorchCaptioner

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


class BlipCaptioner(TorchCaptioner):
    """One sentence. A prompt is its beginning."""

    model_class = "BlipForConditionalGeneration"
    batch_size = 8

    def answer(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[str]:
        """All pictures together where the prompt is the same, which is the rule."""
        if len(set(prompts)) > 1:
            return [text for picture, prompt in zip(pictures, prompts, strict=True) for text in self.answer([picture], [prompt])]
        begin = {"text": list(prompts)} if prompts[0] else {}
        inputs = self.processor(images=list(pictures), **begin, return_tensors="pt")
        return list(self.processor.batch_decode(self.generate(inputs), skip_special_tokens=True))


class FlorenceCaptioner(TorchCaptioner):
    """The prompt is one of its task words (`TASKS`)."""

    model_class = "Florence2ForConditionalGeneration"
    batch_size = 4

    def answer(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[str]:
        """All pictures together; the model card's search with three beams, where nothing is left to chance."""
        inputs = self.processor(images=list(pictures), text=list(prompts), return_tensors="pt", padding=True)
        beams = {} if self.request.temperature else {"num_beams": 3}
        return list(self.processor.batch_decode(self.generate(inputs, **beams), skip_special_tokens=True))
