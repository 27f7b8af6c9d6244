"""Single layers of every kind as files, and what they add to the base's weight, formed whole: the reference that exactness is held to."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file


def write(path: Path, layers: dict[str, dict[str, torch.Tensor]], metadata: dict[str, str] | None = None, dtype=torch.float32) -> Path:
    """Args: layers: module to ending of the tensor's name to values."""
    state = {f"{module}{end}": value.to(dtype).contiguous() for module, roles in layers.items() for end, value in roles.items()}
    save_file(state, path, metadata or {})
    return path


def low_rank(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) / shape[-1] ** 0.5


def layer(kind: str, seed: int = 0, out: int = 24, wide: int = 36, rank: int = 4) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """A layer of a kind with alpha 2: its tensors by the ending of their names, and its whole update."""
    numbers = iter(range(100 * seed, 100 * seed + 100))

    def make(*shape: int) -> torch.Tensor:
        return low_rank(*shape, seed=next(numbers)).float().double()

    alpha = torch.tensor(2.0, dtype=torch.float64)
    if kind in ("linear", "dora"):
        up, down = make(out, rank), make(rank, wide)
        extra = {".dora_scale": make(out, 1)} if kind == "dora" else {}
        return {".lora_up.weight": up, ".lora_down.weight": down, ".alpha": alpha, **extra}, 2 / rank * up @ down
    if kind in ("conv", "conv1"):
        side = 3 if kind == "conv" else 1
        up, down = make(out, rank, 1, 1), make(rank, wide, side, side)
        return {".lora_up.weight": up, ".lora_down.weight": down, ".alpha": alpha}, \
            2 / rank * torch.einsum("or,rihw->oihw", up[:, :, 0, 0], down)
    if kind == "tucker":
        up, mid, down = make(out, rank, 1, 1), make(rank, rank, 3, 3), make(rank, wide, 1, 1)
        return {".lora_up.weight": up, ".lora_mid.weight": mid, ".lora_down.weight": down, ".alpha": alpha}, \
            2 / rank * torch.einsum("op,pqhw,qi->oihw", up[:, :, 0, 0], mid, down[:, :, 0, 0])
    if kind == "loha":
        parts = {f".hada_w{number}_{side}": make(*((out, rank) if side == "a" else (rank, wide))) for number in (1, 2) for side in "ab"}
        product = (parts[".hada_w1_a"] @ parts[".hada_w1_b"]) * (parts[".hada_w2_a"] @ parts[".hada_w2_b"])
        return {**parts, ".alpha": alpha}, 2 / rank * product
    if kind == "loha tucker":
        parts = {f".hada_w{number}_{side}": make(rank, out if side == "a" else wide) for number in (1, 2) for side in "ab"}
        parts |= {f".hada_t{number}": make(rank, rank, 3, 3) for number in (1, 2)}
        whole = [torch.einsum("ijhw,jr,ip->prhw", parts[f".hada_t{n}"], parts[f".hada_w{n}_b"], parts[f".hada_w{n}_a"]) for n in (1, 2)]
        return {**parts, ".alpha": alpha}, 2 / rank * whole[0] * whole[1]
    first = make(4, 6)
    if kind == "lokr":
        second = make(6, 6)
        return {".lokr_w1": first, ".lokr_w2": second, ".alpha": alpha}, torch.kron(first, second)  # no scale: both are whole
    if kind == "lokr factors":
        one, two = (make(4, 2), make(2, 6)), (make(6, 2), make(2, 6))
        names = (".lokr_w1_a", ".lokr_w1_b", ".lokr_w2_a", ".lokr_w2_b")
        return {**dict(zip(names, (*one, *two), strict=True)), ".alpha": alpha}, torch.kron(one[0] @ one[1], two[0] @ two[1])
    if kind == "lokr conv":
        second = make(6, 6, 3, 3)
        return {".lokr_w1": first, ".lokr_w2": second, ".alpha": alpha}, torch.kron(first[:, :, None, None], second)
    assert kind == "lokr tucker"
    parts = {".lokr_w2_a": make(2, 6), ".lokr_w2_b": make(2, 6), ".lokr_t2": make(2, 2, 3, 3)}
    second = torch.einsum("ijhw,jr,ip->prhw", parts[".lokr_t2"], parts[".lokr_w2_b"], parts[".lokr_w2_a"]).contiguous()
    return {".lokr_w1": first, **parts, ".alpha": alpha}, torch.kron(first[:, :, None, None], second)


KINDS = ("linear", "dora", "conv", "conv1", "tucker", "loha", "loha tucker", "lokr", "lokr factors", "lokr conv", "lokr tucker")


def update_of(state: dict[str, torch.Tensor], module: str) -> torch.Tensor:
    """The whole update of a LoRA module of a file that was read, under kohya's or PEFT's names."""
    up = next(state[f"{module}{end}"] for end in (".lora_up.weight", ".lora_B.weight") if f"{module}{end}" in state).double()
    down = next(state[f"{module}{end}"] for end in (".lora_down.weight", ".lora_A.weight") if f"{module}{end}" in state).double()
    alpha = float(state.get(f"{module}.alpha", down.shape[0]))
    whole = up.flatten(1) @ down.flatten(1) * alpha / down.shape[0]
    return whole.reshape(up.shape[0], *down.shape[1:])


def best_of_rank(update: torch.Tensor, rank: int) -> tuple[torch.Tensor, float]:
    """The best approximation by the full SVD, and its relative error."""
    left, values, right = torch.linalg.svd(update.flatten(1), full_matrices=False)
    best = left[:, :rank] * values[:rank] @ right[:rank]
    return best.reshape(update.shape), float(values[rank:].norm() / values.norm())
