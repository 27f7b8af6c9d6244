"""What the UNet is told about the captions of a batch: encoded each time, or once per caption while the encoder is frozen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import DiskError
from core.base.files import write_with
from core.diffusion.model import Conditioning

if TYPE_CHECKING:
    import torch

    from core.diffusion.model import DiffusionModel

CAPTIONS_KEPT = 2000
"""A frozen encoder's outputs that are remembered on the way; the oldest goes first. What `cache` encoded beforehand always stays."""


class TextConditions:
    """Conditioning of captions.

    Args:
        trained: the text encoder learns, so that nothing can be remembered.
        folder: keep the outputs on disk there (cache_text_encoder_outputs_to_disk); None keeps them in memory.
        warn: receives a sentence when they cannot be written there.
    """

    def __init__(self, model: DiffusionModel, trained: bool, clip_skip: int | None, max_token_length: int | None,
                 folder: Path | None = None, warn: Callable[[str], None] = lambda message: None) -> None:
        self.warn = warn
        self.model, self.trained, self.clip_skip, self.max_token_length, self.folder = model, trained, clip_skip, max_token_length, folder
        self._kept: OrderedDict[str, Conditioning] = OrderedDict()
        self._cached: dict[str, Conditioning] = {}
        self._tokens: OrderedDict[str, list[torch.Tensor]] = OrderedDict()
        self._model_mark = ""

    def batch(self, captions: list[str]) -> Conditioning:
        """Conditioning of the captions in order, with gradients if the encoder is trained."""
        import torch

        if self.trained:
            return self.model.encode_tokens(self._tokens_of(captions), self.clip_skip)
        missing = [caption for caption in dict.fromkeys(captions) if caption not in self._cached and caption not in self._kept]
        if missing:
            encoded = self.model.encode_prompts(missing, self.clip_skip, self.max_token_length)
            for index, caption in enumerate(missing):
                pooled = None if encoded.pooled is None else encoded.pooled[index]
                self._kept[caption] = Conditioning(encoded.hidden[index], pooled)
        found = [self._cached.get(caption) or self._kept[caption] for caption in captions]
        while len(self._kept) > CAPTIONS_KEPT:
            self._kept.popitem(last=False)
        pooled = None if found[0].pooled is None else torch.stack([item.pooled for item in found if item.pooled is not None])
        return Conditioning(torch.stack([item.hidden for item in found]), pooled)

    def _tokens_of(self, captions: list[str]) -> list[torch.Tensor]:
        """Token ids, remembered per caption: the tokenizer is slower than the copy."""
        import torch

        missing = [caption for caption in dict.fromkeys(captions) if caption not in self._tokens]
        if missing:
            tokens = self.model.tokenize(missing, self.max_token_length)
            for index, caption in enumerate(missing):
                self._tokens[caption] = [part[index] for part in tokens]
        found = [self._tokens[caption] for caption in captions]
        while len(self._tokens) > CAPTIONS_KEPT:
            self._tokens.popitem(last=False)
        return [torch.stack(parts) for parts in zip(*found, strict=True)]

    def cache(self, captions: Iterable[str], check: Callable[[], None] = lambda: None) -> None:
        """Encode every caption beforehand (cache_text_encoder_outputs), for good: the encoder may leave the GPU afterwards.

        Args: check: raises to stop.
        """
        for caption in dict.fromkeys(captions):
            check()
            if caption not in self._cached and not self._load(caption):
                self.batch([caption])
                self._cached[caption] = self._kept.pop(caption)
                self._save(caption)

    def _file(self, caption: str) -> Path | None:
        import hashlib

        if self.folder is None:
            return None
        if not self._model_mark:
            digest = hashlib.sha256()
            for encoder in self.model.text_encoders:
                for value in encoder.state_dict().values():
                    digest.update(value.detach().flatten()[:512].float().cpu().numpy().tobytes())
            self._model_mark = digest.hexdigest()
        text = f"{self._model_mark}/{self.clip_skip}/{self.max_token_length}/{self.model.dtype}/{caption}"
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.safetensors"

    def _load(self, caption: str) -> bool:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        file = self._file(caption)
        if file is None or not file.is_file():
            return False
        try:
            values = load_file(file, device=str(self.model.device))
        except (SafetensorError, OSError):
            return False
        self._cached[caption] = Conditioning(values["hidden"], values.get("pooled"))
        return True

    def _save(self, caption: str) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        file, kept = self._file(caption), self._cached[caption]
        if file is None:
            return
        values = {"hidden": kept.hidden.cpu().contiguous()} | ({} if kept.pooled is None else {"pooled": kept.pooled.cpu().contiguous()})
        try:
            write_with(file, lambda place: save_file(values, place))
        except (DiskError, OSError, SafetensorError) as error:
            self.folder = None
            self.warn(f"What the text encoders make of the captions is kept in memory only: {error}")
