"""Pretrains the text tower: it must name every attribute that a caption says or that a character's name stands for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from core.demo.world import TAGS_OF_PART, Spec, training_caption, training_spec
from custom.make_demo.learning import learn

WIDTH = 96
RATE = 2.5e-3
BATCH = 64


class AttributeReader(nn.Module):
    """One attention query for each field over the tower's last hidden state, as a UNet's cross-attention would ask."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(len(TAGS_OF_PART), WIDTH) * 0.2)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.answers = nn.ModuleList(nn.Linear(WIDTH, len(tags) + 1) for tags in TAGS_OF_PART.values())

    def forward(self, hidden: torch.Tensor) -> list[torch.Tensor]:
        """Args: hidden: (n, 77, 96). Returns: for each field logits (n, tags + 1); index 0 is "not said"."""
        weights = torch.softmax(torch.einsum("fd,ntd->nft", self.query, self.key(hidden)) / WIDTH**0.5, -1)
        read = weights @ self.value(hidden)
        return [answer(read[:, i]) for i, answer in enumerate(self.answers)]


def make_text_tower(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Two layers of 96, four heads."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=2 * WIDTH, projection_dim=WIDTH, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=77, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )
    tower = CLIPTextModel(config)
    with torch.no_grad():
        # CLIP's 0.02 is for 512 channels; at 96 the words would stay alike for too long
        tower.get_input_embeddings().weight.normal_(0, 0.3)
    return tower


def said(spec: Spec, caption: str) -> list[int]:
    """For each field the index of its tag, counted from 1, if the caption says it or the name stands for it; else 0."""
    known = set(caption.split(", "))
    if spec.name:
        known |= {spec.hair, spec.style, spec.eyes, spec.clothes, spec.ears, spec.neck, spec.head, spec.mark}
    return [next((i for i, tag in enumerate(tags, 1) if tag in known), 0) for tags in TAGS_OF_PART.values()]


def tokenize(tokenizer: CLIPTokenizer, captions: Sequence[str]) -> torch.Tensor:
    """Returns: (n, 77) token ids, padded with the end token as Stable Diffusion does."""
    return tokenizer(list(captions), padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids


def train_text_tower(work: Path, minutes: float = 4.0) -> None:
    """Write work/text and print the share of fields read right, with and without names."""
    torch.manual_seed(2)
    tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
    tower, reader = make_text_tower(tokenizer), AttributeReader()
    rng = Random(2)

    def loss() -> torch.Tensor:
        return read_batch(tower, reader, tokenizer, [training_spec(rng) for _ in range(BATCH)], rng)[0]

    learn([*tower.parameters(), *reader.parameters()], loss, minutes, "text tower", RATE, warm_up=50, betas=(0.9, 0.99))
    tower.eval()
    tower.save_pretrained(work / "text")
    specs = [training_spec(rng) for _ in range(600)]
    for label, group in (("named", [s for s in specs if s.name]), ("unnamed", [s for s in specs if not s.name])):
        with torch.no_grad():
            _, right = read_batch(tower, reader, tokenizer, group, rng)
        print(f"text tower: {label} captions, {right:.4f} of fields right", flush=True)


def read_batch(tower, reader, tokenizer, specs: Sequence[Spec], rng: Random) -> tuple[torch.Tensor, float]:
    """Caption the specs, read them back. Returns: summed cross entropy, share of fields right."""
    captions = [training_caption(spec, rng) for spec in specs]
    wanted = torch.tensor([said(spec, caption) for spec, caption in zip(specs, captions, strict=True)])
    answers = reader(tower(tokenize(tokenizer, captions)).last_hidden_state)
    loss = sum(F.cross_entropy(answer, wanted[:, i]) for i, answer in enumerate(answers))
    right = torch.stack([answer.argmax(1) == wanted[:, i] for i, answer in enumerate(answers)])
    return loss, right.float().mean().item()
