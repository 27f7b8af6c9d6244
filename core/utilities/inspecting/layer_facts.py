"""What each layer of a LoRA file does to the base model: how much, over how many directions; and which of them are dead or too strong."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.base.errors import ModelError
from core.base.findings import Finding
from core.base.progress import SILENT, Progress
from core.base.words import counted
from core.utilities.files.modules import FACTORED, LoraModule
from core.utilities.layers.blocks import block_of, order_of
from core.utilities.layers.parallel import Ahead
from core.utilities.layers.plans import RELEASE_EVERY
from core.utilities.layers.updates import Computing, broken_words, is_finite, spectrum

if TYPE_CHECKING:
    from core.utilities.files.lora_file import LoraFile

DEAD, LOUD = 1e-3, 20.0
"""A layer whose values are so many times those of the middle one of its part (U-Net or text) does nothing, or stands out."""
SHOWN = 3


@dataclass(frozen=True)
class LayerFacts:
    """One layer."""

    name: str
    block: str
    """"down 1.0", "text 1, layer 3"."""
    layer: str
    """"0 attn2_to_k": its place in the block."""
    kind: str
    is_text: bool
    rank: int
    alpha: float | None
    """None: it has none, neither of its own nor in PEFT's settings, and counts as the rank."""
    dtype: str
    norm: float | None = None
    """Frobenius norm of the update, with its scale; None: it is no product of factors and no difference, or broken."""
    spread: float | None = None
    """Root of the mean square of the update's values: what layers of several sizes are compared by."""
    values: tuple[float, ...] = ()
    """Singular values with the scale, the largest first."""
    problem: str = ""
    """What is broken in it."""

    def enough(self, share: float) -> int:
        """How many singular values hold a share of the update's energy (its squared norm)."""
        whole, so_far = sum(value * value for value in self.values), 0.0
        for number, value in enumerate(self.values, 1):
            so_far += value * value
            if so_far >= share * whole:
                return number
        return len(self.values)


def facts_of(file: LoraFile, measured: bool, device: str = "cpu", computing: Computing = "float32",
             progress: Progress = SILENT) -> list[LayerFacts]:
    """Every layer, by block. Args: measured: also norms and singular values, for which every tensor is read. Raises: Cancelled."""
    without = set(file.missing_alpha())
    plain = {module: _plain(file, module, without) for module in file.modules}
    if measured:
        progress.start("Measuring layers", len(file.modules))
        with Ahead(file.modules, lambda module: _measured(file, module, plain[module], device, computing), device) as ahead:
            for number, (module, found) in enumerate(ahead):
                plain[module] = found
                if number % RELEASE_EVERY == 0:
                    file.release()
                progress.advance(module.name)
    return sorted(plain.values(), key=lambda layer: (order_of(layer.block), layer.layer))


def _plain(file: LoraFile, module: LoraModule, without: Iterable[str]) -> LayerFacts:
    main = next((place for role, place in module.tensors.items() if role not in ("alpha", "scalar")), None)
    facts = LayerFacts(module.name, *block_of(module.name), module.words, module.is_text, module.rank, None, main.dtype if main else "")
    try:
        alpha, scale = file.alpha(module) if module.rank else 1.0, file.scale(module)
    except ModelError as error:
        return replace(facts, problem=error.message)
    if not math.isfinite(scale):
        return replace(facts, problem=f"The alpha or scalar of {module.name} is NaN or infinite.")
    return replace(facts, alpha=alpha) if module.rank and module.name not in without else facts


def _measured(file: LoraFile, module: LoraModule, plain: LayerFacts, device: str, computing: Computing) -> LayerFacts:
    if plain.problem:
        return plain
    try:
        if module.kind in FACTORED:
            scale = abs(file.scale(module))
            values = tuple(scale * value for value in spectrum(file, module, device, computing).values.tolist())
            norm = math.sqrt(sum(value * value for value in values))
            return replace(plain, values=values, norm=norm, spread=norm / math.sqrt(math.prod(module.shape)))
        tensors = {role: tensor.to(device).float() for role, tensor in file.tensors_of(module).items() if tensor.is_floating_point()}
        for role, tensor in tensors.items():
            if not is_finite(tensor):
                raise ModelError(f"{module.tensors[role].name} holds {broken_words(tensor)}.")
        if "diff" in tensors:
            norm = float(tensors["diff"].norm())
            return replace(plain, norm=norm, spread=norm / math.sqrt(tensors["diff"].numel()))
    except ModelError as error:
        return replace(plain, problem=error.message)
    return plain


def energy_by_rank(layers: Sequence[LayerFacts]) -> list[float]:
    """Share of the whole update's energy that is kept when every layer is cut to rank 1, 2, 3 …"""
    most = max((len(layer.values) for layer in layers), default=0)
    sums = [0.0] * most
    for layer in layers:
        for place, value in enumerate(layer.values):
            sums[place] += value * value
    whole, kept, found = sum(sums), 0.0, []
    for part in sums:
        kept += part
        found.append(kept / whole if whole else 1.0)
    return found


def findings_of(layers: Sequence[LayerFacts]) -> list[Finding]:
    """What is broken, dead or too strong."""
    found = [Finding("error", layer.problem, "The training broke down: use an earlier checkpoint of the run.")
             for layer in layers if layer.problem][:SHOWN]
    for is_text in (False, True):
        part = [layer for layer in layers if layer.is_text == is_text and layer.spread is not None]
        having = [layer.spread for layer in part if layer.spread]
        middle = statistics.median(having) if having else 0.0
        where = "the text encoder" if is_text else "the U-Net or transformer"
        dead = [layer for layer in part if (layer.spread or 0.0) <= DEAD * middle]
        loud = [layer for layer in part if (layer.spread or 0.0) > LOUD * middle] if middle else []
        if dead:
            found.append(Finding("info" if len(dead) < len(part) else "warning", f"{_named(dead)} of {where} do nothing ({len(dead)} of "
                                 f"{len(part)}).", "They were not trained, or their learning rate was 0; they only take room."))
        if loud:
            found.append(Finding("warning", f"{_named(loud)} of {where} are more than {LOUD:g} times as strong as the middle one.",
                                 "The learning rate was probably too high; try a lower strength or an earlier checkpoint."))
    return found


def _named(layers: Sequence[LayerFacts]) -> str:
    names = ", ".join(layer.name for layer in layers[:SHOWN])
    return f"{counted(len(layers), 'layer')} ({names}{' …' if len(layers) > SHOWN else ''})"
