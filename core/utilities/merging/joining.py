"""Several LoRA files laid beside each other: the same layers found in each, and what does not fit refused with the reason."""

from __future__ import annotations

import contextlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.base.errors import ConfigError, ModelError
from core.base.tensor_headers import TensorPlace
from core.utilities.files.lora_file import LoraFile, open_lora
from core.utilities.files.modules import FACTORED, LoraModule
from core.utilities.layers.blocks import block_of
from core.utilities.layers.products import columns_of
from core.utilities.layers.updates import weight_shape
from core.utilities.merging.same_layer import LayerKey, LayerKeys
from core.utilities.names.family import Family, family_of

PLAIN = ("diff", "diff_b", "w_norm", "b_norm")
"""Roles of plain differences, which are added as they are."""
ADDED = (*PLAIN, "up", "down", "mid", "alpha", "scalar", *(f"hada_{part}" for part in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")),
         *(f"lokr_{part}" for part in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")))
"""Roles that can be added to those of another file."""
BLOCK_RULE = re.compile(r"(?:(\d+)\s*:)?\s*([^=:]+?)\s*=\s*(-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Source:
    """One file and how much of it is taken."""

    file: LoraFile
    weight: float = 1.0
    blocks: tuple[tuple[str, float], ...] = ()
    """Beginnings of blocks' names and what their weight is multiplied with."""
    number: int = 1
    """Which of the files, counted from 1."""

    def weight_of(self, module: LoraModule) -> float:
        """The file's weight times that of the longest name that fits the module's block."""
        fitting = [(len(start), factor) for start, factor in self.blocks if fits_block(start, module)]
        return self.weight * (max(fitting)[1] if fitting else 1.0)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.file.path.name


@dataclass(frozen=True, eq=False)
class JoinedLayer:
    """One layer of the base model and what the files do to it."""

    shape: tuple[int, ...]
    parts: tuple[tuple[Source, LoraModule], ...]
    """In the order of the files; those that leave the layer alone are not among them."""

    @property
    def name(self) -> str:
        """Under which it is written."""
        return self.first.name

    @property
    def factored(self) -> tuple[tuple[Source, LoraModule], ...]:
        """The parts that change the weight by a product of factors; others are plain differences, perhaps of the bias alone."""
        return tuple((source, module) for source, module in self.parts if module.kind in FACTORED)

    @property
    def is_factored(self) -> bool:
        """Whether the weight is changed by products of factors."""
        return bool(self.factored)

    @property
    def plain(self) -> tuple[str, ...]:
        """Roles of plain differences that some part has."""
        return tuple(role for role in PLAIN if any(role in module.tensors for _, module in self.parts))

    @property
    def first(self) -> LoraModule:
        """Of the first file that has it; the layer is written under its names."""
        parts = self.factored or self.parts
        return next((module for _, module in parts if module.kind == "lora"), parts[0][1])

    @property
    def smaller_side(self) -> int:
        """The rank that a matrix of its shape can have."""
        return min(self.shape[0], math.prod(self.shape[1:]))

    @property
    def most(self) -> int:
        """The rank that their sum can have."""
        return min(self.smaller_side, sum(columns_of(module) for _, module in self.factored))

    @property
    def own(self) -> int:
        """The largest rank that the update of one of its parts can have."""
        return max(1, min(self.smaller_side, max(columns_of(module) for _, module in self.factored)))


def fits_block(start: str, module: LoraModule) -> bool:
    """Whether a module stands in a block, as Inspect calls them: "up" and "up 1" fit "up 1.0", and "down 1" does not fit "down 10"."""
    name, wanted = " ".join(block_of(module.name)).lower(), _block(start)
    return name.startswith(wanted) and not (wanted[-1:].isdigit() and name[len(wanted):len(wanted) + 1].isdigit())


def _block(start: str) -> str:
    return " ".join(start.lower().split())


def read_blocks(rules: Sequence[str], count: int) -> list[tuple[tuple[str, float], ...]]:
    """The weights of blocks for each file, from "2: up 1=0.5" or, for all files, "text=0"; of both for one name that of the file counts.

    Raises: ConfigError: it is none of these, or said twice.
    """
    for_all: dict[str, float] = {}
    own: list[dict[str, float]] = [{} for _ in range(count)]
    for rule in rules:
        match = BLOCK_RULE.fullmatch(rule.strip())
        if match is None or not math.isfinite(float(match[3])):
            raise ConfigError(f"{rule!r} is no weight of a block.", "Write 2: up 1=0.5 (blocks of the second file), or text=0.")
        if match[1] and not 1 <= int(match[1]) <= count:
            raise ConfigError(f"{rule!r} means file {match[1]}, but there are {count}.", "Files are counted from 1.")
        found, start = own[int(match[1]) - 1] if match[1] else for_all, _block(match[2])
        if start in found:
            whose = f"file {match[1]}" if match[1] else "all files"
            raise ConfigError(f"The weight of {start} in {whose} is said twice: {found[start]:g} and {match[3]}.", "Leave one of them out.")
        found[start] = float(match[3])
    return [tuple({**for_all, **rules}.items()) for rules in own]


@contextlib.contextmanager
def opened(paths: Sequence[str], weights: Sequence[float] = (), blocks: Sequence[str] = ()) -> Iterator[list[Source]]:
    """Open several files with their weights.

    Raises: ModelError: one is no LoRA file. ConfigError: another number of weights than of files, one that is no number, or a block's
        weight that fits nothing.
    """
    if weights and len(weights) != len(paths):
        raise ConfigError(f"There are {len(paths)} files, but {len(weights)} weights.", "Give one for each, or none: 1 for all.")
    if odd := [weight for weight in weights if not math.isfinite(weight)]:
        raise ConfigError(f"The weight {odd[0]} is no number.", "Give one such as 0.8.")
    rules = read_blocks(blocks, len(paths))
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open_lora(path)) for path in paths]
        taken = zip(files, weights or [1.0] * len(files), rules, strict=True)
        sources = [Source(file, weight, own, number) for number, (file, weight, own) in enumerate(taken, 1)]
        for start in dict.fromkeys(start for own in rules for start, _ in own):
            if not any(fits_block(start, module) for source in sources for module in source.file.modules
                       if any(start == one for one, _ in source.blocks)):
                raise ConfigError(f"No layer stands in a block {start!r}.", "core inspect-lora shows the names of a file's blocks.")
        yield sources


def joined(sources: Sequence[Source]) -> tuple[list[JoinedLayer], Family]:
    """The layers of several files, and the family that they were made for. A layer is the same under whatever names files have for it.

    Raises: ModelError: made for different base models, other shapes of a layer, other ways of naming, a layer twice in one file, or kinds
        that cannot be added.
    """
    family = one_family(sources)
    one_naming(sources)
    keys = LayerKeys(family.name, [module for source in sources for module in source.file.modules])
    groups: dict[LayerKey | str, list[tuple[Source, LoraModule]]] = {}
    for source in sources:
        for module in source.file.modules:
            refuse_kind(source, module)
            parts = groups.setdefault(keys.of(module), [])
            if parts and parts[-1][0] is source:
                raise ModelError(f"{parts[-1][1].name} and {module.name} in {source.name} mean the same layer.",
                                 "One of them must go: programs take one or the other, or both.")
            parts.append((source, module))
    keys.refuse_layouts((key, source.name, module) for key, parts in groups.items() for source, module in parts)
    return sorted((_layer(tuple(parts)) for parts in groups.values()), key=lambda layer: layer.name), family


def _layer(parts: tuple[tuple[Source, LoraModule], ...]) -> JoinedLayer:
    (first, module), *others = [(source, module) for source, module in parts if _way(module)] or parts
    shape = weight_shape(module)
    for source, other in others:
        if _way(module) != _way(other):
            raise ModelError(f"{module.name} is {module.words} in {first.name}, but {other.words} in {source.name}: "
                             "they are not added here.")
        if math.prod(shape) != math.prod(weight_shape(other)) or shape[:1] != weight_shape(other)[:1]:
            raise ModelError(f"{module.name} has the shape {list(shape)} in {first.name}, but {list(weight_shape(other))} in "
                             f"{source.name}.", "They were made for different base models.")
        shape = max(shape, weight_shape(other), key=len)  # flat files do not tell the kernel
    layer = JoinedLayer(shape, parts)
    for role in layer.plain:
        (first, place), *rest = [(source, one.tensors[role]) for source, one in parts if role in one.tensors]
        for source, other_place in rest:
            if place.shape != other_place.shape:
                raise ModelError(f"{place.name} has the shape {list(place.shape)} in {first.name}, but {list(other_place.shape)} in "
                                 f"{source.name}.", "They were made for different base models.")
    return layer


def _way(module: LoraModule) -> str:
    """How it changes the weight; empty: it changes the bias alone, which goes with every way."""
    if module.kind in FACTORED:
        return "product"
    return "difference" if "diff" in module.tensors else "norm" if module.kind == "norm" else ""


def one_family(sources: Sequence[Source]) -> Family:
    """The family of all; Chroma goes with FLUX.1, whose layers it has. Raises: ModelError: they are of several."""
    known = [(source, family) for source, family in zip(sources, families(sources), strict=True) if family.name]
    for source, family in known[1:]:
        if not go_together(family.name, known[0][1].name):
            raise ModelError(f"{known[0][0].name} was made for {known[0][1].title}, {source.name} for {family.title}: "
                             "their layers belong to different models.", "Choose files of one base model.")
    return known[0][1] if known else Family("", "")


def families(sources: Sequence[Source]) -> list[Family]:
    """Of each file."""
    return [family_of(source.file.modules, source.file.metadata) for source in sources]


def go_together(one: str, two: str) -> bool:
    """Whether layers of two families are the same. Args: names of `core.diffusion.kinds.TITLES`."""
    return one == two or {one, two} == {"flux1", "chroma"}


def family_note(one: Family, two: Family) -> str:
    """What a person should know where families that go together are not the same; empty: they are."""
    return "" if one.name == two.name or not (one.name and two.name) else \
        f"{one.title} and {two.title} have the same layers but are different models: a LoRA of one may draw otherwise with the other."


def twice_notes(sources: Sequence[Source]) -> list[str]:
    """Files that are given several times: that may be meant."""
    counts = Counter(source.file.path for source in sources)
    return [f"{path.name} is given {count} times, and counts as often." for path, count in counts.items() if count > 1]


def one_naming(sources: Sequence[Source]) -> None:
    """Raises: ModelError: the files name their layers in different ways."""
    schemes = [{module.scheme for module in source.file.modules} for source in sources]
    for source, own in zip(sources[1:], schemes[1:], strict=True):
        if own.isdisjoint(schemes[0]):
            raise ModelError(f"{sources[0].name} has names of {' and '.join(sorted(schemes[0]))}, {source.name} of "
                             f"{' and '.join(sorted(own))}.", "Convert one of them to the other's names first.")


def refuse_kind(source: Source, module: LoraModule) -> None:
    """Raises: ModelError: the module is of a kind that cannot be added to another."""
    if module.is_dora:
        raise ModelError(f"{module.name} in {source.name} is {module.words}: the lengths that it learned hold for its own update alone and "
                         "cannot be added.", "Bake it into the base model and extract a LoRA of that.")
    if module.kind == "incomplete":
        raise ModelError(f"{module.name} in {source.name} is {module.words}: it {module.problem}.",
                         "Inspect the file; save it again with the program that made it.")
    plain = module.kind in ("full", "norm")
    if (module.kind not in FACTORED and not plain) or (plain and any(role not in PLAIN for role in module.tensors)):
        raise ModelError(f"{module.name} in {source.name} is {module.words}: it multiplies or replaces the weight and cannot be added.",
                         "LoRA, LoCon, LoHa, LoKr, full differences and norm layers can.")
    if odd := sorted(set(module.tensors) - set(ADDED)):
        raise ModelError(f"{module.tensors[odd[0]].name} in {source.name} is nothing that can be added to another file's.")


def unknown_of(sources: Sequence[Source]) -> tuple[list[tuple[Source, TensorPlace]], list[str]]:
    """Tensors that belong to no layer, each from the first file that has one of that name; and the names that several have."""
    found: dict[str, tuple[Source, TensorPlace]] = {}
    several = []
    for source in sources:
        for place in source.file.unknown:
            if place.name in found:
                several.append(place.name)
            found.setdefault(place.name, (source, place))
    return list(found.values()), several


def written_type(sources: Sequence[Source], wanted: str) -> str:
    """safetensors' name of the type for the new file's layers: the one that was asked for, else the widest of the files'."""
    if wanted:
        return wanted
    first = [next(iter(source.file.dtypes), "F16") for source in sources]
    return next((one for one in ("F64", "F32", "F16", "BF16") if one in first), "F16")
