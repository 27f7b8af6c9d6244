"""How much memory it may take."""

from __future__ import annotations

from typing import ClassVar, Literal

from core.base.settings import SET, setting
from core.training.config.families import FLOW, MUSUBI
from core.training.config.part import Part

ATTN_MODE = ("hunyuan_image", "anima")
"""Families whose scripts choose their attention by attn_mode."""
NOT_ATTN_MODE = ("sd15", "sd2", "sdxl", "sd3", "flux1", "chroma", "lumina2", *MUSUBI)


class MemorySettings(Part):
    """How numbers are stored, and what is recomputed or moved away instead of kept."""

    title: ClassVar[str] = "Memory and speed"
    section: ClassVar[str] = "memory"

    mixed_precision: Literal["no", "fp16", "bf16"] = setting(
        "fp16", "Precision", "bf16 for cards of the RTX 30 series and newer, fp16 for older ones, no on a CPU.")
    gradient_checkpointing: bool = setting(True, "Save memory", "Recompute instead of keeping: a third slower, far less memory.")
    cpu_offload_checkpointing: bool = setting(False, "Keep them in main memory", "What is kept for the way back waits in main memory: "
                                              "less GPU memory, slower.", level="expert", only={"gradient_checkpointing": SET})
    unsloth_offload_checkpointing: bool = setting(False, "Keep them in main memory, quickly", "The same, moved while the GPU computes.",
                                                  level="expert", only={"gradient_checkpointing": SET, "family": ("anima",)})
    blocks_to_swap: int | None = setting(None, "Blocks in main memory", "So many blocks of the model wait in main memory: less GPU memory, "
                                         "slower. For FLUX.1 18 fits 16 GB, 28 fits 8 GB. Empty: none.", level="advanced", ge=1, le=60,
                                         only={"family": FLOW})
    fp8_base: bool = setting(False, "Base model in fp8", "The model that is not trained itself takes half the memory; with bf16 or fp16 "
                             "above.", level="advanced",
                             only={"family": ("sd15", "sd2", "sdxl", "sd3", "flux1", "chroma", "lumina2", *MUSUBI),
                                   "method": ("lora",)})
    fp8_base_unet: bool = setting(False, "Only the U-Net in fp8", "The same, with the text encoders as they are.", level="expert",
                                  only={"family": ("sd15", "sd2", "sdxl", "sd3", "flux1", "chroma", "lumina2"), "method": ("lora",)})
    fp8_scaled: bool = setting(False, "Base model in scaled fp8", "The model takes half the memory, with a scale for each layer; with "
                               "'Base model in fp8' where the model has it.", level="advanced",
                               only={"family": ("hunyuan_image", *MUSUBI)})
    fp8_vl: bool = setting(False, "Text encoder in fp8", "The large text encoder (Qwen, T5) takes half the memory.", level="advanced",
                           only={"family": ("hunyuan_image", *(name for name in MUSUBI if name != "flux2_dev"))})
    text_encoder_cpu: bool = setting(False, "Text encoder in main memory", "Read the captions on the processor: slow, no GPU memory.",
                                     level="expert", only={"family": ("hunyuan_image",)})
    full_fp16: bool = setting(False, "All in fp16", "Gradients too; needs fp16 above. Least memory, less stable.", level="expert")
    full_bf16: bool = setting(False, "All in bf16", "Gradients too; needs bf16 above.", level="expert")
    sdpa: bool = setting(True, "PyTorch attention", "Fast attention that comes with PyTorch.", level="advanced",
                         only={"family": NOT_ATTN_MODE})
    xformers: bool = setting(False, "xformers", "Attention of the xformers package, if it is installed.", level="expert",
                             only={"family": NOT_ATTN_MODE})
    mem_eff_attn: bool = setting(False, "Frugal attention", "Slow attention that takes little memory.", level="expert",
                                 only={"family": ("sd15", "sd2", "sdxl")})
    use_flash_attn: bool = setting(False, "Flash attention", "Attention of the flash-attn package, if it is installed.", level="expert",
                                   only={"family": ("lumina2", *MUSUBI)})
    use_sage_attn: bool = setting(False, "Sage attention", "Attention of the sageattention package, if it is installed.", level="expert",
                                  only={"family": ("lumina2",)})
    attn_mode: Literal["torch", "sdpa", "xformers", "flash", "sageattn"] | None = setting(
        None, "Attention", "Empty: torch. The others come with packages of their own.", level="advanced", only={"family": ATTN_MODE})
    split_attn: bool = setting(False, "Attention one by one", "The pictures of a batch one after the other: less memory. xformers needs "
                               "it.", level="expert", only={"family": (*ATTN_MODE, *MUSUBI)})
    vae_chunk_size: int | None = setting(None, "VAE in pieces", "Encode with so many channels at once: less memory. Empty: all.",
                                         level="expert", ge=1, only={"family": ATTN_MODE})
    vae_disable_cache: bool = setting(False, "VAE without its memory", "Less memory, slightly another result.", level="expert",
                                      only={"family": ("anima",)})
    vae_batch_size: int = setting(1, "Pictures encoded at once", "More is quicker and takes more memory.", level="expert", ge=1, le=256)
    text_encoder_batch_size: int | None = setting(None, "Captions read at once", "More is quicker and takes more memory. Empty: the batch "
                                                  "size.", level="expert", ge=1, le=256, only={"family": FLOW})
    lowram: bool = setting(False, "Little main memory", "Load the model to the GPU at once, for machines with little main memory.",
                           level="expert")
    highvram: bool = setting(False, "Much GPU memory", "Do not tidy GPU memory between steps: quicker.", level="expert")
    torch_compile: bool = setting(False, "Compile", "Compile the model first: quicker steps after some minutes. Not on every machine.",
                                  level="expert")
    dynamo_backend: Literal["inductor", "eager", "aot_eager", "cudagraphs"] = setting("inductor", "Compiler", "What compiles it.",
                                                                                     level="expert", only={"torch_compile": SET})
