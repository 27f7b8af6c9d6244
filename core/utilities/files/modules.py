"""The modules of a LoRA file: its tensors put together by name, and what each of them is, from names and shapes alone.

Sources of the names: kohya-ss/sd-scripts at 48d368fa (networks/lora.py, oft.py), KohakuBlueleaf/LyCORIS at f49d30d (modules/*.py,
`weight_list`), diffusers 0.3x and PEFT (their savers), ComfyUI (comfy/weight_adapter/*.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from core.base.tensor_headers import TensorPlace

Kind = Literal["lora", "loha", "lokr", "glora", "ia3", "oft", "boft", "full", "norm", "incomplete"]
Scheme = Literal["kohya", "diffusers", "comfy", "bare"]
WORDS: Mapping[str, str] = {"lora": "LoRA", "loha": "LoHa", "lokr": "LoKr", "glora": "GLoRA", "ia3": "(IA)³", "oft": "OFT", "boft": "BOFT",
                            "full": "full difference", "norm": "norm layer", "incomplete": "incomplete"}
_LYCORIS = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2", "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2",
            "lokr_w2_a", "lokr_w2_b", "lokr_t2", "oft_blocks", "oft_diag", "rescale", "on_input", "w_norm", "b_norm", "diff", "diff_b",
            "scalar", "dora_scale", "alpha", "set_weight", "reshape_weight", "ia3_l")
ENDINGS: Mapping[str, str] = {
    ".lora_up.weight": "up", ".lora_down.weight": "down", ".lora_mid.weight": "mid",
    ".lora_B.weight": "up", ".lora_A.weight": "down", ".lora_B.default.weight": "up", ".lora_A.default.weight": "down",
    ".lora_B": "up", ".lora_A": "down", ".lora_B.bias": "up_bias",
    ".lora_linear_layer.up.weight": "up", ".lora_linear_layer.down.weight": "down", ".lora.up.weight": "up", ".lora.down.weight": "down",
    "_lora.up.weight": "up", "_lora.down.weight": "down",
    ".lora_magnitude_vector": "dora_scale", ".lora_magnitude_vector.weight": "dora_scale",
    ".lora_magnitude_vector.default.weight": "dora_scale",
    ".a1.weight": "a1", ".a2.weight": "a2", ".b1.weight": "b1", ".b2.weight": "b2", ".bm.weight": "bm",
    ".oft_R.weight": "oft_blocks", ".oft_R.default.weight": "oft_blocks", ".weight": "weight", ".bias": "bias",
    **{f".{role}": role for role in _LYCORIS}}
"""How a tensor's name ends and which role it has in its module. The longest that fits is taken."""
SCHEMES: tuple[tuple[str, Scheme], ...] = (
    ("lora_", "kohya"), ("lycoris_", "kohya"), ("diffusion_model.", "comfy"), ("text_encoders.", "comfy"), ("unet.", "diffusers"),
    ("transformer.", "diffusers"), ("text_encoder", "diffusers"), ("base_model.model.", "diffusers"))
"""Beginnings of modules' names and whose way of naming it is."""
FACTORED = ("lora", "loha", "lokr")
"""Kinds whose update is a product of small factors."""
OWN: Mapping[str, tuple[str, ...]] = {
    "lora": ("up", "down", "mid"), "loha": tuple(role for role in _LYCORIS if role.startswith("hada_")),
    "lokr": tuple(role for role in _LYCORIS if role.startswith("lokr_")), "glora": ("a1", "a2", "b1", "b2", "bm"),
    "ia3": ("on_input", "ia3_l"), "oft": ("oft_blocks", "oft_diag"), "full": ("diff", "set_weight"), "norm": ("w_norm", "b_norm")}
"""Roles that only one kind has. All others go with several: the difference of a bias, alpha, the lengths of DoRA."""
AGAIN = " again"
"""Behind the role of a tensor whose module has one of that role already, under another ending."""


@dataclass(frozen=True, eq=False)
class LoraModule:
    """One layer of the base model and what the file does to it."""

    name: str
    kind: Kind
    tensors: Mapping[str, TensorPlace]
    """By role: up, down, mid, alpha, hada_w1_a, dora_scale …"""
    rank: int
    """Of the factors as trained; 0 where there is none (full differences, (IA)³, LoKr of whole matrices)."""
    shape: tuple[int, ...]
    """Of the update: (out, in) or (out, in, height, width); empty where the tensors do not tell it."""

    @property
    def scheme(self) -> Scheme:
        """Whose way of naming it is."""
        return next((scheme for start, scheme in SCHEMES if self.name.startswith(start)), "bare")

    @property
    def is_text(self) -> bool:
        """Whether it belongs to a text encoder."""
        return self.name.startswith(("lora_te", "text_encoder", "te1", "te2"))

    @property
    def is_large_kernel(self) -> bool:
        """A convolution larger than 1 × 1, which takes the rank of convolutions (sd-scripts' conv_dim)."""
        return len(self.shape) > 2 and math.prod(self.shape[2:]) > 1

    @property
    def is_tucker(self) -> bool:
        """Whether a small kernel lies between its factors."""
        return any(role in self.tensors for role in ("mid", "hada_t1", "lokr_t2"))

    @property
    def is_dora(self) -> bool:
        """Whether the length of the whole weight's rows is learned beside the update."""
        return "dora_scale" in self.tensors

    @property
    def problem(self) -> str:
        """Why it is incomplete: "holds LoRA and LoHa at once", "holds down, up twice", "lacks factors, or they do not fit together"."""
        if self.kind != "incomplete":
            return ""
        if twice := sorted({role.partition(AGAIN)[0] for role in self.tensors if AGAIN in role}):
            return f"holds {', '.join(twice)} twice, under several endings"
        kinds = kinds_in(self.tensors)
        return f"holds {' and '.join(WORDS[kind] for kind in kinds)} at once" if len(kinds) > 1 else \
            "lacks factors, or they do not fit together"

    @property
    def size(self) -> int:
        """Bytes of its tensors."""
        return sum(place.size for place in self.tensors.values())

    @property
    def words(self) -> str:
        """"LoRA", "LoCon", "DoRA (LoKr)"."""
        plain = "LoCon" if self.kind == "lora" and self.is_large_kernel else WORDS[self.kind]
        return plain if not self.is_dora else "DoRA" if plain == "LoRA" else f"DoRA ({plain})"


_SPLIT = re.compile(f"(.+?)({'|'.join(map(re.escape, ENDINGS))})", re.DOTALL)


def split_name(name: str) -> tuple[str, str] | None:
    """A tensor's name as module and role; None: it is none of a LoRA's."""
    found = _SPLIT.fullmatch(name)
    return (found[1], ENDINGS[found[2]]) if found else None


def group_modules(tensors: Iterable[TensorPlace]) -> tuple[list[LoraModule], list[TensorPlace]]:
    """The modules of a file by name, and the tensors that belong to none."""
    groups: dict[str, dict[str, TensorPlace]] = {}
    unknown = []
    for place in tensors:
        split = split_name(place.name)
        if split is None:
            unknown.append(place)
            continue
        roles, role = groups.setdefault(split[0], {}), split[1]
        while role in roles:
            role += AGAIN
        roles[role] = place
    modules = []
    for name, roles in groups.items():
        kind = _kind(roles)
        if kind is None:
            unknown += roles.values()
        else:
            modules.append(LoraModule(name, kind, roles, *_rank_and_shape(kind, {role: place.shape for role, place in roles.items()})))
    return sorted(modules, key=lambda module: module.name), sorted(unknown, key=lambda place: place.begin)


def _kind(roles: Mapping[str, TensorPlace]) -> Kind | None:
    """What a group of tensors is; None: nothing of a LoRA (a plain weight, an embedding). Of several kinds, or one twice, it is not one."""
    if len(kinds_in(roles)) > 1 or any(AGAIN in role for role in roles):
        return "incomplete"
    whole: tuple[tuple[Kind, tuple[tuple[str, ...], ...]], ...] = (
        ("lora", (("up", "down"),)), ("loha", (("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),)),
        ("lokr", (("lokr_w1", "lokr_w2"), ("lokr_w1", "lokr_w2_a", "lokr_w2_b"), ("lokr_w1_a", "lokr_w1_b", "lokr_w2"),
                  ("lokr_w1_a", "lokr_w1_b", "lokr_w2_a", "lokr_w2_b"))),
        ("glora", (("a1", "a2", "b1", "b2"),)), ("ia3", (("weight", "on_input"), ("ia3_l",))), ("oft", (("oft_diag",),)),
        ("full", (("diff",), ("diff_b",), ("set_weight",))), ("norm", (("w_norm",), ("b_norm",))))
    for kind, sets in whole:
        if any(all(role in roles for role in needed) for needed in sets):
            return kind if _fits({role: place.shape for role, place in roles.items()}) else "incomplete"
    if "oft_blocks" in roles:
        return "boft" if len(roles["oft_blocks"].shape) == 4 else "oft"
    return None if set(roles) <= {"weight", "bias"} else "incomplete"


def kinds_in(roles: Iterable[str]) -> list[str]:
    """Kinds of which there is at least one factor."""
    there = set(roles)
    return [kind for kind, own in OWN.items() if there.intersection(own)]


def _fits(shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether factors are matrices, and those of a LoRA can be multiplied."""
    factors = ("up", "down", "mid", *(role for role in _LYCORIS if role.startswith(("hada_", "lokr_"))), "a1", "a2", "b1", "b2")
    if any(len(shapes[role]) < 2 for role in factors if role in shapes):
        return False
    if "up" not in shapes:
        return True
    mid = shapes.get("mid", (shapes["down"][0],) * 2)
    return (shapes["up"][1], shapes["down"][0]) == mid[:2]


def _rank_and_shape(kind: Kind, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, tuple[int, ...]]:
    if kind == "lora":
        up, down, mid = shapes["up"], shapes["down"], shapes.get("mid", ())
        kernel = mid[2:] if mid else down[2:]
        return (down[0] if down else 0), (*up[:1], *down[1:2], *kernel)
    if kind == "loha":
        if "hada_t1" in shapes:
            return shapes["hada_t1"][0], (shapes["hada_w1_a"][-1], shapes["hada_w1_b"][-1], *shapes["hada_t1"][2:])
        return shapes["hada_w1_b"][0], (shapes["hada_w1_a"][0], shapes["hada_w1_b"][-1])
    if kind == "lokr":
        return _lokr(shapes)
    if kind == "glora":
        return shapes["a1"][0], (shapes["b1"][0] if len(shapes["b1"]) else 0, shapes["a1"][-1])
    return 0, shapes.get("diff", shapes.get("w_norm", ()))


def _lokr(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, tuple[int, ...]]:
    """Rank 0 where both matrices are whole: then alpha counts for nothing (LyCORIS, modules/lokr.py)."""
    first = shapes.get("lokr_w1") or (shapes["lokr_w1_a"][0], shapes["lokr_w1_b"][1])
    if "lokr_t2" in shapes:
        second = (shapes["lokr_w2_a"][-1], shapes["lokr_w2_b"][-1], *shapes["lokr_t2"][2:])
    else:
        second = shapes.get("lokr_w2") or (shapes["lokr_w2_a"][0], shapes["lokr_w2_b"][1])
    rank = next((shapes[role][0] for role in ("lokr_w2_b", "lokr_w1_b") if role in shapes), 0)
    return rank, (first[0] * second[0], first[1] * second[1], *second[2:])
