"""Where in the base model a layer stands: its block and its place in it, for tables and heat maps, whatever way it is named."""

from __future__ import annotations

import re

PREFIXES = re.compile(r"^(lora_unet_|lycoris_|lora_transformer_|diffusion_model_|unet_|transformer_|base_model_model_)+")
TEXTS = re.compile(r"^(?:lora_te(\d?)|text_encoder(?:_(\d))?|text_encoders_(?:clip_)?(\w))_(?:transformer_)?(?:text_model_)?(.*)$")
BLOCKS = (
    (re.compile(r"^(down|up)_blocks_(\d+)_(attentions|resnets|downsamplers|upsamplers)_(\d+)_?(.*)$"), "{0} {1}.{3}", 4),
    (re.compile(r"^mid_block_(attentions|resnets)_(\d+)_?(.*)$"), "middle {0}.{1}", 2),
    (re.compile(r"^(input|output)_blocks_(\d+)_(\d+)_?(.*)$"), "{0} {1}.{2}", 3),
    (re.compile(r"^middle_block_(\d+)_?(.*)$"), "middle {0}", 1),
    (re.compile(r"^(double|single|joint)_blocks_(\d+)_(.*)$"), "{0} {1}", 2),
    (re.compile(r"^single_transformer_blocks_(\d+)_(.*)$"), "single {0}", 1),
    (re.compile(r"^transformer_blocks_(\d+)_(.*)$"), "double {0}", 1),
    (re.compile(r"^(?:blocks|layers)_(\d+)_(.*)$"), "block {0}", 1))
"""Names of blocks, how they are called here, and which group is the layer in it."""
INNER = re.compile(r"^transformer_blocks_(\d+)_(?:processor_)?(.*)$")
LAYERS = re.compile(r"^(?:encoder_)?(?:layers|block)_(\d+)_(.*)$")


def block_of(name: str) -> tuple[str, str]:
    """A module's block and its layer: "down 1.0" and "1 attn2_to_k"; "text 1, layer 3" and "mlp_fc1"; "double 7" and "img_attn_qkv".

    Of what stands in no block, "other" and the name.
    """
    plain = name.replace(".", "_")
    if text := TEXTS.match(plain):
        number = next((group for group in text.groups()[:3] if group), "1")
        number = {"l": "1", "g": "2", "t": "3"}.get(number, number)
        layer = LAYERS.match(text[4])
        return (f"text {number}, layer {layer[1]}", layer[2]) if layer else (f"text {number}", text[4])
    bare = PREFIXES.sub("", plain) if not plain.startswith("transformer_blocks_") else plain
    bare = f"transformer_{bare}" if bare.startswith("blocks_") and "transformer_transformer_blocks_" in plain else bare
    for pattern, words, place in BLOCKS:
        if found := pattern.match(bare):
            groups = list(found.groups())
            layer_name, kind = groups[place], groups[2] if place == 4 else groups[0] if words.startswith("middle {0}.") else ""
            if kind.endswith("resnets"):
                return words.format(*groups), f"resnet {layer_name}"
            inner = INNER.match(layer_name)
            return words.format(*groups), f"{inner[1]} {inner[2]}" if inner else layer_name or kind
    return "other", bare


def natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts block 10 behind block 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def order_of(block: str) -> tuple[int, list[tuple[int, str]]]:
    """A key that sorts blocks as the picture goes through them: text, down or input, middle, up or output."""
    first = block.split()[0].rstrip(",")
    ranks = {"text": 0, "down": 1, "input": 1, "joint": 1, "double": 1, "block": 1, "middle": 2, "single": 2, "up": 3, "output": 3}
    return ranks.get(first, 4), natural(block)
