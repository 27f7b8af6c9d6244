"""How many tokens a caption has for the text encoder that reads it: exact with that model's own vocabulary, else an estimate."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.base.errors import MissingDependency, require
from core.base.families import TokenizerName
from core.base.paths import models_dir, trainers_dir

VOCABULARY = 49408
"""Entries of CLIP's vocabulary, the same for SD 1.5 and both encoders of SDXL. Source: openai/clip-vit-large-patch14, vocab.json."""
CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""How CLIP cuts a text into words before the byte pairs. Source: openai/CLIP, simple_tokenizer.py."""
QWEN_WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
"""The same for Qwen 2, 2.5 and 3. Source: Qwen/Qwen2-7B, tokenizer.json."""


@dataclass(frozen=True)
class TokenCounter:
    """Counts tokens without the begin and end that a trainer adds."""

    count: Callable[[str], int]
    exact: bool
    """With the model's own vocabulary; otherwise an estimate."""


@dataclass(frozen=True)
class TokenizerKind:
    """How one model's vocabulary is known and found."""

    title: str
    entries: tuple[int, int]
    """Least and most entries: later versions of a vocabulary have some more marks, which captions do not hold."""
    classes: tuple[str, ...]
    """What its tokenizer_config.json calls it; saves opening the large files of others."""
    hub: tuple[str, ...]
    """Repositories on Hugging Face that hold it, looked at first."""
    estimate: tuple[float, int, int]
    """Tokens of a comma or other sign; letters of a word that is one token; further letters a token. Fitted to 190 captions where the
    vocabulary was at hand (mean error 4 % for Qwen, 7 % for T5); Gemma and Mistral are taken for Qwen."""
    signs: float = 2.0
    """Tokens of a letter of a script without spaces (Chinese, Japanese)."""


KINDS: dict[TokenizerName, TokenizerKind] = {
    "clip": TokenizerKind("CLIP", (VOCABULARY, VOCABULARY), ("CLIPTokenizer",),
                          ("openai/clip-vit-large-patch14", "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"), (1, 7, 4)),
    "t5": TokenizerKind("T5", (32000, 32128), ("T5Tokenizer",), ("google/t5-v1_1-xxl",), (1.3, 7, 3), 1.0),
    "gemma": TokenizerKind("Gemma 2", (256000, 256128), ("GemmaTokenizer",), ("google/gemma-2-2b",), (1.1, 10, 5), 1.0),
    "qwen": TokenizerKind("Qwen", (151643, 151936), ("Qwen2Tokenizer", "Qwen3Tokenizer"),
                          ("Qwen/Qwen3-4B", "Qwen/Qwen3-8B", "Qwen/Qwen3-0.6B", "Qwen/Qwen2.5-VL-7B-Instruct"), (1.1, 10, 5), 1.0),
    "mistral": TokenizerKind("Mistral", (131072, 131072), ("LlamaTokenizer", "PreTrainedTokenizer", "TokenizersBackend"),
                             ("mistralai/Mistral-Small-3.1-24B-Instruct-2503",), (1.1, 10, 5), 1.0)}


@cache
def token_counter(tokenizer: TokenizerName = "clip") -> TokenCounter:
    """The exact counter where that vocabulary lies on this machine (nothing is fetched), else an estimate."""
    for folder in _folders(KINDS[tokenizer].hub):
        counter = read_counter(folder, tokenizer)
        if counter is not None:
            return counter
    return estimator(tokenizer)


def estimator(tokenizer: TokenizerName = "clip") -> TokenCounter:
    """The counter that needs no vocabulary."""
    return TokenCounter(lambda text: estimate_tokens(text, tokenizer), exact=False)


def read_counter(folder: Path, tokenizer: TokenizerName = "clip") -> TokenCounter | None:
    """A counter from a tokenizer's folder (tokenizer.json; of CLIP and Qwen also vocab.json with merges.txt); None: it is another's."""
    kind = KINDS[tokenizer]
    if (named := _class_in(folder)) and not named.startswith(kind.classes):
        return None
    try:
        library = require("tokenizers", needed_for="Counting tokens")
    except MissingDependency:
        return None
    try:
        found = _open(folder, tokenizer, library)
    except Exception:  # noqa: BLE001 - the library raises plain Exception for a damaged file; an estimate does too
        return None
    if found is None or not kind.entries[0] <= found.get_vocab_size() <= kind.entries[1]:
        return None
    found.no_truncation()  # some files cut at their model's length
    found.no_padding()
    return TokenCounter(lambda text: len(found.encode(text, add_special_tokens=False).ids), exact=True)


def _class_in(folder: Path) -> str:
    """What a tokenizer's folder says that it is; empty where it says nothing."""
    try:
        return str(json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("tokenizer_class") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def _open(folder: Path, tokenizer: TokenizerName, library: Any) -> Any:
    whole, vocab, merges = folder / "tokenizer.json", folder / "vocab.json", folder / "merges.txt"
    if whole.is_file():
        return library.Tokenizer.from_file(str(whole))
    if not (vocab.is_file() and merges.is_file()) or tokenizer not in ("clip", "qwen"):
        return None
    cut, of_bytes = library.pre_tokenizers.Split, library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if tokenizer == "qwen":
        found = library.Tokenizer(library.models.BPE.from_file(str(vocab), str(merges)))
        found.normalizer = library.normalizers.NFC()
        words = cut(library.Regex(QWEN_WORDS), behavior="isolated")
    else:
        found = library.Tokenizer(library.models.BPE.from_file(str(vocab), str(merges), end_of_word_suffix="</w>",
                                                               unk_token="<|endoftext|>"))
        found.normalizer = library.normalizers.Sequence([
            library.normalizers.NFC(), library.normalizers.Replace(library.Regex(r"\s+"), " "), library.normalizers.Lowercase()])
        words = cut(library.Regex(CLIP_WORDS), behavior="removed", invert=True)
    found.pre_tokenizer = library.pre_tokenizers.Sequence([words, of_bytes])
    return found


def estimate_tokens(text: str, tokenizer: TokenizerName = "clip") -> int:
    """About how many tokens: a short word is mostly one, a long one some more, a digit is one, signs that touch are one."""
    kind = KINDS[tokenizer]
    of_sign, whole, more = kind.estimate
    total = 0.0
    for word in re.findall(r"[^\W\d_]+|\d|[^\w\s]+|_", text):
        if not word[0].isalpha():
            total += 1 if word.isdigit() else of_sign
        elif ord(word[0]) > 0x2E80:  # Chinese, Japanese and the like
            total += kind.signs * len(word) + (1 if tokenizer == "clip" else 0)
        else:
            total += 1 if len(word) <= whole else 1 + (len(word) - more) // more
    return round(total)


def _folders(names: tuple[str, ...]) -> Iterator[Path]:
    """Where a tokenizer may lie: the hub's caches, diffusers folders among the models, and what trainers bring along."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hubs = dict.fromkeys([Path(os.environ.get("HF_HUB_CACHE") or home / "hub"), models_dir() / "hub"])
    for hub in hubs:
        for name in names:
            yield from sorted(hub.glob(f"models--{name.replace('/', '--')}/snapshots/*"))
    for hub in hubs:
        yield from sorted(hub.glob("models--*/snapshots/*/tokenizer*"))
        yield from sorted(hub.glob("models--*/snapshots/*"))
    yield from sorted(models_dir().glob("*/tokenizer*"))
    yield from sorted(models_dir().glob("tokenizer*"))
    yield from sorted(models_dir().glob("tokenizer*/*"))
    yield from sorted(trainers_dir().glob("*/configs/*"))
