"""How long the gradient of each step is, and how much each layer changes, measured inside a trainer's own process; needs torch alone.

It hears every optimizer by torch's own hooks, so that it need not know which one it is (8-bit, schedule-free, fused …). Nothing waits for
the GPU in a step: what is measured stays there and is fetched every few steps. Whatever goes wrong here is told once and ends the
measuring, never the training.

The gradient is that of the whole step: all accumulated batches, without the factor of mixed precision, before it is clipped.
"""

from __future__ import annotations

import gc
import json
import math
import os
import re
import sys
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

FETCH = 10
"""Steps after which what was measured is fetched and written."""
ROWS = 100
"""Rows of layers after which they are measured half as often, so that a long run's file stays small."""
MOST_BYTES = 24 << 20
"""Of the file: nothing is written beyond."""
COPY_BYTES, LAYER_BYTES = 64 << 20, 256 << 20
"""Of the copies of weights that are held during one optimizer step: layers that together have more are measured in turns; a single
layer that has more than the second is left out."""
MOST_CLIPS = 500
"""Clippings of gradients that a step is awaited for. A trainer whose weights change in the backward pass clips each of them by itself, and
never calls its optimizer."""
Layer = tuple[str, list[torch.nn.Parameter]]
INNER = re.compile(r"\.(?:lora|lokr|hada|oft|w\d)[a-z\d_]*(?:\.\d+)?$")
"""What a network adds inside one of its modules: lora_down, lora_up, lokr_w1 …"""


class Norms:
    """Measures one training and writes it into a file, one JSON object a line.

    `begin`: step (the last one before), layers (names). `steps`: first, gradient (one number a step; null: it was no number, and fp16
    passed the step over). `layers`: step, first (the place in the names), update and weight (lengths of the change and of the weights
    before it). `off`: why nothing more comes.

    Args:
        first: the step that the training goes on from.
        layers: name and parameters of each layer; None: they are looked for when the optimizer is seen.
    """

    def __init__(self, file: Path, first: int = 0, layers: Sequence[Layer] | None = None) -> None:
        self.file, self.first, self.layers = Path(file), first, list(layers or ())
        self.outside = False
        """Whether somebody else tells when a step is over: `end_of_step`. Else each call of the optimizer is one."""
        self._done = self._rows = self._turn = self._depth = 0
        self._every = FETCH
        self._optimizer: Callable[[], Optimizer | None] = lambda: None
        self._clips: list[torch.Tensor] = []
        self._gradients: list[torch.Tensor | None] = []
        self._measured: tuple[Any, ...] = ()
        self._now: torch.Tensor | None = None
        """The present step's gradient, a number on its device."""
        self._copies: list[torch.Tensor] = []
        self._turns: list[tuple[int, list[torch.nn.Parameter]]] = []
        self._handles: list[Any] = []
        self._off = False

    def watch(self) -> None:
        """Hear every optimizer of this process from now on."""
        self._clip = torch.nn.utils.clip_grad_norm_
        torch.nn.utils.clip_grad_norm_ = self._heard_clip
        self._handles = [register_optimizer_step_pre_hook(self._guarded(self._before)),
                         register_optimizer_step_post_hook(self._guarded(self._after))]

    def close(self) -> None:
        """Write what is left, and hear nothing any more."""
        self._guarded(self._fetch)()
        self._let_go()

    def end_of_step(self) -> None:
        """A step of the training is over, also one that the optimizer was not called for."""
        self._guarded(self._count)()

    def _guarded(self, act: Callable[..., None]) -> Callable[..., None]:
        def guarded(*given: Any, **_: Any) -> None:
            if self._off:
                return
            try:
                act(*given)
            except Exception as error:  # noqa: BLE001 - a guest in another program's process: whatever it is, the training goes on
                self._give_up(f"{type(error).__name__}: {error}")
        return guarded

    def _give_up(self, why: str) -> None:
        self._off = True  # torch goes through its hooks just now: one that was taken out here would end the training
        self._copies, self._gradients, self._measured, self._clips, self._turns = [], [], (), [], []
        where = f"the reason stands in {self.file.name}"  # in the log it would be taken for the training's own
        try:
            self._write(kind="off", why=why)
        except OSError as error:
            where = f"{self.file} cannot be written ({type(error).__name__})"
        sys.stderr.write(f"\nlorabook: gradients and changes of the layers are not measured any more: {where}\n")

    def _let_go(self) -> None:
        for handle in self._handles:
            handle.remove()
        if self._handles:
            torch.nn.utils.clip_grad_norm_ = self._clip
        self._handles = []

    def _heard_clip(self, parameters: Any, max_norm: float, norm_type: float = 2.0, *more: Any, **options: Any) -> Any:
        """Clipping finds the gradient's length anyway: it is taken from there."""
        length = self._clip(parameters, max_norm, norm_type, *more, **options)
        if float(norm_type) == 2.0 and not self._off and isinstance(length, torch.Tensor):
            self._clips.append(length.detach())
            if len(self._clips) > MOST_CLIPS:
                self._give_up(f"gradients were clipped {MOST_CLIPS} times and the optimizer made no step, as with 'fused_backward_pass', "
                              "where each weight changes as soon as its gradient is known")
        return length

    def _before(self, optimizer: Optimizer, *_: Any) -> None:
        self._depth += 1
        if self._depth > 1:  # an optimizer that calls another one's step, or its parent's
            return
        if self._optimizer() is not optimizer:
            self._meet(optimizer)
        self._now = self._gradient(optimizer)
        if self._turns and self._is_due():
            self._copies = [parameter.detach().clone() for parameter in self._turns[self._turn][1]]

    def _after(self, *_: Any) -> None:
        self._depth = max(0, self._depth - 1)
        if self._depth:
            return
        if self._copies:
            (first, parameters), before, self._copies = self._turns[self._turn], self._copies, []
            changes = torch._foreach_sub([parameter.detach() for parameter in parameters], before)
            self._measured = first, parameters, _lengths(changes), _lengths(before)
        if not self.outside:
            self._count()

    def _meet(self, optimizer: Optimizer) -> None:
        """The first optimizer: which layers it trains. Raises: RuntimeError: it is another one than before."""
        if self._optimizer() is not None:
            raise RuntimeError("the training has several optimizers")
        self._optimizer = weakref.ref(optimizer)
        self.layers = self.layers or find_layers(optimizer)
        self._turns = list(_in_turns(self.layers))
        self._write(kind="begin", step=self.first, time=time.time(), layers=[name for name, _ in self.layers])

    def _gradient(self, optimizer: Optimizer) -> torch.Tensor | None:
        """The length of the whole gradient, on its device; None where there is none."""
        if self._clips:
            return self._clipped()
        gradients = [parameter.grad for group in optimizer.param_groups for parameter in group["params"] if parameter.grad is not None]
        if not gradients:
            return None
        length = _whole(_lengths(gradients))
        scale = getattr(optimizer, "grad_scale", None)  # a fused optimizer takes the factor of mixed precision off by itself
        return length if scale is None else length / scale.to(length.device)

    def _clipped(self) -> torch.Tensor:
        clips, self._clips = self._clips, []
        return clips[0] if len(clips) == 1 else _whole(clips)

    def _is_due(self) -> bool:
        return (self._done + 1) % self._every == 0 or self._done == 1

    def _count(self) -> None:
        """One step more. Where the optimizer was not called, fp16 found a gradient that is no number: clipping has seen it, too."""
        length, self._now = self._now if self._now is not None else self._clipped() if self._clips else None, None
        self._depth, self._clips = 0, []
        self._gradients.append(length)
        self._done += 1
        if len(self._gradients) >= FETCH or self._measured:
            self._fetch()

    def _fetch(self) -> None:
        """Bring what was measured over and write it: the only wait for the GPU."""
        if self._gradients:
            known = [length for length in self._gradients if length is not None]
            numbers = iter(torch.stack([length.float().to(known[0].device) for length in known]).tolist() if known else ())
            values = [None if length is None else _short(next(numbers)) for length in self._gradients]
            self._write(kind="steps", first=self.first + self._done - len(values) + 1, gradient=values)
            self._gradients = []
        if self._measured:
            first, parameters, changes, weights = self._measured
            self._measured, owners = (), self._owners(first, parameters)
            self._write(kind="layers", step=self.first + self._done, first=first, update=_by_owner(changes, owners),
                        weight=_by_owner(weights, owners))
            self._turn = (self._turn + 1) % len(self._turns)
            self._rows += 1
            self._every = FETCH << (self._rows // ROWS)

    def _owners(self, first: int, parameters: Sequence[torch.Tensor]) -> list[int]:
        """How many of the parameters each layer of the present turn has."""
        owners, left = [], len(parameters)
        for _, own in self.layers[first:]:
            if left <= 0:
                break
            owners.append(len(own))
            left -= len(own)
        return owners

    def _write(self, **values: Any) -> None:
        """Append one line in one write. Raises: OSError."""
        line = (json.dumps(values, separators=(",", ":")) + "\n").encode("utf-8")
        handle = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            if os.fstat(handle).st_size + len(line) > MOST_BYTES and values["kind"] != "off":
                raise OSError(f"{self.file.name} is full ({MOST_BYTES >> 20} MiB)")
            os.write(handle, line)
        finally:
            os.close(handle)


def find_layers(optimizer: Optimizer) -> list[Layer]:
    """Name and parameters of each layer that an optimizer trains: found in the modules of this process, and gathered by module."""
    wanted = {id(parameter): parameter for group in optimizer.param_groups for parameter in group["params"]}
    layers: dict[str, list[torch.nn.Parameter]] = {}
    for root in _roots():
        for name, parameter in root.named_parameters():
            if wanted.pop(id(parameter), None) is not None:
                layers.setdefault(layer_name(name), []).append(parameter)
    for number, parameter in enumerate(wanted.values()):
        layers.setdefault(f"parameter {number}", []).append(parameter)
    return list(layers.items())


def layer_name(parameter: str) -> str:
    """ "lora_unet_x.lora_down.weight" and "lora_unet_x.lora_up.weight" are both of lora_unet_x."""
    name = parameter.replace("_orig_mod.", "").removeprefix("module.").rpartition(".")[0] or parameter
    return INNER.sub("", name)


def _roots() -> list[torch.nn.Module]:
    """The modules that are in no other one. `type` and not `isinstance`: some objects answer for what they stand for."""
    modules = [found for found in gc.get_objects() if issubclass(type(found), torch.nn.Module)]
    inside = {id(child) for module in modules for child in module.__dict__.get("_modules", {}).values()}
    return [module for module in modules if id(module) not in inside and "_modules" in module.__dict__]


def _in_turns(layers: Sequence[Layer]) -> Iterator[tuple[int, list[torch.nn.Parameter]]]:
    """Place of the first layer, and all parameters, of so many layers in a row as may be copied at once."""
    start, size = 0, 0
    parameters: list[torch.nn.Parameter] = []
    for place, (_, own) in enumerate(layers):
        needed = sum(parameter.numel() * parameter.element_size() for parameter in own)
        if parameters and size + needed > COPY_BYTES:
            yield start, parameters
            parameters, size = [], 0
        if needed > LAYER_BYTES:
            if parameters:
                yield start, parameters
            parameters, size = [], 0
            continue
        start = place if not parameters else start
        parameters, size = [*parameters, *own], size + needed
    if parameters:
        yield start, parameters


def _lengths(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The length of each tensor, as numbers on their devices; in single precision, for half of it overflows."""
    with torch.no_grad():
        if all(tensor.dtype == torch.float32 and tensor.layout == torch.strided for tensor in tensors):
            return list(torch._foreach_norm(list(tensors)))
        return [torch.linalg.vector_norm(tensor.detach().to_dense() if tensor.is_sparse else tensor.detach(), dtype=torch.float32)
                for tensor in tensors]


def _whole(lengths: Sequence[torch.Tensor]) -> torch.Tensor:
    """The length of all together."""
    device = lengths[0].device
    return torch.linalg.vector_norm(torch.stack([length.float().to(device) for length in lengths]))


def _by_owner(lengths: Sequence[torch.Tensor], owners: Sequence[int]) -> list[float | None]:
    """The length of each layer, from those of its parameters. Args: owners: how many of them each layer has, in their order."""
    numbers = iter(torch.stack([length.float().to(lengths[0].device) for length in lengths]).tolist())
    return [_short(math.hypot(*(next(numbers) for _ in range(count)))) for count in owners]


def _short(number: float) -> float | None:
    """Four digits; None for what is no number."""
    return float(f"{number:.4g}") if math.isfinite(number) else None
