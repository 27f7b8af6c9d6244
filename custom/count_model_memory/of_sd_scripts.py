"""The models that sd-scripts trains, built by its own classes with its own LoRA networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from counting import BF16, Family, Part

Call = Callable[[Any], torch.Tensor]
SD3: dict[str, Any] = {"patch_size": 2, "adm_in_channels": 2048, "context_embedder_in_features": 4096}
"""config.json of stabilityai/stable-diffusion-3-medium, -3.5-medium, -3.5-large."""
FLUX_BLOCKS = ("double_blocks", "single_blocks")


def families() -> dict[str, Family]:
    """Every family of sd-scripts by name."""
    return {"sd15": Family(build=lambda: unet(768, 8, False), inputs=lambda side, dtype: unet_call(side, dtype, 768),
                           network="networks.lora", encoders=lambda: [clip(768, 12, 12, 3072)], tokens=227),
            "sd2": Family(build=lambda: unet(1024, [5, 10, 20, 20], True), inputs=lambda side, dtype: unet_call(side, dtype, 1024),
                          network="networks.lora", encoders=lambda: [clip(1024, 23, 16, 4096)], tokens=227),
            "sdxl": Family(build=sdxl, inputs=sdxl_call, network="networks.lora", tokens=227,
                           encoders=lambda: [clip(768, 12, 12, 3072), clip(1280, 32, 20, 5120)]),
            "sd3_medium": sd3_family(24, 192, None, []), "sd35_medium": sd3_family(24, 384, "rms", list(range(13))),
            "sd35_large": sd3_family(38, 192, "rms", []),
            "flux1": Family(build=flux, inputs=flux_call, network="networks.lora_flux", blocks=FLUX_BLOCKS,
                            encoders=lambda: [clip(768, 12, 12, 3072), None]),
            "chroma": Family(build=chroma, inputs=chroma_call, network="networks.lora_flux", blocks=FLUX_BLOCKS),
            "lumina2": Family(build=lumina, inputs=lumina_call, network="networks.lora_lumina", blocks=("layers",), tokens=256),
            "hunyuan_image": Family(build=hunyuan, inputs=hunyuan_call, network="networks.lora_hunyuan_image", blocks=FLUX_BLOCKS,
                                    tokens=128),
            "anima": Family(build=anima, inputs=anima_call, network="networks.lora_anima", blocks=("blocks",))}


def clip(width: int, layers: int, heads: int, inner: int) -> Any:
    """A CLIP text encoder."""
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(CLIPTextConfig(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner,
                                        projection_dim=width))


def unet(context: int, heads: Any, linear: bool) -> Any:
    """The U-Net of Stable Diffusion 1 and 2, with PyTorch's attention."""
    from library.original_unet import UNet2DConditionModel

    model = UNet2DConditionModel(64, heads, context, heads, linear) if linear else UNet2DConditionModel(64, heads, context, heads)
    model.set_use_sdpa(True)
    return model


def unet_call(side: int, dtype: torch.dtype, context: int) -> Call:
    """One picture of that side, a caption of 225 tokens."""
    latents, text = noise(1, 4, side // 8, side // 8, dtype=dtype), noise(1, 227, context, dtype=dtype)
    return lambda model: model(latents, torch.ones(1), text).sample


def sdxl() -> Any:
    """SDXL's U-Net, with PyTorch's attention."""
    from library.sdxl_original_unet import SdxlUNet2DConditionModel

    model = SdxlUNet2DConditionModel()
    model.set_use_sdpa(True)
    return model


def sdxl_call(side: int, dtype: torch.dtype) -> Call:
    """One picture of that side, a caption of 225 tokens."""
    latents, text, pooled = (noise(*shape, dtype=dtype) for shape in ((1, 4, side // 8, side // 8), (1, 227, 2048), (1, 2816)))
    return lambda model: model(latents, torch.ones(1), text, pooled)


def sd3_family(depth: int, positions: int, norm: str | None, own: list[int]) -> Family:
    """A model of the Stable Diffusion 3 line."""
    def build() -> Any:
        from library.sd3_models import SD3Params, create_sd3_mmdit

        return create_sd3_mmdit(SD3Params(**SD3, depth=depth, pos_embed_max_size=positions, num_patches=positions ** 2, qk_norm=norm,
                                          x_block_self_attn_layers=own, context_embedder_out_features=64 * depth, model_type="m"))

    def call(side: int, dtype: torch.dtype) -> Call:
        latents, pooled, text = (noise(*shape, dtype=dtype) for shape in ((1, 16, side // 8, side // 8), (1, 2048), (1, 154 + 256, 4096)))
        return lambda model: model(latents, torch.ones(1), y=pooled, context=text)

    return Family(build=build, inputs=call, network="networks.lora_sd3", blocks=("joint_blocks",),
                  encoders=lambda: (clip(768, 12, 12, 3072), clip(1280, 32, 20, 5120)))


def flux() -> Any:
    """FLUX.1 dev."""
    from library.flux_models import Flux, configs

    return Flux(configs["dev"].params)


def flux_call(side: int, dtype: torch.dtype) -> Call:
    """One picture of that side, 512 tokens."""
    given = packed(side, dtype)
    return lambda model: model(**given, y=noise(1, 768, dtype=dtype), guidance=torch.ones(1))


def packed(side: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """What both FLUX.1 and Chroma read."""
    count = (side // 16) ** 2
    return {"img": noise(1, count, 64, dtype=dtype), "img_ids": torch.zeros(1, count, 3), "txt": noise(1, 512, 4096, dtype=dtype),
            "txt_ids": torch.zeros(1, 512, 3), "timesteps": torch.ones(1), "txt_attention_mask": torch.ones(1, 512)}


def chroma() -> Any:
    """Chroma."""
    from library.chroma_models import Chroma, chroma_params

    return Chroma(chroma_params)


def chroma_call(side: int, dtype: torch.dtype) -> Call:
    """One picture of that side, 512 tokens."""
    given = packed(side, dtype)

    def call(model: Any) -> torch.Tensor:
        with torch.no_grad():
            vectors = model.get_mod_vectors(timesteps=torch.ones(1), guidance=torch.zeros(1), batch_size=1)
        return model(**given, y=noise(1, 768, dtype=dtype), guidance=torch.ones(1), mod_vectors=vectors)
    return call


def lumina() -> Any:
    """Lumina Image 2."""
    from library.lumina_models import NextDiT_2B_GQA_patch2_Adaln_Refiner

    return NextDiT_2B_GQA_patch2_Adaln_Refiner()


def lumina_call(side: int, dtype: torch.dtype) -> Call:
    """One picture of that side, 256 tokens."""
    latents, text = noise(1, 16, side // 8, side // 8, dtype=dtype), noise(1, 256, 2304, dtype=dtype)
    return lambda model: model(x=latents, t=torch.ones(1), cap_feats=text, cap_mask=torch.ones(1, 256, dtype=torch.int32))


def hunyuan() -> Any:
    """HunyuanImage 2.1."""
    from library import attention
    from library.hunyuan_image_models import HYImageDiffusionTransformer

    parameters = attention.AttentionParams
    parameters.create_attention_params_from_mask = staticmethod(
        lambda mode, split, length, *_: parameters(mode, split, length, None, [128]))
    model = HYImageDiffusionTransformer(attn_mode="torch", split_attn=False)
    model.reorder_txt_token = lambda letters, text, *masks: (torch.cat([letters, text], 1), torch.cat(masks, 1), [256])  # masks are full
    return model


def hunyuan_call(side: int, dtype: torch.dtype) -> Call:
    """One picture of that side, 128 tokens of the large reader and 128 of the small one."""
    latents, text, letters = (noise(*shape, dtype=dtype) for shape in ((1, 64, side // 32, side // 32), (1, 128, 3584), (1, 128, 1472)))
    mask = torch.ones(1, 128, dtype=torch.int64)
    return lambda model: model(latents, torch.ones(1), text, mask, letters, mask)


def anima() -> Any:
    """Anima, with the numbers of sd-scripts' library/anima_utils.py."""
    from library.anima_models import Anima

    return Anima(max_img_h=512, max_img_w=512, max_frames=128, in_channels=16, out_channels=16, patch_spatial=2, patch_temporal=1,
                 model_channels=2048, concat_padding_mask=True, crossattn_emb_channels=1024, pos_emb_cls="rope3d", pos_emb_learnable=True,
                 pos_emb_interpolation="crop", min_fps=1, max_fps=30, use_adaln_lora=True, adaln_lora_dim=256, num_blocks=28, num_heads=16,
                 extra_per_block_abs_pos_emb=False, rope_h_extrapolation_ratio=4.0, rope_w_extrapolation_ratio=4.0,
                 rope_t_extrapolation_ratio=1.0, extra_h_extrapolation_ratio=1.0, extra_w_extrapolation_ratio=1.0,
                 extra_t_extrapolation_ratio=1.0, rope_enable_fps_modulation=False, use_llm_adapter=True, attn_mode="torch",
                 split_attn=False)


def anima_call(side: int, dtype: torch.dtype) -> Call:
    """One picture of that side, 512 tokens."""
    latents, text = noise(1, 16, 1, side // 8, side // 8, dtype=dtype), noise(1, 512, 1024, dtype=dtype)
    mask = torch.zeros(1, 1, side // 8, side // 8, dtype=dtype)
    return lambda model: model(latents, torch.ones(1, 1, dtype=dtype), text, padding_mask=mask)


def vaes() -> dict[str, Part]:
    """What turns pictures into latents."""
    def kl(channels: int, between: bool) -> Any:
        from diffusers import AutoencoderKL

        return AutoencoderKL(3, 3, ("DownEncoderBlock2D",) * 4, ("UpDecoderBlock2D",) * 4, (128, 256, 512, 512), 2,
                             latent_channels=channels, use_quant_conv=between, use_post_quant_conv=between)

    def of_hunyuan() -> Any:
        from library.hunyuan_image_vae import HunyuanVAE2D

        return HunyuanVAE2D()

    return {"sd": Part(lambda: kl(4, True), 4, 8), "flux": Part(lambda: kl(16, False), 16, 8), "hunyuan_image": Part(of_hunyuan, 64, 32)}


def noise(*shape: int, dtype: torch.dtype = BF16) -> torch.Tensor:
    """Fake numbers; they ask for a gradient, as sd-scripts' inputs do when it recomputes."""
    return torch.randn(*shape, dtype=dtype).requires_grad_(True)
