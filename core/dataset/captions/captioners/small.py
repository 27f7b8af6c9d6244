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
        asked = inputs["input_ids"].shape[1] - 1 if begin else 1  # BLIP puts one token for its beginning, and takes the prompt's end off
        return self.texts(self.generate(inputs), asked)

    def end_tokens(self) -> set[int]:
        """BLIP ends with its separator."""
        return {self.model.config.text_config.sep_token_id}


class FlorenceCaptioner(TorchCaptioner):
    """The prompt is one of its task words (`TASKS`)."""

    model_class = "Florence2ForConditionalGeneration"
    batch_size = 4

    def answer(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[str]:
        """All pictures together; the model card's search with three beams, where nothing is left to chance."""
        inputs = self.processor(images=list(pictures), text=list(prompts), return_tensors="pt", padding=True)
        beams = {} if self.request.temperature else {"num_beams": 3}
        # it would be made to say its end at the limit, and nobody could tell that it was stopped there; its decoder begins with one token
        return self.texts(self.generate(inputs, forced_eos_token_id=None, **beams), 1)
