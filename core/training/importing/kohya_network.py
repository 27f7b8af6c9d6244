"""The type of network of the kohya_ss GUI, with the arguments that the GUI writes for it and no others.

Source: bmaltais/kohya_ss at 45088f04, the branches on LoRA_type of train_model in kohya_gui/lora_gui.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.training.config.families import trained_model
from core.training.config.network_types import LYCORIS
from core.training.importing.folders import Left
from core.training.importing.kohya_values import number

BLOCKS = ("down_lr_weight", "mid_lr_weight", "up_lr_weight", "block_lr_zero_threshold", "block_dims", "block_alphas", "conv_block_dims",
          "conv_block_alphas", "rank_dropout", "module_dropout")
CONV = ("conv_dim", "conv_alpha")
OF_LYCORIS = ("LyCORIS_preset", *CONV, "rank_dropout", "module_dropout", "rank_dropout_scale", "train_norm")
WITH_DORA = (*OF_LYCORIS, "use_tucker", "bypass_mode", "dora_wd", "use_scalar")
OF_FLUX = ("img_attn_dim", "img_mlp_dim", "img_mod_dim", "single_dim", "txt_attn_dim", "txt_mlp_dim", "txt_mod_dim", "single_mod_dim",
           "in_dims", "train_double_block_indices", "train_single_block_indices", "train_blocks", "split_qkv", "train_t5xxl")
PLUS = ("loraplus_lr_ratio", "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio")
FAMILY_S_OWN = ""
TYPES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "Standard": (FAMILY_S_OWN, "", BLOCKS), "Kohya LoCon": (FAMILY_S_OWN, "", (*CONV, *BLOCKS)),
    "LoRA-FA": ("networks.lora_fa", "", BLOCKS), "Kohya DyLoRA": ("networks.dylora", "", (*CONV, *BLOCKS, "unit")),
    "Flux1": (FAMILY_S_OWN, "", OF_FLUX), "Flux1 OFT": ("networks.oft_flux", "", ("enable_all_linear",)),
    "HunyuanImage-2.1": (FAMILY_S_OWN, "", ()), "Anima": (FAMILY_S_OWN, "", ()), "Lumina": (FAMILY_S_OWN, "", ()),
    "LyCORIS/LoCon": (LYCORIS, "locon", WITH_DORA), "LoCon": (LYCORIS, "locon", WITH_DORA), "LyCORIS/LoHa": (LYCORIS, "loha", WITH_DORA),
    "LyCORIS/LoKr": (LYCORIS, "lokr", (*WITH_DORA, "factor", "use_cp", "decompose_both")),
    "LyCORIS/GLoRA": (LYCORIS, "glora", (*OF_LYCORIS, "use_tucker")),
    "LyCORIS/iA3": (LYCORIS, "ia3", ("LyCORIS_preset", "train_on_input")),
    "LyCORIS/BOFT": (LYCORIS, "boft", (*OF_LYCORIS, "use_tucker")),
    "LyCORIS/Diag-OFT": (LYCORIS, "diag-oft", (*OF_LYCORIS, "use_tucker", "constrain", "rescaled")),
    "LyCORIS/Native Fine-Tuning": (LYCORIS, "full", ("LyCORIS_preset", "rank_dropout", "module_dropout", "rank_dropout_scale",
                                                      "train_norm")),
}
"""Type → module, LyCORIS' algorithm, and the fields that count."""
NAMES = {"LyCORIS_preset": "preset", "constrain": "constraint"}
"""Where the argument bears another name than the field."""
FIELDS = {*BLOCKS, *WITH_DORA, *OF_FLUX, *PLUS, "unit", "factor", "use_cp", "decompose_both", "train_on_input", "constrain", "rescaled",
          "enable_all_linear"}
"""Every field that is for one type of network or another."""
USUAL = {"LyCORIS_preset": "full", "factor": -1, "train_blocks": "all", "conv_dim": 1, "conv_alpha": 1, "unit": 1, "train_on_input": True}
"""What a field holds that nobody touched."""
OFF: tuple[Any, ...] = (None, "", False, 0, "0", 0.0, "None", -1, "-1")


def network_of(values: dict[str, Any], family: str) -> tuple[dict[str, Any], list[Left]]:
    """network_module and network_args, and what of another type of network was left out.

    Args: values: the file's; what belongs to a network is taken out.
    """
    kind = str(values.pop("LoRA_type", "") or "Standard")
    fields = {name: values.pop(name) for name in list(values) if name in FIELDS}
    module, algo, names = TYPES.get(kind, (FAMILY_S_OWN, "", ()))
    left: list[Left] = []
    if kind not in TYPES:
        left.append(("LoRA_type", kind, "no type of network here is surely the same, so that LoRA is chosen"))
    counting = {*names, *PLUS}
    args = [f"algo={algo}"] if algo else []
    for name, value in fields.items():
        if name not in counting:
            if value not in OFF and value != USUAL.get(name):
                left.append((name, value, f"the type {kind} does not use it"))
        elif value not in OFF and not (name == "train_blocks" and value == "all"):
            args.append(f"{NAMES.get(name, name)}={_plain(value)}")
    found = {"network_module": module or trained_model(family).network_module}
    return {**found, **({"network_args": args} if args else {})}, left


def _plain(value: Any) -> str:
    """As the GUI writes it: no spaces, which would part it."""
    found = number(value)
    return str(value if found is None else found).replace(" ", "").replace('"', "")
