"""Which part of a model a file of weights is, told from its header: text encoder, VAE, ControlNet, LoRA; no tensor is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

PartKind = Literal["lora", "controlnet", "t5", "clip", "vision", "llm", "vae"]


@dataclass(frozen=True)
class ModelPart:
    """What a file holds, when it is no base model."""

    kind: PartKind
    size: int = 0
    """Width of a text encoder, or channels of a VAE's latents; 0 where the header does not tell it."""

    @property
    def words(self) -> str:
        """"the T5 text encoder", with its name where its width tells it."""
        named = {(kind, size): name for name, (kind, size) in NAMED.items()}.get((self.kind, self.size))
        if self.kind == "vae" and self.size:
            return f"a VAE with {self.size} channels"
        return f"the text encoder {named}" if named else WORDS[self.kind]


WORDS: Mapping[PartKind, str] = {
    "lora": "a LoRA", "controlnet": "a ControlNet", "t5": "a T5 text encoder", "clip": "a CLIP text encoder",
    "vision": "a CLIP picture encoder", "llm": "a language model, as text encoders are", "vae": "a VAE"}
NAMED: Mapping[str, tuple[PartKind, int]] = {
    "CLIP-L": ("clip", 768), "CLIP-H": ("clip", 1024), "CLIP-G": ("clip", 1280), "T5-XXL": ("t5", 4096), "ByT5 small": ("t5", 1472),
    "Gemma 2 (2B)": ("llm", 2304), "Qwen3 (0.6B)": ("llm", 1024), "Qwen3 (4B)": ("llm", 2560), "Qwen2.5-VL (7B)": ("llm", 3584),
    "Mistral Small (24B)": ("llm", 5120)}
"""Text encoders by kind and width; Qwen3 (8B) has T5-XXL's width, 4096, but is another kind. Source: the models' published configs."""
WHOLE = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.", "conditioner.")
"""Beginnings of names in a checkpoint of Stable Diffusion, with its text encoders and its VAE."""
LORA = (".lora_down.", ".lora_A.", ".hada_w1_a", ".lokr_w1", ".oft_blocks", ".oft_diag")
MARKS: tuple[tuple[str, PartKind], ...] = (
    ("control_model.", "controlnet"), ("controlnet_cond_embedding.", "controlnet"), ("encoder.block.0.layer.0.SelfAttention.", "t5"),
    ("text_model.encoder.layers.0.", "clip"), ("vision_model.encoder.layers.0.", "vision"), ("layers.0.self_attn.q_proj.", "llm"),
    ("decoder.conv_in.", "vae"), ("decoder.up_blocks.0.", "vae"), ("decoder.up.0.block.0.", "vae"), ("decoder.upsamples.", "vae"))
"""A part of a tensor's name that tells what the file is, looked for in this order."""
WIDTHS: Mapping[PartKind, tuple[tuple[str, int], ...]] = {
    "clip": (("token_embedding.weight", 1),), "t5": (("shared.weight", 1), ("encoder.embed_tokens.weight", 1)),
    "llm": (("embed_tokens.weight", 1), ("layers.0.input_layernorm.weight", 0)),
    "vae": (("decoder.conv_in.weight", 1), ("decoder.conv_in.conv.weight", 1), ("decoder.conv1.weight", 1))}
"""The tensors whose shape says how large the part is, and at which place of the shape."""


def part_of(shapes: Mapping[str, Sequence[int]]) -> ModelPart | None:
    """What a file is, if it is a part of a model; None: it is none of those that are known, or a whole model, which holds several.

    Args: shapes: of its tensors, by name.
    """
    if any(name.startswith(WHOLE) for name in shapes):
        return None
    if any(mark in name for name in shapes for mark in LORA):
        return ModelPart("lora")
    for mark, kind in MARKS:
        if any(mark in name for name in shapes):
            return ModelPart(kind, _size(shapes, kind))
    return None


def _size(shapes: Mapping[str, Sequence[int]], kind: PartKind) -> int:
    for end, at in WIDTHS.get(kind, ()):
        shape = next((shape for name, shape in shapes.items() if name.endswith(end)), ())
        if len(shape) > at:
            return shape[at]
    return 0
