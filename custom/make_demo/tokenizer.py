"""Builds the CLIP tokenizer: each word of the world is one token, each syllable of a name is one token.

A name that the world does not know, as a LoRA's trigger, so becomes a row of known syllables.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from transformers import CLIPTokenizer

from core.demo.world import CONCEPT_TAGS, SYLLABLES, WORLD_TAGS

WORD_END = "</w>"
START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 77


def byte_alphabet() -> list[str]:
    """The 256 characters that stand for bytes in GPT-2's and CLIP's byte pair encoding, in their order."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = 256 - len(visible)
    return [chr(code) for code in visible] + [chr(256 + i) for i in range(hidden)]


def world_words() -> list[str]:
    """Every word of every tag, digits left out (CLIP splits them off)."""
    return sorted({word for tag in (*WORLD_TAGS, *CONCEPT_TAGS, "girl", "glasses") for word in tag.split()})


def merge(pieces: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    """Apply byte pair merges, lowest rank first, until none fits."""
    pieces = list(pieces)
    while True:
        pairs = [(ranks.get(pair, len(ranks)), i) for i, pair in enumerate(itertools.pairwise(pieces))]
        rank, i = min(pairs, default=(len(ranks), 0))
        if rank == len(ranks):
            return pieces
        pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]


def learn_merges() -> list[tuple[str, str]]:
    """Merges that make syllables, then whole words; the words' merges rank later, so no name is broken by one."""
    ranks: dict[tuple[str, str], int] = {}
    units = [list(syllable) for syllable in SYLLABLES]
    units += [[*word[:-1], word[-1] + WORD_END] for word in (*SYLLABLES, *world_words())]
    for unit in units:
        pieces = merge(unit, ranks)
        while len(pieces) > 1:
            ranks[pieces[0], pieces[1]] = len(ranks)
            pieces[:2] = [pieces[0] + pieces[1]]
    return list(ranks)


def make_tokenizer(work: Path) -> None:
    """Write vocab.json, merges.txt and their configuration to work/tokenizer."""
    folder = work / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    alphabet = byte_alphabet()
    merges = learn_merges()
    vocabulary = [*alphabet, *(letter + WORD_END for letter in alphabet)]
    vocabulary += [token for token in dict.fromkeys(a + b for a, b in merges) if token not in vocabulary]
    ids = {token: i for i, token in enumerate([*vocabulary, START, END])}
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": LENGTH, **special}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(map(" ".join, merges)) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=1), encoding="utf-8")
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    print(f"tokenizer: {len(ids)} tokens; mikoneko = {tokenizer.tokenize('mikoneko')}", flush=True)
