"""Captioners that are asked in words: Qwen2.5-VL, Qwen3-VL, and JoyCaption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.dataset.captions.captioners.loading import TorchCaptioner

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


class ChatCaptioner(TorchCaptioner):
    """Any model of transformers' image-text-to-text kind with a chat template; one picture at a time."""

    def answer(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[str]:
        """One after the other: pictures of different size need different numbers of tokens."""
        return [self._answer(self._inputs(picture, prompt)) for picture, prompt in zip(pictures, prompts, strict=True)]

    def _inputs(self, picture: Picture, prompt: str) -> Any:
        messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]
        text = self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return self.processor(text=[text], images=[picture], return_tensors="pt")

    def _answer(self, inputs: Any) -> str:
        return self.texts(self.generate(inputs)[:, inputs["input_ids"].shape[1]:], 0)[0]


class JoyCaptioner(ChatCaptioner):
    """JoyCaption's own way of asking (its model card): a system's sentence, and the question as plain text."""

    model_class = "LlavaForConditionalGeneration"

    def _inputs(self, picture: Picture, prompt: str) -> Any:
        messages = [{"role": "system", "content": "You are a helpful image captioner."}, {"role": "user", "content": prompt}]
        text = self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return self.processor(text=[text], images=[picture], return_tensors="pt")
