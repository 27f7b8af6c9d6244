"""The layers of a LoRA file under another naming: copied, divided into diffusers' parts or put together of them, and their alpha."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError
from core.utilities.files.derived import ALPHAS, PARTS
from core.utilities.files.lora_file import LoraFile
from core.utilities.files.modules import LoraModule
from core.utilities.layers.pieces import pieces
from core.utilities.names.naming import Naming, Slot, has_diffusers_rows, names_of, places_of
from core.utilities.names.renamed_layer import Piece, Renamed, scaled, width_of
from core.utilities.names.way_back import read_note, shortened

if TYPE_CHECKING:
    import torch

@dataclass
class Plan:
    """What a file becomes."""

    layers: list[Renamed] = field(default_factory=list)
    kept: list[LoraModule] = field(default_factory=list)
    """Modules of names that are not known; they stay as they are."""
    notes: dict[str, Any] = field(default_factory=dict)
    """ALPHAS and PARTS for the new file's metadata."""


def last_block_of(family: str, modules: Sequence[LoraModule]) -> int:
    """Of SD3, how many blocks the file's model has: its last one is built otherwise. 0 of other families."""
    if family != "sd3":
        return 0
    plain = [module.name.replace(".", "_") for module in modules]
    return 24 if not any(f"_blocks_{number}_" in name for name in plain for number in range(24, 38)) else 38


def plan_names(file: LoraFile, family: str, naming: Naming, fold: bool = False) -> Plan:
    """How a file's layers are written under another naming.

    Args: fold: put diffusers' scale into the factors also where that rounds them.
    Raises: ModelError: it cannot be said in that naming.
    """
    last = last_block_of(family, file.modules)
    places = places_of(family, last)
    plan, groups = Plan(), {}  # type: tuple[Plan, dict[Slot, dict[int, LoraModule]]]
    for module in file.modules:
        if module.name not in places:
            plan.kept.append(module)
            continue
        if "bias" in module.tensors:
            raise ModelError(f"{module.name} has a bias of which it is not known what it means ({module.tensors['bias'].name}), so its "
                             "name cannot be changed.", "Save the file again with the program that made it, without biases.")
        if module.kind != "lora" or module.is_dora or "mid" in module.tensors:
            kernel = " with a kernel between" if module.is_tucker else ""
            raise ModelError(f"{module.name} is {module.words}{kernel}, which is not renamed.",
                             "Make LoRA of LoHa, LoKr and Tucker's form first (to_lora), then convert the names.")
        slot, part = places[module.name]
        if part in groups.setdefault(slot, {}):
            raise ModelError(f"{module.name} and {groups[slot][part].name} mean the same layer.", "One of them must go.")
        groups[slot][part] = module
    old_alphas, old_parts = (read_note(file, key) for key in (ALPHAS, PARTS))
    for slot, modules in groups.items():
        if naming == "diffusers":
            plan.layers += _to_diffusers(file, family, slot, modules, plan.notes, fold)
        else:
            plan.layers.append(_to_original(file, family, slot, modules, naming, old_alphas, old_parts))
    if naming == "diffusers":
        plan.notes = shortened(plan.notes)
    return plan


def _to_diffusers(file: LoraFile, family: str, slot: Slot, modules: Mapping[int, LoraModule], notes: dict[str, Any],
                  always: bool) -> Iterator[Renamed]:
    """As many layers as diffusers has; the scale goes into down where that loses nothing, else into settings."""
    names = names_of(slot, "diffusers", family)
    for number, module in modules.items():
        alpha, scale = module.tensors.get("alpha"), file.scale(module)
        folds = always or _folds(file.tensor(module.tensors["down"].name), scale)
        swapped = slot.swapped and not has_diffusers_rows(module.name, slot)
        pieces = [(names[number], None, None, module.shape[0])] if number >= 0 else \
            [(names[part], rows, columns, rows[1] - rows[0]) for part, rows, columns in _divided(file, slot, module, notes)]
        for name, rows, columns, outputs in pieces:
            piece = Piece(module, rows, columns, scale if folds else 1.0)
            told = None if folds else scale * width_of(piece)
            whole, dtype = _strength(file, module)
            notes.setdefault(ALPHAS, {})[name] = None if alpha is None and scale == 1 else [whole, dtype, scale]
            yield Renamed(name, "diffusers", ((piece, (0, outputs)),), outputs, swapped=swapped, told_alpha=told)


def _divided(file: LoraFile, slot: Slot, module: LoraModule, notes: dict[str, Any]) -> Iterator[tuple[int, tuple[int, int], Any]]:
    """Parts with their outputs, and their columns where each has columns of its own (others are zero), as sd-scripts' split_qkv gives."""
    edges = edges_of(slot, module.shape[0])
    count = len(slot.parts)
    known = read_note(file, PARTS).get(slot.original)
    known = known if known and all(part < count for part, _ in known) else None
    even = [[part, module.rank // count] for part in range(count)] if module.rank % count == 0 else None
    wanted = known or even
    up = file.tensor(module.tensors["up"].name).flatten(1)
    if wanted and sum(width for _, width in wanted) == module.rank and _is_sparse(up, edges, wanted):
        begin = 0
        if known is not None:
            notes.setdefault(PARTS, {})[slot.original] = known
        for part, width in wanted:
            yield part, edges[part], (begin, begin + width)
            begin += width
        return
    for part in range(count):
        yield part, edges[part], None


def _is_sparse(up: torch.Tensor, edges: Sequence[tuple[int, int]], wanted: Sequence[Sequence[int]]) -> bool:
    """Whether each part's columns are zero in the outputs of all others, and not everywhere."""
    begin, some = 0, False
    for part, width in wanted:
        own = up[:, begin:begin + width]
        if own[:edges[part][0]].any() or own[edges[part][1]:].any():
            return False
        some |= bool(own.any())
        begin += width
    return some


def _to_original(file: LoraFile, family: str, slot: Slot, modules: Mapping[int, LoraModule], naming: Naming, old: Mapping[str, Any],
                 old_parts: Mapping[str, Any]) -> Renamed:
    """One layer, of itself or of diffusers' parts; the scale comes out of down again where it went in."""
    name, = names_of(slot, naming, family)
    if -1 in modules or len(slot.parts) == 1:
        if len(modules) > 1:
            raise ModelError(f"{name} is in the file whole and in parts.", "One of them must go.")
        number, module = next(iter(modules.items()))
        fold, alpha = _back(file, module, old, names_of(slot, "diffusers", family)[max(0, number)])
        swapped = slot.swapped and has_diffusers_rows(module.name, slot)
        return Renamed(name, naming, ((Piece(module, fold=fold), (0, module.shape[0])),), module.shape[0], swapped=swapped, alpha=alpha)
    parts = sorted(modules.items())
    unit = next(module.shape[0] // slot.widths[part] for part, module in parts)
    outputs, edges = unit * sum(slot.widths), edges_of(slot, unit * sum(slot.widths))
    backs = [_back(file, module, old, names_of(slot, "diffusers", family)[part]) for part, module in parts]
    shared = len(parts) == len(slot.parts) and len({fold for fold, _ in backs}) == 1 and _same_down(file, [module for _, module in parts])
    rank = parts[0][1].rank if shared else sum(module.rank for _, module in parts)
    fold, alpha = backs[0]
    scales = {file.scale(module) for _, module in parts}
    if len(scales) > 1 or len({one for one, _ in backs}) > 1:
        if not all(_folds(file.tensor(module.tensors["down"].name), file.scale(module)) for _, module in parts):
            raise ModelError(f"The parts of {name} have different scales, which one layer cannot hold without rounding.",
                             "Make them alike with merge-loras first.")
        folds = [file.scale(module) for _, module in parts]
        alpha = (float(rank), _type(parts[0][1]))
    else:
        folds = [one for one, _ in backs]
        own = old.get(names_of(slot, "diffusers", family)[parts[0][0]], old.get("", ()))
        if alpha is not None and not own:
            alpha = (file.scale(parts[0][1]) * rank, alpha[1])
    pieces = tuple((Piece(module, fold=one), edges[part]) for (part, module), one in zip(parts, folds, strict=True))
    return Renamed(name, naming, pieces, outputs, shared, alpha=alpha)


def parts_of(plan: Plan, file: LoraFile, family: str) -> dict[str, list[list[int]]]:
    """For the way back: which parts a layer was put together of and their ranks, where it is not all of them with one."""
    places = places_of(family, last_block_of(family, file.modules))
    found = {}
    for layer in plan.layers:
        parts = [(places[piece.module.name], piece.module.rank) for piece, _ in layer.pieces if not layer.shared]
        slot = parts[0][0][0] if parts else None
        if slot is not None and len(slot.parts) > 1 and parts[0][0][1] >= 0 and \
                (len(parts) < len(slot.parts) or len({rank for _, rank in parts}) > 1):
            found[slot.original] = [[place[1], rank] for place, rank in parts]
    return found


def _back(file: LoraFile, module: LoraModule, old: Mapping[str, Any], name: str) -> tuple[float, tuple[float, str] | None]:
    """What down is multiplied with, and alpha. Args: old: ALPHAS of the file. name: diffusers'."""
    told = old.get(name, old.get("", ())) if module.scheme == "diffusers" else ()
    if told is None:
        return 1.0, None
    if not told:
        return 1.0, _strength(file, module) if module.rank else None
    alpha, dtype, scale = float(told[0]), str(told[1]), float(told[2])
    stands_in_settings = file.scale(module) != 1 or not scale
    return 1.0 if stands_in_settings else 1 / scale, (alpha, dtype)


def edges_of(slot: Slot, outputs: int) -> list[tuple[int, int]]:
    """Which outputs of a layer each of diffusers' parts has."""
    unit, begin, found = outputs // sum(slot.widths), 0, []
    for width in slot.widths:
        found.append((begin * unit, (begin + width) * unit))
        begin += width
    return found


def _same_down(file: LoraFile, modules: Sequence[LoraModule]) -> bool:
    first, *others = (file.view(module.tensors["down"].name) for module in modules)
    return all(other == first for other in others)


def _folds(down: torch.Tensor, scale: float) -> bool:
    """Whether down times a scale can be divided again without losing a bit."""
    import torch

    if scale == 1:
        return True
    flat = down.contiguous().view(-1)
    return math.frexp(scale)[0] == 0.5 and all(torch.equal(scaled(scaled(piece, scale), 1 / scale).float(), piece.float())
                                               for (piece,) in pieces(flat))


def _strength(file: LoraFile, module: LoraModule) -> tuple[float, str]:
    """Alpha, and its type; with LyCORIS' scalar in it, which other names do not have."""
    if "scalar" in module.tensors:
        return file.scale(module) * module.rank, "F32"
    place = module.tensors.get("alpha")
    return file.alpha(module), place.dtype if place else _type(module)


def _type(module: LoraModule) -> str:
    return module.tensors["up"].dtype
