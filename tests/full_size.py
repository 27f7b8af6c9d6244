"""A full-size Stable Diffusion 1.5 of random weights as one fp16 file in the original layout, with its tokenizer; made without any network.

    python -m tests.full_size FOLDER

writes FOLDER/model.safetensors (2.1 GB, one tensor in memory at a time) and FOLDER/tokenizers/openai_clip-vit-large-patch14, which is
what `tokenizer_cache_dir` wants. It draws nothing that means anything, but every trainer opens it as it opens the real one.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from core.diffusion.conversion import UNET_PREFIX, VAE_PREFIX
from core.diffusion.names import clip_name, ldm_unet_name, ldm_vae_name
from tests.tensor_files import head_of

if TYPE_CHECKING:
    import torch

TEXT_PREFIX = "cond_stage_model.transformer."
TOKENIZER = "openai_clip-vit-large-patch14"
WORDS = 49408
"""Entries of CLIP's vocabulary: 256 letters, 256 that end a word, 48894 joined ones, begin and end."""
Shapes = dict[str, tuple[int, ...]]


def make_full_size(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Returns: the checkpoint, and the folder for `tokenizer_cache_dir`."""
    tokenizers = folder / "tokenizers"
    write_clip_tokenizer(tokenizers / TOKENIZER, find_clip_words())
    return write_checkpoint(folder / "model.safetensors", seed), tokenizers


def sd15_shapes() -> Shapes:
    """Name in the original layout to shape, of every tensor of Stable Diffusion 1.5 that a trainer reads."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
        vae = AutoencoderKL(down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
                            block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=512)
        text = CLIPTextModel(CLIPTextConfig(vocab_size=WORDS, hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                                            num_attention_heads=12, projection_dim=768))
    shapes = {UNET_PREFIX + ldm_unet_name(name, unet.config): tuple(value.shape) for name, value in unet.state_dict().items()}
    for name, value in vae.state_dict().items():
        shape = tuple(value.shape)
        is_attention = "attentions" in name and len(shape) == 2
        shapes[VAE_PREFIX + ldm_vae_name(name, 4)] = (*shape, 1, 1) if is_attention else shape
    return shapes | {TEXT_PREFIX + clip_name(name): tuple(value.shape) for name, value in text.state_dict().items()}


def write_checkpoint(path: Path, seed: int = 0) -> Path:
    """The checkpoint, tensor by tensor."""
    import torch

    shapes = sd15_shapes()
    chance = torch.Generator().manual_seed(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(head_of(shapes)[0])
        for name, shape in shapes.items():
            _write(file, _random_values(name, shape, chance))
    return path


def _write(file: IO[bytes], values: torch.Tensor) -> None:
    import torch

    file.write(memoryview(values.to(torch.float16).contiguous().numpy()).cast("B"))


def _random_values(name: str, shape: tuple[int, ...], chance: torch.Generator) -> torch.Tensor:
    """Values with which activations keep their size: norms are 1, biases 0, the rest spread by the number of inputs."""
    import torch

    if len(shape) == 1:
        return torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
    spread = 0.02 if "embedding" in name else 1 / math.sqrt(math.prod(shape[1:]))
    return torch.randn(shape, generator=chance) * spread


def find_clip_words() -> Path | None:
    """CLIP's own list of joined words, where the package open_clip_torch is installed; it is not imported."""
    found = importlib.util.find_spec("open_clip")
    path = Path(found.origin).parent / "bpe_simple_vocab_16e6.txt.gz" if found and found.origin else None
    return path if path and path.is_file() else None


def write_clip_tokenizer(folder: Path, words: Path | None = None) -> Path:
    """A CLIP tokenizer of full size.

    Args: words: bpe_simple_vocab_16e6.txt.gz of OpenAI's CLIP; without it, letters are joined in order.
    """
    codes = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(code) for code in codes] + [chr(256 + index) for index in range(256 - len(codes))]
    merges = list(_read_merges(words) if words else ((first, second) for first in letters for second in letters))[:WORDS - 2 * 256 - 2]
    entries = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(entries)}
    if len(vocabulary) != WORDS:
        raise ValueError(f"{words} gives {len(vocabulary)} different words instead of {WORDS}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{' '.join(pair)}\n" for pair in merges), encoding="utf-8")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(special), encoding="utf-8")
    return folder


def _read_merges(words: Path) -> Iterator[tuple[str, str]]:
    with gzip.open(words, "rt", encoding="utf-8") as file:
        next(file)
        for line in file:
            first, second = line.split()
            yield first, second


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make a full-size Stable Diffusion 1.5 of random weights.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--words", type=Path, help="bpe_simple_vocab_16e6.txt.gz of CLIP (comes with the package open_clip_torch)")
    given = parser.parse_args()
    checkpoint, cache = make_full_size(given.folder)
    if given.words:
        write_clip_tokenizer(cache / TOKENIZER, given.words)
    print(checkpoint, cache, sep="\n")
