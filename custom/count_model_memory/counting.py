"""One training step of a model of fake tensors: what of it is alive at once."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

RANK = 16
SIDES = (512, 1024)
BF16 = torch.bfloat16


class Live(TorchDispatchMode):
    """Counts the bytes of every storage that is alive, and the most there ever were."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._seen: dict[int, Any] = {}

    def see(self, tensor: torch.Tensor) -> None:
        """Count a storage until it goes."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self._seen:
            self.live += size
            self.peak = max(self.peak, self.live)
            self._seen[key] = weakref.ref(storage, lambda _: self._gone(key, size))

    def _gone(self, key: int, size: int) -> None:
        self.live -= size
        del self._seen[key]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.see(leaf)
        return out


class Attention(torch.autograd.Function):
    """What flash and memory-efficient attention keep: queries, keys, values, the result, and one number a row; no square of them."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, out, torch.empty(query.shape[:-1]))
        return out

    @staticmethod
    def backward(ctx: Any, *_: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(torch.empty_like(one) for one in ctx.saved_tensors[:3])


def attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    """In place of `scaled_dot_product_attention`; autocast brings all three to one type."""
    if torch.is_autocast_enabled("cpu"):
        query, key, value = (one.to(BF16) for one in (query, key, value))
    return Attention.apply(query, key, value)


@contextmanager
def as_on_cuda(lengths: int) -> Iterator[None]:
    """Norms in full precision, as CUDA's autocast has them, and attention as its kernels keep it.

    Masks are full, so that whatever is read from one is the length of the text.
    """
    functional, kept = torch.nn.functional, {}

    def in_full(name: str) -> Callable[..., torch.Tensor]:
        plain = kept[name]

        def norm(x: torch.Tensor, *args: Any, **named: Any) -> torch.Tensor:
            if not torch.is_autocast_enabled("cpu"):
                return plain(x, *args, **named)
            with torch.autocast("cpu", enabled=False):
                return plain(x.float(), *map(in_float, args), **{key: in_float(one) for key, one in named.items()})
        return norm

    def in_float(value: Any) -> Any:
        return value.float() if isinstance(value, torch.Tensor) else value

    for name in ("group_norm", "layer_norm", "scaled_dot_product_attention"):
        kept[name] = getattr(functional, name)
        setattr(functional, name, in_full(name) if "norm" in name else attention)
    read = {name: getattr(torch.Tensor, name) for name in ("tolist", "item", "__int__", "__index__")}
    torch.Tensor.tolist = lambda self: [lengths] * self.numel()  # type: ignore[method-assign]
    for name in ("item", "__int__", "__index__"):
        setattr(torch.Tensor, name, lambda self: lengths)
    try:
        yield
    finally:
        for name, plain in kept.items():
            setattr(functional, name, plain)
        for name, plain in read.items():
            setattr(torch.Tensor, name, plain)


class Lora(nn.Module):
    """A plain LoRA layer on a Linear, for models that sd-scripts does not know."""

    def __init__(self, module: nn.Linear) -> None:
        super().__init__()
        self.down = nn.Linear(module.in_features, RANK, bias=False)
        self.up = nn.Linear(RANK, module.out_features, bias=False)
        plain = module.forward
        module.forward = lambda x: plain(x) + self.up(self.down(x))  # type: ignore[method-assign]


def put_lora(model: nn.Module, blocks: tuple[str, ...]) -> nn.Module:
    """A LoRA on every Linear inside the blocks of those classes. Returns: its layers."""
    inside = [module for block in model.modules() if type(block).__name__ in blocks for module in block.modules()]
    return nn.ModuleList([Lora(module) for module in inside if isinstance(module, nn.Linear)])


def built(build: Callable[[], Any], dtype: torch.dtype) -> Any:
    """A model whose weights have that type from the start; fake ones cannot be converted in every torch."""
    torch.set_default_dtype(dtype)
    try:
        return build()
    finally:
        torch.set_default_dtype(torch.float32)


def peak_of_step(family: Any, side: int, checkpointing: bool, full: bool) -> tuple[int, int]:
    """Bytes beyond the weights at the peak of one step with one picture, and bytes of the LoRA's own gradients."""
    with FakeTensorMode(allow_non_fake_inputs=True), as_on_cuda(family.tokens):
        model = built(family.build, torch.float32 if full else BF16).requires_grad_(False).train()
        if checkpointing:
            family.checkpoint(model)
        network = family.lora(model).requires_grad_(True).train()
        made = family.inputs(side, torch.float32 if full else BF16)
        live = Live()
        for parameter in (*model.parameters(), *network.parameters(), *model.buffers()):
            live.see(parameter)
        base = live.live
        with live:
            with torch.autocast("cpu", dtype=BF16, enabled=not full):
                out = made(model)
            out.float().pow(2).mean().backward()
        return live.peak - base, sum(parameter.numel() * 4 for parameter in network.parameters())


def line_of(family: Any, checkpointing: bool, full: bool) -> list[float]:
    """Bytes that a picture takes in any case, and bytes for each of its pixels."""
    peaks = []
    for side in SIDES:
        peak, gradients = peak_of_step(family, side, checkpointing, full)
        peaks.append(peak - gradients)
    slope = (peaks[1] - peaks[0]) / (SIDES[1] ** 2 - SIDES[0] ** 2)
    return [round(peaks[0] - slope * SIDES[0] ** 2), round(slope, 1)]


def count(family: Any) -> dict[str, Any]:
    """Everything that the estimate wants to know of one model."""
    with FakeTensorMode():
        model = family.build()
        facts: dict[str, Any] = {"parameters": numbers(model)}
        blocks = [list(getattr(model, name)) for name in family.blocks]
        facts["blocks"] = [[len(one), numbers(one[0])] for one in blocks]
    facts["kept"] = {"mixed": line_of(family, False, False), "mixed_checkpointed": line_of(family, True, False),
                     "full": line_of(family, False, True), "full_checkpointed": line_of(family, True, True)}
    with FakeTensorMode():
        facts["lora"] = family.lora_numbers()
    return facts


def numbers(module: nn.Module) -> int:
    """Numbers of a module's parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


class Part(NamedTuple):
    """A VAE: `build`, the channels of its latents, picture pixels a side for each of theirs, and whether it takes a film."""

    build: Callable[[], Any]
    channels: int
    shrink: int
    film: bool = False


def count_vae(part: Part) -> dict[str, Any]:
    """Numbers of a VAE, and the bytes for each pixel that encoding and decoding a picture take at most, in half precision."""
    peaks = {}
    with FakeTensorMode(), as_on_cuda(1), torch.no_grad():
        model, side = built(part.build, BF16).eval(), SIDES[1]
        small = (1, part.channels, side // part.shrink, side // part.shrink)
        for name, shape in (("encode", (1, 3, side, side)), ("decode", small)):
            live, given = Live(), torch.randn(*shape, dtype=BF16)
            with live:
                getattr(model, name)(given.unsqueeze(2) if part.film else given)
            peaks[name] = round(live.peak / side ** 2)
        return {"parameters": numbers(model), **peaks}


def count_text(build: Callable[[], Any]) -> dict[str, int]:
    """Numbers of a text encoder."""
    with FakeTensorMode():
        return {"parameters": numbers(build())}


class Family(SimpleNamespace):
    """One model: `build`, `inputs` (side in px → a call of it), `network` (sd-scripts' module) or `lora_blocks` (class names)."""

    tokens = 512
    blocks: tuple[str, ...] = ()
    network = ""
    lora_blocks: tuple[str, ...] = ()
    joined = 0
    """Numbers for each 1 of rank that the trainer's own layers save where they are one and those built here are several."""

    def checkpoint(self, model: Any) -> None:
        """Recompute instead of keeping."""
        model.enable_gradient_checkpointing()

    def lora(self, model: nn.Module) -> nn.Module:
        """The LoRA of rank 16, put on the model."""
        if not self.network:
            return put_lora(model, self.lora_blocks)
        return self._create(model, RANK)

    def _create(self, model: Any, rank: int, texts: Any = (), **more: Any) -> Any:
        from importlib import import_module

        module, given = import_module(self.network), list(texts) or [nn.Identity()]
        kinds = getattr(getattr(module, "LoRANetwork", None), "UNET_TARGET_REPLACE_MODULE", [])
        plain = list(kinds)
        made = module.create_network(1.0, rank, rank, None, given, model, **more)
        made.apply_to(given, model, bool(texts), True)
        kinds[:] = plain  # one with convolutions would leave its kinds of layers to those that are made after it
        return made

    def lora_numbers(self) -> dict[str, int]:
        """Numbers for each 1 of rank: of the model, of its text encoders, and of both ranks of a LoCon."""
        if not self.network:
            plain = numbers(put_lora(self.build(), self.lora_blocks)) // RANK - self.joined
            return {"unet": plain, "text": 0, "small": 0, "convolutions": 0}
        plain = numbers(self._create(self.build(), 1))
        found = {"unet": plain, "text": 0, "small": 0, "convolutions": 0}
        if encoders := self.__dict__.get("encoders"):
            found["text"] = numbers(self._create(self.build(), 1, encoders())) - plain
        if self.network == "networks.lora":
            one, two = (numbers(self._create(self.build(), rank, conv_dim=1)) for rank in (1, 2))
            found["small"] = two - one - plain
            found["convolutions"] = one - plain - found["small"]
        return found
