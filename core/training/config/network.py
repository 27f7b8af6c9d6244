"""What kind of network learns, how large it is, and which parts of the model it touches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from core.base.settings import SET, setting
from core.training.config.families import SD_SCRIPTS, TRAINED_MODELS, UNET
from core.training.config.network_types import LYCORIS_TYPES, NETWORK_TYPES, NetworkName
from core.training.config.part import Part

if TYPE_CHECKING:
    from core.training.config.training import TrainingSettings

WITH_RANK = tuple(name for name in NETWORK_TYPES if name not in ("ia3", "full"))
WITH_ALPHA = tuple(name for name in WITH_RANK if name not in ("diag-oft", "boft"))
WITH_CONV = ("lora", "lora_fa", "dylora", "locon", "dora", "loha", "lokr", "glora", "diag-oft", "boft")
WITH_NORM_LIMIT = tuple(name for name in TRAINED_MODELS if name != "hunyuan_image")
"""Families whose own LoRA limits its weights (`apply_max_norm_regularization`)."""
OWN_BLOCKS = {"family": UNET, "network_type": ("lora", "lora_fa")}
"""Block weights are what sd-scripts' own networks for a U-Net take."""

LycorisPreset = Literal["full", "full-lin", "attn-mlp", "attn-only", "unet-only", "unet-transformer-only", "unet-convblock-only"]


class NetworkSettings(Part):
    """What kind of network learns, how large it is, and which parts of the model it touches."""

    title: ClassVar[str] = "LoRA"
    section: ClassVar[str] = "network"
    in_args: ClassVar[tuple[str, ...]] = (
        "conv_dim", "conv_alpha", "rank_dropout", "module_dropout", "lycoris_preset", "factor", "decompose_both", "full_matrix",
        "use_tucker", "train_norm", "constraint", "rescaled", "unit", "enable_all_linear", "enable_conv", "loraplus_lr_ratio",
        "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio", "down_lr_weight", "mid_lr_weight", "up_lr_weight",
        "block_lr_zero_threshold", "block_dims", "block_alphas", "conv_block_dims", "conv_block_alphas", "train_blocks", "split_qkv",
        "train_t5xxl", "train_llm_adapter", "ema_decay")
    """Written into `network_args`, as NAME=VALUE."""
    names_in_args: ClassVar[Mapping[str, str]] = {"lycoris_preset": "preset"}
    """Where the argument bears another name."""
    elsewhere: ClassVar[tuple[str, ...]] = (*in_args, "network_type", "network_args")

    network_type: NetworkName = setting("lora", "Type", "LoRA is read by every program; the others keep more in less room, or learn "
                                        "otherwise. All but LoRA, DyLoRA, LoRA-FA and OFT are made by LyCORIS, or by "
                                        "musubi-tuner.", level="advanced",
                                        also=("network_module", "network_args", "algo"), source="https://github.com/KohakuBlueleaf/LyCORIS")
    network_dim: int = setting(16, "Rank", "How much the LoRA can hold. 8 to 32 is usual; more makes a larger file.", ge=1, le=4096,
                               only={"network_type": WITH_RANK}, also=("linear", "lora_rank"),
                               source="training-reference: SD 1.5 16, SDXL 8")
    network_alpha: float = setting(8.0, "Alpha", "Scales what is learned by alpha / rank. Half the rank is usual; the rank for Prodigy. "
                                   "For OFT it is the limit of turning: 0.001.", gt=0, only={"network_type": WITH_ALPHA},
                                   source="training-reference: SD 1.5 8, SDXL 4")
    conv_dim: int | None = setting(None, "Convolution rank", "Also teach the 3×3 convolutions; good for styles. Empty: LoRA leaves them "
                                   "alone, LyCORIS takes the rank above.", level="advanced", ge=1, le=512,
                                   only={"network_type": WITH_CONV, "family": UNET}, source="training-reference: SD 1.5 8, SDXL style 16")
    conv_alpha: float | None = setting(None, "Convolution alpha", "Alpha of the convolutions; empty means 1 for LoRA, the alpha above for "
                                       "LyCORIS.", level="advanced", gt=0, only={"conv_dim": SET})
    network_dropout: float | None = setting(None, "Dropout",
                                            "Chance that a neuron is left out of a step; against overfitting. Empty: none.",
                                            level="advanced", ge=0, lt=1, only={"network_type": ("lora", "lora_fa", *LYCORIS_TYPES)})
    rank_dropout: float | None = setting(None, "Rank dropout", "Chance that one rank is left out of a step. Empty: none.", level="expert",
                                         ge=0, lt=1, only={"network_type": ("lora", "lora_fa", *LYCORIS_TYPES)})
    module_dropout: float | None = setting(None, "Layer dropout", "Chance that a whole layer is left out of a step. Empty: none.",
                                           level="expert", ge=0, lt=1, only={"network_type": ("lora", "lora_fa", *LYCORIS_TYPES)})
    scale_weight_norms: float | None = setting(None, "Limit of weights", "Larger weights are scaled down to this norm at each step; 1 is "
                                               "usual, against overfitting. Empty: no limit.", level="advanced", gt=0,
                                               only={"network_type": ("lora", "lora_fa", *LYCORIS_TYPES), "family": WITH_NORM_LIMIT})
    lycoris_preset: LycorisPreset | None = setting(
        None, "Which layers", "Where LyCORIS puts itself. Empty: full, all of them with the convolutions.", level="advanced",
        only={"network_type": tuple(name for name in LYCORIS_TYPES if name != "ia3"), "family": UNET})
    factor: int | None = setting(None, "Factor", "How the matrices of LoKr are split; small factors make larger files. Empty: as evenly as "
                                 "possible.", level="advanced", ge=2, le=512, only={"network_type": ("lokr",)})
    decompose_both: bool = setting(False, "Split both halves", "Split the smaller matrix of LoKr too.", level="expert",
                                   only={"network_type": ("lokr",), "family": UNET})
    full_matrix: bool = setting(False, "Whole matrices", "Do not split the larger matrix of LoKr: the rank no longer counts.",
                                level="expert", only={"network_type": ("lokr",), "family": UNET})
    use_tucker: bool = setting(False, "Tucker decomposition", "Split 3×3 convolutions in three: smaller files.", level="expert",
                               only={"network_type": ("locon", "dora", "loha", "lokr"), "family": UNET})
    train_norm: bool = setting(False, "Teach the norms", "Also teach the normalising layers.", level="expert",
                               only={"network_type": LYCORIS_TYPES, "family": UNET})
    constraint: float | None = setting(None, "Limit of turning", "How far the layers may be turned; 0.001 is usual. Empty: no limit.",
                                       level="expert", gt=0, only={"network_type": ("diag-oft", "boft")})
    rescaled: bool = setting(False, "Rescaled", "Also learn a scale for each output.", level="expert",
                             only={"network_type": ("diag-oft", "boft")})
    unit: int | None = setting(None, "Unit", "Ranks of DyLoRA that are trained together; the rank must be a multiple. Empty: 1.",
                               level="advanced", ge=1, le=512, only={"network_type": ("dylora",)})
    enable_all_linear: bool = setting(False, "All linear layers", "Turn the feed-forward layers too.", level="expert",
                                      only={"network_type": ("oft",)})
    enable_conv: bool = setting(False, "Convolutions too", "Turn the 3×3 convolutions too.", level="expert",
                                only={"network_type": ("oft",), "family": UNET})
    loraplus_lr_ratio: float | None = setting(None, "LoRA+ ratio", "The second half of each layer learns so many times faster; 4 to 16. "
                                              "Empty: off.", level="expert", gt=0, source="https://arxiv.org/abs/2402.12354",
                                              only={"network_type": ("lora", "dylora", *LYCORIS_TYPES)})
    loraplus_unet_lr_ratio: float | None = setting(None, "LoRA+ ratio, U-Net", "The same for the picture side alone.", level="expert",
                                                   gt=0, only={"family": SD_SCRIPTS,
                                                               "network_type": ("lora", "dylora", *LYCORIS_TYPES)})
    loraplus_text_encoder_lr_ratio: float | None = setting(None, "LoRA+ ratio, text encoder", "The same for the text side alone.",
                                                           level="expert", gt=0,
                                                           only={"family": SD_SCRIPTS,
                                                                 "network_type": ("lora", "dylora", *LYCORIS_TYPES)})
    down_lr_weight: str | None = setting(None, "Rates of the way down", "A factor for each of the U-Net's first blocks (12 for SD 1.5, 9 "
                                         "for SDXL), with commas; or cosine, sine, linear, reverse_linear, zeros.", level="expert",
                                         only=OWN_BLOCKS)
    mid_lr_weight: str | None = setting(None, "Rate of the middle", "A factor for the U-Net's middle block.", level="expert",
                                        only=OWN_BLOCKS)
    up_lr_weight: str | None = setting(None, "Rates of the way up", "As for the way down, for the last blocks.", level="expert",
                                       only=OWN_BLOCKS)
    block_lr_zero_threshold: float | None = setting(None, "Smallest rate", "Blocks whose factor is not above it are left out.",
                                                    level="expert", ge=0, only=OWN_BLOCKS)
    block_dims: str | None = setting(None, "Rank of each block", "A rank for each of the U-Net's blocks (25 for SD 1.5, 23 for SDXL), with "
                                     "commas.", level="expert", only=OWN_BLOCKS)
    block_alphas: str | None = setting(None, "Alpha of each block", "The same for alpha. Empty: the alpha above.", level="expert",
                                       only={**OWN_BLOCKS, "block_dims": SET})
    conv_block_dims: str | None = setting(None, "Convolution rank of each block", "The same for the 3×3 convolutions.", level="expert",
                                          only={**OWN_BLOCKS, "block_dims": SET})
    conv_block_alphas: str | None = setting(None, "Convolution alpha of each block", "The same for their alpha.", level="expert",
                                            only={**OWN_BLOCKS, "conv_block_dims": SET})
    train_blocks: Literal["all", "single", "double"] | None = setting(
        None, "Which blocks", "Teach all blocks, or only the single or the double ones. Empty: all.", level="expert",
        only={"family": ("flux1", "chroma"), "network_type": ("lora",)})
    split_qkv: bool = setting(False, "Split attention", "A LoRA each for query, key and value, as diffusers has them.", level="expert",
                              only={"family": ("sd3", "flux1", "chroma", "lumina2", "hunyuan_image"), "network_type": ("lora",)})
    train_t5xxl: bool = setting(False, "Teach T5 too", "Also teach the text encoder T5-XXL; takes much memory.", level="expert",
                                only={"family": ("sd3", "flux1", "chroma"), "network_type": ("lora",)})
    train_llm_adapter: bool = setting(False, "Teach the LLM adapter", "Also teach the layers between Qwen3 and the model.", level="expert",
                                      only={"family": ("anima",), "network_type": ("lora",)})
    network_train_unet_only: bool = setting(False, "Only the U-Net", "Leave the text encoders as they are: less memory, weaker trigger "
                                            "word. For models with a transformer: only that one.", level="advanced")
    network_train_text_encoder_only: bool = setting(False, "Only the text encoder", "Leave the U-Net as it is.", level="expert")
    network_weights: str | None = setting(None, "Continue from LoRA", "A LoRA file whose weights are the starting point.", level="advanced")
    dim_from_weights: bool = setting(False, "Rank from that LoRA", "Take rank and alpha from the LoRA that is continued.", level="advanced",
                                     only={"family": SD_SCRIPTS, "network_weights": SET})
    """musubi-tuner takes it for the file's name and ends (trainer_base.py, _build_network)."""
    base_weights: list[str] = setting([], "LoRAs to merge first", "LoRA files that are merged into the model before it is trained, one a "
                                      "line.", level="expert")
    base_weights_multiplier: list[float] = setting([], "Their strengths", "A number for each of them, one a line. Empty: 1.",
                                                   level="expert", only={"base_weights": SET})
    ema_decay: float | None = setting(None, "Average the weights", "Save a running average (EMA) with this decay, e.g. 0.99; the built-in "
                                      "trainer only, sd-scripts reads past it. Empty: off.", level="expert", gt=0, lt=1,
                                      only={"family": SD_SCRIPTS, "network_type": ("lora", "locon")})
    network_args: list[str] = setting([], "More network arguments", "Each as name=value, as sd-scripts takes them.", level="expert")

    def arguments(self, whole: TrainingSettings) -> dict[str, Any]:
        """As `Part.arguments`; the module of the type, and in `network_args` what makes it and what the module itself reads."""
        written, acting = super().arguments(whole), self.acting(whole)
        if "network_type" not in acting:
            return written
        chosen = NETWORK_TYPES[self.network_type]
        named = {self.names_in_args.get(name, name): acting[name] for name in self.in_args if acting.get(name) not in (None, False)}
        args = [*chosen.args_for(whole.model.family),
                *(f"{name}={value if isinstance(value, str) else repr(value)}" for name, value in named.items()),
                *acting.get("network_args", [])]
        written = {name: value for name, value in written.items() if value != [] or name not in ("base_weights", "base_weights_multiplier")}
        return {"network_module": chosen.module_for(whole.model.family), **written, **({"network_args": args} if args else {})}
