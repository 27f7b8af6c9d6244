"""How many tokens a caption has for CLIP, whose text encoders read 75 at a time."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.base.errors import MissingDependency, require
from core.base.paths import models_dir

VOCABULARY = 49408
"""Entries of CLIP's vocabulary, the same for SD 1.5 and both encoders of SDXL. Source: openai/clip-vit-large-patch14, vocab.json."""
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""How CLIP cuts a text into words before the byte pairs. Source: openai/CLIP, simple_tokenizer.py."""
HUB_NAMES = ("openai/clip-vit-large-patch14", "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k")


@dataclass(frozen=True)
class TokenCounter:
    """Counts tokens without the begin and end that a trainer adds."""

    count: Callable[[str], int]
    exact: bool
    """With the model family's own vocabulary; otherwise an estimate."""


@cache
def token_counter() -> TokenCounter:
    """The exact counter where CLIP's vocabulary lies on this machine (nothing is fetched), else an estimate."""
    for folder in _folders():
        counter = read_counter(folder)
        if counter is not None:
            return counter
    return TokenCounter(estimate_tokens, exact=False)


def read_counter(folder: Path, vocabulary: int = VOCABULARY) -> TokenCounter | None:
    """A counter from a tokenizer's folder (tokenizer.json, or vocab.json with merges.txt); None where it is not CLIP's."""
    try:
        library = require("tokenizers", needed_for="Counting tokens")
    except MissingDependency:
        return None
    try:
        tokenizer = _open(folder, library)
    except Exception:  # noqa: BLE001 - the library raises plain Exception for a damaged file; an estimate does too
        return None
    if tokenizer is None or tokenizer.get_vocab_size() != vocabulary:
        return None
    return TokenCounter(lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids), exact=True)


def _open(folder: Path, library: Any) -> Any:
    whole, vocab, merges = folder / "tokenizer.json", folder / "vocab.json", folder / "merges.txt"
    if whole.is_file():
        return library.Tokenizer.from_file(str(whole))
    if not (vocab.is_file() and merges.is_file()):
        return None
    model = library.models.BPE.from_file(str(vocab), str(merges), end_of_word_suffix="</w>", unk_token="<|endoftext|>")
    tokenizer = library.Tokenizer(model)
    tokenizer.normalizer = library.normalizers.Sequence([
        library.normalizers.NFC(), library.normalizers.Replace(library.Regex(r"\s+"), " "), library.normalizers.Lowercase()])
    tokenizer.pre_tokenizer = library.pre_tokenizers.Sequence([
        library.pre_tokenizers.Split(library.Regex(WORDS), behavior="removed", invert=True),
        library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return tokenizer


def estimate_tokens(text: str) -> int:
    """About how many tokens: a word of up to seven letters is mostly one, a digit is one, signs that touch are one."""
    total = 0
    for word in re.findall(r"[^\W\d_]+|\d|[^\w\s]+|_", text):
        letters = len(word) if word[0].isalpha() else 1
        total += 1 if letters <= 7 else 1 + (letters - 4) // 4
        if ord(word[0]) > 0x2E80:  # CJK and the like: about two tokens a sign
            total += 2 * letters - 1
    return total


def _folders() -> Iterator[Path]:
    """Where CLIP's tokenizer may lie: the hub's cache, and diffusers folders among the models."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    for name in HUB_NAMES:
        yield from hub.glob(f"models--{name.replace('/', '--')}/snapshots/*")
    yield from hub.glob("models--*/snapshots/*/tokenizer")
    yield from models_dir().glob("*/tokenizer")
    yield from models_dir().glob("tokenizer*")
