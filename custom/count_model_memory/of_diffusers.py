"""The models that musubi-tuner trains, and text encoders, built by diffusers and transformers with the published configurations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from counting import BF16, Family, Part

Call = Callable[[Any], torch.Tensor]
FLUX2_LAYERS = ("Flux2TransformerBlock", "Flux2SingleTransformerBlock")


def families() -> dict[str, Family]:
    """Every family by name. Sources: config.json of the transformer in the model's own repository."""
    return {"flux2_dev": flux2(8, 48, 48, 15360, True), "flux2_klein_4b": flux2(5, 20, 24, 7680, False),
            "flux2_klein_9b": flux2(8, 24, 32, 12288, False),
            "qwen_image": Family(build=qwen, inputs=qwen_call, lora_blocks=("QwenImageTransformerBlock",), blocks=("transformer_blocks",)),
            "z_image": Family(build=z_image, inputs=z_image_call, lora_blocks=("ZImageTransformerBlock",), blocks=("layers",))}


def flux2(double: int, single: int, heads: int, text: int, guidance: bool) -> Family:
    """A model of FLUX.2; musubi-tuner keeps queries, keys and values in one layer, diffusers in three."""
    def build() -> Any:
        from diffusers import Flux2Transformer2DModel

        return Flux2Transformer2DModel(num_layers=double, num_single_layers=single, num_attention_heads=heads, joint_attention_dim=text,
                                       guidance_embeds=guidance)

    def call(side: int, dtype: torch.dtype) -> Call:
        count = (side // 16) ** 2
        latents, words = noise(1, count, 128, dtype=dtype), noise(1, 512, text, dtype=dtype)
        ids = {"img_ids": torch.zeros(count, 4), "txt_ids": torch.zeros(512, 4)}
        return lambda model: model(latents, words, torch.ones(1), guidance=torch.ones(1) if guidance else None, **ids).sample

    return Family(build=build, inputs=call, lora_blocks=FLUX2_LAYERS, blocks=("transformer_blocks", "single_transformer_blocks"),
                  joined=4 * double * heads * 128)


def qwen() -> Any:
    """Qwen-Image."""
    from diffusers import QwenImageTransformer2DModel

    return QwenImageTransformer2DModel()


def qwen_call(side: int, dtype: torch.dtype) -> Call:
    """One picture of that side, 512 tokens."""
    latents, text = noise(1, (side // 16) ** 2, 64, dtype=dtype), noise(1, 512, 3584, dtype=dtype)
    return lambda model: model(latents, text, None, torch.ones(1, dtype=dtype), [(1, side // 16, side // 16)]).sample


def z_image() -> Any:
    """Z-Image."""
    from diffusers import ZImageTransformer2DModel

    return ZImageTransformer2DModel()


def z_image_call(side: int, dtype: torch.dtype) -> Call:
    """One picture of that side, 512 tokens."""
    latents, text = noise(16, 1, side // 8, side // 8, dtype=dtype), noise(512, 2560, dtype=dtype)
    return lambda model: torch.stack(model([latents], torch.ones(1, dtype=dtype), [text]).sample)


def vaes() -> dict[str, Part]:
    """What turns pictures into latents."""
    def made(name: str) -> Any:
        import diffusers

        return getattr(diffusers, name)()

    return {"flux2": Part(lambda: made("AutoencoderKLFlux2"), 32, 8),
            "qwen_image": Part(lambda: made("AutoencoderKLQwenImage"), 16, 8, True)}


def texts() -> dict[str, Callable[[], Any]]:
    """Text encoders. Sources: config.json of each model's own repository."""
    import transformers as t

    def qwen3(width: int, layers: int, heads: int, inner: int) -> Any:
        return t.Qwen3Model(t.Qwen3Config(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=8,
                                          head_dim=128, intermediate_size=inner, vocab_size=151936))

    def clip(width: int, layers: int, heads: int, inner: int) -> Any:
        return t.CLIPTextModel(t.CLIPTextConfig(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
                                                intermediate_size=inner, projection_dim=width))

    def t5(width: int, inner: int, layers: int, heads: int, words: int) -> Any:
        return t.T5EncoderModel(t.T5Config(d_model=width, d_ff=inner, num_layers=layers, num_heads=heads, d_kv=64, vocab_size=words,
                                           feed_forward_proj="gated-gelu"))

    mistral = {"hidden_size": 5120, "num_hidden_layers": 40, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
               "intermediate_size": 32768, "vocab_size": 131072}
    return {"clip_l": lambda: clip(768, 12, 12, 3072), "clip_h": lambda: clip(1024, 23, 16, 4096),
            "clip_g": lambda: clip(1280, 32, 20, 5120),
            "t5_xxl": lambda: t5(4096, 10240, 24, 64, 32128), "byt5_small": lambda: t5(1472, 3584, 12, 6, 1510),
            "gemma2_2b": lambda: t.Gemma2Model(t.Gemma2Config()), "qwen25_vl_7b": lambda: t.Qwen2_5_VLModel(t.Qwen2_5_VLConfig(
                text_config={"hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4,
                             "intermediate_size": 18944, "vocab_size": 152064},
                vision_config={"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584})),
            "qwen3_0.6b": lambda: qwen3(1024, 28, 16, 3072), "qwen3_4b": lambda: qwen3(2560, 36, 32, 9728),
            "qwen3_8b": lambda: qwen3(4096, 36, 32, 12288),
            "mistral_24b": lambda: t.MistralModel(t.MistralConfig(**mistral))}


def noise(*shape: int, dtype: torch.dtype = BF16) -> torch.Tensor:
    """Fake numbers; they ask for a gradient, as a trainer's inputs do when it recomputes."""
    return torch.randn(*shape, dtype=dtype).requires_grad_(True)
